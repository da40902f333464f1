"""The scheduler: operations as generators, in a round-robin without surprises.

An operation yields what it waits for and returns its result. The scheduler gives
one step to every runnable job in the order in which they became runnable, and
moves the virtual clock when it is told to. It is not asynchronous I/O and knows
no real time: same operations, same clock, same order. One thread owns it.

Departure: Linux preempts; here a job runs until it yields, at most a few thousand
pages at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from memfs.vm.errors import Cancelled, VmError

NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
HZ_NS: Final = NS_PER_S  # one second; HZ / 10 of the sources is HZ_NS // 10


@dataclass(frozen=True, slots=True)
class More:
    """The budget is used up: step me again when convenient."""

    def __str__(self) -> str:
        return "running"


@dataclass(frozen=True, slots=True)
class Until:
    """Not before this virtual time (ns)."""

    ns: int

    def __str__(self) -> str:
        return f"until {self.ns / NS_PER_S:.6f}"


@dataclass(frozen=True, slots=True)
class Io:
    """After any device completion, or at `until` (ns); at once if no I/O is due.

    `all`: not after any, but when none is due any more.
    """

    until: int | None = None
    all: bool = False

    def over(self, completed: bool, idle: bool) -> bool:
        """Whether the wait has ended: something was completed since, nothing is due."""
        return idle or (completed and not self.all)

    def __str__(self) -> str:
        return "I/O"


@dataclass(frozen=True, slots=True)
class Park:
    """Until somebody says ``wake(key)``."""

    key: Hashable

    def __str__(self) -> str:
        key = self.key
        return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


Wait: TypeAlias = More | Until | Io | Park
MORE: Final = More()

FOREVER: Final = 1 << 63  # ns: later than any event
LONG: Final = 16  # usual steps in one that nobody waits for

T = TypeVar("T")
Op: TypeAlias = Generator[Wait, None, T]


class Clock(Protocol):
    """What the scheduler asks of the machine's devices and clock."""

    def now(self) -> int:
        """Virtual time, ns."""

    def next_event(self) -> int | None:
        """When the next I/O completes, ns; None: none outstanding."""

    def advance(self, to_ns: int) -> None:
        """Move the clock, complete the I/O that is due."""

    def drain(self, to_ns: int) -> None:
        """Complete the I/O that is due by then, the clock stays with the last of it."""

    def completions(self) -> int:
        """Requests completed so far; only grows."""

    def set_horizon(self, ns: int) -> None:
        """How far a stepping call may move the clock by itself."""


class Job:
    """One operation under way, or done."""

    def __init__(
        self,
        job_id: int,
        op: Op[Any],
        name: str,
        on_done: Callable[[Job], None] | None,
        background: bool,
    ) -> None:
        self.id = job_id
        self.name = name
        self.background = background
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.progress: dict[str, Any] = {}
        self.wait: Wait = MORE
        self.cancelling = False
        self._op = op
        self._on_done = on_done
        # Grows with every wake, so that older entries of the timer heap are void.
        self._epoch = 0
        self._seen = 0

    @property
    def waiting(self) -> str:
        """What it waits for, as text; ``running`` or ``done``."""
        return "done" if self.done else str(self.wait)

    def value(self) -> Any:
        """The result of a job that is done; raises its error."""
        if self.error is not None:
            raise self.error
        return self.result


