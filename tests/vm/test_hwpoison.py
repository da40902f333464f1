"""Pages that are taken out of use, while what was in them lives on."""

from __future__ import annotations

import errno
from array import array

import pytest
from vmkit import MIB, assert_valid, pattern, read, refused, write

from memfs.vm import Layout, Machine, VmError
from memfs.vm._ffi import PageType, ZoneItem

PAGE = 4096
KPF_LRU, KPF_ANON, KPF_HUGE = 5, 12, 17


@pytest.fixture
def m():
    """The captured machine of Linux 6.1."""
    with Machine(Layout.builtin("modern")) as machine:
        yield machine
        assert_valid(machine)
        assert machine.events()["corrupt"] == 0


def offline(m, pfn):
    m.sched.run(m.soft_offline(pfn * PAGE))


def hog(m, mib, pid=1):
    task = m.tasks.create("hog", pid)
    area = task.mmap_anon(mib * MIB)
    m.sched.run(task.touch(area, passes=1))
    return task, area


def pages(m, bit):
    """pfns whose page has a bit of kpageflags, in order."""
    for zone in m.zones.values():
        flags = array("Q", m.core.kpage(zone.start_pfn, zone.spanned, False))
        yield from (
            zone.start_pfn + i for i, word in enumerate(flags) if word >> bit & 1
        )


def poisoned(m):
    return sum(zone.stat().item[ZoneItem.NR_HWPOISON] for zone in m.zones.values())


def test_a_page_in_use_moves(m):
    """Its task finds what it had written; the frame is nobody's for ever."""
    task, area = hog(m, 64)
    before = m.snapshot().total
    pfns = list(pages(m, KPF_ANON))[::300][:50]
    for pfn in pfns:
        offline(m, pfn)
    assert (m.poisoned, poisoned(m)) == (50, 50)
    after = m.snapshot().total
    assert (after.managed, after.anon) == (before.managed, before.anon)
    assert before.free + before.pcp - after.free - after.pcp == 50
    m.sched.run(task.touch(area, write=False, passes=1))
    m.sched.run(task.exit())
    hog(m, 3500, 2)
    assert all(m.core.page_info(pfn).type == PageType.HWPOISON for pfn in pfns)


def test_again_is_no_error(m):
    """It is said, and counted once."""
    offline(m, 200_000)
    offline(m, 200_000)
    assert m.poisoned == 1
    assert "already poisoned" in m.klog.text()


@pytest.mark.parametrize("touched", [False, True])
def test_a_free_page_goes_at_once(m, touched):
    """Out of its block, whether that was ever taken or not."""
    if touched:
        task, _ = hog(m, 256)
        m.sched.run(task.exit())
    before = m.snapshot().total
    for pfn in (100_000, 100_001, 100_003, 100_511, 1_100_000):
        offline(m, pfn)
    after = m.snapshot().total
    assert before.free + before.pcp - after.free - after.pcp == 5
    assert poisoned(m) == 5


def test_a_clean_page_of_a_file_is_dropped_a_dirty_one_moves(m, host_file):
    """Either way the file is what it was."""
    file = m.files.create("file", host_file())
    data = pattern(MIB)
    write(m, file, 0, data)
    m.sched.run(m.sync())
    write(m, file, 0, data[: MIB // 2])
    m.core.drain_pagevecs()
    found = {}
    for pfn in pages(m, KPF_LRU):
        found[m.core.page_info(pfn).index] = pfn
    offline(m, found[255])
    assert m.snapshot().total.file == 255
    assert "invalidated" in m.klog.text()
    offline(m, found[3])
    assert (m.snapshot().total.file, m.snapshot().total.dirty) == (255, 128)
    assert read(m, file) == data


def test_a_pinned_page_is_busy(m):
    """EBUSY, and nothing has changed; it goes when it is let go."""
    task, area = hog(m, 1)
    pin = m.sched.run(m.pins.area(task, area, 7, 1, "test"))
    [pfn] = [p for p in pages(m, KPF_ANON) if m.core.page_info(p).pins]
    with pytest.raises(VmError) as caught:
        offline(m, pfn)
    assert caught.value.name == "EBUSY"
    assert poisoned(m) == 0
    pin.release()
    offline(m, pfn)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0, "EIO"),
        (4096, "EIO"),
        (14 << 27, "OK"),
        ((16 << 27) - 4096, "EIO"),
        (16 << 27, "ENXIO"),
        (3 << 30, "ENXIO"),
        (1 << 40, "ENXIO"),
        ((1 << 64) - 1, "ENXIO"),
    ],
)
def test_what_is_no_page_of_users(m, address, name):
    """The firmware's, a hole of a block, no block, no memory at all."""
    if name == "OK":
        m.sched.run(m.soft_offline(address))
        return
    assert refused(m, m.soft_offline(address)) == name


