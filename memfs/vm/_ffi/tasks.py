"""Modelled tasks: mm.c."""

from __future__ import annotations

from memfs.vm._ffi.lib import NO_ID, Handle, as_tuple, check, ffi, lib
from memfs.vm._ffi.records import MmStat
from memfs.vm.errors import VmError


class Touch:
    """A walk of a task over one of its areas."""

    def __init__(
        self, core: Handle, mm: int, vma: int, flags: int, first: int, nr: int
    ) -> None:
        self._core = core
        self._touch = ffi.new("struct vm_touch *")
        t = self._touch
        t.mm, t.vma, t.flags, t.first, t.nr = mm, vma, flags, first, nr
        t.next = NO_ID

    def restart(self, rng: int) -> None:
        """Begin a pass; `rng` seeds its order."""
        self._touch.pos = 0
        self._touch.rng = rng
        self._touch.next = NO_ID
        self._touch.major = 0

    def step(self, budget: int) -> int:
        """Touch up to `budget` pages. Returns: return code."""
        rc: int = lib.vm_touch(self._core.vm, self._touch, budget)
        return rc

    @property
    def pos(self) -> int:
        """Pages done in this pass."""
        return int(self._touch.pos)

    def take_cost(self) -> int:
        """Modelled CPU time since last asked, ns."""
        cost = int(self._touch.cost_ns)
        self._touch.cost_ns = 0
        return cost


class TaskCalls(Handle):
    """Calls about address spaces."""

    # -- mm.c --------------------------------------------------------------

    def mm_create(self, stamp: int) -> int:
        """An address space; `stamp` is what its pages are recognised by.

        Raises:
            VmError: ENOMEM, there are too many.
        """
        mm = int(lib.vm_mm_create(self.vm, stamp))
        if mm == NO_ID:
            raise VmError(12, "too many tasks")
        return mm

    def mm_destroy(self, mm: int, budget: int) -> int:
        """A step of the end of an address space. Returns: return code."""
        return int(lib.vm_mm_destroy(self.vm, mm, budget))

    def mm_stat(self, mm: int) -> MmStat:
        """Counters of an address space."""
        stat = ffi.new("struct vm_mm_stat *")
        check(lib.vm_mm_stat(self.vm, mm, stat), f"no address space {mm}")
        result: MmStat = as_tuple(MmStat, stat)
        return result

    def mmap(
        self, mm: int, flags: int, mapping: int, pgoff: int, vpn: int, nr: int
    ) -> int:
        """An area of `nr` pages at page `vpn`.

        Raises:
            VmError: ENOMEM, there are too many.
        """
        vma = int(lib.vm_mmap(self.vm, mm, flags, mapping, pgoff, vpn, nr))
        if vma == NO_ID:
            raise VmError(12, f"no room for an area of {nr} pages")
        return vma

    def vma_copy(
        self, parent: int, child: int, cursor: int, budget: int
    ) -> tuple[int, int]:
        """A step of a fork over one area. Returns: return code, cursor."""
        n = self._u32
        n[0] = cursor
        rc = lib.vm_vma_copy(self.vm, parent, child, n, budget)
        return rc, n[0]

    def munmap(self, vma: int, budget: int) -> int:
        """A step of the end of an area. Returns: return code."""
        return int(lib.vm_munmap(self.vm, vma, budget))
