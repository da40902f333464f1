"""Every kind of page: whether remap moves it, why not, and that nothing is lost.

One row a kind. A setup makes pages of the kind in zone 6 and says how to look at
them; the zone is closed and remapped. The kinds are those of the hotplug projects' test
programs of 2003 and 2004.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from vmkit import MIB, PAGE, assert_valid, pattern, read, write

from memfs.vm import Machine, Until, VmError, ZoneItem

PAGES = 256
SIZE = PAGES * PAGE


class Made(NamedTuple):
    """What a setup has made: how many pages, and a look at what is in them.

    `after`: may run once the remap has ended, before the look.
    """

    pages: int
    look: Callable[[], Any]
    after: Callable[[], Any] = lambda: None


class Kind(NamedTuple):
    """A row: a setup, and what becomes of its pages.

    `stays`: reason and errno, or None when all move. `wrote`: kB written meanwhile.
    """

    name: str
    make: Callable[..., Made]
    stays: str | None = None
    wrote: int = 0


def cached(m, owner, kind="file", clean=False, moves=""):
    file = m.files.create(kind, owner(), moves=moves)
    data = pattern(SIZE)
    write(m, file, 0, data)
    if clean:
        m.sched.run(file.fsync())
    return file, lambda: read(m, file) == data


def clean(m, owner):
    file, same = cached(m, owner, clean=True)
    return Made(PAGES, lambda: (same(), file.stat().nr_dirty == 0))


def dirty(m, owner):
    file, same = cached(m, owner)

    def look():
        kept = file.stat().nr_dirty == PAGES
        m.sched.run(file.fsync())
        return kept, file.owner.path.read_bytes() == pattern(SIZE), same()

    return Made(PAGES, look)


def fallback(m, owner):
    """Of a file system that cannot move buffers: written first, clean afterwards."""
    file, same = cached(m, owner, moves="fallback")
    with pytest.raises(VmError, match="do not move by fallback"):
        m.files.create("shm", owner(), moves="fallback")

    def look():
        stat = file.stat()
        buffers = m.snapshot().total.buffers
        return same(), (stat.nr_dirty, stat.nr_writeback, buffers) == (0, 0, 0)

    return Made(PAGES, look)


def under_writeback(m, owner):
    m.set_device("disk", bandwidth=1_000_000)
    file, same = cached(m, owner)
    m.sched.spawn(file.fsync(), name="fsync")
    m.sched.round()
    assert file.stat().nr_writeback == PAGES
    return Made(PAGES, lambda: (same(), file.stat().nr_writeback == 0))


def rewritten(m, owner):
    """S0's small file that is written again and again, and synced."""
    file, same = cached(m, owner)
    writing = [True]

    def writer():
        while writing[0]:
            yield from file.write(0, pattern(SIZE))
            yield from file.writeback()
            yield Until(m.now + 50_000)

    m.sched.spawn(writer(), name="writer")
    m.sched.round()
    return Made(PAGES, same, lambda: writing.clear() or writing.append(False))


def mapped(m, owner, shared, kind="file"):
    file, same = cached(m, owner, kind)
    task = m.tasks.create("mapper", 1)
    area = task.mmap_file(file, SIZE, shared=shared, write=shared)
    m.sched.run(task.touch(area, write=shared, passes=1))
    return Made(PAGES, lambda: (same(), no_faults(m, task, area)))


def mapped_shared(m, owner):
    return mapped(m, owner, True)


def mapped_private(m, owner):
    return mapped(m, owner, False)


def mapped_tmpfs(m, owner):
    return mapped(m, owner, True, "shm")


def no_faults(m, task, area, write=False):
    before = m.events()["pgfault"]
    m.sched.run(task.touch(area, write=write, passes=1))
    return m.events()["pgfault"] == before


def task_of(m, lock=False):
    task = m.tasks.create("hog", 1)
    area = task.mmap_anon(SIZE, lock=lock)
    m.sched.run(task.touch(area, passes=1))
    return task, area


def anonymous(m, owner):
    task, area = task_of(m)
    return Made(PAGES, lambda: (no_faults(m, task, area), swap_used(m) == 0))


def swap_used(m):
    return m.snapshot().swap.used


