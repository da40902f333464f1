"""Pages that a real process may have mapped, and asking for them back.

The real kernel's copy of a page is to the model what a TLB entry is to Linux: before
such a page goes, the copy is asked back. Reclaim in the core queues the pages; here
their ranges are handed to a hook that has the kernel drop them, in its own time and
its own thread, and says so with :meth:`Revocations.done`.

What it is not: it knows neither thread nor kernel. Without a hook (the library) no
process maps a page, and what is asked back is back at once.

Concurrency: the machine's one thread. What is dirty in the kernel's copy arrives as
a write before ``done``, so reads and writes must be served meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm.sched import Op, Park

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.pagecache import PageFile

KEY = ("revocation",)


class Revocation(NamedTuple):
    """Pages of a file that the real kernel is to give back."""

    file: PageFile
    first: int
    nr: int


class Revocations:
    """What one machine has asked back.

    Attributes:
        hook: takes ranges, returns at once; each is given to ``done`` later. None:
            there is no copy of any page.
        outstanding: pages that have not come back.
        answers: how often ``done`` was called.
    """

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.hook: Callable[[list[Revocation]], None] | None = None
        self.outstanding = 0
        self.answers = 0
        self._expired = 0

    def kick(self) -> None:
        """Hand over what reclaim has queued."""
        taken = self.m.core.revoke_take()
        if not taken:
            return
        ranges = [
            Revocation(file, first, nr)
            for mapping, first, nr in taken
            if (file := self.m.files.get(mapping)) is not None
        ]
        self.outstanding += sum(one.nr for one in ranges)
        if self.hook is None:
            self.done(ranges)
        else:
            self.hook(ranges)

    def done(self, ranges: Sequence[Revocation], kept: bool = False) -> int:
        """Ranges came back; or, `kept`, they cannot be had.

        Returns:
            Pages that may go now: nobody read them for a fault meanwhile.
        """
        gone = 0
        # Backwards: what comes first in the file is to be looked at first.
        for file, first, nr in reversed(ranges):
            self.outstanding -= nr
            if self.m.files.get(file.id) is file:
                gone += self.m.core.revoked(file.id, first, nr, kept)
        self.answers += 1
        self.m.bump()
        self.m.sched.wake(KEY)
        return gone

    def expire(self) -> None:
        """Nothing came back for so long that nobody need wait any longer."""
        self._expired += 1
        self.m.sched.wake(KEY)

    def wait(self) -> Op[None]:
        """Wait until everything that was asked for is back, or the patience ends."""
        expired = self._expired
        while self.outstanding and self._expired == expired:
            yield Park(KEY)

    def wait_some(self) -> Op[bool]:
        """Wait until something is back. Returns: False if the patience ended first."""
        expired, answers = self._expired, self.answers
        while self.outstanding and self.answers == answers:
            if self._expired != expired:
                return False
            yield Park(KEY)
        return True
