"""What the mount shows: one TABLE of its files, and the tree made from it.

A file is a row: its place, mode, kind, what it says in which unit, and the function
that renders it. Lookup, permissions, the tables of the documentation and the
generic tests follow from the row; the functions are in one module per family.

What it is not: it knows the model and the tree, and neither FUSE nor trio. Where a
file waits, it awaits what the Mount hands to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

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
    zoneinfo,
)
from memfs.files.tasks import TaskFile
from memfs.tree import ControlFile, Dir, Node, TextFile, VolumeDir

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

Render = Callable[["Mount"], str]
RenderNode = Callable[["Mount", int], str]
StoreRow = Callable[["Mount", bytes, "Caller", "Interrupt"], Awaitable[None]]
StoreAt = Callable[["Mount", int, bytes, "Caller", "Interrupt"], Awaitable[None]]
Version = Callable[["Mount"], object]

NODE_DIR = "nodeN"


def machine_version(mount: Mount) -> object:
    """The rendering is kept until anything of the machine may have changed."""
    return mount.machine.version


class Row(NamedTuple):
    """One file of the mount.

    Attributes:
        path: its place; ``nodeN/`` stands for the directory of each plugged node.
        mode: permission bits.
        unit: of its numbers.
        what: for the documentation.
        render, render_node: give its text; None: there is nothing to read.
        store, store_at: carry out one write, the latter for a row of ``nodeN/``;
            neither: read-only.
        version: changes when the text may; None: it is rendered at every open.
        holds: a command may hold its writer for long.
        make: for the one file whose descriptors mean something of their own.
    """

    path: str
    mode: int
    unit: str
    what: str
    render: Render | None = None
    render_node: RenderNode | None = None
    store: StoreRow | None = None
    store_at: StoreAt | None = None
    version: Version | None = machine_version
    holds: bool = False
    make: Callable[[Mount, Row], Node] | None = None

    @property
    def kind(self) -> str:
        """text, control or process."""
        if self.make is not None:
            return "process"
        stores = self.store is not None or self.store_at is not None
        return "control" if stores else "text"


TABLE = (
    Row(
        "memhotplug",
        0o644,
        "pages",
        "nodes and zones; takes the commands of memory hotplug",
        memhotplug.render,
        store=memhotplug.store,
        holds=True,
    ),
    Row("meminfo", 0o444, "kB", "memory of the machine", meminfo.render),
    Row("zoneinfo", 0o444, "pages", "every populated zone", zoneinfo.render),
    Row("buddyinfo", 0o444, "blocks", "free blocks of each order", buddyinfo.render),
    Row("vmstat", 0o444, "pages, events", "gauges and event counters", vmstat.render),
    Row("swaps", 0o444, "kB", "the swap area", swaps.render),
    Row(
        "nodeN/meminfo",
        0o444,
        "kB",
        "memory of the node",
        render_node=node.render_meminfo,
    ),
    Row(
        "nodeN/numastat",
        0o444,
        "pages",
        "where allocations were served",
        render_node=node.render_numastat,
    ),
    Row(
        "nodeN/vmstat",
        0o444,
        "pages",
        "gauges of the node",
        render_node=vmstat.render_node,
    ),
    Row(
        "nodeN/zoneinfo",
        0o444,
        "pages",
        "the node's populated zones",
        render_node=zoneinfo.render_node,
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
        "control/faults",
        0o644,
        "times",
        "what is made to go wrong, so many times",
        faults.render,
        store=faults.store,
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
        "control/tasks",
        0o644,
        "pages",
        "an open descriptor is a modelled process; opened for reading, all of them",
        version=None,
        make=TaskFile.of_row,
    ),
)


def node_of(mount: Mount, row: Row, nid: int | None = None) -> Node:
    """Make the file of *row*; *nid* for a row of ``nodeN/``."""
    if row.make is not None:
        return row.make(mount, row)
    render = None
    if row.render is not None or row.render_node is not None:
        render = _bytes(mount, row, nid)
    version = None if row.version is None else _bound(row.version, mount)
    if row.kind == "text":
        assert render is not None
        return TextFile(render, row.mode, version)
    store = mount.told(_path(row, nid), _store(row, nid))
    return ControlFile(render, store, row.mode, version, fresh_inode=row.holds)


def _path(row: Row, nid: int | None) -> str:
    return row.path.replace(NODE_DIR, f"node{nid}")


def _store(row: Row, nid: int | None) -> Callable[..., Awaitable[None]]:
    if row.store_at is None or nid is None:
        assert row.store is not None
        return row.store
    store_at, number = row.store_at, nid
    return lambda mount, *args: store_at(mount, number, *args)


def _bytes(mount: Mount, row: Row, nid: int | None) -> Callable[[], bytes]:
    if row.render_node is not None and nid is not None:
        render_node = row.render_node
        return lambda: render_node(mount, nid).encode()
    render = row.render
    assert render is not None
    return lambda: render(mount).encode()


def _bound(version: Version, mount: Mount) -> Callable[[], object]:
    return lambda: version(mount)


class Root(Dir):
    """The root: what is always there, and ``nodeN/`` for each plugged node."""

    dynamic = True

    def __init__(self, mount: Mount) -> None:
        super().__init__()
        self._mount = mount
        rows = [row for row in TABLE if row.path.startswith(NODE_DIR + "/")]
        self._nodes = {
            b"node%d" % nid: (nid, NodeDir(mount, nid, rows))
            for nid in mount.machine.nodes
        }

    def lookup(self, name: bytes) -> Node | None:
        if name in self._nodes:
            nid, below = self._nodes[name]
            return below if self._mount.machine.nodes[nid].plugged else None
        return super().lookup(name)

    def entries(self) -> list[tuple[bytes, Node]]:
        nodes = [(name, self.lookup(name)) for name in self._nodes]
        there = [(name, below) for name, below in nodes if below is not None]
        return sorted([*super().entries(), *there], key=lambda entry: entry[0])


class NodeDir(Dir):
    """``nodeN/``: its name comes and goes with the node."""

    entry_timeout = 0.0
    attr_timeout = 0.0

    def __init__(self, mount: Mount, nid: int, rows: list[Row]) -> None:
        super().__init__()
        for row in rows:
            name = row.path.removeprefix(NODE_DIR + "/")
            self.add(name.encode(), node_of(mount, row, nid))


def build_tree(mount: Mount) -> Dir:
    """The whole generated tree of *mount*, and its volumes."""
    root = Root(mount)
    dirs: dict[str, Dir] = {"": root}
    for row in TABLE:
        parent, _, name = row.path.rpartition("/")
        if parent == NODE_DIR:
            continue
        if parent not in dirs:
            dirs[parent] = Dir()
            root.add(parent.encode(), dirs[parent])
        dirs[parent].add(name.encode(), node_of(mount, row))
    for name, volume in mount.volumes.items():
        root.add(name.encode(), VolumeDir(volume))
    return root
