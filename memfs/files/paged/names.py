"""Names: lookup, creation, removal, rename, links, and reading directories.

Each change goes to the store first; if that refuses, nothing has changed. What
becomes of the data of something that lost its last name is the volume's business
(data.py), not that of this module.

Source: the checks are those of fs/namei.c may_create(), may_delete() and
vfs_rename(), Linux 6.1. The kernel makes them as well, for what it knows.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

from memfs.files.paged.dirindex import DirIndex
from memfs.files.paged.inode import Directory, File, Inode
from memfs.files.paged.store import Store
from memfs.files.paged.table import InodeTable
from memfs.tree import Attr, Caller, TreeError, VolumeEntry

NAME_MAX = 255
RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
# More than one getdents() of 32 KiB takes with attributes; chosen here.
READDIR_BATCH = 192
DOT_COOKIE, DOTDOT_COOKIE = 1, 2

I = TypeVar("I", bound=Inode)  # noqa: E741


def check_name(name: bytes) -> None:
    """Raises TreeError: what no file can be called."""
    if len(name) > NAME_MAX:
        raise TreeError(errno.ENAMETOOLONG)
    if not name or b"/" in name or b"\0" in name:
        raise TreeError(errno.EINVAL, f"not a file name: {name!r}")


def check_new_name(name: bytes) -> None:
    check_name(name)
    if name in (b".", b".."):
        raise TreeError(errno.EEXIST)


class Names:
    """The tree of names over one store."""

    def __init__(self, table: InodeTable, store: Store) -> None:
        self.table = table
        self.store = store

    # Looking

    def peek(self, parent: Directory, name: bytes) -> Inode | None:
        """What *name* is, None if there is no such name."""
        inode = parent.children.get(name)
        if inode is None and not parent.complete and _alive(parent):
            inode = self.store.find(parent, name)
            if inode is not None:
                _hang(parent, name, inode)
        return inode

    def child(self, parent: Directory, name: bytes) -> Inode:
        """Raises TreeError(ENOENT), and ENAMETOOLONG or EINVAL for the name."""
        if name == b".":
            return parent
        if name == b"..":
            return parent.parent
        check_name(name)
        inode = self.peek(parent, name)
        if inode is None:
            raise TreeError(errno.ENOENT)
        return inode

    def read(self, parent: Directory, cookie: int) -> list[VolumeEntry]:
        """Some entries behind *cookie*, [] at the end."""
        entries: list[VolumeEntry] = []
        if cookie < DOT_COOKIE:
            entries.append(VolumeEntry(b".", parent.ino, parent.attr(), DOT_COOKIE))
        if cookie < DOTDOT_COOKIE:
            up = parent.parent
            entries.append(VolumeEntry(b"..", up.ino, up.attr(), DOTDOT_COOKIE))
        while _alive(parent):
            rows = self._index(parent).after(cookie, READDIR_BATCH)
            for cookie, name in rows:
                inode = self.peek(parent, name)
                if inode is not None:
                    attr = self.attr(inode)
                    entries.append(VolumeEntry(name, inode.ino, attr, cookie))
            if entries or not rows:
                break
        return entries

    def attr(self, inode: Inode) -> Attr:
        """Its attributes now; of a directory they are kept up to date anyway."""
        if isinstance(inode, File):
            self.store.refresh(inode)
        return inode.attr()

    def _index(self, parent: Directory) -> DirIndex:
        if parent.index is None:
            parent.index = DirIndex(self.store.names(parent))
        return parent.index

    # Making

    def make(
        self,
        parent: Directory,
        name: bytes,
        maker: Callable[[Directory, bytes], I],
    ) -> I:
        """Create something at a free name.

        Raises:
            TreeError: EEXIST; ENOENT in a directory that was removed.
        """
        self._check_free(parent, name)
        inode = maker(parent, name)
        _hang(parent, name, inode)
        self._entry_added(parent, name, isinstance(inode, Directory))
        return inode

    def make_nameless(self, parent: Directory, maker: Callable[[], File]) -> File:
        """A new file near *parent*, without a name; ``link`` may give it its first."""
        if not _alive(parent):
            raise TreeError(errno.ENOENT)
        file = maker()
        file.nlink = 0
        file.nameless = True
        return file

    def link(self, inode: Inode, parent: Directory, name: bytes) -> None:
        """Give *inode* one more name."""
        if isinstance(inode, Directory):
            raise TreeError(errno.EPERM)
        nameless = isinstance(inode, File) and inode.nameless
        if inode.nlink == 0 and not nameless:
            raise TreeError(errno.ENOENT)
        self._check_free(parent, name)
        self.store.link(inode, parent, name)
        if isinstance(inode, File):
            inode.nameless = False
        _hang(parent, name, inode)
        inode.nlink += 1
        inode.stamp()
        self._entry_added(parent, name, False)

    def _check_free(self, parent: Directory, name: bytes) -> None:
        check_new_name(name)
        if not _alive(parent):
            raise TreeError(errno.ENOENT)
        # A name that has not been met yet is the store's to refuse.
        if name in parent.children:
            raise TreeError(errno.EEXIST)

    # Removing

    def unlink(self, parent: Directory, name: bytes) -> Inode:
        """Take a name away; the inode may live on."""
        inode = self.child(parent, name)
        if isinstance(inode, Directory):
            raise TreeError(errno.EISDIR)
        self.store.unlink(parent, name, inode)
        self._entry_gone(parent, name, False)
        _unhang(parent, name, inode)
        self._lost_name(inode)
        return inode

    def rmdir(self, parent: Directory, name: bytes) -> Directory:
        """Remove an empty directory."""
        if name == b".":
            raise TreeError(errno.EINVAL)
        inode = self.child(parent, name)
        if not isinstance(inode, Directory):
            raise TreeError(errno.ENOTDIR)
        if name == b".." or (inode.complete and inode.children):
            raise TreeError(errno.ENOTEMPTY)
        self.store.rmdir(parent, name, inode)
        self._entry_gone(parent, name, True)
        _unhang(parent, name, inode)
        self._lost_name(inode)
        return inode

    # Moving

    def rename(
        self,
        parent: Directory,
        name: bytes,
        new_parent: Directory,
        new_name: bytes,
        flags: int,
    ) -> Inode | None:
        """Move a name; return what lost its name by that.

        Raises:
            TreeError: EINVAL for flags other than one of NOREPLACE and EXCHANGE,
                and for moving a directory below itself; EEXIST, EISDIR, ENOTDIR,
                ENOTEMPTY as rename(2).
        """
        if flags not in (0, RENAME_NOREPLACE, RENAME_EXCHANGE):
            raise TreeError(errno.EINVAL, f"rename flags {flags:#x}")
        inode = self.child(parent, name)
        check_name(new_name)
        target = self.peek(new_parent, new_name)
        exchange = flags == RENAME_EXCHANGE
        self._check_rename(inode, new_parent, target, flags)
        if target is inode:
            return None
        self.store.rename(parent, name, new_parent, new_name, target, exchange)
        if exchange:
            assert target is not None
            self._exchange(parent, name, inode, new_parent, new_name, target)
            return None
        self._move(parent, name, inode, new_parent, new_name, target)
        return target

    def _check_rename(
        self, inode: Inode, new_parent: Directory, target: Inode | None, flags: int
    ) -> None:
        if not _alive(new_parent):
            raise TreeError(errno.ENOENT)
        if flags == RENAME_NOREPLACE and target is not None:
            raise TreeError(errno.EEXIST)
        is_dir = isinstance(inode, Directory)
        if is_dir and _below(new_parent, inode):
            raise TreeError(errno.EINVAL)
        if flags == RENAME_EXCHANGE:
            if target is None:
                raise TreeError(errno.ENOENT)
            return
        if target is None or target is inode:
            return
        if isinstance(target, Directory):
            if not is_dir:
                raise TreeError(errno.EISDIR)
            if target.complete and target.children:
                raise TreeError(errno.ENOTEMPTY)
        elif is_dir:
            raise TreeError(errno.ENOTDIR)

    def _move(
        self,
        parent: Directory,
        name: bytes,
        inode: Inode,
        new_parent: Directory,
        new_name: bytes,
        target: Inode | None,
    ) -> None:
        is_dir = isinstance(inode, Directory)
        if target is not None:
            self._entry_gone(new_parent, new_name, isinstance(target, Directory))
            _unhang(new_parent, new_name, target)
            self._lost_name(target)
        self._entry_gone(parent, name, is_dir)
        _unhang(parent, name, inode)
        _hang(new_parent, new_name, inode)
        self._entry_added(new_parent, new_name, is_dir)
        inode.stamp()

    def _exchange(
        self,
        parent: Directory,
        name: bytes,
        inode: Inode,
        new_parent: Directory,
        new_name: bytes,
        target: Inode,
    ) -> None:
        _unhang(parent, name, inode)
        _unhang(new_parent, new_name, target)
        _hang(parent, name, target)
        _hang(new_parent, new_name, inode)
        change = isinstance(inode, Directory) - isinstance(target, Directory)
        new_parent.nlink += change
        parent.nlink -= change
        for changed in (inode, target):
            changed.stamp()
        for directory in (parent, new_parent):
            directory.stamp(modified=True)
            self.store.refresh(directory)

    # Book-keeping

    def _entry_added(self, parent: Directory, name: bytes, is_dir: bool) -> None:
        if parent.index is not None:
            parent.index.add(name)
        parent.nlink += is_dir
        parent.stamp(modified=True)
        self.store.refresh(parent)

    def _entry_gone(self, parent: Directory, name: bytes, is_dir: bool) -> None:
        if parent.index is not None:
            parent.index.discard(name)
        parent.nlink -= is_dir
        parent.stamp(modified=True)
        self.store.refresh(parent)

    def _lost_name(self, inode: Inode) -> None:
        inode.nlink = 0 if isinstance(inode, Directory) else inode.nlink - 1
        inode.stamp()
        if inode.nlink == 0:
            self.table.unkey(inode)

    def forget(self, inode: Inode) -> None:
        """Drop *inode* from memory; the store still has it, or nobody has.

        Harmless twice: who gives up the last of several holds on it may find that
        another, who waited meanwhile, has come to the same end.
        """
        if inode not in self.table:
            return
        for parent, name in inode.names:
            if parent.children.get(name) is inode:
                del parent.children[name]
        inode.names.clear()
        self.store.gone(inode)
        self.store.forgotten(inode)
        self.table.remove(inode)


def owner_of_new(parent: Directory, caller: Caller) -> tuple[int, int]:
    """uid and gid of something new: a set-group-ID directory passes its group on."""
    gid = parent.gid if parent.mode & 0o2000 else caller.gid
    return caller.uid, gid


def _alive(directory: Directory) -> bool:
    return directory.nlink > 0


def _hang(parent: Directory, name: bytes, inode: Inode) -> None:
    parent.children[name] = inode
    inode.names.append((parent, name))


def _unhang(parent: Directory, name: bytes, inode: Inode) -> None:
    del parent.children[name]
    inode.names.remove((parent, name))


def _below(directory: Directory, ancestor: Inode) -> bool:
    """*directory* is *ancestor* or lies below it."""
    while directory is not ancestor:
        if directory.parent is directory:
            return False
        directory = directory.parent
    return True
