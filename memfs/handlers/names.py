"""Names and attributes: LOOKUP, GETATTR, and whatever makes or takes away a name."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

from memfs.handlers.base import Base
from memfs.handlers.wire import Ctx, caller_of
from memfs.inodes import ROOT, VOLUME_SHIFT, Inode, number, split
from memfs.tree import Dir, Node, StatFs, TreeError, VolumeDir


def _maker(what: str) -> Any:
    """The handler of a request that makes a name: (parent, name, ..., ctx)."""

    async def make(ops: Base, parent: int, name: bytes, *args: Any) -> Any:
        if not parent >> VOLUME_SHIFT:
            raise TreeError(getattr(ops.manners(parent), what))
        volume, index, own = ops.at(parent)
        made = getattr(volume, what)(own, name, *args[:-1], caller_of(args[-1]))
        return ops.made(volume, index, *await ops.volume(made))

    return make


def _remover(what: str) -> Any:
    """The handler of a request that takes a name away: (parent, name, ctx)."""

    async def remove(ops: Base, parent: int, name: bytes, ctx: Ctx) -> None:
        if not parent >> VOLUME_SHIFT:
            raise TreeError(getattr(ops.manners(parent), what))
        volume, _, own = ops.at(parent)
        await ops.volume(getattr(volume, what)(own, name))

    return remove


class Names(Base):
    """Requests about names. Most are for a volume or are refused by manners."""

    async def lookup(self, parent_inode: int, name: bytes, ctx: Ctx) -> Any:
        if parent_inode >> VOLUME_SHIFT:
            volume, index, own = self.at(parent_inode)
            found = await self.volume(volume.lookup(own, name))
            return self.made(volume, index, *found)
        where = self.there(parent_inode)
        node = self.child(where, name)
        if node is None:
            return self._wire.absent()
        if isinstance(node, VolumeDir):
            return self._volume_root(node)
        inode = self.looked_up(where, name, node, ctx.pid)
        entry = self._wire.node_entry(inode)
        inode.lookups += 1
        return entry

    def child(self, where: Dir, name: bytes) -> Node | None:
        """What a generated directory has by a name; None: that may be remembered.

        Raises:
            TreeError: ENOENT, for now.
        """
        node = where.lookup(name)
        if node is None and where.dynamic:
            raise TreeError(errno.ENOENT)
        return node

    def looked_up(self, where: Dir, name: bytes, node: Node, pid: int) -> Inode:
        """The inode that a LOOKUP by a thread answers with. Counts no reference."""
        gate = self._gates.get(node)
        if gate is not None and gate.expects(pid):
            return self._inodes.enter_private(node)
        run = self._inodes.run_of(where)
        if run is not None:
            run.asked = True
        return self._inodes.enter(node, where, name)

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        for ino, nlookup in inode_list:
            if not ino >> VOLUME_SHIFT:
                self._inodes.forget(ino, nlookup)
                continue
            volume, _, own = self.at(ino)
            if own != ROOT:
                volume.forget(own, nlookup)

    async def getattr(self, inode: int, ctx: Ctx) -> Any:
        if not inode >> VOLUME_SHIFT:
            return self._wire.node_entry(self.inode(inode))
        volume, index, own = self.at(inode)
        return self.made(volume, index, own, volume.getattr(own))

    async def setattr(
        self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: Ctx
    ) -> Any:
        if not inode >> VOLUME_SHIFT:
            return self._pretend(self.inode(inode))
        volume, index, own = self.at(inode)
        changed = {
            name: getattr(attr, "st_" + name)
            for name in ("mode", "uid", "gid", "size")
            if getattr(fields, "update_" + name)
        }
        for name in ("atime", "mtime"):
            if getattr(fields, "update_" + name):
                changed[name + "_ns"] = getattr(attr, f"st_{name}_ns")
        own_fh = self._open[fh][1] if fh in self._open else None
        seen = await self.volume(volume.setattr(own, **changed, fh=own_fh))
        return self.made(volume, index, own, seen)

    def _pretend(self, inode: Inode) -> Any:
        """Truncation, chmod and utime of a generated node have no effect."""
        if inode.node.manners.setattr:
            raise TreeError(inode.node.manners.setattr)
        return self._wire.node_entry(inode)

    async def readlink(self, inode: int, ctx: Ctx) -> bytes:
        if not inode >> VOLUME_SHIFT:
            return self.inode(inode).node.readlink()
        volume, _, own = self.at(inode)
        return await self.volume(volume.readlink(own))

    async def statfs(self, ctx: Ctx) -> Any:
        """Of the volume that is asked about; the generated part has no space."""
        index, _ = split(self._shim.statfs_ino() or number(0, ROOT))
        seen = StatFs()
        if 0 <= index < len(self._inodes.volumes):
            seen = await self.volume(self._inodes.volumes[index].statfs())
        return self._wire.statfs(seen)

    # Names that are changed.

    mkdir = _maker("mkdir")
    mknod = _maker("mknod")
    symlink = _maker("symlink")
    unlink = _remover("unlink")
    rmdir = _remover("rmdir")

    async def link(
        self, inode: int, new_parent_inode: int, new_name: bytes, ctx: Ctx
    ) -> Any:
        if not new_parent_inode >> VOLUME_SHIFT:
            raise TreeError(self.manners(new_parent_inode).link)
        volume, index, parent = self.at(new_parent_inode)
        source, own = split(inode)
        if source != index:
            raise TreeError(errno.EXDEV)
        made = await self.volume(volume.link(own, parent, new_name))
        return self.made(volume, index, *made)

    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: Ctx,
    ) -> None:
        if not parent_inode_old >> VOLUME_SHIFT:
            raise TreeError(self.manners(parent_inode_old).rename)
        volume, index, old = self.at(parent_inode_old)
        target, new = split(parent_inode_new)
        if target != index:
            raise TreeError(errno.EXDEV)
        await self.volume(volume.rename(old, name_old, new, name_new, flags))
