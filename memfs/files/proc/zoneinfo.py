"""``proc/zoneinfo``: every zone of every node, as Linux 6.1; pages.

Zones without pages are listed up to ``protection``. The counters of a node stand in
its first populated zone.

Source: mm/vmstat.c zoneinfo_show_print(), Linux 6.1.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from memfs.files.proc.items import (
    NODE_ITEMS,
    ZONE_ITEMS,
    node_items,
    values,
    zone_items,
)

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm._ffi import ZoneStat
    from memfs.vm.stats import NodeFigures, Snapshot

MARKS = (
    "boost    min      low      high     spanned  present  managed  cma     "
).split()
NODE_PART = "  per-node stats\n" + "".join(
    f"      {name:<12} %d\n" for name in NODE_ITEMS
)
ZONE_PART = (
    "  pages free     %d\n"
    + "".join(f"        {name:<8} %d\n" for name in MARKS)
    + "        protection: (%s)\n"
)
COUNTERS = "".join(f"      {name:<12} %d\n" for name in ZONE_ITEMS)
END = "  node_unreclaimable:  %d\n  start_pfn:           %d\n"
THRESHOLD_MAX = 125


@cache
def pagesets(cpus: int) -> str:
    """The form of the per-CPU part for that many CPUs."""
    return "  pagesets\n" + "".join(
        f"    cpu: {cpu}\n"
        "              count: %d\n"
        "              high:  %d\n"
        "              batch: %d\n"
        "  vm stats threshold: %d\n"
        for cpu in range(cpus)
    )


@cache
def stat_threshold(managed: int, cpus: int) -> int:
    """How many pages a CPU counts before it tells the zone.

    Source: mm/vmstat.c calculate_normal_threshold(), Linux 6.1.
    """
    chunks = managed >> 15
    return min(2 * cpus.bit_length() * (1 + chunks.bit_length()), THRESHOLD_MAX)


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    return "".join(_node(mount, snapshot, node) for node in snapshot.nodes.values())


def render_node(mount: Mount, nid: int) -> str:
    """The zones of one node alone."""
    return _node(mount, mount.machine.snapshot(), mount.node(nid))


def _node(mount: Mount, snapshot: Snapshot, node: NodeFigures) -> str:
    there = {stat.type: stat for stat in node.zones if stat.present}
    first = min(there, default=-1)
    parts = []
    for kind, name in enumerate(mount.machine.rules.shown_zones):
        parts.append(f"Node {node.nid}, zone {name:>8}\n")
        if kind == first:
            parts.append(NODE_PART % tuple(values(NODE_ITEMS, node_items(node.sums))))
        if kind in there:
            parts.append(_zone(mount, snapshot, there[kind]))
        else:
            zeros = ", ".join("0" * len(mount.machine.rules.shown_zones))
            parts.append(ZONE_PART % (0, *[0] * len(MARKS), zeros))
    return "".join(parts)


def _zone(mount: Mount, snapshot: Snapshot, stat: ZoneStat) -> str:
    machine = mount.machine
    sums = snapshot.zone_sums[stat.zid]
    zone = machine.zones[stat.zid]
    cpus = machine.layout.cpus
    start_pfn = machine.layout.addresses.phys(zone.shown_start)
    threshold = stat_threshold(sums.managed, cpus)
    pcp = []
    for count in machine.core.pcp_counts(stat.zid)[:cpus]:
        pcp += [count, stat.pcp_hot_high, stat.pcp_batch, threshold]
    return (
        ZONE_PART
        % (
            sums.free,
            zone.boost,
            stat.pages_min,
            stat.pages_low,
            stat.pages_high,
            zone.spanned,
            sums.present,
            sums.managed,
            0,
            ", ".join(map(str, zone.protection)),
        )
        + COUNTERS % tuple(values(ZONE_ITEMS, zone_items(sums)))
        + pagesets(cpus) % tuple(pcp)
        + END % (stat.all_unreclaimable, start_pfn)
    )
