"""Extended attributes of a volume's files: which there may be.

Those of users (``user.``) and of administrators (``trusted.``); the kernel has
checked who may, and of which kinds of file. What other names mean (capabilities,
labels, access lists) a store of somebody else's cannot promise.
"""

from __future__ import annotations

import errno

from memfs.files.paged.store import XattrStore
from memfs.files.paged.table import InodeTable
from memfs.tree import TreeError

KINDS = b"user.", b"trusted."


class Xattrs:
    """Implements ``memfs.volume.Xattrs`` over a store."""

    def __init__(self, table: InodeTable, store: XattrStore) -> None:
        self._table = table
        self._store = store

    def get(self, ino: int, name: bytes) -> bytes:
        _check(name)
        return self._store.get(self._table.get(ino), name)

    def set(self, ino: int, name: bytes, value: bytes) -> None:
        _check(name)
        inode = self._table.get(ino)
        self._store.set(inode, name, value)
        inode.stamp()

    def names(self, ino: int) -> list[bytes]:
        found = self._store.names(self._table.get(ino))
        return [name for name in found if name.startswith(KINDS)]

    def remove(self, ino: int, name: bytes) -> None:
        _check(name)
        inode = self._table.get(ino)
        self._store.remove(inode, name)
        inode.stamp()


def _check(name: bytes) -> None:
    if name in KINDS:
        raise TreeError(errno.EINVAL, f"attribute {name!r} has no name of its own")
    if not name.startswith(KINDS):
        raise TreeError(errno.EOPNOTSUPP, f"no attribute {name!r} is kept")
