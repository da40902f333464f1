"""Mount points: what lies there, who has it, how it is taken away.

Everything that the life cycle asks of the host's mounts and locks, as plain
functions. It is not the daemon, and it starts nothing but umount(8) and
fusermount3(1).

Concurrency: processes, not threads: whoever holds the flock of a mount point owns
it. Where the runtime directory is depends on the user; root and a user who mount
on one directory meet in ``check``, which finds the mount itself.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import select
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from memfs import elsewhere

FSTYPE = "fuse.memfs"
MOUNTS = Path("/proc/self/mounts")
FUSE_CONF = Path("/etc/fuse.conf")
CONNECTIONS = Path("/sys/fs/fuse/connections")
MNT_FORCE = 1
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

# Written behind a daemon's words in its lock: its mount was detached; not all of files/
# could be written.
DETACHED = b"detached\n"
UNWRITTEN = b"unwritten\n"
NOTES = (DETACHED, UNWRITTEN)

# A daemon that has not ended by then may be mounted elsewhere (chosen here).
LOOK_AFTER_S = 0.5


class MountError(Exception):
    """One sentence for the user.

    Args:
        message: what was asked, what was found.
        pids: the processes that hold a busy mount.
    """

    def __init__(self, message: str, pids: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.pids = pids


# ------------------------------------------------------------------ mount points


def mounted_type(point: Path) -> str | None:
    """The type of what is mounted on *point* last, None for no mount.

    Reads the mount table and asks no file system, which may not answer.
    """
    found = None
    for line in MOUNTS.read_bytes().rstrip(b"\n").split(b"\n"):
        _, where, fstype, *_ = line.split(b" ")
        if elsewhere.unescape(where) == os.fsencode(point):
            found = os.fsdecode(fstype)
    return found


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
        absolute = Path(os.path.abspath(mountpoint))
    except OSError:
        raise MountError(f"{mountpoint}: the current directory is gone") from None
    plain = Path(os.path.realpath(absolute.parent)) / absolute.name
    if mounted_type(plain) is None:
        with contextlib.suppress(OSError):
            if absolute.is_symlink():
                return Path(os.path.realpath(absolute))
    return plain


def is_stale(point: Path) -> bool:
    """Whether the daemon behind a mount is gone; a living one is not disturbed.

    One that was killed may not be gone yet and keep its lock: a thread of it drops the
    kernel's copy of a page which a client's request holds, and that waits for the
    daemon.
    """
    pid = owner(point)
    if pid is not None:
        return _is_dead(pid)
    try:
        os.statvfs(point)  # stat(2) may be answered from what the kernel keeps
    except OSError as exc:
        return exc.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def _is_dead(pid: int) -> bool:
    """Whether a process has ended, but for what nobody has collected of it."""
    try:
        words = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return words.rpartition(b") ")[2][:1] in (b"Z", b"X")


def clear_away(point: Path) -> None:
    """Take a stale mount out of the tree; who still waits for an answer gets an error.

    An ordinary user may end the connection where fusectl is mounted.
    """
    device = elsewhere.device_at(point, FSTYPE)
    if device is not None:
        with contextlib.suppress(OSError):
            (CONNECTIONS / device.partition(":")[2] / "abort").write_text("1")
    detach(point, MNT_FORCE)


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


# ------------------------------------------------------------------------- locks


def runtime_dir() -> Path:
    """Where locks and logs lie: /run/memfs for root, else the user's own.

    ``MEMFS_RUNTIME_DIR`` overrides it.
    """
    given = os.environ.get("MEMFS_RUNTIME_DIR")
    user = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        path = Path(given)
    elif os.geteuid() == 0:
        path = Path("/run/memfs")
    elif user and os.access(user, os.W_OK):
        path = Path(user) / "memfs"
    else:
        path = Path(f"/tmp/memfs-{os.geteuid()}")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise MountError(f"{path}: belongs to somebody else")
    return path


def log_path(point: Path) -> Path:
    """The log of a detached daemon. A name for people, a digest for uniqueness."""
    return runtime_dir() / f"{_slug(point)}.log"


def lock_path(point: Path) -> Path:
    return runtime_dir() / f"{_slug(point)}.lock"


@contextlib.contextmanager
def lock_mountpoint(point: Path) -> Iterator[int]:
    """Own a mount point, in this process and those it forks; gives the descriptor.

    Raises:
        MountError: another daemon has it, or is just starting or ending on it.
    """
    path = lock_path(point)
    with open(path, "a+b", buffering=0) as file:
        # Whoever only looks (owner) has the lock for an instant.
        if not any(_try_lock(file.fileno(), wait) for wait in (0, 0.05, 0.2)):
            still = ", detached and still in use" if _has(point, DETACHED) else ""
            raise MountError(
                f"{point}: another daemon has this mount point{_by(point)}{still}"
            )
        yield file.fileno()


def note_owner(point: Path, private: Path | None = None) -> None:
    """Write into the lock what others want to know: this process's pid, and the
    private directory behind files/."""
    words = b"%d\n%b\n" % (os.getpid(), os.fsencode(private or ""))
    lock_path(point).write_bytes(words)


def note_unwritten(point: Path) -> None:
    """For whoever waits for the daemon's end."""
    _note(point, UNWRITTEN)


