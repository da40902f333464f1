"""``proc/meminfo``: the machine's memory as Linux 6.1 shows it, in kB.

There are no buffers of block devices, no kernel stacks, no vmalloc area and no huge
pages beside those of the pool: those lines are 0. The pages that index the page cache
are SReclaimable. All memory is in the direct map by 2 MiB.

Source: fs/proc/meminfo.c meminfo_proc_show(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memfs.vm.accounting import commit_limit, committed, reserve

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Snapshot, Sums

KB_PER_PAGE: Final = 4
VMALLOC_KB: Final = 34359738367  # 32 TiB, less one byte


def lists(sums: Sums) -> dict[str, int]:
    """Active, Inactive and their parts, and Unevictable; pages.

    What is locked in memory is one or the other: 2.6 had no list for it.
    """
    return {
        "Active": sums.active,
        "Inactive": sums.inactive,
        "Active(anon)": sums.active_anon,
        "Inactive(anon)": sums.inactive_anon,
        "Active(file)": sums.active_file,
        "Inactive(file)": sums.inactive_file,
        "Unevictable": sums.unevictable,
        "Mlocked": sums.mlocked,
    }


def available(mount: Mount, snapshot: Snapshot) -> int:
    """Pages that programs can have without swapping.

    Pages of files that are locked in memory are none, on machines of 2.6 as well,
    where Linux's formula would find them on the lists.

    Source: mm/page_alloc.c si_mem_available(), Linux 6.1.
    """
    sums = snapshot.total
    low = sum(zone.pages_low for zone in snapshot.zones.values() if zone.open)
    kept = sum(reserve(mount.machine, zid) for zid in snapshot.zones)
    cache = sums.evictable_file
    pages = sums.free - kept
    pages += cache - min(cache // 2, low)
    pages += sums.slab - min(sums.slab // 2, low)
    return max(0, pages)


def fields(mount: Mount, snapshot: Snapshot) -> dict[str, int]:
    """Every line that counts kB: its name and its value in pages."""
    sums, swap = snapshot.total, snapshot.swap
    return {
        "MemTotal": sums.managed,
        "MemFree": sums.free,
        "MemAvailable": available(mount, snapshot),
        "Buffers": 0,
        "Cached": sums.file,
        "SwapCached": sums.swapcache,
        **lists(sums),
        "SwapTotal": swap.total,
        "SwapFree": swap.total - swap.used,
        "Zswap": 0,
        "Zswapped": 0,
        "Dirty": sums.dirty,
        "Writeback": sums.writeback,
        "AnonPages": sums.anon_mapped,
        "Mapped": sums.mapped,
        "Shmem": sums.shmem,
        "KReclaimable": sums.slab,
        "Slab": sums.slab,
        "SReclaimable": sums.slab,
        "SUnreclaim": 0,
        "KernelStack": 0,
        "PageTables": sums.page_tables,
        "SecPageTables": 0,
        "NFS_Unstable": 0,
        "Bounce": 0,
        "WritebackTmp": 0,
        "CommitLimit": commit_limit(mount.machine),
        "Committed_AS": committed(mount.machine),
    }


AFTER_VMALLOC: Final = ("VmallocUsed", "VmallocChunk", "Percpu")
HUGE_PAGES: Final = (
    "AnonHugePages",
    "ShmemHugePages",
    "ShmemPmdMapped",
    "FileHugePages",
    "FilePmdMapped",
)


def kb(name: str, value: int) -> str:
    """A line of the file."""
    return f"{name + ':':<16}{value:8} kB\n"


def huge_pages(mount: Mount) -> str:
    """The lines of the pool."""
    pool = mount.machine.hugetlb
    seen, size = pool.figures(), KB_PER_PAGE << pool.order
    counts = {
        "Total": seen.total,
        "Free": seen.free,
        "Rsvd": seen.reserved,
        "Surp": seen.surplus,
    }
    return (
        "".join(f"{f'HugePages_{name}:':<19}{nr:5}\n" for name, nr in counts.items())
        + kb("Hugepagesize", size)
        + kb("Hugetlb", pool.pages * KB_PER_PAGE)
    )


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    pages = fields(mount, snapshot)
    return (
        "".join(kb(name, nr * KB_PER_PAGE) for name, nr in pages.items())
        + f"VmallocTotal:   {VMALLOC_KB} kB\n"
        + "".join(kb(name, 0) for name in AFTER_VMALLOC)
        + f"HardwareCorrupted: {mount.machine.poisoned * KB_PER_PAGE:5} kB\n"
        + "".join(kb(name, 0) for name in HUGE_PAGES)
        + huge_pages(mount)
        + kb("DirectMap4k", 0)
        + kb("DirectMap2M", snapshot.total.present * KB_PER_PAGE)
        + kb("DirectMap1G", 0)
    )
