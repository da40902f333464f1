"""Figures of one instant whose sums agree: zones, nodes, machine.

A :class:`Snapshot` is computed once per version of the machine; every accounting
file is rendered from one. It formats nothing.

Two ways to count free pages: `buddy` is what lies in the buddy lists, `free` is
what MemFree counts and leaves out free pages behind a closed gate. MemTotal,
`managed`, counts both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from memfs.vm import _ffi
from memfs.vm._ffi import NUMA_NAMES, DevStat, HostStat, SwapStat, ZoneItem, ZoneStat

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node

HIGHMEM = 2


class Sums(NamedTuple):
    """What adds up over zones and nodes; pages."""

    present: int = 0
    managed: int = 0
    free: int = 0
    buddy: int = 0
    high_managed: int = 0
    high_free: int = 0
    pcp: int = 0
    pagevec: int = 0
    active: int = 0
    inactive: int = 0
    active_anon: int = 0
    inactive_anon: int = 0
    isolated: int = 0
    mlocked: int = 0
    file: int = 0
    shmem: int = 0
    anon: int = 0
    swapcache: int = 0
    mapped: int = 0
    anon_mapped: int = 0
    dirty: int = 0
    writeback: int = 0
    buffers: int = 0
    slab: int = 0
    page_tables: int = 0
    kernel_other: int = 0
    client: int = 0
    numa_hit: int = 0
    numa_miss: int = 0
    numa_foreign: int = 0
    interleave_hit: int = 0
    local_node: int = 0
    other_node: int = 0
    pgalloc: int = 0


class NodeFigures(NamedTuple):
    """A plugged node: its populated zones, lowest first, and their sums."""

    nid: int
    enabled: bool
    removable: bool
    zones: tuple[ZoneStat, ...]
    sums: Sums


class Snapshot(NamedTuple):
    """The machine at one version; pages.

    Attributes:
        gone: what zones that are not there any more had counted.
        allocated: allocations since boot, by zone type.
    """

    version: int
    now: int
    zones: Mapping[int, ZoneStat]
    zone_sums: Mapping[int, Sums]
    nodes: Mapping[int, NodeFigures]
    gone: Sums
    total: Sums
    allocated: Mapping[int, int]
    swap: SwapStat
    events: Mapping[str, int]
    disk: DevStat
    swap_disk: DevStat
    host: HostStat


def zone_sums(stat: ZoneStat, high_type: int = HIGHMEM) -> Sums:
    """One zone's figures under the names that add up.

    Args:
        stat: of the core.
        high_type: the zone type that is high memory.
    """
    item = stat.item
    free = stat.usable if stat.open else 0
    high = stat.type == high_type
    slab = item[ZoneItem.NR_RADIX] + item[ZoneItem.NR_SHMEMDIR]
    return Sums(
        present=stat.present,
        managed=stat.managed,
        free=free,
        buddy=stat.free,
        high_managed=stat.managed if high else 0,
        high_free=free if high else 0,
        pcp=item[ZoneItem.NR_PCP],
        pagevec=item[ZoneItem.NR_PAGEVEC],
        active=item[ZoneItem.NR_ACTIVE],
        inactive=item[ZoneItem.NR_INACTIVE],
        active_anon=item[ZoneItem.NR_ACTIVE_ANON],
        inactive_anon=item[ZoneItem.NR_INACTIVE_ANON],
        isolated=item[ZoneItem.NR_ISOLATED],
        mlocked=item[ZoneItem.NR_MLOCKED],
        file=item[ZoneItem.NR_FILE],
        shmem=item[ZoneItem.NR_SHMEM],
        anon=item[ZoneItem.NR_ANON],
        swapcache=item[ZoneItem.NR_SWAPCACHE],
        mapped=item[ZoneItem.NR_MAPPED],
        anon_mapped=item[ZoneItem.NR_ANON_MAPPED],
        dirty=item[ZoneItem.NR_DIRTY],
        writeback=item[ZoneItem.NR_WRITEBACK],
        buffers=item[ZoneItem.NR_BUFFERS],
        slab=slab,
        page_tables=item[ZoneItem.NR_PAGETABLE],
        kernel_other=item[ZoneItem.NR_KERNEL_OTHER],
        client=item[ZoneItem.NR_CLIENT],
        **dict(zip(NUMA_NAMES, stat.numa, strict=True)),
    )


def allocated(counts: Iterable[tuple[int, Sums]]) -> dict[int, int]:
    """Allocations by zone type, from the types and figures of zones."""
    by_type: dict[int, int] = {}
    for kind, sums in counts:
        by_type[kind] = by_type.get(kind, 0) + sums.pgalloc
    return by_type


def retired(numa: tuple[int, ...]) -> Sums:
    """What a zone counted that has gone, or gone and come again."""
    return Sums(**dict(zip(NUMA_NAMES, numa, strict=True)))


def added(rows: Iterable[Sums]) -> Sums:
    """The sum of `rows`, field by field."""
    columns = zip(*rows, strict=True)
    return Sums(*(sum(column) for column in columns))


def take(m: Machine) -> Snapshot:
    """Read every figure of the machine; see Machine.snapshot() for the cached one."""
    stats = {zid: m.core.zone_stat(zid) for zid in sorted(m.zones)}
    high = m.rules.high_type
    by_zone = {zid: zone_sums(stat, high) for zid, stat in stats.items()}
    absent: dict[int, Sums] = {}
    for zid, numa in m.retired.items():
        if zid in by_zone:
            by_zone[zid] = added((by_zone[zid], retired(numa)))
        else:
            absent[zid] = retired(numa)
    nodes = {
        node.nid: node_figures(m, node, stats, by_zone, absent)
        for node in m.nodes.values()
        if node.plugged
    }
    gone = added(absent.values())
    stride = m.rules.zone_stride
    return Snapshot(
        version=m.version,
        now=m.now,
        zones=stats,
        zone_sums=by_zone,
        nodes=nodes,
        gone=gone,
        total=added((*by_zone.values(), gone)),
        allocated=allocated(
            (zid % stride, sums) for zid, sums in (*by_zone.items(), *absent.items())
        ),
        swap=m.core.swap_stat(),
        events=m.events(),
        disk=m.core.dev_stat(_ffi.DEV_DISK),
        swap_disk=m.core.dev_stat(_ffi.DEV_SWAP),
        host=m.core.host_stat(),
    )


def node_figures(
    m: Machine,
    node: Node,
    stats: Mapping[int, ZoneStat],
    by_zone: Mapping[int, Sums],
    absent: Mapping[int, Sums],
) -> NodeFigures:
    """One node; `absent`: what zones that have gone had counted."""
    zids = [zone.zid for zone in node.zones]
    stride = m.rules.zone_stride
    gone = (sums for zid, sums in absent.items() if zid // stride == node.nid)
    return NodeFigures(
        node.nid,
        node.enabled,
        node.removable,
        tuple(stats[zid] for zid in zids),
        added((*(by_zone[zid] for zid in zids), *gone)),
    )
