"""fsync(2) of the host, which may take as long as its disk does: for a thread.

The call has a descriptor of its own, so that whatever becomes of the file's meanwhile,
it syncs what it was made for.
"""

from __future__ import annotations

import errno
import os
import threading


def check_name(fd: int) -> None:
    """Raises OSError(ESTALE): what the mount has a name of has none on the host."""
    if not os.fstat(fd).st_nlink:
        raise OSError(errno.ESTALE, "the file was removed beside the mount")


class HostSync:
    """One call, not yet made. ``drop`` it if it never will be.

    Args:
        fd: is the call's from now on.
        datasync: fdatasync(2).
        named: the file has a name, as far as the mount knows.
    """

    def __init__(self, fd: int, datasync: bool = False, named: bool = False) -> None:
        self._fd = fd
        self._datasync = datasync
        self._named = named
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Make it.

        Raises:
            OSError: what the host says; ESTALE: the file was removed beside the
                mount, so what was written to it is as good as lost.
        """
        fd = self._take()
        if fd < 0:
            return
        try:
            (os.fdatasync if self._datasync else os.fsync)(fd)
            if self._named:
                check_name(fd)
        finally:
            os.close(fd)

    def drop(self) -> None:
        """Give the descriptor back unless the call has it; harmless twice."""
        fd = self._take()
        if fd >= 0:
            os.close(fd)

    def _take(self) -> int:
        with self._lock:
            fd, self._fd = self._fd, -1
        return fd
