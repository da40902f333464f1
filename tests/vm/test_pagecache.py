"""Files of the page cache: bytes, read-ahead, descriptors, errors, truncation."""

from __future__ import annotations

import errno
import os

import pytest
from vmkit import MIB, PAGE, assert_valid, empty, pattern, read, small, write

from memfs.vm import VmError


@pytest.fixture
def file(machine, host_file):
    """A file of 4 MiB on the host, nothing of it in memory."""
    owner = host_file()
    owner.path.write_bytes(pattern(4 * MIB))
    file = machine.files.create("file", owner, size=4 * MIB)
    yield file
    assert_valid(machine)


@pytest.fixture
def shm(machine):
    """A file of tmpfs."""

    class Owner:
        def label(self):
            return "shm"

    return machine.files.create("shm", Owner())


def test_a_sequential_read_reads_every_page_once_and_128_kib_ahead(machine, file):
    """4 MiB are 1024 pages; the requests are windows, not pages."""
    assert read(machine, file, chunk=4096) == pattern(4 * MIB)

    disk = machine.snapshot().disk
    assert disk.read_pages == 1024
    assert disk.reads <= 33
    assert machine.events()["pgpgin"] == 4096


def test_the_first_read_has_two_windows_under_way(machine, file):
    """16 pages and the 32 behind them."""
    machine.sched.run(file.read(0, 100, machine.read_ahead()))

    assert file.stat().nrpages == 48


def test_a_random_read_reads_no_more_than_it_was_asked_for(machine, file):
    """Eight pages in the middle."""
    machine.sched.run(file.read(2 * MIB, 8 * PAGE, machine.read_ahead()))

    assert file.stat().nrpages == 8


def test_the_readahead_of_the_device_is_a_setting(machine, file):
    """In bytes; a descriptor keeps the one it was opened with."""
    machine.set_device("disk", readahead=16 * PAGE)
    machine.sched.run(file.read(0, 100, machine.read_ahead()))

    assert file.stat().nrpages == 8 + 16


@pytest.mark.parametrize(
    ("readahead", "sequential", "random"), [(0, 1, 1), (32, 48, 1), (8, 12, 1)]
)
def test_readahead_says_how_many_pages_a_miss_reads(
    machine, file, readahead, sequential, random
):
    """The first page of a file begins a sequence; one in its midst does not."""
    machine.set_device("disk", readahead=readahead * PAGE)
    for page, nr in ((0, sequential), (700, random)):
        before = machine.snapshot().disk.read_pages
        machine.sched.run(file.read(page * PAGE, 100, machine.read_ahead()))
        assert machine.snapshot().disk.read_pages == before + nr


def test_without_readahead_requests_are_still_merged(machine, file):
    """What is written together is one request, and so is a long read."""
    machine.set_device("disk", readahead=0)
    file.write_now(0, bytes(32 * PAGE))
    machine.sched.run(file.fsync())
    assert machine.snapshot().disk.writes == 1
    assert (
        read(machine, file, MIB, MIB, chunk=32 * PAGE) == pattern(4 * MIB)[MIB:][:MIB]
    )
    assert machine.snapshot().disk.reads == 8


def test_read_now_reads_what_is_resident_and_else_nothing(machine, file):
    """It neither waits nor marks pages that it does not return."""
    ra = machine.read_ahead()
    assert file.read_now(0, PAGE, ra) is None
    assert file.stat().nrpages == 0
    machine.sched.run(file.read(0, PAGE, ra))
    version = machine.version
    assert bytes(file.read_now(0, PAGE, ra)) == pattern(PAGE)
    assert machine.version > version


def test_reads_end_with_the_file(machine, file):
    """Short at the end, empty behind it."""
    assert (
        len(machine.sched.run(file.read(4 * MIB - 5, 100, machine.read_ahead()))) == 5
    )
    assert machine.sched.run(file.read(4 * MIB, 100, machine.read_ahead())) == b""
    assert file.read_now(5 * MIB, 1, machine.read_ahead()) == b""


def test_a_write_in_part_reads_the_rest_of_its_pages(machine, file):
    """And only those."""
    assert file.write_now(PAGE + 10, bytes(PAGE)) is None
    machine.sched.run(file.write(PAGE + 10, bytes(PAGE)))

    assert machine.snapshot().disk.read_pages == 2
    want = bytearray(pattern(4 * MIB))
    want[PAGE + 10 : 2 * PAGE + 10] = bytes(PAGE)
    assert read(machine, file) == bytes(want)
    machine.sched.run(file.fsync())
    assert file.owner.path.read_bytes() == bytes(want)


def test_a_whole_page_is_written_without_reading_it(machine, file):
    """Nor is a page behind the end of the file read."""
    assert file.write_now(0, bytes(PAGE)) == PAGE
    assert file.write_now(4 * MIB + 100, b"end") == 3
    assert file.size == 4 * MIB + 103
    assert machine.snapshot().disk.reads == 0


