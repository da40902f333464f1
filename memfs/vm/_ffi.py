"""The face of the compiled core: the only importer of ``memfs.vm._vmcore``.

What comes out is int, bytes, NamedTuple or Enum, never cdata. A stepping function
returns its return code (:class:`Rc`); a negative one is raised as VmError by
:func:`check`. One thread owns a core; nothing here waits, decides or remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from memfs.vm._vmcore import ffi, lib
from memfs.vm.errors import VmError, errno_name

NO_PFN: Final[int] = lib.VM_NO_PFN
NO_ID: Final[int] = lib.VM_NO_ID
SWAP_MAPPING: Final[int] = lib.VM_SWAP_MAPPING
KIND_FILE: Final[int] = lib.VM_MAP_FILE
KIND_SHM: Final[int] = lib.VM_MAP_SHM
DEV_DISK: Final[int] = lib.VM_DEV_DISK
DEV_SWAP: Final[int] = lib.VM_DEV_SWAP
K_OTHER: Final[int] = lib.VM_K_OTHER
CLASS_NORMAL: Final[int] = lib.VM_CLASS_NORMAL
NR_CLASSES: Final[int] = lib.VM_NR_CLASSES
RULE_SHRINK_UNREF: Final[int] = lib.VM_RULE_SHRINK_UNREF
RULE_REFILL_UNREF: Final[int] = lib.VM_RULE_REFILL_UNREF
RULE_CUMULATIVE_MIN: Final[int] = lib.VM_RULE_CUMULATIVE_MIN
RULE_UNMAP_REFUSES_YOUNG: Final[int] = lib.VM_RULE_UNMAP_REFUSES_YOUNG
ALLOC_MEMALLOC: Final[int] = lib.VM_ALLOC_MEMALLOC
TOUCH_WRITE: Final[int] = lib.VM_TOUCH_WRITE
TOUCH_RANDOM: Final[int] = lib.VM_TOUCH_RANDOM
VMA_WRITE: Final[int] = lib.VM_VMA_WRITE
VMA_SHARED: Final[int] = lib.VM_VMA_SHARED
VMA_LOCKED: Final[int] = lib.VM_VMA_LOCKED
NEVER: Final = (1 << 64) - 1
VERIFY_TEXT: Final = 16384
NR_INUSE_PFNS: Final = 10
REVOKE_MAX: Final[int] = lib.VM_REVOKE_MAX


class Rc(IntEnum):
    """Return codes of a stepping function."""

    DONE = lib.VM_DONE
    MORE = lib.VM_MORE
    NOMEM = lib.VM_NOMEM
    WAIT = lib.VM_WAIT
    READ = lib.VM_READ


DONE: Final[int] = lib.VM_DONE
MORE_RC: Final[int] = lib.VM_MORE
NOMEM: Final[int] = lib.VM_NOMEM
WAIT: Final[int] = lib.VM_WAIT
READ: Final[int] = lib.VM_READ


class ZoneItem(IntEnum):
    """Counters of a zone, in pages: places of ``ZoneStat.item``."""

    NR_FREE = lib.NR_FREE
    NR_PCP = lib.NR_PCP
    NR_PAGEVEC = lib.NR_PAGEVEC
    NR_ACTIVE = lib.NR_ACTIVE
    NR_INACTIVE = lib.NR_INACTIVE
    NR_ISOLATED = lib.NR_ISOLATED
    NR_ACTIVE_ANON = lib.NR_ACTIVE_ANON
    NR_INACTIVE_ANON = lib.NR_INACTIVE_ANON
    NR_MLOCKED = lib.NR_MLOCKED
    NR_FILE = lib.NR_FILE
    NR_SHMEM = lib.NR_SHMEM
    NR_ANON = lib.NR_ANON
    NR_SWAPCACHE = lib.NR_SWAPCACHE
    NR_MAPPED = lib.NR_MAPPED
    NR_ANON_MAPPED = lib.NR_ANON_MAPPED
    NR_DIRTY = lib.NR_DIRTY
    NR_WRITEBACK = lib.NR_WRITEBACK
    NR_BUFFERS = lib.NR_BUFFERS
    NR_LOCKED = lib.NR_LOCKED
    NR_KERNEL_OTHER = lib.NR_KERNEL_OTHER
    NR_RADIX = lib.NR_RADIX
    NR_SHMEMDIR = lib.NR_SHMEMDIR
    NR_PAGETABLE = lib.NR_PAGETABLE
    NR_RESERVED = lib.NR_RESERVED
    NR_CLIENT = lib.NR_CLIENT


def _names(prefix: str, nr: int) -> tuple[str, ...]:
    # The lower-case names of a C enum, by value.
    values = {getattr(lib, name): name for name in dir(lib) if name.startswith(prefix)}
    return tuple(values[i].removeprefix(prefix).lower() for i in range(nr))


EVENT_NAMES: Final = _names("EV_", lib.NR_EVENTS)
REASON_NAMES: Final = _names("WHY_", lib.NR_REASONS)
NR_ITEMS: Final[int] = lib.NR_ZONE_ITEMS
NUMA_NAMES: Final = (
    "numa_hit",
    "numa_miss",
    "numa_foreign",
    "interleave_hit",
    "local_node",
    "other_node",
)


class ZoneStat(NamedTuple):
    """One zone at one instant, pages; see struct vm_zone_stat."""

    zid: int
    nid: int
    type: int
    start_pfn: int
    spanned: int
    present: int
    managed: int
    pages_min: int
    pages_low: int
    pages_high: int
    open: bool
    all_unreclaimable: bool
    populated: bool
    pages_scanned: int
    item: tuple[int, ...]
    numa: tuple[int, ...]
    free_area: tuple[int, ...]
    pcp_hot_low: int
    pcp_hot_high: int
    pcp_cold_low: int
    pcp_cold_high: int
    pcp_batch: int

    @property
    def free(self) -> int:
        """Pages in the buddy lists."""
        return self.item[0]

    @property
    def active(self) -> int:
        """Pages on the active list."""
        return self.item[ZoneItem.NR_ACTIVE]

    @property
    def inactive(self) -> int:
        """Pages on the inactive list."""
        return self.item[ZoneItem.NR_INACTIVE]


class Need(NamedTuple):
    """What the last NOMEM, READ or WAIT was about."""

    cls: int
    order: int
    mapping: int
    index: int  # type: ignore[assignment]
    dev: int
    failed: int


class MappingStat(NamedTuple):
    """Page cache of one file, pages; `error` is an errno or 0."""

    nrpages: int
    nr_dirty: int
    nr_writeback: int
    nr_locked: int
    nr_swapped: int
    nr_vmas: int
    error: int
    nr_exceptional: int


class MmStat(NamedTuple):
    """Address space of one task, pages."""

    rss: int
    anon_rss: int
    swap: int
    page_tables: int
    nr_vmas: int
    total_vm: int
    minflt: int
    majflt: int


class DevStat(NamedTuple):
    """One device: requests and pages so far, and what is in flight."""

    reads: int
    writes: int
    read_pages: int
    write_pages: int
    merged: int
    errors: int
    in_flight: int
    congested: int


class PageInfo(NamedTuple):
    """One page; see struct vm_page_info."""

    pfn: int
    zid: int
    type: int
    flags: int
    order: int
    kind: int
    mapcount: int
    extra: int
    count: int  # type: ignore[assignment]
    mapping: int
    index: int  # type: ignore[assignment]
    swap: int
    stamp: int
    mm: int
    vpn: int


class HostStat(NamedTuple):
    """Host memory behind the pages, frames."""

    resident: int
    dropped: int
    spilled: int
    returned: int
    limit: int


class SwapStat(NamedTuple):
    """Swap slots, pages."""

    total: int
    used: int
    cached: int


def check(rc: int, what: str) -> int:
    """Raise a negative return code as VmError; return any other.

    Raises:
        VmError: errno ``-rc``, message `what`.
    """
    if rc < 0:
        raise VmError(-rc, what or errno_name(-rc))
    return rc


def _tuple(kind: Any, struct: Any) -> Any:
    return kind(*[getattr(struct, name) for name in kind._fields])


class Reclaim:
    """One reclaim run over one zone; its pages on hold belong to its operation.

    Call :meth:`cancel` in a ``finally`` clause: it puts back what is held.
    """

    def __init__(
        self,
        core: Core,
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


class Touch:
    """A walk of a task over one of its areas."""

    def __init__(
        self, core: Core, mm: int, vma: int, flags: int, first: int, nr: int
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


class Verify:
    """One run over the invariants that the core checks."""

    def __init__(self, core: Core) -> None:
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


class Core:
    """One ``struct vm``. Closed, it raises instead of crashing."""

    def __init__(self, **config: int) -> None:
        self._vm: Any = None
        conf = ffi.new("struct vm_config *", config)
        vm = lib.vm_create(conf)
        if vm == ffi.NULL:
            raise VmError(12, f"no machine of {config.get('max_pfn', 0)} pages")
        # Not ffi.gc(): an operation that is collected with its machine puts pages
        # back, and has to find out that the machine has gone before it.
        self._vm = vm
        self._stat = ffi.new("struct vm_zone_stat *")
        self._u32 = ffi.new("uint32_t[4]")
        self._events = ffi.new("uint64_t[]", len(EVENT_NAMES))
        self._cpu = 0

    @property
    def vm(self) -> Any:
        """The machine, for this module only.

        Raises:
            ValueError: it is closed.
        """
        if self._vm is None:
            raise ValueError("the machine is closed")
        return self._vm

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed."""
        return self._vm is not None

    def close(self) -> None:
        """Give everything back; a second call does nothing."""
        if self._vm is not None:
            vm, self._vm = self._vm, None
            lib.vm_destroy(vm)

    def __del__(self) -> None:
        self.close()

    # -- boot.c ------------------------------------------------------------

    def zone_plug(
        self,
        zid: int,
        nid: int,
        kind: int,
        start: int,
        spanned: int,
        present: int,
        reserved: int,
    ) -> None:
        """A zone's memory comes: gate closed, marks 0."""
        rc = lib.vm_zone_plug(
            self.vm, zid, nid, kind, start, spanned, present, reserved
        )
        check(rc, f"zone {zid} at page {start}")

    def zone_unplug(self, zid: int) -> None:
        """A zone's memory goes; every managed page is free."""
        check(lib.vm_zone_unplug(self.vm, zid), f"zone {zid} is in use")

    def zone_marks(self, zid: int, low_marks: tuple[int, int, int]) -> None:
        """Watermarks min, low, high; pages."""
        check(lib.vm_zone_marks(self.vm, zid, *low_marks), f"marks of zone {zid}")

    def zone_pcp(self, zid: int, marks: tuple[int, int, int, int, int]) -> None:
        """Per-CPU marks: hot low, hot high, cold low, cold high, batch; pages."""
        check(lib.vm_zone_pcp(self.vm, zid, *marks), f"per-CPU lists of zone {zid}")

    def zone_gate(self, zid: int, is_open: bool) -> None:
        """Open or close the gate; the zonelists are the caller's."""
        check(lib.vm_zone_gate(self.vm, zid, is_open), f"gate of zone {zid}")

    def zone_unreclaimable(self, zid: int, value: bool) -> None:
        """Set all_unreclaimable."""
        lib.vm_zone_unreclaimable(self.vm, zid, value)

    def zonelist(self, nid: int, cls: int, zids: Sequence[int]) -> None:
        """Set the zonelist of a class on a node."""
        rc = lib.vm_zonelist(self.vm, nid, cls, len(zids), list(zids))
        check(rc, f"zonelist {cls} of node {nid}")

    def cpu_node(self, cpu: int, nid: int) -> None:
        """Say on which node a CPU is."""
        check(lib.vm_cpu_node(self.vm, cpu, nid), f"CPU {cpu} on node {nid}")

    def distance(self, a: int, b: int, distance: int) -> None:
        """Set one cell of the distance table."""
        check(lib.vm_distance(self.vm, a, b, distance), f"distance {a} to {b}")

    def set_cpu(self, cpu: int) -> None:
        """The CPU on which the next calls run."""
        if cpu != self._cpu:
            self._cpu = cpu
            lib.vm_set_cpu(self.vm, cpu)

    def set_closed_rules(self, rules: int) -> None:
        """RULE_SHRINK_UNREF, RULE_REFILL_UNREF for closed zones."""
        lib.vm_set_closed_rules(self.vm, rules)

    def needed(self) -> Need:
        """What the last NOMEM, READ or WAIT was about."""
        need: Need = _tuple(Need, lib.vm_needed(self.vm))
        return need

    def wakeups(self) -> int:
        """Bits of the nodes (mod 64) that an allocation found low; clears them."""
        return int(lib.vm_wakeups(self.vm))

    # -- stat.c ------------------------------------------------------------

    def zone_stat(self, zid: int) -> ZoneStat:
        """Everything about one zone.

        Raises:
            VmError: ENODEV, no such zone is plugged.
        """
        s = self._stat
        check(lib.vm_zone_stat(self.vm, zid, s), f"there is no zone {zid}")
        return ZoneStat(
            zid,
            s.nid,
            s.type,
            s.start_pfn,
            s.spanned,
            s.present,
            s.managed,
            s.pages_min,
            s.pages_low,
            s.pages_high,
            bool(s.open),
            bool(s.all_unreclaimable),
            bool(s.populated),
            s.pages_scanned,
            tuple(s.item[0:NR_ITEMS]),
            tuple(s.numa),
            tuple(s.free_area),
            s.pcp_hot_low,
            s.pcp_hot_high,
            s.pcp_cold_low,
            s.pcp_cold_high,
            s.pcp_batch,
        )

    def events(self) -> dict[str, int]:
        """Event counters by lower-case name; they only grow."""
        lib.vm_events(self.vm, self._events)
        return dict(zip(EVENT_NAMES, self._events, strict=True))

    def page_info(self, pfn: int) -> PageInfo:
        """Everything about one page; for tests and reports, not for loops.

        Raises:
            VmError: EINVAL, no such page.
        """
        info = ffi.new("struct vm_page_info *")
        check(lib.vm_page_info(self.vm, pfn, info), f"there is no page {pfn}")
        result: PageInfo = _tuple(PageInfo, info)
        return result

    def why(self, zid: int, cursor: int, budget: int) -> tuple[int, int, list[int]]:
        """Why pages stay. Returns: return code, new cursor, pages by reason."""
        at = ffi.new("uint32_t *", cursor)
        reasons = ffi.new("uint64_t[]", len(REASON_NAMES))
        rc = lib.vm_why(self.vm, zid, at, budget, reasons)
        return check(rc, f"there is no zone {zid}"), at[0], list(reasons)

    def inuse(self, zid: int, active: bool) -> Inuse:
        """A walk over the pages of a zone that are in use."""
        return Inuse(self, zid, active)

    def state_hash(self) -> int:
        """64 bits over the whole state."""
        return int(lib.vm_state_hash(self.vm))

    # -- pcp.c, buddy.c ----------------------------------------------------

    def alloc(self, cls: int, order: int, kind: int, flags: int = 0) -> int:
        """A block of kernel memory. Returns: first pfn, or NO_PFN."""
        return int(lib.vm_alloc(self.vm, cls, order, flags, kind))

    def free(self, pfn: int, order: int) -> None:
        """Give a block of kernel memory back."""
        check(lib.vm_free(self.vm, pfn, order), f"page {pfn}")

    def drain_pcp(self, zid: int) -> None:
        """Every CPU's lists of the zone go back to the buddy lists."""
        lib.vm_drain_pcp(self.vm, zid)

    def drain_pagevecs(self) -> None:
        """Pages on their way to the LRU get there."""
        lib.vm_drain_pagevecs(self.vm)

    def lru_list(self, zid: int, active: bool, nr: int) -> list[int]:
        """Up to `nr` pfns of a list, oldest first; for tests."""
        pfns = ffi.new("uint32_t[]", nr)
        return list(pfns[0 : lib.vm_lru_list(self.vm, zid, active, nr, pfns)])

    # -- mapping.c, filemap.c, truncate.c, filesync.c ------------------------

    def mapping_create(self, kind: int) -> int:
        """A page cache without pages.

        Raises:
            VmError: ENOMEM, there are too many.
        """
        mapping = int(lib.vm_mapping_create(self.vm, kind))
        if mapping == NO_ID:
            raise VmError(12, "too many files are in use")
        return mapping

    def mapping_destroy(self, mapping: int) -> None:
        """Forget a page cache that has no page."""
        check(lib.vm_mapping_destroy(self.vm, mapping), f"mapping {mapping} is in use")

    def mapping_fd(self, mapping: int, fd: int) -> None:
        """The descriptor for I/O; -1: none."""
        check(lib.vm_mapping_fd(self.vm, mapping, fd), f"mapping {mapping}")

    def mapping_size(self, mapping: int, size: int) -> None:
        """The size of the file, bytes."""
        check(lib.vm_mapping_size(self.vm, mapping, size), f"size of {size} bytes")

    def mapping_stat(self, mapping: int) -> MappingStat:
        """Counters of a page cache."""
        stat = ffi.new("struct vm_mapping_stat *")
        check(lib.vm_mapping_stat(self.vm, mapping, stat), f"no mapping {mapping}")
        result: MappingStat = _tuple(MappingStat, stat)
        return result

    def mapping_clear_error(self, mapping: int) -> None:
        """Forget a failed transfer that has been reported."""
        lib.vm_mapping_clear_error(self.vm, mapping)

    def file_read(
        self, mapping: int, off: int, buf: bytearray, pos: int, client: bool = False
    ) -> tuple[int, int]:
        """Read into ``buf[pos:]`` from `off`. Returns: return code, bytes done.

        `client`: the real kernel keeps a copy of the pages.
        """
        done = self._u32
        done[0] = 0
        read = lib.vm_client_read if client else lib.vm_file_read
        rc = read(
            self.vm, mapping, off, len(buf) - pos, ffi.from_buffer(buf) + pos, done
        )
        return rc, done[0]

    def file_write(
        self, mapping: int, off: int, data: Any, pos: int, client: bool = False
    ) -> tuple[int, int]:
        """Write ``data[pos:]`` at `off`. Returns: return code, bytes done.

        `client`: out of the real kernel's copy of the pages.
        """
        done = self._u32
        done[0] = 0
        write = lib.vm_client_write if client else lib.vm_file_write
        rc = write(
            self.vm, mapping, off, len(data) - pos, ffi.from_buffer(data) + pos, done
        )
        return rc, done[0]

    def file_submit_read(self, mapping: int, index: int, nr: int) -> tuple[int, int]:
        """Start reading absent pages. Returns: return code, pages started."""
        done = self._u32
        done[0] = 0
        rc = lib.vm_file_submit_read(self.vm, mapping, index, nr, done)
        return rc, done[0]

    def file_truncate(self, mapping: int, size: int, budget: int) -> int:
        """Drop what lies above `size` bytes. Returns: return code."""
        return int(lib.vm_file_truncate(self.vm, mapping, size, budget))

    def file_punch(
        self, mapping: int, off: int, nbytes: int, index: int, budget: int
    ) -> tuple[int, int]:
        """Drop the whole pages of a range, zero the rest of it.

        Returns: return code, next index.
        """
        n = self._u32
        n[0] = index
        rc = lib.vm_file_punch(self.vm, mapping, off, nbytes, n, budget)
        return rc, n[0]

    def file_flush(self, mapping: int, index: int, nr: int, drop: bool) -> int:
        """Write what is dirty of `nr` pages, and with `drop` forget them.

        Returns: return code; DONE when there is nothing left to do.
        """
        return int(lib.vm_file_flush(self.vm, mapping, index, nr, drop))

    def file_writeback(self, mapping: int, index: int, nr: int) -> tuple[int, int, int]:
        """Start write-out of up to `nr` dirty pages from `index` on.

        Returns: return code, next index, pages started.
        """
        n = self._u32
        n[0], n[1] = index, 0
        rc = lib.vm_file_writeback(self.vm, mapping, n, nr, n + 1)
        return rc, n[0], n[1]

    def file_resident(self, mapping: int, index: int, nr: int) -> bytes:
        """One byte a page, as mincore(2): 1 cached, 2 in swap, 0 neither."""
        out = ffi.new("uint8_t[]", nr)
        check(lib.vm_file_resident(self.vm, mapping, index, nr, out), "resident")
        return bytes(ffi.buffer(out))

    # -- revoke.c ----------------------------------------------------------

    def revoke_take(self) -> list[tuple[int, int, int]]:
        """Ranges that the real kernel is to give back: mapping, index, pages."""
        if not lib.vm_revoke_queued(self.vm):
            return []
        out = ffi.new("struct vm_revoke[]", REVOKE_MAX)
        nr = lib.vm_revoke_take(self.vm, out)
        return [(out[i].mapping, out[i].index, out[i].nr) for i in range(nr)]

    def revoked(self, mapping: int, index: int, nr: int, kept: bool) -> int:
        """The real kernel gave a range back, or kept it. Returns: pages that may go."""
        at = ffi.new("struct vm_revoke *", (mapping, index, nr))
        return int(lib.vm_revoked(self.vm, at, kept))

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
        result: MmStat = _tuple(MmStat, stat)
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

    def munmap(self, vma: int, budget: int) -> int:
        """A step of the end of an area. Returns: return code."""
        return int(lib.vm_munmap(self.vm, vma, budget))

    # -- swap.c, disk.c, frames.c --------------------------------------------

    def swap_size(self, pages: int, fd: int) -> None:
        """Set the swap area; fd -1: kept in memory."""
        check(lib.vm_swap_size(self.vm, pages, fd), f"swap of {pages} pages")

    def swap_stat(self) -> SwapStat:
        """Swap slots: all, used, and with a page in the swap cache."""
        n = self._u32
        lib.vm_swap_stat(self.vm, n, n + 1, n + 2)
        return SwapStat(n[0], n[1], n[2])

    def swap_submit_read(self, slot: int) -> int:
        """Start reading a slot. Returns: return code or -errno."""
        return int(lib.vm_swap_submit_read(self.vm, slot))

    def dev_config(
        self, dev: int, latency_ns: int, bandwidth: int, requests: int, merge: int
    ) -> None:
        """What a device can do; bandwidth in bytes per second."""
        conf = ffi.new("struct vm_dev_conf *", (latency_ns, bandwidth, requests, merge))
        check(lib.vm_dev_config(self.vm, dev, conf), "no such device is possible")

    def dev_stat(self, dev: int) -> DevStat:
        """What a device has done and is doing."""
        stat = ffi.new("struct vm_dev_stat *")
        lib.vm_dev_stat(self.vm, dev, stat)
        result: DevStat = _tuple(DevStat, stat)
        return result

    def dev_fault(self, dev: int, write: bool, errno: int) -> None:
        """Have every transfer of a kind fail with `errno`; 0: none."""
        lib.vm_dev_fault(self.vm, dev, write, errno)

    def dev_transfer(self, dev: int, write: bool, nr: int) -> tuple[int, int]:
        """Queue a request of `nr` pages that are nobody's.

        Returns: return code; what `dev_ended` reaches when it has ended.
        """
        ticket = ffi.new("uint64_t *")
        rc = lib.vm_dev_transfer(self.vm, dev, write, nr, ticket)
        return rc, ticket[0]

    def dev_ended(self, dev: int) -> int:
        """Requests of a device that have ended since boot."""
        return int(lib.vm_dev_ended(self.vm, dev))

    def now(self) -> int:
        """Virtual time, ns."""
        return int(lib.vm_now(self.vm))

    def next_event(self) -> int | None:
        """When the next I/O completes, ns; None: none outstanding."""
        event = int(lib.vm_next_event(self.vm))
        return None if event == NEVER else event

    def advance(self, to_ns: int) -> None:
        """Move the clock and complete what is due."""
        lib.vm_advance(self.vm, to_ns)

    def completions(self) -> int:
        """Requests completed so far."""
        return int(lib.vm_completions(self.vm))

    def set_horizon(self, ns: int) -> None:
        """How far a stepping call may move the clock by itself."""
        lib.vm_set_horizon(self.vm, ns)

    def host_limit(self, frames: int, spill_fd: int) -> None:
        """Bound the host memory behind the pages."""
        check(lib.vm_host_limit(self.vm, frames, spill_fd), f"{frames} frames")

    def host_trim(self, budget: int) -> int:
        """Give freed frames back to the host. Returns: return code."""
        return int(lib.vm_host_trim(self.vm, budget))

    def host_stat(self) -> HostStat:
        """Host memory behind the pages."""
        stat = ffi.new("struct vm_host_stat *")
        lib.vm_host_stat(self.vm, stat)
        result: HostStat = _tuple(HostStat, stat)
        return result


class Inuse:
    """A walk over the pages of a zone that are in use: counts by kind, first pfns."""

    def __init__(self, core: Core, zid: int, active: bool) -> None:
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
