"""Row "exec": `memfs exec --machine 2004 -- true`, from nothing to nothing.

A machine is mounted, a program runs in a namespace of its own that shows it, and it
is unmounted again. Nothing of memfs runs before or after; the files that it is made
of are in the host's page cache.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator

from benchlib import mounts
from benchlib.row import Bench, Options, Side, Unavailable

COMMAND = (*mounts.MEMFS, "exec", "--machine", "2004", "--", "true")


def measure() -> float:
    """One round: seconds of wall clock."""
    begin = time.perf_counter()
    subprocess.run(COMMAND, check=True, capture_output=True)
    return time.perf_counter() - begin


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE or no namespaces here."""
    done = subprocess.run(COMMAND, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"memfs exec does not work here: {done.stderr.strip()}")
    yield Bench(Side("memfs", measure), pinned=False)
