"""Small requests about volumes, answered as they come: past libfuse and pyfuse3.

One TABLE: what is answered here, by its number on the wire. Each row is given what
the kernel sent and says how many bytes of the answer it has left in ``room``, or
NOT: then the request takes the long way, through ``memfs/handlers.py``, to the same
end. A volume says of each call whether it would wait (``at_once``).

What it is not: no request needs it. Without the shim all take the long way.

Concurrency: the thread of the session, between two rounds of the event loop;
nothing here waits.

Source: include/linux/fuse.h 7.39.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from memfs.callers import errno_of
from memfs.handlers import Handlers
from memfs.inodes import number
from memfs.shim import DIRECT_NONE as NONE
from memfs.shim import DIRECT_NOT as NOT
from memfs.tree import Attr

T = TypeVar("T")

# struct fuse_entry_out without its attributes, fuse_attr_out likewise, fuse_attr.
_ENTRY = struct.Struct("=QQQQII")
_ATTR_HEAD = struct.Struct("=QII")
_ATTR = struct.Struct("=QQQqqqIIIIIIIIII")
_FORGET = struct.Struct("=QQ")
_BATCH_HEAD = struct.Struct("=II")
_RELEASE = struct.Struct("=Q")

NS = 1_000_000_000
ROOM = 256


class Direct:
    """Answers for one mount.

    Args:
        handlers: the long way, whose state this shares.
    """

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self.room = ctypes.create_string_buffer(ROOM)

    def answer(self, opcode: int, nodeid: int, body: int, nbytes: int) -> int:
        """The bytes of the answer, a -errno, NONE or NOT."""
        row = TABLE[opcode]
        try:
            return row(self, nodeid, ctypes.string_at(body, nbytes))
        except Exception as exc:
            return -errno_of(exc, row.__name__)

    def lookup(self, parent: int, body: bytes) -> int:
        volume, index, own = self._handlers.at(parent)
        name = body[: body.index(b"\0")]
        if not volume.at_once("lookup", own, name):
            return NOT
        ino, attr = _done(volume.lookup(own, name))
        entry, rest = divmod(int(volume.entry_timeout * NS), NS)
        seconds, ns = divmod(int(volume.attr_timeout * NS), NS)
        shown = number(index, ino)
        _ENTRY.pack_into(self.room, 0, shown, 0, entry, seconds, rest, ns)
        self._attr(_ENTRY.size, shown, attr)
        return _ENTRY.size + _ATTR.size

    def getattr(self, ino: int, body: bytes) -> int:
        volume, _, own = self._handlers.at(ino)
        attr = volume.getattr(own)
        seconds, ns = divmod(int(volume.attr_timeout * NS), NS)
        _ATTR_HEAD.pack_into(self.room, 0, seconds, ns, 0)
        self._attr(_ATTR_HEAD.size, ino, attr)
        return _ATTR_HEAD.size + _ATTR.size

    def _attr(self, at: int, ino: int, attr: Attr) -> None:
        mode, size, nlink, uid, gid, atime, mtime, ctime, blocks, blksize, rdev = attr
        atime, atime_ns = divmod(atime, NS)
        mtime, mtime_ns = divmod(mtime, NS)
        ctime, ctime_ns = divmod(ctime, NS)
        times = atime, mtime, ctime, atime_ns, mtime_ns, ctime_ns
        rest = mode, nlink, uid, gid, rdev, blksize, 0
        _ATTR.pack_into(self.room, at, ino, size, blocks, *times, *rest)

    def unlink(self, parent: int, body: bytes) -> int:
        volume, _, own = self._handlers.at(parent)
        name = body[: body.index(b"\0")]
        if not volume.at_once("unlink", own, name):
            return NOT
        _done(volume.unlink(own, name))
        return 0

    def release(self, ino: int, body: bytes) -> int:
        (fh,) = _RELEASE.unpack_from(body)
        opened = self._handlers.opened(fh)
        if opened is None or not opened[0].at_once("release", opened[1]):
            return NOT
        _done(self._handlers.release(fh))
        return 0

    def forget(self, ino: int, body: bytes) -> int:
        (nlookup,) = struct.unpack_from("=Q", body)
        _done(self._handlers.forget([(ino, nlookup)]))
        return NONE

    def batch_forget(self, ino: int, body: bytes) -> int:
        count, _ = _BATCH_HEAD.unpack_from(body)
        end = _BATCH_HEAD.size + count * _FORGET.size
        pairs = list(_FORGET.iter_unpack(body[_BATCH_HEAD.size : end]))
        _done(self._handlers.forget(cast("list[tuple[int, int]]", pairs)))
        return NONE


TABLE: dict[int, Callable[[Direct, int, bytes], int]] = {
    1: Direct.lookup,
    2: Direct.forget,
    3: Direct.getattr,
    10: Direct.unlink,
    18: Direct.release,
    42: Direct.batch_forget,
}


def _done(work: Coroutine[Any, Any, T]) -> T:
    """The result of what does not wait.

    Raises:
        RuntimeError: it does; then it is ended half-way.
    """
    try:
        work.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    work.close()
    raise RuntimeError("a request that was to be answered at once waits")
