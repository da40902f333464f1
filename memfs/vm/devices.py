"""The two devices of a machine and what may be set of them.

What they do with it is the core's (disk.c, pageio.c).
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from memfs.vm import _ffi
from memfs.vm.errors import VmError

DEVICES = {"disk": _ffi.DEV_DISK, "swap": _ffi.DEV_SWAP}
MAX_REQUEST_PAGES = 32


class DeviceConf(NamedTuple):
    """What a device can do; bandwidth in bytes per second, readahead in bytes."""

    latency_ns: int = 1_000_000
    bandwidth: int = 1_000_000_000
    requests: int = 128
    readahead: int = 128 * 1024

    @property
    def merge_pages(self) -> int:
        """Adjacent requests become one of at most so many pages.

        Source: include/linux/blkdev.h MAX_SECTORS, 2.6.0: 255, here 256.
        """
        return MAX_REQUEST_PAGES


# Lowest and highest value of each setting.
LIMITS = {
    "latency_ns": (0, 1 << 50),
    "bandwidth": (1, 1 << 50),
    "requests": (1, 2048),
    "readahead": (0, 1 << 30),
}


def changed(name: str, conf: DeviceConf, changes: dict[str, int]) -> DeviceConf:
    """`conf` with `changes`.

    Raises:
        VmError: EINVAL, an unknown setting or a value out of range.
    """
    for key, value in changes.items():
        if key not in LIMITS:
            raise VmError(errno.EINVAL, f"{name} has no {key}")
        low, high = LIMITS[key]
        if not low <= value <= high:
            raise VmError(errno.EINVAL, f"{name}: {key} {value} is out of range")
    return conf._replace(**changes)
