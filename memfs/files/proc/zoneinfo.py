"""``proc/zoneinfo``: every zone of every node, as Linux 6.1; pages.

Zones without pages are listed up to ``protection``. The counters of a node stand in
its first populated zone.

Source: mm/vmstat.c zoneinfo_show_print(), Linux 6.1.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from memfs.files.proc.items import (
    NODE_FIGURES,
    NODE_ITEMS,
    ZONE_FIGURES,
    ZONE_ITEMS,
    Lines,
)

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm._ffi import ZoneStat
    from memfs.vm.stats import NodeFigures, Snapshot

MARKS = (
    "boost    min      low      high     spanned  present  managed  cma     "
).split()
FORM = "      {:<12} {}\n"
NODE_PART = Lines(NODE_ITEMS, NODE_FIGURES, FORM)
COUNTERS = Lines(ZONE_ITEMS, ZONE_FIGURES, FORM)
ZONE_PART = (
    "  pages free     %d\n"
    + "".join(f"        {name:<8} %d\n" for name in MARKS)
    + "        protection: (%s)\n"
)
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


def pcp_part(counts: tuple[int, ...], high: int, batch: int, threshold: int) -> str:
    """The per-CPU part of a zone."""
    cells = (n for count in counts for n in (count, high, batch, threshold))
    return pagesets(len(counts)) % tuple(cells)


@cache
def empty(nid: int, name: str, kinds: int) -> str:
    """A zone without pages."""
    zeros = ", ".join("0" * kinds)
    return f"Node {nid}, zone {name:>8}\n" + ZONE_PART % (0, *[0] * len(MARKS), zeros)


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    return "".join(_kept(mount, snapshot, node) for node in snapshot.nodes.values())


def render_node(mount: Mount, nid: int) -> str:
    """The zones of one node alone."""
    return _kept(mount, mount.machine.snapshot(), mount.node(nid))


def _kept(mount: Mount, snapshot: Snapshot, node: NodeFigures) -> str:
    """A node's part: made again if anything that it shows has changed."""
    machine = mount.machine
    shown: list[object] = [node]
    for stat in node.zones:
        zone = machine.zones[stat.zid]
        counts = machine.core.pcp_counts(stat.zid)
        shown += (counts, zone.boost, zone.spanned, zone.shown_start, zone.protection)
    last = mount.kept.get((__name__, node.nid))
    if last is not None and last[0] == shown:
        return last[1]
    text = _node(mount, snapshot, node)
    mount.kept[__name__, node.nid] = shown, text
    return text


def _node(mount: Mount, snapshot: Snapshot, node: NodeFigures) -> str:
    names = mount.machine.rules.shown_zones
    there = {stat.type: stat for stat in node.zones if stat.present}
    first = min(there, default=-1)
    parts = []
    for kind, name in enumerate(names):
        if kind not in there:
            parts.append(empty(node.nid, name, len(names)))
            continue
        parts.append(f"Node {node.nid}, zone {name:>8}\n")
        if kind == first:
            parts.append("  per-node stats\n" + NODE_PART.of(node.sums))
        parts.append(_zone(mount, snapshot, there[kind]))
    return "".join(parts)


def _zone(mount: Mount, snapshot: Snapshot, stat: ZoneStat) -> str:
    machine = mount.machine
    sums = snapshot.zone_sums[stat.zid]
    zone = machine.zones[stat.zid]
    start_pfn = machine.layout.addresses.phys(zone.shown_start)
    counts = machine.core.pcp_counts(stat.zid)
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
        + COUNTERS.of(sums)
        + pcp_part(
            counts,
            stat.pcp_hot_high,
            stat.pcp_batch,
            stat_threshold(sums.managed, len(counts)),
        )
        + END % (stat.all_unreclaimable, start_pfn)
    )
