"""Files with a text: rendered when they are opened, and some take commands.

Source: fs/seq_file.c (a rewind renders once more), fs/kernfs/file.c, Linux 6.1.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Awaitable, Callable

from memfs.manners import TOP, Manners
from memfs.node import OWNER, Handle, Node, PollHandle, now_ns
from memfs.request import Attr, Caller, Interrupt, TreeError

# The version of a rendering that there is not yet; no version is equal to it.
NEVER_SEEN: object = object()


class TextHandle(PollHandle):
    """A rendering, taken at open and served from that snapshot.

    Reading offset 0 once more renders once more, as seq_file does after a
    rewind: monitors keep the descriptor and seek back.
    """

    __slots__ = ("_again", "_data", "_file", "_seen")

    def __init__(self, file: TextFile, data: bytes) -> None:
        self._file = file
        self._data = data
        self._again = False
        self._seen = file.poll_key()

    @classmethod
    def shown(cls, file: TextFile, data: bytes) -> TextHandle:
        """One whose rendering was made before, and has been read."""
        handle = cls(file, data)
        handle._again = True
        # Of what has gone there is news as well.
        with contextlib.suppress(TreeError):
            if data == file.text():
                return handle
        handle._seen = NEVER_SEEN
        return handle

    def lend(self) -> tuple[bytes, int]:
        """The rendering and its length, for whoever serves the first reads of it."""
        self._again = True
        return self._data, len(self._data)

    def changed(self) -> bool:
        """What poll(2) looks at is not what it was when this was read last."""
        return bool(self._file.poll_key() != self._seen)

    def read(self, off: int, size: int) -> bytes:
        if off == 0:
            if self._again:
                self._data = self._file.text()
            self._again = True
            self._seen = self._file.poll_key()
            if size >= len(self._data):
                return self._data
        return self._data[off : off + size]

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        raise TreeError(self._file.manners.write)


class TextFile(Node):
    """A file whose bytes are rendered from the model.

    Args:
        render: gives the whole content.
        mode: permission bits, without S_IFREG.
        version: changes (by ``!=``) whenever the rendering may; while it does not,
            the kept rendering is served. None: render every time.
        size: what stat shows, when it is not the length of the rendering (4096
            for attributes under sys/); stat then costs no rendering.
        manners: how refusals answer.

    Attributes:
        poll_key: differs when poll(2) has something to tell; None: it never has.
    """

    def __init__(
        self,
        render: Callable[[], bytes],
        mode: int = 0o444,
        version: Callable[[], object] | None = None,
        *,
        size: int | None = None,
        manners: Manners = TOP,
    ) -> None:
        self.poll_key: Callable[[], object] = lambda: None
        self.mode = mode
        self.manners = manners
        self._render = render
        self._version = version
        self._size = size
        self._kept = b""
        self._kept_version: object = NEVER_SEEN
        self._attr = self._attr_of(size or 0)

    def text(self) -> bytes:
        """The content now. Its time of change is when a difference was first seen."""
        version: object = NEVER_SEEN
        if self._version is not None:
            version = self._version()
            if version == self._kept_version:
                return self._kept
        data = self._render()
        if data != self._kept:
            self._kept = data
            if self._size is None:
                self._attr = self._attr_of(len(data))
        self._kept_version = version
        return self._kept

    def attr(self) -> Attr:
        """The same object as long as nothing changes."""
        if self._size is None:
            self.text()
        return self._attr

    def _attr_of(self, size: int) -> Attr:
        when = now_ns()
        return Attr(stat.S_IFREG | self.mode, size, 1, *OWNER, when, when, when)

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        return TextHandle(self, b"" if _write_only(flags) else self.text())

    def _check(self, flags: int) -> None:
        """Root passes the permission bits, as ever; what has no method refuses."""
        if writes(flags) and not self.mode & 0o222 and self.manners.open_write:
            raise TreeError(self.manners.open_write)
        if not _write_only(flags) and not self.mode & 0o444 and self.manners.open_read:
            raise TreeError(self.manners.open_read)


# Carries out one write; how many bytes of it were taken, None for all.
Store = Callable[[bytes, Caller, Interrupt], Awaitable[int | None]]


class ControlHandle(TextHandle):
    """An open control file: each write is one command, its offset is ignored."""

    __slots__ = ("_caller", "_store")

    def __init__(
        self, file: TextFile, data: bytes, store: Store, caller: Caller
    ) -> None:
        super().__init__(file, data)
        self._store = store
        self._caller = caller

    @property
    def pid(self) -> int:
        return self._caller.pid

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        if not data:
            return 0
        taken = await self._store(data, self._caller, interrupt)
        return len(data) if taken is None else taken


class ControlFile(TextFile):
    """A text file that takes commands.

    Args:
        store: carries out one write; an errno it raises is the writer's.
        render: None for a write-only file (mode 0200).
        fresh_inode: a command may hold its writer.
    """

    def __init__(
        self,
        render: Callable[[], bytes] | None,
        store: Store,
        mode: int = 0o644,
        version: Callable[[], object] | None = None,
        *,
        size: int | None = None,
        manners: Manners = TOP,
        fresh_inode: bool = False,
    ) -> None:
        super().__init__(
            render or (lambda: b""), mode, version, size=size, manners=manners
        )
        self._store = store
        self.fresh_inode = fresh_inode

    def open(self, flags: int, caller: Caller) -> Handle:
        self._check(flags)
        data = b"" if _write_only(flags) else self.text()
        if not writes(flags):
            return TextHandle(self, data)
        return ControlHandle(self, data, self._store, caller)


def writes(flags: int) -> bool:
    """Whether a file is opened for writing."""
    return flags & os.O_ACCMODE != os.O_RDONLY


def _write_only(flags: int) -> bool:
    return flags & os.O_ACCMODE == os.O_WRONLY
