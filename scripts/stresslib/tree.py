"""What is in a directory, as one number."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

CHUNK = 1 << 20


def contents(path: Path) -> str:
    """A hash of what a file holds."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            found.update(data)
    return found.hexdigest()


def entry(path: Path, name: str) -> str:
    """A line for one name: kind, permissions, and what is behind it."""
    info = path.lstat()
    mode = stat.S_IMODE(info.st_mode)
    if stat.S_ISLNK(info.st_mode):
        return f"{name} link {os.readlink(path)}"
    if stat.S_ISDIR(info.st_mode):
        return f"{name} directory {mode:o}"
    return f"{name} file {mode:o} {info.st_size} {contents(path)}"


def listing(root: Path) -> list[str]:
    """A line for every name below `root`, in order."""
    lines = []
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted([*names, *files]):
            path = Path(directory, name)
            lines.append(entry(path, str(path.relative_to(root))))
    return sorted(lines)


def difference(wanted: list[str], seen: list[str]) -> str:
    """The first lines that are in one listing only; "" if there is none."""
    lines = [f"missing {line}" for line in sorted(set(wanted) - set(seen))]
    lines += [f"unexpected {line}" for line in sorted(set(seen) - set(wanted))]
    return "; ".join(lines[:3])
