"""The nodes of the generated tree: directories, links, and what opening one gives.

A node answers for itself: what it is (``attr``), what opening it means
(``open``), what lies below it (``lookup``, ``entries``). Files with a text are in
``memfs/textfile.py``.

Concurrency: one thread. Whatever is not ``async`` here is atomic; the ``async``
methods may wait, and while they do any other node may be asked anything.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping

from memfs.manners import TOP, Manners
from memfs.request import Attr, Caller, Interrupt, TreeError
from memfs.volume import Volume

# What stays where it is for the life of the mount. The kernel may keep such a name
# as long as it likes.
FOREVER = 3600.0
# Whose the files are, and with mode 0644 the commands: who mounts.
OWNER = (os.geteuid(), os.getegid())


def now_ns() -> int:
    """Time stamps of generated files: the host's clock, never the model's."""
    return time.time_ns()


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
        steady: what it shows is the same until the adapter is told that names or
            states have changed (``Session.forget_kept``).
        manners: the row of ``Manners`` that refusals are taken from.
        ino: the adapter's: the inode number, 0 before the first lookup.
    """

    fresh_inode = False
    entry_timeout: float = FOREVER
    attr_timeout: float = 0.0
    steady = False
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


class Names(tuple[bytes, ...]):
    """The names in a directory, sorted: the order of readdir.

    Directories whose children have the same names and look alike may share one.

    Attributes:
        lists: the adapter's: how they are listed.
    """

    lists: object = None


class Dir(Node):
    """A directory with a fixed set of children.

    A directory whose children come and go is a subclass that overrides
    ``lookup`` and ``names`` and sets ``dynamic``: then the absence of a name is
    not cached, and the link count is 1, which find(1) takes as "unknown". The
    children that come and go have an ``entry_timeout`` of 0.

    Attributes:
        gone: its own name has gone, for now.
    """

    dynamic = False
    attr_timeout = FOREVER
    gone = False

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

    def once(self, name: bytes) -> Node | None:
        """What has a name, or had it before that went."""
        return self._children.get(name)

    def ahead(self, name: bytes) -> Iterable[tuple[Dir, bytes]]:
        """What files of this name, which is steady, show in directories like this.

        Only of some, to which whoever opens one here may come next.
        """
        return ()

    def names(self) -> Names:
        """The names of all children."""
        return Names(sorted(self._children))

    def entries(self) -> list[tuple[bytes, Node]]:
        """All children, sorted by name."""
        found = ((name, self.lookup(name)) for name in self.names())
        return [(name, node) for name, node in found if node is not None]

    def attr(self) -> Attr:
        if self._attr is None:
            nlink = 1
            if not self.dynamic:
                nlink = 2 + self._nr_directories()
            mode, born = stat.S_IFDIR | self.mode, self.born_ns
            self._attr = Attr(mode, 0, nlink, *OWNER, born, born, born)
        return self._attr

    def _nr_directories(self) -> int:
        children = self._children.values()
        return sum(isinstance(child, Dir | VolumeDir) for child in children)


class Link(Node):
    """A symbolic link, usually relative."""

    attr_timeout = FOREVER

    def __init__(self, target: bytes | Callable[[], bytes]) -> None:
        self._target = target
        self.born_ns = now_ns()
        self._attr: Attr | None = None

    def readlink(self) -> bytes:
        return self._target if isinstance(self._target, bytes) else self._target()

    def attr(self) -> Attr:
        size = len(self.readlink())
        if self._attr is None or self._attr.size != size:
            mode, born = stat.S_IFLNK | 0o777, self.born_ns
            self._attr = Attr(mode, size, 1, *OWNER, born, born, born)
        return self._attr


class VolumeDir(Node):
    """The directory at which the adapter continues in a volume."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
