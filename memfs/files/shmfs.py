"""shm/: the tmpfs of the model. Names in memory, data in page files kind "shm".

What it is not: nothing of it lies on the host, but for the frames that the model
spills there. Its contents end with the mount.

A file is charged for each page that was written or allocated, whether it is in
memory or swapped out; ``size=`` limits the sum.

O_DIRECT is accepted and changes nothing, as on Linux 6.6 and later, whatever kernel
the model is of: programs that want it are today's.

Source: mm/shmem.c, Linux 6.1 (shmem_inode_acct_block(), shmem_statfs(),
shmem_fallocate()), and Documentation/filesystems/tmpfs.rst for ``size=``.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TypeVar

from memfs.files.paged.contract import PAGE_SIZE, Lanes, PageCache, Pump
from memfs.files.paged.extents import Extents
from memfs.files.paged.inode import Directory, File, Inode, Special, label_of
from memfs.files.paged.names import owner_of_new
from memfs.files.paged.table import ROOT_INO, InodeTable
from memfs.files.paged.volume import PagedVolume
from memfs.tree import Caller, StatFs, TreeError
from memfs.vm.errors import VmError

SEEK_DATA = 3
# Pages of all files together: more than any can have.
NO_LIMIT = 1 << 50
BLOCKS_PER_PAGE = PAGE_SIZE // 512
# What tmpfs counts for an entry of a directory (mm/shmem.c BOGO_DIRENT_SIZE).
DIRENT_SIZE = 20
# Bytes of names and values of an inode's attributes: one of the longest, and some.
XATTR_ROOM = 1 << 17


I = TypeVar("I", bound=Inode)  # noqa: E741


class ShmFile:
    """The owner of a page file: what the model asks about it."""

    __slots__ = ("extents", "file")

    def __init__(self, file: File) -> None:
        self.file = file
        self.extents = Extents()

    def need_fd(self) -> int:
        raise VmError(errno.EIO, f"{self.label()} has no file on the host")

    def io_idle(self) -> None:
        return

    def label(self) -> str:
        return label_of(self.file, "shm")


class ShmXattrs:
    """Extended attributes in memory, a bounded number of bytes an inode.

    Departure: tmpfs bounds those of all inodes together, by the room of its inodes.
    """

    def get(self, inode: Inode, name: bytes) -> bytes:
        """Raises TreeError(ENODATA)."""
        found = (inode.xattrs or {}).get(name)
        if found is None:
            raise TreeError(errno.ENODATA)
        return found

    def set(self, inode: Inode, name: bytes, value: bytes) -> None:
        """Raises TreeError(ENOSPC): an inode has no room for so much."""
        kept = {**(inode.xattrs or {}), name: value}
        if sum(len(name) + len(value) for name, value in kept.items()) > XATTR_ROOM:
            raise TreeError(errno.ENOSPC)
        inode.xattrs = kept

    def names(self, inode: Inode) -> list[bytes]:
        """In the order in which they were set first."""
        return list(inode.xattrs or ())

    def remove(self, inode: Inode, name: bytes) -> None:
        """Raises TreeError(ENODATA)."""
        self.get(inode, name)
        assert inode.xattrs is not None
        del inode.xattrs[name]


class ShmStore:
    """Keeps the limits; everything else is in the inodes.

    Args:
        max_pages: ``size=``, in pages.
        max_inodes: ``nr_inodes=``.
    """

    kind = "shm"
    bypasses = False
    forgets = False

    def __init__(self, max_pages: int, max_inodes: int) -> None:
        self.max_pages = max_pages
        self.max_inodes = max_inodes
        self.used_pages = 0
        self.used_inodes = 0
        self.xattrs = ShmXattrs()
        self._table: InodeTable

    def attach(self, table: InodeTable) -> Directory:
        self._table = table
        root = self._enter(Directory(ROOT_INO, 0o1777, os.getuid(), os.getgid()))
        table.hold(root)
        return root

    # Names

    def find(self, parent: Directory, name: bytes) -> Inode | None:
        return None

    def names(self, parent: Directory) -> list[bytes]:
        return list(parent.children)

    def create(self, parent: Directory, name: bytes, mode: int, caller: Caller) -> File:
        return self.create_nameless(parent, mode, caller)

    def create_nameless(self, parent: Directory, mode: int, caller: Caller) -> File:
        file = File(self._number(), mode, *owner_of_new(parent, caller))
        file.backing = ShmFile(file)
        return self._enter(file)

    def mkdir(
        self, parent: Directory, name: bytes, mode: int, caller: Caller
    ) -> Directory:
        mode |= parent.mode & stat.S_ISGID
        return self._enter(
            Directory(self._number(), mode, *owner_of_new(parent, caller))
        )

    def mknod(
        self, parent: Directory, name: bytes, mode: int, rdev: int, caller: Caller
    ) -> Inode:
        inode = Special(self._number(), mode, *owner_of_new(parent, caller))
        inode.rdev = rdev
        return self._enter(inode)

    def symlink(
        self, parent: Directory, name: bytes, target: bytes, caller: Caller
    ) -> Inode:
        owner = owner_of_new(parent, caller)
        inode = Special(self._number(), stat.S_IFLNK | 0o777, *owner)
        inode.target = target
        return self._enter(inode)

    def _number(self) -> int:
        """Raises TreeError(ENOSPC) when there are as many inodes as there may be."""
        if self.used_inodes >= self.max_inodes:
            raise TreeError(errno.ENOSPC, f"shm/ has {self.max_inodes} inodes")
        return self._table.fresh()

    def _enter(self, inode: I) -> I:
        self.used_inodes += 1
        if isinstance(inode, Directory):
            inode.complete = True
        self._table.add(inode)
        return inode

    def link(self, inode: Inode, parent: Directory, name: bytes) -> None:
        return

    def unlink(self, parent: Directory, name: bytes, inode: Inode) -> None:
        return

    def rmdir(self, parent: Directory, name: bytes, inode: Directory) -> None:
        return

    def rename(
        self,
        parent: Directory,
        name: bytes,
        new_parent: Directory,
        new_name: bytes,
        target: Inode | None,
        exchange: bool,
    ) -> None:
        return

    # Attributes

    def chmod(self, inode: Inode, mode: int) -> None:
        if stat.S_ISLNK(inode.mode):
            raise TreeError(errno.EOPNOTSUPP)

    def chown(self, inode: Inode, uid: int, gid: int) -> None:
        return

    def times_changed(self, inode: Inode) -> None:
        return

    def check(self, file: File) -> None:
        return

    def save_times(self, file: File) -> None:
        return

    def refresh(self, inode: Inode) -> None:
        if isinstance(inode, File):
            inode.blocks = inode.backing.extents.total * BLOCKS_PER_PAGE
        elif isinstance(inode, Directory):
            inode.size = len(inode.children) * DIRENT_SIZE

    # Open files

    def opened(self, file: File, writes: bool) -> None:
        return

    def closed(self, file: File) -> None:
        return

    def dirty_files(self) -> list[File]:
        return []

    def gone(self, inode: Inode) -> None:
        """Give back what the inode was charged for; harmless twice."""
        if isinstance(inode, File):
            self._uncharge(inode, 0, 1 << 40)

    def forgotten(self, inode: Inode) -> None:
        self.used_inodes -= 1

    # Data

    def reserve(self, file: File, off: int, nbytes: int, stored: bool) -> int:
        first, end = _pages(off, nbytes)
        extents: Extents = file.backing.extents
        room = self.max_pages - self.used_pages
        if extents.missing(first, end) > room:
            end = extents.reach(first, end, room)
            nbytes = min(nbytes, end * PAGE_SIZE - off)
            if nbytes <= 0:
                raise TreeError(errno.ENOSPC, f"shm/ has {self.max_pages} pages")
        self.used_pages += extents.add(first, end)
        return nbytes

    def spare(self, nbytes: int) -> bool:
        # Each page is charged to its place.
        return False

    def truncate(self, file: File, size: int) -> None:
        self._uncharge(file, -(-size // PAGE_SIZE), 1 << 40)

    def punch(self, file: File, off: int, nbytes: int) -> None:
        self._uncharge(file, -(-off // PAGE_SIZE), (off + nbytes) // PAGE_SIZE)

    def allocate(self, file: File, off: int, nbytes: int) -> None:
        first, end = _pages(off, nbytes)
        if file.backing.extents.missing(first, end) > self.max_pages - self.used_pages:
            raise TreeError(errno.ENOSPC, f"shm/ has {self.max_pages} pages")
        self.used_pages += file.backing.extents.add(first, end)

    def seek(self, file: File, off: int, whence: int) -> int:
        extents: Extents = file.backing.extents
        page = off // PAGE_SIZE
        if whence != SEEK_DATA:
            return min(max(off, extents.next_hole(page) * PAGE_SIZE), file.size)
        data = extents.next_data(page)
        if data is None or data * PAGE_SIZE >= file.size:
            raise TreeError(errno.ENXIO)
        return max(off, data * PAGE_SIZE)

    def _uncharge(self, file: File, first: int, end: int) -> None:
        if first < end:
            self.used_pages -= file.backing.extents.remove(first, end)

    def syncing(self, file: File, datasync: bool) -> None:
        return

    def syncing_directory(self, directory: Directory) -> None:
        return

    def statfs(self) -> StatFs:
        # Without a limit tmpfs shows none, and nothing used.
        pages = self.max_pages if self.max_pages < NO_LIMIT else 0
        free = pages and pages - self.used_pages
        inodes = self.max_inodes - self.used_inodes
        return StatFs(PAGE_SIZE, pages, free, free, self.max_inodes, inodes, inodes)

    def close(self, keep: bool) -> None:
        return


def _pages(off: int, nbytes: int) -> tuple[int, int]:
    return off // PAGE_SIZE, -(-(off + nbytes) // PAGE_SIZE)


def shm_volume(
    cache: PageCache,
    pump: Pump,
    ram_pages: int,
    size: str | None = None,
    lanes: Lanes | None = None,
) -> PagedVolume:
    """The volume of shm/.

    Args:
        ram_pages: of the machine; half of them is the default of both limits.
        size: as ``size=`` of tmpfs; None: the default.
        lanes: makes the records of the short way; None: there is none.
    """
    half = ram_pages // 2
    pages = half if size is None else limit(size, ram_pages)
    return PagedVolume(ShmStore(pages, half), cache, pump, lanes)


def limit(size: str, ram_pages: int) -> int:
    """Pages that ``size=`` allows: bytes, ``N%`` of the memory; 0 is no limit.

    Source: Documentation/filesystems/tmpfs.rst, Linux 6.1.
    """
    if size.endswith("%"):
        return int(size[:-1]) * ram_pages // 100 or NO_LIMIT
    return -(-int(size) // PAGE_SIZE) or NO_LIMIT
