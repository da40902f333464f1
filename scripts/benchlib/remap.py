"""Row "remap": pages moved per second of CPU time, beside this kernel's migration.

memfs's side empties a full closed zone, all orders random, through
Machine.sched.run(Machine.remap()): all of the policy in Python and all of the core.
Contents are stamps; row "remap-bytes" is about real bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchlib import build, filling, instructions, kernelcompact
from benchlib.row import Bench, Count, Options, Side
from memfs.vm import Machine

PAGES = 1 << 18
QUICK_PAGES = 1 << 13
KERNEL_PAGES = 1 << 19
QUICK_KERNEL_PAGES = 1 << 18
COUNT_LOG2_PAGES = 14
TARGET = 2  # the node that the pages go to


def move(m: Machine, pages: int) -> int:
    """Remap the zone that was filled. Returns: CPU time in ns.

    Raises:
        RuntimeError: other than `pages` pages were moved.
    """
    begin = time.thread_time_ns()
    result = m.sched.run(m.remap(filling.ZONE, TARGET))
    spent = time.thread_time_ns() - begin
    if result.moved != pages or result.left:
        raise RuntimeError(f"remap moved {result.moved} of {pages} pages")
    return spent


class Remap:
    """One machine, filled and emptied again and again."""

    def __init__(self, m: Machine, details: dict[str, object]) -> None:
        self._m = m
        self._details = details
        self._rounds = 0

    def measure(self) -> float:
        """One round: pages moved per microsecond of CPU time (Mpages/s)."""
        m = self._m
        self._rounds += 1
        contents = filling.Filler(m, self._rounds, stamps=True).fill()
        self._details["filled"] = filling.shares(m)
        m.sched.run(m.disable_zone(filling.ZONE))
        spent = move(m, contents.pages)
        filling.empty(m, contents)
        return contents.pages * 1000 / spent


def core_program() -> Path:
    """The C part of a remap, and of the oracle's, as a program of its own."""
    sources = [build.SOURCES / "remap_core.c", *build.core_sources()]
    oracle = build.ROOT / "tests" / "c"
    return build.program(
        "remap_core", sources, [f"-I{oracle}", *build.whole_core_flags()]
    )


def core_counts(label: str, way: str) -> list[Count]:
    """Instructions per moved page of the core, or of the oracle."""
    program = [str(core_program()), str(COUNT_LOG2_PAGES)]
    moved = (1 << COUNT_LOG2_PAGES) - 256
    return instructions.difference(
        label, [*program, way], [*program, "build"], moved, "page moved"
    )


def counts() -> list[Count]:
    """Instructions per moved page of the core alone, and of core and policy."""
    python = [sys.executable, "-m", "benchlib.remap", str(1 << COUNT_LOG2_PAGES)]
    moved = (1 << COUNT_LOG2_PAGES) - filling.SPARE
    return core_counts("core", "remap") + instructions.difference(
        "core and policy", python, [*python, "--fill-only"], moved, "page moved"
    )


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: see kernelcompact."""
    pages = QUICK_PAGES if options.quick else PAGES
    kernel_pages = QUICK_KERNEL_PAGES if options.quick else KERNEL_PAGES
    details: dict[str, object] = {"zone_pages": pages}
    with (
        kernelcompact.opened(kernel_pages) as anchor,
        filling.machine(pages, empty_node=True) as m,
    ):
        remap = Remap(m, details)
        # The first round pays for memory that was never touched.
        remap.measure()
        ours = Side("memfs, remap of a full zone", remap.measure)
        yield Bench(ours, anchor, counts, details=details)


def main() -> None:
    """Fill a zone, and remap it, for who counts instructions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pages", type=int)
    parser.add_argument("--fill-only", action="store_true")
    args = parser.parse_args()
    with filling.machine(args.pages, empty_node=True) as m:
        contents = filling.Filler(m, 1, stamps=True).fill()
        m.sched.run(m.disable_zone(filling.ZONE))
        if not args.fill_only:
            move(m, contents.pages)


if __name__ == "__main__":
    main()
