"""The anchor of row "remap": this kernel moves pages, to defragment its memory.

Memory is allocated in pages of order 0, every second page of it, at random, is given
back, and the kernel is told to defragment itself (compact_memory). What is counted is
what it counts itself, pages that it moved (pgmigrate_success), and the CPU time of
that one write(2). Its way to them is part of it: the kernel has to look for pages to
move and for places to move them to. With one node there is no other way to have it
move pages by the thousand.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

from benchlib.row import Side, Unavailable

PAGE = 4096
COMPACT = Path("/proc/sys/vm/compact_memory")
VMSTAT = Path("/proc/vmstat")
LEAST = 5000  # pages moved; less says nothing
TRIES = 3


def moved_pages() -> int:
    """Pages that this kernel has moved since it was booted.

    Raises:
        Unavailable: it does not say.
    """
    for line in VMSTAT.read_text().splitlines():
        name, value = line.split()
        if name == "pgmigrate_success":
            return int(value)
    raise Unavailable("This kernel does not count the pages that it moves.")


class Compaction:
    """Makes holes in `pages` pages of memory, and has the kernel close them."""

    def __init__(self, pages: int, seed: int = 1) -> None:
        self.pages = pages
        self._rng = random.Random(seed)

    def _holes(self) -> mmap.mmap:
        area = mmap.mmap(
            -1, self.pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, self.pages * PAGE, PAGE):
            area[offset] = 1
        for index in self._rng.sample(range(self.pages), self.pages // 2):
            area.madvise(mmap.MADV_DONTNEED, index * PAGE, PAGE)
        return area

    def once(self) -> tuple[int, int]:
        """Pages moved, and CPU time in ns."""
        with self._holes(), COMPACT.open("wb", buffering=0) as file:
            before = moved_pages()
            begin = time.thread_time_ns()
            file.write(b"1")
            spent = time.thread_time_ns() - begin
            return moved_pages() - before, spent

    def measure(self) -> float:
        """One round: pages moved per microsecond of CPU time (Mpages/s).

        Raises:
            Unavailable: it finds nothing to move.
        """
        for _ in range(TRIES):
            moved, spent = self.once()
            if moved >= LEAST:
                return moved * 1000 / spent
        raise Unavailable(f"This kernel moved {moved} pages, too few to be timed.")


@contextlib.contextmanager
def opened(pages: int) -> Iterator[Side]:
    """The anchor, ready: holes in `pages` pages a round.

    Raises:
        Unavailable: not root, a kernel that does not defragment, too little memory.
    """
    if os.geteuid() != 0:
        raise Unavailable("compact_memory is root's: run scripts/bench as root.")
    if not COMPACT.exists():
        raise Unavailable("This kernel was built without CONFIG_COMPACTION.")
    moved_pages()
    there = os.sysconf("SC_AVPHYS_PAGES")
    if there < 2 * pages:
        raise Unavailable(f"{pages} pages of memory are not free here.")
    compaction = Compaction(pages)
    compaction.measure()
    yield Side("this kernel, compaction of order-0 pages", compaction.measure)
