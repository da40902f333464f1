"""Data: reading, writing, truncating and writing back one file.

What is resident is read and written inline; whatever has to wait is an operation
and goes through the pump. Sizes live in the page file, times in the inode.

Concurrency: while an operation of a file waits, another of the same file may run
(the kernel serialises writers and truncation of one file, but not readers). So
nothing here keeps a size across an ``await``.

Source: mm/filemap.c generic_perform_write() and filemap_check_wb_err() for the
order of things and for who hears of a failed write-out, Linux 6.1.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable

from memfs.files.paged.contract import (
    MAX_FILE_BYTES,
    PAGE_SIZE,
    Buffer,
    Op,
    PageCache,
    Pages,
    Pump,
    T,
)
from memfs.files.paged.handles import OpenFile
from memfs.files.paged.inode import SET_ID, File
from memfs.files.paged.store import LongCall, Store
from memfs.tree import REQUEST, TreeError
from memfs.vm.errors import VmError
from memfs.vm.sched import Io

# What O_DIRECT transfers must be multiples of: a sector, as on ext4.
SECTOR = 512

SEEK_DATA, SEEK_HOLE = 3, 4

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 0x01, 0x02, 0x10

# Pages that the short way may make dirty before a write comes here again: writers look
# at the limits every 1024 pages at most (chosen here).
GRANT = 256


class Data:
    """The data of all files of one volume.

    Args:
        volume: with a file's number, what a page file's ``holder`` is.
        stale: called with the number of a file whose mode changed by a write.
    """

    def __init__(
        self,
        store: Store,
        cache: PageCache,
        pump: Pump,
        volume: object = None,
        stale: Callable[[int], None] = lambda ino: None,
    ) -> None:
        self.volume = volume
        self.stale = stale
        self.store = store
        self.cache = cache
        self.pump = pump

    def pages_of(self, file: File) -> Pages:
        """The page file of *file*, made when it is first wanted."""
        if file.pages is None:
            size = file.disk_size
            file.pages = self.cache.create(self.store.kind, file.backing, size)
            file.pages.holder = self.volume, file.ino
        return file.pages

    # Reading and writing

    async def read(
        self, handle: OpenFile, off: int, nbytes: int, cached: bool | None = False
    ) -> Buffer:
        """At most *nbytes* from *off*; less only at the end of the file.

        Args:
            cached: for the kernel's page cache, which keeps a copy, O_DIRECT or
                not; None: perhaps.
        """
        file = handle.file
        direct = handle.direct and cached is False and self.store.bypasses
        if direct:
            check_sectors(off, nbytes)
        if off >= file.size or nbytes == 0:
            return b""
        pages = file.pages or self.pages_of(file)
        if direct:
            op: Op[Buffer] = self._direct_read(file, pages, off, nbytes)
            data = await self._to_the_end(op, "direct read")
        else:
            data = await self._read_pages(handle, pages, off, nbytes, cached)
        if not handle.noatime and file.accessed():
            file.times_due = True
        self._shorten(file, pages)
        return data

    @staticmethod
    def _shorten(file: File, pages: Pages) -> None:
        """From now on *file* may take the short way, where there is one."""
        if file.lane is not None and not file.lane.allowed:
            file.allow_short_way(pages.id)

    async def _read_pages(
        self, handle: OpenFile, pages: Pages, off: int, n: int, cached: bool | None
    ) -> Buffer:
        if cached is None:
            # To revoke too much does no harm; to fill holes that are only read does.
            cached = self.store.kind == "file"
        elif cached and self.store.kind == "shm":
            # A fault fills a hole of a tmpfs, and fails where there is no room.
            self.store.allocate(handle.file, off, min(n, handle.file.size - off))
        data = pages.read_now(off, n, handle.ra, cached)
        if data is None:
            work = pages.read(off, n, handle.ra, cached)
            return await self.pump.run(work, "read")
        self.pump.poke()
        return data

    async def write(
        self,
        handle: OpenFile,
        off: int,
        data: Buffer,
        cached: bool = False,
        kills: bool | None = None,
    ) -> int:
        """Write as much of *data* as there is room for; return how much.

        Args:
            cached: out of the kernel's page cache: written through a mapping, by
                whoever, and as long as the last page is.
            kills: set-ID bits go; None: if it was not root who opened the file.

        Raises:
            TreeError: EBADF, EINVAL (O_DIRECT), EFBIG, ENOSPC.
            VmError: ENOMEM when the machine has no page for it, EIO.
        """
        data = self._admit(handle, off, data, cached, kills)
        direct = self._bypasses(handle, cached)
        done = None if direct else self._at_once(handle, off, data, cached)
        if done is not None:
            return done
        file = handle.file
        pages = self.pages_of(file)
        try:
            if direct:
                op = self._direct_write(file, pages, off, data)
                return await self._to_the_end(op, "direct write")
            work = pages.write(off, data, handle.pid, cached)
            done = await self.pump.run(work, "write")
        finally:
            # Interrupted, it may have written a part.
            file.written()
        self._shorten(file, pages)
        self._grant(file, pages)
        return done

    def write_now(
        self,
        handle: OpenFile,
        off: int,
        data: Buffer,
        cached: bool,
        kills: bool | None,
    ) -> int | None:
        """As ``write``, if it need not wait; None: it may, and is to be asked for."""
        if self._bypasses(handle, cached):
            return None
        data = self._admit(handle, off, data, cached, kills)
        return self._at_once(handle, off, data, cached)

    def _at_once(
        self, handle: OpenFile, off: int, data: Buffer, cached: bool
    ) -> int | None:
        """Write what was admitted; None: that takes an operation."""
        file = handle.file
        pages = file.pages or self.pages_of(file)
        done = pages.write_now(off, data, handle.pid, cached)
        if done is not None:
            self.pump.poke()
            file.written()
            self._shorten(file, pages)
            self._grant(file, pages)
        return done

    def _grant(self, file: File, pages: Pages) -> None:
        """Let *file* be written on, and become longer, as there is room for it."""
        most = file.size + GRANT * PAGE_SIZE
        if file.lane is None or not file.lane.allowed or most > MAX_FILE_BYTES:
            return
        more = pages.grant(GRANT)
        if more and not self.store.spare(more * PAGE_SIZE):
            pages.grant(0)

    def _bypasses(self, handle: OpenFile, cached: bool) -> bool:
        """Whether a write goes past the pages."""
        return handle.direct and not cached and self.store.bypasses

    def _admit(
        self,
        handle: OpenFile,
        off: int,
        data: Buffer,
        cached: bool,
        kills: bool | None,
    ) -> Buffer:
        """What may be written of *data*; there is room for it then."""
        file = handle.file
        if not handle.writes:
            raise TreeError(errno.EBADF)
        if self._bypasses(handle, cached):
            check_sectors(off, len(data))
        if off + len(data) > MAX_FILE_BYTES:
            if off >= MAX_FILE_BYTES:
                raise TreeError(errno.EFBIG)
            data = data[: MAX_FILE_BYTES - off]
        room = self.store.reserve(file, off, len(data), cached)
        if room < len(data):
            data = data[:room]
        if file.mode & SET_ID:
            self.check_set_id(file, handle.drops_set_id if kills is None else kills)
        self.pump.tick()
        return data

    # O_DIRECT: the store has what the pages have; then the pages are passed by. A
    # write drops them first, and between that and the write no other step runs.

    def _direct_read(self, file: File, pages: Pages, off: int, n: int) -> Op[Buffer]:
        yield from self._flush(file, pages, off, n, drop=False)
        return (yield from pages.direct_read(off, n))

    def _direct_write(
        self, file: File, pages: Pages, off: int, data: Buffer
    ) -> Op[int]:
        yield from self._flush(file, pages, off, len(data), drop=True)
        return (yield from pages.direct_write(off, data))

    def _flush(
        self, file: File, pages: Pages, off: int, n: int, drop: bool
    ) -> Op[None]:
        try:
            yield from pages.flush(off, n, drop)
        except VmError as error:
            file.failed(error.errno)
            raise

    def check_set_id(self, file: File, kills: bool) -> None:
        """A program that somebody wrote to does not run as somebody else any more.

        Source: fs/inode.c file_remove_privs(), Linux 6.1, which FUSE leaves to us.
        """
        if not kills:
            return
        mode = stat.S_IMODE(file.mode) & ~stat.S_ISUID
        if mode & stat.S_IXGRP:
            mode &= ~stat.S_ISGID
        self.store.chmod(file, mode)
        file.mode = stat.S_IFREG | mode
        self.stale(file.ino)

    # Size

    async def truncate(self, file: File, size: int) -> None:
        """Cut or extend *file*. If the store refuses, nothing has changed.

        Raises:
            TreeError: EFBIG. OSError: what the store says.
        """
        if size > MAX_FILE_BYTES:
            raise TreeError(errno.EFBIG)
        if file.pages is None:
            self.store.truncate(file, size)
            file.disk_size = size
        else:
            await self._alone(file, self._cutting(file, file.pages, size), "truncate")
        file.written()

    def _cutting(self, file: File, pages: Pages, size: int) -> Op[None]:
        # A write-out on its way would bring back what the store has cut off; from
        # here to the first step of truncate() none can begin.
        if size < pages.size:
            yield from pages.wait_writeback()
        self.store.truncate(file, size)
        yield from pages.truncate(size)

    async def fallocate(self, handle: OpenFile, mode: int, off: int, n: int) -> None:
        """Allocate, extend, or punch a hole.

        Raises:
            TreeError: EOPNOTSUPP for the modes that ext4 alone knows, EINVAL,
                EBADF, EFBIG, ENOSPC.
        """
        if not handle.writes:
            raise TreeError(errno.EBADF)
        if off < 0 or n <= 0:
            raise TreeError(errno.EINVAL)
        if off + n > MAX_FILE_BYTES:
            raise TreeError(errno.EFBIG)
        file = handle.file
        pages = self.pages_of(file)
        if mode & ~KEEP_SIZE not in (0, ZERO_RANGE) and mode != PUNCH_HOLE | KEEP_SIZE:
            raise TreeError(errno.EOPNOTSUPP)
        if mode & (PUNCH_HOLE | ZERO_RANGE):
            await self._alone(file, self._punching(file, pages, off, n), "punch")
        if not mode & PUNCH_HOLE:
            self.store.allocate(file, off, n)
        if not mode & KEEP_SIZE and off + n > pages.size:
            await self._alone(file, self._cutting(file, pages, off + n), "fallocate")
        file.written()

    def _punching(self, file: File, pages: Pages, off: int, n: int) -> Op[None]:
        # The store comes first: if it refuses, nothing has changed. Twice, because
        # during the first time a dirty page may have been written out, or a page
        # read, with the old bytes; then no page of the range is dirty any more.
        for _ in range(2):
            self.store.punch(file, off, n)
            yield from pages.punch(off, n)

    async def seek(self, handle: OpenFile, off: int, whence: int) -> int:
        """SEEK_DATA and SEEK_HOLE.

        Raises:
            TreeError: ENXIO at and behind the end of the file; EINVAL.
        """
        if whence not in (SEEK_DATA, SEEK_HOLE):
            raise TreeError(errno.EINVAL)
        file = handle.file
        if off < 0 or off >= file.size:
            raise TreeError(errno.ENXIO)
        await self.write_out(file)
        return self.store.seek(file, off, whence)

    # Write-out

    async def write_out(self, file: File) -> None:
        """Write everything dirty; a failure is noted for the next fsync."""
        if file.pages is None:
            return
        try:
            await self.pump.run(file.pages.fsync(), "write-out")
        except VmError as error:
            file.failed(error.errno)

    async def fsync(self, handle: OpenFile, datasync: bool) -> None:
        """Make the file survive a crash of the host.

        Raises:
            TreeError: the errno of a failed write-out that this handle has not
                reported yet, once.
        """
        file = handle.file
        await self.write_out(file)
        try:
            self.store.save_times(file)
            await self.make(self.store.syncing(file, datasync))
        except OSError as error:
            file.failed(error.errno or errno.EIO)
        if handle.error_seq != file.error_seq:
            handle.error_seq = file.error_seq
            raise TreeError(file.error, "an earlier write-out failed")

    async def make(self, call: LongCall | None) -> None:
        """Make a long call of the host, in a thread.

        Raises:
            OSError: what the host says. TreeError: EINTR, its caller was killed.
        """
        if call is None:
            return
        try:
            await self.pump.in_thread(call)
        finally:
            call.drop()

    async def discard(self, file: File) -> None:
        """Nobody can reach *file* any more: drop its pages, dirty or not."""
        pages = self.detach(file)
        if pages is not None:
            await self.drop(pages)
        self.store.gone(file)

    def discard_now(self, file: File) -> None:
        """As ``discard``; its pages are ``light``."""
        pages = self.detach(file)
        if pages is not None and not pages.drop_now():
            raise AssertionError("pages that can be dropped at once were not")
        self.store.gone(file)

    def detach(self, file: File) -> Pages | None:
        """Take the page file away from *file*, which keeps its size."""
        pages, size = file.pages, file.size
        file.end_short_way()
        file.pages, file.disk_size = None, size
        return pages

    async def drop(self, pages: Pages) -> None:
        if not pages.drop_now():
            await self._to_the_end(pages.drop(), "drop")

    async def _alone(self, file: File, op: Op[None], name: str) -> None:
        """Run *op*, one at a time for each file.

        The kernel does not serialise an O_TRUNC with truncate(2) and its like.
        """
        await self._to_the_end(_one_at_a_time(file, op), name)

    async def _to_the_end(self, op: Op[T], name: str) -> T:
        """Run what must not stop half-way, whatever signal its caller gets."""
        token = REQUEST.set(None)
        try:
            return await self.pump.run(op, name)
        finally:
            REQUEST.reset(token)


def _one_at_a_time(file: File, op: Op[None]) -> Op[None]:
    while file.cutting:
        yield Io()
    file.cutting = True
    try:
        yield from op
    finally:
        file.cutting = False


def check_sectors(off: int, nbytes: int) -> None:
    """Raises TreeError(EINVAL) for an O_DIRECT transfer that is not aligned.

    Source: fs/iomap/direct-io.c iomap_dio_bio_iter(), Linux 6.1.
    """
    if (off | nbytes) % SECTOR:
        raise TreeError(errno.EINVAL, f"O_DIRECT: {nbytes} bytes at {off}")
