"""How a node is cut into zones: by the kernel's rule, by zones or blocks said outright.

Source: mm/page_alloc.c free_area_init_core(), 2.6.0.
"""

from __future__ import annotations

from memfs.records import NamedTuple
from memfs.vm.errors import LayoutError
from memfs.vm.layout import Layout, NodeSpec
from memfs.vm.layoutspec import BlockRun
from memfs.vm.layoutvalues import MAX_ORDER_PAGES
from memfs.vm.rules import Rules


class Extent(NamedTuple):
    """Where a zone lies; pages. `reserved` is at its end."""

    zid: int
    type: int
    start_pfn: int
    spanned: int
    present: int
    reserved: int


def carve(spec: NodeSpec, layout: Layout, rules: Rules) -> list[Extent]:
    """Cut a node into zones; of one zone the largest extent comes first.

    Raises:
        LayoutError: more pages are to be reserved than one extent has.
    """
    if spec.runs:
        extents = extents_of_runs(spec, layout, rules)
    elif spec.zones:
        extents = _given(spec, layout, rules)
    else:
        extents = _by_rule(spec, layout, rules)
    return reserve(spec, extents, rules)


def _by_rule(spec: NodeSpec, layout: Layout, rules: Rules) -> list[Extent]:
    # By where the rule says that each type ends, which is a physical address.
    shift = layout.addresses.phys(spec.start_pfn) - spec.start_pfn
    end = spec.end_pfn - spec.mem_map
    lowmem = layout.lowmem if layout.lowmem is not None else end + shift
    bounds = (0, *(bound - shift for bound in rules.zone_bounds(lowmem)))
    extents = []
    for kind in range(len(rules.zone_types)):
        start = max(spec.start_pfn, bounds[kind])
        pages = min(end, bounds[kind + 1]) - start
        if pages > 0:
            zid = rules.zid(spec.nid, kind)
            extents.append(Extent(zid, kind, start, pages, pages, 0))
    return extents


def _given(spec: NodeSpec, layout: Layout, rules: Rules) -> list[Extent]:
    # Zones said outright lie one after another, each from a block's start on.
    extents = []
    start = spec.start_pfn
    for zone in spec.zones:
        kind = rules.zone_types.index(zone.type)
        zid = rules.zid(spec.nid, kind)
        reserved = zone.present - zone.managed
        extents.append(Extent(zid, kind, start, zone.spanned, zone.present, reserved))
        start += -(-zone.present // MAX_ORDER_PAGES) * MAX_ORDER_PAGES
    return extents


def kinds_of_run(
    run: BlockRun, spec: NodeSpec, layout: Layout, rules: Rules
) -> tuple[tuple[int, int], ...]:
    """(zone type, pages) of the memory of blocks that are online, in order."""
    if run.parts:
        return tuple((rules.zone_types.index(zone), nr) for zone, nr in run.parts)
    if run.zone:
        kind = rules.zone_types.index(run.zone)
    else:
        lowmem = layout.lowmem if layout.lowmem is not None else layout.max_pfn
        phys = run.first * layout.block_pages
        ends = rules.zone_bounds(lowmem)
        # A zone that ends in the block has none of it.
        kind = sum(phys + layout.block_pages > end for end in ends)
    return ((kind, run.nr * layout.block_pages),)


def extents_of_runs(spec: NodeSpec, layout: Layout, rules: Rules) -> list[Extent]:
    """The extents of a node whose blocks are said outright."""
    pieces: list[tuple[int, int, int]] = []
    for run in sorted(spec.runs):
        start = layout.addresses.pfn(run.first)
        if not run.online or start is None:
            continue
        for kind, pages in kinds_of_run(run, spec, layout, rules):
            pieces.append((kind, start, pages))
            start += pages
    joined: list[tuple[int, int, int]] = []
    for kind, start, pages in sorted(pieces):
        if joined and joined[-1][0] == kind and sum(joined[-1][1:]) == start:
            pages, start = joined[-1][2] + pages, joined[-1][1]
            joined.pop()
        joined.append((kind, start, pages))
    joined.sort(key=lambda piece: (piece[0], -piece[2], piece[1]))
    return [
        Extent(rules.zid(spec.nid, kind), kind, start, pages, pages, 0)
        for kind, start, pages in joined
    ]


def reserve(spec: NodeSpec, extents: list[Extent], rules: Rules) -> list[Extent]:
    """Take from each zone what the node says that the allocator has not.

    Raises:
        LayoutError: more than there is, or than one extent has.
    """
    for zone, managed in spec.managed:
        kind = rules.zone_types.index(zone) if zone else None
        mine = [e for e in extents if kind is None or e.type == kind]
        missing = sum(e.present - e.reserved for e in mine) - managed
        largest = max(mine, key=lambda e: e.present, default=None)
        if missing < 0 or (missing and (not largest or missing >= largest.present)):
            what = f"{managed} pages of {sum(e.present for e in mine)}"
            raise LayoutError(0, "managed", f"node {spec.nid}: {zone} {what}")
        if largest and missing:
            at = extents.index(largest)
            extents[at] = largest._replace(reserved=largest.reserved + missing)
    return extents
