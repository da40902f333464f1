"""What the tests of the model share: small machines, and files on a host directory.

``CASE``-like builders only; no test is in here.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memfs.vm import Layout, Machine, VmError

PAGE = 4096
MIB = 1 << 20

SMALL = """
name = "small"
kernel = "2.6.7"
lowmem = "20M"
cpus = 2
min_free_kbytes = 256
swap = "32M"
[[node]]
size = "16M"
[[node]]
size = "12M"
[[node]]
size = "8M"
plugged = false
"""


def small(swap="32M", kernel="2.6.7", **kwargs):
    """Node 0 of 16 MiB (DMA), node 1 of 4 MiB Normal[5] and 8 MiB HighMem[6]."""
    text = SMALL.replace('swap = "32M"', f'swap = "{swap}"')
    text = text.replace('kernel = "2.6.7"', f'kernel = "{kernel}"')
    return Machine(Layout.parse(text, "small"), **kwargs)


class HostFile:
    """The owner of a PageFile: a file of the host that counts its openings."""

    def __init__(self, path, size=0):
        self.fd = -1
        self.opened = 0
        self.path = Path(path)
        self.path.write_bytes(bytes(size))

    def need_fd(self):
        if self.fd < 0:
            self.fd = os.open(self.path, os.O_RDWR)
            self.opened += 1
        return self.fd

    def io_idle(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __del__(self):
        # Of a file that stays dirty to the end nobody says that it is idle.
        self.io_idle()

    def label(self):
        return self.path.name


def write(m, file, off, data, chunk=MIB):
    """Write as a volume does: at once where that goes, else by an operation."""
    for pos in range(0, len(data), chunk):
        part = data[pos : pos + chunk]
        done = file.write_now(off + pos, part)
        if done is None:
            done = m.sched.run(file.write(off + pos, part))
        assert done == len(part)


def read(m, file, off=0, n=None, ra=None, chunk=128 * 1024):
    """Read as a volume does, in chunks."""
    n = file.size - off if n is None else n
    ra = ra or m.read_ahead()
    parts, done = [], 0
    while done < n:
        want = min(chunk, n - done)
        data = file.read_now(off + done, want, ra)
        if data is None:
            data = m.sched.run(file.read(off + done, want, ra))
        if not data:
            break
        parts.append(data)
        done += len(data)
    return b"".join(parts)


def pattern(size, seed=1):
    """Bytes that differ from page to page; the same for the same seed."""
    pages = range(-(-size // PAGE))
    words = bytearray(len(pages) * PAGE)  # of its size at once: growing is copying
    for page in pages:
        word = (page * 2654435761 + seed).to_bytes(8, "little")
        words[page * PAGE : (page + 1) * PAGE] = word * (PAGE // 8)
    return bytes(memoryview(words)[:size])


def assert_valid(m):
    """validate() finds nothing."""
    assert m.sched.run(m.validate()) == []


def refused(m, op):
    """The errno's name of an operation that is refused; the state must not change."""
    before = m.state_hash()
    with pytest.raises(VmError) as caught:
        m.sched.run(op)
    assert caught.value.message
    assert m.state_hash() == before
    return caught.value.name


def empty(m, zid, times=20):
    """Purge a zone until it is empty, `times` at most; how often it took."""
    for n in range(1, times + 1):
        if not m.sched.run(m.purge(zid)).after:
            return n
    return None


def errno_name(call):
    """The errno's name that a call is refused with, None if it is not."""
    try:
        call()
    except VmError as error:
        return error.name
    return None
