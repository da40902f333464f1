"""Open directories: a list of a node's children, or a volume's own."""

from __future__ import annotations

from typing import Any

from memfs.handlers.base import Base
from memfs.handlers.wire import Ctx
from memfs.inodes import VOLUME_SHIFT
from memfs.tree import Volume, VolumeDir


class Directories(Base):
    """Requests about open directories."""

    async def opendir(self, inode: int, ctx: Ctx) -> int:
        self._next_fh += 2
        fh = self._next_fh
        if inode >> VOLUME_SHIFT:
            self._dirs[fh] = self.at(inode)
        else:
            node = self._dir(inode)
            if node.dynamic and self.listings is not None:
                await self.listings.begin(ctx.pid)
            self._dirs[fh] = [(b".", node), (b"..", node), *node.entries()]
            if node.dynamic and self.listings is not None:
                self.listings.begun(fh, ctx.pid)
        return fh

    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        opened = self._dirs[fh]
        if isinstance(opened, tuple):
            await self._readdir_volume(opened, start_id, token)
            return
        listed = self._wire.listed
        for cookie, (name, node) in enumerate(opened[start_id:], start_id + 1):
            if isinstance(node, VolumeDir):
                if not listed(token, name, self._volume_root(node), cookie):
                    return
                continue
            inode = self._inodes.enter(node)
            entry = inode.entry
            # What the kernel may not keep need not be new: it will ask again.
            if entry is None or node.attr_timeout:
                entry = self._wire.node_entry(inode)
            if not listed(token, name, entry, cookie):
                self._inodes.forget(inode.ino, 0)
                return
            # The two dots are no lookups.
            inode.lookups += cookie > 2

    async def _readdir_volume(
        self, opened: tuple[Volume, int, int], start: int, token: Any
    ) -> None:
        volume, index, own = opened
        for name, ino, attr, cookie in await self.volume(volume.readdir(own, start)):
            entry = self.made(volume, index, ino, attr)
            if not self._wire.listed(token, name, entry, cookie):
                break
            if name not in (b".", b".."):
                volume.remember(ino)

    async def releasedir(self, fh: int) -> None:
        del self._dirs[fh]
        if self.listings is not None:
            self.listings.end(fh)

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        opened = self._dirs[fh]
        if isinstance(opened, tuple):
            volume, _, own = opened
            await self.volume(volume.fsyncdir(own, datasync))
