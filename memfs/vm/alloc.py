"""The slow path of allocation, and the loop that drives a stepping call of the core.

A call of the core that needs a page and finds none above the minimum marks says
NOMEM; the operation that made the call then does what __alloc_pages() did:
reclaims for itself, waits, retries. Nothing here allocates; the call is repeated.

Departure: 2.6.0 retried small allocations for ever. Here one that made no progress
for a second, ten times over, with nobody to kill, is ENOMEM.

Source: mm/page_alloc.c __alloc_pages(), 2.6.0, steps after the two passes.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from memfs.vm import _ffi, oom
from memfs.vm._ffi import check
from memfs.vm.errors import VmError
from memfs.vm.reclaim import node_reclaim, try_to_free_pages
from memfs.vm.sched import HZ_NS, MORE, Io, Op, Until

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.readahead import ReadAhead

BUDGET = 4096  # pages a step; about 200 us of C
NAP_NS = HZ_NS // 50
MAX_FAILURES = 10
GONE = -errno.ENOENT  # the slot was freed meanwhile: the call looks again
MAX_STALLS = 1000  # chosen here: rounds that freed pages which did not help


class SlowPath:
    """How often one operation has failed to get a page since it last got one.

    Args:
        m: machine.
        guard: called after every wait; raises when the operation has lost its
            reason (its task was killed).
    """

    def __init__(self, m: Machine, guard: Callable[[], None] | None = None) -> None:
        self.m = m
        self.guard = guard
        self.failures = 0
        self.stalls = 0
        self.since = 0
        self._tried: tuple[int, int] | None = None

    def progress(self) -> None:
        """The operation got on."""
        self.failures = self.stalls = 0
        self._tried = None

    def reading(self, mapping: int, index: int, failed: bool) -> None:
        """The operation is about to read a page of a file, or a slot of swap.

        Args:
            failed: the last reading of the page failed, whoever began it.

        Raises:
            VmError: EIO, it was this operation that began it.
        """
        if failed and self._tried == (mapping, index):
            raise VmError(errno.EIO, "a page could not be read")
        self._tried = mapping, index

    def stall(self) -> Op[None]:
        """Free pages for the call that has just said NOMEM; then repeat the call.

        Raises:
            VmError: ENOMEM, there is nothing left to free.
        """
        with self.m.pressure.memory.stall():
            yield from self._stall()

    def _stall(self) -> Op[None]:
        m = self.m
        need = m.core.needed()
        if not self.stalls:
            self.since = m.now
        self.stalls += 1
        freed = yield from try_to_free_pages(m, need.cls)
        if self.guard is not None:
            self.guard()
        if freed:
            if self.stalls >= MAX_STALLS:
                raise self.give_up(need.cls, need.order)
            return
        self.failures += 1
        verdict = oom.out_of_memory(m)
        if verdict is oom.Verdict.NOBODY or self.hopeless(verdict):
            raise self.give_up(need.cls, need.order)
        yield Until(m.now + NAP_NS)
        if self.guard is not None:
            self.guard()

    def hopeless(self, verdict: oom.Verdict) -> bool:
        """Whether there is no reason to try again: a second of failures."""
        return (
            verdict is oom.Verdict.SWAP_FREE
            and self.failures >= MAX_FAILURES
            and self.m.now - self.since >= HZ_NS
        )

    def give_up(self, cls: int, order: int) -> VmError:
        """The error to raise, with the kernel's complaint in the log."""
        job = self.m.sched.current
        name = job.name if job else "memfs"
        self.m.klog.add(
            f"{name}: page allocation failure. order:{order}, mode:0x{cls:x}", 4
        )
        return VmError(errno.ENOMEM, "no page is free and none can be freed")


