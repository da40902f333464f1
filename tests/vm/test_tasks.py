"""Modelled tasks: areas, touches, their time, their end, and OOM."""

from __future__ import annotations

import pytest
from vmkit import MIB, PAGE, assert_valid, small, write

from memfs.vm import VmError


@pytest.fixture
def task(machine):
    """A task of the machine of 2004."""
    return machine.tasks.create("some_memory_hog", 4711)


def errno_of(m, op):
    """Name of the errno that an operation raises."""
    with pytest.raises(VmError) as caught:
        m.sched.run(op)
    return caught.value.name


def test_a_pid_is_there_once(machine, task):
    """Until the task has ended."""
    with pytest.raises(VmError, match="EEXIST"):
        machine.tasks.create("other", 4711)
    machine.sched.run(task.exit())
    machine.tasks.create("other", 4711)
    assert [t.name for t in machine.tasks.all()] == ["other"]


def test_touching_anonymous_memory(machine, task):
    """Pages, page tables and faults are counted; they are active."""
    area = task.mmap_anon(10 * MIB)
    assert machine.sched.run(task.touch(area, passes=2)) == 5120
    stat = task.stat()

    assert (stat.rss, stat.anon_rss, stat.total_vm) == (2560, 2560, 2560)
    assert (stat.minflt, stat.majflt, stat.page_tables) == (2560, 0, 3)
    assert machine.snapshot().total.page_tables == 3
    assert machine.snapshot().total.anon == 2560


def test_a_touch_takes_100_ns_times_the_distance(machine, task):
    """Node 1 is 20 away from the CPUs."""
    area = task.mmap_anon(PAGE * 1000)
    machine.sched.run(task.touch(area, passes=1))

    assert machine.now == task.cpu_ns == 1000 * 200


def test_reading_untouched_memory_takes_no_page(machine, task):
    """It is all the zero page."""
    area = task.mmap_anon(MIB)
    machine.sched.run(task.touch(area, write=False, passes=1))

    assert task.stat().anon_rss == 0
    assert machine.snapshot().total.anon == 0


