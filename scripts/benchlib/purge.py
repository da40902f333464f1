"""Row "purge": pages freed per second of CPU time, beside this kernel's reclaim.

memfs's side empties a full closed zone through Machine.sched.run(Machine.purge()):
all of the policy in Python and all of the core, nothing left out. The devices are
the model's, their time is virtual, and what they would write goes to /dev/null;
``details`` has the figure with the bytes written to a host file in memory as well.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchlib import build, filling, instructions, kernelreclaim
from benchlib.row import Bench, Count, Options, Side
from memfs.vm import Machine

PAGES = 1 << 18
QUICK_PAGES = 1 << 13
KERNEL_PAGES = 1 << 17
COUNT_LOG2_PAGES = 14
MAX_PURGES = 5


def empty_zone(m: Machine) -> tuple[int, int]:
    """Purge zone 5 until nothing more goes. Returns: pages freed, CPU time in ns."""
    before = m.zone_stat(filling.ZONE).free
    begin = time.thread_time_ns()
    for _ in range(MAX_PURGES):
        if not m.sched.run(m.purge(filling.ZONE)).after:
            break
    spent = time.thread_time_ns() - begin
    return m.zone_stat(filling.ZONE).free - before, spent


class Purge:
    """One machine, filled and emptied again and again."""

    def __init__(self, m: Machine, sink: int, details: dict[str, object]) -> None:
        self._m = m
        self._sink = sink
        self._details = details
        self._rounds = 0

    def measure(self, to_sink: bool = True) -> float:
        """One round: pages freed per microsecond of CPU time (Mpages/s).

        Raises:
            RuntimeError: pages stayed.
        """
        m = self._m
        self._rounds += 1
        contents = filling.Filler(m, self._rounds).fill()
        self._details["filled"] = filling.shares(m)
        m.sched.run(m.disable_zone(filling.ZONE))
        if to_sink:
            m.core.mapping_fd(contents.file.id, self._sink)
        freed, spent = empty_zone(m)
        m.core.mapping_fd(contents.file.id, contents.host.fd)
        filling.empty(m, contents)
        if freed != contents.pages:
            raise RuntimeError(f"purge freed {freed} of {contents.pages} pages")
        return freed * 1000 / spent


def core_counts() -> list[Count]:
    """Instructions per freed page of the core alone, and of core and policy."""
    log2 = str(COUNT_LOG2_PAGES)
    core = str(core_program())
    python = [sys.executable, "-m", "benchlib.purge", str(1 << COUNT_LOG2_PAGES)]
    freed = core_freed(core)
    counts = instructions.difference(
        "core", [core, log2], [core, log2, "build"], freed, "page freed"
    )
    freed = (1 << COUNT_LOG2_PAGES) - filling.SPARE
    return counts + instructions.difference(
        "core and policy", python, [*python, "--fill-only"], freed, "page freed"
    )


def core_program() -> Path:
    """The C part of a purge as a program of its own."""
    sources = build.core_sources()
    return build.program(
        "purge_core",
        [build.SOURCES / "purge_core.c", *sorted(sources)],
        build.whole_core_flags(),
    )


def core_freed(program: str) -> int:
    """How many pages the program of core_program() frees."""
    done = subprocess.run(
        [program, str(COUNT_LOG2_PAGES)], check=True, capture_output=True, text=True
    )
    return int(dict(line.split() for line in done.stdout.splitlines())["freed"])


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: see kernelreclaim."""
    pages = QUICK_PAGES if options.quick else PAGES
    kernel_pages = QUICK_PAGES if options.quick else KERNEL_PAGES
    details: dict[str, object] = {"zone_pages": pages}
    with (
        kernelreclaim.opened(kernel_pages) as anchor,
        filling.machine(pages) as m,
        open(os.devnull, "r+b", buffering=0) as sink,
    ):
        purge = Purge(m, sink.fileno(), details)
        # The first round pays for memory that was never touched.
        details["with_host_file_mpages_s"] = purge.measure(to_sink=False)
        ours = Side("memfs, purge of a full zone", purge.measure)
        yield Bench(ours, anchor, core_counts, details=details)


def main() -> None:
    """Fill a zone, and purge it, for who counts instructions."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pages", type=int)
    parser.add_argument("--fill-only", action="store_true")
    args = parser.parse_args()
    with filling.machine(args.pages) as m, open(os.devnull, "r+b", buffering=0) as sink:
        contents = filling.Filler(m, 1).fill()
        m.sched.run(m.disable_zone(filling.ZONE))
        m.core.mapping_fd(contents.file.id, sink.fileno())
        if not args.fill_only:
            empty_zone(m)


if __name__ == "__main__":
    main()
