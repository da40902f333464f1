"""Inodes: what there is, whatever its names are.

A ``File`` owns its page file; its size is the page file's as soon as there is
one. Times are ns since the epoch, taken from the host's clock: they are times of
real files, not of the model.

What it is not: an inode does nothing by itself. Names are changed by names.py,
data by data.py, and what lies on the host by the store.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from memfs.files.paged.contract import Pages
from memfs.tree import Attr

if TYPE_CHECKING:
    from memfs.files.paged.dirindex import DirIndex

# Linux's relatime: an access time older than this is renewed by any access.
RELATIME_NS = 24 * 3600 * 10**9
SET_ID = stat.S_ISUID | stat.S_ISGID


class Inode:
    """What all kinds have in common.

    Attributes:
        ino: the volume's number, 1 is the root.
        key: the store's identity of it, None where the number is enough.
        names: where it hangs; directories have one name at most.
        nlookup: references of the kernel.
        xattrs: extended attributes that lie in memory; None: there never were any.
    """

    __slots__ = (
        "atime_ns",
        "ctime_ns",
        "gid",
        "ino",
        "key",
        "mode",
        "mtime_ns",
        "names",
        "nlink",
        "nlookup",
        "rdev",
        "uid",
        "xattrs",
    )

    def __init__(self, ino: int, mode: int, uid: int, gid: int) -> None:
        now = time.time_ns()
        self.ino = ino
        self.key: Any = None
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.nlink = 1
        self.rdev = 0
        self.atime_ns = self.mtime_ns = self.ctime_ns = now
        self.nlookup = 0
        self.names: list[tuple[Directory, bytes]] = []
        self.xattrs: dict[bytes, bytes] | None = None

    def stamp(self, *, modified: bool = False) -> None:
        """The inode changed now; with *modified* its contents did, too."""
        self.end_short_way()
        self.ctime_ns = time.time_ns()
        if modified:
            self.mtime_ns = self.ctime_ns

    def catch_up(self) -> None:
        """Take over what changed on the short way; files alone have one."""

    def end_short_way(self) -> None:
        """Have every request ask the volume again."""

    def accessed(self) -> bool:
        """Renew the access time where relatime says so; True if it did.

        Source: fs/inode.c relatime_need_update(), Linux 6.1.
        """
        self.catch_up()
        old = self.atime_ns
        if old > self.mtime_ns and old > self.ctime_ns:
            now = time.time_ns()
            if now - old < RELATIME_NS:
                return False
            self.atime_ns = now
            return True
        self.atime_ns = time.time_ns()
        return True

    def attr(self) -> Attr:
        return self._attr(0, 0)

    def _attr(self, size: int, blocks: int) -> Attr:
        return Attr(
            self.mode,
            size,
            self.nlink,
            self.uid,
            self.gid,
            self.atime_ns,
            self.mtime_ns,
            self.ctime_ns,
            blocks,
            4096,
            self.rdev,
        )

    def idle(self) -> bool:
        """Nothing but its names would be lost by forgetting it."""
        return self.nlookup == 0


class Special(Inode):
    """A symbolic link, FIFO, socket or device."""

    __slots__ = ("target",)

    def __init__(self, ino: int, mode: int, uid: int, gid: int) -> None:
        super().__init__(ino, mode, uid, gid)
        self.target: bytes | None = None  # None: no link, or the store knows it
        if stat.S_ISLNK(mode):
            self.mode = stat.S_IFLNK | 0o777

    def attr(self) -> Attr:
        return self._attr(len(self.target or b""), 0)


class Directory(Inode):
    """A directory; ``children`` are all its names, or those met so far.

    Attributes:
        complete: ``children`` are all there are.
        index: names in the order of readdir, None until somebody reads it.
        size, blocks: as stat shows them.
    """

    __slots__ = ("blocks", "children", "complete", "index", "size")

    def __init__(self, ino: int, mode: int, uid: int, gid: int) -> None:
        super().__init__(ino, stat.S_IFDIR | stat.S_IMODE(mode), uid, gid)
        self.nlink = 2
        self.children: dict[bytes, Inode] = {}
        self.complete = False
        self.index: DirIndex | None = None
        self.size = 0
        self.blocks = 0

    @property
    def parent(self) -> Directory:
        """The root is its own parent; so is what has been removed."""
        return self.names[0][0] if self.names else self

    def attr(self) -> Attr:
        return self._attr(self.size, self.blocks)

    def idle(self) -> bool:
        return self.nlookup == 0 and not self.children


class File(Inode):
    """A regular file.

    Attributes:
        pages: its page file, None until it is first read or written.
        disk_size: bytes, while there are no pages.
        blocks: of 512 bytes, as the store last counted them.
        nopen: open handles.
        nameless: it never had a name, and may get one.
        cutting: an operation is changing the size, or making a hole.
        times_due: the times here are newer than the store's.
        error, error_seq: the last failed write-out and how many there were; a
            handle that has not seen the newest reports it at its next fsync
            (Linux's errseq).
        backing: the store's own.
        lane: the record of the short way, None while nobody has it open.
    """

    __slots__ = (
        "backing",
        "blocks",
        "cutting",
        "disk_size",
        "error",
        "error_seq",
        "lane",
        "nameless",
        "nopen",
        "pages",
        "times_due",
    )

    def __init__(self, ino: int, mode: int, uid: int, gid: int) -> None:
        super().__init__(ino, stat.S_IFREG | stat.S_IMODE(mode), uid, gid)
        self.pages: Pages | None = None
        self.disk_size = 0
        self.blocks = 0
        self.nopen = 0
        self.nameless = False
        self.cutting = False
        self.times_due = False
        self.error = 0
        self.error_seq = 0
        self.backing: Any = None
        self.lane: Any = None

    @property
    def size(self) -> int:
        pages = self.pages
        return self.disk_size if pages is None else pages.size

    def attr(self) -> Attr:
        self.catch_up()
        return self._attr(self.size, self.blocks)

    def written(self) -> None:
        """Its contents changed now."""
        self.catch_up()
        self.mtime_ns = self.ctime_ns = time.time_ns()
        self.times_due = True
        if self.lane is not None:
            self.lane.quiet_until = 0

    # The short way: see memfs/lanes.py. Who changes other attributes than these
    # two times ends it, and the next read or write of the long way allows it anew.

    def allow_short_way(self, mapping: int) -> None:
        """Let resident pages be read and written without a word to the volume.

        Not where a write takes set-ID bits away, and not with an access time of the
        future, which relatime leaves alone.
        """
        self.catch_up()
        if self.mode & SET_ID or self.atime_ns > time.time_ns():
            return
        lane = self.lane
        renewed = self.atime_ns > self.mtime_ns and self.atime_ns > self.ctime_ns
        lane.quiet_until = self.atime_ns + RELATIME_NS if renewed else 0
        lane.mapping = mapping
        lane.allowed = 1

    def end_short_way(self) -> None:
        """What was allowed is to be looked at again."""
        if self.lane is not None:
            self.lane.allowed = 0
            self.catch_up()

    def catch_up(self) -> None:
        lane = self.lane
        if lane is None:
            return
        read, wrote = lane.read_ns, lane.wrote_ns
        if not (read or wrote):
            return
        lane.read_ns = lane.wrote_ns = 0
        if wrote:
            self.mtime_ns = self.ctime_ns = wrote
        if read:
            self.atime_ns = read
        self.times_due = True

    def failed(self, code: int) -> None:
        """A write-out ended with errno *code*."""
        self.error = code
        self.error_seq += 1

    def settled(self) -> bool:
        """Nothing is dirty or in flight."""
        if self.pages is None:
            return True
        now = self.pages.stat()
        return not (now.nr_dirty or now.nr_writeback or now.nr_locked)

    def idle(self) -> bool:
        return self.nlookup == 0 and self.nopen == 0 and self.settled()


def path_of(inode: Inode) -> list[bytes]:
    """Names from the root down to *inode*, by its first name; [] for the root."""
    path: list[bytes] = []
    while inode.names:
        parent, name = inode.names[0]
        path.append(name)
        inode = parent
    path.reverse()
    return path


def label_of(inode: Inode, top: str) -> str:
    """Name *inode* in a message: ``files/dir/name``; escaped where not UTF-8."""
    parts: Iterable[bytes] = path_of(inode)
    text = b"/".join(parts).decode("utf-8", "backslashreplace")
    return f"{top}/{text}" if text else f"{top}/(unlinked {inode.ino})"
