"""The host's files that a machine has open: its swap area, and what memory spills."""

from __future__ import annotations

import errno
import os
import tempfile

from memfs.vm import _ffi
from memfs.vm.errors import VmError
from memfs.vm.layoutvalues import PAGE_SIZE


class HostFiles:
    """Files of one machine, open until ``close``."""

    def __init__(self) -> None:
        self._fds: list[int] = []

    def open_swap(self, core: _ffi.Core, pages: int, path: str | None) -> None:
        """Give the core its swap area, on a host file; None: in memory.

        Raises:
            VmError: the errno of the file.
        """
        fd = -1
        if path is not None and pages:
            fd = self._open(path, pages * PAGE_SIZE)
        core.swap_size(pages, fd)

    def open_spill(self, core: _ffi.Core, host_memory: int) -> None:
        """Bound the real memory for contents, bytes; more goes to an unlinked file."""
        fd, path = tempfile.mkstemp(prefix="memfs-spill-")
        os.unlink(path)
        self._fds.append(fd)
        core.host_limit(max(1, host_memory // PAGE_SIZE), fd)

    def _open(self, path: str, size: int) -> int:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._fds.append(fd)
            os.ftruncate(fd, size)
        except OSError as error:
            code = error.errno or errno.EIO
            raise VmError(code, f"{path}: {error.strerror}") from None
        return fd

    def close(self) -> None:
        """Close all; a second call does nothing."""
        while self._fds:
            os.close(self._fds.pop())
