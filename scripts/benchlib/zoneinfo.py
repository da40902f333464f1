"""Row "zoneinfo": open, read and close of proc/zoneinfo on a machine of 64 nodes.

Before each reading a page is written, so that the file is made anew every time and
not served from what is kept. The figure is the median of a round.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchlib import mounts
from benchlib.row import Bench, Options, Side

NODES = 64
READS = 200
QUICK_READS = 5
CHUNK = 1 << 17  # as cat reads

HEAD = 'name = "zoneinfo"\nkernel = "6.1"\nblock = "8M"\nswap = "0"\n'
NODE = '[[node]]\nsize = "64M"\n'


class Changing:
    """A mount whose machine changes when it is told to."""

    def __init__(self, mount: Path) -> None:
        self._path = mount / "shm" / "changes"
        self._path.write_bytes(b"x")

    def change(self) -> None:
        """Write a page: whatever was rendered is out of date."""
        fd = os.open(self._path, os.O_WRONLY)
        try:
            os.pwrite(fd, b"y", 0)
        finally:
            os.close(fd)


class Reader:
    """Reads one file of a changing mount, as cat does."""

    def __init__(self, mount: Path, name: str, reads: int) -> None:
        self._changing = Changing(mount)
        self._path = mount / name
        self._reads = reads

    def _read(self) -> int:
        total = 0
        fd = os.open(self._path, os.O_RDONLY)
        try:
            while data := os.read(fd, CHUNK):
                total += len(data)
        finally:
            os.close(fd)
        return total

    def measure(self) -> float:
        """One round: milliseconds of wall clock, the median."""
        taken = []
        for _ in range(self._reads):
            self._changing.change()
            begin = time.perf_counter_ns()
            self._read()
            taken.append(time.perf_counter_ns() - begin)
        return statistics.median(taken) / 1e6


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE here."""
    reads = QUICK_READS if options.quick else READS
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(HEAD + NODE * NODES)
        file.flush()
        with mounts.memfs("--machine", file.name) as mount:
            size = len((mount / "proc" / "zoneinfo").read_bytes())
            yield Bench(
                Side("memfs", Reader(mount, "proc/zoneinfo", reads).measure),
                pinned=False,
                details={"bytes": size},
            )
