"""Row "remap-bytes": real bytes moved per second of CPU time, beside memcpy.

The zone is full of pages of one file, all orders random, and each has its bytes in
real memory: a remap copies 4 KiB for each. The anchor is the C library's memcpy of as
many bytes at once. All memory has been touched before.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import time
from collections.abc import Iterator

from benchlib import filling
from benchlib.remap import move
from benchlib.row import Bench, Options, Side
from memfs.vm import Machine

PAGE = 4096
PAGES = 1 << 17
QUICK_PAGES = 1 << 13


class RemapBytes:
    """One machine, filled with a file and emptied again and again."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        self._rounds = 0

    def measure(self) -> float:
        """One round: bytes moved per ns of CPU time (GB/s)."""
        m = self._m
        self._rounds += 1
        contents = filling.Filler(m, self._rounds, anon=0).fill()
        resident = m.core.host_stat().resident
        if resident < contents.pages:
            raise RuntimeError(f"{resident} of {contents.pages} pages have bytes")
        m.sched.run(m.disable_zone(filling.ZONE))
        spent = move(m, contents.pages)
        filling.empty(m, contents)
        return contents.pages * PAGE / spent


class Memcpy:
    """Two areas of memory, one copied onto the other."""

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes
        self._areas = [mmap.mmap(-1, nbytes) for _ in range(2)]
        self._at = [
            ctypes.addressof(ctypes.c_char.from_buffer(area)) for area in self._areas
        ]
        for at in self._at:
            ctypes.memset(at, 1, nbytes)

    def measure(self) -> float:
        """One round: bytes copied per ns of CPU time (GB/s)."""
        begin = time.thread_time_ns()
        ctypes.memmove(*self._at, self._nbytes)
        return self._nbytes / (time.thread_time_ns() - begin)


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready."""
    pages = QUICK_PAGES if options.quick else PAGES
    with filling.machine(pages, empty_node=True) as m:
        remap = RemapBytes(m)
        remap.measure()
        yield Bench(
            Side("memfs, remap of a zone of file pages", remap.measure),
            Side("memcpy", Memcpy(pages * PAGE).measure),
            details={"zone_pages": pages},
        )
