"""Huge pages: the pool, what tasks do with them, and where they go in a remap."""

from __future__ import annotations

import pytest
from vmkit import MIB, assert_valid, read, refused

from memfs.vm import Cancelled, Layout, Machine, VmError
from memfs.vm._ffi import MORE_RC, TOUCH_WRITE, Touch, ZoneItem

THREE = """
name = "three"
kernel = "2.6.7"
lowmem = "64M"
swap = "0"
[[node]]
size = "64M"
[[node]]
size = "128M"
[[node]]
size = "128M"
"""


@pytest.fixture
def three():
    """Three nodes; the two that can go are HighMem[6] and HighMem[10]."""
    with Machine(Layout.parse(THREE), seed=1) as m:
        yield m
        assert_valid(m)
        assert m.events()["corrupt"] == 0


def huge_task(m, nr, order=0):
    task = m.tasks.create("database", 7)
    area = task.mmap_huge(nr, order)
    m.sched.run(task.touch(area, passes=1))
    return task, area


@pytest.mark.parametrize("order", [9, 10])
def test_the_pool_grows_and_shrinks(three, order):
    """Round the nodes that are enabled; fewer than asked for is no error."""
    m = three
    assert m.sched.run(m.hugetlb.resize(7, order=order)) == 7
    totals = [m.hugetlb.stat(zone).total for zone in m.zones.values()]
    assert sum(totals) == 7
    assert max(totals) <= 3
    assert_valid(m)
    assert m.sched.run(m.hugetlb.resize(2, order=order)) == 2
    reached = m.sched.run(m.hugetlb.resize(1000, order=order))
    assert 2 < reached < 1000
    assert_valid(m)
    assert m.sched.run(m.hugetlb.resize(0, order=order)) == 0
    assert all(zone.stat().item[ZoneItem.NR_HUGE] == 0 for zone in m.zones.values())


def test_used_ones_stay(three):
    """A pool does not become smaller than what is in use."""
    m = three
    m.sched.run(m.hugetlb.resize(4, nid=1))
    huge_task(m, 3)
    assert m.hugetlb.stat() == (1, 4)
    assert m.sched.run(m.hugetlb.resize(0, nid=1)) == 3
    assert m.hugetlb.stat() == (0, 3)


def test_a_pool_that_is_empty_ends_the_touch(three):
    """SIGBUS, ENOMEM here: huge pages are not made for a fault."""
    m = three
    m.sched.run(m.hugetlb.resize(1))
    task = m.tasks.create("database", 7)
    area = task.mmap_huge(2)
    m.sched.spawn(task.touch(area, passes=1), name="touch")
    m.sched.run_until(m.now + 10**8)
    assert task.killed
    assert m.hugetlb.stat() == (1, 1)


@pytest.mark.parametrize("order", [9, 10])
def test_used_huge_pages_move_and_free_ones_are_given_back(three, order):
    """Before any other page; their contents and their users stay."""
    m = three
    m.sched.run(m.hugetlb.resize(6, nid=1, order=order))
    m.sched.run(m.disable_node(2))
    task, area = huge_task(m, 4, order)
    m.sched.run(m.enable_node(2))
    small = m.tasks.create("hog", 8)
    memory = small.mmap_anon(MIB)
    m.sched.run(small.touch(memory, passes=1))
    m.sched.run(m.disable_node(1))
    before = m.events()["pgmigrate_success"]
    result = m.sched.run(m.remap(6))

    assert result.left == 0
    assert m.events()["pgmigrate_success"] - before >= 4 << order
    assert m.hugetlb.stat(order=order) == (0, 4)
    assert m.hugetlb.stat(m.zones[6]).total == 0
    m.sched.run(m.unplug(1))
    m.sched.run(task.touch(area, passes=1))


def test_free_ones_elsewhere_are_used_first(three):
    """The pool as a whole becomes smaller by those of the zone."""
    m = three
    m.sched.run(m.hugetlb.resize(4, nid=1))
    m.sched.run(m.hugetlb.resize(4, nid=2))
    m.sched.run(m.disable_node(2))
    task, area = huge_task(m, 4)
    m.sched.run(m.enable_node(2))
    m.sched.run(m.disable_node(1))
    free = m.zone_stat(10).free
    assert m.sched.run(m.remap(6)).left == 0

    assert m.hugetlb.stat() == (0, 4)
    assert m.zone_stat(10).free == free
    m.sched.run(task.touch(area, passes=1))


def crumbs(m, zid, pages):
    """Every second page of a zone is taken: no block is left."""
    walks, tasks = [], []
    for pid in (1, 2):
        task = m.tasks.create("crumb", pid)
        area = task.area(task.mmap_anon(pages * 4096))
        walks.append(Touch(m.core, task._mm, area.vma, TOUCH_WRITE, 0, pages))
        tasks.append(task)
    for page in range(pages):
        assert walks[page % 2].step(1) == MORE_RC
    m.sched.run(tasks[1].exit())
    m.core.drain_pagevecs()
    m.core.drain_pcp(zid)


