"""A volume: the calls of ``memfs.tree.Volume`` over names, data and a store.

What it is not: it holds no rule of its own beyond who may be forgotten and when
data ends; names.py, data.py and the store have the rest.

Concurrency: one thread; see data.py for what may happen during an ``await``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, TypeVar, cast

from memfs.files.paged.contract import Buffer, Lanes, PageCache, Pages, Pump
from memfs.files.paged.data import Data
from memfs.files.paged.handles import HandleTable, OpenFile
from memfs.files.paged.inode import SET_ID, Directory, File, Inode, Special
from memfs.files.paged.names import Names
from memfs.files.paged.store import Store
from memfs.files.paged.table import InodeTable
from memfs.files.paged.xattrs import Xattrs
from memfs.tree import Attr, Caller, StatFs, TreeError, VolumeEntry
from memfs.vm.errors import VmError

T = TypeVar("T")

# Names and attributes change through the mount alone. What the kernel does not see
# changing is the number of blocks of a file that is being written back.
ENTRY_TIMEOUT = 3600.0
ATTR_TIMEOUT = 10.0
# Files written back at once when descriptors run out; chosen here.
WRITE_BATCH = 64


class PagedVolume:
    """A file system below one directory of the mount.

    Args:
        store: what it lies on.
        cache: gives page files.
        pump: runs what has to wait.
        lanes: makes the records of the short way; None: there is none.

    Attributes:
        noatime: reading changes no access time, as with O_NOATIME.
    """

    noatime = False
    entry_timeout = ENTRY_TIMEOUT
    attr_timeout = ATTR_TIMEOUT

    def __init__(
        self, store: Store, cache: PageCache, pump: Pump, lanes: Lanes | None = None
    ) -> None:
        self.store = store
        self.table = InodeTable()
        self.root = store.attach(self.table)
        self.names = Names(self.table, store)
        self.xattrs = Xattrs(self.table, store.xattrs)
        self.stale: Callable[[int], None] = lambda ino: None
        self.data = Data(store, cache, pump, self, lambda ino: self.stale(ino))
        self.handles = HandleTable()
        self.lanes = lanes
        self._ended = False

    # Attributes

    def getattr(self, ino: int) -> Attr:
        return self.names.attr(self.table.get(ino))

    async def setattr(
        self,
        ino: int,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        size: int | None = None,
        atime_ns: int | None = None,
        mtime_ns: int | None = None,
        fh: int | None = None,
    ) -> Attr:
        """Change attributes; the kernel has checked who may.

        Times come last: a change of size that came with them must not undo them.
        """
        inode = self.table.get(ino)
        if size is not None:
            await self._set_size(inode, size, fh)
        if uid is not None or gid is not None:
            self._chown(inode, uid, gid)
        if mode is not None:
            self.store.chmod(inode, stat.S_IMODE(mode))
            inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(mode)
        inode.stamp()
        if atime_ns is not None or mtime_ns is not None:
            inode.atime_ns = inode.atime_ns if atime_ns is None else atime_ns
            inode.mtime_ns = inode.mtime_ns if mtime_ns is None else mtime_ns
            self.store.times_changed(inode)
        return self.names.attr(inode)

    async def _set_size(self, inode: Inode, size: int, fh: int | None) -> None:
        file = self.table.file(inode.ino)
        if fh is not None and not self.handles.get(fh).writes:
            raise TreeError(errno.EINVAL)
        if size < 0:
            raise TreeError(errno.EINVAL)
        await self._with_store(file, size)

    async def _with_store(self, file: File, size: int) -> None:
        """Truncate with the store open, whether or not somebody has it open."""
        file.nopen += 1
        try:
            await self._with_room(lambda: self.store.opened(file, True))
            await self.data.truncate(file, size)
        finally:
            await self._put(file)

    def _chown(self, inode: Inode, uid: int | None, gid: int | None) -> None:
        new_uid = inode.uid if uid is None else uid
        new_gid = inode.gid if gid is None else gid
        self.store.chown(inode, new_uid, new_gid)
        inode.uid, inode.gid = new_uid, new_gid

    # What waits, and what does not

    def at_once(self, what: str, *args: Any) -> bool:
        """Whether a call is sure not to wait; False: it may."""
        calm: Callable[..., bool] | None = getattr(self, f"_calm_{what}", None)
        return calm is not None and calm(*args)

    def _calm_lookup(self, parent: int, name: bytes) -> bool:
        return not (self.store.forgets and self.table.crowded)

    def _calm_release(self, fh: int) -> bool:
        file = self.handles.get(fh).file
        return bool(file.nlink) or file.nopen > 1 or self._light(file)

    def _light(self, file: File) -> bool:
        """Its pages can be dropped at once."""
        return file.pages is None or file.pages.light()

    # Names

    async def lookup(self, parent: int, name: bytes) -> tuple[int, Attr]:
        inode = self.names.child(self.table.directory(parent), name)
        await self._trim()
        return self._refer(inode)

    def _refer(self, inode: Inode) -> tuple[int, Attr]:
        self.table.hold(inode)
        return inode.ino, self.names.attr(inode)

    def remember(self, ino: int) -> None:
        """The kernel took an entry of ``readdir`` for a lookup."""
        self.table.hold(self.table.get(ino))

    def forget(self, ino: int, nlookup: int) -> None:
        """The kernel gives references back."""
        try:
            inode = self.table.get(ino)
        except TreeError:
            return
        self.table.release(inode, nlookup)
        if inode.nlink == 0 and inode.idle():
            self.names.forget(inode)

    async def _trim(self) -> None:
        """Forget what nobody has referred to for longest, and its clean pages."""
        if not self.store.forgets:
            return
        while (inode := self.table.surplus()) is not None:
            pages = self.data.detach(inode) if isinstance(inode, File) else None
            if pages is not None:
                await self.data.drop(pages)
            if inode.idle():
                self.names.forget(inode)

    async def readdir(self, ino: int, cookie: int) -> list[VolumeEntry]:
        directory = self.table.directory(ino)
        await self._trim()
        entries = self.names.read(directory, cookie)
        if not self.noatime:
            directory.accessed()
        return entries

    async def readlink(self, ino: int) -> bytes:
        inode = self.table.get(ino)
        if not isinstance(inode, Special) or inode.target is None:
            raise TreeError(errno.EINVAL)
        return inode.target

    async def symlink(
        self, parent: int, name: bytes, target: bytes, caller: Caller
    ) -> tuple[int, Attr]:
        if not target:
            raise TreeError(errno.ENOENT)
        if len(target) >= 4096:
            raise TreeError(errno.ENAMETOOLONG)
        make = self.store.symlink
        return self._make(parent, name, lambda d, n: make(d, n, target, caller))

    async def mkdir(
        self, parent: int, name: bytes, mode: int, caller: Caller
    ) -> tuple[int, Attr]:
        make = self.store.mkdir
        return self._make(parent, name, lambda d, n: make(d, n, mode, caller))

    async def mknod(
        self, parent: int, name: bytes, mode: int, rdev: int, caller: Caller
    ) -> tuple[int, Attr]:
        """A FIFO, socket, device, or an empty file."""
        kind = stat.S_IFMT(mode)
        if kind in (0, stat.S_IFREG):
            inode = self._create(parent, name, mode, caller)
            self.store.closed(inode)
            return self._refer(inode)
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            raise TreeError(errno.EPERM)
        make = self.store.mknod
        return self._make(parent, name, lambda d, n: make(d, n, mode, rdev, caller))

    def _make(
        self, parent: int, name: bytes, maker: Callable[[Directory, bytes], Inode]
    ) -> tuple[int, Attr]:
        return self._refer(self.names.make(self.table.directory(parent), name, maker))

    def _create(self, parent: int, name: bytes, mode: int, caller: Caller) -> File:
        make = self.store.create
        return self.names.make(
            self.table.directory(parent), name, lambda d, n: make(d, n, mode, caller)
        )

    async def link(
        self, ino: int, new_parent: int, new_name: bytes
    ) -> tuple[int, Attr]:
        inode = self.table.get(ino)
        self.names.link(inode, self.table.directory(new_parent), new_name)
        return self._refer(inode)

    async def rmdir(self, parent: int, name: bytes) -> None:
        await self._lost(self.names.rmdir(self.table.directory(parent), name))

    async def unlink(self, parent: int, name: bytes) -> None:
        await self._lost(self.names.unlink(self.table.directory(parent), name))

    def unlink_now(self, parent: int, name: bytes) -> bool:
        """As ``unlink``, if it need not wait; False: it may, and nothing is done."""
        directory = self.table.directory(parent)
        inode = self.names.child(directory, name)
        ends = isinstance(inode, File) and inode.nlink == 1 and not inode.nopen
        if ends and not self._light(cast(File, inode)):
            return False
        self.names.unlink(directory, name)
        if ends:
            self.data.discard_now(cast(File, inode))
        elif not (inode.nlink or isinstance(inode, File)):
            self.store.gone(inode)
        if not inode.nlink and inode.idle():
            self.names.forget(inode)
        return True

    async def rename(
        self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int
    ) -> None:
        old, new = self.table.directory(parent), self.table.directory(new_parent)
        displaced = self.names.rename(old, name, new, new_name, flags)
        if displaced is not None:
            await self._lost(displaced)

    async def _lost(self, inode: Inode) -> None:
        """*inode* lost a name. The last one, and nobody has it open: it ends."""
        if inode.nlink:
            return
        if not isinstance(inode, File):
            self.store.gone(inode)
        elif inode.nopen == 0:
            await self.data.discard(inode)
        if inode.idle():
            self.names.forget(inode)

    # Open files

    async def create(
        self, parent: int, name: bytes, mode: int, flags: int, caller: Caller
    ) -> tuple[int, Attr, int]:
        """Create and open; without O_EXCL a file that is there is opened."""
        try:
            file = await self._with_room(
                lambda: self._create(parent, name, mode, caller)
            )
        except (TreeError, FileExistsError) as error:
            if error.errno != errno.EEXIST or flags & os.O_EXCL:
                raise
            there = self.names.child(self.table.directory(parent), name)
            fh = await self.open(there.ino, flags & ~os.O_CREAT, caller)
            return *self._refer(there), fh
        fh = self._opened(file, flags, caller)
        await self._trim()
        return *self._refer(file), fh

    def create_nameless(
        self, parent: int, mode: int, flags: int, caller: Caller
    ) -> tuple[int, Attr, int]:
        """O_TMPFILE: a file that ends with its last handle, unless it is linked."""
        directory = self.table.directory(parent)
        file = self.names.make_nameless(
            directory, lambda: self.store.create_nameless(directory, mode, caller)
        )
        fh = self._opened(file, flags, caller)
        return *self._refer(file), fh

    async def open(self, ino: int, flags: int, caller: Caller) -> int:
        file = self.table.file(ino)
        if file.nlink == 0 and file.nopen == 0:
            raise TreeError(errno.ESTALE)
        writes = flags & os.O_ACCMODE != os.O_RDONLY
        await self._with_room(lambda: self.store.opened(file, writes))
        fh = self._opened(file, flags, caller)
        if flags & os.O_TRUNC:
            try:
                await self._empty(file, caller)
            except BaseException:
                await self.release(fh)
                raise
        return fh

    async def _empty(self, file: File, caller: Caller) -> None:
        """O_TRUNC, which the kernel leaves to ``open``."""
        if file.mode & SET_ID:
            self.data.check_set_id(file, caller.uid != 0)
        if file.size:
            await self.data.truncate(file, 0)
        else:
            file.written()

    async def _with_room(self, open_it: Callable[[], T]) -> T:
        """Call *open_it*; out of descriptors, write something back and try again."""
        try:
            return open_it()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        for file in self.store.dirty_files()[:WRITE_BATCH]:
            await self.data.write_out(file)
        return open_it()

    def _opened(self, file: File, flags: int, caller: Caller) -> int:
        file.nopen += 1
        lane = None
        if self.lanes is not None:
            lane = self._lane(self.lanes, file, flags)
        ra = self.data.cache.readahead(None if lane is None else lane.ra)
        if self.noatime:
            flags |= os.O_NOATIME
        return self.handles.add(OpenFile(file, flags, caller, ra, lane))

    def _lane(self, lanes: Lanes, file: File, flags: int) -> Any:
        """The record of a new handle; O_DIRECT has its own rules, and none."""
        if flags & os.O_DIRECT and self.store.bypasses:
            return None
        if file.lane is None:
            file.lane = lanes.file()
        mode = flags & os.O_ACCMODE
        lane = lanes.descriptor(file.lane, mode != os.O_WRONLY, mode != os.O_RDONLY)
        if lane is not None:
            lane.noatime = self.noatime or bool(flags & os.O_NOATIME)
        return lane

    def lane(self, fh: int) -> object:
        """What the adapter may answer a handle's reads and writes with, or None."""
        return self.handles.get(fh).lane

    async def read(
        self, fh: int, off: int, size: int, cached: bool | None = False
    ) -> Buffer:
        return await self.data.read(self.handles.get(fh), off, size, cached)

    async def write(
        self,
        fh: int,
        off: int,
        data: Buffer,
        cached: bool = False,
        kills: bool | None = None,
    ) -> int:
        return await self.data.write(self.handles.get(fh), off, data, cached, kills)

    def write_now(
        self, fh: int, off: int, data: Buffer, cached: bool, kills: bool
    ) -> int | None:
        """As ``write``, if it need not wait; None: it may, and is to be asked for."""
        return self.data.write_now(self.handles.get(fh), off, data, cached, kills)

    async def flush(self, fh: int) -> None:
        """One of possibly several close(2) of this handle."""
        self.store.save_times(self.handles.get(fh).file)

    async def fsync(self, fh: int, datasync: bool) -> None:
        await self.data.fsync(self.handles.get(fh), datasync)

    async def fsyncdir(self, ino: int, datasync: bool) -> None:
        directory = self.table.directory(ino)
        await self.data.make(self.store.syncing_directory(directory))

    async def release(self, fh: int) -> None:
        await self._put(self.handles.remove(fh).file)

    async def _put(self, file: File) -> None:
        file.nopen -= 1
        if file.nopen:
            return
        file.end_short_way()
        file.lane = None
        if file.pages is not None:
            file.pages.grant(0)
        if file.nlink:
            self.store.closed(file)
            return
        await self.data.discard(file)
        if file.idle():
            self.names.forget(file)

    async def fallocate(self, fh: int, mode: int, off: int, length: int) -> None:
        await self.data.fallocate(self.handles.get(fh), mode, off, length)

    async def lseek(self, fh: int, off: int, whence: int) -> int:
        return await self.data.seek(self.handles.get(fh), off, whence)

    async def statfs(self) -> StatFs:
        return self.store.statfs()

    # For the model's own users: tasks that map a file

    async def walk(self, path: bytes) -> int:
        """The inode number of *path*, relative to the root; symlinks are not followed.

        Raises:
            TreeError: ENOENT, ENOTDIR, ELOOP for a symbolic link.
        """
        inode: Inode = self.root
        for name in filter(None, path.split(b"/")):
            if stat.S_ISLNK(inode.mode):
                raise TreeError(errno.ELOOP)
            inode = self.names.child(self.table.directory(inode.ino), name)
        if stat.S_ISLNK(inode.mode):
            raise TreeError(errno.ELOOP)
        return inode.ino

    async def page_file(self, fh: int) -> Pages:
        """The page file behind an open handle; it lives until ``release``."""
        return self.data.pages_of(self.handles.get(fh).file)

    # The end

    async def sync(self) -> list[str]:
        """Write everything back; return what could not be written, a line each.

        Requests may go on meanwhile and afterwards.
        """
        failed: list[str] = []
        for inode in self.table:
            if isinstance(inode, File) and inode.nlink:
                failed += await self._finish(inode)
        return failed

    async def shutdown(self) -> list[str]:
        """``sync``, then give everything back: the end. Harmless twice."""
        if self._ended:
            return []
        failed = await self.sync()
        self._ended = True
        self.store.close(keep=bool(failed))
        return failed

    async def _finish(self, file: File) -> list[str]:
        problem: Exception | None = None
        try:
            if file.pages is not None and not file.settled():
                self.store.check(file)
                await self.data.pump.run(file.pages.fsync(), "sync")
            self.store.save_times(file)
        except (VmError, OSError) as error:
            problem = error
            file.failed(error.errno or errno.EIO)
        return [f"{file.backing.label()}: {problem}"] if problem else []
