"""``proc/pagetypeinfo``: free blocks by what their surroundings are used for.

A part for each node that has memory, each with its own heads.

Source: mm/vmstat.c pagetypeinfo_show(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memfs.vm._ffi import FREE_MOST, PAGEBLOCK_TYPES

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.zones import Zone

ORDERS: Final = 11
PAGEBLOCK_ORDER: Final = 9
HEAD: Final = (
    f"Page block order: {PAGEBLOCK_ORDER}\n"
    f"Pages per block:  {1 << PAGEBLOCK_ORDER}\n\n"
    f"{'Free pages count per migrate type at order':<43} "
    + "".join(f"{order:6} " for order in range(ORDERS))
    + "\n"
)
NUMBERS: Final = (
    f"\n{'Number of blocks type':<23}"
    + "".join(f"{name:>12} " for name in PAGEBLOCK_TYPES)
    + "\n"
)


def render(mount: Mount) -> str:
    nodes = mount.machine.nodes.values()
    return "".join(_node(mount, node.zones) for node in nodes if node.zones)


def _node(mount: Mount, zones: list[Zone]) -> str:
    return (
        HEAD
        + "".join(_free(mount, zone) for zone in zones)
        + NUMBERS
        + "".join(_blocks(mount, zone) for zone in zones)
    )


def _free(mount: Mount, zone: Zone) -> str:
    rows = mount.machine.core.free_by_type(zone.zid)
    lines = []
    for name, counts in zip(PAGEBLOCK_TYPES, rows, strict=True):
        head = f"Node {zone.nid:4}, zone {zone.name:>8}, type {name:>12} "
        cells = (f">{FREE_MOST}" if n >= FREE_MOST else f"{n:6}" for n in counts)
        lines.append(head + "".join(f"{cell} " for cell in cells) + "\n")
    return "".join(lines)


def _blocks(mount: Mount, zone: Zone) -> str:
    counts = mount.machine.core.pageblocks(zone.zid)
    head = f"Node {zone.nid}, zone {zone.name:>8} "
    return head + "".join(f"{count:12} " for count in counts) + "\n"
