"""A volume by paths: what a test would say to a kernel, in one line each."""

from __future__ import annotations

import errno
import os
import stat

from fakes_pagefile import run

from memfs.tree import Caller, TreeError

ME = Caller(os.getpid(), os.getuid(), os.getgid())


class Driver:
    """Looks up, opens and reads as the kernel does, and gives references back."""

    def __init__(self, volume, run=run):
        self.volume = volume
        self.run = run

    def ino(self, path):
        ino = 1
        for name in filter(None, os.fsencode(path).split(b"/")):
            ino, _ = self.run(self.volume.lookup(ino, name))
            self.volume.forget(ino, 1)
        return ino

    def _at(self, path):
        parent, _, name = os.fsencode(path).rpartition(b"/")
        return self.ino(parent), name

    def attr(self, path):
        return self.volume.getattr(self.ino(path))

    def exists(self, path):
        try:
            self.ino(path)
        except TreeError as error:
            if error.errno != errno.ENOENT:
                raise
            return False
        return True

    def create(self, path, flags=os.O_RDWR, mode=0o644, caller=ME):
        flags |= os.O_CREAT
        ino, _, fh = self.run(self.volume.create(*self._at(path), mode, flags, caller))
        self.volume.forget(ino, 1)
        return fh

    def create_nameless(self, path, flags=os.O_RDWR, mode=0o600, caller=ME):
        """The number and a handle."""
        ino, _, fh = self.volume.create_nameless(self.ino(path), mode, flags, caller)
        self.volume.forget(ino, 1)
        return ino, fh

    def open(self, path, flags=os.O_RDONLY, caller=ME):
        return self.run(self.volume.open(self.ino(path), flags, caller))

    def read(self, fh, off, n):
        return bytes(self.run(self.volume.read(fh, off, n)))

    def write(self, fh, off, data):
        return self.run(self.volume.write(fh, off, data))

    def fsync(self, fh):
        self.run(self.volume.fsync(fh, False))

    def close(self, fh):
        self.run(self.volume.flush(fh))
        self.run(self.volume.release(fh))

    def put(self, path, data, mode=0o644):
        """Make a file with these bytes."""
        fh = self.create(path, os.O_WRONLY | os.O_TRUNC, mode)
        assert self.write(fh, 0, data) == len(data)
        self.close(fh)

    def get(self, path):
        """All bytes of a file."""
        fh = self.open(path)
        try:
            return self.read(fh, 0, 1 << 30)
        finally:
            self.close(fh)

    def mkdir(self, path, mode=0o755, caller=ME):
        ino, attr = self.run(self.volume.mkdir(*self._at(path), mode, caller))
        self.volume.forget(ino, 1)
        assert stat.S_ISDIR(attr.mode)

    def rmdir(self, path):
        self.run(self.volume.rmdir(*self._at(path)))

    def unlink(self, path):
        self.run(self.volume.unlink(*self._at(path)))

    def symlink(self, target, path):
        ino, _ = self.run(self.volume.symlink(*self._at(path), target, ME))
        self.volume.forget(ino, 1)

    def mknod(self, path, mode, rdev=0):
        ino, _ = self.run(self.volume.mknod(*self._at(path), mode, rdev, ME))
        self.volume.forget(ino, 1)

    def link(self, old, new):
        ino, _ = self.run(self.volume.link(self.ino(old), *self._at(new)))
        self.volume.forget(ino, 1)

    def rename(self, old, new, flags=0):
        self.run(self.volume.rename(*self._at(old), *self._at(new), flags))

    def set(self, path, **changes):
        return self.run(self.volume.setattr(self.ino(path), **changes))

    def listing(self, path=""):
        """All names, by as many calls of readdir as it takes."""
        ino, cookie, names = self.ino(path), 0, []
        while batch := self.run(self.volume.readdir(ino, cookie)):
            names += [entry.name for entry in batch]
            cookie = batch[-1].cookie
        return names
