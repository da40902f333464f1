"""Files of the page cache: reading, writing, read-ahead, the descriptor.

A :class:`PageFile` is the page cache of one inode of a volume, or of a tmpfs file.
It knows no name and no host path: the volume that owns it (:class:`FileOwner`)
gives a descriptor when there is I/O to do and gets it back when all is clean. Who
may do what to one file at the same time is the volume's to decide. Truncation and
holes are in cutting.py, write-out in filesync.py, O_DIRECT in directio.py,
reading what is not in memory in filereading.py.

Source: mm/filemap.c do_generic_mapping_read(), generic_file_aio_write_nolock(),
2.6.0.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from memfs.vm import _ffi, cutting, directio, filereading, filesync
from memfs.vm._ffi import MappingStat, check
from memfs.vm.alloc import SlowPath, settle
from memfs.vm.cutting import MAX_BYTES
from memfs.vm.errors import VmError
from memfs.vm.filereading import PAGE_SHIFT, pages_of
from memfs.vm.readahead import ReadAhead
from memfs.vm.sched import Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

PAGE_SIZE = 1 << PAGE_SHIFT
CHUNK = 1 << 20  # bytes a call of the core
KINDS = {"file": _ffi.KIND_FILE, "shm": _ffi.KIND_SHM, "ram": _ffi.KIND_RAM}
# How a dirty page of a file moves, and which kinds of files may have it so; the first
# that a kind is named in is its own way.
MOVES = {
    "buffers": ("file",),  # with its buffers, dirty as it is
    "migrate": ("shm", "ram"),  # it has no buffers
    "fallback": ("file",),  # the file system cannot: written first, buffers released
}


class FileOwner(Protocol):
    """The volume's side of a file."""

    def need_fd(self) -> int:
        """A descriptor of the host's file, open for reading and writing."""

    def io_idle(self) -> None:
        """Nothing is dirty or in flight any more: the descriptor may be closed."""

    def label(self) -> str:
        """What reports call the file."""


