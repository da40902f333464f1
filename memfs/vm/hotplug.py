"""What memhotplug does: plug, unplug, enable, disable, purge, inuse, active, why.

Each is an operation. A refusal is raised before anything has changed. The grammar
of the commands is not here.

Departure: in 2004 every command succeeded at once and worked on in the background;
here an operation ends when its work is done, and a refusal is an errno.

Source: va-proc_memhotplug.patch v1.14, Takahashi, LKML 2004-07-14 [5/16]; the 2003
report for purge.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from memfs.records import NamedTuple
from memfs.vm import _ffi, zones
from memfs.vm._ffi import REASON_NAMES
from memfs.vm.alloc import kernel_pages
from memfs.vm.errors import VmError
from memfs.vm.reclaim import (
    Scan,
    balance_pgdat,
    kswapd,
    lock_node,
    unlock_node,
)
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node, Zone

T = TypeVar("T")

WALK = 65536  # pages a step of a walk that only counts
PAGE_SIZE = 4096
PAGES_PER_TABLE = 32768  # chosen here: a page of zone tables for 128 MiB
KINDS = (
    "file",
    "shmem",
    "anon",
    "swapcache",
    "kernel",
    "radix",
    "shmemdir",
    "pagetable",
    "huge",
    "hwpoison",
)


class PurgeResult(NamedTuple):
    """What a purge did to a zone; pages. `before` and `after`: pages in use."""

    freed: int
    scanned: int
    before: int
    after: int
    reasons: dict[str, int]


class InUse(NamedTuple):
    """Pages by kind, and the first pfns."""

    kinds: dict[str, int]
    pfns: list[int]


def find_zone(m: Machine, zid: int) -> Zone:
    """A zone by its number.

    Raises:
        VmError: ENODEV.
    """
    zone = m.zones.get(zid)
    if zone is None:
        raise VmError(errno.ENODEV, f"Zone {zid} not plugged")
    return zone


def with_zone(m: Machine, zid: int, op: Callable[[Zone], Op[T]]) -> Op[T]:
    """An operation over a zone that is given by its number.

    Raises:
        VmError: ENODEV.
    """
    return (yield from op(find_zone(m, zid)))


def find_slot(m: Machine, nid: int) -> Node:
    """A node slot, plugged or not.

    Raises:
        VmError: ENODEV.
    """
    node = m.nodes.get(nid)
    if node is None:
        raise VmError(errno.ENODEV, f"there is no node slot {nid}")
    return node


def find_node(m: Machine, nid: int) -> Node:
    """A plugged node.

    Raises:
        VmError: ENODEV.
    """
    node = find_slot(m, nid)
    if not node.plugged:
        raise VmError(errno.ENODEV, f"Node {nid} not plugged")
    return node


# -- plug and unplug --------------------------------------------------------------


def plug(m: Machine, nid: int) -> Op[None]:
    """Bring the memory of an empty slot, its gate closed; its kswapd starts.

    Raises:
        VmError: ENODEV no slot, EEXIST plugged already, ENOMEM node 0 cannot
            give the pages for its tables.
    """
    node = find_slot(m, nid)
    if node.plugged or node.plugging:
        raise VmError(errno.EEXIST, f"Node {nid}: Already plugged")
    node.plugging = True
    try:
        if not node.spec.mem_map:
            nr = -(-node.spec.pages // PAGES_PER_TABLE)
            node.tables = yield from kernel_pages(m, nr)
        attach(m, node)
    finally:
        node.plugging = False
    m.klog.add(f"plug {nid}: node {nid}, {present(node)} pages")


def attach(m: Machine, node: Node) -> None:
    """Populate a node's zones and start its kswapd."""
    zones.populate(m, node)
    zones.rebuild(m)
    start_kswapd(m, node)
    m.writeback.recompute()
    m.structure += 1


def start_kswapd(m: Machine, node: Node) -> None:
    """Start a node's kswapd."""
    name = f"kswapd{node.nid}"
    node.kswapd = m.sched.spawn(kswapd(m, node), name=name, background=True)


def stop_kswapd(m: Machine, node: Node) -> None:
    """End a node's kswapd."""
    if node.kswapd is not None:
        m.sched.cancel(node.kswapd)
        node.kswapd = None


def present(node: Node) -> int:
    """Present pages of a node."""
    return sum(zone.present for zone in node.zones)


def unplug(m: Machine, nid: int) -> Op[None]:
    """Take a node's memory away; every managed page is free and its gates closed.

    Raises:
        VmError: ENODEV not plugged, EPERM not hot-removable, EBUSY a gate is
            open, pages are in use, or reclaim runs on the node.
    """
    node = find_node(m, nid)
    if not node.removable:
        raise VmError(errno.EPERM, f"unplug {nid}: node {nid} is nonhotremovable")
    if any(zone.gate_open for zone in node.zones):
        opened = ", ".join(zone.label for zone in node.zones if zone.gate_open)
        raise VmError(errno.EBUSY, f"unplug {nid}: {opened} is enabled")
    # kswapd has nothing to do on a node without pages: it is stopped, as any thread.
    if node.balancing and node.balancer is not node.kswapd:
        raise VmError(errno.EBUSY, f"unplug {nid}: reclaim runs on node {nid}")
    if any(block.isolating for block in m.blocks.seen(nid)):
        raise VmError(errno.EBUSY, f"unplug {nid}: a block of it goes offline")
    if m.migrating in node.zones:
        raise VmError(errno.EBUSY, f"unplug {nid}: a remap runs on node {nid}")
    zones.drain(m, node.zones)
    in_use = sum(zone.in_use for zone in node.zones)
    if in_use:
        raise VmError(errno.EBUSY, f"unplug {nid}: {in_use} pages still in use")
    detach(m, node)
    m.klog.add(f"unplug {nid}: node {nid} is gone")
    yield MORE


