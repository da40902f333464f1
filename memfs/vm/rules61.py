"""The rules of Linux 6.1 on x86-64.

The formulas were compared with what such a kernel printed: they give its watermarks,
its protection and its per-CPU sizes exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    PcpMarks,
    PcpView,
)

DMA, DMA32, NORMAL, MOVABLE = range(4)
DMA_PAGES = 4096  # below 16 MiB
DMA32_PAGES = 1 << 20  # below 4 GiB
PENALTY_FOR_CPUS = 1
RESERVE_RATIO = (256, 256, 32, 0, 0)
# What khugepaged wants: blocks of 2 MiB in each zone, for each kind of pages.
HUGE_PAGES = 512
HUGE_BLOCKS = 11

# The highest zone type of each class; zonelists go down from it.
TOP = {
    CLASS_NORMAL: NORMAL,
    CLASS_DMA: DMA,
    CLASS_HIGHMEM: NORMAL,
    CLASS_HOTREMOVABLE: MOVABLE,
}


def zone_bounds(lowmem: int) -> tuple[int, ...]:
    """Where each zone type ends, as a pfn; no memory is Movable at boot."""
    return DMA_PAGES, DMA32_PAGES, 1 << 32, 1 << 32


def node_order(
    nid: int, nodes: Sequence[NodeView], distances: Sequence[Sequence[int]]
) -> list[int]:
    """The nodes by their distance from `nid`, those without CPUs first.

    Among equals the ones above `nid` come first, and each node that was chosen
    weighs a little more for those that follow.

    Source: mm/page_alloc.c find_next_best_node(), Linux 6.1.
    """

    def cost(node: NodeView) -> tuple[int, int]:
        value = distances[nid][node.nid] + (node.nid < nid)
        return value + PENALTY_FOR_CPUS * node.has_cpus, node.nid

    others = sorted((node for node in nodes if node.nid != nid), key=cost)
    return [nid, *(node.nid for node in others)]


def zonelist(cls: int, order: Sequence[int], zones: Sequence[ListZone]) -> list[int]:
    """All zones of a node, highest first, before those of the next one.

    Source: mm/page_alloc.c build_zonelists_in_node_order(), Linux 6.1.
    """
    top = TOP[cls]
    return [
        zone.zid
        for node in order
        for kind in range(top, -1, -1)
        for zone in zones
        if zone.nid == node and zone.type == kind
    ]


def watermarks(view: MarkView) -> Marks:
    """Watermarks of a zone.

    Source: mm/page_alloc.c __setup_per_zone_wmarks(), Linux 6.1.
    """
    pages_min = view.min_total * view.managed // view.total if view.total else 0
    gap = max(pages_min // 4, view.managed * view.scale_factor // 10000)
    return Marks(pages_min, pages_min + gap, pages_min + 2 * gap)


def pcp(view: PcpView) -> PcpMarks:
    """The marks of the one list that a CPU has.

    Source: mm/page_alloc.c zone_batchsize(), zone_highsize(), Linux 6.1.
    """
    batch = max(1, min(view.managed // 1024, 256) // 4)
    batch = max(1, (1 << (batch + batch // 2).bit_length() - 1) - 1)
    pages = view.managed // view.fraction if view.fraction else view.low
    return PcpMarks(0, max(pages // view.cpus, 4 * batch), 0, 0, batch)


def min_free(view: MinFreeView) -> int:
    """min_free_kbytes, kB, when nobody has set it.

    Source: mm/page_alloc.c init_per_zone_wmark_min(), mm/khugepaged.c
    set_recommended_min_free_kbytes(), Linux 6.1.
    """
    root = min(max(math.isqrt(view.lowmem * 4 * 16), 128), 262144)
    if not view.thp:
        return root
    pages = min(HUGE_PAGES * view.kernel_zones * HUGE_BLOCKS, view.lowmem // 20)
    return max(root, pages * 4)


def dirty(view: DirtyView) -> tuple[int, int]:
    """The background limit and the limit of dirty pages.

    Source: mm/page-writeback.c domain_dirty_limits(), Linux 6.1.
    """
    limit = view.ratio * view.dirtyable // 100
    background = view.background_ratio * view.dirtyable // 100
    return (limit // 2 if background >= limit else background), limit


def protection(managed: Sequence[int], ratios: Sequence[int]) -> list[list[int]]:
    """Pages that each zone of a node keeps from requests of each higher type.

    Args:
        managed: pages by zone type.
        ratios: lowmem_reserve_ratio; 0: none.

    Source: mm/page_alloc.c setup_per_zone_lowmem_reserve(), Linux 6.1.
    """
    nr = len(managed)
    rows = [[0] * nr for _ in range(nr)]
    for low in range(nr):
        for high in range(low + 1, nr):
            if low < len(ratios) and ratios[low] and managed[low]:
                rows[low][high] = sum(managed[low + 1 : high + 1]) // ratios[low]
    return rows