def test_the_descriptor_is_held_while_there_is_io(machine, file):
    """Asked for before the first write, given back when all is clean."""
    owner = file.owner
    file.write_now(0, bytes(PAGE))
    assert owner.fd >= 0
    file.settle()
    assert owner.fd >= 0
    machine.sched.run(file.fsync())
    assert owner.fd == -1
    assert owner.opened == 1


def test_an_owner_that_cannot_open_its_file(machine, file):
    """The host's errno is the error of the read or write."""

    def refuse():
        raise OSError(errno.EMFILE, "too many")

    file.owner.need_fd = refuse
    assert file.write_now(0, bytes(PAGE)) is None
    for op in (file.write(0, b"x"), file.read(0, 1, machine.read_ahead())):
        with pytest.raises(VmError) as caught:
            machine.sched.run(op)
        assert caught.value.name == "EMFILE"


def test_a_failed_write_back_is_reported_once_by_fsync(machine, file):
    """The page stays dirty and is written when the disk is well again."""
    file.write_now(0, b"x" * PAGE)
    machine.set_fault("disk", True, errno.EIO)
    with pytest.raises(VmError, match="could not be written") as caught:
        machine.sched.run(file.fsync())
    assert caught.value.name == "EIO"
    machine.set_fault("disk", True, 0)
    machine.sched.run(file.fsync())
    assert file.owner.path.read_bytes()[:PAGE] == b"x" * PAGE
    assert file.stat().nr_dirty == 0


def test_a_failed_read_is_eio_and_can_be_tried_again(machine, file):
    """An error is not kept for ever."""
    machine.set_fault("disk", False, errno.EIO)
    with pytest.raises(VmError) as caught:
        machine.sched.run(file.read(0, PAGE, machine.read_ahead()))
    assert caught.value.name == "EIO"
    machine.set_fault("disk", False, 0)
    assert read(machine, file, 0, PAGE) == pattern(PAGE)


def test_a_failed_read_ahead_is_no_error_of_the_next_reader(machine, file):
    """It reads the page again; nobody had waited for the one that failed."""
    machine.set_fault("disk", False, errno.EIO)
    machine.sched.run(file.submit_ahead(0, 64))
    machine.sched.run_until(machine.now + 10**9)
    assert file.stat().nr_locked == 0
    machine.set_fault("disk", False, 0)

    assert read(machine, file, 0, 64 * PAGE) == pattern(64 * PAGE)
    task = machine.tasks.create("t", 1)
    machine.set_fault("disk", False, errno.EIO)
    machine.sched.run(file.submit_ahead(100, 4))
    machine.sched.run_until(machine.now + 10**9)
    machine.set_fault("disk", False, 0)
    area = task.mmap_file(file, file.size)
    machine.sched.run(task.touch(area, write=False, passes=1))


def test_each_reader_tries_for_itself(machine, file):
    """The one that reads while the disk is ill gets EIO, and it alone."""
    machine.set_fault("disk", False, errno.EIO)
    jobs = [
        machine.sched.spawn(file.read(0, PAGE, machine.read_ahead()), name=f"r{i}")
        for i in range(3)
    ]
    machine.sched.run_until(machine.now + 10**9)
    assert [getattr(job.error, "name", None) for job in jobs] == ["EIO"] * 3
    with pytest.raises(VmError, match="could not be read"):
        machine.sched.run(file.write(10, b"part of a page"))
    assert file.write_now(0, b"y" * PAGE) == PAGE
    machine.set_fault("disk", False, 0)

    assert read(machine, file, 0, 2 * PAGE) == b"y" * PAGE + pattern(2 * PAGE)[PAGE:]


# Punch


def punched(machine, file, off, n):
    """What the volume does: the host's file and the page cache, twice."""
    for _ in range(2):
        with open(file.owner.path, "r+b") as host:
            have = os.fstat(host.fileno()).st_size
            host.seek(off)
            host.write(bytes(max(0, min(n, have - off))))
        machine.sched.run(file.punch(off, n))


