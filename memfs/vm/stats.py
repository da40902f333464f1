"""Figures of one instant whose sums agree: zones, nodes, machine.

A :class:`Snapshot` is computed once per version of the machine; every accounting
file is rendered from one. It formats nothing.

Two ways to count free pages: `buddy` is what lies in the buddy lists, `free` is
what MemFree counts and leaves out free pages behind a closed gate. MemTotal,
`managed`, counts both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import NUMA_NAMES, DevStat, HostStat, SwapStat, ZoneItem, ZoneStat

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node

HIGHMEM = 2


class Sums(NamedTuple):
    """What adds up over zones and nodes; pages.

    Pages that are locked in memory are `mlocked`. Where the kernel has a list for
    them, those on it are `unevictable`, and neither active nor inactive.
    `evictable_file`: pages of files on the two lists but for those, on any kernel.
    """

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
    isolated_anon: int = 0
    isolated_file: int = 0
    unevictable: int = 0
    mlocked: int = 0
    evictable_file: int = 0
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
    dirtied: int = 0
    written: int = 0
    vmscan_write: int = 0
    pin_acquired: int = 0
    pin_released: int = 0

    @property
    def active_file(self) -> int:
        """Pages of files on the active list."""
        return self.active - self.active_anon

    @property
    def inactive_file(self) -> int:
        """Pages of files on the inactive list."""
        return self.inactive - self.inactive_anon

    @property
    def isolated(self) -> int:
        """Pages on no list that an operation holds."""
        return self.isolated_anon + self.isolated_file

    @property
    def cached(self) -> int:
        """Pages of files, tmpfs and the swap cache."""
        return self.file + self.swapcache

    @property
    def write_pending(self) -> int:
        """Pages that are dirty or being written."""
        return self.dirty + self.writeback


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


def zone_sums(stat: ZoneStat, high_type: int = HIGHMEM, apart: bool = False) -> Sums:
    """One zone's figures under the names that add up.

    Args:
        stat: of the core.
        high_type: the zone type that is high memory.
        apart: pages that are locked in memory are on a list of their own.
    """
    item = stat.item
    lists = stat.lists(apart)
    isolated_anon = item[ZoneItem.NR_ISOLATED_ANON]
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
        active=lists.active,
        inactive=lists.inactive,
        active_anon=lists.active_anon,
        inactive_anon=lists.inactive_anon,
        isolated_anon=isolated_anon,
        isolated_file=item[ZoneItem.NR_ISOLATED] - isolated_anon,
        unevictable=lists.unevictable,
        mlocked=item[ZoneItem.NR_MLOCKED],
        evictable_file=stat.lists(True).file,
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


class Figures:
    """Reads the figures of a machine; what has not changed is not made again."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        # By zone: the figures of the core, what it had counted before, the sums.
        self._zones: dict[int, tuple[ZoneStat, tuple[int, ...] | None, Sums]] = {}
        # By node: what its figures were made of, and they.
        self._nodes: dict[int, tuple[tuple[object, ...], NodeFigures]] = {}

    def take(self) -> Snapshot:
        """Every figure, of this instant."""
        m = self._m
        stats = m.core.zone_stats(sorted(m.zones))
        by_zone = {zid: self._sums(stat) for zid, stat in stats.items()}
        absent = {
            zid: retired(numa) for zid, numa in m.retired.items() if zid not in by_zone
        }
        nodes = {
            node.nid: self._node(node, stats, by_zone, absent)
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
                (zid % stride, sums)
                for zid, sums in (*by_zone.items(), *absent.items())
            ),
            swap=m.core.swap_stat(),
            events=m.events(),
            disk=m.core.dev_stat(_ffi.DEV_DISK),
            swap_disk=m.core.dev_stat(_ffi.DEV_SWAP),
            host=m.core.host_stat(),
        )

    def _sums(self, stat: ZoneStat) -> Sums:
        zid = stat.zid
        before = self._m.retired.get(zid)
        last = self._zones.get(zid)
        if last is not None and last[0] is stat and last[1] == before:
            return last[2]
        rules = self._m.rules
        sums = zone_sums(stat, rules.high_type, rules.unevictable_lru)
        if before is not None:
            sums = added((sums, retired(before)))
        self._zones[zid] = stat, before, sums
        return sums

    def _node(
        self,
        node: Node,
        stats: Mapping[int, ZoneStat],
        by_zone: Mapping[int, Sums],
        absent: Mapping[int, Sums],
    ) -> NodeFigures:
        """One node; `absent`: what zones that have gone had counted."""
        zids = [zone.zid for zone in node.zones]
        stride = self._m.rules.zone_stride
        gone = tuple(s for zid, s in absent.items() if zid // stride == node.nid)
        zones = tuple(stats[zid] for zid in zids)
        sums = tuple(by_zone[zid] for zid in zids)
        made_of = node.enabled, node.removable, zones, sums, gone
        last = self._nodes.get(node.nid)
        if last is not None and last[0] == made_of:
            return last[1]
        total = added((*sums, *gone))
        figures = NodeFigures(node.nid, node.enabled, node.removable, zones, total)
        self._nodes[node.nid] = made_of, figures
        return figures


def take(m: Machine) -> Snapshot:
    """Read every figure of the machine anew; Machine.snapshot() keeps what it can."""
    return Figures(m).take()
