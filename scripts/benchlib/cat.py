"""Row "cat": how often memhotplug is opened, read and closed in a second.

The client is a loop in C, alone. Beside memfs stands a file system of 100 lines of
C over libfuse that serves the same bytes with the same timeouts: what is left is
Python, trio and the tree. A request crosses from one process to the other and back;
so that it does not wait for a CPU to wake up, which on a virtual machine takes longer
than all the rest, processes of the idle class keep the CPUs awake.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchlib import build, mounts
from benchlib.row import Bench, Options, Side

NAME = "memhotplug"
ROUND_MS = 1000
QUICK_ROUND_MS = 50


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """No CPU goes to sleep meanwhile; whoever has work has all of it at once."""
    command = [sys.executable, "-c", "while True: pass"]
    with contextlib.ExitStack() as stack:
        for _ in os.sched_getaffinity(0):
            idler = stack.enter_context(subprocess.Popen(command))
            stack.callback(idler.kill)
            os.sched_setscheduler(idler.pid, os.SCHED_IDLE, os.sched_param(0))
        yield


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
        with mounts.c_file(contents) as theirs, awake():
            if (theirs / NAME).read_bytes() != contents:
                raise RuntimeError("the two mounts show different bytes")
            yield Bench(
                Side("memfs", Client(ours / NAME, milliseconds).measure),
                Side(
                    "C, libfuse low level", Client(theirs / NAME, milliseconds).measure
                ),
                pinned=False,
                details={"bytes": len(contents)},
            )
