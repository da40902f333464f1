"""The two volumes of a mount, made from a machine and its options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memfs.files.cache import MachineCache
from memfs.files.hostfs import HostDirectory, HostStore
from memfs.files.paged import Lanes, PagedVolume, Pump
from memfs.files.shmfs import shm_volume

if TYPE_CHECKING:
    from memfs.vm import Machine


def files_volume(
    machine: Machine,
    pump: Pump,
    directory: str | os.PathLike[str] | None,
    locked: bool = False,
    lanes: Lanes | None = None,
) -> PagedVolume:
    """files/ over *directory*; None: a private one that ends with the mount.

    Args:
        locked: the caller has flocked *directory* already, as the daemon has.
        lanes: makes the records of the short way; None: there is none.

    Raises:
        TreeError: EBUSY if another mount has the directory, ENOENT, ENOTDIR,
            EACCES.
    """
    store = HostStore(HostDirectory(directory, locked))
    return PagedVolume(store, MachineCache(machine), pump, lanes)


def memory_volume(
    machine: Machine,
    pump: Pump,
    size: str | None = None,
    lanes: Lanes | None = None,
) -> PagedVolume:
    """shm/; *size* as ``size=`` of tmpfs, None: half of the machine's memory."""
    ram = sum(zone.present for zone in machine.zones.values())
    return shm_volume(MachineCache(machine), pump, ram, size, lanes)
