"""Migration of a zone's pages, and its defragmentation: migrate.c, compact.c."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memfs.vm._ffi.lib import Handle, check, ffi, lib
from memfs.vm._ffi.records import REASON_NAMES

MIG_WRITEOUT: Final[int] = lib.VM_MIG_WRITEOUT
MIG_SWAPSLOT: Final[int] = lib.VM_MIG_SWAPSLOT
MIG_LAZY: Final[int] = lib.VM_MIG_LAZY
MIG_NOWAIT: Final[int] = lib.VM_MIG_NOWAIT
MIG_FORCE: Final[int] = lib.VM_MIG_FORCE
MIG_BLOCK: Final[int] = lib.VM_MIG_BLOCK
MAX_ORDER: Final[int] = lib.VM_MAX_ORDER


def named(reasons: Sequence[int]) -> dict[str, int]:
    """The counts that are not 0, by reason."""
    counts = zip(REASON_NAMES, reasons, strict=False)
    return {name: nr for name, nr in counts if nr}


class Migrate:
    """One migration of a zone's pages; those on hold belong to its operation.

    Call :meth:`putback` in a ``finally`` clause: it puts back what is held.
    """

    def __init__(self, core: Handle, zid: int, flags: int) -> None:
        self._core = core
        self._mig = ffi.new("struct vm_migrate *")
        self._cursor = ffi.new("uint32_t *")
        self._end = 0
        self._mig.zid = zid
        self._mig.flags = flags

    def aim(self, targets: Sequence[int]) -> None:
        """The zones to move to, in order."""
        self._mig.nr_targets = len(targets)
        self._mig.target[0 : len(targets)] = targets

    def step(self, budget: int) -> int:
        """A step of the quick pass. Returns: return code."""
        rc: int = lib.vm_migrate(self._core.vm, self._mig, budget)
        return rc

    def retry(self, force: bool = False) -> int:
        """Try the pages on hold once more. Returns: return code.

        `force`: those, too, that a real process maps and that do not come back.
        """
        flags = self._mig.flags
        if force:
            self._mig.flags |= MIG_FORCE
        rc: int = lib.vm_migrate_retry(self._core.vm, self._mig)
        self._mig.flags = flags
        return rc

    def sweep(self) -> int:
        """From now on look at every page once, and hold none. Returns: pages."""
        self._mig.flags |= MIG_FORCE
        rc = lib.vm_migrate_sweep(self._core.vm, self._mig)
        return check(rc, f"there is no zone {self._mig.zid}")

    def block(self, first: int, end: int) -> None:
        """From now on :meth:`block_step` goes over pages `first` to `end`."""
        self._mig.flags |= MIG_BLOCK
        self._cursor[0] = first
        self._end = end

    def block_step(self, budget: int, force: bool = False) -> int:
        """A step over a range of pages. Returns: return code.

        `force`: those, too, that a real process maps and that do not come back.
        """
        flags = self._mig.flags
        if force:
            self._mig.flags |= MIG_FORCE
        rc: int = lib.vm_migrate_block(
            self._core.vm, self._mig, self._cursor, self._end, budget
        )
        self._mig.flags = flags
        return rc

    def look(self, budget: int) -> int:
        """A step of a walk that only counts. Returns: return code."""
        rc = lib.vm_migrate_check(self._core.vm, self._mig, self._cursor, budget)
        return check(rc, f"there is no zone {self._mig.zid}")

    def putback(self) -> None:
        """Put the pages on hold back, each with its reason."""
        if self._core.is_open and self._mig.nr_hold:
            lib.vm_migrate_putback(self._core.vm, self._mig)

    @property
    def held(self) -> int:
        """Pages on hold."""
        return int(self._mig.nr_hold)

    def held_pfns(self) -> list[int]:
        """The pages on hold."""
        return list(self._mig.hold[0 : self._mig.nr_hold])

    def held_reasons(self) -> dict[str, int]:
        """Why the pages on hold refused last."""
        found: dict[str, int] = {}
        for why in self._mig.hold_why[0 : self._mig.nr_hold]:
            found[REASON_NAMES[why]] = found.get(REASON_NAMES[why], 0) + 1
        return found

    @property
    def attempted(self) -> int:
        """Pages taken so far; one that is tried again after a putback counts twice."""
        return int(self._mig.attempted)

    @property
    def moved(self) -> int:
        """Pages moved so far; after :meth:`look`, pages that would."""
        return int(self._mig.moved)

    @property
    def gone(self) -> int:
        """Pages on hold that their users freed meanwhile."""
        return int(self._mig.gone)

    @property
    def failed(self) -> int:
        """Pages put back."""
        return int(self._mig.failed)

    @property
    def written(self) -> int:
        """Write-outs started."""
        return int(self._mig.written)

    @property
    def slots(self) -> int:
        """Swap slots taken."""
        return int(self._mig.slots)

    @property
    def unmapped(self) -> int:
        """Page table entries left to faults."""
        return int(self._mig.unmapped)

    def reasons(self) -> dict[str, int]:
        """Why pages were put back, how often."""
        return named(self._mig.reason)


class Compact:
    """One defragmentation of a zone. `order`: a block of it is enough."""

    def __init__(self, core: Handle, zid: int, order: int = MAX_ORDER) -> None:
        self._core = core
        self._compact = ffi.new("struct vm_compact *", {"zid": zid, "order": order})

    def step(self, budget: int) -> int:
        """A step. Returns: return code."""
        rc: int = lib.vm_compact(self._core.vm, self._compact, budget)
        return rc

    @property
    def moved(self) -> int:
        """Pages moved so far."""
        return int(self._compact.moved)

    @property
    def scanned(self) -> int:
        """Pages that the scanner for pages to move has looked at."""
        return int(self._compact.migrate_scanned)

    def reasons(self) -> dict[str, int]:
        """Why pages were passed over, how often."""
        return named(self._compact.reason)
