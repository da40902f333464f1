"""What is measured: one row a measure, with its gate and its aim."""

from __future__ import annotations

from benchlib import cat, latency, purge, scan
from benchlib.row import Row

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
)
