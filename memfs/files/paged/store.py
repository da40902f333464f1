"""What a volume lies on: the contract that a host directory and "nothing" fulfil.

Every method is called before the change is made in memory, and refuses it by
raising OSError or TreeError; then nothing has changed. None of them waits: what may
take long is handed over as a call, for a thread.
"""

from __future__ import annotations

from typing import Protocol

from memfs.files.paged.inode import Directory, File, Inode
from memfs.files.paged.table import InodeTable
from memfs.tree import Caller, StatFs


class LongCall(Protocol):
    """A call of the host that may take long: made once, in a thread, or dropped."""

    def __call__(self) -> None: ...
    def drop(self) -> None: ...


class XattrStore(Protocol):
    """Keeps extended attributes: a value by each name."""

    def get(self, inode: Inode, name: bytes) -> bytes: ...
    def set(self, inode: Inode, name: bytes, value: bytes) -> None: ...
    def names(self, inode: Inode) -> list[bytes]: ...
    def remove(self, inode: Inode, name: bytes) -> None: ...


class Store(Protocol):
    """One method for each thing that must outlive the memory of it.

    Attributes:
        kind: of its page files, "file" or "shm".
        forgets: an inode with a name may be forgotten, since ``find`` finds it
            again; False where the names live in memory alone.
        bypasses: O_DIRECT goes past the pages, and must be aligned.
        xattrs: extended attributes.
    """

    kind: str
    forgets: bool
    bypasses: bool

    @property
    def xattrs(self) -> XattrStore: ...
    def attach(self, table: InodeTable) -> Directory:
        """Give the root; new inodes take their numbers from *table*."""

    def find(self, parent: Directory, name: bytes) -> Inode | None:
        """The inode of a name that is not in ``parent.children``."""

    def names(self, parent: Directory) -> list[bytes]:
        """All names of a directory."""

    def create(
        self, parent: Directory, name: bytes, mode: int, caller: Caller
    ) -> File: ...
    def create_nameless(self, parent: Directory, mode: int, caller: Caller) -> File:
        """A file that is in no directory; near *parent*, and owned as if in it."""

    def mkdir(
        self, parent: Directory, name: bytes, mode: int, caller: Caller
    ) -> Directory: ...
    def mknod(
        self, parent: Directory, name: bytes, mode: int, rdev: int, caller: Caller
    ) -> Inode: ...
    def symlink(
        self, parent: Directory, name: bytes, target: bytes, caller: Caller
    ) -> Inode: ...
    def link(self, inode: Inode, parent: Directory, name: bytes) -> None: ...
    def unlink(self, parent: Directory, name: bytes, inode: Inode) -> None: ...
    def rmdir(self, parent: Directory, name: bytes, inode: Directory) -> None: ...
    def rename(
        self,
        parent: Directory,
        name: bytes,
        new_parent: Directory,
        new_name: bytes,
        target: Inode | None,
        exchange: bool,
    ) -> None:
        """Move a name; *target* is what lies at the new one."""

    def chmod(self, inode: Inode, mode: int) -> None: ...
    def chown(self, inode: Inode, uid: int, gid: int) -> None: ...
    def times_changed(self, inode: Inode) -> None:
        """Somebody set the times in *inode*."""

    def refresh(self, inode: Inode) -> None:
        """Take over what the store alone knows: blocks, a directory's times."""

    def opened(self, file: File, writes: bool) -> None:
        """A handle is about to be given out; refuse here what cannot be opened."""

    def closed(self, file: File) -> None:
        """The last handle is gone, the names are not."""

    def gone(self, inode: Inode) -> None:
        """No handle and no pages any more; harmless twice."""

    def forgotten(self, inode: Inode) -> None:
        """The inode, which is gone, is about to leave the memory of the volume."""

    def check(self, file: File) -> None:
        """Raises OSError(ESTALE) if what is written to *file* is as good as lost."""

    def save_times(self, file: File) -> None:
        """Write the times of *file* if they are newer here."""

    def dirty_files(self) -> list[File]:
        """Files that nobody has open and that wait for write-back, oldest first."""

    def reserve(self, file: File, off: int, nbytes: int, stored: bool) -> int:
        """How many of *nbytes* may be written at *off*.

        Args:
            stored: through a mapping, and so written already to whoever did it: a
                store that can keep them, and say later what became of them, does.

        Raises:
            TreeError: ENOSPC if none.
        """

    def spare(self, nbytes: int) -> bool:
        """Take room for bytes that will be written unseen; False: there may be none."""

    def truncate(self, file: File, size: int) -> None:
        """Change the size on the store, now."""

    def punch(self, file: File, off: int, nbytes: int) -> None:
        """Give the storage of a range back; it then reads as zeros."""

    def allocate(self, file: File, off: int, nbytes: int) -> None:
        """Make sure that writing a range cannot fail for want of space."""

    def seek(self, file: File, off: int, whence: int) -> int:
        """SEEK_DATA and SEEK_HOLE; everything dirty has been written."""

    def syncing(self, file: File, datasync: bool) -> LongCall | None:
        """What makes the written pages of *file* survive a crash of the host."""

    def syncing_directory(self, directory: Directory) -> LongCall | None: ...
    def statfs(self) -> StatFs: ...
    def close(self, keep: bool) -> None:
        """The volume ends; everything has been written, or *keep* what there is."""
