"""Reclaim: how much to scan, where and how often. The core scans.

kswapd, one background job a node, and direct reclaim by whoever needs a page; both
work by shrink_zone(). Scanning holds pages only on the hold list of its Reclaim,
which is put back in a ``finally`` clause.

Departure: there are no shrinkable slab caches; index nodes go with their last page.

Source: mm/vmscan.c, 2.6.0; the five changes of the 2003 report for a closed gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from memfs.vm import _ffi
from memfs.vm._ffi import REASON_NAMES, Reclaim, ZoneItem, ZoneStat
from memfs.vm.ruleviews import ListZone
from memfs.vm.sched import HZ_NS, MORE, Io, Op, Park, Until
from memfs.vm.zones import DEF_PRIORITY, set_boost, top_type

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node, Zone

SWAP_CLUSTER_MAX = 32
CONGESTION_NS = HZ_NS // 10
STEP = 4096  # pages a step of a scan
NODE_RECLAIM_PRIORITY = 4


class Scan:
    """What one run of reclaim has done so far; pages.

    Attributes:
        last_resort: pages that the real kernel has a copy of go before it is back.
    """

    def __init__(self, kswapd: bool) -> None:
        self.kswapd = kswapd
        self.last_resort = False
        self.freed = 0
        self.scanned = 0
        self.written = 0
        self.kept = [0] * len(REASON_NAMES)

    def add(self, rc: Reclaim) -> None:
        """Add what a Reclaim did."""
        self.freed += rc.freed
        self.scanned += rc.scanned
        self.written += rc.written
        self.kept = [a + b for a, b in zip(self.kept, rc.reasons(), strict=True)]

    def reasons(self) -> dict[str, int]:
        """Why pages were kept, how often."""
        return {
            name: nr for name, nr in zip(REASON_NAMES, self.kept, strict=True) if nr
        }


def nr_mapped(m: Machine) -> int:
    """Pages that some task or real process maps, files' and anonymous."""
    total = 0
    for zid in m.zones:
        item = m.core.zone_stat(zid).item
        total += item[ZoneItem.NR_MAPPED] + item[ZoneItem.NR_ANON_MAPPED]
        total += item[ZoneItem.NR_CLIENT]
    return total


def total_memory(m: Machine) -> int:
    """Pages that users can have: those above the high marks of the open zones."""
    zids = m.zonelists.get((0, _ffi.NR_CLASSES - 1), ())
    stats = [m.core.zone_stat(zid) for zid in zids]
    return max(1, sum(max(0, s.present - s.pages_high) for s in stats))


def takes_mapped(m: Machine, zone: Zone) -> bool:
    """Whether mapped pages that were not used go inactive: swap_tendency >= 100.

    Source: refill_inactive_zone(), 2.6.0.
    """
    if not zone.gate_open and m.rules.force_reclaim_mapped:
        return True
    distress = 100 >> zone.prev_priority
    mapped_ratio = nr_mapped(m) * 100 // total_memory(m)
    return mapped_ratio // 2 + distress + m.tunables.swappiness >= 100


def step_scan(m: Machine, zone: Zone, call: Callable[[int], int]) -> Op[None]:
    """Repeat one step of a scan until it is done or the zone is gone."""
    while m.zones.get(zone.zid) is zone:
        rc = call(m.sched.stride(STEP))
        m.revoke.kick()
        if rc == _ffi.DONE or rc < 0:
            return
        yield Io() if rc == _ffi.WAIT else MORE


def refill_count(m: Machine, zone: Zone, nr_pages: int) -> int:
    """How many pages of the active list to look at now; 0: none."""
    stat = zone.stat()
    ratio = nr_pages * stat.active // ((stat.inactive | 1) * 2)
    zone.refill_counter += ratio + 1
    closed = not zone.gate_open
    if closed and m.rules.refill_counter_boost:
        zone.refill_counter += SWAP_CLUSTER_MAX
    if zone.refill_counter <= SWAP_CLUSTER_MAX:
        return 0
    count = min(zone.refill_counter, 4 * SWAP_CLUSTER_MAX)
    zone.refill_counter -= count
    if closed and stat.active and m.rules.refill_whole_active:
        m.klog.add("Purging active list of disabled zone")
        return stat.present - stat.free
    return count


def shrink_zone(
    m: Machine, zone: Zone, scan: Scan, max_scan: int, nr_pages: int
) -> Op[int]:
    """Age a zone's active list a little, then free from its inactive list.

    Args:
        m: machine.
        zone: populated zone.
        scan: of the run; added to.
        max_scan: inactive pages to look at, at most.
        nr_pages: pages wanted.

    Returns:
        Pages freed.

    Source: mm/vmscan.c shrink_zone(), 2.6.0; the 2003 report.
    """
    count = refill_count(m, zone, nr_pages)
    mapped = takes_mapped(m, zone) if count else False
    rc = Reclaim(
        m.core,
        zone.zid,
        kswapd=scan.kswapd,
        reclaim_mapped=mapped,
        last_resort=scan.last_resort,
    )
    try:
        if count:
            rc.ask_refill(count)
            yield from step_scan(m, zone, rc.refill)
        rc.want(nr_pages, max_scan)
        yield from step_scan(m, zone, rc.shrink)
    finally:
        rc.cancel()
        scan.add(rc)
    return rc.freed


