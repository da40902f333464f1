"""What passes between the adapter and what it asks: records, errors, interrupts.

Everybody who answers a request knows these: nodes of the tree, volumes, control
files. They hold no behaviour but the Interrupt's.

What it is not: none of it is FUSE's. ``memfs.tree`` hands all of this on, so a
file of the mount imports that alone.

Concurrency: one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar

from memfs.records import NamedTuple

PAGE_SIZE = 4096


class TreeError(Exception):
    """The only error that crosses from a node to the adapter.

    Args:
        code: an errno value, for example ``errno.ENODEV``.
        message: what was asked, what was found; for the log, may be empty.
    """

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message or os.strerror(code))
        self.errno = code
        self.message = message


class Caller(NamedTuple):
    """Who sent a request. ``pid`` is 0 when it lives in another namespace."""

    pid: int
    uid: int
    gid: int
    umask: int = 0o022


ROOT_CALLER = Caller(0, 0, 0)


class Attr(NamedTuple):
    """What stat(2) shows of a node, but for its number.

    ``mode`` includes the S_IF bits, times are ns since the epoch, ``size`` is
    bytes, ``blocks`` counts 512 bytes each.
    """

    mode: int
    size: int = 0
    nlink: int = 1
    uid: int = 0
    gid: int = 0
    atime_ns: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    blocks: int = 0
    blksize: int = PAGE_SIZE
    rdev: int = 0


class StatFs(NamedTuple):
    """What statfs(2) shows. ``blocks``, ``bfree`` and ``bavail`` are of ``bsize``."""

    bsize: int = PAGE_SIZE
    blocks: int = 0
    bfree: int = 0
    bavail: int = 0
    files: int = 0
    ffree: int = 0
    favail: int = 0
    namemax: int = 255


class Interrupt:
    """The caller of one waiting request got a signal.

    Handlers that wait either poll ``is_set()`` or register a wake-up with
    ``listen()``. A wake-up is called once, at once when the signal is already
    there; it must not raise and must not wait.
    """

    __slots__ = ("_set", "_wake")

    def __init__(self) -> None:
        self._set = False
        self._wake: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        if self._set:
            return
        self._set = True
        wake, self._wake = self._wake, []
        for call in wake:
            call()

    def listen(self, wake: Callable[[], None]) -> None:
        if self._set:
            wake()
        else:
            self._wake.append(wake)

    def unlisten(self, wake: Callable[[], None]) -> None:
        if wake in self._wake:
            self._wake.remove(wake)


# The request that the running task serves. A handler that is handed no Interrupt
# (those of volumes) is interrupted through this, and only by a fatal signal: a
# regular file's caller never sees EINTR.
REQUEST: ContextVar[Interrupt | None] = ContextVar("REQUEST", default=None)