def test_a_block_that_is_not_there_is_made(three):
    """A hard job, said 2004: defragmentation does it."""
    m = three
    m.sched.run(m.hugetlb.resize(4, nid=1))
    m.sched.run(m.disable_node(2))
    task, area = huge_task(m, 4)
    m.sched.run(m.disable_node(1))
    m.sched.run(m.enable_node(2))
    crumbs(m, 10, 32000)
    assert m.zone_stat(10).free_area[10] == 0
    before = m.events()
    assert m.sched.run(m.remap(6, 2)).left == 0

    assert m.events()["compact_migrate_scanned"] > before["compact_migrate_scanned"]
    assert m.hugetlb.stat(m.zones[10]).total == 4
    m.sched.run(task.touch(area, passes=1))


def test_what_has_nowhere_to_go_stays_and_the_others_move(three):
    """One huge page is no reason to give up: EBUSY, with the reason."""
    m = three
    m.sched.run(m.hugetlb.resize(4, nid=1))
    task, area = huge_task(m, 4)
    small = m.tasks.create("hog", 8)
    memory = small.mmap_anon(4 * MIB)
    m.sched.run(m.disable_node(2))
    m.sched.run(small.touch(memory, passes=1))
    m.sched.run(m.enable_node(2))
    m.sched.run(m.disable_node(1))
    m.faults.set({"migrate_target": 2})
    with pytest.raises(VmError, match="no_target") as caught:
        m.sched.run(m.remap(6))

    assert caught.value.name == "EBUSY"
    assert m.last_ops[-1].reasons == {"no_target": 1024}
    assert m.zones[6].in_use == 1024
    m.sched.run(task.touch(area, passes=1))
    assert m.sched.run(m.remap(6)).left == 0


def test_a_copy_takes_many_steps_and_users_wait(three):
    """Interrupted, the page is where it was; touched, it is waited for."""
    m = three
    m.sched.run(m.hugetlb.resize(1, nid=1))
    m.sched.run(m.disable_node(2))
    task, area = huge_task(m, 1)
    m.sched.run(m.enable_node(2))
    m.sched.run(m.disable_node(1))
    before = m.core.class_hash()
    job = m.sched.spawn(m.remap(6), name="remap")
    for _ in range(3):
        m.sched.round()
    touch = m.sched.spawn(task.touch(area, passes=1), name="touch")
    m.sched.round()
    assert not touch.done
    assert not job.done
    m.sched.cancel(job)
    while not touch.done:
        m.sched.round()
    assert isinstance(job.error, Cancelled)
    assert touch.value() == 1
    assert m.core.class_hash() == before
    assert_valid(m)


def test_the_listing_has_columns_while_there_is_a_pool(three):
    """As HUGE0 of 2004 printed them."""
    m = three
    listing = m.rules.listing

    class Row:
        def __init__(self, zone):
            self.name, self.zid, self.present = zone.name, zone.zid, zone.present
            stat = zone.stat()
            self.free, self.active = stat.free, stat.active
            self.huge = m.hugetlb.stat(zone) if m.hugetlb.there else None

    rows = [Row(zone) for zone in m.nodes[1].zones]
    assert listing(1, True, True, rows).splitlines()[1] == (
        "\tHighMem[6]: free 32768, active 0, present 32768"
    )
    m.sched.run(m.hugetlb.resize(3, nid=1))
    huge_task(m, 1)
    rows = [Row(zone) for zone in m.nodes[1].zones]
    assert listing(1, True, True, rows).splitlines()[1] == (
        "\tHighMem[6]: free 29696, active 0, present 32768 / HugePage free 2, total 3"
    )


def test_bad_sizes_are_refused(three):
    """EINVAL and ENODEV; nothing is changed."""
    m = three
    for op, name in (
        (m.hugetlb.resize(-1), "EINVAL"),
        (m.hugetlb.resize(1, order=8), "EINVAL"),
        (m.hugetlb.resize(1, nid=9), "ENODEV"),
    ):
        assert refused(m, op) == name
    task = m.tasks.create("database", 7)
    for nr, order in ((0, 10), (1, 3)):
        with pytest.raises(VmError):
            task.mmap_huge(nr, order)


def test_areas_go_with_their_task(three, host_file):
    """And the huge pages are free again."""
    m = three
    m.sched.run(m.hugetlb.resize(4))
    task, area = huge_task(m, 2)
    task.mmap_huge(2)
    assert m.hugetlb.stat().free == 2
    child = m.sched.run(task.fork(9))
    assert child.areas == {}
    m.sched.run(task.munmap(area))
    assert m.hugetlb.stat().free == 4
    m.sched.run(task.exit())
    file = m.files.create("file", host_file(MIB), MIB)
    assert read(m, file) == bytes(MIB)
