"""Stores through mappings beside writes, with a real kernel made of a dictionary.

It does what Linux does for a direct_io file: pages are read for faults and written
back whole; a write(2) has the copies of its pages written back and dropped before and
after, and a process may fault and store in between. Every byte is checked against a
shadow copy, while pages are purged, remapped and truncated.
"""

from __future__ import annotations

import random

import pytest
from vmkit import PAGE, HostFile, assert_valid, read, small

PAGES = 24
STEPS = 1500


class RealKernel:
    """Copies of one file's pages, and which of them were stored into."""

    def __init__(self, m, file, rng):
        self.m = m
        self.file = file
        self.rng = rng
        self.copies: dict[int, bytearray] = {}
        self.dirty: set[int] = set()
        self.asked = []
        m.revoke.hook = self.asked.extend

    def run(self, op):
        """Run an operation; give back meanwhile what the model asks for."""
        job = self.m.sched.spawn(op, name="test")
        while not job.done:
            self.give_back()
            if not self.m.sched.round():
                due = self.m.sched.next_due()
                if due is not None:
                    self.m.sched.advance(due)
        return job.value()

    def give_back(self):
        """Or say that they cannot be had: then they move with a copy outstanding."""
        ranges, self.asked[:] = self.asked[:], []
        kept = self.rng.random() < 0.8
        for file, first, nr in ranges:
            if file is self.file and not kept:
                self.drop(range(first, first + nr))
        if ranges:
            self.m.revoke.done(ranges, kept)

    def fault(self, page):
        if page in self.copies:
            return
        ra = self.m.read_ahead()
        data = self.file.read_now(page * PAGE, PAGE, ra, True)
        if data is None:
            data = self.run(self.file.read(page * PAGE, PAGE, ra, True))
        self.copies[page] = bytearray(data.ljust(PAGE, b"\0"))

    def store(self, off, data):
        page = off // PAGE
        self.fault(page)
        self.copies[page][off % PAGE : off % PAGE + len(data)] = data
        self.dirty.add(page)

    def write_back(self, page):
        """As long as the file is; the copy stays."""
        self.dirty.discard(page)
        end = min(PAGE, self.file.size - page * PAGE)
        if end > 0:
            self.put(page * PAGE, bytes(self.copies[page][:end]), True)

    def drop(self, pages):
        for page in pages:
            if page in self.dirty:
                self.write_back(page)
            self.copies.pop(page, None)

    def put(self, off, data, client=False):
        if self.file.write_now(off, data, 0, client) is None:
            self.run(self.file.write(off, data, 0, client))

    def write(self, off, data, between):
        """write(2); *between*: what processes do while it is on its way."""
        pages = range(off // PAGE, (off + len(data) - 1) // PAGE + 1)
        self.drop(pages)
        between()
        self.put(off, data)
        if self.rng.random() < 0.3:
            # The flusher is faster than the write's end: the copies stay a moment.
            for page in [*self.dirty]:
                self.write_back(page)
        self.drop(pages)


@pytest.mark.parametrize("kind", ["file", "shm"])
@pytest.mark.parametrize("seed", range(4))
def test_no_byte_is_lost(tmp_path, kind, seed):
    rng = random.Random(seed)
    size = PAGES * PAGE
    with small() as m:
        file = m.files.create(kind, HostFile(tmp_path / "a"))
        kernel = RealKernel(m, file, rng)
        kernel.put(0, bytes(size))
        shadow = bytearray(size)

        def store(low, high):
            """Into bytes that nobody writes at the same time."""
            page = rng.randrange(low // PAGE, (high - 1) // PAGE + 1)
            at = page * PAGE + rng.randrange(0, PAGE // 2, 64)
            data = rng.choice([bytes(32), rng.randbytes(32)])
            kernel.store(at, data)
            shadow[at : at + 32] = data

        def write():
            off = rng.randrange(PAGES - 1) * PAGE + rng.randrange(PAGE // 2, PAGE - 64)
            data = rng.choice([bytes(64), rng.randbytes(64)])
            races = rng.random() < 0.5
            kernel.write(off, data, lambda: races and store(off, off + 1))
            shadow[off : off + 64] = data

        def memory_moves():
            zid = rng.choice([*m.zones])
            if zid in (5, 6):
                kernel.run(m.disable_zone(zid))
            if rng.random() < 0.8:
                kernel.run(m.remap(zid))
            else:
                kernel.run(m.purge(zid))
            if zid in (5, 6):
                kernel.run(m.enable_zone(zid))

        steps = [(lambda: store(0, size), 40), (write, 45), (memory_moves, 15)]
        calls, weights = zip(*steps, strict=True)
        for _ in range(STEPS):
            rng.choices(calls, weights)[0]()
            page = rng.randrange(PAGES)
            kernel.fault(page)
            expected = shadow[page * PAGE : page * PAGE + PAGE]
            assert kernel.copies[page] == expected
        kernel.drop(range(PAGES))
        assert read(m, file, 0, size) == shadow
        assert_valid(m)
        m.revoke.hook = None
