"""Row "cat": how often memhotplug is opened, read and closed in a second.

The client is a loop in C, alone. Beside memfs stands a file system of 100 lines of
C over libfuse that serves the same bytes with the same timeouts: what is left is
Python, trio and the tree.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchlib import build, mounts
from benchlib.row import Bench, Options, Side

NAME = "memhotplug"
ROUND_MS = 1000
QUICK_ROUND_MS = 50


class Client:
    """The loop over one file."""

    def __init__(self, path: Path, milliseconds: int) -> None:
        program = build.program("cat_loop", [build.SOURCES / "cat_loop.c"])
        self._command = [str(program), str(path), str(milliseconds)]

    def measure(self) -> float:
        """One round: thousands of open+read+close a second (wall clock)."""
        done = subprocess.run(self._command, check=True, capture_output=True, text=True)
        seen = dict(line.split() for line in done.stdout.splitlines())
        return int(seen["ops"]) * 1e6 / int(seen["ns"])


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE here, no compiler."""
    milliseconds = QUICK_ROUND_MS if options.quick else ROUND_MS
    with mounts.memfs() as ours:
        contents = (ours / NAME).read_bytes()
        with mounts.c_file(contents) as theirs:
            if (theirs / NAME).read_bytes() != contents:
                raise RuntimeError("the two mounts show different bytes")
            yield Bench(
                Side("memfs", Client(ours / NAME, milliseconds).measure),
                Side(
                    "C, libfuse low level", Client(theirs / NAME, milliseconds).measure
                ),
                details={"bytes": len(contents)},
            )
