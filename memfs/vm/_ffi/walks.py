"""Walks that are kept between steps: reclaim, pages in use, the invariants."""

from __future__ import annotations

from memfs.vm._ffi.lib import NR_INUSE_PFNS, VERIFY_TEXT, Handle, check, ffi, lib
from memfs.vm._ffi.records import REASON_NAMES


class Reclaim:
    """One reclaim run over one zone; its pages on hold belong to its operation.

    Call :meth:`cancel` in a ``finally`` clause: it puts back what is held.
    """

    def __init__(
        self,
        core: Handle,
        zid: int,
        *,
        kswapd: bool,
        reclaim_mapped: bool,
        last_resort: bool = False,
    ) -> None:
        self._core = core
        self._rc = ffi.new("struct vm_reclaim *")
        self._nr = ffi.new("uint32_t *")
        self._rc.zid = zid
        self._rc.kswapd = kswapd
        self._rc.may_fs = self._rc.may_io = 1
        self._rc.reclaim_mapped = reclaim_mapped
        self._rc.last_resort = last_resort

    def want(self, nr_pages: int, max_scan: int) -> None:
        """What shrink() shall free at most, and look at at most; pages."""
        self._rc.nr_pages = nr_pages
        self._rc.max_scan = max_scan

    def ask_refill(self, nr: int) -> None:
        """How many pages refill() shall take from the active list."""
        self._nr[0] = nr

    def refill(self, budget: int) -> int:
        """A step over the active list. Returns: return code."""
        rc: int = lib.vm_refill(self._core.vm, self._rc, self._nr, budget)
        return rc

    def shrink(self, budget: int) -> int:
        """A step over the inactive list. Returns: return code."""
        rc: int = lib.vm_shrink(self._core.vm, self._rc, budget)
        return rc

    def cancel(self) -> None:
        """Put the pages on hold back."""
        if self._core.is_open and self._rc.nr_hold:
            lib.vm_reclaim_cancel(self._core.vm, self._rc)

    @property
    def freed(self) -> int:
        """Pages freed so far."""
        return int(self._rc.freed)

    @property
    def scanned(self) -> int:
        """Inactive pages looked at so far."""
        return int(self._rc.scanned)

    @property
    def written(self) -> int:
        """Pages whose write-out was started."""
        return int(self._rc.written)

    def reasons(self) -> tuple[int, ...]:
        """Pages kept so far, by reason (places of REASON_NAMES)."""
        return tuple(self._rc.reason[0 : len(REASON_NAMES)])


class Verify:
    """One run over the invariants that the core checks."""

    def __init__(self, core: Handle) -> None:
        self._core = core
        self._verify = ffi.new("struct vm_verify *")
        self._text = ffi.new("char[]", VERIFY_TEXT)

    def step(self, budget: int) -> tuple[int, str]:
        """A step. Returns: return code, and the text of violations found in it."""
        self._text[0] = b"\0"
        rc: int = lib.vm_verify(
            self._core.vm, self._verify, budget, self._text, VERIFY_TEXT
        )
        return rc, ffi.string(self._text).decode("utf-8", "replace")

    @property
    def violations(self) -> int:
        """Violations found so far."""
        return int(self._verify.violations)


class Inuse:
    """A walk over the pages of a zone that are in use: counts by kind, first pfns."""

    def __init__(self, core: Handle, zid: int, active: bool) -> None:
        self._core = core
        self._zid = zid
        self._active = active
        self._cursor = ffi.new("uint32_t *")
        self._kinds = ffi.new("uint64_t[64]")
        self._pfns = ffi.new("uint32_t[]", NR_INUSE_PFNS)
        self._nr = ffi.new("uint32_t *")

    def step(self, budget: int) -> int:
        """A step. Returns: return code."""
        rc = lib.vm_inuse(
            self._core.vm,
            self._zid,
            self._active,
            self._cursor,
            budget,
            self._kinds,
            self._pfns,
            self._nr,
        )
        return check(rc, f"there is no zone {self._zid}")

    def counts(self) -> list[int]:
        """Pages by kind."""
        return list(self._kinds)

    def pfns(self) -> list[int]:
        """The first pfns."""
        return list(self._pfns[0 : min(self._nr[0], NR_INUSE_PFNS)])
