"""Defragmentation: used pages go to the end of their zone, free ones become blocks.

For whoever asks for it, and for an allocation of a block that finds none: it is tried
before the allocation fails, and before anything is reclaimed for it.

Source: M. Tosatti's coalesce_memory(), LKML 2004-10-01; mm/compaction.c
compact_node(), try_to_compact_pages(), 2.6.35.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi, zones
from memfs.vm._ffi import Compact
from memfs.vm.alloc import SlowPath
from memfs.vm.errors import VmError
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm._ffi import ZoneStat
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node, Zone

STEP = 4096  # pages a step
HUGE_ORDER = 9


class CompactResult(NamedTuple):
    """What a defragmentation did; pages. `reasons`: why others were passed over."""

    moved: int
    scanned: int
    reasons: dict[str, int]


NOTHING = CompactResult(0, 0, {})


def added(a: CompactResult, b: CompactResult) -> CompactResult:
    """Two of them as one."""
    names = sorted(a.reasons.keys() | b.reasons.keys())
    reasons = {name: a.reasons.get(name, 0) + b.reasons.get(name, 0) for name in names}
    return CompactResult(a.moved + b.moved, a.scanned + b.scanned, reasons)


def compact(m: Machine, nid: int | None) -> Op[CompactResult]:
    """Defragment every zone of a node, or of the machine.

    Raises:
        VmError: ENODEV, node `nid` is not plugged.
    """
    if nid is not None and (nid not in m.nodes or not m.nodes[nid].plugged):
        raise VmError(errno.ENODEV, f"node {nid} is not plugged")
    total = NOTHING
    for zone in list(m.zones.values()):
        if nid is None or zone.nid == nid:
            total = added(total, (yield from compact_zone(m, zone)))
            m.report(moved=total.moved, scanned=total.scanned)
    m.report(reasons=total.reasons)
    where = "" if nid is None else f" of node {nid}"
    m.klog.add(f"compact: {total.moved} pages{where} moved")
    return total


def compact_zone(
    m: Machine, zone: Zone, order: int = _ffi.MAX_ORDER
) -> Op[CompactResult]:
    """Defragment one zone, to its end or until a block of `order` is free."""
    if m.zones.get(zone.zid) is not zone:
        return NOTHING
    zones.drain(m, [zone])
    walk = Compact(m.core, zone.zid, order)
    while walk.step(STEP) == _ffi.MORE_RC and m.zones.get(zone.zid) is zone:
        yield MORE
    return CompactResult(walk.moved, walk.scanned, walk.reasons())


def suitable(m: Machine, zone: Zone, order: int) -> bool:
    """Whether a defragmentation could give a block of `order` above the low mark.

    Source: mm/compaction.c compaction_suitable(): room for the copies, too; and what
    fails for want of memory more than for want of order is left to reclaim.
    """
    stat = zone.stat()
    if stat.usable < stat.pages_low + (2 << order):
        return False
    index = fragmentation_index(stat, order)
    return not 0 <= index <= m.tunables.extfrag_threshold


def fragmentation_index(stat: ZoneStat, order: int) -> int:
    """Why an allocation would fail: near 0 for want of memory, near 1000 of order.

    Returns:
        -1000 if it would not fail.

    Source: mm/vmstat.c __fragmentation_index(), Linux 6.1.
    """
    blocks = sum(stat.free_area)
    if not blocks:
        return 0
    if any(stat.free_area[order:]):
        return -1000
    requested = 1 << order
    return 1000 - (1000 + stat.free * 1000 // requested) // blocks


# -- before it is needed ---------------------------------------------------------------


def score(m: Machine, node: Node) -> int:
    """How much of a node's free memory is in pieces smaller than a huge page, percent.

    Source: mm/compaction.c fragmentation_score_node(), Linux 6.1.
    """
    present = sum(zone.present for zone in node.zones) + 1
    total = 0
    for zone in node.zones:
        stat = zone.stat()
        fit = sum(n << o for o, n in enumerate(stat.free_area) if o >= HUGE_ORDER)
        if stat.free:
            total += (stat.free - fit) * 100 // stat.free * zone.present // present
    return total


def proactive(m: Machine) -> Op[None]:
    """Defragment nodes that are above the upper mark until they are below the lower.

    Departure: when the setting is written, not every half second as well.

    Source: mm/compaction.c proactive_compact_node(), Linux 6.1.
    """
    for node in list(m.nodes.values()):
        lower = max(100 - m.tunables.compaction_proactiveness, 5)
        if score(m, node) <= min(lower + 10, 100):
            continue
        for zone in list(node.zones):
            if score(m, node) > lower:
                yield from compact_zone(m, zone)
    yield MORE


def alloc_block(m: Machine, cls: int, order: int, kind: int) -> Op[int]:
    """A block of 2^order pages of kernel memory. Returns: first pfn.

    Raises:
        VmError: ENOMEM.
    """
    slow = SlowPath(m)
    while True:
        pfn = m.core.alloc(cls, order, kind)
        m.kick_kswapds()
        if pfn == _ffi.NO_PFN and order:
            yield from direct(m, cls, order)
            pfn = m.core.alloc(cls, order, kind)
        if pfn != _ffi.NO_PFN:
            return pfn
        if order and not_short(m, cls, order):
            raise slow.give_up(cls, order)
        yield from slow.stall()


def not_short(m: Machine, cls: int, order: int) -> bool:
    """Memory is free, but not together: to free more of it would not help."""
    zids = m.zonelists.get((0, cls), ())
    return any(suitable(m, m.zones[zid], order) for zid in zids)


def direct(m: Machine, cls: int, order: int) -> Op[None]:
    """Defragment for an allocation, zone by zone, until there is such a block."""
    there = [m.zones[zid] for zid in m.zonelists.get((0, cls), ())]
    there = [zone for zone in there if suitable(m, zone, order)]
    if not there:
        return
    m.count("compact_stall")
    for zone in there:
        with m.pressure.memory.stall():
            yield from compact_zone(m, zone, order)
        if m.zones.get(zone.zid) is zone and any(zone.stat().free_area[order:]):
            m.count("compact_success")
            return
    m.count("compact_fail")
