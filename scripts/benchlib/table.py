"""What is measured: one row a measure, with its gate and its aim."""

from __future__ import annotations

from benchlib import (
    bigmachine,
    cat,
    fault,
    latency,
    purge,
    remap,
    remapbytes,
    remapnaive,
    scan,
)
from benchlib.names import Step
from benchlib.row import Row
from benchlib.transfer import Transfer

KIB, MIB = 1 << 10, 1 << 20
PASS = "beside C over libfuse"

ROWS = (
    Row(
        name="purge",
        what="purge of a full 1 GiB zone, beside this kernel's reclaim of clean "
        "order-0 file pages (root)",
        unit="Mpages/s",
        gate=6,
        aim=10,
        open=purge.opened,
    ),
    Row(
        name="scan",
        what="inactive scan at 64 GiB in random order, beside linked lists",
        unit="Mpages/s",
        gate=20,
        aim=40,
        open=scan.opened,
    ),
    Row(
        name="remap",
        what="remap of a full 1 GiB zone in random order, beside this kernel's "
        "migration of order-0 pages by compaction (root)",
        unit="Mpages/s",
        gate=20,
        aim=40,
        open=remap.opened,
    ),
    Row(
        name="remap-bytes",
        what="bytes moved by a remap of a zone full of file pages, beside memcpy",
        unit="GB/s",
        gate=0.6,
        aim=0.7,
        open=remapbytes.opened,
    ),
    Row(
        name="remap-naive",
        what="migration of a full 1 GiB zone in random order, beside the oracle of "
        "the tests; both end in the same state",
        unit="Mpages/s",
        gate=1.7,
        aim=2.9,
        open=remapnaive.opened,
    ),
    Row(
        name="boot",
        what="boot of a machine of 2^28 pages (1 TiB)",
        unit="ms",
        gate=10,
        aim=1,
        open=bigmachine.boot_opened,
        lower_is_better=True,
    ),
    Row(
        name="page-bytes",
        what="memory of the host for each page in use of a machine of 2^28 pages",
        unit="B",
        gate=34,
        aim=30,
        open=bigmachine.bytes_opened,
        lower_is_better=True,
    ),
    Row(
        name="remap-64g",
        what="migration of a full zone of 64 GiB of that machine, in random order",
        unit="s",
        gate=1.5,
        aim=0.6,
        open=bigmachine.moved_opened,
        lower_is_better=True,
    ),
    Row(
        name="cat",
        what="open, read and close of memhotplug on a mount, beside the same bytes "
        "from C over libfuse",
        unit="k/s",
        gate=0.35,
        aim=0.45,
        open=cat.opened,
    ),
    Row(
        name="latency",
        what="p99 of open, read and close of memhotplug while 16 GiB are purged",
        unit="ms",
        gate=5,
        aim=1,
        open=latency.opened,
        lower_is_better=True,
    ),
    Row(
        name="seq-read",
        what=f"1 MiB sequential reads of a resident file, {PASS}",
        unit="MB/s",
        gate=0.75,
        aim=0.9,
        open=Transfer("read", "seq", MIB, 1).opened,
    ),
    Row(
        name="seq-write",
        what=f"1 MiB sequential writes over a resident file, {PASS}",
        unit="MB/s",
        gate=0.75,
        aim=0.9,
        open=Transfer("write", "seq", MIB, 1).opened,
    ),
    Row(
        name="read-4k",
        what=f"4 KiB random reads of a resident file, {PASS}",
        unit="k/s",
        gate=0.35,
        aim=0.5,
        open=Transfer("read", "random", 4 * KIB, 1).opened,
    ),
    Row(
        name="read-4k-8",
        what=f"the same by 8 clients, {PASS}",
        unit="k/s",
        gate=0.35,
        aim=0.5,
        open=Transfer("read", "random", 4 * KIB, 8).opened,
    ),
    Row(
        name="write-4k",
        what=f"4 KiB random writes over a resident file, {PASS}",
        unit="k/s",
        gate=0.35,
        aim=0.5,
        open=Transfer("write", "random", 4 * KIB, 1).opened,
    ),
    Row(
        name="write-4k-8",
        what=f"the same by 8 clients, {PASS}",
        unit="k/s",
        gate=0.35,
        aim=0.5,
        open=Transfer("write", "random", 4 * KIB, 8).opened,
    ),
    Row(
        name="create",
        what=f"create, write 4 KiB, close of 10,000 files, {PASS}",
        unit="k/s",
        gate=0.3,
        aim=0.45,
        open=Step("create").opened,
    ),
    Row(
        name="stat",
        what=f"stat of 10,000 files, {PASS}",
        unit="k/s",
        gate=0.3,
        aim=0.45,
        open=Step("stat").opened,
    ),
    Row(
        name="unlink",
        what=f"unlink of 10,000 files, {PASS}",
        unit="k/s",
        gate=0.3,
        aim=0.45,
        open=Step("unlink").opened,
    ),
    Row(
        name="fault",
        what="fault of an mmapped page after it was revoked",
        unit="us",
        gate=30,
        aim=20,
        open=fault.opened,
        lower_is_better=True,
    ),
)