def detach(m: Machine, node: Node) -> None:
    """End a node's kswapd, take its zones away, give its tables back."""
    stop_kswapd(m, node)
    zones.depopulate(m, node)
    zones.rebuild(m)
    for pfn in node.tables:
        m.core.free(pfn, 0)
    node.tables = []
    m.writeback.recompute()
    m.structure += 1


# -- gates ------------------------------------------------------------------------


def set_gate(m: Machine, what: str, targets: list[Zone], is_open: bool) -> Op[None]:
    """Open or close the gates of zones of one node; done already is done.

    Raises:
        VmError: EPERM, the node is not hot-removable.
    """
    verb, number = ("enable" if is_open else "disable"), what.rsplit(" ", 1)[1]
    zone = targets[0]
    if not is_open and not zone.removable:
        raise VmError(
            errno.EPERM, f"{verb} {number}: node {zone.nid} is nonhotremovable"
        )
    names = ", ".join(target.label for target in targets)
    m.klog.add(
        f"{verb} {number}: zone {names} of node {zone.nid}"
        if what.startswith("zone")
        else f"{verb} {number}: node {zone.nid} ({names})"
    )
    if any(target.gate_open != is_open for target in targets):
        zones.set_gate(m, targets, is_open)
        m.writeback.recompute()
    yield MORE


def node_gate(m: Machine, nid: int, is_open: bool) -> Op[None]:
    """enable or disable of a node: every zone of it.

    Raises:
        VmError: ENODEV not plugged, EPERM not hot-removable.
    """
    node = find_node(m, nid)
    if node.zones:
        node.gates.clear()
        yield from set_gate(m, f"node {nid}", list(node.zones), is_open)
    elif not is_open and not node.removable:
        raise VmError(errno.EPERM, f"disable {nid}: node {nid} is nonhotremovable")
    else:
        m.klog.add(f"{'enable' if is_open else 'disable'} {nid}: node {nid}, no memory")
        yield MORE
    node.gate_open = is_open


def zone_gate(m: Machine, zid: int, is_open: bool) -> Op[None]:
    """enable or disable of one zone.

    Raises:
        VmError: ENODEV not plugged, EPERM not hot-removable.
    """
    zone = find_zone(m, zid)
    yield from set_gate(m, f"zone {zid}", [zone], is_open)


# -- purge ------------------------------------------------------------------------


def purge(m: Machine, zid: int) -> Op[PurgeResult]:
    """Drain, one run of balance_pgdat() over the zone's node, drain.

    A zone behind an open gate is only brought to its high mark. What stays, stays
    for a reason: "repeat as necessary".

    Departure: the original woke kswapd and returned at once.

    Raises:
        VmError: ENODEV, no such zone.
    """
    zone = find_zone(m, zid)
    node = m.nodes[zone.nid]
    zones.drain(m, node.zones)
    before = zone.in_use
    m.report(zone=zid, name=zone.label, pages=before, left=before)
    scan = Scan(kswapd=True)
    yield from lock_node(m, node)
    try:
        find_same(m, zone)
        yield from balance_pgdat(m, node, scan)
        zones.drain(m, node.zones)
    finally:
        unlock_node(m, node)
        if m.zones.get(zid) is zone:
            m.report(freed=scan.freed, scanned=scan.scanned, left=zone.in_use)
    after = zone.in_use
    reasons: dict[str, int] = {}
    if after:
        reasons = yield from why(m, zid)
    m.report(reasons=reasons)
    return PurgeResult(scan.freed, scan.scanned, before, after, reasons)


def find_same(m: Machine, zone: Zone) -> None:
    """Make sure that a zone was not unplugged during a wait.

    Raises:
        VmError: ENODEV.
    """
    if m.zones.get(zone.zid) is not zone:
        raise VmError(errno.ENODEV, f"Zone {zone.zid} was unplugged")


# -- looking ----------------------------------------------------------------------


def why(m: Machine, zid: int) -> Op[dict[str, int]]:
    """Pages of a zone that are not free, by what keeps them.

    Raises:
        VmError: ENODEV, no such zone.
    """
    find_zone(m, zid)
    total = [0] * len(REASON_NAMES)
    cursor = 0
    while True:
        rc, cursor, found = m.core.why(zid, cursor, WALK)
        total = [a + b for a, b in zip(total, found, strict=True)]
        if rc == _ffi.DONE:
            break
        yield MORE
    names = zip(REASON_NAMES[1:], total[1:], strict=True)
    return {name: nr for name, nr in names if nr}


def in_use(m: Machine, zid: int, active: bool) -> Op[InUse]:
    """Pages of a zone in use, or on its active list: by kind, and the first pfns.

    Raises:
        VmError: ENODEV, no such zone.
    """
    find_zone(m, zid)
    walk = m.core.inuse(zid, active)
    while walk.step(WALK) != _ffi.DONE:
        yield MORE
    counts = zip(KINDS, walk.counts(), strict=False)
    return InUse({name: nr for name, nr in counts if nr}, walk.pfns())
