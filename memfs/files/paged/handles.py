"""Open files: one entry per open(2), found by the number that the kernel holds."""

from __future__ import annotations

import errno
import os
from typing import Any

from memfs.files.paged.inode import File
from memfs.tree import Caller, TreeError


class OpenFile:
    """One open description.

    Attributes:
        lane: the record of the short way, or None.
        noatime: reading changes no access time.
        ra: read-ahead state of the model.
        pid: who opened it; the kernel does not say who reads and writes.
        drops_set_id: who opened it is not root, so writing takes set-ID bits away.
        error_seq: the newest failed write-out that it has reported.
    """

    __slots__ = (
        "direct",
        "drops_set_id",
        "error_seq",
        "file",
        "flags",
        "lane",
        "noatime",
        "pid",
        "ra",
    )

    def __init__(
        self, file: File, flags: int, caller: Caller, ra: Any, lane: Any = None
    ) -> None:
        self.file = file
        self.flags = flags
        self.pid = caller.pid
        self.drops_set_id = caller.uid != 0
        self.lane = lane
        self.ra = ra
        self.direct = bool(flags & os.O_DIRECT)
        self.noatime = bool(flags & os.O_NOATIME)
        self.error_seq = file.error_seq

    @property
    def writes(self) -> bool:
        return self.flags & os.O_ACCMODE != os.O_RDONLY


class HandleTable:
    """Numbers for open files; a number is not used again."""

    __slots__ = ("_next", "_open")

    def __init__(self) -> None:
        self._open: dict[int, OpenFile] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._open)

    def add(self, handle: OpenFile) -> int:
        fh = self._next
        self._next += 1
        self._open[fh] = handle
        return fh

    def get(self, fh: int) -> OpenFile:
        """Raises TreeError(EBADF) for a number that is not open."""
        try:
            return self._open[fh]
        except KeyError:
            raise TreeError(errno.EBADF, f"handle {fh} is not open") from None

    def remove(self, fh: int) -> OpenFile:
        handle = self.get(fh)
        del self._open[fh]
        return handle

    def files(self) -> list[File]:
        """Files with an open handle, each once, in order of opening."""
        return list(dict.fromkeys(handle.file for handle in self._open.values()))
