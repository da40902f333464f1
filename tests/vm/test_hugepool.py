"""The pool of huge pages as 6.1 keeps it: promised, surplus; and blocks that go."""

from __future__ import annotations

import pytest
from vmkit import MIB, assert_valid, pattern, read, refused, write

from memfs.vm import Layout, Machine, VmError

BLOCK = 128 * MIB


# Nodes 1 and 2 have 8 blocks each, 32 to 39 and 40 to 47, of which all is managed.
DIMMS = """
kernel = "6.1"
distances = [[10, 20, 30], [20, 10, 25], [30, 25, 10]]
[[node]]
size = "2G"
[[node]]
start = "4G"
size = "1G"
[[node]]
size = "1G"
"""


@pytest.fixture
def m():
    """The captured machine whose nodes 1 and 2 are of memory that was hot-added."""
    with Machine(Layout.parse(DIMMS)) as machine:
        yield machine
        assert_valid(machine)
        assert machine.events()["corrupt"] == 0


def pool(m, nid=None):
    """free, total, surplus, reserved."""
    return tuple(m.hugetlb.figures(nid))


def resize(m, nr, nid=None):
    return m.sched.run(m.hugetlb.resize(nr, nid))


def database(m, nr, pid=7, touch=True):
    task = m.tasks.create("database", pid)
    area = task.mmap_huge(nr)
    if touch:
        m.sched.run(task.touch(area, passes=1))
    return task, area


# The size of the pool.


def test_round_the_nodes(m):
    """A page of each node in turn, and back in turn."""
    assert resize(m, 9) == 9
    assert [pool(m, nid)[1] for nid in range(3)] == [3, 3, 3]
    assert resize(m, 6) == 6
    assert [pool(m, nid)[1] for nid in range(3)] == [2, 2, 2]
    assert resize(m, 5, 1) == 5
    assert [pool(m, nid)[1] for nid in range(3)] == [2, 5, 2]
    assert m.events()["htlb_buddy_alloc_success"] == 12


def test_fewer_than_asked_for_is_no_error(m):
    """As many as there are blocks; it is counted that one failed."""
    got = resize(m, 5000)
    assert 1800 < got < 2000
    assert m.events()["htlb_buddy_alloc_fail"] == 1
    assert resize(m, 0) == 0


def test_dma_is_kept_by_its_protection(m):
    """Pages of users do not get below what the lowest zone keeps from them."""
    resize(m, 5000)
    assert m.zone_stat(0).free > max(m.zones[0].protection)


def test_page_cache_makes_room(host_file):
    """Memory that is full of clean pages of files is not full."""
    with Machine(Layout.parse('kernel = "6.1"\n[[node]]\nsize = "256M"\n')) as m:
        file = m.files.create("file", host_file(256 * MIB), 256 * MIB)
        read(m, file, 0, 256 * MIB)
        assert sum(m.zone_stat(1).free_area[9:]) < 30
        assert resize(m, 80) > 60
        assert m.events()["pgsteal_direct"] > 0
        assert m.events()["compact_stall"] > 0
        assert_valid(m)


def test_fragmented_memory_gives_fewer():
    """What cannot be freed or moved together is not enough for all."""
    text = 'kernel = "6.1"\nswap = "0"\n[[node]]\nsize = "256M"\n'
    with Machine(Layout.parse(text)) as m:
        first, second = m.tasks.create("a", 1), m.tasks.create("b", 2)
        a, b = first.mmap_anon(120 * MIB), second.mmap_anon(120 * MIB)
        for page in range(0, 24 * 1024, 8):
            m.sched.run(first.touch(a, passes=1, first=page, nr=8))
            m.sched.run(second.touch(b, passes=1, first=page, nr=8))
        m.sched.run(second.exit())
        got = resize(m, 200)
        assert 0 < got < 100
        assert m.events()["compact_success"] > 0
        assert_valid(m)


# Promises.


def test_a_mapping_is_promised_its_pages(m):
    """Nobody else gets them; a touch takes them."""
    resize(m, 4)
    one, area = database(m, 3, 1, touch=False)
    assert pool(m) == (4, 4, 0, 3)
    two = m.tasks.create("other", 2)
    with pytest.raises(VmError) as caught:
        two.mmap_huge(2)
    assert caught.value.name == "ENOMEM"
    two.mmap_huge(1)
    assert pool(m) == (4, 4, 0, 4)
    m.sched.run(one.touch(area, passes=1, nr=2))
    assert pool(m) == (2, 4, 0, 2)
    m.sched.run(one.exit())
    m.sched.run(two.exit())
    assert pool(m) == (4, 4, 0, 0)


def test_a_pool_does_not_shrink_below_what_was_promised(m):
    """The promised ones stay, as surplus, until they are let go."""
    resize(m, 6)
    task, area = database(m, 3, touch=False)
    m.sched.run(task.touch(area, passes=1, nr=1))
    assert resize(m, 1) == 3
    assert pool(m) == (2, 3, 2, 2)
    m.sched.run(task.exit())
    # One was in use: it went. The two that were never touched stay in the pool.
    assert pool(m) == (2, 2, 1, 0)
    assert resize(m, 2) == 2
    assert pool(m) == (2, 2, 0, 0)


