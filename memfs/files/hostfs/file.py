"""One file on the host: its descriptor, its times, its blocks.

It is what the model knows as the owner of a page file (``need_fd``, ``io_idle``,
``label``).
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from memfs.files.paged.inode import File, label_of
from memfs.tree import TreeError
from memfs.vm.errors import VmError

if TYPE_CHECKING:
    from memfs.files.hostfs.fds import FileFds

# Times of a file that may only be read; not being able to set them is no error.
READ_ONLY_ERRORS = (errno.EPERM, errno.EACCES, errno.EROFS)
PAGE_BLOCKS = 8


class HostFile:
    """The host's side of a File.

    Attributes:
        fd: -1 while closed.
        writable: ``fd`` may be written.
        recount: the host's blocks may have changed since they were counted.
        lent: how many page files have the descriptor's number; while there is one
            it must not be closed.
        unwritten: of the file's blocks, those that the host does not have yet.
    """

    __slots__ = (
        "_ended",
        "_fds",
        "_saved",
        "fd",
        "file",
        "lent",
        "recount",
        "unwritten",
        "writable",
    )

    def __init__(self, file: File, fds: FileFds) -> None:
        self.file = file
        self.fd = -1
        self.writable = False
        self.recount = False
        self.lent = 0
        self.unwritten = 0
        self._saved: tuple[int, int] | None = None
        self._ended = False
        self._fds = fds

    # What the model asks

    def need_fd(self) -> int:
        try:
            fd = self.opened(writes=False)
        except (OSError, TreeError) as error:
            code = error.errno or errno.EIO
            raise VmError(code, f"{self.label()}: {error}") from None
        self.lent += 1
        return fd

    def io_idle(self) -> None:
        """The last write-out has ended: times, and the descriptor if it is unused.

        The model cannot do anything about an error of the host here; the next
        fsync of a handle reports it.
        """
        self.lent -= 1
        self._saved = None
        if self.lent:
            return
        if self._ended:
            self._close()
        elif self.file.nlink:
            try:
                self._rest()
            except OSError as error:
                self.file.failed(error.errno or errno.EIO)

    def _rest(self) -> None:
        if self.file.nopen:
            self.save_times()
        else:
            self.close()

    def label(self) -> str:
        return label_of(self.file, "files")

    # Descriptor

    def opened(self, writes: bool) -> int:
        """The descriptor, for reading and, if *writes*, for writing."""
        if self.fd < 0:
            self.adopt(self._fds.open_by_name(self.file, writes), True)
            self.writable = _is_writable(self.fd)
        elif writes and not self.writable:
            self._upgrade()
        return self.fd

    def adopt(self, fd: int, writable: bool) -> None:
        """*fd* is the file's from now on."""
        self.fd = fd
        self.writable = writable
        self._fds.open[self.file] = None

    def _upgrade(self) -> None:
        # The model may be using the number: what it stands for is replaced.
        fd = self._fds.open_by_name(self.file, True)
        try:
            os.dup2(fd, self.fd, inheritable=False)
        finally:
            os.close(fd)
        self.writable = True

    def try_close(self) -> bool:
        """Close unless something is dirty, in flight or mapped; True if closed."""
        if self.lent and self.file.pages is not None:
            self.file.pages.settle()
        if self.lent:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Write the times and close; the descriptor must not be lent."""
        if self.fd >= 0:
            self.save_times()
            self.count()
            self._close()

    def end(self) -> None:
        """Close without a word to the host, as soon as nobody has the number."""
        if self.lent:
            self._ended = True
        else:
            self._close()

    def _close(self) -> None:
        if self.fd >= 0:
            self._fds.open.pop(self.file, None)
            os.close(self.fd)
            self.fd = -1

    # Attributes

    def save_times(self) -> None:
        """Put our times on the host, while the file is open there.

        A write-out still to come destroys them, so then they stay due.
        """
        file = self.file
        file.catch_up()
        if not file.times_due or self.fd < 0:
            return
        times = file.atime_ns, file.mtime_ns
        if times != self._saved:
            self._set_times(times)
        self._saved = times if self.lent else None
        file.times_due = self.lent > 0

    def _set_times(self, times: tuple[int, int]) -> None:
        try:
            os.utime(self.fd, ns=times)
        except OSError as error:
            if self.writable or error.errno not in READ_ONLY_ERRORS:
                raise

    def count(self) -> None:
        """Count blocks: the host's, and those that dirty pages will need.

        A page that is dirty and has its block already is counted twice, but never
        beyond the size: a file without blocks would be taken for one big hole.
        """
        if not self.recount or self.fd < 0:
            return
        file = self.file
        blocks = os.fstat(self.fd).st_blocks
        dirty = 0 if file.pages is None else file.pages.unwritten()
        most = (file.size + 4095) // 4096 * PAGE_BLOCKS
        self.unwritten = max(min(dirty * PAGE_BLOCKS, most - blocks), 0)
        self.recount = dirty > 0 or (file.pages is not None and file.pages.granted > 0)
        file.blocks = blocks + self.unwritten


def _is_writable(fd: int) -> bool:
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