class Scheduler:
    """Runs jobs over one :class:`Clock`.

    `granted` is how far (ns) a sole runnable job may move the clock by itself:
    0 in wall-clock mode, where only :meth:`advance` moves it.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.version = 0
        self.granted = 0
        self._alone = False
        self.current: Job | None = None
        self._jobs: dict[int, Job] = {}
        self._next_id = 1
        self._ready: list[Job] = []
        self._io: list[Job] = []
        self._parked: dict[Hashable, list[Job]] = {}
        self._timers: list[tuple[int, int, int, Job]] = []
        self._seq = 0

    @property
    def now(self) -> int:
        """Virtual time, ns."""
        return self.clock.now()

    def jobs(self) -> list[Job]:
        """Every job that is not done, oldest first."""
        return list(self._jobs.values())

    def spawn(
        self,
        op: Op[Any],
        *,
        name: str,
        on_done: Callable[[Job], None] | None = None,
        background: bool = False,
        waiting: Wait | None = None,
    ) -> Job:
        """Make a job of `op`; its first step comes in the next round.

        `background`: nobody waits for it, so an error it raises is a bug of the
        model and leaves :meth:`round`. `waiting`: the caller stepped `op` once and
        this is what it yielded.
        """
        job = Job(self._next_id, op, name, on_done, background)
        self._next_id += 1
        self._jobs[job.id] = job
        if waiting is None:
            self._ready.append(job)
        else:
            self._sleep(job, waiting)
        return job

    def cancel(self, job: Job) -> None:
        """Have `job` stop at its next step, which comes in the next round."""
        if job.done or job.cancelling:
            return
        job.cancelling = True
        self._unpark(job)
        if job not in self._ready and job is not self.current:
            self._make_ready(job)

    def wake(self, key: Hashable) -> bool:
        """Make the jobs parked on `key` runnable; True if there was one."""
        jobs = self._parked.pop(key, None)
        if not jobs:
            return False
        for job in jobs:
            self._make_ready(job)
        return True

    def parked(self, key: Hashable) -> int:
        """How many jobs wait for ``wake(key)``."""
        return len(self._parked.get(key, ()))

    def round(self) -> bool:
        """One step of every runnable job, in order; True if any ran."""
        self._collect()
        batch, self._ready = self._ready, []
        for done, job in enumerate(batch):
            try:
                self._step(job, alone=len(batch) == 1)
            except BaseException:
                # The jobs that had no step yet keep their turn.
                self._ready[:0] = batch[done + 1 :]
                raise
        return bool(batch)

    def runnable(self) -> bool:
        """Whether a round would run anything."""
        self._collect()
        return bool(self._ready)

    def next_due(self) -> int | None:
        """When the next device event or timer is due, ns; None: nothing pending."""
        timer = self._next_timer()
        event = self.clock.next_event()
        if timer is None or event is None:
            return event if timer is None else timer
        return min(timer, event)

    def advance(self, to_ns: int) -> None:
        """Move the clock to `to_ns` (never back) and process device events.

        Advancing to the present begins what was queued in this instant.
        """
        self._pass(self.clock.advance, max(to_ns, self.clock.now()))

    def _pass(self, move: Callable[[int], None], to_ns: int) -> None:
        before = self.clock.completions()
        move(to_ns)
        if self.clock.completions() != before:
            self.version += 1

    def run(self, op: Op[T], name: str = "run") -> T:
        """Run `op` to its end, moving the clock as far as it takes.

        Raises:
            VmError: what the operation raised.
            RuntimeError: the operation waits for what nobody will do.
        """
        job = self.spawn(op, name=name)
        granted, self.granted = self.granted, FOREVER
        try:
            while not job.done:
                self._turn(job)
        except BaseException:
            self._drop(job)
            raise
        finally:
            self.granted = granted
        result: T = job.value()
        return result

    def run_until(self, ns: int) -> None:
        """Run everything that happens up to the virtual time `ns`."""
        while True:
            while self.round():
                pass
            due = self.next_due()
            if due is None or due > ns:
                break
            self.advance(due)
        self.advance(ns)

    def close(self) -> None:
        """Drop every job; their ``finally`` clauses run."""
        for job in self.jobs():
            self._drop(job)

    def _turn(self, job: Job) -> None:
        # One round, or one step of the clock when nothing can run.
        if self.round():
            return
        due = self.next_due()
        if due is None:
            raise RuntimeError(f"{job.name} waits for ever: {job.waiting}")
        if due == self.clock.next_event() and self._none_waits_for_one():
            timer = self._next_timer()
            self._pass(self.clock.drain, FOREVER if timer is None else timer)
        else:
            self.advance(due)

    def _none_waits_for_one(self) -> bool:
        # Whoever waits for I/O waits until there is none: no need to ask in between.
        return all(isinstance(job.wait, Io) and job.wait.all for job in self._io)

    def _drop(self, job: Job) -> None:
        # Ends a job here and now: the machine is closed or the caller gave up.
        if job.done:
            return
        self._unpark(job)
        self._ready = [other for other in self._ready if other is not job]
        self._io = [other for other in self._io if other is not job]
        job._epoch += 1
        job._op.close()
        self._finish(job, None, Cancelled())

    def stride(self, pages: int) -> int:
        """How many pages the running step may look at, where `pages` is the usual.

        More where nobody waits for the step's end: no other job, no request.
        """
        return pages * LONG if self._alone and self.granted == FOREVER else pages

    def _step(self, job: Job, alone: bool) -> None:
        self._alone = alone
        self.clock.set_horizon(self._horizon(alone))
        self.version += 1
        self.current = job
        try:
            if job.cancelling and not isinstance(job.error, Cancelled):
                job.error = Cancelled()
                wait = job._op.throw(job.error)
            else:
                wait = next(job._op)
        except StopIteration as stop:
            self._finish(job, stop.value, None)
        except (VmError, Cancelled) as error:
            self._finish(job, None, error)
        except BaseException as error:
            self._finish(job, None, error)
            if job.background:
                raise
        else:
            self._sleep(job, wait)
        finally:
            self.current = None

    def _horizon(self, alone: bool) -> int:
        now = self.clock.now()
        if not alone or self._ready or self.granted <= now:
            return now
        timer = self._next_timer()
        return self.granted if timer is None else max(now, min(timer, self.granted))

    def _finish(self, job: Job, result: Any, error: BaseException | None) -> None:
        job.done = True
        job.result = result
        job.error = error
        self._jobs.pop(job.id, None)
        if job._on_done is not None:
            job._on_done(job)
        if job.background and isinstance(error, VmError):
            raise error

    def _sleep(self, job: Job, wait: Wait) -> None:
        job.wait = wait
        if isinstance(wait, More) or (
            job.cancelling and not isinstance(job.error, Cancelled)
        ):
            self._ready.append(job)
        elif isinstance(wait, Until):
            self._arm(job, wait.ns)
        elif isinstance(wait, Io):
            job._seen = self.clock.completions()
            self._io.append(job)
            if wait.until is not None:
                self._arm(job, wait.until)
        else:
            self._parked.setdefault(wait.key, []).append(job)

    def _arm(self, job: Job, ns: int) -> None:
        self._seq += 1
        heapq.heappush(self._timers, (ns, self._seq, job._epoch, job))

    def _next_timer(self) -> int | None:
        timers = self._timers
        while timers and (timers[0][3].done or timers[0][2] != timers[0][3]._epoch):
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def _make_ready(self, job: Job) -> None:
        job._epoch += 1
        job.wait = MORE
        self._ready.append(job)

    def _unpark(self, job: Job) -> None:
        if isinstance(job.wait, Park) and job.wait.key in self._parked:
            rest = [one for one in self._parked[job.wait.key] if one is not job]
            if rest:
                self._parked[job.wait.key] = rest
            else:
                del self._parked[job.wait.key]
        elif isinstance(job.wait, Io):
            self._io = [one for one in self._io if one is not job]

    def _collect(self) -> None:
        # Timers first, in the order of their times; then who waited for I/O.
        now = self.clock.now()
        while (due := self._next_timer()) is not None and due <= now:
            job = heapq.heappop(self._timers)[3]
            self._unpark(job)
            self._make_ready(job)
        if not self._io:
            return
        count = self.clock.completions()
        idle = self.clock.next_event() is None
        waiting, self._io = self._io, []
        for job in waiting:
            assert isinstance(job.wait, Io)
            if job.wait.over(job._seen != count, idle):
                self._make_ready(job)
            else:
                self._io.append(job)
