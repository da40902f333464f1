"""The rules of Linux 2.6.0 and 2.6.7, as the prototypes changed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from memfs.vm.ruleviews import (
    CLASS_DMA,
    CLASS_HIGHMEM,
    CLASS_HOTREMOVABLE,
    CLASS_NORMAL,
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

DMA, NORMAL, HIGHMEM = 0, 1, 2
DMA_PAGES = 4096  # below 16 MiB


def zone_bounds(lowmem: int) -> tuple[int, ...]:
    """Where each zone type ends, as a pfn; `lowmem` is where low memory does."""
    return DMA_PAGES, max(lowmem, DMA_PAGES), 1 << 32


def wrapped(
    nid: int, nodes: Sequence[NodeView], distances: Sequence[Sequence[int]]
) -> list[int]:
    """The nodes from `nid` on, round the end.

    Source: mm/page_alloc.c build_zonelists(), 2.6.0.
    """
    numbers = sorted(node.nid for node in nodes)
    at = numbers.index(nid)
    return numbers[at:] + numbers[:at]


# The highest zone type of each class; zonelists go down from it.
_TOP = {CLASS_NORMAL: NORMAL, CLASS_DMA: DMA, CLASS_HIGHMEM: HIGHMEM}


def node_major(cls: int, order: Sequence[int], zones: Sequence[ListZone]) -> list[int]:
    """All zones of a node before those of the next one.

    Departure: kernel data (every class but users') stays out of removable nodes;
    in 2.6.0 it did because those were high memory only.

    Source: mm/page_alloc.c build_zonelists(), 2.6.0.
    """
    user = cls == CLASS_HOTREMOVABLE
    top = _TOP.get(cls, HIGHMEM)
    there = {(z.nid, z.type): z.zid for z in zones if user or not z.removable}
    wanted = product(order, range(top, -1, -1))
    return [there[place] for place in wanted if place in there]


def type_major(cls: int, order: Sequence[int], zones: Sequence[ListZone]) -> list[int]:
    """A zone type on all nodes before the next type; users' pages go to removable
    nodes first.

    Source: mm/page_alloc.c build_zonelists() of the hot-removal prototype,
    Takahashi, LKML 2004-07-14 [3/16].
    """
    passes = (True, False) if cls == CLASS_HOTREMOVABLE else (False,)
    top = _TOP.get(cls, HIGHMEM)
    there = {(z.removable, z.type, z.nid): z.zid for z in zones}
    wanted = product(passes, range(top, -1, -1), order)
    return [there[place] for place in wanted if place in there]


def watermarks_260(view: MarkView) -> Marks:
    """Watermarks of a zone.

    Source: mm/page_alloc.c setup_per_zone_pages_min(), 2.6.0.
    """
    if view.high:
        pages_min = max(32, min(view.present // 1024, 128))
    else:
        pages_min = view.min_total * view.present // view.lowmem if view.lowmem else 0
    return Marks(pages_min, 2 * pages_min, 3 * pages_min)


def pcp_260(view: PcpView) -> PcpMarks:
    """Marks of the per-CPU lists of a zone.

    Source: mm/page_alloc.c free_area_init_core(), 2.6.0.
    """
    batch = max(1, min(view.present // 1024, 64) // 4)
    return PcpMarks(2 * batch, 6 * batch, 0, 2 * batch, batch)


def min_free_260(view: MinFreeView) -> int:
    """min_free_kbytes, kB.

    Source: mm/page_alloc.c, 2.6.0.
    """
    return 1024


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


def dirty_260(view: DirtyView) -> tuple[int, int]:
    """The background limit and the limit of dirty pages.

    Source: mm/page-writeback.c get_dirty_limits(), page_writeback_init(), 2.6.0.
    """
    scale = min(100, 400 * view.lowmem // view.total)
    ratio = view.ratio * scale // 100
    background = view.background_ratio * scale // 100
    unmapped = 100 - min(100, view.mapped * 100 // view.total)
    ratio = max(5, min(ratio, unmapped // 2))
    if background >= ratio:
        background = ratio // 2
    return background * view.total // 100, ratio * view.total // 100


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

    `zones` have name, zid, free, active, present, huge; an empty line ends the node.

    Source: Iwamoto, LKML 2004-04-06; va-proc_memhotplug.patch v1.14.
    """
    able = "enabled" if enabled else "disabled"
    head = f"Node {nid} {able} {'' if removable else 'non'}hotremovable\n"
    rows = [
        f"\t{z.name}[{z.zid}]: free {z.free}, active {z.active}, present {z.present}"
        f"{huge_columns(z.huge)}\n"
        for z in zones
    ]
    return head + "".join(rows) + "\n"


def huge_columns(huge: tuple[int, int] | None) -> str:
    """The end of a zone's line when there are huge pages; None: there are none.

    Source: Takahashi, LKML 2004-04-06, "memory hotplug for hugetlbpages" [0/6].
    """
    return "" if huge is None else f" / HugePage free {huge[0]}, total {huge[1]}"


def listing_2003(nid: int, enabled: bool, removable: bool, zones: Iterable[Any]) -> str:
    """The same as of 2003: a line a zone, and nothing about its node.

    Source: /proc/memhotplug of the 2003 prototype ("per zone memory usage").
    """
    return "".join(
        f"Zone {z.zid}: free {z.free}, active {z.active}, present {z.present}\n"
        for z in zones
    )
