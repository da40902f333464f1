"""Answers as they lie on the wire: the structures of FUSE, packed.

What it is not: it decides nothing; ``memfs/direct.py`` and ``memfs/directnodes.py``
say what is answered.

Source: include/linux/fuse.h 7.39.
"""

from __future__ import annotations

import functools
import struct
from typing import Any

from memfs.tree import Attr, Caller

# What stands before the body of each request: length, opcode, number of the request,
# inode, uid, gid, pid.
HEAD_BYTES = 40
_CALLER = struct.Struct("=III")
_CALLER_AT = 24

# struct fuse_entry_out without its attributes, fuse_attr_out likewise.
_ENTRY = struct.Struct("=QQQQII")
_ATTR_HEAD = struct.Struct("=QII")
# struct fuse_attr: the inode, then what is the same for all that look alike.
_ATTR = struct.Struct("=QQqqqIIIIIIIIII")
_INO = struct.Struct("=Q")
# struct fuse_dirent without its name.
_DIRENT = struct.Struct("=QQII")
_OPEN = struct.Struct("=QII")

NS = 1_000_000_000
ENTRY_BYTES = _ENTRY.size + _INO.size + _ATTR.size
DIRECT_IO, NOFLUSH = 1 << 0, 1 << 5


def name_in(request: bytes) -> bytes:
    """The name that a request is about."""
    return request[HEAD_BYTES : request.index(b"\0", HEAD_BYTES)]


def pid_in(request: bytes) -> int:
    """The thread that sent a request."""
    pid: int = _CALLER.unpack_from(request, _CALLER_AT)[2]
    return pid


def caller_in(request: bytes) -> Caller:
    """Who sent a request. A umask is not among what is sent."""
    uid, gid, pid = _CALLER.unpack_from(request, _CALLER_AT)
    return Caller(pid, uid, gid)


@functools.lru_cache(maxsize=1024)
def _attr(attr: Attr) -> bytes:
    mode, size, nlink, uid, gid, atime, mtime, ctime, blocks, blksize, rdev = attr
    atime, atime_ns = divmod(atime, NS)
    mtime, mtime_ns = divmod(mtime, NS)
    ctime, ctime_ns = divmod(ctime, NS)
    times = atime, mtime, ctime, atime_ns, mtime_ns, ctime_ns
    rest = mode, nlink, uid, gid, rdev, blksize, 0
    return _ATTR.pack(size, blocks, *times, *rest)


@functools.lru_cache(maxsize=64)
def _seconds(timeout: float) -> tuple[int, int]:
    return divmod(int(timeout * NS), NS)


def attributes(ino: int, attr: Attr) -> bytes:
    """struct fuse_attr."""
    return _INO.pack(ino) + _attr(attr)


def entry(ino: int, attr: Attr, entry_timeout: float, attr_timeout: float) -> bytes:
    """struct fuse_entry_out."""
    entry_s, entry_ns = _seconds(entry_timeout)
    attr_s, attr_ns = _seconds(attr_timeout)
    head = _ENTRY.pack(ino, 0, entry_s, attr_s, entry_ns, attr_ns)
    return head + attributes(ino, attr)


def attr_out(ino: int, attr: Attr, attr_timeout: float) -> bytes:
    """struct fuse_attr_out."""
    return _ATTR_HEAD.pack(*_seconds(attr_timeout), 0) + attributes(ino, attr)


def absent(entry_timeout: float) -> bytes:
    """struct fuse_entry_out of a name that is not there, to be remembered."""
    entry_s, entry_ns = _seconds(entry_timeout)
    return _ENTRY.pack(0, 0, entry_s, 0, entry_ns, 0).ljust(ENTRY_BYTES, b"\0")


def direntplus(shown: bytes, ino: int, cookie: int, mode: int, name: bytes) -> bytes:
    """struct fuse_direntplus: *shown* is its entry; padded to eight bytes."""
    made = shown + _DIRENT.pack(ino, cookie, len(name), mode >> 12 & 15) + name
    return made + bytes(-len(made) % 8)


def dirent(ino: int, cookie: int, mode: int, name: bytes) -> bytes:
    """struct fuse_direntplus that says no more than the name: no lookup."""
    return direntplus(bytes(ENTRY_BYTES), ino, cookie, mode, name)


def open_out(fh: int, flags: int) -> bytes:
    """struct fuse_open_out."""
    return _OPEN.pack(fh, flags, 0)


def fields(form: struct.Struct, request: bytes) -> tuple[Any, ...]:
    """What a request's body begins with."""
    return form.unpack_from(request, HEAD_BYTES)
