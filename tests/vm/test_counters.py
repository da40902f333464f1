"""Counters of proc/vmstat that are of one thing alone."""

from __future__ import annotations

import pytest
from vmkit import MIB, assert_valid, small

from memfs.vm import Layout, Machine

MODERN = """
kernel = "6.1"
block = "8M"
swap = "64M"
min_free_kbytes = 512
[[node]]
size = "32M"
"""


@pytest.fixture
def m():
    with small() as machine:
        yield machine
        assert_valid(machine)


def run(m, op):
    return m.sched.run(op)


def grown(m, name, *ops):
    """By how much a counter grows while operations are carried out."""
    before = m.events()[name]
    for op in ops:
        run(m, op)
    return m.events()[name] - before


def swapped_out(m, nr):
    """A task of so many pages that all lie in swap, in the order of their slots."""
    task = m.tasks.create("a", 1)
    area = task.mmap_anon(nr * 4096)
    run(m, task.touch(area, passes=1))
    other = m.tasks.create("b", 2)
    more = other.mmap_anon(40 * MIB)
    run(m, other.touch(more, passes=1))
    run(m, other.exit())
    assert m.snapshot().swap.used >= nr
    return task, area


def test_what_is_read_ahead_from_swap_is_counted_when_it_is_wanted(m):
    """Once each, however often it is touched."""
    task, area = swapped_out(m, 512)
    before = m.events()
    run(m, task.touch(area, write=False, passes=2))
    after = m.events()
    ahead = after["swap_ra"] - before["swap_ra"]
    major = after["pgmajfault"] - before["pgmajfault"]

    assert ahead > 0
    assert after["swap_ra_hit"] - before["swap_ra_hit"] == ahead
    assert ahead + major == after["pswpin"] - before["pswpin"]


def test_what_nobody_wants_is_no_hit(m):
    """One page is wanted, those around it come along; then their task ends."""
    task, area = swapped_out(m, 512)
    assert grown(m, "swap_ra", task.touch(area, write=False, passes=1, nr=1)) > 0
    assert m.events()["swap_ra_hit"] == 0
    run(m, task.exit())
    assert m.events()["swap_ra_hit"] == 0
    # The slots are others' now, whose pages were not read ahead.
    task, area = swapped_out(m, 512)
    seen = m.events()
    run(m, task.touch(area, write=False, passes=1))
    now = m.events()
    assert now["swap_ra_hit"] - seen["swap_ra_hit"] <= now["swap_ra"] - seen["swap_ra"]


def test_without_a_window_nothing_is_read_ahead(m):
    """page_cluster 0: a slot alone."""
    m.tune("page_cluster", 0)
    task, area = swapped_out(m, 256)
    assert grown(m, "swap_ra", task.touch(area, write=False, passes=1)) == 0
    assert m.events()["swap_ra_hit"] == 0


def test_who_waits_is_told_by_what_it_wanted():
    """Memory of programs may lie in Movable, the kernel's may not."""
    with Machine(Layout.parse(MODERN, "modern")) as m:
        task = m.tasks.create("a", 1)
        area = task.mmap_anon(48 * MIB)
        run(m, task.touch(area, passes=1))
        normal, movable = m.stalls[m.rules.kernel_type], m.stalls[-1]

        assert movable > 0
        assert sum(m.stalls) == m.events()["allocstall"]
        assert normal < movable
        run(m, task.exit())
        assert_valid(m)


def test_a_page_that_is_defragmented_was_isolated_and_its_target_too():
    """Two for each that moved."""
    with Machine(Layout.parse(MODERN, "modern")) as m:
        task = m.tasks.create("a", 1)
        areas = [task.mmap_anon(64 * 1024) for _ in range(200)]
        for area in areas:
            run(m, task.touch(area, passes=1))
        for area in areas[::2]:
            run(m, task.munmap(area))
        moved = grown(m, "pgmigrate_success", m.compact(None))
        assert moved > 0
        assert m.events()["compact_isolated"] == 2 * moved
        run(m, task.exit())
        assert_valid(m)


def test_what_was_reclaimed_before_anybody_wanted_it_is_no_hit(m):
    """It was read for who wants it then: a page is a major fault or a hit, not both."""
    task, area = swapped_out(m, 512)
    assert grown(m, "swap_ra", task.touch(area, write=False, passes=1, nr=1)) > 0
    for zid in 5, 6:
        run(m, m.disable_zone(zid))
        run(m, m.purge(zid))
    m.tune("page_cluster", 0)
    mapped, before = task.stat().rss, m.events()
    run(m, task.touch(area, write=False, passes=1))
    after = m.events()

    major = after["pgmajfault"] - before["pgmajfault"]
    hits = after["swap_ra_hit"] - before["swap_ra_hit"]
    assert major > 0
    assert mapped + major + hits == task.stat().rss == 512
