"""Pages of which the real kernel has a copy: marks, asking back, what may go when."""

from __future__ import annotations

import pytest
from vmkit import PAGE, HostFile, assert_valid, empty, pattern, read, small, write

from memfs.vm._ffi import ZoneItem

ZONES = (5, 6)


class Kernel:
    """A hook that keeps what it is asked for until the test gives it back."""

    def __init__(self, m):
        self.m = m
        self.asked = []
        m.revoke.hook = self.asked.extend

    def give_back(self, kept=False):
        ranges, self.asked[:] = self.asked[:], []
        return self.m.revoke.done(ranges, kept)


@pytest.fixture
def m():
    with small() as machine:
        yield machine


@pytest.fixture(params=["file", "shm"])
def file(request, m, tmp_path):
    """A file of 256 pages, clean and at rest, all of them behind closed gates."""
    made = m.files.create(request.param, HostFile(tmp_path / "a"))
    write(m, made, 0, pattern(256 * PAGE))
    m.sched.run(made.fsync())
    for zid in ZONES:
        m.sched.run(m.disable_zone(zid))
    m.core.drain_pagevecs()
    return made


def fault(m, file, first=0, nr=256):
    """The real kernel reads pages; its own bytes come with it."""
    data = file.read_now(first * PAGE, nr * PAGE, m.read_ahead(), True)
    if data is None:
        op = file.read(first * PAGE, nr * PAGE, m.read_ahead(), True)
        data = m.sched.run(op)
    return data


def write_out(m, file, off, data):
    """The real kernel writes a page that was stored into."""
    data = data.ljust(PAGE, b".")
    if file.write_now(off, data, 0, True) is None:
        m.sched.run(file.write(off, data, 0, True))


def mapped(m):
    assert_valid(m)
    stats = [m.zone_stat(zid).item[ZoneItem.NR_CLIENT] for zid in m.zones]
    assert sum(stats) == m.snapshot().total.client
    return sum(stats)


def start_purges(m):
    """A purge of both zones, for they are of one node, as far as it gets."""
    jobs = [m.sched.spawn(m.purge(5), name="purge")]
    settle(m, jobs)
    return jobs


def settle(m, jobs):
    """Run until every job is done or waits for the real kernel."""
    for _ in range(10_000):
        if m.sched.round():
            continue
        if all(job.done or job.waiting == "revocation" for job in jobs):
            return
        m.sched.advance(m.sched.next_due() or m.now)
    raise AssertionError([job.waiting for job in jobs])


def left(m):
    return sum(m.zones[zid].in_use for zid in ZONES)


def test_reading_for_a_fault_marks_and_reading_does_not(m, file):
    assert read(m, file) == pattern(256 * PAGE)
    assert mapped(m) == 0
    assert fault(m, file, 10, 5) == pattern(256 * PAGE)[10 * PAGE : 15 * PAGE]
    assert mapped(m) == 5
    m.sched.run(file.truncate(12 * PAGE))
    assert mapped(m) == 2
    m.sched.run(file.drop())
    assert mapped(m) == 0


def test_without_a_hook_what_is_asked_back_is_back_at_once(m, file):
    fault(m, file)
    for zid in ZONES:
        assert empty(m, zid) is not None
    assert mapped(m) == 0
    assert m.events()["pgrevoked"] == 256
    assert read(m, file) == pattern(256 * PAGE)


