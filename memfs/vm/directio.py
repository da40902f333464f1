"""Reading and writing files past the page cache: O_DIRECT.

The bytes go between the caller and the host's file at once; what is modelled is the
time that the disk takes, in requests that hold no page. What the page cache has of
the range is the caller's: it writes it back, and before a write drops it, in the
same step in which it comes here.

Source: mm/filemap.c generic_file_direct_IO(), fs/direct-io.c, 2.6.0.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from memfs.vm import _ffi
from memfs.vm._ffi import check
from memfs.vm.devices import MAX_REQUEST_PAGES
from memfs.vm.errors import VmError
from memfs.vm.layoutvalues import PAGE_SIZE
from memfs.vm.sched import Io, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.pagecache import PageFile


def read(file: PageFile, off: int, n: int) -> Op[bytearray]:
    """Up to `n` bytes at `off`; less at the end of the file.

    Raises:
        VmError: the host's errno.
    """
    n = min(n, file.size - off)
    if n <= 0:
        return bytearray()
    with file.in_use():
        file.hold_fd()
        data = _host_read(file, off, n)
        yield from transfer(file.m, False, _pages(off, n))
    return data


def write(file: PageFile, off: int, data: Any) -> Op[int]:
    """Write `data` at `off`; the file grows as it must. Returns bytes written.

    Raises:
        VmError: the host's errno.
    """
    with file.in_use():
        file.hold_fd()
        done = _host_write(file, off, data)
        file.grown(off + done)
        yield from transfer(file.m, True, _pages(off, done))
    return done


def transfer(m: Machine, write: bool, pages: int) -> Op[None]:
    """Wait as long as the disk of files takes for so many pages.

    Raises:
        VmError: the errno that transfers were told to fail with.
    """
    ticket = 0
    while pages > 0:
        nr = min(pages, MAX_REQUEST_PAGES)
        rc, last = m.core.dev_transfer(_ffi.DEV_DISK, write, nr)
        if rc == _ffi.WAIT:
            yield from m.pressure.io.waiting(Io())
            continue
        check(rc, "direct transfer")
        pages -= nr
        ticket = last
    while m.core.dev_ended(_ffi.DEV_DISK) < ticket:
        yield from m.pressure.io.waiting(Io())


def _pages(off: int, n: int) -> int:
    return -(-(off + n) // PAGE_SIZE) - off // PAGE_SIZE


def _host_read(file: PageFile, off: int, n: int) -> bytearray:
    # The host's file may be shorter: what was appended is dirty, the rest a hole.
    data = bytearray(n)
    view = memoryview(data)
    pos = 0
    try:
        while pos < n and (got := os.preadv(file.fd, [view[pos:]], off + pos)):
            pos += got
    except OSError as error:
        raise _failed(file, error) from None
    return data


def _host_write(file: PageFile, off: int, data: Any) -> int:
    # What was written before an error is the result; the error comes if nothing was.
    view = memoryview(data).cast("B")
    pos = 0
    try:
        while pos < len(view):
            pos += os.pwrite(file.fd, view[pos:], off + pos)
    except OSError as error:
        if not pos:
            raise _failed(file, error) from None
    return pos


def _failed(file: PageFile, error: OSError) -> VmError:
    return VmError(error.errno or errno.EIO, f"{file.owner.label()}: {error.strerror}")
