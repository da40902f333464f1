"""Pages that are locked in memory: on which list the modelled kernel has them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from vmkit import MIB, PAGE, assert_valid, write

from memfs.vm import Layout, Machine, VmError

N = 256  # pages that are locked

# Node 1 has the CPU, so all that is made is there first.
LAYOUT = """
kernel = "{}"
block = "8M"
swap = "64M"
min_free_kbytes = 512
cpus = 1
[[node]]
size = "32M"
cpus = ""
[[node]]
size = "32M"
cpus = "0"
removable = true
"""


@pytest.fixture(params=["2.6.0", "2.6.7", "6.1"])
def m(request):
    with Machine(Layout.parse(LAYOUT.format(request.param), "locked")) as machine:
        yield machine
        assert_valid(machine)


def run(m, op):
    return m.sched.run(op)


def lists(m):
    """(inactive, active, unevictable, mlocked), with no page on its way to a list."""
    m.core.drain_pagevecs()
    total = m.snapshot().total
    assert total.active_file + total.active_anon == total.active
    assert total.inactive_file + total.inactive_anon == total.inactive
    return total.inactive, total.active, total.unevictable, total.mlocked


def assert_locked(m, nr, rest=0):
    """`nr` pages are locked, `rest` others are on the lists: each is counted once."""
    inactive, active, unevictable, mlocked = lists(m)

    assert mlocked == nr
    assert unevictable == (nr if m.rules.unevictable_lru else 0)
    assert inactive + active + unevictable == nr + rest


def cached(m, owner, nr=N):
    file = m.files.create("file", owner)
    write(m, file, 0, bytes(nr * PAGE))
    run(m, file.fsync())
    return file


def locked_anon(m, nr=N, pid=1):
    task = m.tasks.create("database", pid)
    area = task.mmap_anon(nr * PAGE, lock=True)
    run(m, task.touch(area, passes=1))
    return task, area


def locked_file(m, file, nr=N, pid=1, lock=True):
    task = m.tasks.create("database", pid)
    area = task.mmap_file(file, nr * PAGE, shared=True, write=False, lock=lock)
    run(m, task.touch(area, write=False, passes=1))
    return task, area


def test_pages_that_are_faulted_in_are_counted_once(m):
    """As the kernel does: 2.6 had them active, later ones have a list for them."""
    locked_anon(m)
    assert_locked(m, N)
    assert m.snapshot().total.anon == N


def test_pages_that_were_there_before(m, host_file):
    """They leave the lists when they are locked and come back when they are not."""
    file = cached(m, host_file())
    before = lists(m)
    task, area = locked_file(m, file)
    assert_locked(m, N)
    assert m.snapshot().total.file == N
    run(m, task.munmap(area))

    assert_locked(m, 0, N)
    assert sum(lists(m)) == sum(before)


def test_an_area_that_is_not_locked_changes_nothing(m, host_file):
    """Until the last locked one is gone its page stays locked."""
    file = cached(m, host_file())
    first, area = locked_file(m, file)
    second, _ = locked_file(m, file, pid=2, lock=False)
    third, _ = locked_file(m, file, pid=3)
    run(m, second.exit())
    assert_locked(m, N)
    run(m, first.munmap(area))
    assert_locked(m, N)
    run(m, third.exit())
    assert_locked(m, 0, N)


def test_a_child_does_not_inherit_the_lock(m):
    """What it has of its own after a write can be reclaimed."""
    parent, area = locked_anon(m)
    child = run(m, parent.fork(2))
    assert not child.area(area).locked
    assert_locked(m, N)
    run(m, child.touch(area, passes=1, nr=100))
    assert_locked(m, N, 100)
    run(m, parent.exit())
    assert_locked(m, 0, N)
    run(m, child.exit())
    assert_locked(m, 0)


def test_the_end_of_a_task_gives_all_of_it_back(m, host_file):
    """Its own pages are gone, those of the file stay."""
    file = cached(m, host_file())
    task, _ = locked_file(m, file)
    area = task.mmap_anon(N * PAGE, lock=True)
    run(m, task.touch(area, passes=1))
    assert_locked(m, 2 * N)
    run(m, task.exit())

    assert_locked(m, 0, N)


def test_truncation_takes_locked_pages_too(m, host_file):
    """The area still is locked; what comes back is locked again."""
    file = cached(m, host_file())
    task, area = locked_file(m, file)
    run(m, file.truncate(100 * PAGE))
    assert_locked(m, 100)
    write(m, file, 0, bytes(150 * PAGE))
    run(m, task.touch(area, write=False, passes=1, nr=150))
    run(m, file.fsync())

    assert_locked(m, 150)


def test_reclaim_leaves_them_where_they_are_counted(m):
    """However often the lists are gone through; others go to swap meanwhile."""
    locked_anon(m)
    other = m.tasks.create("hog", 2)
    area = other.mmap_anon(70 * MIB)
    run(m, other.touch(area, passes=2))
    assert m.events()["pswpout"] > 0
    total = m.snapshot().total
    assert total.mlocked == N
    run(m, other.exit())

    assert_locked(m, N)


def node_1(m):
    """What its zones have, and the zones that have something."""
    sums = m.snapshot().nodes[1].sums
    return sums, [zone.zid for zone in m.nodes[1].zones if zone.in_use]


def close(m):
    """Node 1 gives out no more pages."""
    lists(m)
    if m.rules.gate_takes == "node":
        run(m, m.disable_node(1))
    else:
        for zone in m.nodes[1].zones:
            run(m, m.disable_zone(zone.zid))


def remapped(m, zids):
    """All that is not the kernel's goes."""
    for zid in zids:
        with suppress(VmError):
            run(m, m.remap(zid))


