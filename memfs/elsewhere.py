"""Mounts in other mount namespaces: what lies there, and whose it is.

A process that runs ``unshare --mount``, a container or a service with ``PrivateTmp``
has a table of mounts of its own. A mount that was made there is in no other; one that
was there before is in both, and its daemon goes on until it is gone from the last.

It changes nothing, and asks no file system, which may not answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from memfs.records import NamedTuple

PROC: Final = Path("/proc")


class Mount(NamedTuple):
    """A line of a table of mounts.

    Attributes:
        device: major and minor number, which is the same in every namespace.
    """

    device: str
    point: Path
    fstype: str


def table(pid: int | str = "self") -> Iterator[Mount]:
    """The mounts that a process sees, in the order in which they were made.

    Raises:
        OSError: the process is gone.
    """
    text = (PROC / str(pid) / "mountinfo").read_bytes()
    # A name may have a carriage return, which splitlines() takes for an end.
    for line in text.split(b"\n")[:-1]:
        fields, _, rest = line.partition(b" - ")
        _, _, device, _, point, *_ = fields.split(b" ")
        fstype = os.fsdecode(rest.split(b" ", 1)[0])
        yield Mount(os.fsdecode(device), Path(os.fsdecode(unescape(point))), fstype)


def last_at(point: Path, pid: int | str = "self") -> Mount | None:
    """What a process sees on `point`: the last that was mounted there.

    Raises:
        OSError: the process is gone.
    """
    found = None
    for mount in table(pid):
        if mount.point == point:
            found = mount
    return found


def device_at(point: Path, fstype: str, pid: int | str = "self") -> str | None:
    """The device of what a process sees on `point`, if it is of that type."""
    try:
        found = last_at(point, pid)
    except OSError:
        return None
    return found.device if found is not None and found.fstype == fstype else None


def find(device: str, first: int) -> tuple[int, Path] | None:
    """Where a device is mounted still.

    Args:
        device: of the mount.
        first: the process that is asked before all others.

    Returns:
        A process that sees it, and where; None: nobody does.
    """
    others = sorted(int(name) for name in os.listdir(PROC) if name.isdigit())
    asked = set()
    for pid in (first, *others):
        try:
            namespace = os.readlink(PROC / str(pid) / "ns/mnt")
        except OSError:
            namespace = f"of {pid}"  # somebody else's: its table may be read
        if namespace in asked:
            continue
        asked.add(namespace)
        try:
            for mount in table(pid):
                if mount.device == device:
                    return pid, mount.point
        except OSError:
            continue
    return None


def unescape(name: bytes) -> bytes:
    """The mount table's \\040 and its like, as octal."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), name)
