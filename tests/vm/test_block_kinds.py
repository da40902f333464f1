"""Every kind of page on a block that goes offline: what Linux 6.1 did with it.

The kinds are those of ``test_migrate_kinds``; here the block goes, and what is said of
one is where its pages are afterwards.
"""

from __future__ import annotations

import pytest
import test_migrate_kinds as kinds
from vmkit import MIB, assert_valid, pattern, read, refused, write

from memfs.vm import Layout, Machine
from memfs.vm.errors import Cancelled

# Node 1 has the CPUs, so all that is made is there first. By the order of distance
# node 2 is next, but some of it is Movable.
LAYOUT = """
kernel = "6.1"
block = "8M"
swap = "64M"
min_free_kbytes = 512
cpus = 1
distances = [[10, 30, 20], [30, 10, 20], [20, 20, 10]]
[[node]]
size = "64M"
cpus = ""
[[node]]
start = "4G"
size = "32M"
cpus = "0"
removable = true
[[node]]
size = "64M"
cpus = ""
"""
NODE1 = range(512, 516)
NODE2 = range(516, 524)
PAGES = 2048  # of a block


def mlocked(m, owner):
    """Locked before and after."""
    task, area = kinds.task_of(m, lock=True)

    def look():
        total = m.snapshot().total.mlocked
        return kinds.no_faults(m, task, area), total == kinds.PAGES

    return kinds.Made(kinds.PAGES, look)


KINDS = {
    "clean file": kinds.clean,
    "dirty file": kinds.dirty,
    "rewritten without pause": kinds.rewritten,
    "mapped shared": kinds.mapped_shared,
    "mapped private": kinds.mapped_private,
    "anonymous": kinds.anonymous,
    "copy on write": kinds.cow,
    "tmpfs": kinds.tmpfs,
    "tmpfs, mapped": kinds.mapped_tmpfs,
    "mlocked": mlocked,
}


# Page tables and the index of the page cache lie beside users' pages in Normal.
INDEXED = [
    name for name in KINDS if name not in ("anonymous", "copy on write", "mlocked")
]


class Rig:
    """A machine whose node 1 has one zone.

    Attributes:
        m: the machine.
        zone: the name of the zone.
    """

    def __init__(self, zone):
        self.m = m = Machine(Layout.parse(LAYOUT, "kinds"))
        self.zone = zone
        for number in (*NODE2, *(NODE1 if zone == "Movable" else ())):
            m.sched.run(m.block_offline(number))
            m.sched.run(m.block_online(number, "online_movable"))

    def fill(self, nbytes):
        """A task has so much of node 1."""
        task = self.m.tasks.create("filler", 1000)
        self.m.sched.run(task.touch(task.mmap_anon(nbytes), passes=1))

    def in_use(self, nid):
        return sum(zone.in_use for zone in self.m.nodes[nid].zones)

    def stat(self, number):
        return self.m.core.block_stat(self.m.blocks.get(number).start_pfn, PAGES)

    def busy(self):
        """Blocks with pages of the kernel."""
        return [number for number in NODE1 if self.stat(number).unmovable]

    def offline(self):
        """All of node 1 goes that can. Returns: how many pages came to the others."""
        before = {nid: self.in_use(nid) for nid in (0, 2)}
        busy = self.busy()
        assert not busy or self.zone == "Normal"
        for number in NODE1:
            if number not in busy:
                self.m.sched.run(self.m.block_offline(number))
        return {nid: self.in_use(nid) - nr for nid, nr in before.items()}


@pytest.fixture(params=["Normal", "Movable"])
def rig(request):
    """Node 1 with either kind of zone."""
    made = Rig(request.param)
    with made.m as m:
        yield made
        assert_valid(m)
        assert m.events()["corrupt"] == 0


@pytest.fixture
def normal():
    """Node 1 is Normal."""
    made = Rig("Normal")
    with made.m as m:
        yield made
        assert_valid(m)
        assert m.events()["corrupt"] == 0


