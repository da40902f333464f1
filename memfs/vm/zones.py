"""Nodes and zones: how a layout is cut, their marks, gates and zonelists.

Membership (plugged) and gate (open) are the two facts kept here; all else follows
from them and the layout by the rules. Commands and their errors are hotplug.py's.

Source: mm/page_alloc.c free_area_init_core(), setup_per_zone_pages_min(),
build_all_zonelists(), 2.6.0; the prototype of Takahashi, LKML 2004-07-14 [3/16].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from memfs.vm import _ffi
from memfs.vm.layout import Layout, NodeSpec
from memfs.vm.layoutvalues import MAX_ORDER_PAGES
from memfs.vm.rules import HIGHMEM, ListZone, Rules

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.sched import Job

DEF_PRIORITY = 12


class Extent(NamedTuple):
    """Where a zone lies; pages. `reserved` is at its end."""

    zid: int
    type: int
    start_pfn: int
    spanned: int
    present: int
    reserved: int


class Zone:
    """A populated zone of a plugged node, and what reclaim remembers of it."""

    def __init__(self, m: Machine, nid: int, extent: Extent, removable: bool) -> None:
        self._core = m.core
        self.zid = extent.zid
        self.nid = nid
        self.type = extent.type
        self.name = m.rules.zone_types[extent.type]
        self.start_pfn = extent.start_pfn
        self.spanned = extent.spanned
        self.present = extent.present
        self.managed = extent.present - extent.reserved
        self.removable = removable
        self.gate_open = False
        self.prev_priority = DEF_PRIORITY
        self.temp_priority = DEF_PRIORITY
        self.refill_counter = 0

    def __repr__(self) -> str:
        return f"<Zone {self.label} of node {self.nid}>"

    @property
    def label(self) -> str:
        """As the listing names it: ``Normal[5]``."""
        return f"{self.name}[{self.zid}]"

    def stat(self) -> _ffi.ZoneStat:
        """Its figures now."""
        return self._core.zone_stat(self.zid)

    @property
    def in_use(self) -> int:
        """Managed pages that are not in the buddy lists."""
        return self.managed - self.stat().free


class Node:
    """A node slot of the layout, plugged or empty."""

    def __init__(self, spec: NodeSpec, distances: tuple[int, ...]) -> None:
        self.nid = spec.nid
        self.spec = spec
        self.plugged = False
        self.removable = spec.removable
        self.cpus = spec.cpus
        self.distances = distances
        self.zones: list[Zone] = []
        self.kswapd: Job | None = None
        # A run of balance_pgdat() over this node is under way.
        self.balancing = False
        # plug waits for the pages of its tables.
        self.plugging = False
        # Kernel pages of node 0 that hold this node's tables.
        self.tables: list[int] = []

    def __repr__(self) -> str:
        return f"<Node {self.nid} {self.state}>"

    @property
    def enabled(self) -> bool:
        """Whether any of its zones' gates is open."""
        return any(zone.gate_open for zone in self.zones)

    @property
    def state(self) -> str:
        """``unplugged``, ``enabled`` or ``disabled``."""
        if not self.plugged:
            return "unplugged"
        return "enabled" if self.enabled else "disabled"

    @property
    def name(self) -> str:
        """``node 1``."""
        return f"node {self.nid}"


def carve(spec: NodeSpec, layout: Layout, rules: Rules) -> list[Extent]:
    """Cut a node into zones: DMA below 16 MiB, Normal below lowmem, HighMem."""
    if spec.zones:
        return _given(spec, layout, rules)
    end = spec.end_pfn - spec.mem_map
    lowmem = layout.lowmem if layout.lowmem is not None else end
    bounds = (0, rules.dma_pages, max(lowmem, rules.dma_pages), 1 << 32)
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


