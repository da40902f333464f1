"""The two calls of Linux that the standard library does not have.

ctypes, against the rule of the house: without it RENAME_EXCHANGE would not be
atomic and holes could not be punched. Nothing else belongs here.
"""

from __future__ import annotations

import ctypes
import errno
import os

KEEP_SIZE, PUNCH_HOLE = 0x01, 0x02
EXCHANGE = 2

_libc = ctypes.CDLL(None, use_errno=True)


def fallocate(fd: int, mode: int, off: int, nbytes: int) -> None:
    """fallocate(2). Raises OSError; EOPNOTSUPP where the host cannot."""
    off_t = ctypes.c_int64
    _call("fallocate", fd, mode, off_t(off), off_t(nbytes))


def exchange(old_fd: int, name: bytes, new_fd: int, new_name: bytes) -> None:
    """Exchange two names. Raises OSError; EINVAL where the host cannot."""
    flags = ctypes.c_uint(EXCHANGE)
    _call("renameat2", old_fd, name, new_fd, new_name, flags)


def _call(function: str, *args: object) -> None:
    call = getattr(_libc, function, None)
    if call is None:  # a C library older than the call
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while call(*args) < 0:
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