class PageFile:
    """The page cache of one file."""

    def __init__(
        self, m: Machine, kind: str, owner: FileOwner, size: int, moves: str = ""
    ) -> None:
        self.m = m
        self.kind = kind
        self.owner = owner
        self.moves = moves or next(way for way in MOVES if kind in MOVES[way])
        if kind not in MOVES.get(self.moves, ()):
            raise VmError(errno.EINVAL, f"pages of {kind} files do not move by {moves}")
        self.id = m.core.mapping_create(KINDS[kind])
        if self.moves == "fallback":
            m.core.mapping_fallback(self.id)
        self._size = size
        # Pages that the short way may make dirty, at the end of the file too.
        self.granted = 0
        self.wb_index = 0
        # By which a Revocations hook finds the file in the real kernel; the volume's.
        self.holder: Any = None
        self.dead = False
        self.fd = -1
        self._held = False
        self._users = 0
        self.dropping = False
        m.core.mapping_size(self.id, size)

    def __repr__(self) -> str:
        return f"<PageFile {self.id} {self.owner.label()}>"

    @property
    def size(self) -> int:
        """Bytes."""
        if self.granted:
            self._size = self.m.core.mapping_bytes(self.id)
        return self._size

    @size.setter
    def size(self, size: int) -> None:
        self._size = size

    def grant(self, pages: int) -> int:
        """Let the short way make so many pages dirty from now on, or fewer; 0: none.

        Returns:
            Pages granted that were not before.
        """
        m, left = self.m, 0
        if self.granted:
            self._size = m.core.mapping_bytes(self.id)
            left = m.core.mapping_grant(self.id, 0)
            m.writeback.used(self.granted - left)
            self.granted = 0
        if pages:
            self.granted = m.writeback.grant(self, pages)
            m.core.mapping_grant(self.id, self.granted)
        return max(self.granted - left, 0)

    def stat(self) -> MappingStat:
        """Its counters, pages."""
        return self.m.core.mapping_stat(self.id)

    def unwritten(self) -> int:
        """Pages that are dirty or on their way to the disk."""
        return self.m.core.mapping_unwritten(self.id)

    @property
    def busy(self) -> bool:
        """Whether a page is dirty, in flight or mapped."""
        stat = self.stat()
        return bool(
            stat.nr_dirty or stat.nr_writeback or stat.nr_locked or stat.nr_vmas
        )

    # -- the descriptor ------------------------------------------------------

    def hold_fd(self) -> None:
        """Have a descriptor before I/O can come.

        Raises:
            VmError: the host's errno.
        """
        if self._held or self.kind != "file":
            return
        try:
            fd = self.owner.need_fd()
        except OSError as error:
            raise VmError(error.errno or errno.EIO, str(error.strerror)) from None
        self.m.core.mapping_fd(self.id, fd)
        self.fd = fd
        self._held = True
        self.m.files.held[self.id] = self

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """An operation needs the descriptor until it has ended."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    def settle(self) -> bool:
        """Give the descriptor back if nothing can need it; True if given back."""
        if not self._held or self._users or self.dead or self.busy:
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        if self._held:
            self.grant(0)
            self._held = False
            self.fd = -1
            self.m.files.held.pop(self.id, None)
            if not self.dead:
                self.m.core.mapping_fd(self.id, -1)
            self.owner.io_idle()

    # -- reading -------------------------------------------------------------

    def read_now(
        self, off: int, n: int, ra: ReadAhead, client: bool = False
    ) -> bytearray | None:
        """Read what is resident, at once; None: it takes an operation.

        Args:
            off: bytes, >= 0.
            n: bytes wanted; less at the end of the file.
            ra: of the open descriptor.
            client: the real kernel keeps a copy of the pages.
        """
        n = min(n, self.size - off)
        if n <= 0:
            return bytearray()
        m = self.m
        first, last = off >> PAGE_SHIFT, (off + n - 1) >> PAGE_SHIFT
        nr = last - first + 1
        # Bytes that the host has taken back are read again: that takes a descriptor.
        if m.host_limited and self.kind == "file" and not self._held:
            return None
        if m.core.file_resident(self.id, first, nr).count(1) != nr:
            return None
        if not self._ask_ahead(first, last, ra):
            return None
        buf = bytearray(n)
        rc, done = m.core.file_read(self.id, off, buf, 0, client)
        m.bump()
        return buf if rc == _ffi.DONE and done == n else None

    def read(
        self, off: int, n: int, ra: ReadAhead, client: bool = False
    ) -> Op[bytearray]:
        """Read up to `n` bytes at `off`, reading ahead; see read_now().

        Raises:
            VmError: EIO or the host's errno of a failed read, ENOMEM.
        """
        return filereading.read(self, off, n, ra, client)

    def _ask_ahead(self, first: int, last: int, ra: ReadAhead) -> bool:
        # The windows that this access asks for; False: one of them has to wait.
        if self.kind != "file":
            return True
        for start, nr in ra.peek(first, last, pages_of(self.size)):
            try:
                self.hold_fd()
            except VmError:
                return False
            rc, _ = self.m.core.file_submit_read(self.id, start, nr)
            self.m.kick_kswapds()
            if rc != _ffi.DONE:
                return False
        ra.access(first, last, pages_of(self.size))
        return True

    def submit_ahead(self, first: int, nr: int) -> Op[None]:
        """Start reading the absent ones of `nr` pages, as far as memory is free."""
        return filereading.submit_ahead(self, first, nr)

    def fill(self, index: int, slow: SlowPath, ra: ReadAhead | None) -> Op[None]:
        """A task faults on page `index`: read it, and ahead of it."""
        return filereading.fill(self, index, slow, ra)

    # -- writing -------------------------------------------------------------

    def write_now(
        self, off: int, data: Any, pid: int = 0, client: bool = False
    ) -> int | None:
        """Write at once what needs no wait; None: it takes an operation.

        Written in part it is written again from its start: the bytes are the same.
        """
        m = self.m
        if self.kind == "file" and m.writeback.must_balance():
            return None
        if off + len(data) > MAX_BYTES or len(data) > CHUNK or not data:
            return None
        try:
            self.hold_fd()
        except VmError:
            return None
        rc, done = m.core.file_write(self.id, off, data, 0, client)
        m.kick_kswapds()
        m.bump()
        self._wrote(off, done)
        return done if rc == _ffi.DONE and done == len(data) else None

    def write(self, off: int, data: Any, pid: int = 0, client: bool = False) -> Op[int]:
        """Write `data` at `off`; the file grows as it must.

        A writer is made to write back when too much is dirty. What was written
        before an error stays, and is the result; the error comes if nothing was.

        Args:
            off: bytes, >= 0.
            data: anything with the buffer interface.
            pid: of the writer, for reports.
            client: they come out of the real kernel's copy of the pages.

        Raises:
            VmError: EFBIG, ENOMEM, EIO or the host's errno, ENOSPC.
        """
        cutting.check_size(self.owner, off + len(data))
        view = memoryview(data).cast("B")
        slow = SlowPath(self.m)
        pos = 0
        try:
            while pos < len(view):
                part = view[pos : pos + CHUNK]
                with self.in_use():
                    self.hold_fd()
                    pos += yield from self._write_part(off + pos, part, slow, client)
                if self.kind == "file" and self.m.writeback.must_balance():
                    yield from self.m.writeback.balance_dirty_pages()
        except VmError:
            if not pos:
                raise
        return pos

    def _write_part(
        self, off: int, data: memoryview, slow: SlowPath, client: bool
    ) -> Op[int]:
        m = self.m
        pos = 0
        while True:
            rc, done = m.core.file_write(self.id, off + pos, data, pos, client)
            m.kick_kswapds()
            self._wrote(off + pos, done)
            pos += done
            if rc == _ffi.DONE:
                return pos
            if rc < 0 and pos:
                return pos
            check(rc, f"write of {self.owner.label()}")
            if done:
                slow.progress()
            yield from settle(m, rc, slow)

    def _wrote(self, off: int, done: int) -> None:
        if not done:
            return
        self.size = max(self.size, off + done)
        if self.kind == "file":
            pages = ((off + done - 1) >> PAGE_SHIFT) - (off >> PAGE_SHIFT) + 1
            self.m.writeback.dirtied(self, pages)

    # -- the rest --------------------------------------------------------------

    def truncate(self, size: int) -> Op[None]:
        """Set the size; pages above it go, the rest of the last one is zeroed.

        Raises:
            VmError: EFBIG, or what reading the last page back gave.
        """
        return cutting.truncate(self, size)

    def punch(self, off: int, n: int) -> Op[None]:
        """Forget the whole pages of a range; the rest of it reads as zero.

        What the host has there is the caller's: a page that is read again during
        the punch, or was on its way to the host, has the old bytes.

        Raises:
            VmError: EFBIG, or what reading a page back from swap gave.
        """
        return cutting.punch(self, off, n)

    def flush(self, off: int, n: int, drop: bool) -> Op[None]:
        """Have the host's file hold a range, and with `drop` nothing else.

        It is so when the operation ends, and until the next one runs.

        Raises:
            VmError: the errno of a failed write-out.
        """
        return filesync.flush(self, off, n, drop)

    def direct_read(self, off: int, n: int) -> Op[bytearray]:
        """Read the host's file past the page cache, which `flush` has cleaned.

        Raises:
            VmError: the host's errno.
        """
        return directio.read(self, off, n)

    def direct_write(self, off: int, data: Any) -> Op[int]:
        """Write it past the page cache, from which `flush` has dropped the range.

        Raises:
            VmError: the host's errno.
        """
        return directio.write(self, off, data)

    def grown(self, size: int) -> None:
        """The host's file reaches to `size` at least."""
        if size > self.size:
            self.size = size
            self.m.core.mapping_size(self.id, size)

    def writeback(self) -> Op[int]:
        """Start write-out of every page that is dirty now; pages started."""
        return filesync.writeback(self)

    def wait_writeback(self) -> Op[None]:
        """Wait until no page of it is being written."""
        return filesync.wait_writeback(self)

    def fsync(self) -> Op[None]:
        """Write back and wait; a page that was on its way out is written again.

        Raises:
            VmError: the errno of a failed transfer, once.
        """
        return filesync.fsync(self)

    def raise_error(self) -> None:
        """Report a failed transfer, once.

        Raises:
            VmError: its errno.
        """
        filesync.raise_error(self)

    def drop(self) -> Op[None]:
        """Forget every page, dirty or not, and the file; after its last release.

        A file that a task still maps goes with its last area.
        """
        if self.dead or self.dropping:
            return
        if self.stat().nr_vmas:
            self.dropping = True
            return
        yield from cutting.forget(self)

    def light(self) -> bool:
        """Whether drop_now() would do it."""
        return cutting.is_light(self)

    def drop_now(self) -> bool:
        """As ``drop``, if that is done at once; False: it takes an operation."""
        return cutting.forget_now(self)

    def unmapped(self) -> Op[None]:
        """A task's area of the file has gone."""
        if self.dead or self.stat().nr_vmas:
            return
        if self.dropping:
            yield from cutting.forget(self)
        else:
            self.settle()
