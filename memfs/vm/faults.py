"""FAULTS: what can be made to go wrong, and where something may happen in between.

A fault is armed with how often it shall happen: the next so many times that the thing
is tried. A point is a place of a long operation at which a test has another operation
run: what real users do meanwhile, at exactly that moment.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm.errors import VmError
from memfs.vm.sched import Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

MAX_TIMES = (1 << 31) - 1


class Fault(NamedTuple):
    """A row of FAULTS.

    Attributes:
        name: the key of control/faults.
        what: happens so many times.
        core: its name in the core; "" for one that is here.
    """

    name: str
    what: str
    core: str


FAULTS: Final = (
    Fault("migrate_target", "a migration finds no page to move to", "target"),
    Fault(
        "migrate_reference",
        "somebody holds a page at the moment in which it would move",
        "reference",
    ),
    Fault("migrate_bytes", "the bytes of a page to be moved cannot be had", "bytes"),
    Fault(
        "migrate_slot", "no swap slot for a page to be moved (anon=swapslot)", "slot"
    ),
    Fault(
        "migrate_writepage",
        "a page to be moved cannot be written first (dirty=writeout)",
        "writepage",
    ),
    Fault("kernel_page", "so many kernel pages are in hot-removable memory", ""),
)
BY_NAME: Final = {fault.name: fault for fault in FAULTS}

POINTS: Final = {
    "migrate.begin": "before the first page of a remap is looked at",
    "migrate.quick": "after each step of the quick pass",
    "migrate.hold": "pages are on hold, before they are tried again",
    "migrate.huge": "after each piece of a huge page that is copied",
    "migrate.end": "before what still refuses is put back",
}


class Faults:
    """The faults of one machine, and its points.

    Attributes:
        at: what to run at a point of POINTS; each is asked every time.
    """

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.at: dict[str, Callable[[Machine], Op[None]]] = {}
        self._stray: list[tuple[Zone, int]] = []

    def left(self, name: str) -> int:
        """How often a fault is to happen still."""
        core = BY_NAME[name].core
        return self.m.core.fault_left(core) if core else len(self._stray)

    def set(self, times: dict[str, int]) -> None:
        """Arm faults; those that are not named stay as they are.

        Raises:
            VmError: EINVAL no such fault, ENOMEM no removable memory is free for a
                kernel page; nothing was changed.
        """
        for name, nr in times.items():
            if name not in BY_NAME or not 0 <= nr <= MAX_TIMES:
                raise VmError(errno.EINVAL, f"{name}={nr} is no fault")
        if "kernel_page" in times:
            self._set_stray(times["kernel_page"])
        for name, nr in times.items():
            if BY_NAME[name].core:
                self.m.core.fault(BY_NAME[name].core, nr)
        self.m.bump()

    def stray(self, zone: Zone) -> int:
        """Kernel pages that a fault put into a zone."""
        return sum(there is zone for there, _ in self._stray)

    def reach(self, point: str) -> Op[None]:
        """A point is reached."""
        hook = self.at.get(point)
        if hook is not None:
            yield from hook(self.m)

    def _set_stray(self, nr: int) -> None:
        before = len(self._stray)
        while len(self._stray) < nr:
            if not self._add_stray():
                self._drop_stray(before)
                raise VmError(errno.ENOMEM, "no hot-removable page is free")
        self._drop_stray(nr)

    def _drop_stray(self, nr: int) -> None:
        while len(self._stray) > nr:
            self.m.core.free(self._stray.pop()[1], 0)

    def _add_stray(self) -> bool:
        for zone in self.m.zones.values():
            if zone.removable:
                pfn = self.m.core.alloc_in(zone.zid, _ffi.K_OTHER)
                if pfn != _ffi.NO_PFN:
                    self._stray.append((zone, pfn))
                    return True
        return False
