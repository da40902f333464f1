"""Which inode has which number, and when it may be forgotten.

A number is the store's where that is known (so it is the same after a remount, as
tar, rsync and git want it), else one from a range of its own. A number that the
kernel still holds for something removed is not given to something new.
"""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Iterator

from memfs.files.paged.inode import Directory, File, Inode
from memfs.tree import TreeError

ROOT_INO = 1
# Numbers of the store lie below this; those made here from it on (below 2**48).
FIRST_OWN = 1 << 47
# Inodes that nobody refers to, kept for their pages; chosen here.
KEEP_IDLE = 16384
LOOK_AT = 32


class InodeTable:
    """Inodes by number and by the store's key."""

    __slots__ = ("_alias", "_keys", "_next", "_numbers", "_unused", "keep_idle")

    def __init__(self) -> None:
        self._numbers: dict[int, Inode] = {}
        self._keys: dict[object, Inode] = {}
        self._alias: dict[object, int] = {}  # keys whose number was made here
        self._unused: OrderedDict[Inode, None] = OrderedDict()
        self._next = FIRST_OWN
        self.keep_idle = KEEP_IDLE

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, inode: Inode) -> bool:
        return self._numbers.get(inode.ino) is inode

    def __iter__(self) -> Iterator[Inode]:
        return iter(list(self._numbers.values()))

    def get(self, ino: int) -> Inode:
        """Raises TreeError(ESTALE) for a number that is not known."""
        try:
            return self._numbers[ino]
        except KeyError:
            raise TreeError(errno.ESTALE, f"no inode {ino}") from None

    def directory(self, ino: int) -> Directory:
        inode = self.get(ino)
        if not isinstance(inode, Directory):
            raise TreeError(errno.ENOTDIR)
        return inode

    def file(self, ino: int) -> File:
        inode = self.get(ino)
        if isinstance(inode, File):
            return inode
        raise TreeError(errno.EISDIR if isinstance(inode, Directory) else errno.EINVAL)

    def by_key(self, key: object) -> Inode | None:
        return self._keys.get(key)

    def number_for(self, key: object, wanted: int) -> int:
        """A number for *key*: *wanted* if it is fit and free."""
        number = self._alias.get(key)
        if number is not None:
            return number
        if ROOT_INO < wanted < FIRST_OWN and wanted not in self._numbers:
            return wanted
        number = self.fresh()
        self._alias[key] = number
        return number

    def fresh(self) -> int:
        """A number of this table's own range."""
        number = self._next
        self._next += 1
        return number

    def add(self, inode: Inode, key: object = None) -> None:
        """Enter *inode*, which nobody refers to yet."""
        inode.key = key
        self._numbers[inode.ino] = inode
        if key is not None:
            self._keys[key] = inode
        self._unused[inode] = None

    def hold(self, inode: Inode) -> None:
        """The kernel got a reference."""
        inode.nlookup += 1
        if inode.nlookup == 1:
            self._unused.pop(inode, None)

    def release(self, inode: Inode, nlookup: int) -> None:
        """The kernel gave *nlookup* references back."""
        inode.nlookup = max(inode.nlookup - nlookup, 0)
        if inode.nlookup == 0 and inode.ino != ROOT_INO:
            self._unused[inode] = None

    def unkey(self, inode: Inode) -> None:
        """The last name is gone: the store may give the key to something new."""
        if inode.key is not None and self._keys.get(inode.key) is inode:
            del self._keys[inode.key]
            self._alias.pop(inode.key, None)

    def remove(self, inode: Inode) -> None:
        """Forget *inode*. Its names must be gone or be forgotten with it."""
        self._unused.pop(inode, None)
        self._numbers.pop(inode.ino)
        if inode.key is not None and self._keys.get(inode.key) is inode:
            del self._keys[inode.key]

    @property
    def crowded(self) -> bool:
        """There are more inodes that nobody refers to than are kept."""
        return len(self._unused) > self.keep_idle

    def surplus(self) -> Inode | None:
        """An unreferenced inode to forget, None when there are few enough.

        One that is in use after all (dirty, open) goes to the end of the queue;
        a few are looked at in a call.
        """
        for _ in range(min(len(self._unused) - self.keep_idle, LOOK_AT)):
            inode, _none = self._unused.popitem(last=False)
            if inode.idle():
                return inode
            self._unused[inode] = None
        return None