def test_overcommit_takes_what_the_pool_lacks(m):
    """Surplus pages come with the mapping and go with it."""
    m.tune("nr_overcommit_hugepages", 3)
    resize(m, 2)
    free = m.snapshot().total.free
    task, _ = database(m, 5)
    assert pool(m) == (0, 5, 3, 0)
    with pytest.raises(VmError, match="lacks"):
        m.tasks.create("other", 2).mmap_huge(1)
    m.sched.run(task.exit())
    assert pool(m) == (2, 2, 0, 0)
    assert m.snapshot().total.free == free


def test_a_mapping_that_fails_takes_nothing(m):
    """What was grown for it goes back."""
    m.tune("nr_overcommit_hugepages", 2)
    task = m.tasks.create("database", 7)
    with pytest.raises(VmError):
        task.mmap_huge(3)
    assert pool(m) == (0, 0, 0, 0)
    assert task.areas == {}


def test_growing_makes_surplus_ones_ordinary(m):
    """Before a block is taken for one."""
    m.tune("nr_overcommit_hugepages", 4)
    task, _ = database(m, 4)
    assert pool(m) == (0, 4, 4, 0)
    before = m.events()["htlb_buddy_alloc_success"]
    assert resize(m, 3) == 4
    assert pool(m) == (0, 4, 1, 0)
    assert resize(m, 5) == 5
    assert pool(m) == (1, 5, 0, 0)
    assert m.events()["htlb_buddy_alloc_success"] == before + 1
    m.sched.run(task.exit())


# Blocks that go.


def offline_node(m, nid):
    for number in m.blocks.of_node(nid):
        m.sched.run(m.block_offline(number))


def test_a_free_pool_is_dissolved_and_not_restored(m):
    """As captured: 16 to 0, and online gives none back."""
    resize(m, 16, 1)
    offline_node(m, 1)
    assert pool(m) == (0, 0, 0, 0)
    for number in range(32, 40):
        m.sched.run(m.block_online(number))
    assert pool(m) == (0, 0, 0, 0)
    assert m.events()["pgmigrate_success"] == 0


def test_used_ones_go_to_free_ones_elsewhere(m):
    """As captured: 8 moved, the pool as a whole is half of what it was."""
    resize(m, 16, 1)
    task, area = database(m, 8)
    assert pool(m, 1)[:2] == (8, 16)
    resize(m, 16, 0)
    offline_node(m, 1)
    assert m.events()["pgmigrate_success"] == 8 << 9
    assert (pool(m, 0)[:2], pool(m)[:2]) == ((8, 16), (8, 16))
    m.sched.run(task.touch(area, passes=1))


def test_used_ones_get_fresh_blocks_where_none_is_free(m):
    """The total stays; whatever the zone, Movable too."""
    for number in m.blocks.of_node(2):
        if number != 47:
            m.sched.run(m.block_offline(number))
            m.sched.run(m.block_online(number, "online_movable"))
    resize(m, 8, 1)
    task, area = database(m, 8)
    offline_node(m, 1)
    assert pool(m)[:2] == (0, 8)
    assert m.events()["pgmigrate_success"] == 8 << 9
    m.sched.run(task.touch(area, passes=1))


def test_a_promised_page_keeps_its_block(m):
    """EBUSY: failure to dissolve huge pages; the block is an ordinary one again."""
    resize(m, 2, 1)
    task, _ = database(m, 2, touch=False)
    [number] = [n for n in m.blocks.of_node(1) if stat_of(m, n).huge]
    with pytest.raises(VmError, match="dissolve") as caught:
        m.sched.run(m.block_offline(number))
    assert caught.value.name == "EBUSY"
    assert m.blocks.get(number).state == "online"
    m.sched.run(task.exit())
    m.sched.run(m.block_offline(number))
    assert pool(m) == (0, 0, 0, 0)


def stat_of(m, number):
    block = m.blocks.get(number)
    return m.core.block_stat(block.start_pfn, block.pages)


def test_other_pages_go_with_them(m, host_file):
    """A block of huge pages, a task's pages and a file's is emptied of all."""
    resize(m, 4, 1)
    task, area = database(m, 3)
    file = m.files.create("file", host_file())
    data = pattern(8 * MIB)
    write(m, file, 0, data)
    hog = m.tasks.create("hog", 9)
    memory = hog.mmap_anon(2500 * MIB)
    m.sched.run(hog.touch(memory, passes=1, nr=500_000))
    gone = 0
    for number in reversed(m.blocks.of_node(1)):
        if not stat_of(m, number).unmovable:
            m.sched.run(m.block_offline(number))
            gone += 1
    assert gone > 4
    assert read(m, file) == data
    m.sched.run(task.touch(area, passes=1))
    m.sched.run(hog.touch(memory, write=False, passes=1, nr=500_000))


def test_bad_sizes(m):
    """As before: EINVAL, ENODEV."""
    assert refused(m, m.hugetlb.resize(-1)) == "EINVAL"
    assert refused(m, m.hugetlb.resize(1, 9)) == "ENODEV"