def test_purge_keeps_locked_pages_of_a_zone(m):
    """They are the same number before and after, where they were counted."""
    locked_anon(m)
    close(m)
    before, zids = node_1(m)
    assert before.mlocked == N
    purged = [run(m, m.purge(zid)) for zid in zids]
    assert sum(one.reasons.get("mlocked", 0) for one in purged) == N

    assert node_1(m)[0].unevictable == before.unevictable
    assert_locked(m, N)


@pytest.mark.parametrize("how", ["together", "one by one", "with swap slots", "lazily"])
def test_remap_takes_the_count_along(m, host_file, how):
    """To the node where the pages are now, whichever way they go."""
    locked_anon(m)
    locked_file(m, cached(m, host_file()), pid=2)
    close(m)
    if how == "one by one":
        m.faults.set({"migrate_reference": 3})
    if how == "with swap slots":
        m.set_ways(anon="swapslot")
    if how == "lazily":
        m.set_ways(maps="lazy")
    before, zids = node_1(m)
    assert before.mlocked == 2 * N
    remapped(m, zids)
    after, _ = node_1(m)

    assert (after.unevictable, after.mlocked) == (0, 0)
    assert m.snapshot().total.swapcache == (N if how == "with swap slots" else 0)
    assert_locked(m, 2 * N)


def test_a_block_takes_the_count_along(m, host_file):
    """Its pages move one at a time, to other zones or within their own."""
    numbers = list(m.blocks.on_node(1))[1:]
    if "Movable" in m.rules.zone_types:
        for number in numbers:
            run(m, m.block_offline(number))
            run(m, m.block_online(number, "online_movable"))
    locked_anon(m)
    locked_file(m, cached(m, host_file()), pid=2)
    lists(m)
    before, _ = node_1(m)
    for number in numbers:
        run(m, m.block_offline(number))
    after, _ = node_1(m)
    assert before.present - after.present == 2048 * len(numbers)

    assert_locked(m, 2 * N)


def test_available_memory_has_no_locked_pages_of_files(m, host_file):
    """On any kernel; the lists of 2.6 have them."""
    file = cached(m, host_file())
    lists(m)
    assert m.snapshot().total.evictable_file == N
    locked_file(m, file, 200)
    lists(m)
    total = m.snapshot().total

    assert total.evictable_file == N - 200
    assert total.active_file + total.inactive_file == N - total.unevictable


def test_pages_on_hold_are_told_apart_by_kind(m, host_file):
    """As the kernel counts them: of files, and anonymous ones with those of tmpfs."""
    locked_anon(m, 20)
    file = cached(m, host_file(), 30)
    close(m)
    m.faults.set({"migrate_reference": 50})
    seen = []

    def look(_):
        m.bump()
        seen.append(m.snapshot().total)
        yield from ()

    m.faults.at["migrate.hold"] = look
    remapped(m, node_1(m)[1])
    assert max(t.isolated_anon for t in seen) == 20
    assert max(t.isolated_file for t in seen) == file.stat().nrpages
    assert max(t.isolated for t in seen) == 50
    m.bump()
    assert m.snapshot().total.isolated == 0
