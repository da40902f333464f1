"""Fills one zone of a machine as a long life would have left it.

Three pages in five are anonymous, two belong to a file, a fifth of those is dirty.
No order has anything to do with another: not the LRU lists', nor the page frames',
the file's or the page tables'. A file read in random order takes every page of
the zone; then it is cut shorter by a few pages at a time, and each time the tasks
and the file of the measurement take what became free.

It works through the core's calls, a page or a batch each, since a real fill
through operations would wait for device time in between. Same pages, same machine.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from memfs.vm import Layout, Machine, PageFile, ZoneItem, _ffi

PAGE = 4096
BATCH = 32
BUDGET = 4096
NODE0_MIB = 512
# Left free: the per-CPU lists and the marks, so that no page goes elsewhere.
SPARE = 1024
KERNEL = "2.6.0"
ZONE = 5  # HighMem of node 1
CPU = 1  # of node 1: its tasks get their pages there first
VPN = 0x1000  # where the tasks' memory is
DIRTY = 5  # every so many pages of the file one is dirty

MACHINE = """
name = "bench"
kernel = "{kernel}"
lowmem = "{node0}M"
min_free_kbytes = 256
swap = "{swap}M"
cpus = 2
[[node]]
size = "{node0}M"
cpus = [0]
[[node]]
size = "{zone}M"
cpus = [1]
"""
EMPTY_NODE = """
[[node]]
size = "{zone}M"
cpus = []
"""


def machine(pages: int, empty_node: bool = False) -> Machine:
    """A machine with a zone 5 of `pages` pages (a multiple of 1024) to fill.

    With `empty_node` there is a node 2 as large, for what is moved.
    """
    mib = pages * PAGE >> 20
    text = MACHINE + EMPTY_NODE * empty_node
    text = text.format(kernel=KERNEL, node0=NODE0_MIB, zone=mib, swap=2 * mib)
    return Machine(Layout.parse(text, "bench"), seed=1)


class HostFile:
    """The owner of a page-cache file, with an unlinked sparse file behind it."""

    def __init__(self, pages: int) -> None:
        self.fd = os.memfd_create("memfs-bench")
        os.ftruncate(self.fd, pages * PAGE)

    def need_fd(self) -> int:
        """The host's file."""
        return self.fd

    def io_idle(self) -> None:
        """It stays open."""

    def label(self) -> str:
        """For reports."""
        return "bench"

    def close(self) -> None:
        """Give it back."""
        os.close(self.fd)


@dataclass
class Contents:
    """What a zone was filled with."""

    file: PageFile
    host: HostFile
    mm: int
    pages: int