def drive(
    m: Machine,
    call: Callable[[], int],
    *,
    what: str = "",
    guard: Callable[[], None] | None = None,
    ra: ReadAhead | None = None,
    cpu: int = 0,
    step: Callable[[], Op[None]] | None = None,
    place: Callable[[], int] = lambda: 0,
) -> Op[None]:
    """Repeat a stepping call of the core until it is done.

    Args:
        m: machine.
        call: the call; returns a return code.
        what: names the call in the error of a negative code.
        guard: called before every call; raises to stop.
        ra: read-ahead state for pages of files that have to be read.
        cpu: on which CPU the calls run.
        step: an operation to do after every call (the time that it took).
        place: how far the calls have come; getting on is what counts as progress,
            not a page that was read in and may be reclaimed again.

    Raises:
        VmError: a negative return code, ENOMEM, or what `guard` raises.
    """
    slow = SlowPath(m, guard)
    before = place()
    while True:
        if guard is not None:
            guard()
        m.core.set_cpu(cpu)
        rc = call()
        m.kick_kswapds()
        if m.tunables.zone_reclaim_mode:
            yield from stay_local(m, cpu)
        if rc == _ffi.MORE_RC or place() != before:
            slow.progress()
            before = place()
        if step is not None:
            yield from step()
        if rc == _ffi.DONE:
            return
        check(rc, what)
        yield from settle(m, rc, slow, ra)


def stay_local(m: Machine, cpu: int) -> Op[None]:
    """Free pages of a CPU's own node for those that had to come from others.

    Departure: after the pages of one step, not before each.
    """
    node = next(node for node in m.nodes.values() if cpu in node.cpus)
    missed = m.core.local_misses(node.nid)
    if missed:
        yield from node_reclaim(m, node, missed)


def settle(
    m: Machine, rc: int, slow: SlowPath, ra: ReadAhead | None = None
) -> Op[None]:
    """Do what a return code other than DONE asks for before the call is repeated."""
    if rc == _ffi.NOMEM:
        yield from slow.stall()
    elif rc == _ffi.WAIT:
        yield from wait_io(m)
    elif rc == _ffi.READ:
        yield from read_needed(m, slow, ra)
    else:
        yield MORE


def wait_io(m: Machine) -> Op[None]:
    """Wait for a transfer; of a page that was swapped out, for want of memory."""
    with contextlib.ExitStack() as stalls:
        stalls.enter_context(m.pressure.io.stall())
        if m.core.needed().mapping == _ffi.SWAP_MAPPING:
            stalls.enter_context(m.pressure.memory.stall())
        yield Io()


def read_needed(m: Machine, slow: SlowPath, ra: ReadAhead | None) -> Op[None]:
    """Start reading the page that the last call said READ about."""
    need = m.core.needed()
    if need.mapping == _ffi.SWAP_MAPPING:
        yield from swap_in(m, need.index, slow)
    else:
        yield from m.files.by_id(need.mapping).fill(need.index, slow, ra)


def swap_in(m: Machine, slot: int, slow: SlowPath) -> Op[None]:
    """Read a swap slot and those around it that are in use.

    Departure: a page whose reading failed is read again by whoever wants it next; in
    2.6 it is an error until it is reclaimed.

    Raises:
        VmError: EIO, the reading that this operation began has failed.

    Source: mm/memory.c swapin_readahead(), mm/swapfile.c valid_swaphandles(), 2.6.0.
    """
    slow.reading(_ffi.SWAP_MAPPING, slot, bool(m.core.needed().failed))
    while (rc := m.core.swap_submit_read(slot)) not in (_ffi.DONE, GONE):
        check(rc, f"swap slot {slot}")
        if rc == _ffi.NOMEM:
            yield from slow.stall()
        else:
            yield from m.pressure.io.waiting(Io())
    size = 1 << m.tunables.page_cluster
    first = slot - slot % size
    for other in range(first, first + size):
        if other == slot:
            continue
        if m.core.swap_read_ahead(other) in (_ffi.NOMEM, _ffi.WAIT):
            break
    m.kick_kswapds()


def kernel_pages(m: Machine, nr: int) -> Op[list[int]]:
    """Allocate `nr` single kernel pages; all or none.

    Raises:
        VmError: ENOMEM.
    """
    pfns: list[int] = []
    slow = SlowPath(m)
    try:
        while len(pfns) < nr:
            pfn = m.core.alloc(_ffi.CLASS_NORMAL, 0, _ffi.K_OTHER)
            m.kick_kswapds()
            if pfn == _ffi.NO_PFN:
                yield from slow.stall()
                continue
            slow.progress()
            pfns.append(pfn)
    except BaseException:
        for pfn in pfns:
            m.core.free(pfn, 0)
        raise
    return pfns
