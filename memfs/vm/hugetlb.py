"""Huge pages: how many there are, what areas are promised, and how they move.

The pool is grown a block at a time, round the nodes that are enabled; a block that is
not there is made by reclaim and defragmentation, if that goes. What tasks do with huge
pages is tasks.py's.

Source: mm/hugetlb.c, 2.6.7; set_max_huge_pages(), gather_surplus_pages(), 6.1;
remap_hugetlb_pages() of Takahashi's patches for hugetlbfs, LKML 2004-04-06 [5/6].
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import HUGE_ORDERS, NO_ID, HugeFigures, HugeMove
from memfs.vm.compact import compact_zone, suitable
from memfs.vm.errors import VmError
from memfs.vm.reclaim import free_in_zone, try_to_free_pages
from memfs.vm.ruleviews import CLASS_HOTREMOVABLE
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.passes import Pass
    from memfs.vm.zones import Zone

PIECES = 4  # of 128 KiB, a step: about what 4096 pages without bytes take
GROW_STEP = 32  # huge pages
RECLAIM_STEP = 8192  # pages
MAX_TARGETS = 64  # of the core


class HugeStat(NamedTuple):
    """Huge pages: those in the pool that nobody uses, and all."""

    free: int
    total: int


class Hugetlb:
    """The huge pages of one machine."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._next_node = 0
        self._next_freed = 0

    @property
    def order(self) -> int:
        """The order of this kernel's huge pages: 4 MiB without PAE, 2 MiB with it."""
        return self.m.rules.huge_order

    def stat(self, zone: Zone | None = None, order: int | None = None) -> HugeStat:
        """Those of a zone, or of the machine; of one order, or of both."""
        zid = NO_ID if zone is None else zone.zid
        figures = self.m.core.huge_stat(NO_ID if order is None else order, zid)
        return HugeStat(figures.free, figures.total)

    def figures(self, nid: int | None = None, order: int = 0) -> HugeFigures:
        """Those of a node, or of the machine; of one order."""
        order = order or self.order
        if nid is None:
            return self.m.core.huge_stat(order)
        rows = [self.m.core.huge_stat(order, zone.zid) for zone in self._zones(nid)]
        free, total, surplus = (sum(row[i] for row in rows) for i in range(3))
        return HugeFigures(free, total, surplus, 0)

    @property
    def pages(self) -> int:
        """Pages of all huge pages."""
        return sum(self.m.core.huge_stat(order).total << order for order in HUGE_ORDERS)

    @property
    def there(self) -> bool:
        """Whether there is any."""
        return self.m.core.huge_stat().total > 0

    # -- the size of the pool ---------------------------------------------------------

    def resize(self, nr: int, nid: int | None = None, order: int = 0) -> Op[int]:
        """Have `nr` huge pages, on node `nid` or round the nodes.

        As nr_hugepages it does what it can: fewer is no error. Those in use stay and
        are surplus: as many go back when huge pages of the node are let go.

        Returns:
            How many there are then.

        Raises:
            VmError: EINVAL, no such order or number; ENODEV, the node is not plugged.
        """
        order = order or self.order
        if order not in HUGE_ORDERS or nr < 0:
            raise VmError(errno.EINVAL, f"{nr} huge pages of order {order}")
        if nid is not None and (
            nid not in self.m.nodes or not self.m.nodes[nid].plugged
        ):
            raise VmError(errno.ENODEV, f"node {nid} is not plugged")
        now = self.figures(order=order)
        others = 0 if nid is None else now.total - self.figures(nid, order).total
        wanted, kept = nr + others, now.total - now.surplus
        while kept < wanted and self._mark(nid, order, False):
            kept += 1
        yield from self._grow_by(wanted - kept, nid, order)
        now = self.figures(order=order)
        kept = now.total - now.surplus
        spare = kept - max(wanted, now.reserved + now.total - now.free)
        while spare > 0 and self._shrink(nid, order):
            kept, spare = kept - 1, spare - 1
        while kept > wanted and self._mark(nid, order, True):
            kept -= 1
        self.m.bump()
        return self.figures(nid, order).total

    def _grow_by(self, nr: int, nid: int | None, order: int) -> Op[None]:
        given_up: set[int] = set()
        for done in range(nr):
            grown = yield from self._grow(nid, order, nr - done, given_up)
            word = "success" if grown else "fail"
            self.m.count(f"htlb_buddy_alloc_{word}")
            if not grown:
                return
            if done % GROW_STEP == GROW_STEP - 1:
                yield MORE

    def _grow(
        self, nid: int | None, order: int, nr: int, given_up: set[int]
    ) -> Op[bool]:
        # A block as it is, on any node, before one is made.
        nodes = self._round(self._next_node) if nid is None else [nid]
        for number in nodes:
            if self._take(number, order):
                return True
        for number in nodes:
            if number not in given_up:
                given_up.add(number)
                yield from self._make(number, order, nr)
                if self._take(number, order):
                    return True
        return False

    def _take(self, nid: int, order: int) -> bool:
        taken = self.m.core.huge_grow(order, self._open(nid)) == _ffi.DONE
        if taken:
            self._next_node = nid + 1
        return taken

    def _make(self, nid: int, order: int, nr: int) -> Op[None]:
        """Have as many blocks of a node as are wanted, if that can be; once a resize.

        Departure: the kernel reclaims and defragments anew for each of them.
        """
        for zone in self._open_zones(nid):
            yield from self._reclaim(zone, nr + 1 << order)
            if self.m.zones.get(zone.zid) is zone and suitable(self.m, zone, order):
                yield from self._compact(zone, order)

    def _reclaim(self, zone: Zone, pages: int) -> Op[None]:
        """Have so many pages free above the low mark."""
        with self.m.pressure.memory.stall():
            while self.m.zones.get(zone.zid) is zone:
                stat = zone.stat()
                lacking = stat.pages_low + pages - stat.usable
                if lacking <= 0 or not (yield from self._free(zone, lacking)):
                    return

    def _free(self, zone: Zone, pages: int) -> Op[int]:
        freed = yield from free_in_zone(self.m, zone, min(pages, RECLAIM_STEP))
        if not freed:
            # What is dirty was begun to be written, and is waited for.
            freed = yield from try_to_free_pages(self.m, CLASS_HOTREMOVABLE, [zone])
        return freed

    def _compact(self, zone: Zone, order: int) -> Op[None]:
        self.m.count("compact_stall")
        with self.m.pressure.memory.stall():
            yield from compact_zone(self.m, zone)
        there = self.m.zones.get(zone.zid) is zone
        made = there and any(zone.stat().free_area[order:])
        self.m.count("compact_success" if made else "compact_fail")

    def _shrink(self, nid: int | None, order: int) -> bool:
        for number in self._round(self._next_freed) if nid is None else [nid]:
            for zone in self._zones(number):
                if self.m.core.huge_shrink(order, zone.zid):
                    self._next_freed = number + 1
                    return True
        return False

    def _mark(self, nid: int | None, order: int, surplus: bool) -> bool:
        """One more is surplus, or one fewer; False: there is none to be had."""
        return any(
            self.m.core.huge_surplus(order, zone.zid, surplus)
            for zone in (self.m.zones.values() if nid is None else self._zones(nid))
        )

    def _zones(self, nid: int) -> list[Zone]:
        return list(self.m.nodes[nid].zones)

    def _open_zones(self, nid: int) -> list[Zone]:
        return [zone for zone in reversed(self._zones(nid)) if zone.gate_open]

    def _open(self, nid: int) -> list[int]:
        return [zone.zid for zone in self._open_zones(nid)]

    def _round(self, first: int) -> list[int]:
        there = [nid for nid, node in self.m.nodes.items() if node.plugged]
        return [n for n in there if n >= first] + [n for n in there if n < first]

    # -- what areas are promised ------------------------------------------------------

    def promise(self, area: int, order: int) -> None:
        """Promise an area of the core its huge pages, where this kernel does so.

        What the pool lacks is taken beside it, up to nr_overcommit_hugepages.

        Raises:
            VmError: ENOMEM, nothing was promised.
        """
        if not self.m.rules.modern:
            return
        grown: list[int] = []
        while lacking := self.m.core.huge_reserve(area):
            zid = self._grow_surplus(order)
            if zid is None:
                self._give_back(order, grown)
                raise VmError(errno.ENOMEM, f"the pool lacks {lacking} huge pages")
            grown.append(zid)

    def _grow_surplus(self, order: int) -> int | None:
        """One huge page more than the pool has; the zone that it is in."""
        if self.figures(order=order).surplus >= self.m.tunables.nr_overcommit_hugepages:
            return None
        for nid in self._round(0):
            for zid in self._open(nid):
                if self.m.core.huge_grow(order, [zid], surplus=True) == _ffi.DONE:
                    self.m.count("htlb_buddy_alloc_success")
                    return zid
        self.m.count("htlb_buddy_alloc_fail")
        return None

    def _give_back(self, order: int, zids: Iterable[int]) -> None:
        for zid in zids:
            self.m.core.huge_surplus(order, zid, False)
            self.m.core.huge_shrink(order, zid)


