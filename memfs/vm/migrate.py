"""remap: every page of a zone moves elsewhere while its users keep running.

The core looks at a page and moves it, in one go, or says why not (migrate.c). Here is
what to do then: a quick pass over the lists until 100 pages have refused, a slow one
that tries those again for at most ten seconds in all, and at the end one look at
every page that is still there. What refuses is put back in a ``finally`` clause.

Departure: in 2004 the slow pass waited ten seconds for each page, the prototype ended
after one of each, and nobody heard how it went; a thousand pinned pages would have
been almost three hours.

Source: mm/memhotplug.c of the hot-removal prototype, Takahashi, LKML 2004-07-14
[3/16]; Tosatti, LKML 2004-10-02, for the check and the mode that does not wait.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from memfs.vm import _ffi, zones
from memfs.vm._ffi import Migrate, check
from memfs.vm.errors import VmError
from memfs.vm.reclaim import try_to_free_pages
from memfs.vm.ruleviews import CLASS_HOTREMOVABLE
from memfs.vm.sched import HZ_NS, MORE, Io, Op, Park, Until

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

STEP = 4096  # pages a step of a pass
WALK = 65536  # pages a step of a walk that only counts
WINDOW_NS = 10 * HZ_NS  # for all pages that refuse together
TICK_NS = HZ_NS // 1000
QUICK_TICKS = 20  # HZ / 50: as long as the prototype's fast mode waited for one page
SLOW_TICKS = 10
HOT_RETRIES = 3  # chosen here: a page that a process uses again each time it is back
MAX_STALLS = 1000  # chosen here: reclaims in a row that did not help
KEY = ("migration",)

WAYS: Final[dict[str, tuple[str, str]]] = {
    "dirty": ("carry", "writeout"),
    "anon": ("direct", "swapslot"),
    "maps": ("restore", "lazy"),
}


@dataclass(frozen=True)
class Ways:
    """How pages are moved; the second of each pair is the way of 2004.

    Attributes:
        dirty: ``carry`` dirty file pages with their buffers, or ``writeout`` first.
        anon: ``direct``, or with a ``swapslot`` taken first.
        maps: ``restore`` page tables in the same step, or ``lazy``: leave them to
            the faults.
    """

    dirty: str = "carry"
    anon: str = "direct"
    maps: str = "restore"

    def changed(self, /, **changes: str) -> Ways:
        """A copy with some ways changed.

        Raises:
            VmError: EINVAL, no such key or way.
        """
        for key, way in changes.items():
            if key not in WAYS:
                raise VmError(
                    errno.EINVAL, f"no key {key!a}; there are {', '.join(WAYS)}"
                )
            if way not in WAYS[key]:
                raise VmError(errno.EINVAL, f"{key} is {' or '.join(WAYS[key])}")
        return replace(self, **changes)

    @property
    def flags(self) -> int:
        """The same for the core."""
        return (
            (self.dirty == "writeout" and _ffi.MIG_WRITEOUT)
            | (self.anon == "swapslot" and _ffi.MIG_SWAPSLOT)
            | (self.maps == "lazy" and _ffi.MIG_LAZY)
        )


class RemapResult(NamedTuple):
    """What became of a zone's pages.

    `before` and `left`: pages in use; `reasons`: why those that are left did not
    move. `written`, `slots`, `unmapped` count what the ways of 2004 cost.
    """

    zid: int
    before: int
    moved: int
    left: int
    reasons: dict[str, int]
    written: int
    slots: int
    unmapped: int


class CheckResult(NamedTuple):
    """How many pages of a zone would move, and why others would not."""

    movable: int
    reasons: dict[str, int]


# -- where to ------------------------------------------------------------------------


def targets_of(m: Machine, zone: Zone, to: int | None) -> tuple[int, ...]:
    """The zones that a zone's pages may move to now, in order.

    Source: alloc_page(GFP_HIGHUSER) of remap_onepage(): list 3 of node 0.
    """
    if to is None:
        zids = m.zonelists.get((0, CLASS_HOTREMOVABLE), ())
        return tuple(zid for zid in zids if zid != zone.zid)
    node = m.nodes[to]
    return tuple(z.zid for z in reversed(node.zones) if z.gate_open)


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

    @property
    def lists(self) -> int:
        """Pages on the zone's lists."""
        stat = self.zone.stat()
        return stat.active + stat.inactive

    def quick(self) -> Op[None]:
        """The lists' tails, until they are empty or too many have refused."""
        rc = _ffi.MORE_RC
        while rc != _ffi.DONE:
            rc = self.call(lambda: self.walk.step(STEP))
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
        self.walk.aim(targets_of(m, self.zone, self.to))
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
        ns = self.m.now - self.since
        self.m.report(
            moved=self.walk.moved,
            per_second=self.walk.moved * HZ_NS // ns if ns else 0,
            held=self.walk.held,
            reasons=self.walk.held_reasons(),
        )


