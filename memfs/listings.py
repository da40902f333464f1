"""Who looks at names that come and go, and the changes that wait for them.

A program lists the nodes or the blocks and then opens files of each. So that it sees
one machine, a command that takes names away, brings them, or changes the state of
many waits until those who have begun are done, and who begins meanwhile waits for
the command. Done is who has closed the directory and has ended, or has had a moment
for its files.

It is a courtesy, not a lock: nobody waits longer than ``PATIENCE_S``, and the
directories that the commanding thread has open itself do not count.

Concurrency: one trio thread.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType

# Chosen here: longer than lsmem and a scrape take, and not long for a shell.
PATIENCE_S = 0.25
MOMENT_S = 0.05
LOOK_S = 0.002


def is_alive(pid: int) -> bool:
    """Whether there is such a thread, as far as can be seen from here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return pid > 0


class Listings:
    """The open directories of one mount whose names come and go.

    Args:
        trio: the module; times are its clock's.
        alive: whether a thread has not ended.
    """

    def __init__(
        self, trio: ModuleType, alive: Callable[[int], bool] = is_alive
    ) -> None:
        self._trio = trio
        self._alive = alive
        # Who has which open, by handle; until when others may still open files.
        self._open: dict[int, int] = {}
        self._closed: dict[int, float] = {}
        self._changing = 0
        self._changed = trio.Event()

    async def begin(self, pid: int) -> None:
        """A directory is about to be listed: return when it may be.

        Who is in the middle of it goes on: a change waits for him.
        """
        if self.waits(pid):
            with self._trio.move_on_after(PATIENCE_S):
                await self._changed.wait()

    def waits(self, pid: int) -> bool:
        """Whether ``begin`` would wait."""
        return bool(self._changing) and not self._lists(pid)

    def begun(self, fh: int, pid: int) -> None:
        """It has been, and is open."""
        self._open[fh] = pid

    def end(self, fh: int) -> None:
        """It is closed."""
        pid = self._open.pop(fh, None)
        if pid is not None:
            self._closed[pid] = self._trio.current_time() + MOMENT_S

    def _lists(self, pid: int) -> bool:
        """Whether *pid* is in the middle of it."""
        until = self._closed.get(pid, 0.0)
        return until > self._trio.current_time() or pid in self._open.values()

    def _busy(self, pid: int) -> bool:
        """Whether anybody but *pid* is."""
        if any(other != pid for other in self._open.values()):
            return True
        now = self._trio.current_time()
        self._closed = {
            other: until
            for other, until in self._closed.items()
            if until > now and self._alive(other)
        }
        return any(other != pid for other in self._closed)

    @asynccontextmanager
    async def change(
        self, pid: int, given_up: Callable[[], bool]
    ) -> AsyncIterator[None]:
        """A command of thread *pid* is carried out inside, unless it is *given_up*."""
        self._changing += 1
        try:
            with self._trio.move_on_after(PATIENCE_S):
                while self._busy(pid) and not given_up():
                    await self._trio.sleep(LOOK_S)
            yield
        finally:
            self._changing -= 1
            if not self._changing:
                self._changed.set()
                self._changed = self._trio.Event()