def test_a_purge_waits_for_the_kernel_and_then_empties_the_zones(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    assert left(m) >= 256
    assert sum(one.nr for one in kernel.asked) == m.revoke.outstanding == 256
    assert mapped(m) == 256
    assert m.sched.run(m.why(5)).keys() | m.sched.run(m.why(6)).keys() >= {"revoking"}
    assert kernel.give_back() == 256
    settle(m, jobs)
    assert all(job.done for job in jobs)
    assert left(m) == 0
    assert mapped(m) == 0
    assert read(m, file) == pattern(256 * PAGE)


def test_a_page_that_was_refaulted_stays(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    fault(m, file, 7, 3)
    assert kernel.give_back() == 253
    assert mapped(m) == 3
    settle(m, jobs)
    # Asked for once more, and not touched since.
    assert sum(one.nr for one in kernel.asked) == 3
    kernel.give_back()
    settle(m, jobs)
    assert left(m) == 0


def test_dirty_pages_come_back_first_and_are_written(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    write_out(m, file, 3 * PAGE, b"stored")
    assert kernel.give_back() == 256
    settle(m, jobs)
    assert left(m) == 0
    assert read(m, file, 3 * PAGE, 6) == b"stored"
    assert_valid(m)


def test_a_page_that_is_written_back_without_a_fault_is_marked(m, file):
    write_out(m, file, 3 * PAGE, b"stored")
    assert mapped(m) == 1


def test_a_purge_gives_up_when_the_patience_ends(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    for _ in range(40):
        m.revoke.expire()
        settle(m, jobs)
    assert all(job.done for job in jobs)
    assert left(m) >= 256
    kernel.give_back()
    for zid in ZONES:
        assert empty(m, zid) is not None


def test_what_cannot_be_had_stays_marked(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    assert kernel.give_back(kept=True) == 0
    assert mapped(m) == 256
    settle(m, jobs)
    while kernel.asked:
        kernel.give_back(kept=True)
        settle(m, jobs)
    assert all(job.done for job in jobs)
    assert mapped(m) == 256


def test_a_file_that_ends_meanwhile_is_no_matter(m, file):
    kernel = Kernel(m)
    fault(m, file)
    jobs = start_purges(m)
    m.sched.spawn(file.drop(), name="drop")
    settle(m, jobs)
    other = m.files.create("shm", file.owner)
    write(m, other, 0, pattern(16 * PAGE))
    assert kernel.give_back() == 0
    settle(m, jobs)
    assert m.revoke.outstanding == 0
    assert mapped(m) == 0


def test_ranges_join_pages_that_lie_together(m, file):
    kernel = Kernel(m)
    fault(m, file, 0, 100)
    fault(m, file, 200, 10)
    start_purges(m)
    ranges = sorted((one.first, one.nr) for one in kernel.asked)
    covered = [at for first, nr in ranges for at in range(first, first + nr)]
    assert covered == [*range(100), *range(200, 210)]
    assert len(ranges) <= 6


def test_an_allocation_takes_pages_before_they_are_back_in_the_last_resort(tmp_path):
    """Whoever waits for memory may be whom the kernel waits for."""
    with small(swap="0") as m:
        kernel = Kernel(m)
        file = m.files.create("file", HostFile(tmp_path / "a", 64 << 20))
        file.m.core.mapping_size(file.id, 64 << 20)
        file.size = 64 << 20
        job = m.sched.spawn(everything(m, file), name="faults")
        for _ in range(100_000):
            if job.done:
                break
            if not m.sched.round():
                due = m.sched.next_due()
                if job.waiting == "revocation":
                    m.revoke.expire()
                elif due is not None:
                    m.sched.advance(due)
        job.value()
        assert kernel.asked
        assert m.snapshot().total.client > 0
        assert_valid(m)


def everything(m, file):
    for first in range(0, (64 << 20) // PAGE, 32):
        data = yield from file.read(first * PAGE, 32 * PAGE, m.read_ahead(), True)
        assert data == bytes(32 * PAGE)


def test_a_copy_that_comes_back_takes_back_nothing_written_beside_it(m, file):
    """Stores and a write meet in one page: both stay, whichever is later."""
    off = 3 * PAGE
    copy = bytearray(fault(m, file, 3, 1))
    write(m, file, off + 100, b"written")
    copy[200:206] = b"stored"
    write_out(m, file, off, copy)
    # The kernel still has that copy, and was told of no write.
    copy[300:305] = b"again"
    write_out(m, file, off, copy)
    seen = read(m, file, off, PAGE)
    assert (seen[100:107], seen[200:206], seen[300:305]) == (
        b"written",
        b"stored",
        b"again",
    )

    copy = bytearray(fault(m, file, 3, 1))
    assert copy == seen
    copy[100:107] = b"changed"
    write_out(m, file, off, copy)
    assert read(m, file, off, PAGE) == copy
    assert_valid(m)


def test_a_page_that_came_anew_is_taken_as_it_comes_back(m, file):
    """What was written beside a page that has gone since does not count."""
    fault(m, file, 3, 1)
    write(m, file, 3 * PAGE, b"written")
    m.sched.run(file.truncate(0))
    m.sched.run(file.truncate(8 * PAGE))
    copy = bytearray(fault(m, file, 3, 1))
    copy[0:7] = bytes(7)
    copy[50] = 1
    write_out(m, file, 3 * PAGE, copy)
    assert read(m, file, 3 * PAGE, PAGE) == copy
