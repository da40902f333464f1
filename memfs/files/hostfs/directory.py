"""The host directory behind files/: opened, locked, and, if private, removed.

The lock is flock(2) on the directory itself, so nothing of ours lies in it, and
it ends with the process however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from memfs.tree import TreeError

PREFIX = "memfs-files-"


class HostDirectory:
    """An open and locked directory.

    Args:
        path: an existing directory; None: a new private one, below TMPDIR.
        locked: the caller has locked *path* already; it is not locked again here,
            for flock(2) counts open descriptions and not processes.

    Attributes:
        path: where it is.
        fd: open for reading; the root of everything.
        private: it is removed by ``close``.

    Raises:
        TreeError: EBUSY if another mount has it, ENOENT, ENOTDIR, EACCES.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, locked: bool = False
    ) -> None:
        self.private = path is None
        # The outer directory keeps others out, the inner one is the root of
        # files/, whose mode its users see.
        self._outer: Path | None = None
        if path is None:
            self._outer = Path(tempfile.mkdtemp(prefix=PREFIX))
            self.path = self._outer / "files"
            self.path.mkdir(mode=0o755)
            self.path.chmod(0o755)
        else:
            self.path = Path(path).resolve()
        self.fd = self._open()
        if not locked:
            self._lock()

    def _open(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except OSError as error:
            code = error.errno or errno.EIO
            raise TreeError(code, f"{self.path}: {error.strerror}") from None

    def _lock(self) -> None:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.fd)
            message = f"{self.path}: another mount has this directory"
            raise TreeError(errno.EBUSY, message) from None

    def close(self, keep: bool = False) -> None:
        """Unlock it. A private one is removed, unless *keep*; harmless twice."""
        if self.fd < 0:
            return
        if self._outer is not None and not keep:
            shutil.rmtree(self._outer, ignore_errors=True)
        os.close(self.fd)
        self.fd = -1
