"""Starting a daemon, from what a command line said.

What it is not: it reads no command line, and a process that comes here loads the
model, which is why ``memfs.cli.ahead`` has a child do it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from memfs import locks, mountpoints
from memfs.cli import machines
from memfs.records import NamedTuple

DEFAULT_MACHINE = "2004"


class Wanted(NamedTuple):
    """What is to be mounted; only what JSON can carry.

    Attributes:
        mountpoint: a directory.
        settings: the keys of ``memfs.mount.Settings`` that were given.
        passed: words for libfuse.
        ready_fd: READY is written there when the mount answers.
    """

    mountpoint: str
    settings: dict[str, Any]
    passed: list[str]
    ready_fd: int | None = None


def start(wanted: Wanted, foreground: bool = False, word_fd: int | None = None) -> int:
    """Start the daemon; names of files are made absolute for it, it leaves here.

    Args:
        wanted: what to mount, and where.
        foreground: serve in this process, and log to stderr.
        word_fd: see ``memfs.daemon.DaemonOptions``.

    Returns:
        Exit status: 0 when the mount answers, or has ended (foreground).

    Raises:
        ClientError, MountError: what was asked, what was found.
    """
    from memfs import daemon
    from memfs.mount import make_mount

    settings = dict(wanted.settings)
    name = settings.setdefault("machine", DEFAULT_MACHINE)
    machines.load(name)
    if name not in machines.builtin():
        settings["machine"] = os.path.abspath(name)
    if "files" in settings:
        settings["files"] = os.path.abspath(settings["files"])
    options = daemon.DaemonOptions(
        mountpoint=Path(wanted.mountpoint),
        files=Path(settings["files"]) if "files" in settings else None,
        fuse=wanted.passed,
        foreground=foreground,
        ready_fd=wanted.ready_fd,
        word_fd=word_fd,
        # libfuse splits its words at commas.
        source=name.replace(",", "\\,"),
        settings=settings,
    )
    tell_of_dead(wanted.mountpoint)
    return daemon.mount(options, make_mount)


def tell_of_dead(mountpoint: str) -> None:
    """Where a daemon that was killed has left what was on its private disk."""
    point = mountpoints.resolve(Path(mountpoint))
    left = locks.private_files(point)
    if left is not None and locks.owner(point) is None:
        text = what_became_of(left, dead=True)
        print(f"memfs: {mountpoint}: {text}", file=sys.stderr)


def what_became_of(private: Path, dead: bool) -> str:
    """What there is to say of a private directory that had something in it."""
    if dead:
        return f"its daemon was killed; what was written of files/ is in {private}"
    if private.exists():
        return f"not all of files/ could be written; what was is in {private}"
    return "files/ was private and went with the mount; --files DIR keeps it"
