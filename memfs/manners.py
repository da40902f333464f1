"""How the parts of the generated tree refuse: one row of errnos each.

Source: real procfs and sysfs of Linux 6.1 and 6.18 (fs/proc, fs/kernfs).
"""

from __future__ import annotations

import errno

from memfs.records import NamedTuple


class Manners(NamedTuple):
    """How a part of the tree refuses: one errno a request, 0 where it is accepted.

    ``open_write`` is opening a read-only file for writing, ``write`` writing to
    one that could be opened so, ``open_read`` opening a write-only file for
    reading (root, too).
    """

    name: str
    open_write: int = errno.EACCES
    write: int = errno.EIO
    open_read: int = errno.EACCES
    create: int = errno.ENOENT
    mkdir: int = errno.ENOENT
    mknod: int = errno.EPERM
    symlink: int = errno.EPERM
    link: int = errno.EPERM
    unlink: int = errno.EPERM
    rmdir: int = errno.EPERM
    rename: int = errno.ENOENT
    setattr: int = 0


# One row for each family of files.
# The root of the mount behaves as /proc does, but for read-only files, which refuse at
# open(), where a shell reports it.
TOP = Manners("top")
PROC = Manners("proc", open_write=0)
SYSFS = Manners("sysfs", create=errno.EACCES, mkdir=errno.EPERM, rename=errno.EPERM)
