"""A page that refuses at any step is back as it was; what its users do meanwhile holds.

For the faults: the state without the order of lists, which a try may change, is the
same number before and after. For the points: the machine ends as one on which the
same was done without a remap.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from migratescene import (
    ZID,
    Scene,
    disable_target,
    enable,
    fork,
    fsync,
    leave,
    munmap,
    overwrite,
    shorten,
    touch,
    unlink,
)
from vmkit import MIB, PAGE, assert_valid, read, small

from memfs.vm import Cancelled, Machine, VmError
from memfs.vm.faults import BY_NAME, FAULTS, POINTS
from memfs.vm.migrate import unlock

PAGES = 64
SIZE = PAGES * PAGE


class Refusing(Scene):
    """What can be done to it, and what has to hold."""

    def __init__(self, m: Machine, home: Path) -> None:
        super().__init__(m, home, PAGES)

    def add_huge_page(self) -> None:
        """And a huge page, in use."""
        m = self.m
        m.sched.run(m.enable_zone(ZID))
        assert m.sched.run(m.hugetlb.resize(1, nid=1, order=9)) == 1
        area = self.task.mmap_huge(1, 9)
        m.sched.run(self.task.touch(area, passes=1))
        m.sched.run(m.disable_zone(ZID))

    def remap(self, **options: Any) -> str:
        """Remap the zone. Returns: the errno's name, EINTR, or ok."""
        try:
            self.m.sched.run(self.m.remap(ZID, **options))
        except VmError as error:
            return error.name
        except Cancelled:
            return "EINTR"
        return "ok"

    def whole(self) -> bool:
        """Whether all contents are what was written last."""
        m = self.m
        m.sched.run(self.task.touch(self.anon, write=False, passes=1))
        return m.events()["corrupt"] == 0 and read(m, self.file) == self.data


@pytest.fixture
def scene(tmp_path):
    # No page of it can be reclaimed: there is no swap, all is dirty or mapped.
    with small(swap="0") as m:
        yield Refusing(m, tmp_path)
        m.sched.run_until(m.now + 10**9)
        assert_valid(m)


# -- faults ----------------------------------------------------------------------------


class FaultCase(NamedTuple):
    """A fault that happens at every page, under some ways, and what comes of it."""

    fault: str
    ways: dict[str, str]
    result: str
    reason: str
    nr: int


CASES = (
    FaultCase("migrate_target", {}, "ENOMEM", "", 0),
    FaultCase("migrate_reference", {}, "EBUSY", "pinned", 3 * PAGES),
    FaultCase("migrate_bytes", {}, "EBUSY", "io_error", 3 * PAGES),
    FaultCase("migrate_slot", {"anon": "swapslot"}, "EBUSY", "no_swap", PAGES),
    FaultCase(
        "migrate_writepage", {"dirty": "writeout"}, "EBUSY", "congested", 2 * PAGES
    ),
)


def failed_reasons(m, wait):
    """Why pages were put back by the last remap, from the step at which it ended."""
    found = {}

    def hook(m):
        found.update(m.sched.current.progress.get("reasons", {}))
        yield from ()

    m.faults.at["migrate.end"] = hook
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
@pytest.mark.parametrize("wait", [True, False], ids=["wait", "nowait"])
def test_a_page_that_refuses_is_back_as_it_was(scene, case, wait):
    """Flags, tags, list, mappings, counts, contents: one number says that of all."""
    m = scene.m
    if case.fault == "migrate_target":
        # With nothing to reclaim: else room is made and the fault is overcome.
        m.sched.run(scene.file.fsync())
        m.sched.run(scene.task.munmap(scene.area))
        m.sched.run(scene.file.truncate(0))
        m.sched.run(scene.mapped.truncate(0))
        scene.data = b""
        m.core.drain_pcp(ZID)
    m.set_ways(**case.ways)
    m.faults.set({case.fault: 1 << 20})
    movable = m.sched.run(m.remap_check(ZID)).movable
    before = m.core.class_hash()
    only = case.fault in ("migrate_target", "migrate_reference", "migrate_bytes")
    result = scene.remap(wait=wait)

    assert result == case.result
    assert m.zones[ZID].in_use == (movable if only else case.nr)
    if only:
        assert m.core.class_hash() == before
    assert m.zone_stat(ZID).item[5] == 0
    assert_valid(m)
    assert scene.whole()
    m.faults.set({fault.name: 0 for fault in FAULTS})
    m.set_ways(anon="direct", dirty="carry")
    assert scene.remap() == "ok"
    assert scene.whole()


@pytest.mark.parametrize("case", CASES[3:], ids=lambda case: case.fault)
def test_only_what_the_fault_is_about_stays(scene, case):
    """And each of these pages is as it was, its number says."""
    m = scene.m
    bit = 1 << (14 if case.fault == "migrate_slot" else 8)  # PG_ANON, PG_DIRTY
    pfns = range(m.zones[ZID].start_pfn, m.zones[ZID].start_pfn + 2048)
    kept = [info for pfn in pfns if (info := m.core.page_info(pfn)).flags & bit]
    m.set_ways(**case.ways)
    m.faults.set({case.fault: 1 << 20})
    assert scene.remap(wait=False) == "EBUSY"
    assert m.last_ops[-1].left == case.nr
    for info in kept:
        assert m.core.page_info(info.pfn) == info


