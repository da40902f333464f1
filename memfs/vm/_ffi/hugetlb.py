"""Huge pages: hugetlb.c."""

from __future__ import annotations

from collections.abc import Sequence

from memfs.records import NamedTuple
from memfs.vm._ffi.lib import NO_ID, NO_PFN, Handle, as_tuple, check, ffi, lib
from memfs.vm.errors import VmError

HUGE_ORDERS = (9, 10)


class HugeFigures(NamedTuple):
    """Huge pages: free, all, surplus; of the free ones those promised to areas.

    ``reserved`` is the whole machine's, whatever zone was asked about.
    """

    free: int
    total: int
    surplus: int
    reserved: int


class HugeCalls(Handle):
    """Calls about the pool and the areas of huge pages."""

    def huge_grow(self, order: int, zids: Sequence[int], surplus: bool = False) -> int:
        """One huge page more, of the first of these zones that can. Return code."""
        rc = lib.vm_huge_grow(self.vm, order, surplus, len(zids), list(zids))
        return check(rc, f"a huge page of order {order}")

    def huge_shrink(self, order: int, zid: int = NO_ID) -> bool:
        """One that is free goes back; False: none is free."""
        return bool(lib.vm_huge_shrink(self.vm, order, zid) == 0)

    def huge_dissolve(self, first: int, end: int) -> int:
        """Free ones with pages of a range go back. Return code; WAIT: one is in use.

        Raises:
            VmError: EBUSY, one was promised to an area.
        """
        rc = lib.vm_huge_dissolve(self.vm, first, end)
        return check(rc, "failure to dissolve huge pages")

    def huge_surplus(self, order: int, zid: int, surplus: bool) -> bool:
        """One of a zone is surplus from now on, or not; False: there is none."""
        return bool(lib.vm_huge_surplus(self.vm, order, zid, surplus) == 0)

    def huge_stat(self, order: int = NO_ID, zid: int = NO_ID) -> HugeFigures:
        """Huge pages of a zone, or of all; of an order, or of both."""
        out = ffi.new("struct vm_huge_stat *")
        lib.vm_huge_stat(self.vm, order, zid, out)
        figures: HugeFigures = as_tuple(HugeFigures, out)
        return figures

    def huge_map(self, order: int, nr: int, stamp: int, vpn: int) -> int:
        """An area of `nr` huge pages.

        Raises:
            VmError: ENOMEM, there are too many, or no such order.
        """
        area = int(lib.vm_huge_map(self.vm, order, nr, stamp, vpn))
        if area == NO_ID:
            raise VmError(12, f"no room for {nr} huge pages of order {order}")
        return area

    def huge_reserve(self, area: int) -> int:
        """Promise an area its pages. Returns: how many the pool lacks; 0: done."""
        return check(lib.vm_huge_reserve(self.vm, area), f"area {area}")

    def huge_unmap(self, area: int) -> int:
        """An area goes. Return code."""
        return int(lib.vm_huge_unmap(self.vm, area))


class HugeTouch:
    """A walk of a task over huge pages of an area; as Touch."""

    def __init__(self, core: Handle, area: int, first: int, nr: int) -> None:
        self._core = core
        self._range = area, first, nr
        self._pos = ffi.new("uint32_t *")

    def restart(self, rng: int) -> None:
        """Begin a pass; they are touched in order."""
        self._pos[0] = 0

    def step(self, budget: int) -> int:
        """Touch all that is left. Returns: return code."""
        rc: int = lib.vm_huge_touch(self._core.vm, *self._range, self._pos)
        return rc

    @property
    def pos(self) -> int:
        """Huge pages done in this pass."""
        return int(self._pos[0])

    def take_cost(self) -> int:
        """Nothing: the walk takes no modelled time."""
        return 0


class HugeMove:
    """The migration of huge pages. Call :meth:`cancel` in ``finally``.

    Args:
        core: of the machine.
        zid: the zone.
        first, end: pages of it that are to be emptied.
        keep_free: those that nobody uses are left alone.
    """

    def __init__(
        self,
        core: Handle,
        zid: int,
        first: int = 0,
        end: int = NO_PFN,
        keep_free: bool = False,
    ) -> None:
        self._core = core
        self._move = ffi.new("struct vm_huge_move *")
        self._move.zid, self._move.moving = zid, NO_ID
        self._move.first, self._move.end = first, end
        self._move.keep_free = keep_free

    def aim(self, targets: Sequence[int]) -> None:
        """The zones to move to, in order."""
        self._move.nr_targets = len(targets)
        self._move.target[0 : len(targets)] = targets

    def step(self, budget: int) -> int:
        """A step: so many pieces of 128 KiB. Returns: return code."""
        rc: int = lib.vm_huge_migrate(self._core.vm, self._move, budget)
        return rc

    def give_up(self) -> None:
        """The next one has nowhere to go: it stays."""
        lib.vm_huge_pass(self._core.vm, self._move)

    def cancel(self) -> None:
        """What is being copied stays where it was."""
        if self._core.is_open:
            lib.vm_huge_cancel(self._core.vm, self._move)

    @property
    def moved(self) -> int:
        """Huge pages moved so far."""
        return int(self._move.moved)

    @property
    def dissolved(self) -> int:
        """Free ones given back."""
        return int(self._move.dissolved)

    @property
    def failed(self) -> int:
        """Those that had nowhere to go."""
        return int(self._move.failed)
