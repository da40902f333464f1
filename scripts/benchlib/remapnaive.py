"""Row "remap-naive": the core's migration beside the oracle of the tests.

Two runs of one C program do the same to the same machine: vm_migrate(), and the plain
way, a page at a time, with linked lists and the index gone down for each page
(tests/c/naive_migrate.h). Both print a hash of the machine that they left, and have
to agree.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from benchlib.remap import core_counts, core_program
from benchlib.row import Bench, Count, Options, Side

LOG2_PAGES = 18
QUICK_LOG2_PAGES = 13


class Run:
    """The program, one of its ways."""

    def __init__(self, log2_pages: int, way: str, seen: dict[str, int]) -> None:
        self._command = [str(core_program()), str(log2_pages), way]
        self._seen = seen

    def measure(self) -> float:
        """One round: pages moved per microsecond of CPU time (Mpages/s).

        Raises:
            RuntimeError: another machine is left than before.
        """
        done = subprocess.run(self._command, check=True, capture_output=True, text=True)
        lines = (line.split() for line in done.stdout.splitlines())
        outcome = {name: int(value) for name, value in lines}
        spent = outcome.pop("cpu_ns")
        if self._seen and self._seen != outcome:
            raise RuntimeError(f"{self._command} left {outcome}, not {self._seen}")
        self._seen.update(outcome)
        return outcome["moved"] * 1000 / spent


def _counts() -> list[Count]:
    return core_counts("core", "remap") + core_counts("oracle", "naive")


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no C compiler."""
    log2 = QUICK_LOG2_PAGES if options.quick else LOG2_PAGES
    seen: dict[str, int] = {}
    yield Bench(
        Side("memfs, batches and prefetch", Run(log2, "remap", seen).measure),
        Side("the oracle, a page at a time", Run(log2, "naive", seen).measure),
        _counts,
        details={"pages": 1 << log2, "outcome": seen},
    )
