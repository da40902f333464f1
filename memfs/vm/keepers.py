"""Who keeps memory from going: the pages in use, by reason, kind and holder.

A holder has a name where one is known: the file, the task, who pinned the page. What
would free the pages is a row of REMEDIES, by their reason.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import KeeperGroup, Keepers
from memfs.vm.errors import VmError
from memfs.vm.hotplug import KINDS
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

WALK = 16384  # pages a step

# By reason of the core: what would make its pages go.
REMEDIES: Final = {
    "movable": "remap moves it",
    "locked": "the end of the transfer that reads it",
    "writeback": "the end of its write-out",
    "pinned": "its holder letting go",
    "held": "the end of the operation that has it in hand",
    "pagevec": "a drain, which every remap does",
    "kernel": "nothing: the kernel's own memory does not move",
    "hwpoison": "nothing: the memory is broken",
}
LAST_MAPPING: Final = "a file that has gone"


class Keeper(NamedTuple):
    """Pages of one reason, kind and holder.

    Attributes:
        reason: why they cannot move now; ``movable`` if they can.
        kind: of the pages.
        holder: whose they are, "" where nobody in particular is known.
        since: when the holder took them, ns; None where that is not known.
        pages: how many.
        first: the first of them, a pfn.
    """

    reason: str
    kind: str
    holder: str
    since: int | None
    pages: int
    first: int

    @property
    def remedy(self) -> str:
        """What would free them."""
        return REMEDIES.get(self.reason, "")


def of_zone(m: Machine, zone: Zone) -> Op[list[Keeper]]:
    """Those of one zone, most pages first."""
    return (yield from gather(m, [(zone, 0, _ffi.NO_PFN)]))


def of_node(m: Machine, nid: int) -> Op[list[Keeper]]:
    """Those of a node's zones.

    Raises:
        VmError: ENODEV, it is not plugged.
    """
    node = m.nodes.get(nid)
    if node is None or not node.plugged:
        raise VmError(errno.ENODEV, f"node {nid} is not plugged")
    return (yield from gather(m, [(zone, 0, _ffi.NO_PFN) for zone in node.zones]))


def of_block(m: Machine, number: int) -> Op[list[Keeper]]:
    """Those of a memory block.

    Raises:
        VmError: ENODEV, there is none.
    """
    block = m.blocks.get(number)
    if block is None:
        raise VmError(errno.ENODEV, f"there is no memory block {number}")
    end = block.start_pfn + m.layout.block_pages
    parts = [(zone, block.start_pfn, end) for zone in block.zones]
    return (yield from gather(m, parts))


def gather(m: Machine, parts: list[tuple[Zone, int, int]]) -> Op[list[Keeper]]:
    """Walk over ranges of zones; a zone that goes meanwhile is left out."""
    counts: dict[tuple[str, str, str, int | None], tuple[int, int]] = {}
    for zone, first, end in parts:
        if m.zones.get(zone.zid) is not zone:
            continue
        walk = Keepers(m.core, zone.zid, first, end)
        while walk.step(WALK) == _ffi.MORE_RC:
            yield MORE
            if m.zones.get(zone.zid) is not zone:
                break
        for group in walk.groups():
            key = named(m, group)
            pages, seen = counts.get(key, (0, group.first))
            counts[key] = pages + group.pages, min(seen, group.first)
    found = [Keeper(*key, *value) for key, value in counts.items()]
    return sorted(found, key=lambda k: (-k.pages, k.reason, k.kind, k.holder))


def named(m: Machine, group: KeeperGroup) -> tuple[str, str, str, int | None]:
    """Reason, kind, holder and since when, in words."""
    kind = KINDS[group.kind] if group.kind < len(KINDS) else "?"
    reason = "movable" if group.why == "none" else group.why
    if group.holder is not None:
        holder = m.pins.holder(group.holder)
        return reason, kind, holder.name if holder else "somebody", group.since
    if group.mapping is not None:
        file = m.files.get(group.mapping)
        return reason, kind, file.owner.label() if file else LAST_MAPPING, None
    if group.mm is not None:
        task = m.tasks.of_mm(group.mm)
        if task is not None:
            return reason, kind, f"{task.name} (pid {task.pid})", task.start_ns
    return reason, kind, "", None
