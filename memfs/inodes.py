"""Inode numbers of the generated part of the mount, and who counts on them.

The kernel knows a node by a number from its LOOKUP until it says FORGET, and a
node keeps one number for its life. But where a writer may be held for long
(``Node.fresh_inode``) a second writer must not use the number of the first: it
would sit in the kernel's lock of that inode, where no signal reaches it. It is
sent back with ESTALE when it opens, on which the kernel walks the path once more
and believes no cached name; that walk gets a *private* number, given to it alone.
``memfs/fuse.py`` sends back one at a time, for each private number makes the name
stale that others are just looking up.

The children of a small directory are numbered together, in the order of their names
(a ``Run``). So their numbers are known before the children are made, which is when
somebody asks for more than the name of one. References to what was not made are not
counted, and need not be: what of a run is forgotten too early is made again.

What it is not: volumes number their own files; ``number`` and ``split`` say how
the two spaces share one.

Concurrency: one thread; nothing here waits.

Source: fs/namei.c do_filp_open() and fs/fuse/dir.c fuse_dentry_revalidate(),
Linux 6.1.
"""

from __future__ import annotations

from bisect import bisect_right

from memfs.tree import Attr, Dir, Names, Node, Volume, VolumeDir

ROOT = 1
VOLUME_SHIFT = 48
VOLUME_MASK = (1 << VOLUME_SHIFT) - 1
# Children of a directory that are numbered together, at most (chosen here).
RUN_MOST = 256


class Inode:
    """One number that the kernel knows.

    Attributes:
        lookups: references the kernel holds.
        writers: open handles that may write, of nodes with ``fresh_inode``.
        private: given to one walk alone, and never cached.
        attr, entry: the adapter's cache: the attributes last shown, and their form
            on the wire.
        given: of a directory: the names that were listed last with their entries.
        listed: the attributes last shown in a list that was answered at once.
    """

    __slots__ = (
        *("attr", "entry", "given", "ino", "listed", "lookups", "node"),
        *("private", "writers"),
    )

    def __init__(
        self, ino: int, node: Node, private: bool = False, lookups: int = 0
    ) -> None:
        self.ino = ino
        self.node = node
        self.private = private
        self.lookups = lookups
        self.writers = 0
        self.attr: object = None
        self.given: Names | None = None
        self.listed: Attr | None = None
        self.entry: object = None


class Run:
    """The numbers of a directory's children: that of the n-th name is first + n.

    Attributes:
        lookups: references that the kernel was given to each of them at once.
        asked: one of the names was looked up: whoever did that knows his way.
    """

    __slots__ = ("asked", "first", "lookups", "names", "where")

    def __init__(self, first: int, where: Dir, names: Names) -> None:
        self.first = first
        self.where = where
        self.names = names
        self.lookups = 0
        self.asked = False

    def number(self, name: bytes) -> int:
        """Of one of the names. Raises ValueError."""
        return self.first + self.names.index(name)

    def __contains__(self, ino: int) -> bool:
        return self.first <= ino < self.first + len(self.names)


class InodeTable:
    """Number to node, as long as the kernel or an open handle wants it."""

    def __init__(self, root: Dir) -> None:
        # Of a run those that somebody has asked for.
        self.by_ino: dict[int, Inode] = {}
        self.volumes: list[Volume] = []
        self._next = ROOT + 1
        # By directory; and by their first numbers, which ascend.
        self._run_of: dict[Dir, Run] = {}
        self._runs: list[Run] = []
        root.ino = ROOT
        self.by_ino[ROOT] = Inode(ROOT, root)

    def inode(self, ino: int) -> Inode:
        """The inode of a number. Raises KeyError: the kernel has forgotten it."""
        inode = self.by_ino.get(ino)
        if inode is None:
            run = self.run_with(ino)
            if run is None:
                raise KeyError(ino)
            node = run.where.once(run.names[ino - run.first])
            assert node is not None
            inode = self._enter_at(run, ino, node)
        return inode

    def _enter_at(self, run: Run, ino: int, node: Node) -> Inode:
        node.ino = ino
        return self._insert(Inode(ino, node, lookups=run.lookups))

    def enter(self, node: Node, where: Dir | None = None, name: bytes = b"") -> Inode:
        """The inode that a LOOKUP of *node* answers with. Counts no reference.

        Args:
            where, name: of what lies in a directory that may have a run.
        """
        if not node.ino:
            run = None if where is None else self.run_of(where)
            if run is not None and name in run.names:
                return self._enter_at(run, run.number(name), node)
            node.ino = self._reserve(1)
        inode = self.by_ino.get(node.ino)
        return inode or self._insert(Inode(node.ino, node))

    def enter_private(self, node: Node) -> Inode:
        """A number for one LOOKUP alone."""
        return self._insert(Inode(self._reserve(1), node, private=True))

    def run_of(self, where: Dir) -> Run | None:
        """The numbers of a directory's children, if they are numbered together."""
        run = self._run_of.get(where)
        if run is None and where.steady and not where.gone:
            names = where.names()
            if len(names) <= RUN_MOST:
                run = Run(self._reserve(len(names)), where, names)
                self._run_of[where] = run
                self._runs.append(run)
        return run

    def run_with(self, ino: int) -> Run | None:
        """The run that a number is in."""
        at = bisect_right(self._runs, ino, key=lambda run: run.first) - 1
        return self._runs[at] if at >= 0 and ino in self._runs[at] else None

    def refer(self, run: Run) -> None:
        """The kernel is given a reference to each of a run."""
        run.lookups += 1
        for ino in range(run.first, run.first + len(run.names)):
            if ino in self.by_ino:
                self.by_ino[ino].lookups += 1

    def forget(self, ino: int, nlookup: int) -> None:
        inode = self.by_ino.get(ino)
        if inode is None or ino == ROOT:
            return
        inode.lookups -= nlookup
        if inode.lookups <= 0 and not inode.writers:
            del self.by_ino[ino]

    def volume_root(self, node: VolumeDir) -> int:
        """The number of a volume's root; volumes are numbered as they are met."""
        if node.volume not in self.volumes:
            self.volumes.append(node.volume)
        return number(self.volumes.index(node.volume), 1)

    def _reserve(self, count: int) -> int:
        """The first of so many new numbers."""
        first = self._next
        self._next += count
        return first

    def _insert(self, inode: Inode) -> Inode:
        self.by_ino[inode.ino] = inode
        return inode


def number(volume: int, ino: int) -> int:
    """The mount's number of a volume's inode; volumes count from 0."""
    return volume + 1 << VOLUME_SHIFT | ino


def split(number: int) -> tuple[int, int]:
    """The index of a volume (-1: the generated part) and its own number."""
    return (number >> VOLUME_SHIFT) - 1, number & VOLUME_MASK
