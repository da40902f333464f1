"""The pump: operations awaited under trio, both clocks, interruption."""

from __future__ import annotations

import errno
import threading
from itertools import count

import pytest
import trio
from fakedaemon import FakeClock

from memfs.background import SLICE_NS, Pump
from memfs.tree import REQUEST, Interrupt, TreeError
from memfs.vm.errors import VmError
from memfs.vm.sched import MORE, Park, Scheduler, Until

MS = 1_000_000


@pytest.fixture
def sched():
    return Scheduler(FakeClock())


@pytest.fixture
async def pump(sched, nursery):
    """A pump on trio's clock; with ``autojump_clock`` it jumps over every wait."""
    pump = Pump(sched, clock=lambda: round(trio.current_time() * 1e9))
    nursery.start_soon(pump.serve)
    await trio.testing.wait_all_tasks_blocked()
    return pump


def value(result):
    return result
    yield MORE


def until(ns, log=None, word=None):
    """Wait until a time; with *log*, say when it was that the wait ended."""
    yield Until(ns)
    if log is not None:
        log.append(word)
    return ns


def parked(log):
    """Hold something for ever, and put it back."""
    try:
        yield Park("for ever")
    finally:
        log.append("put back")


def refusing():
    yield MORE
    raise VmError(errno.EBUSY, "as asked")


async def test_what_ends_in_its_first_step_never_waits(pump):
    work = pump.run(value(7), "value")
    with pytest.raises(StopIteration) as stop:
        work.send(None)
    assert stop.value.value == 7


@pytest.mark.parametrize("way", ["run", "run_job"])
async def test_the_wall_clock_reaches_what_is_due(pump, way, autojump_clock):
    start = trio.current_time()
    assert await getattr(pump, way)(until(250 * MS), "until") == 250 * MS
    assert 0.25 <= trio.current_time() - start < 0.26
    assert 250 * MS <= pump.sched.now < 260 * MS


@pytest.mark.parametrize("way", ["run", "run_job"])
async def test_an_operations_error_is_its_callers(pump, way):
    with pytest.raises(VmError, match="as asked"):
        await getattr(pump, way)(refusing(), "refusing")
    assert pump.foreground == 0


async def interrupted(pump, interrupt, log):
    with pytest.raises(TreeError) as caught:
        await pump.run(parked(log), "parked", interrupt)
    log.append(caught.value.errno)


async def test_an_interrupt_ends_an_operation_with_eintr(pump, nursery, autojump_clock):
    interrupt, log = Interrupt(), []
    nursery.start_soon(interrupted, pump, interrupt, log)
    await trio.testing.wait_all_tasks_blocked()
    assert pump.foreground == 1
    interrupt.set()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["put back", errno.EINTR]
    assert pump.foreground == 0
    assert pump.sched.jobs() == []


async def test_the_requests_own_interrupt_is_the_default(pump, nursery):
    interrupt, log = Interrupt(), []
    REQUEST.set(interrupt)
    nursery.start_soon(interrupted, pump, None, log)
    await trio.testing.wait_all_tasks_blocked()
    interrupt.set()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["put back", errno.EINTR]


async def test_an_interrupt_that_was_there_before_counts(pump):
    interrupt, log = Interrupt(), []
    interrupt.set()
    await interrupted(pump, interrupt, log)
    assert log == ["put back", errno.EINTR]


async def test_a_long_call_of_the_host_leaves_the_pump_running(pump, nursery):
    """Its result comes when it is done; meanwhile operations are."""
    go, told, seen = threading.Event(), trio.Event(), []

    async def call():
        seen.append(await pump.in_thread(lambda: go.wait(60) and "done"))
        told.set()

    nursery.start_soon(call)
    assert await pump.run(value(3), "meanwhile") == 3
    assert seen == []
    go.set()
    await told.wait()
    assert seen == ["done"]


async def test_an_interrupt_ends_the_wait_for_a_long_call(pump, nursery):
    """The call goes on; nobody hears of it."""
    go, told, interrupt, log = threading.Event(), trio.Event(), Interrupt(), []

    async def call():
        REQUEST.set(interrupt)
        with pytest.raises(TreeError) as caught:
            await pump.in_thread(lambda: go.wait(60))
        log.append(caught.value.errno)
        told.set()

    nursery.start_soon(call)
    await trio.testing.wait_all_tasks_blocked()
    interrupt.set()
    await told.wait()
    assert log == [errno.EINTR]
    go.set()


async def test_an_error_of_a_long_call_is_its_callers(pump):
    def fail():
        raise OSError(errno.EIO, "the disk")

    with pytest.raises(OSError, match="the disk"):
        await pump.in_thread(fail)


async def test_a_job_that_somebody_else_cancels_is_eintr(pump, nursery):
    log = []
    nursery.start_soon(interrupted, pump, None, log)
    await trio.testing.wait_all_tasks_blocked()
    [job] = pump.sched.jobs()
    assert job.name == "parked"
    pump.sched.cancel(job)
    pump.poke()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["put back", errno.EINTR]


