"""Pressure: its totals are the stalls' time, its averages follow."""

from __future__ import annotations

import pytest
from vmkit import MIB, HostFile, assert_valid, pattern, read, small

from memfs.vm.alloc import SlowPath
from memfs.vm.pressure import FULL, SOME, Trigger
from memfs.vm.sched import Until

SECOND = 10**9


@pytest.fixture
def m():
    with small(swap="64M") as machine:
        yield machine
        assert_valid(machine)


def lines(m, name="memory"):
    m.pressure.account()
    resource = m.pressure.resources[name]
    return resource.line(SOME), resource.line(FULL)


def stall_for(m, ns):
    with m.pressure.memory.stall():
        yield Until(m.now + ns)


def compute_for(m, ns):
    with m.pressure.computing():
        yield Until(m.now + ns)


def test_nothing_stalls_at_boot(m):
    """All zero, however much time goes by."""
    m.sched.run_until(1000 * SECOND)
    assert lines(m) == (((0, 0, 0), 0), ((0, 0, 0), 0))


def test_totals_are_the_stall_time(m):
    """To the microsecond; two at once count once; full while nobody computes."""
    m.sched.spawn(stall_for(m, 3 * SECOND), name="a")
    m.sched.spawn(stall_for(m, 5 * SECOND + 7000), name="b")
    m.sched.spawn(compute_for(m, SECOND), name="c")
    m.sched.run_until(20 * SECOND)
    some, full = lines(m)
    assert some.total_us == 5_000_007
    assert full.total_us == 4_000_007


def test_averages_rise_and_fall_as_the_kernels_do(m):
    """Steps of two seconds: 1 - 1677/2048 of the way each, for ten seconds."""
    m.sched.spawn(stall_for(m, 10 * SECOND), name="a")
    m.sched.run_until(2 * SECOND)
    (first, *_), _ = lines(m)[0]
    assert abs(first / 2048 - 100 * (1 - 1677 / 2048)) < 0.1
    m.sched.run_until(10 * SECOND)
    (ten, sixty, long), _ = lines(m)[0]
    assert ten > sixty > long > 0
    m.sched.run_until(400 * SECOND)
    (ten, _, _), total = lines(m)[0]
    assert (ten, total) == (0, 10_000_000)


def test_long_ago_is_forgotten_at_once(m):
    """A clock that leaps costs nothing."""
    m.sched.run(stall_for(m, SECOND))
    m.sched.advance(10**18)
    assert lines(m)[0] == ((0, 0, 0), 1_000_000)
    m.sched.advance(10**18 + 2 * SECOND)
    assert lines(m)[0].total_us == 1_000_000


def test_direct_reclaim_and_swap_ins_are_stalls(m, monkeypatch):
    """The total is exactly the time that tasks spent in them."""
    spent = 0
    inside = 0

    def timed(slow, original=SlowPath._stall):
        nonlocal spent, inside
        before = m.now
        inside += 1
        try:
            yield from original(slow)
        finally:
            inside -= 1
            spent += 0 if inside else m.now - before

    monkeypatch.setattr(SlowPath, "_stall", timed)
    task = m.tasks.create("hog", 1)
    area = task.mmap_anon(48 * MIB)
    m.sched.run(task.touch(area, passes=1))
    some, _ = lines(m)
    assert spent > 0
    assert some.total_us == spent // 1000
    m.sched.run(task.touch(area, write=False, passes=1))
    assert lines(m)[0].total_us > some.total_us
    m.sched.run(task.exit())


def test_reading_is_io_pressure(m, tmp_path):
    """A reader who waits for the disk stalls, and not for memory."""
    file = m.files.create("file", HostFile(tmp_path / "f", MIB))
    file.owner.path.write_bytes(pattern(MIB))
    m.sched.run(file.truncate(MIB))
    read(m, file)
    assert lines(m, "io")[0].total_us > 0
    assert lines(m)[0].total_us == 0


def test_a_trigger_fires_once_a_window(m):
    """When the window has seen so much stall time."""
    trigger = Trigger(SOME, 150_000_000, SECOND)
    m.pressure.memory.triggers.append(trigger)
    trigger.begin(m.now, 0)
    m.sched.run(stall_for(m, 100_000_000))
    assert not trigger.fired
    m.sched.run(stall_for(m, 100_000_000))
    assert trigger.fired
    trigger.fired = False
    m.sched.run(stall_for(m, 200_000_000))
    assert not trigger.fired
    m.sched.run(stall_for(m, 900_000_000))
    m.sched.run(stall_for(m, 200_000_000))
    assert trigger.fired


def test_a_stall_that_is_cancelled_has_ended(m):
    """Whoever is killed stalls no more."""
    job = m.sched.spawn(stall_for(m, 100 * SECOND), name="a")
    m.sched.run_until(SECOND)
    m.sched.cancel(job)
    m.sched.round()
    m.sched.run_until(50 * SECOND)
    assert lines(m)[0].total_us == 1_000_000