def populate(m: Machine, node: Node) -> None:
    """Bring a node's zones, their gates closed; marks and zonelists follow."""
    for extent in carve(node.spec, m.layout, m.rules):
        m.core.zone_plug(
            extent.zid,
            node.nid,
            extent.type,
            extent.start_pfn,
            extent.spanned,
            extent.present,
            extent.reserved,
        )
        zone = Zone(m, node.nid, extent, node.removable)
        node.zones.append(zone)
        m.zones[zone.zid] = zone
    node.plugged = True


def depopulate(m: Machine, node: Node) -> None:
    """Take a node's zones away; every managed page is free."""
    for zone in node.zones:
        m.core.zone_unplug(zone.zid)
        del m.zones[zone.zid]
    node.zones.clear()
    node.plugged = False


def min_free_pages(layout: Layout, rules: Rules) -> int:
    """pages_min of the whole machine."""
    kbytes = layout.min_free_kbytes
    return (rules.min_free_kbytes if kbytes is None else kbytes) >> 2


def zone_marks(m: Machine, zone: Zone) -> tuple[int, int, int]:
    """Watermarks of a zone by the rule; a closed gate asks for every page."""
    lowmem = sum(z.present for z in m.zones.values() if z.type != HIGHMEM)
    marks = m.rules.watermarks(
        min_free_pages(m.layout, m.rules), zone.present, lowmem, zone.type == HIGHMEM
    )
    high = marks.high if zone.gate_open else zone.present
    return marks.min, marks.low, max(high, marks.low)


def list_zones(m: Machine) -> list[ListZone]:
    """The zones that zonelists are made of: populated, gate open."""
    return [
        ListZone(zone.zid, zone.nid, zone.type, zone.removable)
        for _, zone in sorted(m.zones.items())
        if zone.gate_open
    ]


def wanted_zonelist(m: Machine, nid: int, cls: int) -> list[int]:
    """A zonelist by the rule, from scratch."""
    return m.rules.zonelist(cls, nid, len(m.nodes), list_zones(m))


def rebuild(m: Machine) -> None:
    """Recompute marks, per-CPU sizes and zonelists of the whole machine.

    Departure: the prototype did not recompute watermarks at plug and unplug;
    Iwamoto said in 2005 that it has to be done.
    """
    m.zonelists.clear()
    for zone in m.zones.values():
        m.core.zone_marks(zone.zid, zone_marks(m, zone))
        pcp = m.rules.pcp(zone.present)
        m.core.zone_pcp(zone.zid, pcp if zone.gate_open else (0, 0, 0, 0, pcp.batch))
    for nid in m.nodes:
        for cls in range(_ffi.NR_CLASSES):
            zids = wanted_zonelist(m, nid, cls)
            m.zonelists[nid, cls] = tuple(zids)
            m.core.zonelist(nid, cls, zids)


def set_gate(m: Machine, zones: list[Zone], is_open: bool) -> None:
    """Open or close the gates of `zones`; what was on per-CPU lists goes back."""
    for zone in zones:
        zone.gate_open = is_open
        m.core.zone_gate(zone.zid, is_open)
    rebuild(m)
    if not is_open:
        drain(m, zones)


def drain(m: Machine, zones: list[Zone]) -> None:
    """Per-CPU lists and pagevecs go back to where they belong."""
    m.core.drain_pagevecs()
    for zone in zones:
        m.core.drain_pcp(zone.zid)


def boot(m: Machine) -> None:
    """Plug and enable what the layout has at boot."""
    for cpu in range(m.layout.cpus):
        for node in m.nodes.values():
            if cpu in node.cpus:
                m.core.cpu_node(cpu, node.nid)
    for a, row in enumerate(m.layout.distances):
        for b, distance in enumerate(row):
            m.core.distance(a, b, distance)
    plugged = [node for node in m.nodes.values() if node.spec.plugged]
    for node in plugged:
        populate(m, node)
    opened = [zone for node in plugged if node.spec.enabled for zone in node.zones]
    set_gate(m, opened, True)
