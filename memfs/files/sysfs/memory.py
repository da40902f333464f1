"""``sys/devices/system/memory``: memory blocks.

Source: drivers/base/memory.c, Linux 6.1.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from typing import TYPE_CHECKING

from memfs.tree import TreeError

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.blocks import Block

PAGE_SIZE = 4096


def there(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """Numbers of the blocks that are there."""
    return mount.machine.blocks


def nodes_of(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """The node of the block around."""
    return (block_of(mount, ids[-1]).nid,)


def block_of(mount: Mount, number: int) -> Block:
    """A block by its number.

    Raises:
        TreeError: ENODEV, it has gone.
    """
    block = mount.machine.blocks.get(number)
    if block is None:
        raise TreeError(errno.ENODEV, f"there is no memory block {number}")
    return block


def render_block_size(mount: Mount) -> str:
    return f"{mount.machine.layout.block_pages * PAGE_SIZE:x}\n"


def render_state(mount: Mount, number: int) -> str:
    return block_of(mount, number).state + "\n"


def render_online(mount: Mount, number: int) -> str:
    return f"{block_of(mount, number).online:d}\n"


def render_removable(mount: Mount, number: int) -> str:
    """1 for every block since Linux 5.8; before, whether its node says so."""
    block = block_of(mount, number)
    removable = mount.machine.rules.modern or mount.machine.nodes[block.nid].removable
    return f"{removable:d}\n"


def render_phys_index(mount: Mount, number: int) -> str:
    return f"{block_of(mount, number).number:08x}\n"


def render_phys_device(mount: Mount, number: int) -> str:
    return "0\n"


def render_valid_zones(mount: Mount, number: int) -> str:
    """The zone of an online block; of an offline one where it can go, default first."""
    return " ".join(mount.machine.blocks.valid_zones(block_of(mount, number))) + "\n"


def render_uevent(mount: Mount, number: int) -> str:
    return ""