def is_unwritten(point: Path) -> bool:
    """Whether the last daemon could not write all of files/; its log says what."""
    return _has(point, UNWRITTEN)


def _note(point: Path, note: bytes) -> None:
    with open(lock_path(point), "ab", buffering=0) as file:
        file.write(note)


def _has(point: Path, note: bytes) -> bool:
    return note in _words(point)[1]


def _words(point: Path) -> tuple[bytes, list[bytes]]:
    """What the last daemon wrote into the lock, and the notes behind it."""
    try:
        words = lock_path(point).read_bytes()
    except OSError:
        return b"", []
    notes = []
    while found := next((n for n in NOTES if words.endswith(b"\n" + n)), None):
        notes.append(found)
        words = words.removesuffix(found)
    return words, notes


def _noted(point: Path) -> tuple[int, Path | None]:
    """What the last daemon wrote into the lock; (0, None) if there was none."""
    try:
        pid, _, private = _words(point)[0].partition(b"\n")
        name = os.fsdecode(private.removesuffix(b"\n"))
        return int(pid or b"0"), Path(name) if name else None
    except ValueError:
        return 0, None


def private_files(point: Path) -> Path | None:
    """The private directory of a mount point's last daemon, if anything is in it.

    An empty one that a dead daemon has left is removed.
    """
    path = _noted(point)[1]
    if path is None:
        return None
    try:
        if any(path.iterdir()):
            return path
        if owner(point) is None:
            path.rmdir()
            path.parent.rmdir()
    except OSError:
        pass
    return None


def owner(point: Path) -> int | None:
    """The pid of the daemon of a mount point, None when there is none."""
    path = lock_path(point)
    try:
        with open(path, "rb", buffering=0) as file:
            if _try_lock(file.fileno()):
                return None
    except OSError:
        return None
    return _noted(point)[0] or None


@contextlib.contextmanager
def lock_directory(path: Path, point: Path) -> Iterator[int]:
    """Own a directory of files, whoever asks for it; gives the descriptor.

    Raises:
        MountError: another daemon has it, it cannot be opened, or *point*, where it
            is going to be mounted, lies in it: who looked there would have the daemon
            wait for itself.
    """
    if path.resolve() in point.resolve().parents:
        raise MountError(f"{path}: {point} lies in it, so it would contain itself")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise MountError(f"{path}: {exc.strerror}") from None
    try:
        if not _try_lock(fd):
            raise MountError(f"{path}: another daemon has this directory of files")
        yield fd
    finally:
        os.close(fd)


def _try_lock(fd: int, wait_s: float = 0) -> bool:
    time.sleep(wait_s)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _by(point: Path) -> str:
    pid = _noted(point)[0]
    return f" (pid {pid})" if pid else ""


def _slug(point: Path) -> str:
    digest = hashlib.sha1(os.fsencode(point)).hexdigest()[:10]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", point.name)[:40] or "root"
    return f"{name}-{digest}"


# ------------------------------------------------------------------- unmounting


def unmount(mountpoint: Path, lazy: bool, timeout_s: float) -> None:
    """Unmount and wait for the daemon's end. See ``memfs.daemon.umount``."""
    point = resolve(mountpoint)
    fstype = mounted_type(point)
    pid = owner(point)
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
    if is_stale(point):
        clear_away(point)
    elif lazy:
        detach(point)
        if pid is not None:
            _note(point, DETACHED)
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
    if _has(point, DETACHED) and not wait_for_end(pid, LOOK_AFTER_S):
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
