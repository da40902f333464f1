"""What the core says of its zones, pages, files, tasks and devices."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from memfs.records import NamedTuple
from memfs.vm._ffi.lib import lib


class ZoneItem(IntEnum):
    """Counters of a zone, in pages: places of ``ZoneStat.item``."""

    NR_FREE = lib.NR_FREE
    NR_PCP = lib.NR_PCP
    NR_PAGEVEC = lib.NR_PAGEVEC
    NR_ACTIVE = lib.NR_ACTIVE
    NR_INACTIVE = lib.NR_INACTIVE
    NR_ISOLATED = lib.NR_ISOLATED
    NR_ISOLATED_ANON = lib.NR_ISOLATED_ANON
    NR_ACTIVE_ANON = lib.NR_ACTIVE_ANON
    NR_INACTIVE_ANON = lib.NR_INACTIVE_ANON
    NR_MLOCKED = lib.NR_MLOCKED
    NR_INACTIVE_FILE_MLOCKED = lib.NR_INACTIVE_FILE_MLOCKED
    NR_ACTIVE_FILE_MLOCKED = lib.NR_ACTIVE_FILE_MLOCKED
    NR_INACTIVE_ANON_MLOCKED = lib.NR_INACTIVE_ANON_MLOCKED
    NR_ACTIVE_ANON_MLOCKED = lib.NR_ACTIVE_ANON_MLOCKED
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
    NR_FREE_ISO = lib.NR_FREE_ISO
    NR_HUGE = lib.NR_HUGE
    NR_HWPOISON = lib.NR_HWPOISON


class PageType(IntEnum):
    """What a page is: ``PageInfo.type``."""

    FREE = lib.VM_T_FREE
    BUDDY = lib.VM_T_BUDDY
    PCP = lib.VM_T_PCP
    USER = lib.VM_T_USER
    KERNEL = lib.VM_T_KERNEL
    RESERVED = lib.VM_T_RESERVED
    HUGE = lib.VM_T_HUGE
    TAIL = lib.VM_T_TAIL
    HWPOISON = lib.VM_T_HWPOISON


def c_names(prefix: str, nr: int) -> tuple[str, ...]:
    """The lower-case names of a C enum, by value."""
    values = {getattr(lib, name): name for name in dir(lib) if name.startswith(prefix)}
    return tuple(values[i].removeprefix(prefix).lower() for i in range(nr))


EVENT_NAMES: Final = c_names("EV_", lib.NR_EVENTS)
REASON_NAMES: Final = c_names("WHY_", lib.NR_REASONS)
NR_ITEMS: Final[int] = lib.NR_ZONE_ITEMS
NUMA_NAMES: Final = (
    "numa_hit",
    "numa_miss",
    "numa_foreign",
    "interleave_hit",
    "local_node",
    "other_node",
    "pgalloc",
    "dirtied",
    "written",
    "vmscan_write",
    "pin_acquired",
    "pin_released",
)


# On the inactive list, on the active one.
FILE_MLOCKED: Final = ZoneItem.NR_INACTIVE_FILE_MLOCKED, ZoneItem.NR_ACTIVE_FILE_MLOCKED
ANON_MLOCKED: Final = ZoneItem.NR_INACTIVE_ANON_MLOCKED, ZoneItem.NR_ACTIVE_ANON_MLOCKED


class Lists(NamedTuple):
    """Pages on the lists of a zone; anonymous ones are with those of tmpfs."""

    inactive: int
    active: int
    inactive_anon: int
    active_anon: int
    unevictable: int = 0

    @property
    def file(self) -> int:
        """Pages of files, on both."""
        return self.inactive + self.active - self.inactive_anon - self.active_anon


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
        """Pages in the buddy lists, those of isolated blocks too."""
        return self.item[0] + self.item[ZoneItem.NR_FREE_ISO]

    @property
    def usable(self) -> int:
        """Pages in the buddy lists that can be had."""
        return self.item[0]

    @property
    def active(self) -> int:
        """Pages on the active list, those that are locked in memory too."""
        return self.item[ZoneItem.NR_ACTIVE]

    @property
    def inactive(self) -> int:
        """Pages on the inactive list, those that are locked in memory too."""
        return self.item[ZoneItem.NR_INACTIVE]

    def lists(self, apart: bool) -> Lists:
        """What is on the lists.

        Args:
            apart: pages that are locked in memory are on a list of their own.
        """
        item = self.item
        inactive, active = item[ZoneItem.NR_INACTIVE], item[ZoneItem.NR_ACTIVE]
        inactive_anon = item[ZoneItem.NR_INACTIVE_ANON]
        active_anon = item[ZoneItem.NR_ACTIVE_ANON]
        if not apart:
            return Lists(inactive, active, inactive_anon, active_anon)
        files = item[FILE_MLOCKED[0]], item[FILE_MLOCKED[1]]
        anon = item[ANON_MLOCKED[0]], item[ANON_MLOCKED[1]]
        return Lists(
            inactive - files[0] - anon[0],
            active - files[1] - anon[1],
            inactive_anon - anon[0],
            active_anon - anon[1],
            sum(files) + sum(anon),
        )


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
    pins: int
    count: int  # type: ignore[assignment]
    pin_holder: int
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
