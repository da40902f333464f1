"""Huge pages: how many there are, and how a zone gets rid of them.

The pool is grown a block at a time, round the nodes that are enabled; a block that is
not there is made by defragmentation, if that goes. What tasks do with huge pages is
tasks.py's.

Source: mm/hugetlb.c, 2.6.7; remap_hugetlb_pages() of Takahashi's patches for hugetlbfs,
LKML 2004-04-06 [5/6].
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from memfs.vm import _ffi
from memfs.vm._ffi import HUGE_ORDERS, NO_ID, HugeMove
from memfs.vm.compact import compact_zone, suitable
from memfs.vm.errors import VmError
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.passes import Pass
    from memfs.vm.zones import Zone

PIECES = 4  # of 128 KiB, a step: about what 4096 pages without bytes take


class HugeStat(NamedTuple):
    """Huge pages: those in the pool that nobody uses, and all."""

    free: int
    total: int


class Hugetlb:
    """The huge pages of one machine."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._next_node = 0

    @property
    def order(self) -> int:
        """The order of this kernel's huge pages: 4 MiB without PAE, 2 MiB with it."""
        return self.m.rules.huge_order

    def stat(self, zone: Zone | None = None, order: int | None = None) -> HugeStat:
        """Those of a zone, or of the machine; of one order, or of both."""
        zid = NO_ID if zone is None else zone.zid
        return HugeStat(*self.m.core.huge_stat(NO_ID if order is None else order, zid))

    @property
    def there(self) -> bool:
        """Whether there is any."""
        return self.m.core.huge_stat()[1] > 0

    def resize(self, nr: int, nid: int | None = None, order: int = 0) -> Op[int]:
        """Have `nr` huge pages, on node `nid` or round the nodes.

        As nr_hugepages it does what it can: fewer is no error. Used ones stay.

        Returns:
            How many there are then.

        Raises:
            VmError: EINVAL, no such order or number; ENODEV, the node is not plugged.
        """
        order = order or self.order
        if order not in HUGE_ORDERS or nr < 0:
            raise VmError(errno.EINVAL, f"{nr} huge pages of order {order}")
        if nid is not None and (nid not in self.m.nodes or not self.m.nodes[nid].zones):
            raise VmError(errno.ENODEV, f"node {nid} is not plugged")
        while self._count(nid, order) < nr:
            if not (yield from self._grow(nid, order)):
                break
            yield MORE
        while self._count(nid, order) > nr and self._shrink(nid, order):
            pass
        self.m.bump()
        return self._count(nid, order)

    def _count(self, nid: int | None, order: int) -> int:
        zones = [z for z in self.m.zones.values() if nid is None or z.nid == nid]
        return sum(self.stat(zone, order).total for zone in zones)

    def _grow(self, nid: int | None, order: int) -> Op[bool]:
        # A block as it is, on any node, before one is made.
        nodes = self._nodes() if nid is None else [nid]
        for make in (False, True):
            for number in nodes:
                zones = [z for z in reversed(self.m.nodes[number].zones) if z.gate_open]
                if make:
                    yield from self._make(zones, order)
                zids = [zone.zid for zone in zones]
                if zids and self.m.core.huge_grow(order, zids) == _ffi.DONE:
                    self._next_node = number + 1
                    return True
        return False

    def _make(self, zones: list[Zone], order: int) -> Op[None]:
        for zone in zones:
            if suitable(self.m, zone, order):
                yield from compact_zone(self.m, zone, order)

    def _nodes(self) -> list[int]:
        there = [nid for nid, node in self.m.nodes.items() if node.enabled]
        return [n for n in there if n >= self._next_node] + [
            n for n in there if n < self._next_node
        ]

    def _shrink(self, nid: int | None, order: int) -> bool:
        for zone in self.m.zones.values():
            if nid in (None, zone.nid) and self.m.core.huge_shrink(order, zone.zid):
                return True
        return False


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


def make_block(m: Machine, targets: tuple[int, ...], order: int) -> Op[None]:
    """Defragment where pages may go, until there is a block of `order`."""
    for zid in targets:
        zone = m.zones.get(zid)
        if zone is not None and suitable(m, zone, order):
            yield from compact_zone(m, zone, order)
            if any(zone.stat().free_area[order:]):
                return