def cow(m, owner):
    """Shared by three tasks after fork(): one page each, copied when written."""
    parent, area = task_of(m)
    children = [m.sched.run(parent.fork(pid)) for pid in (2, 3)]

    def look():
        kept = all(no_faults(m, task, area) for task in (parent, *children))
        before = m.events()["pgcow"]
        m.sched.run(children[0].touch(area, passes=1))
        return kept, m.events()["pgcow"] == before + PAGES

    return Made(PAGES, look)


def swap_cache(m, owner):
    """Swapped out and in again: the slot stays theirs."""
    task, area = task_of(m)
    m.sched.run(m.disable_zone(6))
    for _ in range(10):
        m.sched.run(m.purge(6))
    assert task.stat().swap == PAGES
    m.sched.run(m.enable_zone(6))
    m.sched.run(task.touch(area, write=False, passes=1))
    assert m.zone_stat(6).item[ZoneItem.NR_SWAPCACHE] == PAGES
    return Made(PAGES, lambda: (no_faults(m, task, area), swap_used(m) == PAGES))


def tmpfs(m, owner):
    _, same = cached(m, owner, "shm")
    return Made(PAGES, same)


def ramdisk(m, owner):
    """Nowhere to be written to: copying is the only way."""
    _, same = cached(m, owner, "ram")
    m.sched.run(m.disable_zone(6))
    purged = m.sched.run(m.purge(6))
    assert purged.after == PAGES
    assert purged.reasons == {"no_writepage": PAGES}
    return Made(PAGES, same)


def mlocked(m, owner):
    task, area = task_of(m, lock=True)
    assert m.zone_stat(6).item[ZoneItem.NR_MLOCKED] == PAGES

    def look():
        total = m.snapshot().total.mlocked
        return no_faults(m, task, area), total == PAGES

    return Made(PAGES, look)


def huge(order):
    """Half of them used, half of them free in the pool."""

    def make(m, owner):
        nr = m.sched.run(m.hugetlb.resize(4, nid=1, order=order))
        task = m.tasks.create("database", 7)
        area = task.mmap_huge(2, order)
        m.sched.run(task.touch(area, passes=1))
        assert nr == 4

        def look():
            m.sched.run(task.touch(area, passes=1))
            return m.hugetlb.stat(order=order) == (0, 2)

        return Made(4 << order, look)

    return make


def pinned_for(seconds, who):
    """Held by somebody, who lets go after so long, or never."""

    def make(m, owner):
        file, same = cached(m, owner)
        pin = m.sched.run(m.pins.file(file, 0, PAGES, who))

        def let_go():
            yield Until(m.now + seconds * 10**9)
            pin.release()

        if seconds:
            m.sched.spawn(let_go(), name="let go")
        return Made(PAGES, same, pin.release)

    return make


def direct_io(m, owner):
    """The pages of a task's buffer, held until the transfer has ended."""
    task, area = task_of(m)
    m.set_device("disk", bandwidth=1_000_000)
    pin = m.sched.run(m.pins.area(task, area, 0, PAGES, "direct I/O of 1"))
    file = m.files.create("file", owner())

    def transfer():
        yield from file.direct_write(0, pattern(SIZE))
        pin.release()

    m.sched.spawn(transfer(), name="direct I/O")
    m.sched.round()
    return Made(PAGES, lambda: no_faults(m, task, area))


def kernel(m, owner):
    m.sched.run(m.disable_zone(5))
    m.sched.run(m.enable_zone(5))
    m.faults.set({"kernel_page": 3})
    zone = next(zone for zone in m.zones.values() if m.faults.stray(zone))
    assert zone.zid == 5
    return Made(3, lambda: True, lambda: m.faults.set({"kernel_page": 0}))


