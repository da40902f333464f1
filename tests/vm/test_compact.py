"""Defragmentation: what was here and there becomes one piece, and keeps its bytes."""

from __future__ import annotations

import pytest
from vmkit import MIB, assert_valid, pattern, read, refused, write

from memfs.vm import Layout, Machine, VmError
from memfs.vm._ffi import MORE_RC, NO_PFN, TOUCH_WRITE, Touch
from memfs.vm.compact import alloc_block

# A node of 1 GiB that is one zone: its pages are all of one kind.
GIB = """
name = "gib"
kernel = "2.6.7"
lowmem = "64M"
swap = "0"
[[node]]
size = "64M"
[[node]]
size = "1G"
"""
TOP = 10


@pytest.fixture
def gib():
    with Machine(Layout.parse(GIB), seed=1) as m:
        yield m
        assert_valid(m)
        assert m.events()["corrupt"] == 0


def chequered(m, owner, mib, step=2):
    """A file of `mib`, read in order, of which every `step`-th page only is kept."""
    file = m.files.create("file", owner(mib * MIB))
    m.core.mapping_size(file.id, mib * MIB)
    file.size = mib * MIB
    read(m, file, chunk=MIB)
    for page in range(mib * MIB // 4096):
        if page % step:
            m.core.file_punch(file.id, page * 4096, 4096, 0, 10)
    m.core.drain_pcp(6)
    return file


def two_tasks(m, pages, step):
    """Of `pages` pages every `step`-th is one task's, the rest were another's."""
    walks, tasks = [], []
    for name in ("keeper", "goer"):
        task = m.tasks.create(name, 1 + len(tasks))
        area = task.area(task.mmap_anon(pages * 4096))
        walks.append(Touch(m.core, task._mm, area.vma, TOUCH_WRITE, 0, pages))
        tasks.append(task)
    for page in range(pages):
        assert walks[page % step != 0].step(1) == MORE_RC
    m.sched.run(tasks[1].exit())
    m.core.drain_pcp(6)


@pytest.mark.parametrize(("step", "reached"), [(2, 134), (4, 190), (64, 234)])
def test_a_chequered_zone_becomes_blocks(gib, step, reached):
    """At least as many as Linux 6.1 reached; a second run moves nothing."""
    two_tasks(gib, 900 * 256, step)
    before = gib.zone_stat(6)
    assert before.free_area[TOP] <= 31
    result = gib.sched.run(gib.compact(1))

    after = gib.zone_stat(6)
    assert after.free_area[TOP] >= reached
    assert after.free_area[TOP] >= before.free // 1024 - 1
    assert after.free == before.free
    assert result.reasons == {}
    assert gib.sched.run(gib.compact(1)).moved == 0
    assert gib.zone_stat(6) == after


def test_the_lists_keep_their_order(gib, host_file):
    """A page that moved has the place on its list that it had."""
    file = chequered(gib, host_file, 8)
    where = {gib.core.page_info(pfn).index: pfn for pfn in lru(gib)}
    assert list(where) == list(range(0, 2048, 2))
    gib.sched.run(gib.compact())
    moved = {gib.core.page_info(pfn).index: pfn for pfn in lru(gib)}

    assert list(moved) == list(where)
    assert sorted(moved.values()) == list(range(277504, 278528))
    assert file.stat().nrpages == 1024


def lru(m):
    m.core.drain_pagevecs()
    return m.core.lru_list(6, False, 10000)


def test_contents_move_along(gib, host_file):
    """Bytes of files, dirty or not, and what tasks have in their memory."""
    hole = chequered(gib, host_file, 20)
    file = gib.files.create("file", host_file())
    data = pattern(8 * MIB)
    write(gib, file, 0, data)
    task = gib.tasks.create("hog", 1)
    area = task.mmap_anon(8 * MIB)
    gib.sched.run(task.touch(area, passes=1))
    dirty = file.stat().nr_dirty
    gib.sched.run(hole.truncate(0))
    result = gib.sched.run(gib.compact())

    assert result.moved >= 2048
    assert file.stat().nr_dirty == dirty == 2048
    assert read(gib, file) == data
    gib.sched.run(task.touch(area, write=False, passes=1))


def test_what_cannot_move_is_passed_over(gib, host_file):
    """Pages under writeback stay where they are, with that reason."""
    file = chequered(gib, host_file, 8)
    for page in range(2016, 2048, 2):
        write(gib, file, page * 4096, b"dirty")
    gib.sched.spawn(file.writeback(), name="writeback")
    gib.sched.round()
    assert file.stat().nr_writeback == 16
    result = gib.sched.run(gib.compact(1))

    assert result.reasons == {"writeback": 16}
    gib.sched.run(file.fsync())


def test_only_a_plugged_node(gib):
    """ENODEV."""
    assert refused(gib, gib.compact(7)) == "ENODEV"


# -- allocation of blocks --------------------------------------------------------------

LOW = """
name = "low"
kernel = "2.6.7"
swap = "0"
[[node]]
size = "64M"
"""


@pytest.fixture
def low():
    with Machine(Layout.parse(LOW), seed=1) as m:
        yield m
        assert_valid(m)


def crumbs(m, owner):
    """Memory of which half is free, but no two pages together."""
    file = m.files.create("file", owner(62 * MIB))
    m.core.mapping_size(file.id, 62 * MIB)
    file.size = 62 * MIB
    read(m, file, chunk=MIB)
    for page in range(0, 62 * 256, 2):
        m.core.file_punch(file.id, page * 4096, 4096, 0, 10)
    for zid in m.zones:
        m.core.drain_pcp(zid)
    return file


def test_a_block_is_made_where_there_is_none(low, host_file):
    """An allocation of order 10 compacts before it fails."""
    crumbs(low, host_file)
    assert low.zone_stat(1).free_area[9:] == (0, 0)
    before = low.events()
    pfn = low.sched.run(alloc_block(low, 0, 10, 0))

    events = low.events()
    assert pfn % 1024 == 0
    assert events["compact_stall"] == before["compact_stall"] + 1
    assert events["compact_success"] == before["compact_success"] + 1
    assert events["allocstall"] == before["allocstall"]
    assert events["pgmigrate_success"] > before["pgmigrate_success"]
    low.core.free(pfn, 10)


def test_it_goes_no_further_than_the_block(low, host_file):
    """A defragmentation for an allocation ends with the first block."""
    crumbs(low, host_file)
    pfn = low.sched.run(alloc_block(low, 0, 9, 0))
    stat = low.zone_stat(1)

    assert sum(stat.free_area[9:]) <= 1
    low.core.free(pfn, 9)


def test_a_block_that_cannot_be_made_is_enomem(low, host_file):
    """Kernel pages in every block: the try fails and is counted."""
    pages = []
    while (pfn := low.core.alloc(0, 0, 0)) != NO_PFN:
        pages.append(pfn)
    for index, pfn in enumerate(sorted(pages)):
        if index % 2:
            low.core.free(pfn, 0)
    for zid in low.zones:
        low.core.drain_pcp(zid)
    with pytest.raises(VmError, match="no page is free") as caught:
        low.sched.run(alloc_block(low, 0, 10, 0))

    assert caught.value.name == "ENOMEM"
    assert low.events()["compact_fail"] >= 1
