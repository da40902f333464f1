"""Rows about data: reads and writes of a file that lies in memory.

The file has been written by the same mount, so that all of its pages are resident
(where it grows it is emptied first), and is small enough that its dirty pages stay
below what the model writes back in the background. The clients are processes in C,
each with a descriptor of its own.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchlib import build
from benchlib.beside import filled, places
from benchlib.row import Bench, Options, Side

MIB = 64
ROUND_MS = 1000
QUICK_MIB = 4
QUICK_ROUND_MS = 50


class Transfer(NamedTuple):
    """What the clients do."""

    verb: str
    """read or write"""
    order: str
    """seq or random; grow: in order, from an empty file on"""
    nbytes: int
    clients: int

    @contextlib.contextmanager
    def opened(self, options: Options) -> Iterator[Bench]:
        """The row, ready. Raises Unavailable: no FUSE here, no compiler."""
        mib = QUICK_MIB if options.quick else MIB
        milliseconds = QUICK_ROUND_MS if options.quick else ROUND_MS
        program = build.program("io_loop", [build.SOURCES / "io_loop.c"])

        def side(label: str, directory: Path) -> Side:
            path = filled(directory / "big", mib)
            what = (*self, milliseconds)
            command = [str(program), str(path), *map(str, what)]
            return Side(label, lambda: self._round(command))

        with places() as where:
            yield Bench(
                side("memfs, files/", where.files),
                side("C, libfuse low level", where.c_files),
                beside=tuple(side(*shown) for shown in where.shown().items()),
                pinned=False,
                details={"mib": mib},
            )

    def _round(self, command: list[str]) -> float:
        """MB a second, or thousands of transfers of all clients (wall clock)."""
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seen = dict(line.split() for line in done.stdout.splitlines())
        per_second = int(seen["ops"]) * 1e9 / int(seen["ns"])
        if self.order == "seq":
            return per_second * self.nbytes / 1e6
        return per_second / 1e3
