"""What the mount shows, as plain objects: directories, files, links, handles.

A node answers for itself: what it is (``attr``), what opening it means
(``open``), what lies below it (``lookup``, ``entries``). ``memfs/files`` builds a
tree of these from its table; ``memfs/fuse.py`` walks it for the kernel; tests
walk it with no kernel at all.

What it is not: it knows no word of the VM, of FUSE or of trio, and it keeps no
inode numbers beyond the one slot that the adapter asked for (``Node.ino``).

Concurrency: one thread. Whatever is not ``async`` here is atomic; the ``async``
methods may wait, and while they do any other node may be asked anything.

Source: the conventions are those of procfs and sysfs (fs/proc, fs/kernfs,
Linux 6.1), as the rows of ``Manners`` below state them.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from memfs.request import (
    PAGE_SIZE,
    REQUEST,
    ROOT_CALLER,
    Attr,
    Caller,
    Interrupt,
    StatFs,
    TreeError,
)
from memfs.volume import Buffer, Volume, VolumeEntry

__all__ = [
    "FOREVER",
    "PAGE_SIZE",
    "PROC",
    "REQUEST",
    "ROOT_CALLER",
    "SYSFS",
    "TOP",
    "Attr",
    "Buffer",
    "Caller",
    "ControlFile",
    "ControlHandle",
    "Dir",
    "Handle",
    "Interrupt",
    "Link",
    "Manners",
    "Node",
    "PollHandle",
    "StatFs",
    "Store",
    "TextFile",
    "TextHandle",
    "TreeError",
    "Volume",
    "VolumeDir",
    "VolumeEntry",
    "now_ns",
]

S_IFDIR, S_IFREG, S_IFLNK = stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK

# What stays where it is for the life of the mount. The kernel may keep such a name
# as long as it likes.
FOREVER = 3600.0
# Whose the files are, and with mode 0644 the commands: who mounts.
OWNER = (os.geteuid(), os.getegid())


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


# One row for each family of files (facts: real procfs and sysfs of Linux 6.1 and 6.18).
# The root of the mount behaves as /proc does, but for read-only files, which refuse at
# open(), where a shell reports it.
TOP = Manners("top")
PROC = Manners("proc", open_write=0)
SYSFS = Manners("sysfs", create=errno.EACCES, mkdir=errno.EPERM, rename=errno.EPERM)


class Handle:
    """One open file. It owns its state; nothing is kept in the node.

    Most hold nothing: ``release`` is called only where ``needs_release`` says so,
    and ``flush`` only in a mount without the shim. A command is carried out at
    ``write``, where the shell sees its errno.
    """

    __slots__ = ()
    needs_release = False

    @property
    def pid(self) -> int:
        """Who opened it for writing, 0 if nobody did: whose signals count."""
        return 0

    def read(self, off: int, size: int) -> bytes:
        """Return at most *size* bytes from *off*; empty at the end."""
        raise TreeError(errno.EINVAL)

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        """Take *data*; return how much of it was taken."""
        raise TreeError(errno.EBADF)

    async def flush(self) -> None:
        return

    async def release(self) -> None:
        return


class PollHandle(Handle):
    """An open file that can tell poll(2) of a change: POLLPRI and POLLERR.

    Until it is asked again nobody knows, so whoever waits asks ``changed`` now and
    then; ``polled`` says it to the one who asked.
    """

    __slots__ = ()

    def changed(self) -> bool:
        """Whether there was a change that a poll would tell."""
        raise TreeError(errno.EINVAL)

    def polled(self) -> bool:
        """What a poll is told now."""
        return self.changed()


class Node:
    """Anything with a place in the generated part of the mount.

    Attributes:
        fresh_inode: True where a writer may be held for long: while one is, a
            LOOKUP by somebody else gets an inode number of its own, so that the
            second writer does not sit in the first one's kernel inode lock.
        entry_timeout: seconds the kernel may keep the name; 0 for what comes and
            goes.
        attr_timeout: seconds the kernel may keep the attributes; 0 where the size
            follows the model.
        manners: the row of ``Manners`` that refusals are taken from.
        ino: the adapter's: the inode number, 0 before the first lookup.
    """

    fresh_inode = False
    entry_timeout: float = FOREVER
    attr_timeout: float = 0.0
    manners: Manners = TOP
    ino = 0

    def attr(self) -> Attr:
        raise TreeError(errno.EIO, f"{type(self).__name__} has no attributes")

    def open(self, flags: int, caller: Caller) -> Handle:
        """Open for reading or writing.

        Raises:
            TreeError: EACCES and what else ``manners`` says.
        """
        raise TreeError(errno.EACCES)

    def readlink(self) -> bytes:
        raise TreeError(errno.EINVAL)


class Dir(Node):
    """A directory with a fixed set of children.

    A directory whose children come and go is a subclass that overrides
    ``lookup`` and ``entries`` and sets ``dynamic``: then the absence of a name is
    not cached, and the link count is 1, which find(1) takes as "unknown". The
    children that come and go have an ``entry_timeout`` of 0.
    """

    dynamic = False
    attr_timeout = FOREVER

    def __init__(
        self,
        children: Mapping[bytes, Node] | None = None,
        mode: int = 0o755,
        *,
        manners: Manners = TOP,
    ) -> None:
        self.mode = mode
        self.manners = manners
        self.born_ns = now_ns()
        self._children: dict[bytes, Node] = {}
        self._attr: Attr | None = None
        for name, node in (children or {}).items():
            self.add(name, node)

    def add(self, name: bytes, node: Node) -> None:
        """Hang *node* below this directory.

        Raises:
            ValueError: the name is taken, empty, or has a slash or a NUL.
        """
        if not name or b"/" in name or b"\0" in name or name in (b".", b".."):
            raise ValueError(f"not a file name: {name!r}")
        if name in self._children:
            raise ValueError(f"{name!r} is there twice")
        self._children[name] = node
        self._attr = None

    def lookup(self, name: bytes) -> Node | None:
        return self._children.get(name)

    def entries(self) -> list[tuple[bytes, Node]]:
        """All children, sorted by name: the order of readdir."""
        return sorted(self._children.items(), key=lambda item: item[0])

    def attr(self) -> Attr:
        nlink = 1
        if not self.dynamic:
            children = self._children.values()
            nlink = 2 + sum(isinstance(c, Dir | VolumeDir) for c in children)
        born = self.born_ns
        return Attr(
            S_IFDIR | self.mode,
            nlink=nlink,
            uid=OWNER[0],
            gid=OWNER[1],
            atime_ns=born,
            mtime_ns=born,
            ctime_ns=born,
        )


class Link(Node):
    """A symbolic link, usually relative."""

    attr_timeout = FOREVER

    def __init__(self, target: bytes | Callable[[], bytes]) -> None:
        self._target = target
        self.born_ns = now_ns()

    def readlink(self) -> bytes:
        return self._target if isinstance(self._target, bytes) else self._target()

    def attr(self) -> Attr:
        born = self.born_ns
        size = len(self.readlink())
        return Attr(S_IFLNK | 0o777, size, 1, *OWNER, born, born, born)


class TextHandle(PollHandle):
    """A rendering, taken at open and served from that snapshot.

    Reading offset 0 once more renders once more, as seq_file does after a
    rewind: monitors keep the descriptor and seek back.
    """

    __slots__ = ("_again", "_data", "_file", "_seen")

    def __init__(self, file: TextFile, data: bytes) -> None:
        self._file = file
        self._data = data
        self._again = False
        self._seen = file.poll_key()

    def changed(self) -> bool:
        """What poll(2) looks at is not what it was when this was read last."""
        return bool(self._file.poll_key() != self._seen)

    def read(self, off: int, size: int) -> bytes:
        if off == 0:
            if self._again:
                self._data = self._file.text()
            self._again = True
            self._seen = self._file.poll_key()
            if size >= len(self._data):
                return self._data
        return self._data[off : off + size]

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        raise TreeError(self._file.manners.write)


class TextFile(Node):
    """A file whose bytes are rendered from the model.

    Args:
        render: gives the whole content.
        mode: permission bits, without S_IFREG.
        version: changes (by ``!=``) whenever the rendering may; while it does not,
            the kept rendering is served. None: render every time.
        size: what stat shows, when it is not the length of the rendering (4096
            for attributes under sys/); stat then costs no rendering.
        manners: how refusals answer.

    Attributes:
        poll_key: differs when poll(2) has something to tell; None: it never has.
    """

    def __init__(
        self,
        render: Callable[[], bytes],
        mode: int = 0o444,
        version: Callable[[], object] | None = None,
        *,
        size: int | None = None,
        manners: Manners = TOP,
    ) -> None:
        self.poll_key: Callable[[], object] = lambda: None
        self.mode = mode
        self.manners = manners
        self._render = render
        self._version = version
        self._size = size
        self._kept = b""
        self._kept_version: object = _NEVER
        self._attr = self._attr_of(size or 0)

    def text(self) -> bytes:
        """The content now. Its time of change is when a difference was first seen."""
        version: object = _NEVER
        if self._version is not None:
            version = self._version()
            if version == self._kept_version:
                return self._kept
        data = self._render()
        if data != self._kept:
            self._kept = data
            self._attr = self._attr_of(len(data) if self._size is None else self._size)
        self._kept_version = version
        return self._kept

    def attr(self) -> Attr:
        """The same object as long as nothing changes."""
        if self._size is None:
            self.text()
        return self._attr

    def _attr_of(self, size: int) -> Attr:
        when = now_ns()
        return Attr(S_IFREG | self.mode, size, 1, *OWNER, when, when, when)

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        return TextHandle(self, b"" if _write_only(flags) else self.text())

    def _check(self, flags: int) -> None:
        """Root passes the permission bits, as ever; what has no method refuses."""
        if _writes(flags) and not self.mode & 0o222 and self.manners.open_write:
            raise TreeError(self.manners.open_write)
        if not _write_only(flags) and not self.mode & 0o444 and self.manners.open_read:
            raise TreeError(self.manners.open_read)


# Carries out one write; how many bytes of it were taken, None for all.
Store = Callable[[bytes, Caller, Interrupt], Awaitable[int | None]]


class ControlHandle(TextHandle):
    """An open control file: each write is one command, its offset is ignored."""

    __slots__ = ("_caller", "_store")

    def __init__(
        self, file: TextFile, data: bytes, store: Store, caller: Caller
    ) -> None:
        super().__init__(file, data)
        self._store = store
        self._caller = caller

    @property
    def pid(self) -> int:
        return self._caller.pid

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        if not data:
            return 0
        taken = await self._store(data, self._caller, interrupt)
        return len(data) if taken is None else taken


class ControlFile(TextFile):
    """A text file that takes commands.

    Args:
        store: carries out one write; an errno it raises is the writer's.
        render: None for a write-only file (mode 0200).
        fresh_inode: a command may hold its writer.
    """

    def __init__(
        self,
        render: Callable[[], bytes] | None,
        store: Store,
        mode: int = 0o644,
        version: Callable[[], object] | None = None,
        *,
        size: int | None = None,
        manners: Manners = TOP,
        fresh_inode: bool = False,
    ) -> None:
        super().__init__(
            render or (lambda: b""), mode, version, size=size, manners=manners
        )
        self._store = store
        self.fresh_inode = fresh_inode

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        data = b"" if _write_only(flags) else self.text()
        if not _writes(flags):
            return TextHandle(self, data)
        return ControlHandle(self, data, self._store, caller)


class VolumeDir(Node):
    """The directory at which the adapter continues in a volume."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume


def now_ns() -> int:
    """Time stamps of generated files: the host's clock, never the model's."""
    return time.time_ns()


def _writes(flags: int) -> bool:
    return flags & os.O_ACCMODE != os.O_RDONLY


def _write_only(flags: int) -> bool:
    return flags & os.O_ACCMODE == os.O_WRONLY


# Equal to no version, not even to itself in another file.
_NEVER = object()