def congestion_wait(m: Machine, timeout_ns: int = CONGESTION_NS) -> Op[None]:
    """Wait until I/O ends and leaves no queue congested, at most `timeout_ns`.

    Departure: returns at once when no I/O is outstanding; an allocation that waits
    for nothing would only be slow.

    Source: drivers/block/ll_rw_blk.c blk_congestion_wait(), 2.6.0.
    """
    until = m.now + timeout_ns
    while m.now < until and m.core.next_event() is not None:
        yield Io(until)
        if not congested(m):
            return


def kswapd_wait(m: Machine, timeout_ns: int = CONGESTION_NS) -> Op[None]:
    """kswapd's wait between two priorities, for what it has begun to write.

    With no I/O outstanding it sleeps for the whole time, as the kernel's does: what
    is in use is touched meanwhile, which is why the 2003 report had to throw young
    bits away (its change 4).

    Departure: a scan takes no modelled time, so kswapd would look at a page under
    write-back again and again while one request ends; queues are waited for until
    they are empty, not until they are no more congested. And pages that the real
    kernel was asked for have to come back before they can go: that wait is bounded by
    whoever asks it.

    Source: mm/vmscan.c balance_pgdat(), blk_congestion_wait(), 2.6.0.
    """
    asked_back = m.revoke.outstanding
    yield from m.revoke.wait()
    until = m.now + timeout_ns
    if m.core.next_event() is not None:
        yield Io(until, all=True)
    elif not asked_back:
        yield Until(until)


def congested(m: Machine) -> bool:
    """Whether a device has so many writes queued that more should wait."""
    return any(m.core.dev_stat(dev).congested for dev in (0, 1))


def reclaimable(stat: ZoneStat) -> int:
    """Pages of a zone that are on a list of reclaim, or on their way there."""
    return stat.active + stat.inactive + stat.item[ZoneItem.NR_PAGEVEC]


def to_reclaim(stat: ZoneStat) -> int:
    """Pages that balance_pgdat() wants of a zone; 0 when it is all right.

    Departure: so is a closed zone whose last pages are on per-CPU lists, which purge
    drains, and one without a page to reclaim. 2.6 looked at both twelve times, which
    nobody had to wait for.
    """
    want = stat.pages_high - (stat.usable if stat.open else stat.free)
    if not stat.open:
        want -= stat.item[ZoneItem.NR_PCP]
    return max(0, want) if reclaimable(stat) else 0


def balance_zone(m: Machine, zone: Zone, scan: Scan, priority: int) -> Op[bool]:
    """One priority of balance_pgdat() over one zone; True if it was all right.

    Departure: a closed zone is all right as soon as it is empty, not only when the
    next priority finds it so.
    """
    stat = zone.stat()
    if stat.all_unreclaimable and priority != DEF_PRIORITY:
        return True
    want = to_reclaim(stat)
    if not want:
        return True
    zone.temp_priority = priority
    max_scan = max(stat.inactive >> priority, 2 * want, SWAP_CLUSTER_MAX)
    yield from shrink_zone(m, zone, scan, max_scan, want)
    if m.zones.get(zone.zid) is not zone:
        return True
    stat = zone.stat()
    if not stat.all_unreclaimable and stat.pages_scanned > 2 * stat.present:
        m.core.zone_unreclaimable(zone.zid, True)
    return not stat.open and not to_reclaim(stat)


def balance_pgdat(m: Machine, node: Node, scan: Scan) -> Op[None]:
    """Reclaim until every zone of `node` is above its high mark, 12 times at most.

    A closed gate has pages_high = present: it is never balanced, always drained.

    Source: mm/vmscan.c balance_pgdat(), 2.6.0.
    """
    m.count("pageoutrun")
    zones = list(node.zones)
    boosted = raise_marks(m, zones)
    for zone in zones:
        zone.temp_priority = DEF_PRIORITY
    try:
        for priority in range(DEF_PRIORITY, 0, -1):
            all_ok = True
            for zone in zones:
                if m.zones.get(zone.zid) is zone:
                    ok = yield from balance_zone(m, zone, scan, priority)
                    all_ok = all_ok and ok
            m.report(priority=priority, freed=scan.freed, scanned=scan.scanned)
            if all_ok:
                return
            yield from kswapd_wait(m)
    finally:
        for zone in zones:
            zone.prev_priority = zone.temp_priority
        lower_marks(m, boosted)


def raise_marks(m: Machine, zones: list[Zone]) -> list[Zone]:
    """Zones whose marks were boosted since: they are raised.

    Source: mm/page_alloc.c boost_watermark(), Linux 6.1.
    """
    boosted = [zone for zone in zones if m.core.zone_boost(zone.zid)]
    for zone in boosted:
        set_boost(m, zone, m.core.zone_boost(zone.zid))
    return boosted


