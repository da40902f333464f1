"""Parts of a file that go: truncation, holes, the end of a page file.

The pages go here and what tasks have mapped of them; what the host has is the
caller's. Operations of ``PageFile``, which says what each is for.

Source: mm/truncate.c truncate_inode_pages(), 2.6.0.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from memfs.vm.alloc import BUDGET, drive
from memfs.vm.errors import VmError
from memfs.vm.sched import Op

if TYPE_CHECKING:
    from memfs.vm.pagecache import FileOwner, PageFile

MAX_BYTES = 1 << 43  # a page index has 31 bits: slots of the index tell swap apart


def check_size(owner: FileOwner, end: int) -> None:
    """Raises VmError(EFBIG): no file reaches so far, bytes."""
    if end > MAX_BYTES:
        raise VmError(errno.EFBIG, f"{owner.label()}: at most {MAX_BYTES} bytes")


def truncate(file: PageFile, size: int) -> Op[None]:
    """Set the size; pages above it go, the rest of the last one is zeroed.

    Raises:
        VmError: EFBIG, or what reading the last page back gave.
    """
    check_size(file.owner, size)
    file.grant(0)
    m = file.m
    if size < file.size:
        file.size = size
        with file.in_use():
            file.hold_fd()
            yield from drive(
                m,
                lambda: m.core.file_truncate(file.id, size, BUDGET),
                what="truncate",
            )
    file.size = size
    m.core.mapping_size(file.id, size)


def punch(file: PageFile, off: int, n: int) -> Op[None]:
    """Forget the whole pages of a range; the rest of it reads as zero.

    What the host has there is the caller's: a page that is read again during
    the punch, or was on its way to the host, has the old bytes.

    Raises:
        VmError: EFBIG, or what reading a page back from swap gave.
    """
    m = file.m
    index = 0

    def step() -> int:
        nonlocal index
        rc, index = m.core.file_punch(file.id, off, n, index, BUDGET)
        return rc

    with file.in_use():
        if m.host_limited:
            file.hold_fd()
        yield from drive(m, step, what="punch")
    file.settle()


def forget(file: PageFile) -> Op[None]:
    """Drop every page, dirty or not, and the page file itself."""
    file.dropping = True
    file.grant(0)
    m = file.m
    yield from drive(m, lambda: m.core.file_truncate(file.id, 0, BUDGET), what="drop")
    m.core.mapping_destroy(file.id)
    _forgotten(file)


def forget_now(file: PageFile) -> bool:
    """As forget(), if it is done at once; False: it is not, and nothing is done."""
    if file.dead or file.dropping:
        return False
    file.grant(0)
    if not file.m.core.file_forget(file.id, BUDGET):
        return False
    _forgotten(file)
    file.m.bump()
    return True


def is_light(file: PageFile) -> bool:
    """Whether forget_now() would do it."""
    if file.dead or file.dropping:
        return False
    return file.m.core.file_light(file.id, BUDGET)


def _forgotten(file: PageFile) -> None:
    file.size = 0
    file.m.files.forget(file)
    file.dead = True
    file.let_go()
