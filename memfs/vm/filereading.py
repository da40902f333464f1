"""Reading pages that are not in memory: what is asked of the disk, and when.

Operations of ``PageFile``. Which windows are read ahead is readahead.py's.

Source: mm/filemap.c do_generic_mapping_read(), filemap_nopage(), 2.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import _ffi
from memfs.vm._ffi import check
from memfs.vm.alloc import SlowPath, settle
from memfs.vm.readahead import ReadAhead
from memfs.vm.sched import Io, Op

if TYPE_CHECKING:
    from memfs.vm.pagecache import PageFile

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT


def pages_of(size: int) -> int:
    """Pages that `size` bytes take."""
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT


def read(
    file: PageFile, off: int, n: int, ra: ReadAhead, client: bool = False
) -> Op[bytearray]:
    """Read up to `n` bytes at `off`, reading ahead; see read_now().

    Raises:
        VmError: EIO or the host's errno of a failed read, ENOMEM.
    """
    n = min(n, file.size - off)
    if n <= 0:
        return bytearray()
    m = file.m
    if m.host_limited:
        file.hold_fd()
    slow = SlowPath(m)
    if file.kind == "file":
        last = (off + n - 1) >> PAGE_SHIFT
        for first, nr in ra.access(off >> PAGE_SHIFT, last, pages_of(file.size)):
            yield from submit_ahead(file, first, nr)
    buf = bytearray(n)
    pos = 0
    while True:
        rc, done = m.core.file_read(file.id, off + pos, buf, pos, client)
        pos += done
        if rc == _ffi.DONE:
            # The file may have become shorter meanwhile.
            del buf[pos:]
            return buf
        check(rc, f"read of {file.owner.label()}")
        if done:
            slow.progress()
        if rc == _ffi.READ and file.kind == "file":
            index = m.core.needed().index
            yield from submit(file, index, max(1, ra.window_left(index)), slow)
        else:
            yield from settle(m, rc, slow)


def submit(file: PageFile, index: int, nr: int, slow: SlowPath) -> Op[None]:
    """Start reading page `index`, and the absent ones of `nr` pages from there.

    Departure: memory is reclaimed for the first page only. Reclaiming for
    those ahead could take away the one that is needed, for ever.

    Raises:
        VmError: ENOMEM, the host's errno, or EIO if this is the second time.
    """
    m = file.m
    slow.reading(file.id, index, bool(m.core.needed().failed))
    with file.in_use():
        while True:
            file.hold_fd()
            rc, _ = m.core.file_submit_read(file.id, index, 1)
            m.kick_kswapds()
            if rc == _ffi.DONE:
                break
            check(rc, f"read of {file.owner.label()}")
            yield from settle(m, rc, slow)
        yield from submit_ahead(file, index + 1, nr - 1)


def submit_ahead(file: PageFile, first: int, nr: int) -> Op[None]:
    """Start reading the absent ones of `nr` pages, as far as memory is free."""
    m = file.m
    with file.in_use():
        while nr > 0:
            file.hold_fd()
            rc, _ = m.core.file_submit_read(file.id, first, nr)
            m.kick_kswapds()
            if rc != _ffi.WAIT:
                return
            yield from m.pressure.io.waiting(Io())


def fill(file: PageFile, index: int, slow: SlowPath, ra: ReadAhead | None) -> Op[None]:
    """A task faults on page `index`: read it, and ahead of it."""
    windows = ra.access(index, index, pages_of(file.size)) if ra else []
    yield from submit(file, index, 1, slow)
    for first, nr in windows:
        yield from submit_ahead(file, first, nr)
