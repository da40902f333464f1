"""RULES: what differs between the kernels that a layout can name.

One row per rule, one column per kernel; a cell is a constant or a function, with
its source. The allocator, reclaim and the commands read the resolved column and
ask for no kernel by name. A row with an ``off`` value can be turned off for an
experiment: ``Rules.without("refill_unref")``, or ``rules_off`` of a machine file.

Columns 2.6.15 and 6.1 come with their issues: a column is one more cell a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

COLUMNS: Final = ("2.6.0", "2.6.7")

DMA, NORMAL, HIGHMEM = 0, 1, 2
# Zonelist classes; the same numbers as enum vm_class of the core.
CLASS_NORMAL, CLASS_DMA, CLASS_HIGHMEM, CLASS_HOTREMOVABLE = range(4)


class ListZone(NamedTuple):
    """A zone as the zonelist rules see it: present pages and an open gate."""

    zid: int
    nid: int
    type: int
    removable: bool


class Marks(NamedTuple):
    """Watermarks, pages."""

    min: int
    low: int
    high: int


class PcpMarks(NamedTuple):
    """Marks of the two per-CPU lists of a zone, pages."""

    hot_low: int
    hot_high: int
    cold_low: int
    cold_high: int
    batch: int


def wrapped(nid: int, nr_nodes: int) -> list[int]:
    """The nodes from `nid` on, round the end."""
    return [(nid + i) % nr_nodes for i in range(nr_nodes)]


# The highest zone type of each class; zonelists go down from it.
_TOP = {CLASS_NORMAL: NORMAL, CLASS_DMA: DMA, CLASS_HIGHMEM: HIGHMEM}


def node_major(cls: int, nid: int, nr: int, zones: Sequence[ListZone]) -> list[int]:
    """All zones of a node before those of the next one.

    Departure: kernel data (every class but users') stays out of removable nodes;
    in 2.6.0 it did because those were high memory only.

    Source: mm/page_alloc.c build_zonelists(), 2.6.0.
    """
    user = cls == CLASS_HOTREMOVABLE
    top = _TOP.get(cls, HIGHMEM)
    return [
        zone.zid
        for node in wrapped(nid, nr)
        for kind in range(top, -1, -1)
        for zone in zones
        if zone.nid == node and zone.type == kind and (user or not zone.removable)
    ]


def type_major(cls: int, nid: int, nr: int, zones: Sequence[ListZone]) -> list[int]:
    """A zone type on all nodes before the next type; users' pages go to removable
    nodes first.

    Source: mm/page_alloc.c build_zonelists() of the hot-removal prototype,
    Takahashi, LKML 2004-07-14 [3/16].
    """
    passes = (True, False) if cls == CLASS_HOTREMOVABLE else (False,)
    top = _TOP.get(cls, HIGHMEM)
    return [
        zone.zid
        for removable in passes
        for kind in range(top, -1, -1)
        for node in wrapped(nid, nr)
        for zone in zones
        if (zone.nid, zone.type, zone.removable) == (node, kind, removable)
    ]


def watermarks_260(min_total: int, present: int, lowmem: int, high: bool) -> Marks:
    """Watermarks of a zone of `present` pages; `lowmem`: pages of all low zones.

    Source: mm/page_alloc.c setup_per_zone_pages_min(), 2.6.0.
    """
    if high:
        pages_min = max(32, min(present // 1024, 128))
    else:
        pages_min = min_total * present // lowmem if lowmem else 0
    return Marks(pages_min, 2 * pages_min, 3 * pages_min)


def pcp_260(present: int) -> PcpMarks:
    """Marks of the per-CPU lists of a zone of `present` pages.

    Source: mm/page_alloc.c free_area_init_core(), 2.6.0.
    """
    batch = max(1, min(present // 1024, 64) // 4)
    return PcpMarks(2 * batch, 6 * batch, 0, 2 * batch, batch)


def reclaim_node(zonelist: Sequence[ListZone]) -> list[int]:
    """The first zone's node, from that zone downwards.

    Source: mm/vmscan.c shrink_caches(), 2.6.0.
    """
    first = zonelist[0]
    mine = [z for z in zonelist if z.nid == first.nid and z.type <= first.type]
    return [z.zid for z in sorted(mine, key=lambda z: -z.type)]


def reclaim_zonelist(zonelist: Sequence[ListZone]) -> list[int]:
    """Every zone of the zonelist.

    Source: mm/vmscan.c shrink_caches(), 2.6.7.
    """
    return [zone.zid for zone in zonelist]


class OomView(NamedTuple):
    """What the OOM condition looks at; ns and counts."""

    swap_free: int
    now: int
    first: int
    last: int
    failures: int
    last_kill: int


def oom_260(view: OomView) -> bool:
    """Whether to kill: no swap left, ten failures over more than one second.

    Source: mm/oom_kill.c out_of_memory(), 2.6.0; unchanged in 2.6.7.
    """
    second = 1_000_000_000
    if view.swap_free > 0 or view.failures < 10:
        return False
    return (
        view.now - view.last <= 5 * second
        and view.now - view.first >= second
        and (view.last_kill < 0 or view.now - view.last_kill >= 5 * second)
    )


def listing_2004(nid: int, enabled: bool, removable: bool, zones: Iterable[Any]) -> str:
    """A node's part of the listing of ``memhotplug``.

    `zones` have name, zid, free, active, present; an empty line ends the node.

    Source: Iwamoto, LKML 2004-04-06; va-proc_memhotplug.patch v1.14.
    """
    able = "enabled" if enabled else "disabled"
    head = f"Node {nid} {able} {'' if removable else 'non'}hotremovable\n"
    rows = [
        f"\t{z.name}[{z.zid}]: free {z.free}, active {z.active}, present {z.present}\n"
        for z in zones
    ]
    return head + "".join(rows) + "\n"


def listing_2003(nid: int, enabled: bool, removable: bool, zones: Iterable[Any]) -> str:
    """The same as of 2003: a line a zone, and nothing about its node.

    Source: /proc/memhotplug of the 2003 prototype ("per zone memory usage").
    """
    return "".join(
        f"Zone {z.zid}: free {z.free}, active {z.active}, present {z.present}\n"
        for z in zones
    )


class Rule(NamedTuple):
    """One row: a cell per column; `off` is the value when turned off, or None."""

    what: str
    cells: dict[str, Any]
    source: str
    off: Any = None


def _both(value: Any) -> dict[str, Any]:
    return dict.fromkeys(COLUMNS, value)


RULES: Final[dict[str, Rule]] = {
    "zone_types": Rule(
        "names of the zone types, lowest first",
        _both(("DMA", "Normal", "HighMem")),
        "include/linux/mmzone.h",
    ),
    "zone_stride": Rule(
        "slots of the zone table a node",
        {"2.6.0": 3, "2.6.7": 4},
        "2.6.0 MAX_NR_ZONES; NODEZONE() with ZONES_SHIFT 2 since 2.6.5",
    ),
    "dma_pages": Rule(
        "pages below 16 MiB are zone DMA", _both(4096), "arch/i386/mm, MAX_DMA_ADDRESS"
    ),
    "zonelist": Rule(
        "order of a zonelist: f(class, nid, nr_nodes, zones) -> zids",
        {"2.6.0": node_major, "2.6.7": type_major},
        "build_zonelists()",
    ),
    "min_free_kbytes": Rule(
        "default of min_free_kbytes", _both(1024), "mm/page_alloc.c, 2.6.0"
    ),
    "watermarks": Rule(
        "f(pages_min_total, present, lowmem, highmem) -> Marks",
        _both(watermarks_260),
        "setup_per_zone_pages_min()",
    ),
    "cumulative_min": Rule(
        "marks add up along the zonelist",
        _both(True),
        "__alloc_pages(), 2.6.0 (kept for the prototype's figures)",
        off=False,
    ),
    "pcp": Rule(
        "f(present) -> PcpMarks", _both(pcp_260), "free_area_init_core(), 2.6.0"
    ),
    "direct_reclaim": Rule(
        "zones that direct reclaim walks: f(zonelist) -> zids",
        {"2.6.0": reclaim_node, "2.6.7": reclaim_zonelist},
        "shrink_caches()",
    ),
    "unmap_refuses_young": Rule(
        "try_to_unmap() refuses a PTE that was used since",
        {"2.6.0": False, "2.6.7": True},
        "mm/rmap.c try_to_unmap_one()",
        off=False,
    ),
    "oom": Rule("f(OomView) -> kill", _both(oom_260), "out_of_memory()"),
    "swappiness": Rule("vm_swappiness, percent", _both(60), "mm/vmscan.c, 2.6.0"),
    "dirty_background_ratio": Rule(
        "percent of memory", _both(10), "mm/page-writeback.c, 2.6.0"
    ),
    "dirty_ratio": Rule("percent of memory", _both(40), "mm/page-writeback.c, 2.6.0"),
    "dirty_writeback_ms": Rule("kupdate's period", _both(5000), "5 s, 2.6.0"),
    "dirty_expire_ms": Rule("age at which data is old", _both(30000), "30 s, 2.6.0"),
    "page_cluster": Rule(
        "log2 of the slots that a swap-in reads", _both(3), "mm/swap.c, 2.6.0"
    ),
    "gate_takes": Rule(
        "what a bare number of enable and disable is",
        {"2.6.0": "zone", "2.6.7": "node"},
        "the 2003 report; va-proc_memhotplug.patch v1.14",
    ),
    "listing": Rule(
        "f(nid, enabled, removable, zones) -> text of a node",
        {"2.6.0": listing_2003, "2.6.7": listing_2004},
        "the 2003 prototype; va-proc_memhotplug.patch v1.14",
    ),
    # The five changes of the 2003 report to a zone behind a closed gate.
    "shrink_unref": Rule(
        "1: shrink_list() throws young bits of mapped pages away",
        _both(True),
        "2003 report, mm/vmscan.c @@ -285",
        off=False,
    ),
    "refill_whole_active": Rule(
        "2: one refill takes the whole active list",
        _both(True),
        "2003 report, mm/vmscan.c @@ -607",
        off=False,
    ),
    "force_reclaim_mapped": Rule(
        "3: mapped pages are taken whatever swappiness and distress say",
        _both(True),
        "2003 report, mm/vmscan.c @@ -658 (first part)",
        off=False,
    ),
    "refill_unref": Rule(
        "4: refill throws young bits of mapped pages away",
        _both(True),
        "2003 report, mm/vmscan.c @@ -658 (second part)",
        off=False,
    ),
    "refill_counter_boost": Rule(
        "5: every shrink_zone() refills from the active list",
        _both(True),
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

ZonelistRule = Callable[[int, int, int, Sequence[ListZone]], list[int]]


@dataclass(frozen=True)
class Rules:
    """One column of RULES; its cells are attributes, named as the rows."""

    column: str
    off: tuple[str, ...] = ()

    zone_types: tuple[str, ...] = ()
    zone_stride: int = 0
    dma_pages: int = 0
    zonelist: ZonelistRule = node_major
    min_free_kbytes: int = 0
    watermarks: Callable[[int, int, int, bool], Marks] = watermarks_260
    cumulative_min: bool = False
    pcp: Callable[[int], PcpMarks] = pcp_260
    direct_reclaim: Callable[[Sequence[ListZone]], list[int]] = reclaim_node
    unmap_refuses_young: bool = False
    oom: Callable[[OomView], bool] = oom_260
    swappiness: int = 0
    dirty_background_ratio: int = 0
    dirty_ratio: int = 0
    dirty_writeback_ms: int = 0
    dirty_expire_ms: int = 0
    page_cluster: int = 0
    gate_takes: str = ""
    listing: Callable[[int, bool, bool, Iterable[Any]], str] = listing_2004
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
