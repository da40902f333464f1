"""What a volume is: a real file system below one directory of the mount.

The protocol alone; ``memfs/files/paged`` implements it. ``memfs.tree`` hands it on.

Concurrency: one thread; every method may wait, and others of the same volume may be
called while it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from memfs.records import NamedTuple
from memfs.request import Attr, Caller, StatFs


class VolumeEntry(NamedTuple):
    """One name of a volume's directory; ``cookie`` is where the next call starts."""

    name: bytes
    ino: int
    attr: Attr
    cookie: int


Buffer = bytes | bytearray | memoryview


class Xattrs(Protocol):
    """Extended attributes of a volume's files, by inode number. None of it waits.

    Raises OSError or TreeError: ENODATA, EOPNOTSUPP for a name of no kind that is
    kept, ENOSPC.
    """

    def get(self, ino: int, name: bytes) -> bytes: ...
    def set(self, ino: int, name: bytes, value: bytes) -> None: ...
    def names(self, ino: int) -> list[bytes]: ...
    def remove(self, ino: int, name: bytes) -> None: ...


class Volume(Protocol):
    """One of files/ and shm/.

    Inode numbers are the volume's own: 1 is its root, below 2**48. ``lookup``,
    ``create``, ``mkdir``, ``mknod``, ``symlink`` and ``link`` each give the caller
    one reference, which ``forget`` takes back; so does an entry of ``readdir``
    that is neither "." nor ".." (the adapter calls ``remember`` for it).
    ``mode`` has the umask applied. Raises TreeError or anything with ``.errno``.

    ``cached``: the kernel reads into its own page cache, or writes out of it: some
    process maps the page, as far as can be known. None: that is not known.
    ``kills``: a write by somebody who may not keep the file's set-ID bits; None: that
    is not known, and who opened the file decides.

    Attributes:
        entry_timeout, attr_timeout: seconds the kernel may keep names and
            attributes; everything that changes them goes through the mount.
        stale: set by the adapter; to be called with the number of an inode when its
            attributes changed and the kernel did not ask for it.
        xattrs: its extended attributes.
    """

    entry_timeout: float
    attr_timeout: float
    stale: Callable[[int], None]

    @property
    def xattrs(self) -> Xattrs: ...
    def getattr(self, ino: int) -> Attr:
        """It never waits."""

    async def setattr(
        self,
        ino: int,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        atime_ns: int | None = None,
        mtime_ns: int | None = None,
        fh: int | None = None,
    ) -> Attr: ...
    async def lookup(self, parent: int, name: bytes) -> tuple[int, Attr]: ...
    def at_once(self, what: str, *args: Any) -> bool:
        """Whether the call of that name with these arguments is sure not to wait."""

    def forget(self, ino: int, nlookup: int) -> None: ...
    def remember(self, ino: int) -> None: ...
    async def readdir(self, ino: int, cookie: int) -> list[VolumeEntry]: ...
    async def readlink(self, ino: int) -> bytes: ...
    async def symlink(
        self, parent: int, name: bytes, target: bytes, caller: Caller
    ) -> tuple[int, Attr]: ...
    async def mkdir(
        self, parent: int, name: bytes, mode: int, caller: Caller
    ) -> tuple[int, Attr]: ...
    async def mknod(
        self, parent: int, name: bytes, mode: int, rdev: int, caller: Caller
    ) -> tuple[int, Attr]: ...
    async def rmdir(self, parent: int, name: bytes) -> None: ...
    async def unlink(self, parent: int, name: bytes) -> None: ...
    def unlink_now(self, parent: int, name: bytes) -> bool:
        """As ``unlink``, if it need not wait; False: it may, and nothing is done."""

    async def rename(
        self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int
    ) -> None: ...
    async def link(
        self, ino: int, new_parent: int, new_name: bytes
    ) -> tuple[int, Attr]: ...
    async def create(
        self, parent: int, name: bytes, mode: int, flags: int, caller: Caller
    ) -> tuple[int, Attr, int]: ...
    def create_nameless(
        self, parent: int, mode: int, flags: int, caller: Caller
    ) -> tuple[int, Attr, int]:
        """As ``create``, of a file without a name, to which ``link`` may give one."""

    async def open(self, ino: int, flags: int, caller: Caller) -> int: ...
    async def read(
        self, fh: int, off: int, size: int, cached: bool | None = False
    ) -> Buffer: ...
    async def write(
        self,
        fh: int,
        off: int,
        data: Buffer,
        cached: bool = False,
        kills: bool | None = None,
    ) -> int: ...
    def write_now(
        self, fh: int, off: int, data: Buffer, cached: bool, kills: bool
    ) -> int | None:
        """As ``write``, if it need not wait; None: it may, and is to be asked for."""

    async def flush(self, fh: int) -> None: ...
    async def fsync(self, fh: int, datasync: bool) -> None: ...
    async def fsyncdir(self, ino: int, datasync: bool) -> None: ...
    async def release(self, fh: int) -> None: ...
    def lane(self, fh: int) -> object:
        """The record of the short way (memfs/lanes.py) of an open file, or None."""

    async def statfs(self) -> StatFs: ...
    async def fallocate(self, fh: int, mode: int, off: int, length: int) -> None: ...
    async def lseek(self, fh: int, off: int, whence: int) -> int: ...
