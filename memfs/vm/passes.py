"""The passes of a remap: what to do when the core has moved what it can.

A quick pass over the lists until 100 pages have refused, a slow one that tries those
again for at most ten seconds in all, and at the end one look at every page that is
still there. What refuses is put back in a ``finally`` clause.

Departure: in 2004 the slow pass waited ten seconds for each page: a thousand pinned
ones would have been almost three hours.

Source: try_to_remap_pages() of the hot-removal prototype, Takahashi, LKML 2004-07-14
[3/16].
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import Migrate, check
from memfs.vm.errors import VmError
from memfs.vm.hotplug import find_same
from memfs.vm.reclaim import try_to_free_pages
from memfs.vm.ruleviews import CLASS_HOTREMOVABLE
from memfs.vm.sched import HZ_NS, MORE, Io, Op, Until

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

MAX_TARGETS = 64  # of the core
STEP = 4096  # pages a step of a pass
WINDOW_NS = 10 * HZ_NS  # for all pages that refuse together
TICK_NS = HZ_NS // 1000
QUICK_TICKS = 20  # HZ / 50: as long as the prototype's fast mode waited for one page
SLOW_TICKS = 10
HOT_RETRIES = 3  # chosen here: a page that a process uses again each time it is back
TELL_NS = 5 * HZ_NS  # as often the prototype said that it was still waiting
MAX_STALLS = 1000  # chosen here: reclaims in a row that did not help


class Held(NamedTuple):
    """Pages that somebody is known to hold: how many, why they stay, since when."""

    pages: int
    reason: str
    since: int
    name: str


def per_second(pages: int, ns: int) -> int:
    """How many pages a second that was; 0 where no time has passed."""
    return pages * HZ_NS // ns if ns else 0


# -- where to ------------------------------------------------------------------------


def targets_of(m: Machine, zone: Zone, to: int | None) -> tuple[int, ...]:
    """The zones that a zone's pages may move to now, in order.

    Source: alloc_page(GFP_HIGHUSER) of remap_onepage(): list 3 of node 0.
    """
    if to is None:
        home = zone.nid if m.rules.kernel_anywhere else 0
        zids = m.zonelists.get((home, CLASS_HOTREMOVABLE), ())
    else:
        zids = tuple(z.zid for z in reversed(m.nodes[to].zones) if z.gate_open)
    others = [m.zones[zid] for zid in zids if zid != zone.zid]
    if m.rules.kernel_anywhere:
        # Linux 6.1: out of Movable anywhere, else not into Movable.
        others = [other for other in others if other.type <= zone.type]
    return tuple(other.zid for other in others)[:MAX_TARGETS]


def check_target(m: Machine, zone: Zone, to: int | None) -> None:
    """A node that was named must be there, enabled, and another one.

    Raises:
        VmError: EINVAL.
    """
    if to is None:
        return
    node = m.nodes.get(to)
    if node is None or not node.plugged:
        raise VmError(errno.EINVAL, f"remap {zone.zid}: there is no node {to}")
    if to == zone.nid:
        raise VmError(errno.EINVAL, f"remap {zone.zid}: it is on node {to} itself")
    if not node.enabled:
        raise VmError(errno.EINVAL, f"remap {zone.zid}: node {to} is disabled")


def make_room(m: Machine, zone: Zone, to: int | None) -> Op[None]:
    """There is no page to move to: free some where pages may go.

    Departure: nobody is killed for it.

    Raises:
        VmError: ENOMEM, nothing can be freed there.
    """
    there = [m.zones[zid] for zid in targets_of(m, zone, to) if zid in m.zones]
    freed = 0
    if there:
        freed = yield from try_to_free_pages(m, CLASS_HOTREMOVABLE, there)
    if not freed:
        raise VmError(errno.ENOMEM, f"remap {zone.zid}: no page is free elsewhere")


# -- the passes ----------------------------------------------------------------------


class Pass:
    """The passes of one remap over one zone."""

    def __init__(self, m: Machine, zone: Zone, to: int | None, wait: bool) -> None:
        self.m = m
        self.zone = zone
        self.to = to
        self.wait = wait
        self.walk = Migrate(m.core, zone.zid, m.ways.flags)
        self.before = zone.in_use
        self.since = m.now
        self._deadline: int | None = None
        self._stalls = 0
        self._moved = 0
        self._holders: list[Held] = []
        self._told = self.since

    def run(self) -> Op[None]:
        """Move what can be moved.

        Raises:
            VmError: ENOMEM, nowhere to go; ENODEV, the zone has gone.
        """
        reach = self.m.faults.reach
        try:
            yield from reach("migrate.begin")
            while self.wait:
                yield from self.quick()
                if not self.walk.held or not (yield from self.slow()):
                    break
            yield from reach("migrate.end")
            self.walk.putback()
            if self.lists:
                self.walk.sweep()
                yield from self.quick()
        finally:
            self.walk.putback()
            self.tell()

    def targets(self) -> tuple[int, ...]:
        """The zones that pages may move to now, in order."""
        return targets_of(self.m, self.zone, self.to)

    @property
    def lists(self) -> int:
        """Pages on the zone's lists."""
        stat = self.zone.stat()
        return stat.active + stat.inactive

    def quick(self) -> Op[None]:
        """The lists' tails, until they are empty or too many have refused."""
        rc = _ffi.MORE_RC
        while rc != _ffi.DONE:
            rc = self.call(lambda: self.walk.step(self.m.sched.stride(STEP)))
            yield from self.m.faults.reach("migrate.quick")
            if rc == _ffi.NOMEM:
                yield from self.stall()
            elif rc != _ffi.DONE:
                yield MORE
            find_same(self.m, self.zone)

    def slow(self) -> Op[bool]:
        """Those that refused again and again; False: time is up, some still do."""
        if self._deadline is None:
            self._deadline = self.m.now + WINDOW_NS
        ticks = hot = 0
        yield from self.m.faults.reach("migrate.hold")
        find_same(self.m, self.zone)
        self.find_holders()
        while True:
            late = self.m.now >= self._deadline
            force = late or hot >= HOT_RETRIES
            rc = self.call(lambda force=force: self.walk.retry(force))  # type: ignore[misc]
            if rc == _ffi.DONE:
                return True
            if rc == _ffi.NOMEM:
                yield from self.stall()
            elif late:
                return False
            else:
                hot += yield from self.nap(ticks)
                ticks += 1
            find_same(self.m, self.zone)

    def nap(self, ticks: int) -> Op[bool]:
        """Wait for what could let a page go; True if that was a real process."""
        m = self.m
        if m.revoke.outstanding:
            yield from m.revoke.wait_some()
            return True
        asked = "revoking" in self.walk.held_reasons()
        until = m.now + TICK_NS * (1 if ticks < QUICK_TICKS else SLOW_TICKS)
        assert self._deadline is not None
        until = min(until, max(self._deadline, m.now))
        if m.core.next_event() is None:
            yield Until(until)
        else:
            yield Io(until)
        return asked

    def call(self, step: Callable[[], int]) -> int:
        """One call of the core, and what follows each."""
        m = self.m
        self.walk.aim(self.targets())
        rc = check(step(), f"remap {self.zone.zid}")
        m.revoke.kick()
        m.kick_kswapds()
        if self.walk.moved != self._moved:
            self._moved = self.walk.moved
            self._stalls = 0
        self.tell()
        return rc

    def stall(self) -> Op[None]:
        """Nowhere to go: make room there."""
        self._stalls += 1
        if self._stalls > MAX_STALLS:
            raise VmError(errno.ENOMEM, f"remap {self.zone.zid}: reclaim does not help")
        yield from make_room(self.m, self.zone, self.to)

    def tell(self) -> None:
        """Say how far it is."""
        m, walk = self.m, self.walk
        reasons = walk.held_reasons()
        m.report(
            moved=walk.moved,
            per_second=per_second(walk.moved, m.now - self.since),
            held=walk.held,
            reasons=reasons,
            holders=self._holders,
        )
        if m.now - self._told >= TELL_NS and m.zones.get(self.zone.zid) is self.zone:
            self._told = m.now
            why = ", ".join(f"{nr} {name}" for name, nr in sorted(reasons.items()))
            m.klog.add(
                f"remap {self.zone.zid}: {walk.moved} pages moved so far,"
                f" {self.lists + walk.held} left" + (f" ({why})" if why else "")
            )

    def find_holders(self) -> None:
        """Who holds the pages on hold, as far as that is known."""
        found: dict[int, int] = {}
        for pfn in self.walk.held_pfns():
            number = self.m.core.page_info(pfn).pin_holder
            found[number] = found.get(number, 0) + 1
        self._holders = [
            Held(nr, "pinned", holder.since, holder.name)
            for number, nr in found.items()
            if (holder := self.m.pins.holder(number)) is not None
        ]
