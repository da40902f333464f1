"""RULES: what differs between the kernels that a layout can name.

One row per rule, one column per kernel; a cell is a constant or a function, with
its source. The allocator, reclaim and the commands read the resolved column and
ask for no kernel by name. A row with an ``off`` value can be turned off for an
experiment: ``Rules.without("refill_unref")``, or ``rules_off`` of a machine file.

A column is one more cell a row. 6.1 has the interface, the watermarks, the zones and
the offlining of Linux 6.1; its ageing is that of 2.6: two lists a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from memfs.records import NamedTuple
from memfs.vm import rules26, rules61
from memfs.vm.ruleviews import (
    DirtyView,
    ListZone,
    Marks,
    MarkView,
    MinFreeView,
    NodeView,
    OomView,
    PcpMarks,
    PcpView,
)

COLUMNS: Final = ("2.6.0", "2.6.7", "6.1")
DEFAULT_COLUMN: Final = "2.6.7"


class Rule(NamedTuple):
    """One row: a cell per column; `off` is the value when turned off, or None."""

    what: str
    cells: dict[str, Any]
    source: str
    off: Any = None


def _old(value: Any) -> dict[str, Any]:
    return {"2.6.0": value, "2.6.7": value}


def _old_new(old: Any, new: Any) -> dict[str, Any]:
    return {**_old(old), "6.1": new}


def _all(value: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, value)


RULES: Final[dict[str, Rule]] = {
    "modern": Rule(
        "the files at the root have the forms of proc/ and sys/",
        _old_new(False, True),
        "Linux 6.1",
    ),
    "zone_types": Rule(
        "names of the zone types, lowest first",
        _old_new(("DMA", "Normal", "HighMem"), ("DMA", "DMA32", "Normal", "Movable")),
        "include/linux/mmzone.h",
    ),
    "shown_zones": Rule(
        "names of the zone types that proc/ lists",
        _old_new(
            ("DMA", "Normal", "HighMem", "Movable"),
            ("DMA", "DMA32", "Normal", "Movable", "Device"),
        ),
        "include/linux/mmzone.h, on 32 and on 64 bits",
    ),
    "kernel_type": Rule(
        "highest zone type that the kernel uses for itself",
        _old_new(rules26.NORMAL, rules61.NORMAL),
        "include/linux/gfp.h gfp_zone()",
    ),
    "high_type": Rule(
        "zone type that is high memory; -1: none",
        _old_new(rules26.HIGHMEM, -1),
        "include/linux/mmzone.h",
    ),
    "zone_stride": Rule(
        "slots of the zone table a node",
        {"2.6.0": 3, "2.6.7": 4, "6.1": 4},
        "2.6.0 MAX_NR_ZONES; NODEZONE() with ZONES_SHIFT 2 since 2.6.5",
    ),
    "zone_bounds": Rule(
        "f(lowmem) -> first pfn behind each zone type",
        _old_new(rules26.zone_bounds, rules61.zone_bounds),
        "arch/i386/mm, MAX_DMA_ADDRESS; arch/x86/mm/init.c zone_sizes_init()",
    ),
    "first_pfn": Rule(
        "first page that is there: the BIOS has page 0 for itself since",
        _old_new(0, 1),
        "arch/x86/kernel/setup.c",
    ),
    "block_pages": Rule(
        "pages of a memory block of sysfs",
        _old_new(2048, 32768),
        "2.6's removable sections; MIN_MEMORY_BLOCK_SIZE",
    ),
    "node_order": Rule(
        "f(nid, nodes, distances) -> nodes, nearest first",
        _old_new(rules26.wrapped, rules61.node_order),
        "build_zonelists()",
    ),
    "zonelist": Rule(
        "order of a zonelist: f(class, nodes, zones) -> zids",
        {
            "2.6.0": rules26.node_major,
            "2.6.7": rules26.type_major,
            "6.1": rules61.zonelist,
        },
        "build_zonelists()",
    ),
    "kernel_anywhere": Rule(
        "kernel data may lie on hot-removable nodes, but not in Movable",
        _old_new(False, True),
        "the prototypes; ZONE_MOVABLE",
    ),
    "min_free_kbytes": Rule(
        "f(MinFreeView) -> default of min_free_kbytes",
        _old_new(rules26.min_free_260, rules61.min_free),
        "mm/page_alloc.c; mm/khugepaged.c",
    ),
    "watermarks": Rule(
        "f(MarkView) -> Marks",
        _old_new(rules26.watermarks_260, rules61.watermarks),
        "setup_per_zone_pages_min(), __setup_per_zone_wmarks()",
    ),
    "cumulative_min": Rule(
        "marks add up along the zonelist",
        _old_new(True, False),
        "__alloc_pages(), 2.6.0 (kept for the prototype's figures)",
        off=False,
    ),
    "reserve_ratio": Rule(
        "lowmem_reserve_ratio by zone type; none: marks add up instead",
        _old_new((), rules61.RESERVE_RATIO),
        "mm/page_alloc.c sysctl_lowmem_reserve_ratio[]",
    ),
    "pcp": Rule(
        "f(PcpView) -> PcpMarks",
        _old_new(rules26.pcp_260, rules61.pcp),
        "free_area_init_core(), zone_batchsize(), zone_highsize()",
    ),
    "one_pcp": Rule(
        "a CPU has one list a zone, not a hot and a cold one",
        _old_new(False, True),
        "include/linux/mmzone.h, since 2.6.25",
    ),
    "direct_reclaim": Rule(
        "zones that direct reclaim walks: f(zonelist) -> zids",
        {
            "2.6.0": rules26.reclaim_node,
            "2.6.7": rules26.reclaim_zonelist,
            "6.1": rules26.reclaim_zonelist,
        },
        "shrink_caches()",
    ),
    "unmap_refuses_young": Rule(
        "try_to_unmap() refuses a PTE that was used since",
        {"2.6.0": False, "2.6.7": True, "6.1": False},
        "mm/rmap.c try_to_unmap_one()",
        off=False,
    ),
    "unevictable_lru": Rule(
        "pages locked in memory are on a list apart, not active or inactive",
        _old_new(False, True),
        "mm/swap.c lru_add_fn(), since 2.6.28",
        off=False,
    ),
    "oom": Rule("f(OomView) -> kill", _all(rules26.oom_260), "out_of_memory()"),
    "swappiness": Rule("vm_swappiness, percent", _all(60), "mm/vmscan.c, 2.6.0"),
    "dirty_background_ratio": Rule(
        "percent of memory", _all(10), "mm/page-writeback.c, 2.6.0"
    ),
    "dirty_ratio": Rule("percent of memory", _old_new(40, 20), "mm/page-writeback.c"),
    "dirty_limits": Rule(
        "f(DirtyView) -> background limit and limit, pages",
        _old_new(rules26.dirty_260, rules61.dirty),
        "get_dirty_limits(), domain_dirty_limits()",
    ),
    "boost_factor": Rule(
        "default of watermark_boost_factor", _old_new(0, 15000), "mm/page_alloc.c"
    ),
    "proactiveness": Rule(
        "default of compaction_proactiveness", _old_new(0, 20), "mm/compaction.c"
    ),
    "dirty_writeback_ms": Rule("kupdate's period", _all(5000), "5 s, 2.6.0"),
    "dirty_expire_ms": Rule("age at which data is old", _all(30000), "30 s, 2.6.0"),
    "page_cluster": Rule(
        "log2 of the slots that a swap-in reads", _all(3), "mm/swap.c, 2.6.0"
    ),
    "huge_order": Rule(
        "order of a huge page: 4 MiB without PAE, 2 MiB with it",
        _old_new(10, 9),
        "HPAGE_SHIFT, include/asm-i386/page.h; arch/x86",
    ),
    "gate_takes": Rule(
        "what a bare number of enable and disable is",
        {"2.6.0": "zone", "2.6.7": "node", "6.1": "node"},
        "the 2003 report; va-proc_memhotplug.patch v1.14",
    ),
    "listing": Rule(
        "f(nid, enabled, removable, zones) -> text of a node",
        {
            "2.6.0": rules26.listing_2003,
            "2.6.7": rules26.listing_2004,
            "6.1": rules26.listing_2004,
        },
        "the 2003 prototype; va-proc_memhotplug.patch v1.14",
    ),
    # The five changes of the 2003 report to a zone behind a closed gate.
    "shrink_unref": Rule(
        "1: shrink_list() throws young bits of mapped pages away",
        _all(True),
        "2003 report, mm/vmscan.c @@ -285",
        off=False,
    ),
    "refill_whole_active": Rule(
        "2: one refill takes the whole active list",
        _all(True),
        "2003 report, mm/vmscan.c @@ -607",
        off=False,
    ),
    "force_reclaim_mapped": Rule(
        "3: mapped pages are taken whatever swappiness and distress say",
        _all(True),
        "2003 report, mm/vmscan.c @@ -658 (first part)",
        off=False,
    ),
    "refill_unref": Rule(
        "4: refill throws young bits of mapped pages away",
        _all(True),
        "2003 report, mm/vmscan.c @@ -658 (second part)",
        off=False,
    ),
    "refill_counter_boost": Rule(
        "5: every shrink_zone() refills from the active list",
        _all(True),
        "2003 report, mm/vmscan.c @@ -767",
        off=False,
    ),
}

S0_CHANGES: Final = (
    "shrink_unref",
    "refill_whole_active",
    "force_reclaim_mapped",
    "refill_unref",
    "refill_counter_boost",
)

ZonelistRule = Callable[[int, Sequence[int], Sequence[ListZone]], list[int]]
OrderRule = Callable[[int, Sequence[NodeView], Sequence[Sequence[int]]], list[int]]


class Rules(NamedTuple):
    """One column of RULES; its cells are attributes, named as the rows."""

    column: str
    off: tuple[str, ...] = ()

    modern: bool = False
    zone_types: tuple[str, ...] = ()
    shown_zones: tuple[str, ...] = ()
    kernel_type: int = 0
    high_type: int = -1
    zone_stride: int = 0
    zone_bounds: Callable[[int], tuple[int, ...]] = rules26.zone_bounds
    first_pfn: int = 0
    block_pages: int = 0
    node_order: OrderRule = rules26.wrapped
    zonelist: ZonelistRule = rules26.node_major
    kernel_anywhere: bool = False
    min_free_kbytes: Callable[[MinFreeView], int] = rules26.min_free_260
    watermarks: Callable[[MarkView], Marks] = rules26.watermarks_260
    cumulative_min: bool = False
    reserve_ratio: tuple[int, ...] = ()
    pcp: Callable[[PcpView], PcpMarks] = rules26.pcp_260
    one_pcp: bool = False
    direct_reclaim: Callable[[Sequence[ListZone]], list[int]] = rules26.reclaim_node
    unmap_refuses_young: bool = False
    unevictable_lru: bool = False
    oom: Callable[[OomView], bool] = rules26.oom_260
    swappiness: int = 0
    dirty_background_ratio: int = 0
    dirty_ratio: int = 0
    dirty_limits: Callable[[DirtyView], tuple[int, int]] = rules26.dirty_260
    boost_factor: int = 0
    proactiveness: int = 0
    dirty_writeback_ms: int = 0
    dirty_expire_ms: int = 0
    page_cluster: int = 0
    huge_order: int = 0
    gate_takes: str = ""
    listing: Callable[[int, bool, bool, Iterable[Any]], str] = rules26.listing_2004
    shrink_unref: bool = False
    refill_whole_active: bool = False
    force_reclaim_mapped: bool = False
    refill_unref: bool = False
    refill_counter_boost: bool = False

    @classmethod
    def resolve(cls, column: str, off: Iterable[str] = ()) -> Rules:
        """The cells of `column`; the rows named in `off` are turned off.

        Raises:
            KeyError: no such column, or a row that cannot be turned off.
        """
        if column not in COLUMNS:
            raise KeyError(column)
        names = tuple(sorted(set(off)))
        for name in names:
            if RULES[name].off is None:
                raise KeyError(name)
        cells = {
            name: row.off if name in names else row.cells[column]
            for name, row in RULES.items()
        }
        return cls(column=column, off=names, **cells)

    def without(self, *names: str) -> Rules:
        """A copy with the rows `names` turned off."""
        return Rules.resolve(self.column, (*self.off, *names))

    def zid(self, nid: int, kind: int) -> int:
        """Number of zone type `kind` of node `nid`: its place in the zone table."""
        return nid * self.zone_stride + kind
