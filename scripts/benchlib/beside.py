"""Where the rows about files are measured: memfs and what it stands beside.

One directory of the host each for memfs and for the C program over libfuse, both on
the same file system; and, to be shown, a tmpfs and a directory of the host itself.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchlib import mounts
from benchlib.cat import awake

BLOCK = 1 << 20


@dataclass(frozen=True)
class Places:
    """Directories in which the same is done."""

    files: Path
    shm: Path
    c_files: Path
    tmpfs: Path | None
    """None: only root can mount one."""
    host: Path
    control: Path
    """Of the mount of memfs."""

    def shown(self) -> dict[str, Path]:
        """What is measured beside the two that are compared, by its label."""
        shown = {"memfs, shm/": self.shm, "the host's directory": self.host}
        if self.tmpfs is not None:
            shown["tmpfs of the host"] = self.tmpfs
        return shown

    def all(self) -> list[Path]:
        return [self.files, self.c_files, *self.shown().values()]


@contextlib.contextmanager
def _tmpfs(below: Path) -> Iterator[Path | None]:
    point = below / "tmpfs"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1G", "tmpfs", str(point)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=False)


@contextlib.contextmanager
def places() -> Iterator[Places]:
    """All of them, ready, with the CPUs kept awake.

    Raises:
        Unavailable: no FUSE here, no compiler.
    """
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("ours", "theirs", "host"):
            (home / name).mkdir()
        ours = stack.enter_context(mounts.memfs("--files", str(home / "ours")))
        theirs = stack.enter_context(mounts.c_directory(home / "theirs"))
        tmpfs = stack.enter_context(_tmpfs(home))
        stack.enter_context(awake())
        yield Places(
            ours / "files", ours / "shm", theirs, tmpfs, home / "host", ours / "control"
        )


def filled(path: Path, mib: int) -> Path:
    """Write a file of so many MiB that do not compress to nothing."""
    block = bytes(range(256)) * (BLOCK // 256)
    with path.open("wb", buffering=0) as file:
        for _ in range(mib):
            file.write(block)
    return path
