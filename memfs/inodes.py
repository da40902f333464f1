"""Inode numbers of the generated part of the mount, and who counts on them.

The kernel knows a node by a number from its LOOKUP until it says FORGET, and a
node keeps one number for its life. But where a writer may be held for long
(``Node.fresh_inode``) a second writer must not use the number of the first: it
would sit in the kernel's lock of that inode, where no signal reaches it. It is
sent back with ESTALE when it opens, on which the kernel walks the path once more
and believes no cached name; that walk gets a *private* number, given to it alone.
``memfs/fuse.py`` sends back one at a time, for each private number makes the name
stale that others are just looking up.

What it is not: volumes number their own files; ``number`` and ``split`` say how
the two spaces share one.

Concurrency: one thread; nothing here waits.

Source: fs/namei.c do_filp_open() and fs/fuse/dir.c fuse_dentry_revalidate(),
Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from memfs.tree import Attr, Dir, Node, Volume, VolumeDir

ROOT = 1
VOLUME_SHIFT = 48
VOLUME_MASK = (1 << VOLUME_SHIFT) - 1


class Inode:
    """One number that the kernel knows.

    Attributes:
        lookups: references the kernel holds.
        writers: open handles that may write, of nodes with ``fresh_inode``.
        private: given to one walk alone, and never cached.
        attr, entry: the adapter's cache: the attributes last shown, and their form
            on the wire.
        bare: of a directory: what was listed last, and that list on the wire, names
            alone.
        listed: the attributes last shown in a list that was answered at once.
    """

    __slots__ = (
        *("attr", "bare", "entry", "ino", "listed", "lookups", "node"),
        *("private", "writers"),
    )

    def __init__(self, ino: int, node: Node, private: bool = False) -> None:
        self.ino = ino
        self.node = node
        self.private = private
        self.lookups = 0
        self.writers = 0
        self.attr: object = None
        self.bare: tuple[object, bytes] | None = None
        self.listed: Attr | None = None
        self.entry: object = None


class InodeTable:
    """Number to node, as long as the kernel or an open handle wants it."""

    def __init__(self, root: Dir) -> None:
        self.by_ino: dict[int, Inode] = {}
        self.volumes: list[Volume] = []
        self._numbers: Iterator[int] = count(ROOT + 1)
        root.ino = ROOT
        self.by_ino[ROOT] = Inode(ROOT, root)

    def enter(self, node: Node) -> Inode:
        """The inode that a LOOKUP of *node* answers with. Counts no reference."""
        if not node.ino:
            node.ino = next(self._numbers)
        inode = self.by_ino.get(node.ino)
        return inode or self._insert(Inode(node.ino, node))

    def enter_private(self, node: Node) -> Inode:
        """A number for one LOOKUP alone."""
        return self._insert(Inode(next(self._numbers), node, private=True))

    def forget(self, ino: int, nlookup: int) -> None:
        inode = self.by_ino.get(ino)
        if inode is None or ino == ROOT:
            return
        inode.lookups -= nlookup
        if inode.lookups <= 0:
            del self.by_ino[ino]

    def volume_root(self, node: VolumeDir) -> int:
        """The number of a volume's root; volumes are numbered as they are met."""
        if node.volume not in self.volumes:
            self.volumes.append(node.volume)
        return number(self.volumes.index(node.volume), 1)

    def _insert(self, inode: Inode) -> Inode:
        self.by_ino[inode.ino] = inode
        return inode


def number(volume: int, ino: int) -> int:
    """The mount's number of a volume's inode; volumes count from 0."""
    return volume + 1 << VOLUME_SHIFT | ino


def split(number: int) -> tuple[int, int]:
    """The index of a volume (-1: the generated part) and its own number."""
    return (number >> VOLUME_SHIFT) - 1, number & VOLUME_MASK