# -- migration ------------------------------------------------------------------------


def migrate(m: Machine, zone: Zone, run: Pass) -> Op[int]:
    """Empty a zone of huge pages: free ones are given back, used ones move.

    Returns:
        Huge pages that had nowhere to go.
    """
    move = HugeMove(m.core, zone.zid)
    try:
        while True:
            move.aim(run.targets())
            rc = move.step(PIECES)
            m.kick_kswapds()
            if rc == _ffi.DONE:
                return move.failed
            if rc == _ffi.NOMEM:
                yield from make_block(m, run.targets(), m.core.needed().order)
                move.aim(run.targets())
                if move.step(1) == _ffi.NOMEM:
                    move.give_up()
            else:
                yield MORE
            yield from m.faults.reach("migrate.huge")
            if m.zones.get(zone.zid) is not zone:
                raise VmError(errno.ENODEV, f"Zone {zone.zid} was unplugged")
    finally:
        move.cancel()


def migrate_range(m: Machine, zone: Zone, first: int, end: int) -> Op[None]:
    """Move the huge pages in use of a range once; free ones stay in the pool.

    What has nowhere to go stays as well.
    """
    move = HugeMove(m.core, zone.zid, first, end, keep_free=True)
    try:
        while True:
            targets = block_targets(m, zone)
            move.aim(targets)
            rc = move.step(PIECES)
            m.kick_kswapds()
            if rc == _ffi.DONE:
                return
            if rc == _ffi.NOMEM:
                yield from make_block(m, targets, m.core.needed().order)
                move.aim(block_targets(m, zone))
                if move.step(1) == _ffi.NOMEM:
                    move.give_up()
            yield MORE
            yield from m.faults.reach("migrate.huge")
    finally:
        move.cancel()


def block_targets(m: Machine, zone: Zone) -> tuple[int, ...]:
    """Where huge pages of a zone's block may go: to other nodes if one has memory.

    Source: mm/memory_hotplug.c do_migrate_range(), Linux 6.1: whatever the zone.
    """
    zids = m.zonelists.get((zone.nid, CLASS_HOTREMOVABLE), ())
    others = tuple(zid for zid in zids if m.zones[zid].nid != zone.nid)
    return (others or zids)[:MAX_TARGETS]


def make_block(m: Machine, targets: tuple[int, ...], order: int) -> Op[None]:
    """Defragment where pages may go, until there is a block of `order`."""
    for zid in targets:
        zone = m.zones.get(zid)
        if zone is not None and suitable(m, zone, order):
            yield from compact_zone(m, zone, order)
            if any(zone.stat().free_area[order:]):
                return
