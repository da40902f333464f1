"""What the handlers share: inode numbers, the volumes behind them, who waits."""

from __future__ import annotations

import contextlib
import errno
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from memfs.callers import Callers
from memfs.handlers.wire import Wire
from memfs.inodes import Inode, InodeTable, number, split
from memfs.listings import Listings
from memfs.shim import Shim
from memfs.tree import (
    REQUEST,
    Attr,
    Dir,
    Handle,
    Interrupt,
    Manners,
    Names,
    Node,
    TreeError,
    Volume,
    VolumeDir,
)
from memfs.turns import Gate

T = TypeVar("T")


@dataclass(slots=True)
class Listing:
    """A generated directory that is open.

    Attributes:
        where: the directory.
        names: in it, when it was opened.
        era: of ``Shim.era``, then.
    """

    where: Dir
    names: Names
    era: int


class Base:
    """The state of one mount's requests.

    Attributes:
        callers: the requests that wait, and whose signals end them.
        closing: the mount is about to end: no command is taken any more.
        pollers: through what those are woken who wait in poll(2), by handle.
        on_poller: called when there is one more.
        listings: told of directories whose names come and go; None: nobody cares.

    Handle numbers of generated files are odd, volumes' are even: the shim keeps the
    short way for those.
    """

    def __init__(
        self, root: Dir, wire: Wire, shim: Shim, make_gate: Callable[[], Gate]
    ) -> None:
        self.callers = Callers(shim)
        self.closing = False
        self.pollers: dict[int, Any] = {}
        self.on_poller: Callable[[], None] = lambda: None
        self.listings: Listings | None = None
        self._wire = wire
        self._shim = shim
        self._make_gate = make_gate
        self._inodes = InodeTable(root)
        self._handles: dict[int, Handle] = {}
        self._writers: dict[int, Inode] = {}
        self._gates: dict[Node, Gate] = {}
        self._open: dict[int, tuple[Volume, int]] = {}
        self._dirs: dict[int, Listing | tuple[Volume, int, int]] = {}
        self._next_fh = 2

    @property
    def volumes(self) -> list[Volume]:
        """The volumes that the kernel has seen, in the order of their numbers."""
        return self._inodes.volumes

    def at(self, ino: int) -> tuple[Volume, int, int]:
        """The volume, its index and its own number for *ino*; not of a node."""
        index, own = split(ino)
        return self._inodes.volumes[index], index, own

    def opened(self, fh: int) -> tuple[Volume, int] | None:
        """The volume of an open file of one, and its own handle."""
        return self._open.get(fh)

    def manners(self, ino: int) -> Manners:
        return self.inode(ino).node.manners

    def made(self, volume: Volume, index: int, ino: int, attr: Attr) -> Any:
        """The entry of a volume's inode."""
        return self._wire.volume_entry(volume, number(index, ino), attr)

    def volume(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """A volume's request. Only a fatal signal ends it."""
        interrupt = REQUEST.get()
        if interrupt is None or interrupt.is_set():
            interrupt = Interrupt()
            REQUEST.set(interrupt)
        return self.callers.attend(work, interrupt, 0, True)

    def _volume_root(self, node: VolumeDir) -> Any:
        index, ino = split(self._inodes.volume_root(node))
        node.volume.stale = functools.partial(self._stale, index)
        attr = node.volume.getattr(ino)
        return self.made(node.volume, index, ino, attr)

    def _stale(self, index: int, ino: int) -> None:
        """Have the kernel ask for the attributes of a volume's inode again."""
        # Without the shim it believes the old ones until they time out.
        with contextlib.suppress(OSError):
            self._shim.invalidate(number(index, ino), -1, 0)

    def inode(self, ino: int) -> Inode:
        """The inode of a generated node by its number."""
        return self._inodes.inode(ino)

    def is_known(self, ino: int) -> bool:
        """Whether somebody has asked for more of a number than its name."""
        return ino in self._inodes.by_ino

    def there(self, ino: int) -> Dir:
        """The generated directory of a number.

        Raises:
            TreeError: ENOTDIR; ENOENT, its own name has gone: it has none in it.
        """
        node = self.inode(ino).node
        if not isinstance(node, Dir):
            raise TreeError(errno.ENOTDIR)
        if node.gone:
            raise TreeError(errno.ENOENT)
        return node

    def _gate(self, node: Node) -> Gate:
        gate = self._gates.get(node)
        if gate is None:
            gate = self._gates[node] = self._make_gate()
        return gate
