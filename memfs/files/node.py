"""``nodeN/meminfo`` and ``nodeN/numastat``.

Source: drivers/base/node.c node_read_meminfo() and node_read_numastat(), in the
form of Linux 2.6.13, which has the lines of 2.6.0 and six more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files.meminfo import KB_PER_PAGE
from memfs.files.vmstat import numa

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Sums


def fields(sums: Sums) -> dict[str, int]:
    """Every line of meminfo: its name and its value in pages."""
    return {
        "MemTotal": sums.managed,
        "MemFree": sums.free,
        "MemUsed": sums.managed - sums.free,
        "Active": sums.active,
        "Inactive": sums.inactive,
        "HighTotal": sums.high_managed,
        "HighFree": sums.high_free,
        "LowTotal": sums.managed - sums.high_managed,
        "LowFree": sums.free - sums.high_free,
        "Dirty": sums.dirty,
        "Writeback": sums.writeback,
        "Mapped": sums.mapped + sums.anon_mapped,
        "Slab": sums.slab,
    }


def render_meminfo(mount: Mount, nid: int) -> str:
    return "".join(
        f"Node {nid} {name + ':':<14}{pages * KB_PER_PAGE:8} kB\n"
        for name, pages in fields(mount.node(nid).sums).items()
    )


def render_numastat(mount: Mount, nid: int) -> str:
    values = numa(mount.node(nid).sums)
    return "".join(f"{name} {pages}\n" for name, pages in values.items())
