"""The two devices of a machine and what may be set of them.

What they do with it is the core's (disk.c, pageio.c).
"""

from __future__ import annotations

import errno
from typing import Any

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm.errors import VmError
from memfs.vm.layoutvalues import PAGE_SIZE
from memfs.vm.readahead import Largest, ReadAhead

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


class Devices:
    """The disk of files and that of the swap area, by name."""

    def __init__(self, core: _ffi.Core) -> None:
        self._core = core
        self._largest = Largest(0)
        self._confs = dict.fromkeys(DEVICES, DeviceConf())
        for name in DEVICES:
            self.set(name)

    def __getitem__(self, name: str) -> DeviceConf:
        return self._confs[name]

    def set(self, name: str, **changes: int) -> None:
        """Change what a device can do; see DeviceConf for the keys.

        Raises:
            VmError: EINVAL, nothing was changed.
        """
        if name not in DEVICES:
            raise VmError(errno.EINVAL, f"there is no device {name}")
        conf = changed(name, self._confs[name], changes)
        self._core.dev_config(
            DEVICES[name],
            conf.latency_ns,
            conf.bandwidth,
            conf.requests,
            conf.merge_pages,
        )
        self._confs[name] = conf
        if name == "disk":
            self._largest.pages = conf.readahead // PAGE_SIZE
            self._core.set_readahead(self._largest.pages)

    def fail(self, name: str, write: bool, error: int) -> None:
        """Have every transfer of a device fail with an errno; 0: none.

        Raises:
            VmError: EINVAL, no such device.
        """
        if name not in DEVICES or error < 0:
            raise VmError(errno.EINVAL, f"no device {name}")
        self._core.dev_fault(DEVICES[name], write, error)

    def read_ahead(self, state: Any = None) -> ReadAhead:
        """Read-ahead of one descriptor or area; see ReadAhead for `state`."""
        return ReadAhead(self._largest, state)
