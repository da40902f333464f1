"""Rows about a machine of 2^28 pages: boot, what a page takes, 64 GiB moved."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from benchlib.remap import core_program
from benchlib.row import Bench, Options, Side
from memfs.vm import Layout, Machine

LOG2_PAGES = 28
NODES = 4
MACHINE = (
    """
name = "big"
kernel = "2.6.7"
lowmem = "256G"
"""
    + NODES
    * (
        """
[[node]]
size = "256G"
"""
    )
)
FILLED_LOG2_PAGES = 22  # 16 GiB in use say what a page takes
MOVED_LOG2_PAGES = 24
MOVED_ZONES = 64
QUICK_FILLED_LOG2_PAGES = 16
QUICK_MOVED_LOG2_PAGES = 18


def _boot(layout: Layout) -> float:
    """One round: ms (wall clock) until the machine takes requests."""
    begin = time.perf_counter_ns()
    machine = Machine(layout, seed=1)
    spent = time.perf_counter_ns() - begin
    present = sum(zone.present for zone in machine.zones.values())
    machine.close()
    if present != 1 << LOG2_PAGES:
        raise RuntimeError(f"the machine has {present} pages")
    return spent / 1e6


@contextlib.contextmanager
def boot_opened(options: Options) -> Iterator[Bench]:
    """Row "boot", ready."""
    layout = Layout.parse(MACHINE, "big")
    yield Bench(Side("memfs, Machine() of 2^28 pages", lambda: _boot(layout)))


def _outcome(log2_pages: int, way: str, zones: int = 1) -> dict[str, int]:
    numbers = [str(LOG2_PAGES), str(zones)]
    command = [str(core_program()), str(log2_pages), way, *numbers]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {
        name: int(value)
        for name, value in (line.split() for line in done.stdout.splitlines())
    }


@contextlib.contextmanager
def bytes_opened(options: Options) -> Iterator[Bench]:
    """Row "page-bytes", ready. Raises Unavailable: no C compiler."""
    log2 = QUICK_FILLED_LOG2_PAGES if options.quick else FILLED_LOG2_PAGES
    details: dict[str, object] = {}

    def measure() -> float:
        outcome = _outcome(log2, "fresh")
        details.update(outcome)
        return outcome["rss"] / outcome["in_use"]

    yield Bench(Side("memfs, resident memory of the core", measure), details=details)


@contextlib.contextmanager
def moved_opened(options: Options) -> Iterator[Bench]:
    """Row "remap-64g", ready. Raises Unavailable: no C compiler."""
    log2 = QUICK_MOVED_LOG2_PAGES if options.quick else MOVED_LOG2_PAGES
    zones = 1 if options.quick else MOVED_ZONES
    details: dict[str, object] = {}

    def measure() -> float:
        outcome = _outcome(log2, "remap", zones)
        details.update(outcome)
        return outcome["cpu_ns"] / 1e9

    yield Bench(
        Side("memfs, core, zone by zone", measure),
        details=details,
        beside=(
            Side("one zone of 64 GiB", lambda: _outcome(log2, "remap")["cpu_ns"] / 1e9),
        ),
    )
