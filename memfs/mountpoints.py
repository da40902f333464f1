"""Mount points: what lies there, and how it is taken away.

Everything that the life cycle asks of the host's mounts, as plain functions. It is not
the daemon, and it starts nothing but umount(8) and fusermount3(1). Whose a mount point
is, ``memfs.locks`` says; root and a user who mount on one directory meet in ``check``,
which finds the mount itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from memfs import elsewhere, locks
from memfs.locks import MountError

FSTYPE = "fuse.memfs"
FUSE_CONF = Path("/etc/fuse.conf")
CONNECTIONS = Path("/sys/fs/fuse/connections")
MNT_FORCE = 1
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

# As many symbolic links are followed by path_resolution(7).
MAX_LINKS = 40

# A daemon that has not ended by then may be mounted elsewhere (chosen here).
LOOK_AFTER_S = 0.5


# ------------------------------------------------------------------ mount points


def mounted_type(point: Path) -> str | None:
    """The type of what is mounted on *point* last, None for no mount.

    Reads the mount table and asks no file system, which may not answer.
    """
    found = elsewhere.last_at(point)
    return None if found is None else found.fstype


def check(mountpoint: Path) -> Path:
    """The mount point's absolute path, ready to be mounted on.

    Heals a mount whose daemon is gone.

    Raises:
        MountError: no directory, or something is mounted there.
    """
    point = resolve(mountpoint)
    if mounted_type(point) == FSTYPE and is_stale(point):
        clear_away(point)
    fstype = mounted_type(point)
    if fstype is not None:
        raise MountError(f"{mountpoint}: {fstype} is mounted there already")
    try:
        mode = point.stat().st_mode
    except OSError as exc:
        raise MountError(f"{mountpoint}: {exc.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise MountError(f"{mountpoint}: not a directory")
    return point


def resolve(mountpoint: Path) -> Path:
    """Absolute, symbolic links followed, without asking what is mounted there.

    A stale mount answers no stat(2), or not ever, and is no symbolic link.

    Raises:
        MountError: the directory that it is relative to is gone.
    """
    try:
        point = Path(os.path.abspath(mountpoint))
    except OSError:
        raise MountError(f"{mountpoint}: the current directory is gone") from None
    for _ in range(MAX_LINKS):
        if point.name == "..":
            point = Path(os.path.realpath(point))
        plain = Path(os.path.realpath(point.parent)) / point.name
        if mounted_type(plain) is not None:
            break
        try:
            point = plain.parent / os.readlink(plain)
        except OSError:
            break
    return plain


def is_stale(point: Path) -> bool:
    """Whether the daemon behind a mount is gone; a living one is not disturbed."""
    if locks.owner(point) is not None:
        return False
    if locks.dead_holder(point) is not None:
        return True  # a request would wait for ever
    try:
        os.statvfs(point)  # stat(2) may be answered from what the kernel keeps
    except OSError as exc:
        return exc.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def clear_away(point: Path) -> None:
    """Take a stale mount out of the tree; who still waits for an answer gets an error.

    An ordinary user can see to the latter only where fusectl is mounted.
    """
    dead = locks.dead_holder(point)
    device = None if os.geteuid() == 0 else elsewhere.device_at(point, FSTYPE)
    if device is not None:
        with contextlib.suppress(OSError):
            (CONNECTIONS / device.partition(":")[2] / "abort").write_text("1")
    detach(point, MNT_FORCE)
    if dead is not None:
        wait_for_end(dead, LOOK_AFTER_S)


def detach(point: Path, flags: int = 0) -> None:
    """Take the mount out of the tree now; users of it keep what they have open."""
    if os.geteuid() != 0:
        _run([_fusermount(), "-u", "-z", "-q", str(point)])
    elif not _umount2(point, flags | MNT_DETACH | UMOUNT_NOFOLLOW):
        _run(["umount", "-l", "--no-canonicalize", str(point)])


def _umount2(point: Path, flags: int) -> bool:
    """umount2(2); False where it did not do it."""
    import ctypes

    return bool(ctypes.CDLL(None).umount2(os.fsencode(point), flags) == 0)


def others_allowed() -> bool:
    """Whether fusermount3 takes ``allow_other`` from this user."""
    if os.geteuid() == 0:
        return True
    try:
        lines = FUSE_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.strip() == "user_allow_other" for line in lines)


def why_not(point: Path, exc: Exception, options: Iterable[str], log: str) -> str:
    """Why libfuse could not mount with `options`, as far as can be seen from here.

    Args:
        log: where libfuse has said more.
    """
    if not os.path.exists("/dev/fuse"):
        return f"{point}: there is no /dev/fuse; load the module fuse"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return f"{point}: /dev/fuse may not be opened by this user"
    if os.geteuid() != 0 and shutil.which("fusermount3") is None:
        return f"{point}: fusermount3 is missing; install fuse3"
    if "allow_other" in options and not others_allowed():
        return (
            f"{point}: allow_other is for root; for others as well once root has done "
            f"echo user_allow_other >> {FUSE_CONF}"
        )
    if os.geteuid() != 0 and not os.access(point, os.W_OK):
        return f"{point}: mount on a directory that you may write to"
    return f"{point}: libfuse could not mount ({exc}); its words are in {log}"


# ------------------------------------------------------------------- unmounting


def unmount(mountpoint: Path, lazy: bool, timeout_s: float) -> None:
    """Unmount and wait for the daemon's end. See ``memfs.daemon.umount``."""
    point = resolve(mountpoint)
    fstype = mounted_type(point)
    pid = locks.owner(point)
    device = elsewhere.device_at(
        point, FSTYPE, pid if fstype is None and pid else "self"
    )
    if fstype != FSTYPE:
        if fstype is None and pid is not None:
            _await_detached(point, pid)
            _await_end(point, pid, timeout_s, device)
            return
        found = f"{fstype} is mounted there, not {FSTYPE}" if fstype else ""
        raise MountError(f"{mountpoint}: {found or 'nothing is mounted there'}")
    if locks.dead_holder(point) is not None or (not lazy and is_stale(point)):
        clear_away(point)
    elif lazy:
        detach(point)
        if pid is not None:
            locks.note_detached(point)
    else:
        _unmount_now(point, mountpoint)
    if pid is not None:
        _await_end(point, pid, timeout_s, device)


