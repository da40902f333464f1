"""Extended attributes: a volume's files have them, generated ones have none.

Whatever is about security or access lists is answered before it comes here
(memfs/csrc/fuse_xattr.c).
"""

from __future__ import annotations

import errno

from memfs.handlers.base import Base
from memfs.handlers.wire import Ctx
from memfs.inodes import VOLUME_SHIFT
from memfs.tree import TreeError
from memfs.volume import Xattrs as Attributes


class Xattrs(Base):
    """Requests about extended attributes; the kernel has checked who may."""

    def _at(self, inode: int) -> tuple[Attributes, int]:
        """Those of the volume of an inode, and its own number.

        Raises:
            TreeError: EOPNOTSUPP for a generated node.
        """
        if not inode >> VOLUME_SHIFT:
            raise TreeError(errno.EOPNOTSUPP)
        volume, _, own = self.at(inode)
        return volume.xattrs, own

    async def getxattr(self, inode: int, name: bytes, ctx: Ctx) -> bytes:
        xattrs, own = self._at(inode)
        return xattrs.get(own, name)

    async def setxattr(self, inode: int, name: bytes, value: bytes, ctx: Ctx) -> None:
        xattrs, own = self._at(inode)
        xattrs.set(own, name, value)

    async def listxattr(self, inode: int, ctx: Ctx) -> list[bytes]:
        xattrs, own = self._at(inode)
        return xattrs.names(own)

    async def removexattr(self, inode: int, name: bytes, ctx: Ctx) -> None:
        xattrs, own = self._at(inode)
        xattrs.remove(own, name)
