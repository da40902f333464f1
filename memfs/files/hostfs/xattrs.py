"""Extended attributes of files/ are those of the host's files."""

from __future__ import annotations

import os
from collections.abc import Callable

from memfs.files.paged.inode import Inode

# A descriptor, or a path whose last link is not followed.
Place = int | bytes


class HostXattrs:
    """Implements ``memfs.files.paged.store.XattrStore``.

    What the host answers is what the caller gets, EOPNOTSUPP where the host's file
    system has no attributes included.

    Args:
        place: where the host has an inode.
    """

    def __init__(self, place: Callable[[Inode], Place]) -> None:
        self._place = place

    def get(self, inode: Inode, name: bytes) -> bytes:
        place = self._place(inode)
        return os.getxattr(place, name, follow_symlinks=_follows(place))

    def set(self, inode: Inode, name: bytes, value: bytes) -> None:
        place = self._place(inode)
        os.setxattr(place, name, value, follow_symlinks=_follows(place))

    def names(self, inode: Inode) -> list[bytes]:
        place = self._place(inode)
        names = os.listxattr(place, follow_symlinks=_follows(place))
        return [os.fsencode(name) for name in names]

    def remove(self, inode: Inode, name: bytes) -> None:
        place = self._place(inode)
        os.removexattr(place, name, follow_symlinks=_follows(place))


def _follows(place: Place) -> bool:
    return isinstance(place, int)
