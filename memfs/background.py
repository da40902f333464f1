"""The pump: runs the model's operations and its background tasks under trio.

``Pump.serve`` is the loop that steps whatever can run, a slice at a time, and
moves the model's clock; ``Pump.run`` is how a request awaits one operation. Which
operations there are, and what they do, is the model's business.

Concurrency: one trio thread. A slice is about 200 us of model work; then requests
are served, for about as long while more of them come, then the next slice: so
neither side starves. Where few come, who has sent one is waited for: what a program
does to a file is several requests, and each would wait for a slice of its own.

Time: with the wall clock the model's time is the monotonic time since the start.
With the manual clock it stands still until a request waits for an operation that
cannot go on by itself: then it goes to the next event that is due, and no further.
To move it is to wait: an operation that yields ``Until``.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import trio

from memfs.tree import REQUEST, Interrupt, TreeError
from memfs.vm.errors import Cancelled
from memfs.vm.sched import Io, Job, Op, Wait

log = logging.getLogger(__name__)

T = TypeVar("T")

# Of model work between two looks at the requests; the design's figure.
SLICE_NS = 200_000

# After a request, how long the next one of its client is waited for (chosen here): he
# is woken, on a virtual machine's idle CPU too, does his part and asks again. But the
# next slice is not put off for longer than that, nor by requests without end.
PATIENCE_NS = 200_000
PUT_OFF_NS = 1_000_000

# Later than any event, ns.
FAR = 1 << 63

# Calls of the host that may take long and are made at once (chosen here).
HOST_THREADS = 16

# With the manual clock an event comes so much later while pages are revoked, s: the
# real kernel needs time of its own (chosen here).
GRACE_S = 0.001


class Sched(Protocol):
    """What the pump needs of ``memfs.vm.sched.Scheduler``."""

    version: int

    @property
    def now(self) -> int: ...
    def spawn(
        self,
        op: Op[Any],
        *,
        name: str,
        on_done: Callable[[Job], None] | None = None,
        background: bool = False,
        waiting: Wait | None = None,
    ) -> Job: ...
    def round(self) -> bool: ...
    def runnable(self) -> bool: ...
    def next_due(self) -> int | None: ...
    def advance(self, to_ns: int) -> None: ...
    def cancel(self, job: Job) -> None: ...


class Pump:
    """Steps one scheduler.

    Args:
        sched: the model's.
        manual: the clock moves only while a request waits.
        clock: monotonic ns, of the wall clock.

    Attributes:
        manual: which clock; ``set_manual`` changes it.
        served: how many requests the mount has had; set by the daemon.
        revoking: ranges that the real kernel has not given back.
        on_advance: told (ns) whenever the manual clock moved because somebody
            waits; for the journal.
        on_idle: called when no job can run; true if it has more to do.
    """

    def __init__(
        self,
        sched: Sched,
        *,
        manual: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.sched = sched
        self.manual = manual
        self.revoking = 0
        self._waiting: dict[int, Job] = {}
        self.served: Callable[[], int] = lambda: 0
        self.on_advance: Callable[[int], None] = lambda ns: None
        self.on_idle: Callable[[], bool] = lambda: False
        self._clock = clock
        self._offset = clock() - sched.now
        self._bell = trio.Event()
        self._threads = trio.CapacityLimiter(HOST_THREADS)
        self._asleep_until = 0
        # When requests were let by last there were some; and there still were when
        # that had to end.
        self._busy = self._pressed = False

    def resting(self) -> bool:
        """Whether nothing can run, and no request waits for what is due next."""
        asleep = bool(self._asleep_until) and not self._bell.is_set()
        return asleep and not self._waiting

    @property
    def foreground(self) -> int:
        """Requests that wait for an operation."""
        return len(self._waiting)

    # ---------------------------------------------------------------- awaiting

    async def run(self, op: Op[T], name: str, interrupt: Interrupt | None = None) -> T:
        """Await an operation.

        Its first step is done here and now; most operations need no second one.

        Args:
            op: not yet started.
            name: for status.
            interrupt: ends it; by default that of the request being served.

        Raises:
            VmError: what the operation raised.
            TreeError: EINTR: interrupted or cancelled; what it held is put back.
        """
        self._tick()
        self.sched.version += 1
        try:
            wait = next(op)
            # A device that takes no time has done its work already.
            end = self._clock() + SLICE_NS
            while isinstance(wait, Io) and self._clock() < end and self._completed():
                wait = next(op)
        except StopIteration as stop:
            self.poke()
            result: T = stop.value
            return result
        return await self._finish(op, name, wait, interrupt)

    def _completed(self) -> bool:
        """Move the wall clock to now; whether a transfer has ended by that."""
        if self.manual:
            return False
        seen = self.sched.version
        self._tick()
        return self.sched.version != seen

    async def run_job(
        self, op: Op[T], name: str, interrupt: Interrupt | None = None
    ) -> T:
        """As ``run``, as a job from its first step on: it shows in status."""
        self._tick()
        return await self._finish(op, name, None, interrupt)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Await a call of the host that may take long; the model goes on meanwhile.

        Raises:
            TreeError: EINTR: interrupted; the call is not waited for any more.
        """
        interrupt = REQUEST.get()
        with trio.CancelScope() as scope:
            if interrupt is not None:
                interrupt.listen(scope.cancel)
            try:
                return await trio.to_thread.run_sync(
                    call, abandon_on_cancel=True, limiter=self._threads
                )
            finally:
                if interrupt is not None:
                    interrupt.unlisten(scope.cancel)
        raise TreeError(errno.EINTR, "interrupted")

    async def _finish(
        self, op: Op[T], name: str, wait: Wait | None, interrupt: Interrupt | None
    ) -> T:
        done = trio.Event()

        def ended(job: Job) -> None:
            # Now, not when the caller wakes: from here on it moves no clock.
            self._waiting.pop(job.id, None)
            done.set()

        job = self.sched.spawn(op, name=name, on_done=ended, waiting=wait)
        self._round()
        if not job.done:
            await self._wait(job, done, interrupt or REQUEST.get())
        self.poke()
        if isinstance(job.error, Cancelled):
            raise TreeError(errno.EINTR, f"{name}: interrupted")
        result: T = job.value()
        return result

    async def _wait(
        self, job: Job, done: trio.Event, interrupt: Interrupt | None
    ) -> None:
        def cancel() -> None:
            self.sched.cancel(job)
            self._bell.set()

        self._waiting[job.id] = job
        self._bell.set()
        try:
            if interrupt is not None:
                interrupt.listen(cancel)
            await done.wait()
        except trio.Cancelled:
            self._drop(job)
            raise
        finally:
            if interrupt is not None:
                interrupt.unlisten(cancel)

    def _drop(self, job: Job) -> None:
        """Nobody waits any more: have it put back what it holds, now."""
        self.sched.cancel(job)
        while not job.done and self._round():
            pass

    # ---------------------------------------------------------------- the loop

    async def serve(self) -> None:
        """Run jobs as long as there are any; sleep until there are. Never returns."""
        while True:
            self._tick()
            self._slice()
            if self.sched.runnable() or self.on_idle():
                await self._let_requests_by()
            else:
                await self._rest()

    def _slice(self) -> None:
        # A round takes half of it or more: with less than that left it would be late.
        end = self._clock() + SLICE_NS // 2
        while self._round() and self._clock() < end:
            self._tick()

    def _round(self) -> bool:
        """One step of every job. A background task that fails is a bug: it is gone."""
        try:
            return self.sched.round()
        except Exception:
            log.exception("a background task of the model failed")
            return True

    async def _let_requests_by(self) -> None:
        """Let trio serve what is there, and for a while what follows from it."""
        last = self._clock()
        end = last + (SLICE_NS if self._pressed else PUT_OFF_NS)
        patience = PATIENCE_NS if self._busy else 0
        seen, self._busy = self.served(), False
        while True:
            await trio.lowlevel.checkpoint()
            now, served = self._clock(), self.served()
            if served != seen:
                last, seen, patience, self._busy = now, served, PATIENCE_NS, True
            if now - last >= patience or now >= end:
                break
        self._pressed = now >= end

    async def _rest(self) -> None:
        """Nothing can run: wait for the next event, or for somebody to ring."""
        due = self.sched.next_due()
        if self.manual:
            await self._rest_manual(due)
            return
        self._bell = trio.Event()
        if due is None:
            self._asleep_until = FAR
            await self._bell.wait()
        else:
            self._asleep_until = due
            with trio.move_on_after(max(0, due - self._virtual()) / 1e9):
                await self._bell.wait()
        self._asleep_until = 0

    async def _rest_manual(self, due: int | None) -> None:
        if due is not None and self._waiting:
            if self.revoking:
                self._bell = trio.Event()
                with trio.move_on_after(GRACE_S):
                    await self._bell.wait()
                    return
            self.on_advance(due)
            self.sched.advance(due)
            await trio.lowlevel.checkpoint()
            return
        self._bell = trio.Event()
        self._asleep_until = FAR
        await self._bell.wait()
        self._asleep_until = 0

    # --------------------------------------------------------------- the clock

    def set_manual(self, manual: bool) -> None:
        """Change the clock; the model's time goes on from where it is."""
        self._tick()
        self.manual = manual
        self._offset = self._clock() - self.sched.now
        self._bell.set()

    def _virtual(self) -> int:
        return self._clock() - self._offset

    def _tick(self) -> None:
        if not self.manual:
            self.sched.advance(self._clock() - self._offset)

    def ring(self) -> None:
        """Wake the loop: something that happened outside of it woke a job."""
        self._bell.set()

    def tick(self) -> None:
        """Bring the clock up to date, before a step is done outside of the loop, or
        the time is shown: while nothing can run nobody moves it."""
        self._tick()

    def poke(self) -> None:
        """Wake the loop if a step done outside of it left it something to do."""
        if not self._asleep_until or self._bell.is_set():
            return
        due = self.sched.next_due()
        early = due is not None and due < self._asleep_until and not self.manual
        if early or self.sched.runnable():
            self._bell.set()