async def test_a_cancelled_task_puts_back_what_its_operation_held(pump, autojump_clock):
    log = []
    with trio.move_on_after(1):
        await pump.run(parked(log), "parked")
    assert log == ["put back"]
    assert pump.sched.jobs() == []
    assert pump.foreground == 0


async def test_a_job_started_elsewhere_runs_when_the_pump_is_poked(pump):
    log = []
    pump.sched.spawn(until(0, log, "ran"), name="background", background=True)
    pump.poke()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["ran"]


async def test_an_earlier_event_shortens_the_sleep(pump, nursery, autojump_clock):
    log = []
    nursery.start_soon(pump.run, until(900 * MS, log, "late"), "late")
    await trio.testing.wait_all_tasks_blocked()
    await pump.run(until(100 * MS, log, "early"), "early")
    assert log == ["early"]
    assert trio.current_time() < 0.2


async def test_a_background_task_that_fails_is_logged_and_gone(
    pump, caplog, autojump_clock
):
    pump.sched.spawn(refusing(), name="kswapd", background=True)
    pump.poke()
    await trio.testing.wait_all_tasks_blocked()
    assert "background task" in caplog.text
    assert await pump.run(until(MS), "until") == MS


async def test_requests_are_served_between_two_slices(sched, nursery):
    """A clock that moves 50 us a look stands for work that takes so long."""
    ticks = count(step=50_000)
    pump = Pump(sched, clock=lambda: next(ticks))
    log = []

    def endless(word):
        for step in range(100):
            log.append((word, step))
            yield MORE

    nursery.start_soon(pump.serve)
    nursery.start_soon(pump.run, endless("one"), "one")
    while len(log) < 100:
        before = len(log)
        await trio.lowlevel.checkpoint()
        assert len(log) - before <= 2 * (1 + SLICE_NS // 50_000)
    await pump.run(value(0), "value")


class Asked:
    """A pump that is never done, its steps noted; a look at its clock takes 10 us."""

    def __init__(self, sched, nursery):
        ticks = count(step=10_000)
        self.pump = Pump(sched, clock=lambda: next(ticks))
        self.requests = 0
        self.pump.served = lambda: self.requests
        self.steps = []
        nursery.start_soon(self.pump.serve)
        nursery.start_soon(self.pump.run, self._endless(), "endless")

    def _endless(self):
        while True:
            self.steps.append(self.requests)
            yield MORE

    async def turns(self, number):
        for _ in range(number):
            await trio.lowlevel.checkpoint()


async def test_the_next_request_of_a_sequence_is_waited_for(sched, nursery):
    """No step of the model comes between requests that follow each other."""
    asked = Asked(sched, nursery)
    await asked.turns(20)
    for _ in range(5):
        asked.requests += 1
        await asked.turns(4)
    assert not {2, 3, 4} & set(asked.steps)
    await asked.turns(40)
    assert asked.steps.count(5) > 10


async def test_requests_without_end_do_not_stop_the_model(sched, nursery):
    asked = Asked(sched, nursery)
    for _ in range(1000):
        asked.requests += 1
        await asked.turns(1)
    # A request every 10 us: put off for a millisecond once, then for 200 us at a time.
    assert len(set(asked.steps)) > 1000 // 25


# The manual clock


@pytest.fixture
async def manual(pump):
    pump.set_manual(True)
    await trio.testing.wait_all_tasks_blocked()
    return pump


async def test_the_manual_clock_stands_still(manual, autojump_clock):
    log = []
    job = until(MS, log, "ran")
    manual.sched.spawn(job, name="background", background=True)
    manual.poke()
    before = manual.sched.now
    await trio.sleep(10)
    assert log == []
    assert manual.sched.now == before


async def test_who_waits_moves_the_manual_clock_event_by_event(manual, autojump_clock):
    log, moved = [], []
    manual.on_advance = moved.append
    start = manual.sched.now
    for ms in (3, 1, 2):
        job = until(start + ms * MS, log, ms)
        manual.sched.spawn(job, name="background", background=True)
    await manual.run(until(start + 2 * MS + 1, log, "request"), "request")
    assert log == [1, 2, "request"]
    assert moved == [start + 1 * MS, start + 2 * MS, start + 2 * MS + 1]
    assert manual.sched.now == moved[-1]


async def test_time_goes_on_from_where_it_is_when_the_clock_changes(
    manual, autojump_clock
):
    await manual.run(until(50 * MS), "until")
    await trio.sleep(10)
    manual.set_manual(False)
    await trio.sleep(0.1)
    await manual.run(value(0), "value")
    assert 150 * MS <= manual.sched.now < 160 * MS


async def test_the_pump_does_not_rest_while_somebody_waits(pump, nursery):
    """For an event that is due later."""
    nursery.start_soon(pump.run, until(pump.sched.now + 1000 * MS), "until")
    await trio.testing.wait_all_tasks_blocked()
    assert pump.foreground == 1
    assert not pump.resting()


async def test_the_pump_rests_until_somebody_rings(pump, autojump_clock):
    """Then requests need not make room for it."""
    assert pump.resting()
    pump.ring()
    assert not pump.resting()
    await trio.testing.wait_all_tasks_blocked()
    assert pump.resting()
    pump.sched.spawn(until(0), name="job")
    pump.poke()
    assert not pump.resting()