def test_kernel_pages_and_reserved_ones_stay(m):
    """EIO: they are on no list."""
    pfn = m.core.alloc(0, 0, 0)
    assert refused(m, m.soft_offline(pfn * PAGE)) == "EIO"
    [reserved] = [
        p
        for p in range(m.zones[6].start_pfn + 262143, m.zones[6].start_pfn + 262144)
        if m.core.page_info(p).type == PageType.RESERVED
    ]
    assert refused(m, m.soft_offline(reserved * PAGE)) == "EIO"


def test_an_offline_block(m):
    """EIO: it is memory, but not online."""
    m.sched.run(m.block_offline(35))
    assert refused(m, m.soft_offline(35 << 27)) == "EIO"


def test_its_block_goes_and_comes_back_with_a_page_like_others(m):
    """As captured: MemFree is MemTotal again, HardwareCorrupted stays."""
    pfn = 35 * 32768 + 5
    offline(m, pfn)
    offline(m, pfn + 1)
    free = m.snapshot().total.free
    m.sched.run(m.block_offline(35))
    assert (m.poisoned, poisoned(m)) == (2, 0)
    m.sched.run(m.block_online(35))
    assert m.snapshot().total.free == free + 2
    assert m.poisoned == 2
    assert m.core.page_info(pfn).type != PageType.HWPOISON


def test_a_node_with_such_pages_can_be_unplugged():
    """To take bad memory away is what unplug is for."""
    with Machine(Layout.builtin("2004")) as m:
        m.sched.run(m.soft_offline((64 * 2048 + 9) * PAGE))
        assert m.zones[5].in_use == 0
        m.sched.run(m.disable_node(1))
        assert m.sched.run(m.remap(5)).left == 0
        m.sched.run(m.unplug(1))
        m.sched.run(m.plug(1))
        assert m.poisoned == 1
        assert_valid(m)


def test_of_a_huge_page_one_page_goes(m):
    """A free one is a block no more, one in use moves; one that is promised stays."""
    m.sched.run(m.hugetlb.resize(3, nid=1))
    [first, *_] = pages(m, KPF_HUGE)
    offline(m, first + 77)
    assert m.hugetlb.stat() == (2, 2)
    task = m.tasks.create("database", 7)
    area = task.mmap_huge(2)
    [second, *_] = pages(m, KPF_HUGE)
    assert refused(m, m.soft_offline((second + 5) * PAGE)) == "EBUSY"
    m.sched.run(task.touch(area, passes=1))
    offline(m, second + 5)
    assert m.hugetlb.stat() == (0, 2)
    m.sched.run(task.touch(area, passes=1))
    assert poisoned(m) == 2


def test_there_is_nowhere_to_go():
    """ENOMEM, and the page stays where it is."""
    text = 'kernel = "6.1"\nswap = "0"\n[[node]]\nsize = "64M"\n'
    with Machine(Layout.parse(text)) as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(64 * MIB)
        with pytest.raises(VmError):
            m.sched.run(task.touch(area, passes=1))
        left = m.snapshot().total.anon
        if left:
            [pfn, *_] = pages(m, KPF_ANON)
            assert refused(m, m.soft_offline(pfn * PAGE)) == errno.errorcode[12]
        assert_valid(m)
