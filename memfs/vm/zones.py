"""Nodes and zones: how a layout is cut, their gates and zonelists.

Membership (plugged) and gate (open) are the two facts kept here; all else follows
from them and the layout by the rules: marks.py has what is a number. Commands and
their errors are hotplug.py's.

Source: mm/page_alloc.c free_area_init_core(), build_all_zonelists(), 2.6.0; the
prototype of Takahashi, LKML 2004-07-14 [3/16].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import _ffi
from memfs.vm.carving import Extent, carve
from memfs.vm.layoutspec import NodeSpec
from memfs.vm.marks import protect, sums, zone_marks, zone_pcp
from memfs.vm.ruleviews import (
    CLASS_DMA,
    CLASS_HIGHMEM,
    CLASS_HOTREMOVABLE,
    CLASS_NORMAL,
    ListZone,
    NodeView,
)

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.sched import Job

DEF_PRIORITY = 12


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
        # Pages that it keeps from requests of each higher zone type.
        self.protection: tuple[int, ...] = (0,) * len(m.rules.shown_zones)
        self.boost = 0
        # Where it begins for all the world to see.
        self.shown_start = max(extent.start_pfn, m.rules.first_pfn)
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
        """Managed pages that are not in the buddy lists; poisoned ones are nobody's."""
        stat = self.stat()
        return self.managed - stat.free - stat.item[_ffi.ZoneItem.NR_HWPOISON]


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
        self.balancer: Job | None = None
        # plug waits for the pages of its tables.
        self.plugging = False
        # Kernel pages of node 0 that hold this node's tables.
        self.tables: list[int] = []
        # Gates: of zones that have gone, by type, and of those that never came.
        self.gates: dict[int, bool] = {}
        self.gate_open = False

    def __repr__(self) -> str:
        return f"<Node {self.nid} {self.state}>"

    @property
    def enabled(self) -> bool:
        """Whether any of its zones' gates is open; without zones, the node's."""
        if not self.zones:
            return self.gate_open
        return any(zone.gate_open for zone in self.zones)

    def gate_of(self, kind: int) -> bool:
        """Whether the gate of its zone of a type is open, or will be when it comes."""
        for zone in self.zones:
            if zone.type == kind:
                return zone.gate_open
        return self.gates.get(kind, self.gate_open)

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


def populate(m: Machine, node: Node) -> None:
    """Bring a node's zones, their gates closed; marks and zonelists follow."""
    extents = carve(node.spec, m.layout, m.rules)
    for extent in extents:
        zone = m.zones.get(extent.zid)
        if zone is None:
            add_zone(m, node, extent)
        else:
            m.core.block_online(zone.zid, extent.start_pfn, extent.present)
            grow(m, zone, extent.start_pfn, extent.present)
    m.blocks.plug(node.spec, extents)
    node.plugged = True


def add_zone(m: Machine, node: Node, extent: Extent) -> Zone:
    """A zone of a node comes, with the gate that it had or the node has."""
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
    zone.gate_open = node.gates.pop(extent.type, node.gate_open)
    m.core.zone_gate(zone.zid, zone.gate_open)
    node.zones.append(zone)
    node.zones.sort(key=lambda zone: zone.type)
    m.zones[zone.zid] = zone
    return zone


def remove_zone(m: Machine, zone: Zone) -> None:
    """A zone without a page in use goes; what it counted is kept."""
    node = m.nodes[zone.nid]
    retire(m, zone)
    m.core.zone_gate(zone.zid, False)
    m.core.zone_unplug(zone.zid)
    node.zones.remove(zone)
    node.gates[zone.type] = zone.gate_open
    if not node.zones:
        node.gate_open = zone.gate_open
    del m.zones[zone.zid]


def retire(m: Machine, zone: Zone) -> None:
    """Keep what a zone has counted, so that no sum ever goes down."""
    kept = m.retired.get(zone.zid, (0,) * len(_ffi.NUMA_NAMES))
    now = zone.stat().numa
    m.retired[zone.zid] = tuple(a + b for a, b in zip(kept, now, strict=True))


def depopulate(m: Machine, node: Node) -> None:
    """Take a node's zones away; every managed page is free."""
    for zone in list(node.zones):
        remove_zone(m, zone)
    m.blocks.unplug(node.nid)
    node.gates.clear()
    node.gate_open = False
    node.plugged = False


