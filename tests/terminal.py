"""A program on a terminal of its own: what it draws, and a key that ends it."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl

ROWS, COLUMNS = 40, 160


def _read(terminal: int) -> bytes:
    """What was drawn since; nothing once the program has closed its side (EIO)."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _drawn(terminal: int, wanted: Sequence[str], deadline: float) -> bytes:
    """Everything that is drawn until all of *wanted* is there, or nothing comes."""
    seen = b""
    while not all(text.encode() in seen for text in wanted):
        patience_s = max(0.0, deadline - time.monotonic())
        if not select.select([terminal], [], [], patience_s)[0]:
            break
        more = _read(terminal)
        if not more:
            break
        seen += more
    return seen


def draws(command: Sequence[str], wanted: Sequence[str], patience_s: float) -> str:
    """Run a program on a terminal until it has drawn each of *wanted*.

    Args:
        command: the program and its arguments.
        wanted: texts, each of which it draws in one piece.
        patience_s: seconds in which they have to come.

    Returns:
        All that it drew, escape sequences included.
    """
    process, terminal = _start(command)
    try:
        seen = _drawn(terminal, wanted, time.monotonic() + patience_s)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
    return seen.decode(errors="replace")


def plays(
    command: Sequence[str], wanted: Sequence[str], keys: bytes, patience_s: float
) -> tuple[str, int]:
    """Run a program on a terminal to its end; see ``draws``.

    Args:
        keys: pressed when *wanted* is there.

    Returns:
        All that it drew, and its exit status; below 0: the signal that ended it.
    """
    process, terminal = _start(command)
    end = time.monotonic() + patience_s
    try:
        seen = _drawn(terminal, wanted, end)
        os.write(terminal, keys)
        while select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            more = _read(terminal)
            if not more:
                break
            seen += more
        else:
            os.killpg(process, signal.SIGKILL)
    finally:
        status = os.waitpid(process, 0)[1]
        os.close(terminal)
    return seen.decode(errors="replace"), os.waitstatus_to_exitcode(status)


def _start(command: Sequence[str]) -> tuple[int, int]:
    """The program's pid, and the other end of its terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm", LC_ALL="C")
        os.execvp(command[0], command)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", ROWS, COLUMNS, 0, 0))
    return process, terminal
