"""Watching the callers of waiting requests for signals.

A request that waits is put on the watch with the Interrupt to set. With the shim
a signal arrives as an event; without it, and for volumes, whose callers only a
fatal signal may interrupt, the pending signals of the caller are looked at in
/proc, every ``POLL_S`` seconds while somebody is on that list.

What it is not: it does not wait; ``memfs/fuse.py`` runs ``events`` and ``poll``.

Concurrency: one thread.

Source: kernel/signal.c complete_signal(), fs/fuse/dev.c request_wait_answer(),
Linux 6.1: INTERRUPT is sent once a request, for the first signal.
"""

from __future__ import annotations

import errno
import logging
import signal
import types
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar, cast

from memfs.shim import Shim
from memfs.tree import Interrupt

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_S = 0.02

_KILL = 1 << signal.SIGKILL - 1


class Watch:
    """One waiting request. ``fatal``: only a fatal signal counts."""

    __slots__ = ("fatal", "interrupt", "pid", "slot")

    def __init__(self, interrupt: Interrupt, pid: int, slot: int, fatal: bool) -> None:
        self.interrupt = interrupt
        self.pid = pid
        self.slot = slot
        self.fatal = fatal


class Callers:
    """Every waiting request that may be interrupted."""

    def __init__(self, shim: Shim) -> None:
        self._shim = shim
        self._by_slot: dict[int, Watch] = {}
        self._polled: dict[Watch, None] = {}
        # Called when the list of those to poll gets its first member.
        self.on_polled: Callable[[], None] = lambda: None

    async def attend(
        self, work: Coroutine[Any, Any, T], interrupt: Interrupt, pid: int, fatal: bool
    ) -> T:
        """Await *work*, the request in hand; watch its caller once it waits.

        Most requests never wait and are not put on the watch.

        Args:
            pid: the caller, as far as it is known without the shim; 0 if not.
            fatal: only a fatal signal counts.
        """
        try:
            trap = work.send(None)
        except StopIteration as stop:
            return cast(T, stop.value)
        watch = self.watch(interrupt, pid, fatal)
        try:
            return await resume(work, trap)
        finally:
            self.unwatch(watch)

    def watch(self, interrupt: Interrupt, pid: int, fatal: bool) -> Watch:
        """Put the request in hand on the watch, before it waits."""
        pid = self._shim.caller_pid() or pid
        watch = Watch(interrupt, pid, self._shim.arm(), fatal)
        if watch.slot >= 0:
            self._by_slot[watch.slot] = watch
        elif pid:
            self._poll_too(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        if watch.slot >= 0:
            del self._by_slot[watch.slot]
            self._shim.disarm(watch.slot)
        self._polled.pop(watch, None)

    def events(self) -> None:
        """Handle the signals that the shim reports."""
        for slot in self._shim.interrupted():
            watch = self._by_slot[slot]
            if not watch.fatal or pending(watch.pid, fatal=True):
                watch.interrupt.set()
            else:
                # There will be no second event, so what follows has to be polled.
                self._poll_too(watch)

    def _poll_too(self, watch: Watch) -> None:
        self._polled[watch] = None
        self.on_polled()

    @property
    def polling(self) -> bool:
        """Whether ``poll`` has anybody to look at."""
        return bool(self._polled)

    def poll(self) -> None:
        """Look at the pending signals of those who cause no event."""
        for watch in [w for w in self._polled if pending(w.pid, w.fatal)]:
            del self._polled[watch]
            watch.interrupt.set()

    def waiting(self) -> int:
        """How many requests are on the watch."""
        return len(self._by_slot) + sum(w.slot < 0 for w in self._polled)

    def interrupt_all(self) -> None:
        """End every waiting request: the mount is going away."""
        for watch in [*self._by_slot.values(), *self._polled]:
            watch.interrupt.set()


@types.coroutine
def resume(work: Coroutine[Any, Any, T], trap: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that was stepped once and yielded *trap*."""
    try:
        while True:
            try:
                value = yield trap
            except BaseException as exc:
                trap = work.throw(exc)
            else:
                trap = work.send(value)
    except StopIteration as stop:
        return cast(T, stop.value)


def errno_of(exc: Exception, what: str) -> int:
    """The one translation of errors: an errno passes, a bug is logged and is EIO."""
    code = getattr(exc, "errno", None)
    if isinstance(code, int) and code > 0:
        log.debug("%s: %s", what, exc)
        return code
    log.error("%s failed", what, exc_info=exc)
    return errno.EIO


def pending(pid: int, fatal: bool = False) -> bool:
    """Whether a thread has a signal to handle; True when it is gone.

    A blocked signal interrupts nothing and does not count, SIGKILL always does.
    Of a thread in another pid namespace (0) nothing is known: False.
    """
    if pid <= 0:
        return False
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    masks = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    bits = int(masks["SigPnd"], 16) | int(masks["ShdPnd"], 16)
    if fatal:
        return bool(bits & _KILL)
    return bool(bits & ~int(masks["SigBlk"], 16))
