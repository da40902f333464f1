"""A page that cannot be brought back from swap: an error of its reader alone."""

from __future__ import annotations

import errno

import pytest
from vmkit import PAGE, HostFile, assert_valid, pattern, read, small, write

from memfs.vm import VmError

NR = 400


@pytest.fixture
def machine():
    m = small(seed=3, paranoid=True)
    yield m
    m.set_fault("swap", False, 0)
    assert_valid(m)
    m.close()


def push_out(m):
    """Everything that can go to swap goes there."""
    for zid in (5, 6):
        m.sched.run(m.disable_zone(zid))
        for _ in range(30):
            m.sched.run(m.purge(zid))
        m.sched.run(m.enable_zone(zid))


@pytest.fixture
def shm(machine, tmp_path):
    """A tmpfs file with pages in swap; which they are."""
    file = machine.files.create("shm", HostFile(tmp_path / "unused"))
    write(machine, file, 0, pattern(NR * PAGE))
    push_out(machine)
    out = machine.core.file_resident(file.id, 0, NR)
    pages = [page for page in range(NR) if out[page] == 2]
    assert len(pages) > 100
    return file, pages


def failure(m, op):
    with pytest.raises(VmError) as caught:
        m.sched.run(op)
    return caught.value.name


def test_each_reader_of_a_tmpfs_page_tries_for_itself(machine, shm):
    """All that try while the disk is ill get EIO; then it is there again."""
    file, pages = shm
    at = pages[7] * PAGE
    machine.set_fault("swap", False, errno.EIO)
    jobs = [
        machine.sched.spawn(file.read(at, PAGE, machine.read_ahead()), name=f"r{i}")
        for i in range(3)
    ]
    machine.sched.run_until(machine.now + 10**9)
    assert [getattr(job.error, "name", None) for job in jobs] == ["EIO"] * 3
    assert failure(machine, file.write(at + 1, b"part")) == "EIO"
    assert failure(machine, file.read(at, PAGE, machine.read_ahead())) == "EIO"
    assert_valid(machine)
    machine.set_fault("swap", False, 0)

    assert read(machine, file) == pattern(NR * PAGE)


def test_the_neighbours_that_were_read_ahead_are_no_error(machine, shm):
    """Swap-in brings eight slots; only who needs a page hears of it."""
    file, pages = shm
    machine.set_fault("swap", False, errno.EIO)
    assert (
        failure(machine, file.read(pages[8] * PAGE, 1, machine.read_ahead())) == "EIO"
    )
    machine.set_fault("swap", False, 0)

    for page in pages[:20]:
        data = read(machine, file, page * PAGE, PAGE)
        assert data == pattern(NR * PAGE)[page * PAGE : (page + 1) * PAGE]


def test_a_tmpfs_file_with_an_ill_page_is_truncated(machine, shm):
    file, pages = shm
    machine.set_fault("swap", False, errno.EIO)
    assert (
        failure(machine, file.read(pages[0] * PAGE, 1, machine.read_ahead())) == "EIO"
    )
    machine.sched.run(file.truncate(0))
    assert machine.core.swap_stat().used == 0


def test_a_task_gets_the_error_of_its_own_fault(machine):
    task = machine.tasks.create("hog", pid=7)
    area = task.mmap_anon(NR * PAGE)
    machine.sched.run(task.touch(area, write=True, passes=1))
    push_out(machine)
    machine.set_fault("swap", False, errno.EIO)
    assert failure(machine, task.touch(area, write=False, passes=1)) == "EIO"
    assert_valid(machine)
    machine.set_fault("swap", False, 0)

    machine.sched.run(task.touch(area, write=False, passes=1))
    machine.sched.run(task.exit())