def lower_marks(m: Machine, zones: list[Zone]) -> None:
    """The run that a boost was for has ended."""
    for zone in zones:
        if m.core.is_open and m.zones.get(zone.zid) is zone:
            m.core.zone_boost_end(zone.zid)
            set_boost(m, zone, 0)


def lock_node(m: Machine, node: Node) -> Op[None]:
    """Wait until no balance_pgdat() runs over `node`, and have it for oneself."""
    while node.balancing:
        yield Park(("node", node.nid, "balanced"))
    node.balancing = True
    node.balancer = m.sched.current


def unlock_node(m: Machine, node: Node) -> None:
    """Let the next one have `node`."""
    node.balancing = False
    node.balancer = None
    m.sched.wake(("node", node.nid, "balanced"))


def kswapd(m: Machine, node: Node) -> Op[None]:
    """The job of one node: one balance_pgdat() a wake, for ever.

    Source: mm/vmscan.c kswapd(), 2.6.0.
    """
    while True:
        yield Park(("kswapd", node.nid))
        yield from lock_node(m, node)
        try:
            yield from balance_pgdat(m, node, Scan(kswapd=True))
        finally:
            unlock_node(m, node)


def node_reclaim(m: Machine, node: Node, missed: int) -> Op[int]:
    """Reclaim on the node that requests would not have had to leave; pages freed.

    Source: mm/vmscan.c __node_reclaim(), Linux 6.1.
    """
    want = max(missed, SWAP_CLUSTER_MAX)
    freed = 0
    for zone in reversed(node.zones):
        freed += yield from free_in_zone(m, zone, want - freed)
    if freed < want:
        m.count("zone_reclaim_failed")
    return freed


def free_in_zone(m: Machine, zone: Zone, want: int) -> Op[int]:
    """Free up to `want` pages of a zone, looking harder and harder; pages freed."""
    scan = Scan(kswapd=False)
    freed = 0
    for priority in range(NODE_RECLAIM_PRIORITY, -1, -1):
        if freed >= want or m.zones.get(zone.zid) is not zone:
            break
        stat = zone.stat()
        max_scan = max(stat.inactive >> priority, 2 * SWAP_CLUSTER_MAX)
        freed += yield from shrink_zone(m, zone, scan, max_scan, want - freed)
    return freed


def direct_zones(m: Machine, cls: int) -> list[Zone]:
    """The zones that direct reclaim for a class walks, by the rule."""
    zids = m.zonelists.get((0, cls), ())
    zones = [m.zones[zid] for zid in zids if zid in m.zones]
    if not zones:
        return []
    view = [ListZone(z.zid, z.nid, z.type, z.removable) for z in zones]
    return [m.zones[zid] for zid in m.rules.direct_reclaim(view)]


def shrink_caches(m: Machine, zones: list[Zone], scan: Scan, priority: int) -> Op[int]:
    """One priority of direct reclaim over `zones`; pages freed."""
    want = SWAP_CLUSTER_MAX
    freed = 0
    for zone in zones:
        if m.zones.get(zone.zid) is not zone:
            continue
        stat = zone.stat()
        if stat.usable < stat.pages_high:
            zone.temp_priority = priority
        if stat.all_unreclaimable and priority != DEF_PRIORITY:
            continue
        max_scan = max(stat.inactive >> priority, 2 * want)
        freed += yield from shrink_zone(m, zone, scan, max_scan, want)
        if freed >= want:
            break
    return freed


def try_to_free_pages(m: Machine, cls: int, only: list[Zone] | None = None) -> Op[int]:
    """Direct reclaim: 32 pages for an allocation of class `cls`.

    Args:
        m: machine.
        cls: of the zonelist.
        only: zones to free them in; None: those of the class, by the rule.

    Returns:
        Pages freed; 0 when every priority was tried in vain.

    Source: mm/vmscan.c try_to_free_pages(), 2.6.0.
    """
    m.stalls[top_type(m, cls)] += 1
    scan = Scan(kswapd=False)
    zones = direct_zones(m, cls) if only is None else only
    for zone in zones:
        zone.temp_priority = DEF_PRIORITY
    freed = 0
    patient = True
    try:
        for priority in range(DEF_PRIORITY, -1, -1):
            before = scan.scanned
            scan.last_resort = priority == 0
            freed += yield from shrink_caches(m, zones, scan, priority)
            if freed >= SWAP_CLUSTER_MAX:
                break
            m.writeback.wakeup_bdflush(scan.scanned - before)
            # What a request waits for must not wait for a revocation that may wait
            # for that request: a little patience, once, then the last resort.
            patient = patient and (yield from m.revoke.wait_some())
            yield from congestion_wait(m)
    finally:
        for zone in zones:
            zone.prev_priority = zone.temp_priority
    return freed