KINDS = (
    Kind("clean file", clean),
    Kind("dirty file", dirty),
    Kind("dirty, no way of its own", fallback, wrote=SIZE // 1024),
    Kind("under writeback", under_writeback, wrote=SIZE // 1024),
    Kind("rewritten without pause", rewritten, wrote=-1),
    Kind("mapped shared", mapped_shared),
    Kind("mapped private", mapped_private),
    Kind("anonymous", anonymous),
    Kind("copy on write", cow),
    Kind("swap cache", swap_cache),
    Kind("tmpfs", tmpfs),
    Kind("tmpfs, mapped", mapped_tmpfs),
    Kind("mlocked", mlocked),
    Kind("ramdisk", ramdisk),
    Kind("hugetlb, 2 MiB", huge(9)),
    Kind("hugetlb, 4 MiB", huge(10)),
    Kind("direct I/O", direct_io, wrote=SIZE // 1024),
    Kind("pinned for 3 s", pinned_for(3, "io_uring of 7")),
    Kind("pinned", pinned_for(0, "io_uring of 7"), "pinned"),
    Kind("pipe", pinned_for(0, "pipe of 8"), "pinned"),
    Kind("sendfile, sent", pinned_for(5, "socket of 9")),
    Kind("sendfile, stuck", pinned_for(0, "socket of 9"), "pinned"),
    Kind("kernel", kernel, "kernel"),
)


@pytest.fixture
def quiet(machine):
    """Only zone 6 takes users' pages at first; DMA and node 0 take them later."""
    machine.sched.run(machine.disable_zone(5))
    yield machine
    machine.sched.run_until(machine.now + 10**9)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_becomes_of_each_kind(quiet: Machine, host_file, kind: Kind):
    """It moves and nothing of it is lost; or it stays, and remap says why."""
    m = quiet
    made = kind.make(m, host_file)
    zid = 5 if kind.name == "kernel" else 6
    m.sched.run(m.disable_node(1))
    before = m.events()["pgpgout"]
    refusal = None
    try:
        m.sched.run(m.remap(zid))
    except VmError as error:
        refusal = error

    wrote = m.events()["pgpgout"] - before
    assert wrote == kind.wrote or kind.wrote < 0
    if kind.stays is None:
        assert refusal is None
        assert m.zones[zid].in_use == 0
    else:
        assert refusal is not None
        assert refusal.name == "EBUSY"
        assert m.last_ops[-1].reasons == {kind.stays: made.pages}
        assert m.zones[zid].in_use == made.pages
        with pytest.raises(VmError, match="still in use"):
            m.sched.run(m.unplug(1))
    assert_valid(m)
    made.after()
    assert made.look() in (True, (True, True), (True, True, True))
    m.sched.run(m.remap(zid))
    assert m.zones[zid].in_use == 0
    m.sched.run(m.unplug(1))


def test_a_remap_that_does_not_wait_leaves_what_is_held(quiet, host_file):
    """Pinned pages are given up at once, the others move."""
    m = quiet
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(MIB))
    pin = m.sched.run(m.pins.file(file, 100, 7, "pipe of 8"))
    m.sched.run(m.disable_node(1))
    now = m.now
    with pytest.raises(VmError, match=r"7 pages stay \(7 pinned\)"):
        m.sched.run(m.remap(6, wait=False))
    assert m.now == now
    pin.release()


def test_the_log_says_how_far_it_is(quiet, host_file):
    """While it runs, and after: moved, a second, left, reasons, holders."""
    m = quiet
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(MIB))
    m.sched.run(m.pins.file(file, 100, 7, "pipe of 8"))
    m.sched.run(m.disable_node(1))
    with pytest.raises(VmError, match="7 pinned"):
        m.sched.run(m.remap(6))
    lines = [line.partition("] ")[2] for line in m.klog.text().splitlines()]
    assert lines[-6:] == [
        "remap 6: 256 pages of HighMem[6]",
        "remap 6: 249 pages moved so far, 7 left (7 pinned)",
        "remap 6: 249 pages moved so far, 7 left (7 pinned)",
        "remap 6: 249 pages moved in 10000 ms (24 a second), 7 left",
        "remap 6: 7 pages stay: pinned",
        "remap 6: 7 of them: pipe of 8",
    ]


def test_who_pins_is_known_and_since_when(quiet, host_file):
    """A holder has a name; the last one to let go frees a page that went meanwhile."""
    m = quiet
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(PAGE * 4))
    m.sched.run_until(m.now + 10**9)
    first = m.sched.run(m.pins.file(file, 0, 4, "pipe of 8"))
    second = m.sched.run(m.pins.file(file, 0, 2, "socket of 9"))
    assert first.holder == ("pipe of 8", m.now)
    assert [pin.pages for pin in m.pins.all()] == [4, 2]
    m.core.drain_pagevecs()
    pfn = m.core.lru_list(6, False, 1)[0]
    assert (m.core.page_info(pfn).pins, m.core.page_info(pfn).extra) == (2, 1)
    m.sched.run(file.truncate(0))
    assert m.zones[6].in_use >= 4
    assert_valid(m)
    second.release()
    first.release()
    m.core.drain_pcp(6)
    assert m.zones[6].in_use == 0
    assert m.pins.all() == []