def test_one_fault_is_overcome(scene):
    """A reference that is gone at the next try; a target that is there then."""
    m = scene.m
    for fault in ("migrate_reference", "migrate_bytes"):
        m.faults.set({fault: 5})
    assert scene.remap() == "ok"
    assert m.faults.left("migrate_reference") == 0
    assert scene.whole()


def test_write_errors_leave_the_page_dirty_and_where_it_was(scene):
    """dirty=writeout on a disk that fails: nothing is lost, EBUSY."""
    m = scene.m
    m.set_ways(dirty="writeout")
    m.set_fault("disk", True, errno.EIO)
    dirty = scene.file.stat().nr_dirty
    assert scene.remap() == "EBUSY"
    reasons = m.last_ops[-1].reasons
    assert set(reasons) == {"io_error", "writeback"}
    assert sum(reasons.values()) == 2 * PAGES
    m.sched.run_until(m.now + 10**9)
    assert scene.file.stat().nr_dirty == dirty == PAGES
    assert m.zones[ZID].in_use == 2 * PAGES
    assert_valid(m)
    m.set_fault("disk", True, 0)
    assert scene.remap() == "ok"
    assert scene.whole()


def test_every_fault_of_the_table_is_tried_here():
    """A row added to FAULTS is added to CASES, or has its test elsewhere."""
    elsewhere = {"kernel_page"}
    assert {case.fault for case in CASES} | elsewhere == set(BY_NAME)


def test_a_fault_that_there_is_not_is_refused(scene):
    """And changes nothing."""
    for times in ({"sunspots": 1}, {"migrate_target": -1}, {"kernel_page": 10**6}):
        with pytest.raises(VmError):
            scene.m.faults.set(times)
        assert all(not scene.m.faults.left(name) for name in BY_NAME)


# -- points ----------------------------------------------------------------------------


def truncate(scene):
    return scene.file.truncate(0)


def direct(scene):
    return scene.file.flush(0, SIZE, True)


EVENTS = (
    *(truncate, shorten, unlink, munmap, leave, overwrite, fsync, direct),
    *(touch, fork, enable, disable_target),
)


def contents(m, scene):
    """What users can see: bytes of files, sizes, task memory, counts of the machine."""
    seen: list[Any] = []
    for file in (scene.file, scene.mapped):
        if not file.dead:
            seen += [file.size, file.stat(), read(m, file)]
    if not scene.task.gone:
        stat = scene.task.stat()
        seen += [stat.rss, stat.anon_rss, stat.swap, stat.page_tables]
    total = m.snapshot().total
    seen += [total.file, total.anon, total.dirty, total.mapped, total.anon_mapped]
    return seen


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
@pytest.mark.parametrize("point", ["migrate.begin", "migrate.hold", "migrate.end"])
def test_what_users_do_meanwhile_holds(tmp_path, event: Callable[..., Any], point):
    """At each point, beside a machine on which the same was done without a remap."""
    seen = []
    for remapped in (True, False):
        home = tmp_path / str(remapped)
        home.mkdir()
        with small() as m:
            scene = Refusing(m, home)
            hit = []

            def hook(m, scene=scene, hit=hit):
                if not hit:
                    hit.append(1)
                    yield from event(scene)

            if remapped:
                # Every page refuses once, so that some are on hold.
                m.faults.set({"migrate_reference": 90})
                m.faults.at[point] = hook
                assert scene.remap() in ("ok", "EBUSY")
            else:
                m.sched.run(hook(m))
            assert hit
            assert_valid(m)
            assert m.zone_stat(ZID).item[5] == 0
            seen.append(contents(m, scene))
            assert m.events()["corrupt"] == 0
    assert seen[0] == seen[1]


def test_a_signal_at_each_point(tmp_path):
    """EINTR; what moved stays moved, nothing is on hold, nothing is lost."""
    for point in POINTS:
        home = tmp_path / point
        home.mkdir()
        with small() as m:
            scene = Refusing(m, home)
            if point == "migrate.huge":
                scene.add_huge_page()
            m.faults.set({"migrate_reference": 1 << 20})

            def hook(m):
                m.sched.cancel(m.sched.current)
                yield from ()

            m.faults.at[point] = hook
            # A signal that comes after the last wait is too late.
            late = point == "migrate.end"
            assert scene.remap() == ("EBUSY" if late else "EINTR")
            assert m.migrating is None
            assert m.zone_stat(ZID).item[5] == 0
            assert_valid(m)
            assert scene.whole()
            m.faults.at.clear()
            m.faults.set({"migrate_reference": 0})
            assert scene.remap() == "ok"


def test_the_source_may_be_unplugged_from_under_a_waiting_remap(little):
    """The second of two remaps finds its zone gone: ENODEV."""
    m = little
    task = m.tasks.create("hog", 1)
    area = task.mmap_anon(MIB)
    m.sched.run(task.touch(area, passes=1))
    m.sched.run(m.disable_node(1))
    for zid in (5, 6):
        m.sched.run(m.remap(zid))
    m.migrating = m.zones[0]
    waiting = m.sched.spawn(m.remap(6), name="waiting")
    m.sched.run(m.unplug(1))
    unlock(m)
    m.sched.run_until(m.now + 10**9)
    with pytest.raises(VmError) as caught:
        waiting.value()
    assert caught.value.name == "ENODEV"
