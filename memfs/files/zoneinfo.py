"""``zoneinfo`` and ``nodeN/zoneinfo``: every populated zone, in pages.

Source: mm/page_alloc.c zoneinfo_show(), Linux 2.6.13, the first that had it.
Departure: ``managed`` (a line of later kernels) is there so that sums can be
checked, and the pages on per-CPU lists are one figure, as the model's lists are
summed by zone. ``protection`` is 0: these kernels add the marks up on the way down
the zonelist instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm._ffi import ZoneStat
    from memfs.vm.stats import Sums
    from memfs.vm.zones import Zone

NO_PROTECTION = ", ".join(["0"] * 3)  # DMA, Normal, HighMem


def render(mount: Mount) -> str:
    return _zones(mount, mount.machine.snapshot().zones.values())


def render_at(mount: Mount, nid: int) -> str:
    return _zones(mount, mount.node(nid).zones)


def _zones(mount: Mount, stats: Iterable[ZoneStat]) -> str:
    sums = mount.machine.snapshot().zone_sums
    zones = mount.machine.zones
    return "".join(_zone(zones[stat.zid], stat, sums[stat.zid]) for stat in stats)


def _zone(zone: Zone, stat: ZoneStat, sums: Sums) -> str:
    rows = {
        "min": stat.pages_min,
        "low": stat.pages_low,
        "high": stat.pages_high,
        "active": sums.active,
        "inactive": sums.inactive,
        "scanned": stat.pages_scanned,
        "spanned": stat.spanned,
        "present": sums.present,
        "managed": sums.managed,
    }
    return (
        f"Node {zone.nid}, zone {zone.name:>8}\n"
        f"  pages free     {sums.free}\n"
        + "".join(f"        {name:<8} {pages}\n" for name, pages in rows.items())
        + f"        protection: ({NO_PROTECTION})\n"
        "  pagesets\n"
        f"              count: {sums.pcp}\n"
        f"              batch: {stat.pcp_batch}\n"
        f"  all_unreclaimable: {stat.all_unreclaimable:d}\n"
        f"  prev_priority:     {zone.prev_priority}\n"
        f"  temp_priority:     {zone.temp_priority}\n"
        f"  start_pfn:         {stat.start_pfn}\n"
    )
