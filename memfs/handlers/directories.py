"""Open directories: a list of a node's children, or a volume's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memfs.handlers.base import Base, Listing
from memfs.handlers.wire import Ctx
from memfs.inodes import VOLUME_SHIFT, Inode, Run
from memfs.tree import PAGE_SIZE, Dir, Node, Volume, VolumeDir

# What begins every list, with the first cookies.
DOTS = b".", b".."


class Directories(Base):
    """Requests about open directories."""

    async def opendir(self, inode: int, ctx: Ctx) -> int:
        if inode >> VOLUME_SHIFT:
            return self._new(self.at(inode))
        node = self.there(inode)
        if node.dynamic and self.listings is not None:
            await self.listings.begin(ctx.pid, inode)
        return self.open_dir(node, inode, ctx.pid)

    def listing_waits(self, node: Dir, ino: int, pid: int) -> bool:
        """Whether who opens a directory has to wait for a change."""
        return (
            node.dynamic and self.listings is not None and self.listings.waits(pid, ino)
        )

    def open_dir(self, node: Dir, ino: int, pid: int) -> int:
        """Open a generated directory as it is now; its handle."""
        fh = self._new(Listing(node, node.names(), self._shim.era))
        if node.dynamic and self.listings is not None:
            self.listings.begun(fh, pid, ino)
        return fh

    def _new(self, opened: Listing | tuple[Volume, int, int]) -> int:
        self._next_fh += 2
        self._dirs[self._next_fh] = opened
        return self._next_fh

    def listing(self, fh: int) -> Listing | None:
        """What is listed of an open directory; None: a volume's."""
        opened = self._dirs[fh]
        return None if isinstance(opened, tuple) else opened

    def is_new(self, listing: Listing) -> bool:
        """Whether no name has come or gone since the directory was opened."""
        return listing.era == self._shim.era

    def run_of(self, where: Dir) -> Run | None:
        """The numbers of all that a directory has now, if they follow each other."""
        run = self._inodes.run_of(where)
        return run if run is not None and run.names == where.names() else None

    def keep_listing(self, ino: int, listed: bytes, end: int) -> None:
        """A small directory is listed at once until names change."""
        if len(listed) <= PAGE_SIZE:
            self._shim.list_keep(ino, listed, end)

    def refer(self, run: Run) -> None:
        """All of a directory is listed: a reference to each."""
        self._inodes.refer(run)

    def still_there(
        self, listing: Listing, start: int
    ) -> Iterator[tuple[int, bytes, Node]]:
        """Cookie, name and node of what is listed from cookie *start* on.

        Names that have gone since the directory was opened are left out: the kernel
        has been told of them once, and would remember them from now on. A directory
        whose own name has gone is empty.
        """
        where = listing.where
        names = DOTS if where.gone else (*DOTS, *listing.names)
        for cookie, name in enumerate(names[start:], start + 1):
            node = where if name in DOTS else where.lookup(name)
            if node is not None:
                yield cookie, name, node

    def entered(self, listing: Listing, name: bytes, node: Node) -> Inode:
        """The inode of a node that is listed. Counts no reference."""
        return self._inodes.enter(node, listing.where, name)

    def not_listed(self, inode: Inode) -> None:
        """It found no room, and nobody may know of it."""
        self._inodes.forget(inode.ino, 0)

    async def readdir(self, fh: int, start_id: int, token: Any) -> None:
        opened = self._dirs[fh]
        if isinstance(opened, tuple):
            await self._readdir_volume(opened, start_id, token)
            return
        listed = self._wire.listed
        for cookie, name, node in self.still_there(opened, start_id):
            if isinstance(node, VolumeDir):
                if not listed(token, name, self._volume_root(node), cookie):
                    return
                continue
            inode = self.entered(opened, name, node)
            entry = inode.entry
            # What the kernel may not keep need not be new: it will ask again.
            if entry is None or node.attr_timeout:
                entry = self._wire.node_entry(inode)
            if not listed(token, name, entry, cookie):
                self.not_listed(inode)
                return
            # The two dots are no lookups.
            inode.lookups += name not in DOTS

    async def _readdir_volume(
        self, opened: tuple[Volume, int, int], start: int, token: Any
    ) -> None:
        volume, index, own = opened
        for name, ino, attr, cookie in await self.volume(volume.readdir(own, start)):
            entry = self.made(volume, index, ino, attr)
            if not self._wire.listed(token, name, entry, cookie):
                break
            if name not in DOTS:
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
