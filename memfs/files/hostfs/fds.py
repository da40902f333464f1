"""Descriptors of the host: few for directories, one for each open or dirty file.

The number of descriptors is the scarce thing. The limit of the process is raised
as far as it goes; when it is reached, directories and clean files are closed, to
be opened again by their names. A file that has no name any more, or something
dirty, or a transfer in flight, keeps its descriptor.

What it is not: it does not write anything back to make room; who opens a file may
wait, and does that (``HostStore.dirty_files``).
"""

from __future__ import annotations

import errno
import os
import resource
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memfs.files.paged.inode import Directory, File, Inode
from memfs.tree import TreeError

OUT_OF_FDS = (errno.EMFILE, errno.ENFILE)
DIRECTORY_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Left to the rest of the daemon: callers watched, host files of the model, logs.
RESERVED = 128
# Directories kept open at most; files closed at once when there is need.
DIRECTORIES = 256
CLOSE_BATCH = 64


def raise_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def share_out(limit: int) -> tuple[int, int]:
    """How many of *limit* descriptors are for directories, and how many for files."""
    usable = max(limit - RESERVED, 16)
    directories = min(DIRECTORIES, max(usable // 4, 8))
    return directories, usable - directories


class DirectoryFds:
    """Descriptors of directories, the least recently used ones closed."""

    def __init__(self, root: Directory, root_fd: int, limit: int) -> None:
        self._root = root
        self._root_fd = root_fd
        self._limit = limit
        self._fds: OrderedDict[Directory, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._fds)

    def get(self, directory: Directory) -> int:
        """A descriptor for *at() calls, good until the next call of ``get``.

        Raises:
            TreeError: ESTALE for a directory that was removed.
        """
        chain: list[Directory] = []
        while directory is not self._root and directory not in self._fds:
            if not directory.names:
                raise TreeError(errno.ESTALE, "the directory was removed")
            chain.append(directory)
            directory = directory.parent
        if directory is self._root:
            fd = self._root_fd
        else:
            self._fds.move_to_end(directory)
            fd = self._fds[directory]
        for directory in reversed(chain):
            fd = self._open(directory, fd)
        return fd

    @contextmanager
    def two(self, first: Directory, second: Directory) -> Iterator[tuple[int, int]]:
        """Two descriptors at the same time."""
        first_fd = os.dup(self.get(first))
        try:
            yield first_fd, self.get(second)
        finally:
            os.close(first_fd)

    def _open(self, directory: Directory, parent_fd: int) -> int:
        name = directory.names[0][1]
        try:
            fd = os.open(name, DIRECTORY_FLAGS, dir_fd=parent_fd)
        except OSError as error:
            if error.errno not in OUT_OF_FDS or len(self._fds) < 2:
                raise
            # The parent was used last, so it is not among those closed.
            self.shrink(len(self._fds) // 2)
            fd = os.open(name, DIRECTORY_FLAGS, dir_fd=parent_fd)
        self._fds[directory] = fd
        if len(self._fds) > self._limit:
            self.shrink(1)
        return fd

    def shrink(self, number: int) -> None:
        """Close the *number* least recently used."""
        for _ in range(min(number, len(self._fds))):
            os.close(self._fds.popitem(last=False)[1])

    def drop(self, directory: Directory) -> None:
        fd = self._fds.pop(directory, None)
        if fd is not None:
            os.close(fd)


class FileFds:
    """Descriptors of files, in the order in which they were opened.

    Args:
        opener: opens the host file of a File anew, by its name.
        limit: descriptors at most.
    """

    def __init__(
        self,
        opener: Callable[[File, bool], int],
        directories: DirectoryFds,
        limit: int,
    ) -> None:
        self._opener = opener
        self._directories = directories
        self._limit = limit
        self.open: OrderedDict[File, None] = OrderedDict()

    def acquire(self, open_it: Callable[[], int]) -> int:
        """Call *open_it*, and again after closing others if that is needed.

        Raises:
            OSError: EMFILE if nothing can be closed; what *open_it* raises.
        """
        if len(self.open) >= self._limit and not self.close_clean(CLOSE_BATCH):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        try:
            return open_it()
        except OSError as error:
            if error.errno not in OUT_OF_FDS:
                raise
        self._directories.shrink(len(self._directories) // 2)
        self.close_clean(CLOSE_BATCH)
        return open_it()

    def open_by_name(self, file: File, writes: bool) -> int:
        return self.acquire(lambda: self._opener(file, writes))

    def close_clean(self, number: int) -> int:
        """Close up to *number* files that can be opened again; return how many."""
        closed = 0
        for file in list(self.open):
            if file.names and file.backing.try_close():
                closed += 1
                if closed == number:
                    break
        return closed


def at(inode: Inode) -> tuple[Directory, bytes]:
    """Where *inode* hangs.

    Raises:
        TreeError: ESTALE for what has no name.
    """
    if not inode.names:
        raise TreeError(errno.ESTALE, "the file has no name")
    return inode.names[0]
