"""What a row of the table is, and what a row hands to the harness.

A row measures one thing of memfs, mostly beside an anchor: something else that does
the same, in the same run, in turns. No row knows how often it is called or what
becomes of its figures.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum


class Unavailable(Exception):
    """This row cannot be measured here; one sentence with the remedy."""


class Verdict(Enum):
    """How a figure stands to the gate and the aim of its row."""

    AIM = "aim"
    GATE = "gate"
    BELOW = "below gate"


@dataclass(frozen=True)
class Options:
    """What a row is told.

    Args:
        quick: sizes that show that the row works, not what it is about.
        instructions: count them, which takes longer than the rounds themselves.
    """

    quick: bool = False
    instructions: bool = True


@dataclass(frozen=True)
class Side:
    """One contender: `measure` does one round and returns its figure."""

    label: str
    measure: Callable[[], float]


@dataclass(frozen=True)
class Count:
    """Instructions of user space per unit of work, and what counted them."""

    label: str
    per_unit: float
    unit: str
    tool: str


@dataclass
class Bench:
    """A row that is set up and ready for rounds.

    Args:
        ours: memfs.
        anchor: what it stands beside; None: the figure speaks for itself.
        count: counts instructions, once, after the rounds.
        pinned: each round on one CPU, both sides on the same; for what is one
            process at a time.
        details: figures that belong in the JSON beside the result; the sides add
            to it as they run.
        beside: what else is measured each round, to be shown and not judged.
    """

    ours: Side
    anchor: Side | None = None
    count: Callable[[], list[Count]] = list
    pinned: bool = True
    details: dict[str, object] = field(default_factory=dict)
    beside: tuple[Side, ...] = ()


@dataclass(frozen=True)
class Row:
    """One measure.

    Args:
        name: for --rows and the JSON.
        what: what is measured, beside what.
        unit: of a side's figure; with an anchor the result is a ratio.
        gate: what it must reach.
        aim: what it should reach.
        open: sets up; raises Unavailable.
        lower_is_better: a time, not a rate.
    """

    name: str
    what: str
    unit: str
    gate: float
    aim: float
    open: Callable[[Options], AbstractContextManager[Bench]]
    lower_is_better: bool = False

    def verdict(self, value: float) -> Verdict:
        """How `value` stands to the gate and the aim."""
        sign = -1 if self.lower_is_better else 1
        if sign * value >= sign * self.aim:
            return Verdict.AIM
        return Verdict.GATE if sign * value >= sign * self.gate else Verdict.BELOW
