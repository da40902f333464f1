"""Runs the rounds of a row, in turns, and says what came out.

The machine is shared and noisy, so only what was measured within moments of each
other is compared: each round measures memfs, then the anchor, on one CPU, and gives
one ratio. The result is the median of the rounds' ratios. The CPUs take turns, for
those of a virtual machine need not be equally fast.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field

from benchlib.noise import Noise, NoiseMeter
from benchlib.row import Bench, Count, Options, Row, Unavailable, Verdict


@dataclass(frozen=True)
class Spread:
    """Median and range of the rounds."""

    median: float
    low: float
    high: float


def spread(values: list[float]) -> Spread:
    """Median and range; `values` is not empty."""
    return Spread(statistics.median(values), min(values), max(values))


@dataclass
class Result:
    """One row, measured or left out."""

    row: Row
    left_out: str = ""
    """Why it was not measured; empty: it was."""
    labels: tuple[str, ...] = ()
    ours: list[float] = field(default_factory=list)
    anchor: list[float] = field(default_factory=list)
    beside: dict[str, list[float]] = field(default_factory=dict)
    """What is shown and not judged, by its label."""
    noise: Noise | None = None
    counts: list[Count] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)

    @property
    def figures(self) -> list[float]:
        """One a round: what the gate and the aim are about."""
        if not self.anchor:
            return self.ours
        return [a / b for a, b in zip(self.ours, self.anchor, strict=True)]

    @property
    def verdict(self) -> Verdict | None:
        """None: not measured."""
        if not self.ours:
            return None
        return self.row.verdict(spread(self.figures).median)


def measure(row: Row, options: Options, rounds: int) -> Result:
    """Set `row` up, run its rounds, tear it down."""
    result = Result(row)
    try:
        with row.open(options) as bench:
            meter = NoiseMeter()
            _run(bench, result, rounds)
            result.noise = meter.read()
            if options.instructions:
                result.counts = bench.count()
    except Unavailable as reason:
        return Result(row, left_out=str(reason))
    return result


def _run(bench: Bench, result: Result, rounds: int) -> None:
    result.labels = (bench.ours.label,)
    result.details = bench.details
    if bench.anchor is not None:
        result.labels += (bench.anchor.label,)
    cpus = sorted(os.sched_getaffinity(0))
    try:
        for number in range(rounds):
            if bench.pinned:
                os.sched_setaffinity(0, {cpus[number % len(cpus)]})
            result.ours.append(bench.ours.measure())
            if bench.anchor is not None:
                result.anchor.append(bench.anchor.measure())
            for side in bench.beside:
                result.beside.setdefault(side.label, []).append(side.measure())
    finally:
        os.sched_setaffinity(0, cpus)
