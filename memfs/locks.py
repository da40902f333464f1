"""Locks: who has a mount point or a directory of files, and what is told of it.

Whoever holds the flock of a mount point owns it; behind the lock stand the daemon's
pid, its private directory, and notes for whoever comes later. Where the runtime
directory is depends on the user.

Concurrency: processes, not threads; a lock ends with the last of those that hold it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from memfs.doing import has_ended

# Written behind a daemon's words in its lock: its mount was detached; not all of files/
# could be written.
DETACHED = b"detached\n"
UNWRITTEN = b"unwritten\n"
NOTES = (DETACHED, UNWRITTEN)


class MountError(Exception):
    """One sentence for the user.

    Args:
        message: what was asked, what was found.
        pids: the processes that hold a busy mount.
    """

    def __init__(self, message: str, pids: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.pids = pids


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
            still = ", detached and still in use" if is_detached(point) else ""
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


def note_detached(point: Path) -> None:
    """The daemon lives on, without a mount that anybody could find."""
    _note(point, DETACHED)


def is_detached(point: Path) -> bool:
    """Whether the last daemon's mount was detached."""
    return _has(point, DETACHED)


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
    pid = _holder(point)
    return None if pid is None or has_ended(pid) else pid


def dead_holder(point: Path) -> int | None:
    """The pid of a daemon that was killed and cannot end, or has not quite.

    A thread of it drops the kernel's copy of a page which a client's request holds, and
    that request waits for the daemon.
    """
    pid = _holder(point)
    return pid if pid is not None and has_ended(pid) else None


def _holder(point: Path) -> int | None:
    """Who holds the lock, as far as has been noted."""
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
