"""The scheduler: order, waiting, cancelling. No core, a clock of paper."""

from __future__ import annotations

import errno

import pytest

from memfs.vm.errors import Cancelled, VmError
from memfs.vm.sched import MORE, Io, Park, Scheduler, Until


class PaperClock:
    """Device events are a list of times; each completion counts."""

    def __init__(self, *events):
        self.ns = 0
        self.events = sorted(events)
        self.done = 0
        self.horizon = 0

    def now(self):
        return self.ns

    def next_event(self):
        return self.events[0] if self.events else None

    def advance(self, to_ns):
        self.drain(to_ns)
        self.ns = max(self.ns, to_ns)

    def drain(self, to_ns):
        while self.events and self.events[0] <= to_ns:
            self.ns = max(self.ns, self.events.pop(0))
            self.done += 1

    def completions(self):
        return self.done

    def set_horizon(self, ns):
        self.horizon = ns


def steps(log, name, *waits, result=None):
    """An operation that yields `waits` and notes every step."""
    for wait in waits:
        log.append(name)
        yield wait
    log.append(name)
    return result


def test_round_robin_in_the_order_of_spawning():
    """One step of each a round."""
    sched, log = Scheduler(PaperClock()), []
    for name in "abc":
        sched.spawn(steps(log, name, MORE), name=name)

    sched.round()
    assert log == ["a", "b", "c"]
    sched.round()
    assert log == ["a", "b", "c"] * 2
    assert not sched.round()
    assert sched.jobs() == []


def test_who_waits_for_all_io_is_not_asked_after_each():
    """The clock stops at the last completion, or at a timer before it."""
    clock, log = PaperClock(5, 10, 20), []
    sched = Scheduler(clock)
    asked = []
    next_event = clock.next_event
    clock.next_event = lambda: asked.append(clock.ns) or next_event()
    sched.run(steps(log, "a", Io(99, all=True)))

    assert (clock.ns, clock.done, len(log)) == (20, 3, 2)
    assert 5 not in asked
    assert 10 not in asked

    clock.events = [30, 50]
    sched.spawn(steps(log, "timed", Until(40)), name="timed")
    sched.spawn(steps(log, "b", Io(99, all=True)), name="b")
    sched.run(steps([], "c", Until(45)))
    assert (clock.ns, clock.done, log[2:]) == (45, 4, ["timed", "b", "timed"])


def test_run_returns_the_result_and_raises_the_error():
    """Whatever it takes of the clock."""
    sched = Scheduler(PaperClock())

    def fails():
        yield MORE
        raise VmError(errno.EBUSY, "no")

    assert sched.run(steps([], "a", Until(50), result=7)) == 7
    assert sched.now == 50
    with pytest.raises(VmError, match="no"):
        sched.run(fails())


def test_until_waits_for_its_time():
    """A timer is due at its time, not before."""
    sched, log = Scheduler(PaperClock()), []
    sched.spawn(steps(log, "a", Until(10)), name="a")
    sched.round()

    assert sched.next_due() == 10
    assert not sched.round()
    sched.advance(9)
    assert not sched.runnable()
    sched.advance(10)
    assert sched.round()
    assert log == ["a", "a"]


def test_io_wakes_at_any_completion_at_its_time_or_at_once():
    """At once when no I/O is outstanding: nothing would ever wake it."""
    sched, log = Scheduler(PaperClock(20, 30)), []
    sched.spawn(steps(log, "io", Io(), Io()), name="io")
    sched.spawn(steps(log, "timed", Io(25), Io(25), Io(99)), name="timed")
    sched.round()

    sched.advance(20)
    sched.round()
    assert log == ["io", "timed"] * 2
    sched.advance(25)
    sched.round()
    assert log[4:] == ["timed"]
    sched.advance(30)
    sched.round()
    assert log[5:] == ["io", "timed"]
    assert sched.jobs() == []


def test_io_without_any_is_no_wait():
    """Io() with nothing outstanding is as good as MORE."""
    sched, log = Scheduler(PaperClock()), []

    sched.run(steps(log, "a", Io(), Io()))
    assert log == ["a"] * 3


def test_park_waits_for_its_key():
    """wake() says whether somebody waited."""
    sched, log = Scheduler(PaperClock()), []
    job = sched.spawn(steps(log, "a", Park(("key", 1))), name="a")
    sched.round()

    assert job.waiting == "key 1"
    assert not sched.wake(("key", 2))
    assert not sched.round()
    assert sched.wake(("key", 1))
    sched.round()
    assert job.done
    assert job.waiting == "done"


