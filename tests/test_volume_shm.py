"""shm/: limits, and what the model's tmpfs has of its own."""

import errno
import stat

import pytest
from fakes_pagefile import FakeCache, FakePump
from hypothesis import given
from hypothesis import strategies as st
from test_volume_common import refuses
from volumedriver import ME, Driver

from memfs.files.paged.extents import Extents
from memfs.files.shmfs import limit, shm_volume

PAGE = 4096


@pytest.fixture
def vol():
    """Ten pages, fifty inodes."""
    return Driver(
        shm_volume(FakeCache(), FakePump(), ram_pages=100, size=str(10 * PAGE))
    )


def free(vol):
    return vol.run(vol.volume.statfs()).bfree


def test_the_default_size_is_half_of_the_memory():
    vol = Driver(shm_volume(FakeCache(), FakePump(), ram_pages=100))

    assert vol.run(vol.volume.statfs()).blocks == 50


@pytest.mark.parametrize(
    ("size", "pages"),
    [("1", 1), ("4096", 1), ("4097", 2), ("50%", 500), ("150%", 1500), ("1%", 10)],
)
def test_size_is_as_tmpfs_has_it(size, pages):
    """Bytes, rounded up to pages, or a share of the memory, which may be all of it."""
    assert limit(size, 1000) == pages
    vol = Driver(shm_volume(FakeCache(), FakePump(), ram_pages=1000, size=size))
    assert vol.run(vol.volume.statfs()).blocks == pages


@pytest.mark.parametrize("size", ["0", "0%"])
def test_size_0_is_no_limit(size):
    """statfs shows no blocks then, and df leaves it out."""
    vol = Driver(shm_volume(FakeCache(), FakePump(), ram_pages=10, size=size))
    vol.put("f", bytes(20 * PAGE))
    st = vol.run(vol.volume.statfs())
    assert (st.blocks, st.bfree, st.bavail) == (0, 0, 0)


def test_root_is_for_everybody(vol):
    assert vol.attr("").mode == stat.S_IFDIR | 0o1777


def test_no_space(vol):
    fh = vol.create("f")
    assert vol.write(fh, 0, bytes(20 * PAGE)) == 10 * PAGE
    refuses(errno.ENOSPC, vol.write, fh, 10 * PAGE, b"x")
    assert vol.write(fh, 5, b"x") == 1
    assert free(vol) == 0
    vol.close(fh)


def test_holes_cost_nothing(vol):
    vol.put("f", b"")
    vol.set("f", size=1 << 30)
    assert free(vol) == 10
    fh = vol.open("f", 2)
    vol.write(fh, 1 << 20, b"x")

    assert free(vol) == 9
    assert vol.attr("f").blocks == 8
    vol.close(fh)


def test_space_comes_back(vol):
    vol.put("f", bytes(8 * PAGE))
    vol.set("f", size=3 * PAGE + 1)
    assert free(vol) == 6
    fh = vol.open("f")
    vol.unlink("f")
    assert free(vol) == 6
    vol.close(fh)
    assert free(vol) == 10


def test_fallocate_takes_all_or_nothing(vol):
    fh = vol.create("f")
    refuses(errno.ENOSPC, lambda: vol.run(vol.volume.fallocate(fh, 0, 0, 11 * PAGE)))
    assert free(vol) == 10
    vol.run(vol.volume.fallocate(fh, 0, 0, 10 * PAGE))
    assert free(vol) == 0
    vol.run(vol.volume.fallocate(fh, 3, PAGE, 3 * PAGE))
    assert free(vol) == 3
    vol.close(fh)


def test_no_inodes(vol):
    for i in range(49):
        vol.mknod(f"{i}", stat.S_IFREG | 0o600)
    refuses(errno.ENOSPC, vol.mkdir, "d")
    vol.unlink("3")
    vol.mkdir("d")
    assert vol.run(vol.volume.statfs()).ffree == 0


def test_size_of_a_directory_follows_its_entries(vol):
    vol.put("a", b"")
    vol.put("b", b"")

    assert vol.attr("").size == 40


@pytest.mark.python
def test_a_directory_of_a_hundred_thousand():
    vol = Driver(shm_volume(FakeCache(), FakePump(), ram_pages=1_000_000))
    for i in range(100_000):
        vol.run(vol.volume.mknod(1, b"%d" % i, stat.S_IFREG | 0o600, 0, ME))
    seen, cookie = [], 0
    while batch := vol.run(vol.volume.readdir(1, cookie)):
        seen += [entry.name for entry in batch]
        cookie = batch[len(batch) // 2].cookie if len(seen) < 1000 else batch[-1].cookie
        victim = seen[-1]
        if len(seen) > 2000 and victim != b"..":
            vol.run(vol.volume.unlink(1, victim))

    assert set(seen) == {b"%d" % i for i in range(100_000)} | {b".", b".."}


ranges = st.tuples(st.integers(0, 40), st.integers(1, 20))
steps = st.lists(st.tuples(st.booleans(), ranges))


@given(steps, ranges, st.integers(0, 20))
def test_extents_are_sets_of_pages(changes, probe, room):
    extents, model = Extents(), set()
    for add, (first, length) in changes:
        pages = set(range(first, first + length))
        if add:
            assert extents.add(first, first + length) == len(pages - model)
            model |= pages
        else:
            assert extents.remove(first, first + length) == len(pages & model)
            model -= pages
        assert extents.total == len(model)
    first, end = probe[0], probe[0] + probe[1]
    assert extents.missing(first, end) == len(set(range(first, end)) - model)
    reach = extents.reach(first, end, room)
    assert len(set(range(first, reach)) - model) <= room
    assert reach == end or len(set(range(first, reach + 1)) - model) == room + 1
    data = extents.next_data(first)
    assert data == min((p for p in model if p >= first), default=None)
    hole = extents.next_hole(first)
    assert hole == next(p for p in range(first, 100) if p not in model)
