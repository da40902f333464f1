"""What each request of the kernel is answered with, from a tree and its volumes.

One method a request, with the name and arguments of ``pyfuse3.Operations``; each
raises TreeError, or anything with an errno. Below a ``VolumeDir`` a request goes to
the volume, else it is answered from the node, and a name that is to be made or
taken away is refused as the directory's ``Manners`` say.

What it is not: it imports no pyfuse3. What goes over the wire is made by a ``Wire``
(memfs/fuse.py has the real one), so all of this can be tested without a kernel.

Concurrency: one thread. The handlers of generated nodes run from request to answer
without waiting, but for ``write``, and ``open`` for writing: so each is atomic.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import select
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from memfs.callers import Callers
from memfs.inodes import ROOT, VOLUME_SHIFT, Inode, InodeTable, number, split
from memfs.shim import Shim
from memfs.tree import (
    REQUEST,
    Attr,
    Buffer,
    Caller,
    Dir,
    Handle,
    Interrupt,
    Manners,
    Node,
    PollHandle,
    StatFs,
    TreeError,
    Volume,
    VolumeDir,
)
from memfs.turns import Gate

T = TypeVar("T")

# What poll(2) is told of any file, and of one with news.
READY = select.POLLIN | select.POLLOUT | select.POLLRDNORM | select.POLLWRNORM
TOLD = select.POLLERR | select.POLLPRI


class Ctx(Protocol):
    """Who sent a request."""

    @property
    def pid(self) -> int: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def umask(self) -> int: ...


class Wire(Protocol):
    """Makes what pyfuse3 sends. Entries and the like are opaque here."""

    def node_entry(self, inode: Inode) -> Any: ...
    def volume_entry(self, volume: Volume, ino: int, attr: Attr) -> Any: ...
    def absent(self) -> Any: ...
    def opened(self, fh: int) -> Any: ...
    def statfs(self, seen: StatFs) -> Any: ...
    def listed(self, token: Any, name: bytes, entry: Any, cookie: int) -> bool: ...


def _caller(ctx: Ctx) -> Caller:
    return Caller(ctx.pid, ctx.uid, ctx.gid, ctx.umask)


def _maker(what: str) -> Any:
    """The handler of a request that makes a name: (parent, name, ..., ctx)."""

    async def make(ops: Handlers, parent: int, name: bytes, *args: Any) -> Any:
        if not parent >> VOLUME_SHIFT:
            raise TreeError(getattr(ops.manners(parent), what))
        volume, index, own = ops.at(parent)
        made = getattr(volume, what)(own, name, *args[:-1], _caller(args[-1]))
        return ops.made(volume, index, *await ops.volume(made))

    return make


def _remover(what: str) -> Any:
    """The handler of a request that takes a name away: (parent, name, ctx)."""

    async def remove(ops: Handlers, parent: int, name: bytes, ctx: Ctx) -> None:
        if not parent >> VOLUME_SHIFT:
            raise TreeError(getattr(ops.manners(parent), what))
        volume, _, own = ops.at(parent)
        await ops.volume(getattr(volume, what)(own, name))

    return remove


class Handlers:
    """The requests of one mount.

    Attributes:
        callers: the requests that wait, and whose signals end them.
        closing: the mount is about to end: no command is taken any more.
        pollers: through what those are woken who wait in poll(2), by handle.
        on_poller: called when there is one more.

    Handle numbers of generated files are odd, volumes' are even: the shim keeps the
    short way for those.
    """

    def __init__(
        self, root: Dir, wire: Wire, shim: Shim, make_gate: Callable[[], Gate]
    ) -> None:
        self.callers = Callers(shim)
        self.closing = False
        self.pollers: dict[int, Any] = {}
        self.on_poller: Callable[[], None] = lambda: None
        self._wire = wire
        self._shim = shim
        self._make_gate = make_gate
        self._inodes = InodeTable(root)
        self._handles: dict[int, Handle] = {}
        self._writers: dict[int, Inode] = {}
        self._gates: dict[Node, Gate] = {}
        self._open: dict[int, tuple[Volume, int]] = {}
        self._dirs: dict[int, list[tuple[bytes, Node]] | tuple[Volume, int, int]] = {}
        self._next_fh = 2

    # --------------------------------------------------------- numbers, waiting

    @property
    def volumes(self) -> list[Volume]:
        """The volumes that the kernel has seen, in the order of their numbers."""
        return self._inodes.volumes

    def at(self, ino: int) -> tuple[Volume, int, int]:
        """The volume, its index and its own number for *ino*; not of a node."""
        index, own = split(ino)
        return self._inodes.volumes[index], index, own

    def manners(self, ino: int) -> Manners:
        return self._inodes.by_ino[ino].node.manners

    def made(self, volume: Volume, index: int, ino: int, attr: Attr) -> Any:
        """The entry of a volume's inode."""
        return self._wire.volume_entry(volume, number(index, ino), attr)

    def volume(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """A volume's request. Only a fatal signal ends it."""
        interrupt = REQUEST.get()
        if interrupt is None or interrupt.is_set():
            interrupt = Interrupt()
            REQUEST.set(interrupt)
        return self.callers.attend(work, interrupt, 0, True)

    def _volume_root(self, node: VolumeDir) -> Any:
        index, ino = split(self._inodes.volume_root(node))
        node.volume.stale = functools.partial(self._stale, index)
        attr = node.volume.getattr(ino)
        return self.made(node.volume, index, ino, attr)

    def _stale(self, index: int, ino: int) -> None:
        """Have the kernel ask for the attributes of a volume's inode again."""
        # Without the shim it believes the old ones until they time out.
        with contextlib.suppress(OSError):
            self._shim.invalidate(number(index, ino), -1, 0)

    def _dir(self, ino: int) -> Dir:
        node = self._inodes.by_ino[ino].node
        if not isinstance(node, Dir):
            raise TreeError(errno.ENOTDIR)
        return node

    def _gate(self, node: Node) -> Gate:
        gate = self._gates.get(node)
        if gate is None:
            gate = self._gates[node] = self._make_gate()
        return gate

    # ------------------------------------------------------- names, attributes

    async def lookup(self, parent_inode: int, name: bytes, ctx: Ctx) -> Any:
        if parent_inode >> VOLUME_SHIFT:
            volume, index, own = self.at(parent_inode)
            found = await self.volume(volume.lookup(own, name))
            return self.made(volume, index, *found)
        parent = self._dir(parent_inode)
        node = parent.lookup(name)
        if node is None:
            if parent.dynamic:
                raise TreeError(errno.ENOENT)
            return self._wire.absent()
        if isinstance(node, VolumeDir):
            return self._volume_root(node)
        if node.fresh_inode and self._gate(node).expects(ctx.pid):
            inode = self._inodes.enter_private(node)
        else:
            inode = self._inodes.enter(node)
        entry = self._wire.node_entry(inode)
        inode.lookups += 1
        return entry

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
            return self._wire.node_entry(self._inodes.by_ino[inode])
        volume, index, own = self.at(inode)
        return self.made(volume, index, own, volume.getattr(own))

    async def setattr(
        self, inode: int, attr: Any, fields: Any, fh: int | None, ctx: Ctx
    ) -> Any:
        if not inode >> VOLUME_SHIFT:
            return self._pretend(self._inodes.by_ino[inode])
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
            return self._inodes.by_ino[inode].node.readlink()
        volume, _, own = self.at(inode)
        return await self.volume(volume.readlink(own))

    async def statfs(self, ctx: Ctx) -> Any:
        """Of the volume that is asked about; the generated part has no space."""
        index, _ = split(self._shim.statfs_ino() or number(0, ROOT))
        seen = StatFs()
        if 0 <= index < len(self._inodes.volumes):
            seen = await self.volume(self._inodes.volumes[index].statfs())
        return self._wire.statfs(seen)

    # --------------------------------------------------- names that are changed

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

    # -------------------------------------------------------------------- files

    async def open(self, inode: int, flags: int, ctx: Ctx) -> Any:
        if inode >> VOLUME_SHIFT:
            volume, _, own = self.at(inode)
            opened = await self.volume(volume.open(own, flags, _caller(ctx)))
            return self._opened(volume, opened)
        known = self._inodes.by_ino[inode]
        writes = known.node.fresh_inode and flags & os.O_ACCMODE
        if writes:
            await self._gate(known.node).pass_through(known, ctx.pid)
        self._next_fh += 2
        fh = self._next_fh | 1
        self._handles[fh] = known.node.open(flags, _caller(ctx))
        if writes:
            self._writers[fh] = known
            known.writers += 1
        return self._wire.opened(fh)

    async def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: Ctx
    ) -> tuple[Any, Any]:
        if not parent_inode >> VOLUME_SHIFT:
            raise TreeError(self.manners(parent_inode).create)
        volume, index, own = self.at(parent_inode)
        made = volume.create(own, name, mode, flags, _caller(ctx))
        ino, attr, opened = await self.volume(made)
        return self._opened(volume, opened), self.made(volume, index, ino, attr)

    def _opened(self, volume: Volume, fh: int) -> Any:
        self._next_fh += 2
        self._open[self._next_fh] = volume, fh
        lane = volume.lane(fh)
        if lane is not None:
            self._shim.bind(self._next_fh, lane)
        return self._wire.opened(self._next_fh)

    async def read(self, fh: int, off: int, size: int) -> Buffer:
        if fh & 1:
            return self._handles[fh].read(off, size)
        volume, own = self._open[fh]
        cached = self._shim.fills(off, size)
        return await self.volume(volume.read(own, off, size, cached))

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        if fh & 1:
            return await self._command(self._handles[fh], off, buf)
        volume, own = self._open[fh]
        cached, kills = self._shim.empties(), self._shim.kills()
        return await self.volume(volume.write(own, off, buf, cached, kills))

    async def _command(self, handle: Handle, off: int, buf: bytes) -> int:
        """One write to a control file; any signal to its writer ends it.

        At the end of the mount it is not EINTR, on which many a program writes
        again.
        """
        if self.closing:
            raise TreeError(errno.ENOTCONN)
        interrupt = Interrupt()
        REQUEST.set(interrupt)
        work = handle.write(off, buf, interrupt)
        try:
            return await self.callers.attend(work, interrupt, handle.pid, False)
        except TreeError as exc:
            if self.closing and exc.errno == errno.EINTR:
                raise TreeError(errno.ENOTCONN) from None
            raise

    async def poll(self, inode: int, fh: int, poll_handle: Any, ctx: Ctx) -> int:
        """What select and poll are told; later changes through *poll_handle*.

        Source: fs/kernfs/file.c kernfs_generic_poll(), Linux 6.1.
        """
        handle = self._handles.get(fh)
        if not isinstance(handle, PollHandle):
            return READY
        if handle.polled():
            self.pollers.pop(fh, None)
            return READY | TOLD
        if poll_handle is not None:
            self.pollers[fh] = poll_handle
            self.on_poller()
        return READY

    def tell_pollers(self) -> None:
        """Wake those whose file has changed: they ask again then."""
        for fh in list(self.pollers):
            handle = self._handles.get(fh)
            if handle is None or (isinstance(handle, PollHandle) and handle.changed()):
                self.pollers.pop(fh).notify()

    async def flush(self, fh: int) -> None:
        if fh & 1:
            await self._handles[fh].flush()
            return
        volume, own = self._open[fh]
        await self.volume(volume.flush(own))

    async def fsync(self, fh: int, datasync: bool) -> None:
        if fh & 1:
            return
        volume, own = self._open[fh]
        await self.volume(volume.fsync(own, datasync))

    async def release(self, fh: int) -> None:
        if not fh & 1:
            self._shim.unbind(fh)
            volume, own = self._open.pop(fh)
            await volume.release(own)
            return
        handle = self._handles.pop(fh)
        self.pollers.pop(fh, None)
        if fh in self._writers:
            self._writers.pop(fh).writers -= 1
        if handle.needs_release:
            await handle.release()

    async def fallocate(self, fh: int, mode: int, off: int, length: int) -> None:
        if fh & 1:
            raise TreeError(errno.EOPNOTSUPP)
        volume, own = self._open[fh]
        await self.volume(volume.fallocate(own, mode, off, length))

    async def lseek(self, fh: int, off: int, whence: int) -> int:
        if fh & 1:
            raise TreeError(errno.EINVAL)
        volume, own = self._open[fh]
        return await self.volume(volume.lseek(own, off, whence))

    # -------------------------------------------------------------- directories

    async def opendir(self, inode: int, ctx: Ctx) -> int:
        self._next_fh += 2
        fh = self._next_fh
        if inode >> VOLUME_SHIFT:
            self._dirs[fh] = self.at(inode)
        else:
            node = self._dir(inode)
            self._dirs[fh] = [(b".", node), (b"..", node), *node.entries()]
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

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        opened = self._dirs[fh]
        if isinstance(opened, tuple):
            volume, _, own = opened
            await self.volume(volume.fsyncdir(own, datasync))
