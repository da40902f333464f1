"""The settings of proc/sys/vm: what each changes, two values of each compared."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from vmkit import MIB, HostFile, assert_valid, errno_name, pattern, read, write

from memfs.vm import Layout, Machine, VmError

SECOND = 10**9
PAIR = 'kernel = "6.1"\n[[node]]\nsize = "64M"\n[[node]]\nsize = "64M"\n'


class Effect(NamedTuple):
    """A setting, two values, and the figure that differs."""

    name: str
    values: tuple
    figure: object
    layout: str = "modern"


@pytest.fixture
def measure(tmp_path):
    """Makes a machine, sets a knob, takes a figure; the machine is valid after it."""

    def run(effect, value):
        layout = effect.layout
        make = Layout.parse if "\n" in layout else Layout.builtin
        with Machine(make(layout)) as m:
            m.host = tmp_path
            m.tune(effect.name, value)
            figure = effect.figure(m)
            assert_valid(m)
            return figure

    return run


def new_file(m, name="f"):
    return m.files.create("file", HostFile(m.host / name))


def hog(m, mib, name=1, write=True):
    task = m.tasks.create("hog", name)
    area = task.mmap_anon(mib * MIB)
    m.sched.run(task.touch(area, write=write, passes=1))
    return task, area


# The figures.


def min_mark(m):
    return m.zone_stat(6).pages_min


def gap(m):
    stat = m.zone_stat(6)
    return stat.pages_low - stat.pages_min


def pcp_high(m):
    return m.zone_stat(6).pcp_hot_high


def protection(m):
    return m.zones[0].protection


def boosted_high(m):
    """High mark of a zone in which the kernel's pages come among a task's."""
    hog(m, 200)
    before = m.zone_stat(1).pages_high
    for _ in range(300):
        m.core.alloc(0, 0, 0)
    return m.core.zone_boost(1), before


def throttled_at(m):
    """Dirty pages at which a writer is made to write itself."""
    return m.writeback.state().dirty_limit


def background_at(m):
    return m.writeback.state().background_limit


def written_after(ns):
    def figure(m):
        file = new_file(m)
        write(m, file, 0, pattern(MIB))
        m.sched.run_until(m.now + ns)
        return m.snapshot().total.dirty

    return figure


def swap_ins(m):
    """Pages that are read in to get every 64th page of what may be in swap."""
    task, area = hog(m, 160)
    before = m.events()["pswpin"]
    for page in range(0, 16384, 64):
        m.sched.run(task.touch(area, write=False, passes=1, first=page, nr=1))
    return m.events()["pswpin"] - before


def absurd_mmap(m):
    """Whether more than all memory and swap can be mapped."""
    return errno_name(lambda: m.tasks.create("hog", 1).mmap_anon(1 << 40))


def strict_mmap(m):
    """Largest mapping that the limit allows, MiB; overcommitting is off."""
    m.tune("overcommit_memory", 2)
    task = m.tasks.create("hog", 1)
    mib = 0
    while errno_name(lambda: task.mmap_anon(64 * MIB)) is None:
        mib += 64
    return mib


def areas(m):
    task = m.tasks.create("hog", 1)
    for nr in range(20):
        if errno_name(lambda: task.mmap_anon(4096)):
            return nr
    return 20


def compacted(m):
    """Whether an allocation of order 9 defragments, when little is free."""
    scatter(m)
    zone = m.zones[5]
    from memfs.vm.compact import suitable

    return suitable(m, zone, 9)


def scatter(m):
    """Have zone 5 full of single free pages between a task's."""
    first, second = m.tasks.create("a", 1), m.tasks.create("b", 2)
    a, b = first.mmap_anon(320 * MIB), second.mmap_anon(320 * MIB)
    for page in range(0, 80 * 1024, 64):
        m.sched.run(first.touch(a, passes=1, first=page, nr=64))
        m.sched.run(second.touch(b, passes=1, first=page, nr=64))
    m.sched.run(second.exit())
    m.core.drain_pagevecs()


def large_blocks(m):
    """Free blocks of the two highest orders, once the setting was written."""
    scatter(m)
    m.sched.run(m.compact_proactively())
    return sum(m.zone_stat(5).free_area[9:])


def misses(m):
    """Pages of a task on another node, when its own is full of clean file pages."""
    file = new_file(m)
    m.sched.run(file.truncate(56 * MIB))
    read(m, file, 0, 56 * MIB)
    hog(m, 40)
    return m.snapshot().total.numa_miss


def numa_hits(m):
    hog(m, 8)
    return m.snapshot().total.numa_hit


def huge_mmap(m):
    """Whether huge pages can be mapped that the pool has not."""
    return errno_name(lambda: m.tasks.create("hog", 1).mmap_huge(3))