@pytest.fixture
def movable():
    """Node 1 is Movable."""
    made = Rig("Movable")
    with made.m as m:
        yield made
        assert_valid(m)
        assert m.events()["corrupt"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_out_of_movable(movable, host_file, kind):
    """To the nearest node; none is dropped, written or swapped out."""
    m = movable.m
    made = KINDS[kind](m, host_file)
    before = m.events()
    came = movable.offline()

    after = m.events()
    assert m.nodes[1].zones == []
    assert came[2] >= made.pages
    assert came[0] <= 0
    assert after["pgmigrate_success"] - before["pgmigrate_success"] >= made.pages
    assert after["pswpout"] == before["pswpout"] == 0
    assert after["pgsteal"] == before["pgsteal"]
    if kind != "rewritten without pause":
        assert after["pgpgout"] == before["pgpgout"]
    made.after()
    assert made.look() in (True, (True, True), (True, True, True))


@pytest.mark.parametrize("make", [kinds.anonymous, mlocked])
def test_out_of_normal(normal, host_file, make):
    """Not into Movable, though that is nearer and has room: as captured."""
    m = normal.m
    # The block with the page tables is nearly full, so most pages are in the next.
    normal.fill(7680 * 1024)
    made = make(m, host_file)
    there = sum(normal.stat(n).user for n in NODE1 if n not in normal.busy())
    assert there > made.pages // 4
    came = normal.offline()
    assert came[0] >= there
    assert came[2] <= 0
    assert made.look() in (True, (True, True))


@pytest.mark.parametrize("kind", INDEXED)
def test_the_kernels_pages_keep_their_block(normal, host_file, kind):
    """EBUSY at once, before anything moves."""
    m = normal.m
    KINDS[kind](m, host_file)
    busy = normal.busy()
    assert busy
    moved = m.events()["pgmigrate_success"]
    for number in busy:
        assert refused(m, m.block_offline(number)) == "EBUSY"
    assert m.events()["pgmigrate_success"] == moved
    assert "page dumped because: unmovable page" in m.klog.text()


def test_page_tables_go_with_their_task(normal):
    """EBUSY while it runs, OK after its exit."""
    m = normal.m
    task, _ = kinds.task_of(m)
    busy = normal.busy()
    assert busy
    m.sched.run(task.exit())
    for number in busy:
        m.sched.run(m.block_offline(number))


def test_huge_pages_go_into_movable_from_anywhere(rig, host_file):
    """Those in use; the free ones are given back to the machine."""
    m = rig.m
    rig.fill(16 * MIB)
    made = kinds.huge(9)(m, host_file)
    rig.offline()
    assert m.hugetlb.figures(2).total == 2
    assert made.look()


def test_half_of_it_in_swap(movable):
    """Pages and swap cache move, what is swapped out stays there."""
    m = movable.m
    task, area = kinds.task_of(m)
    m.sched.run(m.disable_zone(7))
    for _ in range(10):
        m.sched.run(m.purge(7))
    m.sched.run(m.enable_zone(7))
    assert task.stat().swap == kinds.PAGES
    m.sched.run(task.touch(area, write=False, passes=1, nr=kinds.PAGES // 2))
    used, outs = m.snapshot().swap.used, m.events()["pswpout"]
    cached = m.snapshot().total.swapcache
    assert cached >= kinds.PAGES // 2
    movable.offline()
    assert m.snapshot().swap.used == used
    assert m.events()["pswpout"] == outs
    assert m.snapshot().total.swapcache == cached
    m.sched.run(task.touch(area, passes=1))


def test_short_pins_are_waited_for(movable, host_file):
    """Direct I/O into pages of the block: no error of either."""
    m = movable.m
    made = kinds.direct_io(m, host_file)
    movable.offline()
    assert m.nodes[1].zones == []
    assert made.look()


def test_spliced_pages_stay_until_a_signal(movable, host_file):
    """The others are gone by then, and stay gone; it goes when the pipe is closed."""
    m = movable.m
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(4 * MIB))
    pin = m.sched.run(m.pins.file(file, 0, 16, "pipe of 8"))
    jobs = [m.sched.spawn(m.block_offline(n), name="offline") for n in NODE1]
    for _ in range(300):
        if not m.sched.round():
            m.sched.advance(m.sched.next_due())
    held = next(job for job in jobs if not job.done)
    assert movable.in_use(1) == 16
    for job in jobs:
        m.sched.cancel(job)
    while not all(job.done for job in jobs):
        m.sched.round()
    assert isinstance(held.error, Cancelled)
    assert movable.in_use(1) == 16
    pin.release()
    for number in NODE1:
        if m.blocks.get(number).online:
            m.sched.run(m.block_offline(number))
    assert read(m, file) == pattern(4 * MIB)


def test_where_there_is_no_room_page_cache_goes_first(host_file):
    """Clean pages of files elsewhere are reclaimed for those that have to move."""
    rig = Rig("Movable")
    with rig.m as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(24 * MIB)
        m.sched.run(task.touch(area, passes=1))
        m.sched.run(m.disable_zone(7))
        file = m.files.create("file", host_file())
        write(m, file, 0, pattern(120 * MIB))
        m.sched.run(file.fsync())
        m.sched.run(m.enable_zone(7))
        steals = m.events()["pgsteal"]
        rig.offline()
        assert m.events()["pgsteal"] > steals
        m.sched.run(task.touch(area, write=False, passes=1))
        assert read(m, file) == pattern(120 * MIB)
        assert_valid(m)
