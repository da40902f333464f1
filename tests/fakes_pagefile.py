"""Page files made of plain bytes, and a pump that waits for nothing.

What a volume sees of the model, with none of it: pages, dirty pages, a descriptor
that is borrowed while something is dirty. ``slow`` makes every inline path refuse,
so that the operations are tested; ``clean`` writes back and forgets.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from memfs.vm.errors import VmError

PAGE = 4096


class Stat(NamedTuple):
    nrpages: int
    nr_dirty: int
    nr_writeback: int = 0
    nr_locked: int = 0
    nr_swapped: int = 0


class FakePages:
    """One file. Its host's bytes are read when a page is first needed."""

    def __init__(self, cache, kind, owner, size):
        self.id = len(cache.files)
        self.cache = cache
        self.kind = kind
        self.owner = owner
        self.size = size
        self.pages: dict[int, bytearray] = {}
        self.dirty: set[int] = set()
        self.fd = -1
        self.dead = False
        self.granted = 0

    def stat(self):
        return Stat(len(self.pages), len(self.dirty) if self.kind == "file" else 0)

    def unwritten(self):
        return self.stat().nr_dirty

    def _hold(self):
        if self.fd < 0 and self.kind == "file":
            self.fd = self.owner.need_fd()

    def settle(self):
        if self.fd < 0 or self.dirty:
            return False
        self.fd = -1
        self.owner.io_idle()
        return True

    def _page(self, index):
        if index not in self.pages:
            page = bytearray(PAGE)
            if self.kind == "file":
                self._hold()
                there = os.pread(self.fd, PAGE, index * PAGE)
                page[: len(there)] = there
            self.pages[index] = page
        return self.pages[index]

    def _read(self, off, n):
        n = max(min(n, self.size - off), 0)
        data = bytearray()
        while len(data) < n:
            at = off + len(data)
            part = self._page(at // PAGE)[at % PAGE :]
            data += part[: n - len(data)]
        return data

    def _write(self, off, data):
        done = 0
        while done < len(data):
            at = off + done
            n = min(PAGE - at % PAGE, len(data) - done)
            self._hold()
            self._page(at // PAGE)[at % PAGE : at % PAGE + n] = data[done : done + n]
            self.dirty.add(at // PAGE)
            done += n
        self.size = max(self.size, off + done)
        return done

    def grant(self, pages):
        """There is no short way here."""
        return 0

    def read_now(self, off, n, ra, client=False):
        return None if self.cache.slow else self._read(off, n)

    def read(self, off, n, ra, client=False):
        yield
        return self._read(off, n)

    def write_now(self, off, data, pid, client=False):
        return None if self.cache.slow else self._write(off, data)

    def write(self, off, data, pid, client=False):
        yield
        return self._write(off, data)

    def truncate(self, size):
        yield
        for index in [i for i in self.pages if i * PAGE >= size]:
            del self.pages[index]
            self.dirty.discard(index)
        if size < self.size and size % PAGE:
            page = self._page(size // PAGE)
            page[size % PAGE :] = bytes(PAGE - size % PAGE)
            self.dirty.add(size // PAGE)
        self.size = size

    def punch(self, off, n):
        yield
        for index in range(-(-off // PAGE), (off + n) // PAGE):
            self.pages.pop(index, None)
            self.dirty.discard(index)
        for index in {off // PAGE, (off + n) // PAGE} & set(self.pages):
            first = max(off - index * PAGE, 0)
            end = min(off + n - index * PAGE, PAGE)
            if first < end:
                self.pages[index][first:end] = bytes(end - first)

    def flush(self, off, n, drop):
        yield
        for index in range(off // PAGE, -(-(off + n) // PAGE)):
            if index in self.dirty:
                self._write_out(index)
            if drop:
                self.pages.pop(index, None)

    def direct_read(self, off, n):
        yield
        self._hold()
        n = min(n, self.size - off)
        data = os.pread(self.fd, n, off)
        return data + bytes(n - len(data))

    def direct_write(self, off, data):
        yield
        self._hold()
        done = os.pwrite(self.fd, data, off)
        self.size = max(self.size, off + done)
        return done

    def wait_writeback(self):
        yield

    def fsync(self):
        yield
        if self.kind != "file":
            return
        if self.cache.write_error:
            raise VmError(self.cache.write_error, "the host failed")
        for index in sorted(self.dirty):
            self._write_out(index)
        self.settle()

    def _write_out(self, index):
        end = min(PAGE, self.size - index * PAGE)
        os.pwrite(self.fd, self.pages[index][:end], index * PAGE)
        self.dirty.discard(index)
        self.cache.written += 1

    def light(self):
        return False

    def drop_now(self):
        return False

    def drop(self):
        yield
        self.pages.clear()
        self.dirty.clear()
        self.dead = True
        self.cache.files.remove(self)
        self.settle()


class FakeCache:
    """Where the fakes come from. ``written`` counts pages that went to the host."""

    def __init__(self, slow=False):
        self.slow = slow
        self.files: list[FakePages] = []
        self.written = 0
        self.write_error = 0

    def create(self, kind, owner, size):
        self.files.append(FakePages(self, kind, owner, size))
        return self.files[-1]

    def readahead(self, state=None):
        return object()

    def clean(self):
        """Write everything back, then forget every page."""
        for pages in self.files:
            for _ in pages.fsync():
                pass
            pages.pages.clear()
            pages.settle()


class FakePump:
    """Runs an operation to its end at once. ``ran`` is what ran, by name."""

    def __init__(self):
        self.ran: list[str] = []

    def tick(self):
        pass

    def poke(self):
        pass

    async def in_thread(self, call):
        return call()

    async def run(self, op, name):
        self.ran.append(name)
        try:
            while True:
                next(op)
        except StopIteration as stop:
            return stop.value


def run(coroutine):
    """Await what never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")
