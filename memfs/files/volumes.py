"""The two volumes of a mount, made from a machine and its options."""

from __future__ import annotations

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
    directory: HostDirectory,
    lanes: Lanes | None = None,
) -> PagedVolume:
    """files/ over *directory*.

    Args:
        lanes: makes the records of the short way; None: there is none.
    """
    store = HostStore(directory)
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