TABLE = (
    Effect("min_free_kbytes", (8192, 90112), min_mark),
    Effect("watermark_scale_factor", (10, 500), gap),
    Effect("watermark_boost_factor", (0, 15000), boosted_high),
    Effect("percpu_pagelist_high_fraction", (0, 8), pcp_high),
    Effect(
        "lowmem_reserve_ratio", ((256, 256, 32, 0, 0), (32, 256, 32, 0, 0)), protection
    ),
    Effect("dirty_ratio", (10, 30), throttled_at),
    Effect("dirty_background_ratio", (5, 10), background_at),
    Effect("dirty_bytes", (1 << 20, 1 << 24), throttled_at),
    Effect("dirty_background_bytes", (1 << 20, 1 << 22), background_at),
    Effect("dirty_expire_centisecs", (100, 3000), written_after(12 * SECOND)),
    Effect("dirty_writeback_centisecs", (500, 0), written_after(60 * SECOND)),
    Effect("page_cluster", (0, 5), swap_ins, PAIR),
    Effect("overcommit_memory", (0, 1), absurd_mmap),
    Effect("overcommit_ratio", (20, 80), strict_mmap),
    Effect("overcommit_kbytes", (1 << 20, 3 << 20), strict_mmap),
    Effect("admin_reserve_kbytes", (8192, 1 << 20), strict_mmap),
    Effect("max_map_count", (5, 15), areas),
    Effect("extfrag_threshold", (0, 1000), compacted, "2004"),
    Effect("compaction_proactiveness", (0, 90), large_blocks, "2004"),
    Effect("zone_reclaim_mode", (0, 1), misses, PAIR),
    Effect("numa_stat", (0, 1), numa_hits),
    Effect("nr_overcommit_hugepages", (0, 4), huge_mmap),
)


@pytest.mark.parametrize("effect", TABLE, ids=lambda effect: effect.name)
def test_each_setting_changes_something(effect, measure):
    """Two values, two figures."""
    low, high = (measure(effect, value) for value in effect.values)

    assert low != high


def test_swappiness_is_how_readily_tasks_pages_go(tmp_path):
    """With 0 file pages go before a task's; with 100 both go alike."""
    swapped = []
    for value in (0, 100):
        with Machine(Layout.parse(PAIR)) as m:
            m.host = tmp_path
            m.tune("swappiness", value)
            file = new_file(m)
            hog(m, 60)
            m.sched.run(file.truncate(160 * MIB))
            read(m, file, 0, 160 * MIB)
            swapped.append(m.snapshot().swap.used)
    assert swapped[0] < swapped[1]


def test_every_tunable_is_in_the_table():
    """But for those that are tested by name."""
    from memfs.vm.tunables import NAMES

    by_name = {"swappiness", "thp", "user_reserve_kbytes"}
    assert {effect.name for effect in TABLE} | by_name == NAMES


def test_a_ratio_and_its_bytes_exclude_each_other():
    """The one that is set makes the other 0."""
    with Machine(Layout.builtin("modern")) as m:
        m.tune("dirty_bytes", 1 << 20)
        assert (m.tunables.dirty_bytes, m.tunables.dirty_ratio) == (1 << 20, 0)
        m.tune("dirty_ratio", 20)
        assert (m.tunables.dirty_bytes, m.tunables.dirty_ratio) == (0, 20)


def test_dropping_caches(tmp_path):
    """Clean unmapped pages go, dirty ones stay; the counters say so."""
    with Machine(Layout.builtin("2004")) as m:
        clean, dirty = (
            m.files.create("file", HostFile(tmp_path / name)) for name in ("a", "b")
        )
        write(m, clean, 0, pattern(8 * MIB))
        m.sched.run(m.sync())
        write(m, dirty, 0, pattern(4 * MIB))
        assert m.sched.run(m.drop_caches(1)) == 2048
        assert m.snapshot().total.file == 1024
        assert read(m, clean) == pattern(8 * MIB)
        m.sched.run(m.drop_caches(3))
        events = m.events()
        assert (events["drop_pagecache"], events["drop_slab"]) == (2, 1)
        assert_valid(m)


def test_huge_pages_want_more_free_memory():
    """min_free_kbytes of 6.1: by the zones where they are on, else by a square root."""
    with Machine(Layout.builtin("modern")) as m:
        from memfs.vm.marks import min_free_kbytes

        assert min_free_kbytes(m) == 90112
        m.tune("thp", False)
        assert min_free_kbytes(m) == 8012
        m.tune("min_free_kbytes", 4096)
        assert min_free_kbytes(m) == 4096


def test_a_boost_ends_with_kswapd_s_run(tmp_path):
    """The marks are raised while it reclaims, and then as they were."""
    with Machine(Layout.builtin("modern")) as m:
        hog(m, 200)
        before = m.zone_stat(1).pages_high
        for _ in range(300):
            m.core.alloc(0, 0, 0)
        assert m.core.zone_boost(1) >= 512
        m.kick_kswapds()
        m.sched.round()
        m.sched.run_until(m.now + SECOND)
        assert m.core.zone_boost(1) == 0
        assert m.zone_stat(1).pages_high == before
        assert_valid(m)


def test_an_unknown_setting():
    """A mistake of the caller."""
    with Machine(Layout.builtin("2004")) as m, pytest.raises(ValueError, match="x"):
        m.tune("x", 1)


def test_the_limit_counts_what_was_promised():
    """Private writable areas of all tasks; a fork's too."""
    with Machine(Layout.builtin("2004")) as m:
        m.tune("overcommit_memory", 2)
        task = m.tasks.create("hog", 1)
        task.mmap_anon(1000 * MIB)
        with pytest.raises(VmError, match="may be"):
            task.mmap_anon(1000 * MIB)
