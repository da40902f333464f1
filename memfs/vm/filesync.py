"""Dirty pages of a file to the host, and what became of that.

Operations of ``PageFile``, which says what each is for. Which file is written when
nobody asks is memfs/vm/writeback.py's.

Source: mm/page-writeback.c do_writepages(), fs/buffer.c sys_fsync(), 2.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import _ffi
from memfs.vm._ffi import check
from memfs.vm.alloc import BUDGET
from memfs.vm.errors import VmError
from memfs.vm.layoutvalues import PAGE_SIZE
from memfs.vm.sched import MORE, Io, Op

if TYPE_CHECKING:
    from memfs.vm.pagecache import PageFile


def flush(file: PageFile, off: int, n: int, drop: bool) -> Op[None]:
    """Have the host's file hold a range, and with `drop` nothing else.

    It is so when the operation ends, and until the next one runs.

    Raises:
        VmError: the errno of a failed write-out.
    """
    first = off // PAGE_SIZE
    nr = -(-(off + n) // PAGE_SIZE) - first
    with file.in_use():
        while True:
            rc = file.m.core.file_flush(file.id, first, nr, drop)
            if rc == _ffi.DONE:
                return
            check(rc, f"write-back of {file.owner.label()}")
            yield from file.m.pressure.io.waiting(Io())
            raise_error(file)


def writeback(file: PageFile) -> Op[int]:
    """Start write-out of every page that is dirty now; pages started."""
    if file.kind != "file" or file.dead:
        return 0
    total = index = 0
    while not file.dead:
        rc, index, done = file.m.core.file_writeback(file.id, index, BUDGET)
        total += done
        if rc == _ffi.DONE:
            break
        check(rc, f"write-back of {file.owner.label()}")
        yield Io() if rc == _ffi.WAIT else MORE
    return total


def wait_writeback(file: PageFile) -> Op[None]:
    """Wait until no page of it is being written."""
    while not file.dead and file.stat().nr_writeback:
        yield from file.m.pressure.io.waiting(Io())


def fsync(file: PageFile) -> Op[None]:
    """Write back and wait; a page that was on its way out is written again.

    Raises:
        VmError: the errno of a failed transfer, once.
    """
    for _ in range(2):
        yield from writeback(file)
        yield from wait_writeback(file)
        if file.dead or file.kind != "file" or not file.stat().nr_dirty:
            break
    if file.dead:
        return
    file.m.writeback.cleaned(file)
    raise_error(file)
    file.settle()


def raise_error(file: PageFile) -> None:
    """Report a failed transfer, once.

    Raises:
        VmError: its errno.
    """
    error = file.stat().error
    if error:
        file.m.core.mapping_clear_error(file.id)
        raise VmError(error, f"{file.owner.label()}: a page could not be written")
