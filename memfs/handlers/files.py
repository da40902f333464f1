"""Open files: reading and writing them, waiting in poll(2), and their end."""

from __future__ import annotations

import errno
import os
import select
from typing import Any

from memfs.handlers.base import Base
from memfs.handlers.wire import Ctx, caller_of
from memfs.inodes import VOLUME_SHIFT, Inode, number
from memfs.shim import TEXT_KEPT_MOST
from memfs.tree import (
    REQUEST,
    Attr,
    Buffer,
    Caller,
    Handle,
    Interrupt,
    PollHandle,
    TextFile,
    TextHandle,
    TreeError,
    Volume,
)

# What poll(2) is told of any file, and of one with news.
READY = select.POLLIN | select.POLLOUT | select.POLLRDNORM | select.POLLWRNORM
TOLD = select.POLLERR | select.POLLPRI

# So many closes are told of together.
MANY_CLOSED = 64


class Files(Base):
    """Requests about open files. A generated file has an odd handle."""

    async def open(self, inode: int, flags: int, ctx: Ctx) -> Any:
        if inode >> VOLUME_SHIFT:
            volume, _, own = self.at(inode)
            opened = await self.volume(volume.open(own, flags, caller_of(ctx)))
            return self._opened(volume, opened)
        known = self.inode(inode)
        writes = known.node.fresh_inode and flags & os.O_ACCMODE
        if writes:
            await self._gate(known.node).pass_through(known, ctx.pid)
        fh = self.open_node(known, flags, caller_of(ctx))
        if writes:
            self._writers[fh] = known
            known.writers += 1
        return self._wire.opened(fh)

    def open_node(self, known: Inode, flags: int, caller: Caller) -> int:
        """Open a generated node, for whom nothing stands in the way; its handle."""
        self._next_fh += 2
        fh = self._next_fh | 1
        handle = self._handles[fh] = known.node.open(flags, caller)
        if type(handle) is TextHandle:
            # Its reads and its close need not come this way.
            text, size = handle.lend()
            closed = self._shim.text_bind(fh, text, size)
            # Who opens for writing alone is shown nothing.
            small = size <= TEXT_KEPT_MOST and flags & os.O_ACCMODE == os.O_RDONLY
            if known.node.steady and small:
                self._shim.text_keep(known.ino, text, size)
                self._keep_ahead(known.ino)
            if closed >= MANY_CLOSED:
                self._forget_closed()
        return fh

    def _keep_ahead(self, ino: int) -> None:
        """Keep what files show that may be opened next."""
        run = self._inodes.run_with(ino)
        if run is None:
            return
        name = run.names[ino - run.first]
        for where, text in run.where.ahead(name):
            below = self._inodes.run_of(where)
            if below is not None and len(text) <= TEXT_KEPT_MOST:
                self._shim.text_keep(below.number(name), text, len(text))

    def _handle(self, fh: int) -> Handle | None:
        """An open generated file; the shim may have opened it."""
        handle = self._handles.get(fh)
        if handle is not None:
            return handle
        adopted = self._shim.text_adopt(fh)
        if adopted is None:
            return None
        node = self.inode(adopted[0]).node
        assert isinstance(node, TextFile)
        handle = self._handles[fh] = TextHandle.shown(node, adopted[1])
        return handle

    def _forget_closed(self) -> None:
        """Let go of the text files that the shim has closed."""
        for fh in self._shim.text_closed():
            self._handles.pop(fh, None)
            self.pollers.pop(fh, None)

    async def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: Ctx
    ) -> tuple[Any, Any]:
        if not parent_inode >> VOLUME_SHIFT:
            raise TreeError(self.manners(parent_inode).create)
        volume, index, own = self.at(parent_inode)
        made = volume.create(own, name, mode, flags, caller_of(ctx))
        ino, attr, opened = await self.volume(made)
        return self._opened(volume, opened), self.made(volume, index, ino, attr)

    def create_nameless(
        self, parent: int, mode: int, flags: int, caller: Caller
    ) -> tuple[int, Volume, Attr, int]:
        """O_TMPFILE: the number of a new file, its volume, attributes and handle."""
        volume, index, own = self.at(parent)
        ino, attr, opened = volume.create_nameless(own, mode, flags, caller)
        return number(index, ino), volume, attr, self._bound(volume, opened)

    def _opened(self, volume: Volume, fh: int) -> Any:
        return self._wire.opened(self._bound(volume, fh))

    def _bound(self, volume: Volume, fh: int) -> int:
        """The mount's handle of an open file of a volume."""
        self._next_fh += 2
        self._open[self._next_fh] = volume, fh
        lane = volume.lane(fh)
        if lane is not None:
            self._shim.bind(self._next_fh, lane)
        return self._next_fh

    async def read(self, fh: int, off: int, size: int) -> Buffer:
        if fh & 1:
            # It may be rendered anew: what was lent is no more.
            handle = self._handle(fh)
            assert handle is not None
            self._shim.text_unbind(fh)
            return handle.read(off, size)
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

    async def flush(self, fh: int) -> None:
        if fh & 1:
            handle = self._handle(fh)
            assert handle is not None
            await handle.flush()
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
        handle = self._handles.pop(fh, None)
        self.pollers.pop(fh, None)
        if fh in self._writers:
            self._writers.pop(fh).writers -= 1
        if handle is not None and handle.needs_release:
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

    # Waiting for news.

    async def poll(self, inode: int, fh: int, poll_handle: Any, ctx: Ctx) -> int:
        """What select and poll are told; later changes through *poll_handle*.

        Source: fs/kernfs/file.c kernfs_generic_poll(), Linux 6.1.
        """
        handle = self._handle(fh)
        if not isinstance(handle, PollHandle):
            return READY
        # What is polled is closed here, where its poller is known.
        self._shim.text_unbind(fh)
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