def _unmount_now(point: Path, asked: Path) -> None:
    """Unmount what nobody uses.

    Whoever looks into ``/proc/PID/fd`` of a process, as lsof does, holds for an
    instant what that has open: where no holder is found, it is tried again.
    """
    if os.geteuid() == 0:
        command = ["umount", "--no-canonicalize", str(point)]
    else:
        command = [_fusermount(), "-u", str(point)]
    pids: tuple[int, ...] = ()
    for wait_s in (0, 0.02, 0.1, 0.5):
        time.sleep(wait_s)
        done = _run(command)
        if done.returncode == 0:
            return
        pids = holders(point)
        if mounted_type(point) is None:
            return
        if pids:
            break
    if not pids:
        raise MountError(f"{asked}: {done.stderr.strip()}")
    names = ", ".join(map(str, pids))
    raise MountError(f"{asked}: busy, held by {names}", pids)


def _await_detached(point: Path, pid: int) -> None:
    """A daemon whose mount is detached: nobody knows how long it will be used."""
    if locks.is_detached(point) and not wait_for_end(pid, LOOK_AFTER_S):
        raise MountError(
            f"{point}: detached already; its daemon (pid {pid}) ends when nobody "
            "uses it any more"
        )


def _await_end(point: Path, pid: int, timeout_s: float, device: str | None) -> None:
    """Wait for the daemon, which does not end while another namespace has its mount."""
    look_s = min(LOOK_AFTER_S, timeout_s)
    if wait_for_end(pid, look_s):
        return
    there = elsewhere.find(device, pid) if device is not None else None
    if there is not None:
        name = shlex.quote(str(there[1]))
        raise MountError(
            f"{point}: its daemon (pid {pid}) is mounted in another mount namespace; "
            f"end it there: nsenter -t {there[0]} -m memfs umount {name}"
        )
    if not wait_for_end(pid, timeout_s - look_s):
        raise MountError(
            f"{point}: unmounted, but its daemon (pid {pid}) still writes back"
        )


def wait_for_end(pid: int, timeout_s: float) -> bool:
    """Wait for any process; True when it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout_s)[0])
    finally:
        os.close(fd)


def holders(point: Path) -> tuple[int, ...]:
    """The processes that have anything of a mount in use, as far as one may see."""
    prefix = str(point)
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return tuple(sorted(pid for pid in pids if _holds(pid, prefix)))


def _holds(pid: int, prefix: str) -> bool:
    if pid == os.getpid():
        return False
    return any(
        path == prefix or path.startswith(prefix + "/") for path in _paths_of(pid)
    )


def _paths_of(pid: int) -> Iterator[str]:
    proc = f"/proc/{pid}"
    with contextlib.suppress(OSError):
        links = [f"{proc}/{name}" for name in ("cwd", "root", "exe")]
        links += [f"{proc}/fd/{fd}" for fd in os.listdir(f"{proc}/fd")]
        for link in links:
            with contextlib.suppress(OSError):
                yield os.readlink(link)
        with open(f"{proc}/maps", errors="surrogateescape") as maps:
            for line in maps:
                yield line.rstrip("\n").partition("/")[2].join(("/", ""))


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _fusermount() -> str:
    return shutil.which("fusermount3") or "fusermount3"
