"""Rows about names: 10,000 small files created, looked at, and unlinked.

A round does all three; each row shows one of them.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchlib import build
from benchlib.beside import places
from benchlib.row import Bench, Options, Side

FILES = 10_000
QUICK_FILES = 200


class Step(NamedTuple):
    """One of create (with 4 KiB written, and close), stat, unlink."""

    name: str

    @contextlib.contextmanager
    def opened(self, options: Options) -> Iterator[Bench]:
        """The row, ready. Raises Unavailable: no FUSE here, no compiler."""
        nr = QUICK_FILES if options.quick else FILES
        program = build.program("names_loop", [build.SOURCES / "names_loop.c"])

        def side(label: str, directory: Path) -> Side:
            command = [str(program), str(directory), str(nr)]
            return Side(label, lambda: self._round(command, nr))

        with places() as where:
            yield Bench(
                side("memfs, files/", where.files),
                side("C, libfuse low level", where.c_files),
                beside=tuple(side(*shown) for shown in where.shown().items()),
                pinned=False,
                details={"files": nr},
            )

    def _round(self, command: list[str], nr: int) -> float:
        """Thousands a second (wall clock)."""
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seen = dict(line.split() for line in done.stdout.splitlines())
        return nr * 1e6 / int(seen[self.name])
