"""Opening and giving away files of the host: what depends on who the daemon is.

Root opens everything and gives everything away. Anybody else owns what is below
his directory or has no business with it; the kernel has checked the caller, so a
mode that forbids the daemon its own file is stepped around.
"""

from __future__ import annotations

import errno
import os
import stat

FILE_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
CREATE_FLAGS = FILE_FLAGS | os.O_RDWR | os.O_CREAT | os.O_EXCL
NAMELESS_FLAGS = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
# What opening for writing answers for a file that may still be read.
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def by_name(parent_fd: int, name: bytes, mode: int, writes: bool) -> int:
    """Open a regular file for reading and, where that is possible, for writing.

    Args:
        mode: of the file, as it must be afterwards.
        writes: being able to write it is a must.

    Raises:
        OSError: what the host says.
    """
    try:
        return os.open(name, FILE_FLAGS | os.O_RDWR, dir_fd=parent_fd)
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        if not writes and error.errno == errno.EROFS:
            return os.open(name, FILE_FLAGS | os.O_RDONLY, dir_fd=parent_fd)
    return _as_owner(parent_fd, name, mode, writes)


def _as_owner(parent_fd: int, name: bytes, mode: int, writes: bool) -> int:
    """Open what its mode forbids us."""
    try:
        chmod(parent_fd, name, 0o600)
    except OSError:
        flags = FILE_FLAGS | (os.O_RDWR if writes else os.O_RDONLY)
        return os.open(name, flags, dir_fd=parent_fd)
    try:
        return os.open(name, FILE_FLAGS | os.O_RDWR, dir_fd=parent_fd)
    finally:
        chmod(parent_fd, name, stat.S_IMODE(mode))


def chmod(parent_fd: int, name: bytes, mode: int) -> None:
    """fchmodat(2) that follows no symbolic link, which Linux long did not have.

    Raises:
        OSError: ELOOP for a symbolic link; what the host says.
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        os.chmod(fd_path(fd), mode)
    finally:
        os.close(fd)


def fd_path(fd: int) -> bytes:
    """A path that names an open file, for calls that take no descriptor."""
    return b"/proc/self/fd/%d" % fd


def give_away(
    fd: int, st: os.stat_result, owner: tuple[int, int], mode: int
) -> os.stat_result:
    """Owner and mode of a new file, where the host gave others; its stat after."""
    if (st.st_uid, st.st_gid) != owner:
        try_chown(fd, *owner, None)
        st = os.fstat(fd)
    if stat.S_IMODE(st.st_mode) != mode:
        os.fchmod(fd, mode)
        st = os.fstat(fd)
    return st


def try_chown(what: bytes | int, uid: int, gid: int, dir_fd: int | None) -> None:
    """Only root may give files away; for others they stay the daemon's."""
    try:
        if isinstance(what, int):
            os.fchown(what, uid, gid)
        else:
            os.chown(what, uid, gid, dir_fd=dir_fd, follow_symlinks=False)
    except PermissionError:
        return
