"""A static copy of proc/ and sys/: for places where nothing can be mounted.

From the tree of a machine, without a kernel between, or from a mount. What can only
be written becomes an empty file of its mode; directories can be written to by their
owner, so that a copy can be removed. The files that have a number for each page
(PER_PAGE) are left out.

What it is not: a copy changes no more, and what is written to it is plain text.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from memfs.records import NamedTuple
from memfs.tree import ROOT_CALLER, Dir, Link, Node, TreeError

PARTS = ("proc", "sys")
TAR_MODES = {
    ".tar": "w:",
    ".tar.gz": "w:gz",
    ".tgz": "w:gz",
    ".tar.bz2": "w:bz2",
    ".tar.xz": "w:xz",
}
DIR_MODE = 0o755
CHUNK = 1 << 17  # bytes of a read
# A number for each page: as large as the machine, and of no use once it is old.
PER_PAGE = frozenset({"proc/kpagecount", "proc/kpageflags"})


class Entry(NamedTuple):
    """A name of the tree.

    Attributes:
        path: from the root of the mount.
        mode: with the bits of its type.
        data: of a file; a link's target.
        mtime_ns: since the epoch.
    """

    path: str
    mode: int
    data: bytes
    mtime_ns: int


def of_tree(root: Dir) -> Iterator[Entry]:
    """proc/ and sys/ of a machine's tree."""
    for name in PARTS:
        node = root.lookup(name.encode())
        if node is not None:
            yield from _node(name, node)


def _node(path: str, node: Node) -> Iterator[Entry]:
    attr = node.attr()
    if isinstance(node, Link):
        yield Entry(path, attr.mode, node.readlink(), attr.mtime_ns)
    elif isinstance(node, Dir):
        yield Entry(path, attr.mode, b"", attr.mtime_ns)
        for name, below in node.entries():
            if f"{path}/{name.decode()}" not in PER_PAGE:
                yield from _node(f"{path}/{name.decode()}", below)
    else:
        yield Entry(path, attr.mode, _content(node), attr.mtime_ns)


def _content(node: Node) -> bytes:
    try:
        handle = node.open(os.O_RDONLY, ROOT_CALLER)
    except TreeError:
        return b""
    return handle.read(0, 1 << 30)


def of_mount(point: Path) -> Iterator[Entry]:
    """proc/ and sys/ of a mount.

    Raises:
        OSError: of a file that cannot be read though its mode says so.
    """
    for name in PARTS:
        if (point / name).is_dir():
            yield from _path(point, name)


def _path(point: Path, path: str) -> Iterator[Entry]:
    where = point / path
    try:
        status = where.lstat()
        if stat.S_ISDIR(status.st_mode):
            data = b""
            names = sorted(os.listdir(where))
        elif stat.S_ISLNK(status.st_mode):
            data, names = os.fsencode(os.readlink(where)), []
        else:
            data, names = _bytes(where, status.st_mode), []
    except FileNotFoundError:
        # What comes and goes went.
        return
    yield Entry(path, status.st_mode, data, status.st_mtime_ns)
    for name in names:
        if f"{path}/{name}" not in PER_PAGE:
            yield from _path(point, f"{path}/{name}")


def _bytes(where: Path, mode: int) -> bytes:
    if not mode & 0o444:
        return b""
    with where.open("rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(CHUNK), b""))


# -- writing --------------------------------------------------------------------------


def tar_mode(target: Path) -> str | None:
    """How tarfile opens a target of that name; None: it is a directory."""
    return next(
        (mode for end, mode in TAR_MODES.items() if target.name.endswith(end)), None
    )


def write(entries: Iterable[Entry], target: Path) -> int:
    """Write a copy, to a tar file or to a directory, by the target's name.

    What could not be written whole is taken away again.

    Returns:
        How many names it has.

    Raises:
        OSError: EEXIST the file is there; ENOTEMPTY the directory has something in
            it; what else the host says.
    """
    mode = tar_mode(target)
    if mode is None:
        return _write_dir(entries, target)
    return _write_tar(entries, target, mode)


def _write_tar(entries: Iterable[Entry], target: Path, mode: str) -> int:
    number = 0
    with target.open("xb") as file:
        try:
            with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
                for entry in entries:
                    _add(tar, entry)
                    number += 1
        except BaseException:
            target.unlink()
            raise
    return number


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = stat.S_IMODE(entry.mode)
    info.mtime = entry.mtime_ns // 10**9
    info.uname = info.gname = "root"
    if stat.S_ISDIR(entry.mode):
        info.type, info.mode = tarfile.DIRTYPE, DIR_MODE
        tar.addfile(info)
    elif stat.S_ISLNK(entry.mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(entry.data)
        tar.addfile(info)
    else:
        info.size = len(entry.data)
        tar.addfile(info, io.BytesIO(entry.data))


def _write_dir(entries: Iterable[Entry], target: Path) -> int:
    made = not target.exists()
    target.mkdir(exist_ok=True)
    if any(target.iterdir()):
        raise OSError(errno.ENOTEMPTY, "the directory is not empty", str(target))
    number = 0
    try:
        for entry in entries:
            _put(target / entry.path, entry)
            number += 1
    except BaseException:
        for name in PARTS:
            shutil.rmtree(target / name, ignore_errors=True)
        if made:
            target.rmdir()
        raise
    return number


def _put(where: Path, entry: Entry) -> None:
    if stat.S_ISDIR(entry.mode):
        where.mkdir(DIR_MODE)
    elif stat.S_ISLNK(entry.mode):
        where.symlink_to(os.fsdecode(entry.data))
    else:
        where.write_bytes(entry.data)
        where.chmod(stat.S_IMODE(entry.mode))
        os.utime(where, ns=(entry.mtime_ns, entry.mtime_ns))
