"""Who looks at names that come and go, and the changes that wait for them.

A program lists the nodes or the blocks and then opens files of each. So that it sees
one machine, a command that takes names away, brings them, or changes the state of
many waits until those who have begun are done, and who begins meanwhile waits for
the command. Done is who has ended; who has closed the directory and has slept for a
moment since, or for longer with the directory open; and who has had that much of the
CPU's time for its files. Who only waits for a CPU is not done: what counts is its own
progress, not the clock of a machine that has other things to do.

It is a courtesy, not a lock: nobody waits longer than ``BEGIN_S``, the directories
that the commanding thread has open itself do not count, and who lists a directory
for the third time has begun anew.

Concurrency: one trio thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import ModuleType

from memfs.doing import Doing, doing

# Chosen here: what lsmem and a scrape need on a crowded machine, and what a shell
# bears at the worst. Who begins is to see the end of a change that has waited so long.
PATIENCE_S = 15.0
BEGIN_S = 2 * PATIENCE_S
# From then on a thread does something else, however busy it is.
FORGET_S = 5.0
# For files of a directory that is closed; for going through one that is open.
MOMENT_S = 0.05
OPEN_S = 0.25
LOOK_S = 0.002
# Asleep in so many looks in a row is asleep: what it had asked of this daemon is
# answered between two.
LOOKS = 5
# lsmem opens the blocks' directory to stay, to list it, and lists the first twice.
TIMES = 2


@dataclass
class Lister:
    """A thread that has begun.

    Attributes:
        moment_s: how long it may sleep, and how much CPU time it may have.
        until: till when it may sleep.
        since: when it opened or closed a directory last.
        listed: how often it has listed which inode in this round.
        cpu_s: the CPU time that it had at the first look after that.
        turns: its turns on a CPU at the last look.
        asleep: looks in a row between which it slept.
    """

    moment_s: float = 0.0
    until: float = 0.0
    since: float = 0.0
    listed: dict[int, int] = field(default_factory=dict)
    cpu_s: float | None = None
    turns: int = -1
    asleep: int = 0

    def lists(self, ino: int, now: float) -> None:
        """It lists a directory, which may be the first of another round."""
        if self.has_begun_anew(ino) or now > self.until:
            self.listed.clear()
        self.listed[ino] = self.listed.get(ino, 0) + 1

    def has_begun_anew(self, ino: int) -> bool:
        """Whether listing this directory does not go on with the round."""
        return self.listed.get(ino, 0) >= TIMES

    def goes_on(self, now: float, moment_s: float) -> None:
        """It has opened or closed a directory."""
        self.moment_s, self.until, self.since = moment_s, now + moment_s, now
        self.cpu_s, self.turns, self.asleep = None, -1, 0

    def is_done(self, now: float, seen: Doing | None) -> bool:
        """Whether it is, by what it was seen doing at a look."""
        if seen is None or now > self.since + FORGET_S:
            return True
        if self.cpu_s is None:
            self.cpu_s = seen.cpu_s
        if seen.cpu_s >= self.cpu_s + self.moment_s:
            return True
        # Who is answered between two looks may be asleep at each.
        if seen.runs or seen.turns != self.turns >= 0:
            self.until, self.asleep, self.turns = now + self.moment_s, 0, seen.turns
            return False
        self.turns = seen.turns
        self.asleep += 1
        return self.asleep >= LOOKS and now >= self.until


class Listings:
    """The open directories of one mount whose names come and go.

    Args:
        trio: the module; times are its clock's.
        doing: what the process of a thread is doing.
    """

    def __init__(
        self, trio: ModuleType, doing: Callable[[int], Doing | None] = doing
    ) -> None:
        self._trio = trio
        self._doing = doing
        # Who has which open, by handle, and how many; who has begun, the last to go on
        # at the end.
        self._open: dict[int, int] = {}
        self._nr_open: Counter[int] = Counter()
        self._listers: dict[int, Lister] = {}
        self._waiting: dict[int, None] = {}
        self._changing = 0
        self._changed = trio.Event()

    async def begin(self, pid: int, ino: int) -> None:
        """A directory is about to be listed: return when it may be.

        Who is in the middle of it goes on: a change waits for him.
        """
        if self.waits(pid, ino):
            self._listers.pop(pid, None)
            self._waiting[pid] = None
            try:
                with self._trio.move_on_after(BEGIN_S):
                    await self._changed.wait()
            finally:
                self._waiting.pop(pid, None)

    def waits(self, pid: int, ino: int) -> bool:
        """Whether ``begin`` would wait."""
        if not self._changing:
            return False
        lister = self._listers.get(pid)
        return lister is None or lister.has_begun_anew(ino)

    def begun(self, fh: int, pid: int, ino: int) -> None:
        """It has been, and is open."""
        self._open[fh] = pid
        self._nr_open[pid] += 1
        now = self._trio.current_time()
        self._lister(pid).lists(ino, now)
        self._goes_on(pid, OPEN_S)

    def end(self, fh: int) -> None:
        """It is closed."""
        pid = self._open.pop(fh, None)
        if pid is None:
            return
        self._nr_open[pid] -= 1
        # The same thread may have others open still.
        if not self._nr_open[pid]:
            del self._nr_open[pid]
            self._goes_on(pid, MOMENT_S)

    def _lister(self, pid: int) -> Lister:
        """That thread; from now on the last of all."""
        lister = self._listers.pop(pid, None) or Lister()
        self._listers[pid] = lister
        return lister

    def _goes_on(self, pid: int, moment_s: float) -> None:
        """A thread has opened or closed a directory, or may now."""
        now = self._trio.current_time()
        self._lister(pid).goes_on(now, moment_s)
        # Nobody looks while there is no change: what is old goes one by one.
        oldest = next(iter(self._listers))
        if now > self._listers[oldest].since + FORGET_S:
            del self._listers[oldest]

    def _busy(self, pid: int) -> bool:
        """Whether anybody but *pid* is in the middle of it."""
        now = self._trio.current_time()
        for other, lister in list(self._listers.items()):
            if other != pid and lister.is_done(now, self._doing(other)):
                del self._listers[other]
        return any(other != pid for other in self._listers)

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
                self._let_begin()

    def _let_begin(self) -> None:
        """All who wait, before another change that is not theirs to see half of."""
        for pid in self._waiting:
            self._goes_on(pid, MOMENT_S)
        self._waiting.clear()
        self._changed.set()
        self._changed = self._trio.Event()
