"""Taking back what the real kernel has of pages, in threads of its own.

What is asked back, and what becomes of a page that is, is the model's business
(memfs/vm/revoke.py); how the kernel is told is the session's (memfs/fuse.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from memfs.vm.revoke import Revocation, Revocations

if TYPE_CHECKING:
    from memfs.background import Pump

log = logging.getLogger(__name__)

# Threads that revoke at once: one may wait for a page that is being read. Pages that
# a thread is given, or a few more; how long a reclaim waits while none comes back.
# All chosen here.
THREADS = 4
BATCH = 1024
PATIENCE_S = 0.5


class Revoker:
    """Takes the real kernel's copies of pages away, in threads of its own.

    The threads hold nothing: the kernel may have to write a dirty page first, or
    may be waiting for a page to be read, and both are served here meanwhile.

    Args:
        pump: runs the machine that asks.
        revocations: what it asks.
    """

    def __init__(self, pump: Pump, revocations: Revocations) -> None:
        self._pump = pump
        self._revocations = revocations
        self._queue: list[Revocation] = []
        self._bell = trio.Event()

    async def serve(self, invalidate: Callable[[list[Revocation]], None]) -> None:
        """Do what the machine asks from now on. Never returns; ``end`` it before.

        Args:
            invalidate: drops ranges of files; waits, so it is called in a thread.
        """
        threads = trio.Semaphore(THREADS)
        self._revocations.hook = self._take
        async with trio.open_nursery() as nursery:
            while True:
                if not self._queue:
                    self._bell = trio.Event()
                    await self._bell.wait()
                await threads.acquire()
                nursery.start_soon(self._do, self._batch(), invalidate, threads)

    def end(self) -> None:
        """No request is answered any more: nothing can come back, or need."""
        self._revocations.hook = None
        queued, self._queue = self._queue, []
        self._give_back(queued, kept=True)
        self._revocations.expire()

    def _take(self, ranges: list[Revocation]) -> None:
        self._queue += ranges
        self._pump.revoking += len(ranges)
        self._bell.set()

    def _batch(self) -> list[Revocation]:
        pages = nr = 0
        while nr < len(self._queue) and pages < BATCH:
            pages += self._queue[nr].nr
            nr += 1
        batch, self._queue = self._queue[:nr], self._queue[nr:]
        return batch

    async def _do(
        self,
        batch: list[Revocation],
        invalidate: Callable[[list[Revocation]], None],
        threads: trio.Semaphore,
    ) -> None:
        kept = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lose_patience)
            try:
                await trio.to_thread.run_sync(invalidate, batch, abandon_on_cancel=True)
            except OSError as exc:
                log.warning("pages could not be revoked: %s", exc)
                kept = True
            nursery.cancel_scope.cancel()
        threads.release()
        self._give_back(batch, kept)

    def _give_back(self, batch: list[Revocation], kept: bool) -> None:
        self._pump.tick()
        self._pump.revoking -= len(batch)
        self._revocations.done(batch, kept)
        self._pump.ring()

    async def _lose_patience(self) -> None:
        while True:
            answers = self._revocations.answers
            await trio.sleep(PATIENCE_S)
            if self._revocations.answers == answers:
                self._revocations.expire()
                self._pump.ring()
