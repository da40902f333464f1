"""Small requests, answered as they come: past libfuse and pyfuse3.

Two tables: what is answered here, by its number on the wire, of volumes' inodes and
of generated nodes (``memfs/directnodes.py``). Each row is given the request and gives
the bytes of the answer, or None: then the request takes the long way, through
``memfs/handlers``, to the same end. A volume says of each call whether it would wait
(``at_once``).

What it is not: no request needs it. Without the shim all take the long way.

Concurrency: the thread of the session, between two rounds of the event loop;
nothing here waits.

Source: include/linux/fuse.h 7.39.
"""

from __future__ import annotations

import ctypes
import logging
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from memfs import wirebytes
from memfs.callers import errno_of
from memfs.directnodes import NODES, ROOM
from memfs.handlers import Handlers
from memfs.inodes import VOLUME_SHIFT, number
from memfs.shim import DIRECT_CHANGED as CHANGED
from memfs.shim import DIRECT_NONE as NONE
from memfs.shim import DIRECT_NOT as NOT

__all__ = ["CHANGED", "NODES", "NONE", "NOT", "VOLUMES", "Direct"]

T = TypeVar("T")

log = logging.getLogger(__name__)

UNLINK = 10

_NLOOKUP = struct.Struct("=Q")
_FORGET = struct.Struct("=QQ")
_BATCH_HEAD = struct.Struct("=II")
_RELEASE = struct.Struct("=Q")
# struct fuse_write_in: handle, offset, bytes, flags of the write, owner of locks, flags
# of the handle; struct fuse_write_out.
_WRITE = struct.Struct("=QQIIQII")
_WRITTEN = struct.Struct("=II")
WRITE_CACHE, WRITE_KILLS = 1 << 0, 1 << 2
# struct fuse_create_in: flags, mode; the kernel has applied the umask.
_TMPFILE = struct.Struct("=II")


class Direct:
    """Answers for one mount.

    Args:
        handlers: the long way, whose state this shares.
    """

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self.room = ctypes.create_string_buffer(ROOM)
        self._into = ctypes.addressof(self.room)

    def answer(self, opcode: int, nodeid: int, request: int, nbytes: int) -> int:
        """The bytes of the answer in the room, a -errno, NONE, NOT or CHANGED."""
        ours = nodeid >> VOLUME_SHIFT or opcode in FORGETS
        row = VOLUMES[opcode] if ours else NODES[opcode]
        try:
            made = row(self._handlers, nodeid, ctypes.string_at(request, nbytes))
        except Exception as exc:
            return -errno_of(exc, row.__name__)
        if made is None:
            return NOT
        if opcode in FORGETS:
            return NONE
        ctypes.memmove(self._into, made, len(made))
        return CHANGED if made and opcode == UNLINK else len(made)


def lookup(handlers: Handlers, parent: int, request: bytes) -> bytes | None:
    volume, index, own = handlers.at(parent)
    name = wirebytes.name_in(request)
    if not volume.at_once("lookup", own, name):
        return None
    ino, attr = _done(volume.lookup(own, name))
    shown = number(index, ino)
    return wirebytes.entry(shown, attr, volume.entry_timeout, volume.attr_timeout)


def getattr(handlers: Handlers, ino: int, request: bytes) -> bytes:
    volume, _, own = handlers.at(ino)
    return wirebytes.attr_out(ino, volume.getattr(own), volume.attr_timeout)


def unlink(handlers: Handlers, parent: int, request: bytes) -> bytes | None:
    """The kernel asks for the directory's attributes next: they are the answer."""
    volume, _, own = handlers.at(parent)
    if not volume.unlink_now(own, wirebytes.name_in(request)):
        return None
    try:
        attr = volume.getattr(own)
    except Exception as exc:
        # The name is gone all the same; whoever asks for the attributes is told.
        log.debug("attributes after an unlink: %r", exc)
        return b""
    return wirebytes.attr_out(parent, attr, volume.attr_timeout)


def tmpfile(handlers: Handlers, parent: int, request: bytes) -> bytes:
    """Neither libfuse nor pyfuse3 knows this request."""
    flags, mode = wirebytes.fields(_TMPFILE, request)
    caller = wirebytes.caller_in(request)
    made = handlers.create_nameless(parent, mode, flags, caller)
    ino, volume, attr, fh = made
    shown = wirebytes.entry(ino, attr, volume.entry_timeout, volume.attr_timeout)
    return shown + wirebytes.open_out(fh, wirebytes.DIRECT_IO | wirebytes.NOFLUSH)


def write(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    """What fuse_lane.c leaves: bytes of pages that are not there yet, mostly."""
    fh, off, nbytes, flags, *_ = wirebytes.fields(_WRITE, request)
    opened = handlers.opened(fh)
    data = memoryview(request)[wirebytes.HEAD_BYTES + _WRITE.size :]
    if opened is None or len(data) < nbytes:
        return None
    cached, kills = bool(flags & WRITE_CACHE), bool(flags & WRITE_KILLS)
    volume, own = opened
    done = volume.write_now(own, off, data[:nbytes], cached, kills)
    return None if done is None else _WRITTEN.pack(done, 0)


def release(handlers: Handlers, ino: int, request: bytes) -> bytes | None:
    (fh,) = wirebytes.fields(_RELEASE, request)
    opened = handlers.opened(fh)
    if opened is None or not opened[0].at_once("release", opened[1]):
        return None
    _done(handlers.release(fh))
    return b""


def forget(handlers: Handlers, ino: int, request: bytes) -> bytes:
    (nlookup,) = wirebytes.fields(_NLOOKUP, request)
    _done(handlers.forget([(ino, nlookup)]))
    return b""


def batch_forget(handlers: Handlers, ino: int, request: bytes) -> bytes:
    count, _ = wirebytes.fields(_BATCH_HEAD, request)
    begin = wirebytes.HEAD_BYTES + _BATCH_HEAD.size
    pairs = list(_FORGET.iter_unpack(request[begin : begin + count * _FORGET.size]))
    _done(handlers.forget(cast("list[tuple[int, int]]", pairs)))
    return b""


VOLUMES: dict[int, Callable[[Handlers, int, bytes], bytes | None]] = {
    1: lookup,
    2: forget,
    3: getattr,
    UNLINK: unlink,
    16: write,
    18: release,
    42: batch_forget,
    51: tmpfile,
}
# Of any inode: a batch names none in its head. The shim gathers them, so that what
# comes is a batch.
FORGETS = 2, 42


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