class Filler:
    """One fill of zone 5 of a machine made by machine().

    `anon` pages in five are anonymous. With `stamps` no page has bytes: those of
    file pages have been put away, as they are for want of real memory, and what is
    dirty was written through a mapping since.
    """

    def __init__(
        self, m: Machine, seed: int, anon: int = 3, stamps: bool = False
    ) -> None:
        self.m = m
        self.stamps = stamps
        self.rng = random.Random(seed)
        self.nr = m.zone_stat(ZONE).free - SPARE
        nr_anon = self.nr * anon // 5
        self.nr_file = self.nr - nr_anon
        # A page comes twice in a random walk; twice the area keeps that rare.
        area = 2 * nr_anon or 1
        self.mm = m.core.mm_create(seed)
        vma = m.core.mmap(self.mm, _ffi.VMA_WRITE, _ffi.NO_ID, 0, VPN, area)
        flags = _ffi.TOUCH_WRITE | _ffi.TOUCH_RANDOM
        self.walk = _ffi.Touch(m.core, self.mm, vma, flags, 0, area)
        self.walk.restart(seed)

    def fill(self) -> Contents:
        """Fill it."""
        m = self.m
        m.core.set_cpu(CPU)
        fast = {"latency_ns": 1000, "bandwidth": 10**12}
        slow = m.disk._asdict()
        m.set_device("disk", **fast)
        junk, junk_host = self._file(self.nr)
        file, host = self._file(self.nr_file)
        try:
            self._scatter(junk)
            self._populate(junk, file)
            if self.stamps:
                self._forget_bytes()
                self._dirty(file)
        finally:
            m.sched.run(junk.drop())
            junk_host.close()
            m.set_device("disk", **slow)
        return Contents(file, host, self.mm, self.nr)

    def _file(self, pages: int) -> tuple[PageFile, HostFile]:
        host = HostFile(pages)
        file = self.m.files.create("file", host, pages * PAGE)
        file.hold_fd()
        return file, host

    def _settle(self) -> None:
        # Every transfer ends.
        while (due := self.m.core.next_event()) is not None:
            self.m.sched.advance(due)

    def _read_in(self, file: PageFile, index: int) -> None:
        while self.m.core.file_submit_read(file.id, index, 1)[0] == _ffi.WAIT:
            self._settle()

    def _scatter(self, junk: PageFile) -> None:
        order = list(range(self.nr))
        self.rng.shuffle(order)
        for index in order:
            self._read_in(junk, index)
        self._settle()

    def _populate(self, junk: PageFile, file: PageFile) -> None:
        order = list(range(self.nr_file))
        self.rng.shuffle(order)
        left = self.nr
        while left:
            batch = min(BATCH, left)
            left -= batch
            self.m.core.file_truncate(junk.id, left * PAGE, BUDGET)
            wanted = batch * len(order) / (left + batch)
            nr_file = int(wanted) + (self.rng.random() < wanted % 1)
            self._add_file(file, [order.pop() for _ in range(min(nr_file, len(order)))])
            self._add_anon(batch - nr_file)

    def _add_anon(self, nr: int) -> None:
        had = self.m.core.mm_stat(self.mm).anon_rss
        while (missing := had + nr - self.m.core.mm_stat(self.mm).anon_rss) > 0:
            self.walk.step(missing)

    def _add_file(self, file: PageFile, indexes: list[int]) -> None:
        block = bytes(PAGE)
        clean = [index for index in indexes if self.stamps or index % DIRTY]
        for index in indexes:
            if self.stamps or index % DIRTY:
                self._read_in(file, index)
            else:
                self.m.core.file_write(file.id, index * PAGE, block, 0)
        self._settle()
        buf = bytearray(PAGE)
        for index in clean:
            self.m.core.file_read(file.id, index * PAGE, buf, 0)

    def _forget_bytes(self) -> None:
        core = self.m.core
        core.host_limit(1, -1)
        while core.host_trim(BUDGET) == _ffi.MORE_RC:
            pass
        core.host_limit(0, -1)

    def _dirty(self, file: PageFile) -> None:
        core, flags = self.m.core, _ffi.VMA_WRITE | _ffi.VMA_SHARED
        vma = core.mmap(self.mm, flags, file.id, 0, VPN + 4 * self.nr, self.nr_file)
        for index in range(0, self.nr_file, DIRTY):
            _ffi.Touch(core, self.mm, vma, _ffi.TOUCH_WRITE, index, 1).step(1)
        while core.munmap(vma, BUDGET) != _ffi.DONE:
            pass


def empty(m: Machine, contents: Contents) -> None:
    """Forget what a zone was filled with, so that it can be filled again."""
    m.sched.run(m.enable_zone(ZONE))
    m.sched.run(contents.file.drop())
    while m.core.mm_destroy(contents.mm, BUDGET) != _ffi.DONE:
        pass
    contents.host.close()


def shares(m: Machine) -> dict[str, int]:
    """What zone 5 holds, in pages: for the reader of the JSON, and for a check."""
    item = m.zone_stat(ZONE).item
    names = ("NR_ANON", "NR_FILE", "NR_DIRTY", "NR_ACTIVE", "NR_INACTIVE", "NR_FREE")
    return {name.lower(): item[ZoneItem[name]] for name in names}
