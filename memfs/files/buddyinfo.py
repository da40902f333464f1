"""``buddyinfo``: free blocks of each order, by zone; blocks, not pages.

What lies behind a closed gate is counted too: this file shows the lists.

Source: mm/page_alloc.c frag_show(), Linux 2.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount


def render(mount: Mount) -> str:
    names = mount.machine.zones
    return "".join(
        f"Node {zone.nid}, zone {names[zone.zid].name:>8} "
        + "".join(f"{blocks:6} " for blocks in zone.free_area)
        + "\n"
        for zone in mount.machine.snapshot().zones.values()
    )
