"""``control/migration``: how pages are moved; ``nodeN/compact``: defragmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files import grammar
from memfs.vm import WAYS

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt


def render(mount: Mount) -> str:
    ways = mount.machine.ways
    return "".join(f"{key}={getattr(ways, key)}\n" for key in WAYS)


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Choose ways; those that are not named stay as they are.

    Raises:
        TreeError: EINVAL, nothing was changed.
    """
    mount.machine.set_ways(**grammar.assignments(data))


async def store_compact(
    mount: Mount, nid: int, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Defragment a node, whatever is written, as Linux does."""
    await mount.run(mount.machine.compact(nid), f"compact {nid}", interrupt)
    if mount.settings.paranoid:
        await mount.validate(interrupt)
