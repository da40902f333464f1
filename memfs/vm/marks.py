"""What the rules make of the sizes of zones: watermarks, per-CPU lists, protection.

Source: mm/page_alloc.c setup_per_zone_pages_min(), free_area_init_core(), 2.6.0;
setup_per_zone_lowmem_reserve(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm.rules61 import protection as protection_of
from memfs.vm.ruleviews import MarkView, MinFreeView, PcpMarks, PcpView

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

PCP_MOST = 65535 - 1024  # places of the core's largest ring, less a batch


def min_free_kbytes(m: Machine) -> int:
    """min_free_kbytes of the whole machine, kB: what was set, or the rule's."""
    if m.tunables.min_free_kbytes is not None:
        return m.tunables.min_free_kbytes
    return m.rules.min_free_kbytes(_min_free_view(m))


def _min_free_view(m: Machine) -> MinFreeView:
    low = [zone for zone in m.zones.values() if zone.type <= m.rules.kernel_type]
    return MinFreeView(
        kernel_zones=len(low),
        lowmem=sum(zone.managed for zone in low),
        total=sum(zone.managed for zone in m.zones.values()),
        thp=m.tunables.thp,
    )


def reconsider_min_free(m: Machine) -> None:
    """Memory has changed: what somebody set holds unless the rule has a higher figure.

    Source: mm/page_alloc.c calculate_min_free_kbytes(), mm/khugepaged.c
    set_recommended_min_free_kbytes(), Linux 6.1.
    """
    now, view = m.tunables, _min_free_view(m)
    if not m.rules.modern or now.min_free_kbytes is None:
        return
    root = m.rules.min_free_kbytes(view._replace(thp=False))
    if root > (now.user_min_free_kbytes or 0):
        now.min_free_kbytes = root
    if view.thp:
        now.min_free_kbytes = max(now.min_free_kbytes, m.rules.min_free_kbytes(view))


class Sums(NamedTuple):
    """What the marks of each zone are shares of; pages of the whole machine."""

    min_total: int
    lowmem: int
    total: int


def sums(m: Machine) -> Sums:
    """Of all zones that there are."""
    zones, high_type = m.zones.values(), m.rules.high_type
    return Sums(
        min_free_kbytes(m) >> 2,
        sum(z.present for z in zones if z.type != high_type),
        sum(z.managed for z in zones),
    )


def zone_marks(m: Machine, zone: Zone, of: Sums | None = None) -> tuple[int, int, int]:
    """Watermarks of a zone by the rule; a closed gate asks for every page."""
    of = of or sums(m)
    marks = m.rules.watermarks(
        MarkView(
            min_total=of.min_total,
            present=zone.present,
            managed=zone.managed,
            lowmem=of.lowmem,
            total=of.total,
            high=zone.type == m.rules.high_type,
            scale_factor=m.tunables.watermark_scale_factor,
        )
    )
    low, mid, high = (mark + zone.boost for mark in marks)
    return low, mid, max(high if zone.gate_open else zone.present, mid)


def zone_pcp(m: Machine, zone: Zone, low: int) -> PcpMarks:
    """Sizes of a zone's per-CPU lists by the rule; a closed gate has none.

    `low`: the zone's low mark.
    """
    cpus = m.nodes[zone.nid].cpus
    pcp = m.rules.pcp(
        PcpView(
            present=zone.present,
            managed=zone.managed,
            low=low,
            cpus=len(cpus) or m.layout.cpus,
            fraction=m.tunables.percpu_pagelist_high_fraction,
        )
    )
    if not zone.gate_open:
        return PcpMarks(0, 0, 0, 0, pcp.batch)
    return pcp._replace(hot_high=min(pcp.hot_high, PCP_MOST))


def protect(m: Machine) -> None:
    """Recompute what each zone keeps from requests of higher types."""
    nr = len(m.rules.shown_zones)
    for node in m.nodes.values():
        managed = [0] * nr
        for zone in node.zones:
            managed[zone.type] = zone.managed
        rows = protection_of(managed, m.tunables.lowmem_reserve_ratio)
        for zone in node.zones:
            zone.protection = tuple(rows[zone.type])
