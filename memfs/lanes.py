"""The short way: reads and writes of resident pages that never reach Python.

A volume whose file needs nobody's decision says so in the file's record, and the
shim (memfs/csrc/fuse_lane.c) answers what it can before libfuse has seen it. The
records are shared memory: the volume writes them, the shim notes there what changed.

What it is not: no volume needs it. Without the shim every record is None and every
request takes the long way, to the same end.

Concurrency: the thread of the session alone.
"""

from __future__ import annotations

import ctypes
from typing import Any

from memfs.shim import Shim

# Fields as in memfs/csrc/fuse_lane.h and memfs.h.


class LaneFile(ctypes.Structure):
    """An open file: times are ns since the epoch.

    Attributes:
        quiet_until: no access renews the access time before.
        read_ns: the access time since the volume looked last; 0: as it was.
        wrote_ns: the times of change since then; 0: as they were.
        mapping: of the core.
        allowed: the short way may be used.
    """

    _fields_ = (
        ("quiet_until", ctypes.c_int64),
        ("read_ns", ctypes.c_int64),
        ("wrote_ns", ctypes.c_int64),
        ("mapping", ctypes.c_uint32),
        ("allowed", ctypes.c_uint32),
    )


class ReadAheadState(ctypes.Structure):
    """``memfs.vm.readahead.State``, where the shim sees it."""

    _fields_ = (
        ("prev", ctypes.c_int64),
        ("size", ctypes.c_uint32),
        ("mark", ctypes.c_uint32),
        ("asked", ctypes.c_uint32),
    )


class Lane(ctypes.Structure):
    """A descriptor; ``reads`` and ``writes`` are what it was opened for.

    ``noatime``: reading changes no access time.
    """

    _fields_ = (
        ("file", ctypes.POINTER(LaneFile)),
        ("ra", ReadAheadState),
        ("reads", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
        ("noatime", ctypes.c_uint32),
    )


class Lanes:
    """Makes the records of one mount.

    Args:
        shim: the loaded one.
        core: addresses of the core's two functions and of the machine.
    """

    def __init__(self, shim: Shim, core: tuple[int, int, int]) -> None:
        self._on = shim.attach_lane(*core)

    def file(self) -> Any:
        """A record for an open file, None without the shim."""
        return LaneFile() if self._on else None

    def descriptor(self, file: Any, reads: bool, writes: bool) -> Any:
        """A record for a descriptor of a file, None without the shim."""
        if file is None:
            return None
        lane = Lane(ctypes.pointer(file), reads=reads, writes=writes)
        lane.ra.prev = -1
        return lane
