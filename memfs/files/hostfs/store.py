"""The store of files/: each change of names and attributes goes to the host at once.

All calls are relative to a directory's descriptor and follow no symbolic link.
Names are bytes. What the host answers is what the caller gets.

What it is not: it waits for nothing and holds no data; see the package for who
owns sizes and times.

Source: the order "owner, then mode" is that of chown(2), which takes set-ID bits
away (fs/attr.c, Linux 6.1).
"""

from __future__ import annotations

import errno
import os
import stat

from memfs.files.hostfs import opening, syscalls
from memfs.files.hostfs.directory import HostDirectory
from memfs.files.hostfs.fds import (
    DirectoryFds,
    FileFds,
    at,
    raise_limit,
    share_out,
)
from memfs.files.hostfs.file import HostFile
from memfs.files.hostfs.fill import fill, new_inode
from memfs.files.hostfs.space import Space
from memfs.files.hostfs.syncing import HostSync, check_name
from memfs.files.hostfs.xattrs import HostXattrs, Place
from memfs.files.paged.inode import Directory, File, Inode, Special
from memfs.files.paged.names import owner_of_new
from memfs.files.paged.table import ROOT_INO, InodeTable
from memfs.tree import Caller, StatFs, TreeError


class HostStore:
    """Files below one directory of the host.

    Args:
        directory: opened and locked; closed with the store.
        max_fds: descriptors it may use; None: as many as the process may have.
    """

    kind = "file"
    bypasses = True
    forgets = True

    def __init__(self, directory: HostDirectory, max_fds: int | None = None) -> None:
        self.directory = directory
        self.xattrs = HostXattrs(self._place)
        self._max_fds = raise_limit() if max_fds is None else max_fds
        self._table: InodeTable
        self._dirs: DirectoryFds
        self._files: FileFds
        self._space: Space

    def attach(self, table: InodeTable) -> Directory:
        st = os.fstat(self.directory.fd)
        root = Directory(ROOT_INO, st.st_mode, st.st_uid, st.st_gid)
        fill(root, st)
        table.add(root, (st.st_dev, st.st_ino))
        table.hold(root)
        directories, files = share_out(self._max_fds)
        self._table = table
        self._device = st.st_dev
        self._space = Space(self.directory.fd, self._unwritten)
        self._dirs = DirectoryFds(root, self.directory.fd, directories)
        self._files = FileFds(self._open_by_name, self._dirs, files)
        return root

    # Looking

    def find(self, parent: Directory, name: bytes) -> Inode | None:
        parent_fd = self._dirs.get(parent)
        try:
            st = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self._enter(parent_fd, name, st)

    def _enter(
        self, parent_fd: int, name: bytes, st: os.stat_result, new: bool = False
    ) -> Inode:
        """The inode that *st* describes, known or new."""
        key = (st.st_dev, st.st_ino)
        known = self._table.by_key(key)
        if known is not None:
            if not new and stat.S_IFMT(known.mode) == stat.S_IFMT(st.st_mode):
                return known
            self._table.unkey(known)  # it was removed beside the mount
        wanted = st.st_ino if st.st_dev == self._device else 0
        inode = new_inode(self._table.number_for(key, wanted), st)
        if isinstance(inode, Special) and stat.S_ISLNK(st.st_mode):
            inode.target = os.readlink(name, dir_fd=parent_fd)
        if isinstance(inode, File):
            inode.backing = HostFile(inode, self._files)
        self._table.add(inode, key)
        return inode

    def names(self, parent: Directory) -> list[bytes]:
        fd = self._listing_fd(parent)
        try:
            return [os.fsencode(name) for name in os.listdir(fd)]
        finally:
            os.close(fd)

    def _listing_fd(self, directory: Directory) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        parent_fd = self._dirs.get(directory)
        return self._files.acquire(lambda: os.open(b".", flags, dir_fd=parent_fd))

    # Making

    def create(self, parent: Directory, name: bytes, mode: int, caller: Caller) -> File:
        mode = stat.S_IMODE(mode)
        parent_fd = self._dirs.get(parent)
        fd = self._files.acquire(
            lambda: os.open(name, opening.CREATE_FLAGS, mode, dir_fd=parent_fd)
        )
        try:
            return self._new_file(fd, parent, parent_fd, name, caller, mode)
        except BaseException:
            os.unlink(name, dir_fd=parent_fd)
            raise

    def create_nameless(self, parent: Directory, mode: int, caller: Caller) -> File:
        mode = stat.S_IMODE(mode)
        flags, parent_fd = opening.NAMELESS_FLAGS, self._dirs.get(parent)
        fd = self._files.acquire(lambda: os.open(b".", flags, mode, dir_fd=parent_fd))
        return self._new_file(fd, parent, parent_fd, b".", caller, mode)

    def _new_file(
        self,
        fd: int,
        parent: Directory,
        parent_fd: int,
        name: bytes,
        caller: Caller,
        mode: int,
    ) -> File:
        """The file that *fd* has made; closed if nothing comes of it."""
        try:
            st = opening.give_away(fd, os.fstat(fd), owner_of_new(parent, caller), mode)
            file = self._enter(parent_fd, name, st, new=True)
        except BaseException:
            os.close(fd)
            raise
        assert isinstance(file, File)
        file.backing.adopt(fd, True)
        return file

    def mkdir(
        self, parent: Directory, name: bytes, mode: int, caller: Caller
    ) -> Directory:
        mode = stat.S_IMODE(mode) | parent.mode & stat.S_ISGID
        parent_fd = self._dirs.get(parent)
        os.mkdir(name, mode, dir_fd=parent_fd)
        inode = self._made(parent, parent_fd, name, caller, mode)
        assert isinstance(inode, Directory)
        return inode

    def mknod(
        self, parent: Directory, name: bytes, mode: int, rdev: int, caller: Caller
    ) -> Inode:
        parent_fd = self._dirs.get(parent)
        os.mknod(name, mode, rdev, dir_fd=parent_fd)
        return self._made(parent, parent_fd, name, caller, stat.S_IMODE(mode))

    def symlink(
        self, parent: Directory, name: bytes, target: bytes, caller: Caller
    ) -> Inode:
        parent_fd = self._dirs.get(parent)
        os.symlink(target, name, dir_fd=parent_fd)
        return self._made(parent, parent_fd, name, caller, None)

    def _made(
        self,
        parent: Directory,
        parent_fd: int,
        name: bytes,
        caller: Caller,
        mode: int | None,
    ) -> Inode:
        """Owner and mode of what was just made; the inode for it."""
        uid, gid = owner_of_new(parent, caller)
        st = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        if (st.st_uid, st.st_gid) != (uid, gid):
            opening.try_chown(name, uid, gid, parent_fd)
            st = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        if mode is not None and stat.S_IMODE(st.st_mode) != mode:
            opening.chmod(parent_fd, name, mode)
            st = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
        return self._enter(parent_fd, name, st, new=True)

    def link(self, inode: Inode, parent: Directory, name: bytes) -> None:
        if not inode.names and isinstance(inode, File):
            source = opening.fd_path(inode.backing.opened(False))
            os.link(source, name, dst_dir_fd=self._dirs.get(parent))
            return
        old_parent, old_name = at(inode)
        with self._dirs.two(old_parent, parent) as (old_fd, new_fd):
            os.link(
                old_name,
                name,
                src_dir_fd=old_fd,
                dst_dir_fd=new_fd,
                follow_symlinks=False,
            )

    # Removing and moving

    def unlink(self, parent: Directory, name: bytes, inode: Inode) -> None:
        self._keep_open(inode)
        os.unlink(name, dir_fd=self._dirs.get(parent))

    def rmdir(self, parent: Directory, name: bytes, inode: Directory) -> None:
        os.rmdir(name, dir_fd=self._dirs.get(parent))
        self._dirs.drop(inode)

    def rename(
        self,
        parent: Directory,
        name: bytes,
        new_parent: Directory,
        new_name: bytes,
        target: Inode | None,
        exchange: bool,
    ) -> None:
        if target is not None and not exchange:
            self._keep_open(target)
        with self._dirs.two(parent, new_parent) as (old_fd, new_fd):
            if exchange:
                syscalls.exchange(old_fd, name, new_fd, new_name)
            else:
                os.rename(name, new_name, src_dir_fd=old_fd, dst_dir_fd=new_fd)
        if isinstance(target, Directory) and not exchange:
            self._dirs.drop(target)

    def _keep_open(self, inode: Inode) -> None:
        """What is open must have its descriptor before its last known name goes."""
        if isinstance(inode, File) and inode.nopen and len(inode.names) == 1:
            inode.backing.opened(False)

    # Attributes

    def chmod(self, inode: Inode, mode: int) -> None:
        if stat.S_ISLNK(inode.mode):
            raise TreeError(errno.EOPNOTSUPP)
        if self._has_fd(inode):
            os.fchmod(self._fd(inode), mode)
        else:
            parent, name = at(inode)
            opening.chmod(self._dirs.get(parent), name, mode)

    def chown(self, inode: Inode, uid: int, gid: int) -> None:
        if self._has_fd(inode):
            os.fchown(self._fd(inode), uid, gid)
        else:
            parent, name = at(inode)
            os.chown(
                name, uid, gid, dir_fd=self._dirs.get(parent), follow_symlinks=False
            )
        # The host may have taken set-ID bits away.
        st = self._stat(inode)
        inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(st.st_mode)

    def times_changed(self, inode: Inode) -> None:
        if isinstance(inode, File):
            inode.times_due = True
            if self._has_fd(inode):
                inode.backing.save_times()
                return
        times = inode.atime_ns, inode.mtime_ns
        if self._has_fd(inode):
            os.utime(self._fd(inode), ns=times)
        else:
            parent, name = at(inode)
            dir_fd = self._dirs.get(parent)
            os.utime(name, ns=times, dir_fd=dir_fd, follow_symlinks=False)
        if isinstance(inode, File):
            inode.times_due = False

    def refresh(self, inode: Inode) -> None:
        if isinstance(inode, File):
            inode.backing.count()
        elif isinstance(inode, Directory) and inode.nlink:
            fill(inode, os.fstat(self._dirs.get(inode)))

    def _has_fd(self, inode: Inode) -> bool:
        if isinstance(inode, File):
            return bool(inode.backing.fd >= 0)
        return inode.ino == ROOT_INO

    def _fd(self, inode: Inode) -> int:
        return inode.backing.fd if isinstance(inode, File) else self.directory.fd

    def _place(self, inode: Inode) -> Place:
        """Where the host has it, for calls that take no directory's descriptor."""
        if self._has_fd(inode):
            return self._fd(inode)
        parent, name = at(inode)
        return opening.fd_path(self._dirs.get(parent)) + b"/" + name

    def _stat(self, inode: Inode) -> os.stat_result:
        if self._has_fd(inode):
            return os.fstat(self._fd(inode))
        parent, name = at(inode)
        return os.stat(name, dir_fd=self._dirs.get(parent), follow_symlinks=False)

    # Open files

    def opened(self, file: File, writes: bool) -> None:
        file.backing.opened(writes)

    def _open_by_name(self, file: File, writes: bool) -> int:
        parent, name = at(file)
        fd = opening.by_name(self._dirs.get(parent), name, file.mode, writes)
        st = os.fstat(fd)
        if (st.st_dev, st.st_ino) != file.key:
            os.close(fd)
            raise TreeError(errno.ESTALE, "the file was replaced beside the mount")
        return fd

    def closed(self, file: File) -> None:
        if not file.backing.try_close():
            file.backing.save_times()

    def gone(self, inode: Inode) -> None:
        if isinstance(inode, File):
            inode.backing.end()
        elif isinstance(inode, Directory):
            self._dirs.drop(inode)

    def forgotten(self, inode: Inode) -> None:
        return

    def check(self, file: File) -> None:
        if self._has_fd(file):
            check_name(self._fd(file))

    def save_times(self, file: File) -> None:
        file.backing.save_times()

    def dirty_files(self) -> list[File]:
        return [file for file in self._files.open if not file.nopen]

    # Data

    def reserve(self, file: File, off: int, nbytes: int, stored: bool) -> int:
        known = self._space.take(nbytes) or stored
        if not known and not _has_blocks(file, off + nbytes):
            nbytes = self._space.promise(nbytes)
        file.backing.recount = True
        return nbytes

    def spare(self, nbytes: int) -> bool:
        return self._space.spare(nbytes)

    def _unwritten(self) -> int:
        """Bytes that the host will need blocks for."""
        owners: list[HostFile] = [file.backing for file in self._files.open]
        for owner in owners:
            owner.count()
        return sum(owner.unwritten for owner in owners) * 512

    def truncate(self, file: File, size: int) -> None:
        os.ftruncate(file.backing.opened(True), size)
        file.backing.recount = True

    def punch(self, file: File, off: int, nbytes: int) -> None:
        fd = file.backing.opened(True)
        # Of what is punched nothing will be written back, so no size either.
        if os.fstat(fd).st_size < file.size:
            os.ftruncate(fd, file.size)
        syscalls.fallocate(fd, syscalls.KEEP_SIZE | syscalls.PUNCH_HOLE, off, nbytes)
        file.backing.recount = True

    def allocate(self, file: File, off: int, nbytes: int) -> None:
        fd = file.backing.opened(True)
        syscalls.fallocate(fd, syscalls.KEEP_SIZE, off, nbytes)
        file.backing.recount = True

    def seek(self, file: File, off: int, whence: int) -> int:
        return os.lseek(file.backing.opened(False), off, whence)

    def syncing(self, file: File, datasync: bool) -> HostSync:
        own = file.backing.opened(False)
        fd = self._files.acquire(lambda: os.dup(own))
        return HostSync(fd, datasync, bool(file.nlink))

    def syncing_directory(self, directory: Directory) -> HostSync:
        return HostSync(self._listing_fd(directory))

    def statfs(self) -> StatFs:
        st = os.fstatvfs(self.directory.fd)
        unwritten = self._unwritten() // st.f_frsize
        return StatFs(
            st.f_frsize,
            st.f_blocks,
            max(st.f_bfree - unwritten, 0),
            max(st.f_bavail - unwritten, 0),
            st.f_files,
            st.f_ffree,
            st.f_favail,
            min(st.f_namemax, 255),
        )

    def close(self, keep: bool) -> None:
        for file in list(self._files.open):
            file.backing.end()
        self._dirs.shrink(len(self._dirs))
        self.directory.close(keep)


def _has_blocks(file: File, end: int) -> bool:
    """The file has no hole before *end*: it can be overwritten on a full host."""
    file.backing.count()
    blocks: int = file.blocks - file.backing.unwritten
    return end <= file.size <= blocks * 512