def shrink(m: Machine, zone: Zone, first: int, nr: int) -> None:
    """Pages have left a zone. It spans less only if they lay at an edge.

    Source: mm/memory_hotplug.c shrink_zone_span(), Linux 6.1.
    """
    zone.present -= nr
    zone.managed -= nr
    end = zone.start_pfn + zone.spanned
    if not zone.present:
        zone.spanned = 0
        return
    start_now, end_now = m.core.zone_bounds(zone.zid)
    if first == zone.start_pfn:
        zone.start_pfn = zone.shown_start = start_now
    if first + nr == end:
        end = end_now
    zone.spanned = end - zone.start_pfn
    m.core.zone_span(zone.zid, zone.spanned)


def grow(m: Machine, zone: Zone, first: int, nr: int) -> None:
    """Pages have come into a zone.

    Source: mm/memory_hotplug.c resize_zone_range(), Linux 6.1.
    """
    end = max(first + nr, zone.start_pfn + zone.spanned if zone.spanned else 0)
    zone.start_pfn = min(first, zone.start_pfn) if zone.spanned else first
    zone.shown_start = max(zone.start_pfn, m.rules.first_pfn)
    zone.spanned = end - zone.start_pfn
    zone.present += nr
    zone.managed += nr
    m.core.zone_span(zone.zid, zone.spanned)


def bars_kernel(m: Machine, zone: Zone) -> bool:
    """Whether kernel data must not lie in a zone."""
    if m.rules.kernel_anywhere:
        return zone.type > m.rules.kernel_type
    return zone.removable


def top_type(m: Machine, cls: int) -> int:
    """The highest zone type that a class of requests may have."""
    return {
        CLASS_DMA: 0,
        CLASS_NORMAL: m.rules.kernel_type,
        CLASS_HIGHMEM: max(m.rules.kernel_type, m.rules.high_type),
        CLASS_HOTREMOVABLE: len(m.rules.zone_types) - 1,
    }[cls]


def set_boost(m: Machine, zone: Zone, pages: int) -> None:
    """Raise a zone's marks by `pages`."""
    zone.boost = pages
    m.core.zone_marks(zone.zid, zone_marks(m, zone))
    m.bump()


def list_zones(m: Machine) -> list[ListZone]:
    """The zones that zonelists are made of: populated, gate open."""
    return [
        ListZone(zone.zid, zone.nid, zone.type, zone.removable)
        for _, zone in sorted(m.zones.items())
        if zone.gate_open
    ]


def node_order(m: Machine, nid: int) -> list[int]:
    """The nodes of the layout as seen from one, by the rule."""
    views = [NodeView(node.nid, bool(node.cpus)) for node in m.nodes.values()]
    return m.rules.node_order(nid, views, m.layout.distances)


def wanted_zonelists(m: Machine) -> dict[tuple[int, int], list[int]]:
    """Every zonelist by the rule, from scratch; keyed by node and class."""
    zones = list_zones(m)
    return {
        (nid, cls): m.rules.zonelist(cls, order, zones)
        for nid in m.nodes
        for order in (node_order(m, nid),)
        for cls in range(_ffi.NR_CLASSES)
    }


def rebuild(m: Machine) -> None:
    """Recompute marks, per-CPU sizes and zonelists of the whole machine.

    Departure: the prototype did not recompute watermarks at plug and unplug;
    Iwamoto said in 2005 that it has to be done.
    """
    protect(m)
    of = sums(m)
    for zone in m.zones.values():
        marks = zone_marks(m, zone, of)
        m.core.zone_marks(zone.zid, marks)
        m.core.zone_pcp(zone.zid, zone_pcp(m, zone, marks[1]))
    m.zonelists.clear()
    for (nid, cls), zids in wanted_zonelists(m).items():
        m.zonelists[nid, cls] = tuple(zids)
        m.core.zonelist(nid, cls, zids)
        top = top_type(m, cls)
        m.core.zonelist_reserve(nid, cls, [m.zones[z].protection[top] for z in zids])


def set_gate(m: Machine, zones: list[Zone], is_open: bool) -> None:
    """Open or close the gates of `zones`; what was on per-CPU lists goes back."""
    for zone in zones:
        zone.gate_open = is_open
        m.core.zone_gate(zone.zid, is_open)
        m.nodes[zone.nid].gates.pop(zone.type, None)
    m.structure += 1
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
    for a in m.nodes:
        for b in m.nodes:
            m.core.distance(a, b, m.layout.distances[a][b])
    plugged = [node for node in m.nodes.values() if node.spec.plugged]
    for node in plugged:
        populate(m, node)
    opened = [zone for node in plugged if node.spec.enabled for zone in node.zones]
    for node in plugged:
        node.gate_open = node.spec.enabled
    set_gate(m, opened, True)
