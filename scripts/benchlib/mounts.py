"""Mounts for the rows that need one: memfs itself, and the C file system."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchlib import build
from benchlib.row import Unavailable
from memfs.files.paged.volume import ATTR_TIMEOUT, ENTRY_TIMEOUT
from memfs.tree import ControlFile

MEMFS = (sys.executable, "-m", "memfs")
PATIENCE_S = 120
TRIES, AGAIN_S = 50, 0.1


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


@contextlib.contextmanager
def memfs(*arguments: str) -> Iterator[Path]:
    """A mount of memfs, made with ``memfs mount`` and its arguments.

    Raises:
        Unavailable: it cannot be mounted here; memfs says why.
    """
    with tempfile.TemporaryDirectory(prefix="memfs-bench-") as directory:
        point = Path(directory, "mnt")
        point.mkdir()
        done = _run([*MEMFS, "mount", *arguments, str(point)])
        if done.returncode:
            raise Unavailable(f"memfs cannot be mounted: {done.stderr.strip()}")
        try:
            yield point
        finally:
            _run([*MEMFS, "umount", str(point)])


def _umount(point: Path) -> None:
    """Unmount; who looks into /proc/PID/fd of a client holds the mount an instant."""
    command = ["umount"] if os.geteuid() == 0 else ["fusermount3", "-u"]
    for _ in range(TRIES):
        if _run([*command, str(point)]).returncode == 0:
            return
        time.sleep(AGAIN_S)
    _run([*command, "-l" if os.geteuid() == 0 else "-z", str(point)])


@contextlib.contextmanager
def _c_program(
    name: str, source: Path, timeouts: tuple[float, float], point: Path
) -> Iterator[Path]:
    # A file system in C: NAME.c, told where, over what, and for how long to cache.
    cflags, libs = build.pkg_config("fuse3")
    program = build.program(name, [build.SOURCES / f"{name}.c"], cflags, libs)
    command = [str(program), str(point), str(source), *map(str, timeouts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"READY\n":
            raise Unavailable("The C file system cannot be mounted.")
        try:
            yield point
        finally:
            _umount(point)
            process.wait(PATIENCE_S)


@contextlib.contextmanager
def c_directory(directory: Path) -> Iterator[Path]:
    """A mount of pass_ll.c: `directory`, passed through.

    Raises:
        Unavailable: libfuse's headers are missing, or it cannot be mounted.
    """
    with tempfile.TemporaryDirectory(prefix="memfs-bench-") as home:
        point = Path(home, "mnt")
        point.mkdir()
        timeouts = (ENTRY_TIMEOUT, ATTR_TIMEOUT)
        with _c_program("pass_ll", directory, timeouts, point):
            yield point


@contextlib.contextmanager
def c_file(contents: bytes) -> Iterator[Path]:
    """A mount of text_ll.c whose memhotplug holds `contents`.

    Raises:
        Unavailable: libfuse's headers are missing, or it cannot be mounted.
    """
    with tempfile.TemporaryDirectory(prefix="memfs-bench-") as directory:
        source, point = Path(directory, "contents"), Path(directory, "mnt")
        source.write_bytes(contents)
        point.mkdir()
        timeouts = (ControlFile.entry_timeout, ControlFile.attr_timeout)
        with _c_program("text_ll", source, timeouts, point):
            yield point