@pytest.mark.parametrize("wait", [MORE, Until(99), Io(99), Io(), Park("key")])
def test_cancel_reaches_a_job_in_every_wait(wait):
    """Cancelled is thrown at the next step; `finally` clauses run; no trace stays."""
    clock = PaperClock(1000)
    sched, put_back = Scheduler(clock), []

    def op():
        try:
            yield wait
        finally:
            put_back.append(True)

    job = sched.spawn(op(), name="op")
    sched.round()
    sched.cancel(job)
    sched.cancel(job)
    sched.round()

    assert put_back == [True]
    assert isinstance(job.error, Cancelled)
    sched.wake("key")
    sched.advance(2000)
    assert not sched.round()


def test_cancel_before_the_first_step_runs_nothing():
    """An operation that never began has nothing to tidy up."""
    sched, log = Scheduler(PaperClock()), []
    job = sched.spawn(steps(log, "a", MORE), name="a")

    sched.cancel(job)
    sched.round()
    assert log == []
    assert job.done


def test_a_cancelled_job_may_finish_what_it_has_to():
    """What it yields in a `finally` clause is waited for as always."""
    sched, log = Scheduler(PaperClock()), []

    def op():
        try:
            yield Park("never")
        finally:
            yield Until(5)
            log.append("tidied up")

    job = sched.spawn(op(), name="op")
    sched.round()
    sched.cancel(job)
    sched.run_until(10)

    assert log == ["tidied up"]
    assert isinstance(job.error, Cancelled)


def test_on_done_is_told_once():
    """With the job, after its result is there."""
    sched, seen = Scheduler(PaperClock()), []
    sched.spawn(
        steps([], "a", MORE, result=3),
        name="a",
        on_done=lambda job: seen.append(job.result),
    )

    sched.round()
    sched.round()
    sched.round()
    assert seen == [3]


def test_a_bug_in_a_background_job_does_not_stay_hidden():
    """Nobody waits for it, so round() raises it; the others keep their turn."""
    sched, log = Scheduler(PaperClock()), []

    def bug():
        yield MORE
        raise ZeroDivisionError

    sched.spawn(bug(), name="bug", background=True)
    sched.spawn(steps(log, "a", MORE, MORE), name="a")
    sched.round()
    with pytest.raises(ZeroDivisionError):
        sched.round()
    sched.round()
    assert log == ["a", "a"]


def test_waiting_for_nothing_is_an_error_not_a_hang():
    """run() of an operation that nobody can wake."""
    sched = Scheduler(PaperClock())

    with pytest.raises(RuntimeError, match="for ever"):
        sched.run(steps([], "a", Park("key")))
    assert sched.jobs() == []


def test_only_a_sole_job_may_move_the_clock_by_itself():
    """And not past a timer, nor beyond what was granted."""
    clock = PaperClock()
    sched = Scheduler(clock)
    horizons = []

    def op():
        horizons.append(clock.horizon)
        yield MORE

    sched.spawn(op(), name="a")
    sched.round()
    sched.round()
    sched.granted = 100
    sched.spawn(op(), name="b")
    sched.round()
    sched.round()
    sched.spawn(op(), name="c")
    sched.spawn(op(), name="d")
    sched.round()
    sched.round()
    sched.spawn(steps([], "timer", Until(40)), name="timer")
    sched.round()
    sched.spawn(op(), name="e")
    sched.round()

    assert horizons == [0, 100, 0, 0, 40]


def test_the_version_grows_with_every_step_and_completion():
    """And not when nothing happened."""
    sched = Scheduler(PaperClock(10))
    version = sched.version
    sched.round()
    sched.advance(5)
    assert sched.version == version

    sched.advance(10)
    assert sched.version > version
    version = sched.version
    sched.spawn(steps([], "a"), name="a")
    sched.round()
    assert sched.version > version


def test_close_runs_the_finally_clauses_of_every_job():
    """Whatever they wait for."""
    sched, log = Scheduler(PaperClock(10)), []

    def op(wait):
        try:
            yield wait
        finally:
            log.append(wait)

    waits = [MORE, Until(1), Io(), Park(1)]
    for wait in waits:
        sched.spawn(op(wait), name="op")
    sched.round()
    sched.close()

    assert log == waits
    assert sched.jobs() == []