def find_same(m: Machine, zone: Zone) -> None:
    """Make sure that a zone was not unplugged during a wait.

    Raises:
        VmError: ENODEV.
    """
    if m.zones.get(zone.zid) is not zone:
        raise VmError(errno.ENODEV, f"Zone {zone.zid} was unplugged")


# -- operations ----------------------------------------------------------------------


def remap(
    m: Machine, zone: Zone, to: int | None = None, wait: bool = True
) -> Op[RemapResult]:
    """Drain, move every page of `zone` elsewhere, drain.

    Args:
        m: machine.
        zone: to be emptied.
        to: node that the pages go to; None: wherever they would be allocated.
        wait: False: what refuses is given up at once.

    Raises:
        VmError: EBUSY some stayed, ENOMEM nowhere to go, EINVAL a bad target,
            ENODEV the zone was unplugged meanwhile.
    """
    check_target(m, zone, to)
    m.report(zone=zone.zid, name=zone.label)
    yield from lock(m, zone)
    try:
        find_same(m, zone)
        check_target(m, zone, to)
        zones.drain(m, list(m.zones.values()))
        run = Pass(m, zone, to, wait)
        announce(m, zone, to, run.before)
        try:
            yield from run.run()
        finally:
            left = settle(m, zone, run)
        reasons: dict[str, int] = {}
        if left:
            reasons = (yield from look(m, zone)).reasons
            m.report(reasons=reasons)
    finally:
        unlock(m)
    walk = run.walk
    result = RemapResult(
        zone.zid,
        run.before,
        walk.moved,
        left,
        reasons,
        walk.written,
        walk.slots,
        walk.unmapped,
    )
    if left and (walk.failed or not zone.gate_open):
        raise VmError(errno.EBUSY, stayed(zone, result))
    return result


def announce(m: Machine, zone: Zone, to: int | None, pages: int) -> None:
    """Say in the log what begins."""
    m.report(pages=pages)
    where = "" if to is None else f" to node {to}"
    m.klog.add(f"remap {zone.zid}: {pages} pages of {zone.label}{where}")
    if zone.gate_open:
        m.klog.add(f"remap {zone.zid}: {zone.label} is enabled, pages may come back")


def settle(m: Machine, zone: Zone, run: Pass) -> int:
    """However it ended: what was freed gets where it belongs. Returns: pages left."""
    if not m.core.is_open or m.zones.get(zone.zid) is not zone:
        return 0
    zones.drain(m, [zone])
    left = zone.in_use
    m.report(left=left, held=0, reasons=run.walk.reasons())
    m.klog.add(f"remap {zone.zid}: {run.walk.moved} pages moved, {left} left")
    return left


def stayed(zone: Zone, result: RemapResult) -> str:
    """Why a zone is not empty, in one line."""
    why = ", ".join(f"{nr} {name}" for name, nr in sorted(result.reasons.items()))
    return f"remap {zone.zid}: {result.left} pages stay" + (f" ({why})" if why else "")


def look(m: Machine, zone: Zone, to: int | None = None) -> Op[CheckResult]:
    """How many pages of a zone would move, and why others would not.

    Nothing is changed, and no page is asked for: those that would have to be freed
    first to make room are not looked at.

    Raises:
        VmError: EINVAL a bad target, ENODEV the zone was unplugged meanwhile.
    """
    check_target(m, zone, to)
    walk = Migrate(m.core, zone.zid, m.ways.flags)
    while walk.look(WALK) != _ffi.DONE:
        yield MORE
        find_same(m, zone)
    if walk.moved and not targets_of(m, zone, to):
        return CheckResult(0, walk.reasons() | {"no_target": walk.moved})
    return CheckResult(walk.moved, walk.reasons())


def lock(m: Machine, zone: Zone) -> Op[None]:
    """Wait until no other remap runs; there is one at a time in a machine."""
    while m.migrating is not None:
        yield Park(KEY)
    m.migrating = zone


def unlock(m: Machine) -> None:
    """Let the next one run."""
    m.migrating = None
    m.sched.wake(KEY)
