"""remap: every page of a zone moves elsewhere while its users keep running.

The core looks at a page and moves it, in one go, or says why not (migrate.c); what to
do then is passes.py's. Checking is apart from moving: look() counts what would move.

Departure: the prototype ended after one pass of each kind, and nobody heard how it
went; here the caller waits, and what stays has a reason.

Source: mm/memhotplug.c of the hot-removal prototype, Takahashi, LKML 2004-07-14
[3/16]; Tosatti, LKML 2004-10-02, for the check and the mode that does not wait.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi, hugetlb, keepers, zones
from memfs.vm._ffi import Migrate, ZoneItem
from memfs.vm.errors import VmError
from memfs.vm.hotplug import find_same
from memfs.vm.passes import Held, Pass, check_target, per_second, targets_of
from memfs.vm.sched import MORE, NS_PER_MS, Op, Park

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

WALK = 65536  # pages a step of a walk that only counts
KEY = ("migration",)


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
            huge = yield from hugetlb.migrate(m, zone, run)
            yield from run.run()
        finally:
            left = settle(m, zone, run)
        reasons: dict[str, int] = {}
        if left:
            reasons = yield from tell_left(m, zone)
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
    if left and (walk.failed or huge or not zone.gate_open):
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
    moved, ns = run.walk.moved, m.now - run.since
    m.report(left=left, held=0, reasons=run.walk.reasons())
    rate = f" ({per_second(moved, ns)} a second)" if ns and moved else ""
    m.klog.add(
        f"remap {zone.zid}: {moved} pages moved in {ns // NS_PER_MS} ms{rate},"
        f" {left} left"
    )
    return left


def tell_left(m: Machine, zone: Zone) -> Op[dict[str, int]]:
    """Say why pages are left, and who has them. Returns: pages by reason."""
    reasons = (yield from look(m, zone)).reasons
    huge = zone.stat().item[ZoneItem.NR_HUGE]
    if huge:
        # They would move, were there a block for them.
        reasons["no_target"] = reasons.get("no_target", 0) + huge
    found = yield from keepers.of_zone(m, zone)
    holders = [
        Held(k.pages, k.reason, k.since, k.holder)
        for k in found
        if k.reason != "movable" and k.since is not None
    ]
    m.report(reasons=reasons, holders=holders)
    for reason, nr in sorted(reasons.items()):
        m.klog.add(f"remap {zone.zid}: {nr} pages stay: {reason}")
    for held in holders:
        m.klog.add(f"remap {zone.zid}: {held.pages} of them: {held.name}")
    return reasons


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
