"""Open directories: a list of a node's children, or a volume's own."""

from __future__ import annotations

from typing import Any

from memfs.handlers.base import Base, Listing
from memfs.handlers.wire import Ctx
from memfs.inodes import VOLUME_SHIFT, Inode
from memfs.tree import PAGE_SIZE, Dir, Node, Volume, VolumeDir


class Directories(Base):
    """Requests about open directories."""

    async def opendir(self, inode: int, ctx: Ctx) -> int:
        if inode >> VOLUME_SHIFT:
            return self._new(self.at(inode))
        node = self.dir_at(inode)
        if node.dynamic and self.listings is not None:
            await self.listings.begin(ctx.pid)
        return self.open_dir(node, ctx.pid)

    def listing_waits(self, node: Dir, pid: int) -> bool:
        """Whether who opens a directory has to wait for a change."""
        return node.dynamic and self.listings is not None and self.listings.waits(pid)

    def open_dir(self, node: Dir, pid: int) -> int:
        """Open a generated directory as it is now; its handle."""
        fh = self._new([(b".", node), (b"..", node), *node.entries()])
        if node.dynamic and self.listings is not None:
            self.listings.begun(fh, pid)
        return fh

    def _new(self, opened: Listing | tuple[Volume, int, int]) -> int:
        self._next_fh += 2
        self._dirs[self._next_fh] = opened
        return self._next_fh

    def listing(self, fh: int) -> Listing | None:
        """What is listed of an open directory; None: a volume's."""
        opened = self._dirs[fh]
        return None if isinstance(opened, tuple) else opened

    def keep_listing(self, ino: int, listed: bytes, end: int) -> None:
        """A small directory is listed at once until names change."""
        if len(listed) <= PAGE_SIZE:
            self._shim.list_keep(ino, listed, end)

    def entered(self, node: Node) -> Inode:
        """The inode of a node that is listed. Counts no reference."""
        return self._inodes.enter(node)

    def not_listed(self, inode: Inode) -> None:
        """It found no room, and nobody may know of it."""
        self._inodes.forget(inode.ino, 0)

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
            inode = self.entered(node)
            entry = inode.entry
            # What the kernel may not keep need not be new: it will ask again.
            if entry is None or node.attr_timeout:
                entry = self._wire.node_entry(inode)
            if not listed(token, name, entry, cookie):
                self.not_listed(inode)
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
        self.close_dir(fh)

    def close_dir(self, fh: int) -> None:
        """The end of an open directory."""
        del self._dirs[fh]
        if self.listings is not None:
            self.listings.end(fh)

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        opened = self._dirs[fh]
        if isinstance(opened, tuple):
            volume, _, own = opened
            await self.volume(volume.fsyncdir(own, datasync))