@pytest.mark.parametrize(
    ("off", "n"),
    [(0, 4 * PAGE), (100, 200), (100, 2 * PAGE), (PAGE - 1, 2), (3 * PAGE, 9 * MIB)],
)
def test_punch_forgets_whole_pages_and_zeroes_parts(machine, file, off, n):
    """Dirty or clean; nothing of it is written."""
    want = bytearray(pattern(4 * MIB))
    want[off : off + n] = bytes(len(want[off : off + n]))
    read(machine, file, 0, 64 * PAGE)
    before = file.stat().nrpages
    file.write_now(2 * PAGE, pattern(4 * MIB)[2 * PAGE : 8 * PAGE])
    punched(machine, file, off, n)

    whole = max(0, min((off + n) // PAGE, before) - -(-off // PAGE))
    assert file.stat().nrpages == before - whole
    assert machine.snapshot().disk.writes == 0
    assert read(machine, file) == bytes(want)
    machine.sched.run(file.fsync())
    assert file.owner.path.read_bytes() == bytes(want)


def test_punch_waits_for_what_is_in_flight(machine, file):
    """A page that is being read or written goes when that has ended."""
    file.write_now(0, pattern(8 * PAGE))
    machine.sched.run(file.writeback())
    machine.sched.run(file.submit_ahead(100, 8))
    job = machine.sched.spawn(file.punch(0, MIB), name="punch")
    machine.sched.round()
    assert not job.done
    machine.sched.run_until(machine.now + 10**9)
    assert job.done
    assert file.stat().nrpages == 0


def test_punch_of_tmpfs_frees_pages_and_swap(machine, shm):
    """And a page in part comes back from swap to be zeroed."""
    data = bytearray(pattern(4 * MIB))
    write(machine, shm, 0, bytes(data))
    machine.sched.run(machine.disable_node(1))
    empty(machine, 5)
    empty(machine, 6)
    machine.sched.run(machine.enable_node(1))
    assert shm.stat().nr_swapped > 0
    machine.sched.run(shm.punch(100, 4 * MIB - 200))
    stat = shm.stat()
    assert stat.nrpages + stat.nr_swapped == 2
    data[100:-100] = bytes(len(data) - 200)
    assert read(machine, shm) == bytes(data)


# O_DIRECT


def test_a_direct_read_sees_what_is_dirty_and_caches_nothing(machine, file):
    """Only what is dirty of its range is written; the disk's time passes."""
    file.write_now(PAGE, b"x" * PAGE)
    file.write_now(900 * PAGE, b"y" * PAGE)
    machine.sched.run(file.flush(0, 64 * PAGE, drop=False))
    assert file.stat().nr_dirty == 1
    before, began = machine.snapshot().disk.read_pages, machine.now
    data = machine.sched.run(file.direct_read(0, 64 * PAGE))

    assert data[PAGE : 2 * PAGE] == b"x" * PAGE
    assert data[2 * PAGE :] == pattern(64 * PAGE)[2 * PAGE :]
    assert machine.snapshot().disk.read_pages == before + 64
    disk = machine.disk
    took = disk.latency_ns + 64 * PAGE * 10**9 // disk.bandwidth
    assert machine.now - began == took
    assert file.stat().nrpages == 2
    assert (
        machine.sched.run(file.direct_read(file.size - 5, 512))
        == data[:0] + (pattern(4 * MIB)[-5:])
    )
    assert machine.sched.run(file.direct_read(file.size, 512)) == b""


def test_a_direct_write_drops_what_is_cached_of_its_range(machine, file):
    """Then everybody reads it; beyond the end the file grows."""
    ra = machine.read_ahead()
    file.write_now(PAGE, b"x" * 100 * PAGE)
    machine.sched.run(file.flush(512, 64 * PAGE, drop=True))
    assert file.stat().nrpages == 100 - 64
    assert machine.sched.run(file.direct_write(512, b"d" * 64 * PAGE)) == 64 * PAGE
    assert machine.sched.run(file.read(0, 2 * PAGE, ra))[512:] == b"d" * (
        2 * PAGE - 512
    )
    assert file.read_now(80 * PAGE, PAGE, ra) == b"x" * PAGE
    machine.sched.run(file.direct_write(4 * MIB + 512, b"e" * 512))
    assert file.size == 4 * MIB + 1024
    assert read(machine, file, 4 * MIB) == bytes(512) + b"e" * 512
    machine.sched.run(file.fsync())
    assert file.owner.path.read_bytes() == read(machine, file)


def test_direct_transfers_wait_for_room_and_fail_as_others_do(machine, file):
    """Two in flight at most; an injected error is the caller's."""
    machine.set_device("disk", requests=2)
    machine.sched.run(file.direct_read(0, 4 * MIB))
    machine.set_fault("disk", False, errno.ENXIO)
    with pytest.raises(VmError) as caught:
        machine.sched.run(file.direct_read(0, PAGE))
    assert caught.value.name == "ENXIO"
    machine.set_fault("disk", False, 0)
    file.write_now(0, b"x" * PAGE)
    machine.set_fault("disk", True, errno.ENOSPC)
    with pytest.raises(VmError) as caught:
        machine.sched.run(file.flush(0, PAGE, drop=True))
    assert caught.value.name == "ENOSPC"
    assert file.stat().nr_dirty == 1
    machine.set_fault("disk", True, 0)


def test_truncate_drops_pages_and_zeroes_the_tail(machine, file):
    """What is read behind the old end is zero."""
    read(machine, file)
    machine.sched.run(file.truncate(PAGE + 7))
    assert file.stat().nrpages == 2
    file.owner.path.write_bytes(pattern(PAGE + 7))
    machine.sched.run(file.truncate(3 * PAGE))
    assert read(machine, file) == pattern(PAGE + 7) + bytes(2 * PAGE - 7)


def test_truncate_waits_for_pages_under_write_back(machine, file):
    """They go when the transfer has ended."""
    file.write_now(0, bytes(MIB))
    machine.sched.run(file.writeback())
    job = machine.sched.spawn(file.truncate(0), name="truncate")
    machine.sched.round()
    assert not job.done
    machine.sched.run_until(machine.now + 10**9)
    assert job.done
    assert file.stat().nrpages == 0


def test_drop_forgets_dirty_pages(machine, file):
    """An unlinked file is never written; its descriptor is given back."""
    file.write_now(0, bytes(MIB))
    machine.sched.run(file.drop())

    assert file.dead
    assert file.owner.fd == -1
    assert machine.snapshot().disk.writes == 0
    assert machine.files.all() == []
    assert machine.writeback.dirty == {}
    machine.sched.run(file.drop())


def test_a_file_that_a_task_maps_goes_with_its_last_area(machine, file):
    """drop() before munmap()."""
    task = machine.tasks.create("t", 1)
    area = task.mmap_file(file, file.size, write=True)
    machine.sched.run(task.touch(area, passes=1))
    machine.sched.run(file.drop())
    assert not file.dead
    machine.sched.run(task.munmap(area))
    assert file.dead
    assert machine.files.all() == []


def test_too_large_is_efbig(machine, file):
    """A page index has 31 bits."""
    for op in (file.write(1 << 43, b"x"), file.truncate((1 << 43) + 1)):
        with pytest.raises(VmError) as caught:
            machine.sched.run(op)
        assert caught.value.name == "EFBIG"


def test_tmpfs_goes_to_swap_and_comes_back(machine):
    """Its pages have no other place; holes read as zero."""

    class Owner:
        def label(self):
            return "shm"

    shm = machine.files.create("shm", Owner())
    data = pattern(8 * MIB)
    write(machine, shm, 0, data)
    machine.sched.run(shm.truncate(9 * MIB))
    machine.sched.run(machine.disable_node(1))
    assert empty(machine, 6) is not None
    assert shm.stat().nr_swapped > 0
    assert read(machine, shm) == data + bytes(MIB)
    assert machine.events()["pswpin"] > 0
    assert machine.snapshot().total.dirty == 0
    machine.sched.run(shm.drop())
    assert machine.core.swap_stat().used == machine.core.swap_stat().cached


def test_a_file_larger_than_memory(host_file):
    """Pages come and go; every byte is right; node 0 is never exhausted."""
    with small() as m:
        owner = host_file()
        file = m.files.create("file", owner)
        data = pattern(60 * MIB)
        write(m, file, 0, data)
        assert read(m, file) == data
        m.sched.run(file.fsync())
        assert owner.path.read_bytes() == data
        assert m.events()["oom_kill"] == 0
        assert_valid(m)


def test_host_memory_bounds_the_bytes(host_file):
    """Bytes of clean pages are dropped and read again; the model does not notice."""
    with small(host_memory=2 * MIB) as m:
        file = m.files.create("file", host_file())
        shm = m.files.create("shm", host_file())
        data = pattern(6 * MIB)
        write(m, file, 0, data)
        write(m, shm, 0, data)
        m.sched.run(file.fsync())
        assert m.core.host_stat().resident <= 512
        assert read(m, file) == data
        assert read(m, shm) == data
        assert_valid(m)


@pytest.mark.parametrize("kind", ["file", "shm"])
def test_a_small_file_is_dropped_at_once(machine, file, shm, kind):
    """As drop() does; what is on its way to the disk, mapped or large takes that."""
    small_one = {"file": file, "shm": shm}[kind]
    write(machine, small_one, 0, pattern(MIB))
    if kind == "file":
        machine.sched.run(file.writeback())
        assert file.stat().nr_writeback
        assert not file.light()
        assert not file.drop_now()
        machine.sched.run(file.fsync())
        assert file.stat().nrpages == 256
    assert small_one.light()
    assert small_one.drop_now()
    assert small_one.dead
    assert not small_one.light()
    assert not small_one.drop_now()
    assert small_one not in machine.files.all()
    assert_valid(machine)


def test_a_large_file_is_not_dropped_at_once(machine, shm):
    write(machine, shm, 0, bytes(17 * MIB))
    assert not shm.light()
    assert not shm.drop_now()
    assert shm.stat().nrpages == 17 * 256
    machine.sched.run(shm.drop())
    assert shm.dead
