"""Pressure: for how long operations could not go on, for want of memory or for I/O.

Who stalls says so when it begins and when it ends; between two such moments the
counts stand still, so that the times add up exactly. "some": at least one stalls;
"full": at least one, and no task computes meanwhile. All of it in virtual time.

Source: kernel/sched/psi.c, Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from memfs.records import NamedTuple
from memfs.vm.sched import NS_PER_S, Op, Wait

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

PERIOD_NS: Final = 2 * NS_PER_S
WINDOWS: Final = (10, 60, 300)  # s
# What an average keeps of itself in a period, in 1/2048.
KEEPS: Final = (1677, 1981, 2034)
FIXED: Final = 2048
LOAD_NS: Final = 5 * NS_PER_S
LOAD_KEEPS: Final = (1884, 2014, 2037)
MOST_PERIODS: Final = 4096  # after so many without a change an average is there
NS_PER_US: Final = 1000
SOME, FULL = range(2)


class Line(NamedTuple):
    """One line of a pressure file: averages in percent * 2048, the total in us."""

    averages: tuple[int, int, int]
    total_us: int


class Trigger:
    """Fires when so much stall time is reached within a window; ns."""

    def __init__(self, kind: int, threshold: int, window: int) -> None:
        self.kind = kind
        self.threshold = threshold
        self.window = window
        self.fired = False
        self._since = 0
        self._total = 0
        self._last = -window

    def look(self, now: int, total: int) -> None:
        """Fire if the time of the window's growth is over the threshold."""
        if now - self._since > self.window:
            self._since, self._total = now, total
            return
        if total - self._total >= self.threshold and now - self._last >= self.window:
            self.fired = True
            self._last = now
            self._since, self._total = now, total

    def begin(self, now: int, total: int) -> None:
        """Look from here on."""
        self._since, self._total = now, total


class Resource:
    """One resource that can be short."""

    def __init__(self, pressure: Pressure) -> None:
        self._pressure = pressure
        self.stalled = 0
        self.total = [0, 0]
        self.averages = [[0, 0, 0], [0, 0, 0]]
        self.triggers: list[Trigger] = []
        self._sampled = [0, 0]

    def add(self, ns: int, busy: bool) -> None:
        """Time has passed; the counts were what they are."""
        if self.stalled:
            self.total[SOME] += ns
            self.total[FULL] += 0 if busy else ns

    def period(self) -> None:
        """A period has ended: the averages follow."""
        for kind in (SOME, FULL):
            grown = self.total[kind] - self._sampled[kind]
            self._sampled[kind] = self.total[kind]
            percent = grown * 100 * FIXED // PERIOD_NS
            for i, keeps in enumerate(KEEPS):
                old = self.averages[kind][i]
                load = old * keeps + percent * (FIXED - keeps)
                self.averages[kind][i] = (
                    load + (FIXED - 1 if percent >= old else 0)
                ) // FIXED

    def settle(self, busy: bool) -> None:
        """Nothing has changed for very long."""
        for kind in (SOME, FULL):
            stands = self.stalled and (kind == SOME or not busy)
            self.averages[kind] = [100 * FIXED if stands else 0] * 3
            self._sampled[kind] = self.total[kind]

    def line(self, kind: int) -> Line:
        """What a file shows."""
        a, b, c = self.averages[kind]
        return Line((a, b, c), self.total[kind] // NS_PER_US)

    @contextmanager
    def stall(self) -> Iterator[None]:
        """Somebody cannot go on."""
        self._pressure.account()
        self.stalled += 1
        try:
            yield
        finally:
            self._pressure.account()
            self.stalled -= 1

    def waiting(self, wait: Wait) -> Op[None]:
        """One wait during which somebody cannot go on."""
        with self.stall():
            yield wait


class Load:
    """How many want to run or cannot go on, averaged over 1, 5 and 15 minutes.

    Source: kernel/sched/loadavg.c calc_load(), Linux 6.1.
    """

    def __init__(self) -> None:
        self.averages = [0, 0, 0]
        self._ends = LOAD_NS

    def passed(self, now: int, active: int) -> None:
        """Time has passed; the count was what it is."""
        periods = (now - self._ends) // LOAD_NS + 1
        if periods > MOST_PERIODS:
            self.averages = [active * FIXED] * 3
            self._ends += periods * LOAD_NS
        while now >= self._ends:
            for i, keeps in enumerate(LOAD_KEEPS):
                old = self.averages[i]
                new = old * keeps + active * FIXED * (FIXED - keeps)
                self.averages[i] = (
                    new + (FIXED - 1 if active * FIXED >= old else 0)
                ) // FIXED
            self._ends += LOAD_NS


class Pressure:
    """Memory, I/O, and who computes."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        self._busy = 0
        self._at = 0
        self.load = Load()
        self._period_ends = PERIOD_NS
        self.memory = Resource(self)
        self.io = Resource(self)
        self.resources = {"memory": self.memory, "io": self.io}

    def account(self) -> None:
        """Bring the times up to the present."""
        now = self._m.now if self._m.core.is_open else self._at
        active = self._busy + self.io.stalled + self.memory.stalled
        self.load.passed(now, active)
        if now - self._at > MOST_PERIODS * PERIOD_NS:
            self._add(now - PERIOD_NS - self._at)
            for resource in self.resources.values():
                resource.settle(bool(self._busy))
            self._period_ends = (self._at // PERIOD_NS + 1) * PERIOD_NS
        while now >= self._period_ends:
            self._add(self._period_ends - self._at)
            for resource in self.resources.values():
                resource.period()
            self._period_ends += PERIOD_NS
        self._add(now - self._at)
        for resource in self.resources.values():
            for trigger in resource.triggers:
                trigger.look(now, resource.total[trigger.kind])

    def _add(self, ns: int) -> None:
        for resource in self.resources.values():
            resource.add(ns, bool(self._busy))
        self._at += ns

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A task computes."""
        self.account()
        self._busy += 1
        try:
            yield
        finally:
            self.account()
            self._busy -= 1