def test_a_file_is_mapped_shared_and_private(machine, task, host_file):
    """A private write copies, a shared one does not."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(MIB))
    shared = task.mmap_file(file, MIB, shared=True, write=True)
    private = task.mmap_file(file, MIB, shared=False, write=True)
    machine.sched.run(task.touch(shared, passes=1))
    assert task.stat().anon_rss == 0
    machine.sched.run(task.touch(private, passes=1))

    assert task.stat().anon_rss == 256
    assert machine.events()["pgcow"] == 256
    assert machine.snapshot().total.mapped == 256


def test_faults_on_a_file_read_ahead(machine, task, host_file):
    """1024 pages come in windows, not one by one."""
    owner = host_file(4 * MIB)
    file = machine.files.create("file", owner, size=4 * MIB)
    area = task.mmap_file(file, 4 * MIB)
    machine.sched.run(task.touch(area, write=False, passes=1))

    assert machine.snapshot().disk.read_pages == 1024
    assert machine.snapshot().disk.reads <= 33
    assert task.stat().majflt <= 20


def test_what_cannot_be_touched(machine, task, host_file):
    """Each with its errno."""
    area = task.mmap_anon(MIB)
    read_only = task.mmap_anon(MIB, write=False)
    file = machine.files.create("file", host_file(PAGE), size=PAGE)
    short = task.mmap_file(file, 2 * PAGE)

    assert errno_of(machine, task.touch(99)) == "EINVAL"
    assert errno_of(machine, task.touch(area, first=256)) == "EINVAL"
    assert errno_of(machine, task.touch(area, nr=0)) == "EINVAL"
    assert errno_of(machine, task.touch(area, order="upwards")) == "EINVAL"
    assert errno_of(machine, task.touch(read_only, passes=1)) == "EACCES"
    assert errno_of(machine, task.touch(short, write=False, passes=1)) == "EFAULT"
    assert errno_of(machine, task.munmap(99)) == "EINVAL"
    for nbytes in (0, 1 << 60):
        with pytest.raises(VmError, match="EINVAL"):
            task.mmap_anon(nbytes)


def test_a_part_of_an_area(machine, task):
    """first and nr are pages."""
    area = task.mmap_anon(MIB)
    machine.sched.run(task.touch(area, first=10, nr=20, passes=3))

    assert task.stat().rss == 20


def test_munmap_gives_every_page_back(machine, task):
    """Page tables too, while touches of the area end with EINVAL."""
    area = task.mmap_anon(20 * MIB)
    job = machine.sched.spawn(task.touch(area), name="touch")
    machine.sched.run_until(10 * 10**6)
    machine.sched.run(task.munmap(area))
    machine.sched.run_until(20 * 10**6)

    assert job.error is not None
    assert job.error.name == "EINVAL"
    assert task.stat().rss == task.stat().page_tables == 0
    assert machine.snapshot().total.anon == 0


def test_exit_ends_the_touches_and_frees_everything(machine, task):
    """ESRCH for who still touches; swap and pages are free."""
    area = task.mmap_anon(50 * MIB)
    job = machine.sched.spawn(task.touch(area), name="touch")
    machine.sched.run_until(50 * 10**6)
    machine.sched.run(machine.disable_node(1))
    machine.sched.run(machine.purge(6))
    machine.sched.run(task.exit())
    machine.sched.run_until(machine.now + 10**8)

    assert job.error.name == "ESRCH"
    assert machine.tasks.all() == []
    assert errno_of(machine, task.touch(area)) == "ESRCH"
    with pytest.raises(VmError, match="ESRCH"):
        task.mmap_anon(1)


def test_swapping_keeps_a_working_set_larger_than_memory():
    """Every stamp is read back as it was written."""
    with small(swap="64M") as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(50 * MIB)
        m.sched.run(task.touch(area, passes=2))
        m.sched.run(task.touch(area, write=False, order="random", passes=1))

        assert task.stat().rss + task.stat().swap == 12800
        assert task.stat().majflt > 1000
        assert m.events()["corrupt"] == 0
        assert m.events()["oom_kill"] == 0
        assert_valid(m)


def test_the_oom_killer_takes_the_largest_task():
    """No swap: the largest goes, its touch ends with ESRCH, the other lives on."""
    with small(swap="0") as m:
        m.tune("overcommit_memory", 1)
        little, large = m.tasks.create("little", 1), m.tasks.create("large", 2)
        a, b = little.mmap_anon(4 * MIB), large.mmap_anon(64 * MIB)
        m.sched.run(little.touch(a, passes=1))
        assert errno_of(m, large.touch(b, passes=1)) == "ESRCH"
        m.sched.run(little.touch(a, passes=1))

        assert (large.killed, little.killed) == (True, False)
        assert "Out of Memory: Killed process 2 (large)." in m.klog.text()
        assert m.events()["oom_kill"] == 1
        m.sched.run_until(m.now + 10**9)
        assert large.stat().rss == 0
        assert m.tasks.all() == [little, large]
        m.sched.run(large.exit())
        assert m.tasks.all() == [little]
        assert_valid(m)


@pytest.mark.parametrize("pids", [(1, 2), (2, 1)])
def test_of_two_that_are_alike_the_younger_one_lives(pids):
    """Whatever their pids are: those are other ones in the next run."""
    with small(swap="0") as m:
        m.tune("overcommit_memory", 1)
        tasks = [m.tasks.create("hog", pid) for pid in pids]
        areas = [task.mmap_anon(64 * MIB) for task in tasks]
        errno_of(m, tasks[0].touch(areas[0], passes=1))

        assert [task.killed for task in tasks] == [True, False]


def test_a_write_gets_enomem_when_there_is_nobody_to_kill():
    """tmpfs without swap: its pages can go nowhere. What was written stays."""

    class Owner:
        def label(self):
            return "shm"

    with small(swap="0") as m:
        shm = m.files.create("shm", Owner())
        done = m.sched.run(shm.write(0, bytes(64 * MIB)))
        assert 20 * MIB < done < 28 * MIB
        assert errno_of(m, shm.write(done, bytes(MIB))) == "ENOMEM"
        assert m.now >= 10**9
        assert "page allocation failure" in m.klog.text()
        assert_valid(m)
        m.sched.run(shm.truncate(0))
        assert m.sched.run(shm.write(0, bytes(MIB))) == MIB


def test_full_swap_kills_too():
    """Swap is a part of the memory that can be full."""
    with small(swap="16M") as m:
        m.tune("overcommit_memory", 1)
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(100 * MIB)
        assert errno_of(m, task.touch(area, passes=1)) == "ESRCH"
        m.sched.run(task.exit())
        assert_valid(m)
        assert m.snapshot().total.anon == 0
