"""The rows of the root, of ``nodeN/`` and of ``control/``."""

from __future__ import annotations

from memfs.files import (
    buddyinfo,
    clock,
    control,
    disk,
    faults,
    kmsg,
    memhotplug,
    meminfo,
    migration,
    node,
    status,
    swaps,
    vmstat,
    why,
    zoneinfo,
)
from memfs.files.proc import meminfo as meminfo61
from memfs.files.proc import swaps as swaps61
from memfs.files.proc import vmstat as vmstat61
from memfs.files.proc import zoneinfo as zoneinfo61
from memfs.files.row import NODE_DIR, Render, RenderAt, Row
from memfs.files.sysfs import node as node61
from memfs.files.tasks import TaskFile


def of_kernel(old: Render, new: Render) -> Render:
    """A file in the form of the layout's kernel: 2.6's or 6.1's."""
    return lambda mount: (new if mount.machine.rules.modern else old)(mount)


def of_kernel_at(old: RenderAt, new: RenderAt) -> RenderAt:
    """The same for a file of a node."""
    return lambda mount, nid: (new if mount.machine.rules.modern else old)(mount, nid)


ROWS = (
    Row(
        "memhotplug",
        0o644,
        "pages",
        "nodes and zones; takes the commands of memory hotplug",
        memhotplug.render,
        store=memhotplug.store,
        holds=True,
        polls=memhotplug.changes,
    ),
    Row(
        "meminfo",
        0o444,
        "kB",
        "memory of the machine",
        of_kernel(meminfo.render, meminfo61.render),
    ),
    Row(
        "zoneinfo",
        0o444,
        "pages",
        "every populated zone",
        of_kernel(zoneinfo.render, zoneinfo61.render),
    ),
    Row("buddyinfo", 0o444, "blocks", "free blocks of each order", buddyinfo.render),
    Row(
        "vmstat",
        0o444,
        "pages, events",
        "gauges and event counters",
        of_kernel(vmstat.render, vmstat61.render),
    ),
    Row(
        "swaps",
        0o444,
        "kB",
        "the swap area",
        of_kernel(swaps.render, swaps61.render),
    ),
    Row(
        NODE_DIR,
        0o755,
        "",
        "the node's own files, while it is plugged",
        ids=node61.plugged,
    ),
    Row(
        "nodeN/meminfo",
        0o444,
        "kB",
        "memory of the node",
        render_at=of_kernel_at(node.render_meminfo, node61.render_meminfo),
    ),
    Row(
        "nodeN/numastat",
        0o444,
        "pages",
        "where allocations were served",
        render_at=node.render_numastat,
    ),
    Row(
        "nodeN/vmstat",
        0o444,
        "pages",
        "gauges of the node",
        render_at=of_kernel_at(vmstat.render_at, vmstat61.render_node),
    ),
    Row(
        "nodeN/zoneinfo",
        0o444,
        "pages",
        "the node's populated zones",
        render_at=of_kernel_at(zoneinfo.render_at, zoneinfo61.render_node),
    ),
    Row(
        "nodeN/compact",
        0o200,
        "",
        "any write defragments the node's zones; returns when it is done",
        store_at=migration.store_compact,
        version=None,
        holds=True,
    ),
    Row(
        "kmsg",
        0o444,
        "text",
        "what the kernel printed, with virtual time; why commands were refused",
        kmsg.render,
        version=kmsg.version,
    ),
    Row(
        "status",
        0o444,
        "pages, ns",
        "running and last operations, why pages stay; the daemon's own figures",
        status.render,
        version=None,
    ),
    Row(
        "control/pid",
        0o444,
        "",
        "pid of the daemon",
        control.render_pid,
        version=None,
    ),
    Row(
        "control/clock",
        0o644,
        "ns",
        "virtual time; mode=wall|manual; advance= and to= move a manual clock",
        clock.render,
        store=clock.store,
        version=None,
        holds=True,
    ),
    Row("control/seed", 0o444, "", "seed of the machine", control.render_seed),
    Row(
        "control/disk",
        0o644,
        "bytes, time",
        "latency, bandwidth, requests, readahead; swap.* for the swap disk",
        disk.render,
        store=disk.store,
        version=None,
    ),
    Row(
        "control/cancel",
        0o200,
        "",
        "stops an operation by its number in status, or all; its caller gets EINTR",
        store=control.store_cancel,
        version=None,
    ),
    Row(
        "control/validate",
        0o644,
        "",
        "any write checks every invariant (success is that it was done); "
        "then reads ok, or violations=N and a line for each",
        control.render_validate,
        store=control.store_validate,
        version=None,
        holds=True,
    ),
    Row(
        "control/migration",
        0o644,
        "",
        "how remap moves pages: dirty=carry|writeout, anon=direct|swapslot, "
        "maps=restore|lazy; the second of each is the way of 2004",
        migration.render,
        store=migration.store,
        version=None,
    ),
    Row(
        "control/why",
        0o644,
        "pages",
        "zone=Z, node=N or memory=N asks who keeps it from going; then reads a line "
        "for each group of pages: reason, kind, holder, since when (ns), what frees it",
        why.render,
        store=why.store,
        version=None,
        holds=True,
    ),
    Row(
        "control/faults",
        0o644,
        "times",
        "what is made to go wrong, so many times",
        faults.render,
        store=faults.store,
        version=None,
    ),
    Row(
        "control/tasks",
        0o644,
        "pages",
        "an open descriptor is a modelled process; opened for reading, all of them",
        version=None,
        make=TaskFile.of_row,
    ),
)
