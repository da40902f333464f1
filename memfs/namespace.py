"""A mount namespace in which a mount's proc and sys stand for the real ones.

``enter`` moves this process into a mount namespace of its own (as an ordinary user
into a user namespace as well, in which it is root) and lays the files of the mount
over those of the host: whole directories where the mount has all of one
(``WHOLE``), else file by file, so that what the model does not own stays the host's
live file. Nothing outside of the namespace changes.

What it is not: it starts nothing; ``memfs/cli/exec.py`` runs programs in it.

A name that the host does not have cannot be added to /proc; below /sys its
directory is put together anew, of the host's entries and the mount's.

IMPORTANT: the daemon must live outside of the namespace, or it would wait for its
own answers.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
MS_REC: Final = 0x4000
MS_BIND: Final = 0x1000
MS_PRIVATE: Final = 0x40000

# Directories that the mount has all of; what the host has there is not seen.
WHOLE: Final = (
    "sys/bus/cpu",
    "sys/bus/memory",
    "sys/bus/node",
    "sys/devices/system/cpu",
    "sys/devices/system/memory",
    "sys/devices/system/node",
    "sys/kernel/debug",
    "sys/kernel/mm/hugepages",
    "sys/module/memory_hotplug",
)
TOPS: Final = ("proc", "sys")
DEBUGFS: Final = "/sys/kernel/debug"

_libc = ctypes.CDLL(None, use_errno=True)


class NamespaceError(Exception):
    """One sentence: what was tried, what the kernel said."""


def _call(what: str, *args: object) -> None:
    name = what.split(" ")[0]
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise NamespaceError(f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, fstype: str | None = None, flags: int = 0) -> None:
    kind = None if fstype is None else fstype.encode()
    _call(
        f"mount {target}",
        os.fsencode(source),
        os.fsencode(target),
        kind,
        ctypes.c_ulong(flags),
        None,
    )


def enter(mountpoint: Path) -> list[str]:
    """Move this process into a namespace that shows the machine of *mountpoint*.

    Returns:
        Files of the mount that the host's /proc has no place for.

    Raises:
        NamespaceError: the kernel allows no namespaces here, or a mount failed.
    """
    unshare()
    # Whatever is laid over, the mount is reached through this.
    fd = os.open(mountpoint, os.O_PATH | os.O_DIRECTORY)
    try:
        return lay_over(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def unshare() -> None:
    """Have mounts of this process's own; as an ordinary user be root of them.

    Raises:
        NamespaceError: the kernel does not allow it.
    """
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER
    _call("unshare", flags)
    if flags & CLONE_NEWUSER:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)


def lay_over(root: str) -> list[str]:
    """Lay the mount at *root* over the host's proc and sys; see ``enter``."""
    _debugfs()
    left_out: list[str] = []
    for place, is_dir in places(root):
        target = f"/{place}"
        if not os.path.lexists(target) and not _make_room(target, is_dir):
            left_out.append(place)
            continue
        _mount(f"{root}/{place}", target, flags=MS_BIND)
    return left_out


def places(root: str) -> Iterator[tuple[str, bool]]:
    """What is to be bound, and whether it is a directory; lower ones are skipped."""
    stack = [top for top in TOPS if os.path.isdir(f"{root}/{top}")]
    while stack:
        place = stack.pop()
        with os.scandir(f"{root}/{place}") as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            below = f"{place}/{entry.name}"
            if entry.is_symlink():
                continue
            if not entry.is_dir():
                yield below, False
            elif below in WHOLE:
                yield below, True
            else:
                stack.append(below)


def _debugfs() -> None:
    """The kernel's own test looks for a debugfs; where there is none, none is laid."""
    if os.geteuid() == 0 and os.path.isdir(DEBUGFS):
        try:
            _mount("none", DEBUGFS, "debugfs")
        except NamespaceError:
            return


def _make_room(target: str, is_dir: bool) -> bool:
    """Make a name below /sys that the host does not have; False in /proc."""
    if not target.startswith("/sys/"):
        return False
    parent, _, name = target.rpartition("/")
    if not os.path.isdir(parent):
        return _make_room(parent, True) and _make_room(target, is_dir)
    if os.statvfs(parent).f_fsid != os.statvfs("/sys").f_fsid or not _is_ours(parent):
        _assemble(parent)
    if is_dir:
        os.mkdir(f"{parent}/{name}")
    else:
        os.close(os.open(f"{parent}/{name}", os.O_CREAT | os.O_WRONLY, 0o444))
    return True


_assembled: set[str] = set()


def _is_ours(directory: str) -> bool:
    return any(
        directory == one or directory.startswith(f"{one}/") for one in _assembled
    )


def _assemble(directory: str) -> None:
    """Put a tmpfs in the place of a directory, with all that the directory had."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    old = f"/proc/self/fd/{fd}"
    try:
        names = sorted(os.listdir(old))
        _mount("memfs", directory, "tmpfs")
        for name in names:
            _carry_over(f"{old}/{name}", f"{directory}/{name}")
    finally:
        os.close(fd)
    _assembled.add(directory)


def _carry_over(source: str, target: str) -> None:
    mode = os.lstat(source).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source), target)
        return
    if stat.S_ISDIR(mode):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(source, target, flags=MS_BIND | MS_REC)
