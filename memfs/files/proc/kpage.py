"""``proc/kpageflags`` and ``proc/kpagecount``: 64 bits for each page, by its pfn.

They are as long as the machine has page frames and are read in place, not from a
snapshot: an offset that is no multiple of 8 and a size below it are EINVAL.

Departure: the kernel refuses every size that is no multiple of 8. Its files have no
size; these have one, and who reads a file whole asks for a byte more than that.

Source: fs/proc/page.c, Linux 6.1.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from memfs.tree import Handle, TextFile, TreeError

if TYPE_CHECKING:
    from memfs.files.row import Row
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

BYTES: Final = 8
COUNTS: Final = "kpagecount"


class PageHandle(Handle):
    """One of the files, open."""

    __slots__ = ("_file",)

    def __init__(self, file: PageFile) -> None:
        self._file = file

    def read(self, off: int, size: int) -> bytes:
        return self._file.words(off, size)

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        raise TreeError(errno.EIO)


class PageFile(TextFile):
    """One of the files."""

    def __init__(self, mount: Mount, row: Row) -> None:
        nr = mount.machine.layout.max_pfn
        super().__init__(lambda: b"", row.mode, size=nr * BYTES, manners=row.manners)
        self._mount = mount
        self._nr = nr
        self._counts = row.path.endswith(COUNTS)

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        return PageHandle(self)

    def words(self, off: int, size: int) -> bytes:
        """The numbers of some pages.

        Raises:
            TreeError: EINVAL.
        """
        if off >= self._nr * BYTES:
            return b""
        if off % BYTES or 0 < size < BYTES:
            raise TreeError(errno.EINVAL, "no multiple of 8")
        first = min(off // BYTES, self._nr)
        nr = min(size // BYTES, self._nr - first)
        return self._mount.machine.core.kpage(first, nr, self._counts)
