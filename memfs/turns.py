"""Whose turn it is: to read the next request, and to open a file for writing.

``Turns`` is the stand-in for ``trio`` that pyfuse3 is given.

pyfuse3 asks its ``trio`` for a lock and for ``wait_readable`` before each request,
and allows for another module in trio's place (it does so itself for asyncio). As
it uses them, each request costs two rounds of the event loop, a dozen system calls
and a change of tasks. Here the task that answered a request reads the next one,
without asking the event loop, as long as there is one and the turn lasts; another
task takes over only when a handler waits. This doubles the rate of requests.

What it is not: it knows no request. ``memfs/fuse.py`` says when a handler waits
(``pass_on``) and when the session is over (``end``).

Concurrency: one trio thread; no more than ``TURN_NS`` pass between two rounds of
the event loop on account of requests, or ``LONG_TURN_NS`` while the model rests.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from memfs.inodes import Inode
from memfs.shim import Shim
from memfs.tree import TreeError

# The model's background work gets a turn as long: see memfs/background.py.
TURN_NS = 200_000

# Where nothing of the model can run, who else waits is late by no more than this: a
# signal, a timer (chosen here). A round of the event loop costs half of TURN_NS.
LONG_TURN_NS = 1_000_000

# How long a client needs for the next request of a sequence (open, read, close).
SPIN_NS = 12_000


class Turn:
    """In the place of pyfuse3's read lock: one reader, no hand-over without need."""

    def __init__(self, lot: Any) -> None:
        self._lot = lot
        self._held = False
        self._over = False

    async def __aenter__(self) -> None:
        while self._held and not self._over:
            await self._lot.park()
        self._held = True

    async def __aexit__(self, *exc: object) -> None:
        self._held = False

    def pass_on(self) -> None:
        """The reader is about to wait for something else than a request."""
        if not self._held:
            self._lot.unpark()

    def end(self) -> None:
        """Nobody will be the reader any more: let all of them see that."""
        self._over = True
        self._lot.unpark_all()


class Turns:
    """The stand-in, and the turn that is kept with it.

    Args:
        trio: the real one.
        shim: says whether a request is there.

    Attributes:
        resting: whether nothing of the model can run; set by the daemon.
    """

    def __init__(self, trio: ModuleType, shim: Shim) -> None:
        self._trio = trio
        self._readable = shim.readable
        self._keep_turn = shim.keep_turn
        self._until = self._long_until = 0
        self.resting: Callable[[], bool] = lambda: False
        self.turn = Turn(trio.lowlevel.ParkingLot())
        lowlevel = SimpleNamespace(**vars(trio.lowlevel))
        lowlevel.wait_readable = self.wait_readable
        self.module = SimpleNamespace(**vars(trio))
        self.module.lowlevel = lowlevel
        self.module.Lock = lambda: self.turn

    async def wait_readable(self, fd: int) -> None:
        """Return when a request is there; ask the event loop only if none comes."""
        if not (self._goes_on() and self._readable(SPIN_NS)):
            await self._trio.lowlevel.wait_readable(fd)
            now = time.monotonic_ns()
            self._until, self._long_until = now + TURN_NS, now + LONG_TURN_NS
        self._keep_turn(self._long_until if self.resting() else 0)

    def _goes_on(self) -> bool:
        """Whether the turn lasts."""
        now = time.monotonic_ns()
        return now < self._until or (now < self._long_until and self.resting())


class Gate:
    """Sends writers of one node back for a number of their own, one at a time.

    See ``memfs/inodes.py``. The next one is let go when the one before has come
    back and opened, or has had ``PATIENCE_S`` for it. (All at once, a thousand
    would make each other's names stale: a million lookups.)
    """

    # A path walk takes some ten microseconds, on a crowded machine much longer; who
    # was killed never comes (chosen here).
    PATIENCE_S = 0.1

    def __init__(self, trio: ModuleType) -> None:
        self._trio = trio
        self._queue = trio.Lock()
        self._expected: dict[int, None] = {}
        self._came = trio.Event()

    def expects(self, pid: int) -> bool:
        """Whether this thread was sent back and has not opened since."""
        return pid in self._expected

    async def pass_through(self, inode: Inode, pid: int) -> None:
        """Return if a thread may open this inode for writing.

        Raises:
            TreeError: ESTALE: it has a writer; come back.
        """
        if self.expects(pid):
            del self._expected[pid]
            self._came.set()
        if not inode.writers:
            return
        async with self._queue:
            if self._expected:
                with self._trio.move_on_after(self.PATIENCE_S):
                    await self._came.wait()
            if inode.writers:
                self._expected[pid] = None
                self._came = self._trio.Event()
                raise TreeError(errno.ESTALE, "another writer has this inode")
