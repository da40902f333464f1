"""How a process leaves its caller and becomes a daemon, and how it says so.

A daemon tells whoever waits for it one word through a pipe: READY, or a sentence of
what is wrong. The other end reads until the pipe is closed, so a daemon that dies
keeps nobody waiting.

What it is not: it knows nothing of mounts, and loads little: who waits need not
load what the daemon is made of.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterable
from pathlib import Path

READY = b"READY\n"


def open_standard_streams() -> None:
    """Where the caller has closed one, the next file would be it, until detaching."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - to the end


def flush_standard_streams() -> None:
    """Before a process forks, becomes another or leaves; one may be closed."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def take_over(fd: int) -> int:
    """A descriptor for READY that no standard stream is in the way of.

    Raises:
        OSError, OverflowError: it is not open.
    """
    mine = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    if fd > 2:
        os.close(fd)
    return mine


def leave(log: Path, keep: Iterable[int]) -> None:
    """Leave the session, the terminal, the directory and the files of the caller.

    Args:
        log: where standard error goes from here on.
        keep: descriptors above 2 that stay open.
    """
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    # libfuse and the interpreter say their last words where the log goes.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    os.dup2(os.open(log, flags, 0o600), 2)
    last = 2
    for fd in [*sorted(keep), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(last + 1, fd)
        last = max(fd, 2)


def await_word(receive: int) -> str | None:
    """Wait for a daemon's word; closes *receive*.

    Returns:
        None: it is ready. Else what it said, "" if it ended without a word.
    """
    with open(receive, "rb") as pipe:
        said = pipe.read()
    return None if said == READY else said.decode(errors="replace").strip()
