"""A volume that keeps its files in dictionaries: what fuse.py is tested against.

It does what a simple file system does, checks nothing that the kernel checks, and
counts the references that the kernel holds.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
import time
from dataclasses import dataclass, field

from memfs.tree import Attr, StatFs, TreeError, VolumeEntry
from memfs.vm.sched import Park

SEEK_DATA, PUNCH_HOLE = os.SEEK_DATA, 0x02


@dataclass
class File:
    """One inode."""

    mode: int
    uid: int = 0
    gid: int = 0
    nlink: int = 1
    data: bytearray = field(default_factory=bytearray)
    names: dict[bytes, int] = field(default_factory=dict)
    rdev: int = 0
    lookups: int = 0
    atime_ns: int = 0
    mtime_ns: int = 0


class MemVolume:
    """Implements memfs.tree.Volume."""

    entry_timeout = 60.0
    attr_timeout = 60.0
    # Whether a write has to wait; what it was told beside the bytes.
    waits = False
    wrote = None

    def __init__(self, pump):
        self.pump = pump
        self.files = {1: File(stat.S_IFDIR | 0o755, nlink=2)}
        self.handles = {}
        self._numbers = itertools.count(2)
        self._fhs = itertools.count(1)

    def lane(self, fh):
        """There is no short way here."""

    def at(self, ino):
        return self.files[ino]

    def attr(self, ino):
        file = self.files[ino]
        return Attr(
            file.mode,
            len(file.data),
            file.nlink,
            file.uid,
            file.gid,
            file.atime_ns,
            file.mtime_ns,
            file.mtime_ns,
            (len(file.data) + 511) // 512,
            4096,
            file.rdev,
        )

    def shown(self, ino):
        self.files[ino].lookups += 1
        return ino, self.attr(ino)

    def child(self, parent, name):
        try:
            return self.files[parent].names[name]
        except KeyError:
            raise TreeError(errno.ENOENT) from None

    def make(self, parent, name, mode, caller, **more):
        if name in self.files[parent].names:
            raise TreeError(errno.EEXIST)
        ino = next(self._numbers)
        now = time.time_ns()
        file = File(mode, caller.uid, caller.gid, atime_ns=now, mtime_ns=now, **more)
        self.files[ino] = file
        self.files[parent].names[name] = ino
        return self.shown(ino)

    def drop(self, ino):
        file = self.files[ino]
        if not file.nlink and not file.lookups:
            del self.files[ino]

    def at_once(self, what, *args):
        return True

    def getattr(self, ino):
        return self.attr(ino)

    async def setattr(self, ino, *, fh=None, size=None, mode=None, **changed):
        file = self.files[ino]
        if size is not None:
            del file.data[size:]
            file.data.extend(bytes(size - len(file.data)))
        if mode is not None:
            file.mode = stat.S_IFMT(file.mode) | stat.S_IMODE(mode)
        for name, value in changed.items():
            if value is not None:
                setattr(file, name, value)
        return self.attr(ino)

    async def lookup(self, parent, name):
        return self.shown(self.child(parent, name))

    def forget(self, ino, nlookup):
        self.files[ino].lookups -= nlookup
        self.drop(ino)

    def remember(self, ino):
        self.files[ino].lookups += 1

    async def readdir(self, ino, cookie):
        names = [(b".", ino), (b"..", 1), *sorted(self.files[ino].names.items())]
        return [
            VolumeEntry(name, number, self.attr(number), i)
            for i, (name, number) in enumerate(names, 1)
            if i > cookie
        ]

    async def readlink(self, ino):
        return bytes(self.files[ino].data)

    async def symlink(self, parent, name, target, caller):
        return self.make(
            parent, name, stat.S_IFLNK | 0o777, caller, data=bytearray(target)
        )

    async def mkdir(self, parent, name, mode, caller):
        return self.make(parent, name, mode, caller, nlink=2)

    async def mknod(self, parent, name, mode, rdev, caller):
        return self.make(parent, name, mode, caller, rdev=rdev)

    async def rmdir(self, parent, name):
        ino = self.child(parent, name)
        if self.files[ino].names:
            raise TreeError(errno.ENOTEMPTY)
        del self.files[parent].names[name]
        self.files[ino].nlink = 0

    async def unlink(self, parent, name):
        self.unlink_now(parent, name)

    def unlink_now(self, parent, name):
        ino = self.child(parent, name)
        del self.files[parent].names[name]
        self.files[ino].nlink -= 1
        return True

    async def rename(self, parent, name, new_parent, new_name, flags):
        ino = self.child(parent, name)
        there = self.files[new_parent].names
        if flags == 1 and new_name in there:
            raise TreeError(errno.EEXIST)
        if new_name in there:
            self.files[there[new_name]].nlink -= 1
        del self.files[parent].names[name]
        there[new_name] = ino

    async def link(self, ino, new_parent, new_name):
        self.files[new_parent].names[new_name] = ino
        self.files[ino].nlink += 1
        return self.shown(ino)

    def handle(self, ino):
        fh = next(self._fhs)
        self.handles[fh] = ino
        return fh

    async def create(self, parent, name, mode, flags, caller):
        ino, attr = self.make(parent, name, mode, caller)
        return ino, attr, self.handle(ino)

    async def open(self, ino, flags, caller):
        if flags & os.O_TRUNC:
            self.files[ino].data.clear()
        return self.handle(ino)

    async def read(self, fh, off, size, cached=False):
        data = self.files[self.handles[fh]].data
        if data[:4] == b"hang":
            await self.pump.run(self.hanging(), "read")
        return memoryview(bytes(data[off : off + size]))

    def hanging(self):
        yield Park("for ever")

    def write_now(self, fh, off, data, cached, kills):
        if self.waits:
            return None
        self.wrote = cached, kills
        return self._write(fh, off, data)

    async def write(self, fh, off, data, cached=False, kills=None):
        return self._write(fh, off, data)

    def _write(self, fh, off, data):
        file = self.files[self.handles[fh]]
        if len(file.data) < off:
            file.data.extend(bytes(off - len(file.data)))
        file.data[off : off + len(data)] = data
        file.mtime_ns = time.time_ns()
        return len(data)

    async def flush(self, fh):
        if self.files[self.handles[fh]].data[:7] == b"full up":
            raise TreeError(errno.ENOSPC)

    async def fsync(self, fh, datasync):
        await self.flush(fh)

    async def fsyncdir(self, ino, datasync):
        return

    async def release(self, fh):
        del self.handles[fh]

    async def statfs(self):
        return StatFs(blocks=1000, bfree=600, bavail=500, files=10, ffree=5, favail=5)

    async def fallocate(self, fh, mode, off, length):
        data = self.files[self.handles[fh]].data
        if mode & PUNCH_HOLE:
            part = data[off : off + length]
            data[off : off + length] = bytes(len(part))
        elif mode == 0:
            data.extend(bytes(max(0, off + length - len(data))))
        else:
            raise TreeError(errno.EOPNOTSUPP)

    async def lseek(self, fh, off, whence):
        data = self.files[self.handles[fh]].data
        if off >= len(data):
            raise TreeError(errno.ENXIO)
        hole = data.find(b"\0", off)
        if whence != SEEK_DATA:
            return len(data) if hole < 0 else hole
        while off < len(data) and not data[off]:
            off += 1
        if off == len(data):
            raise TreeError(errno.ENXIO)
        return off
