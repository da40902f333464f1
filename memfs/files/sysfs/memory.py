"""``sys/devices/system/memory``: memory blocks.

Source: drivers/base/memory.c, Linux 6.1.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from memfs.tree import TreeError
from memfs.vm.onoff import AUTO, WAYS

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt
    from memfs.vm.blocks import Block
    from memfs.vm.sched import Op

PAGE_SIZE = 4096
NUMBER = re.compile(r"\+?(?:(0[xX])[0-9a-fA-F]+|(0)[0-7]*|[0-9]+)")
ACTIONS = ("add", "remove", "change", "move", "online", "offline", "bind", "unbind")


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


def changes(mount: Mount, number: int) -> object:
    """What poll(2) tells of."""
    block = mount.machine.blocks.get(number)
    return None if block is None else block.state


def render_online(mount: Mount, number: int) -> str:
    return f"{block_of(mount, number).online:d}\n"


def render_removable(mount: Mount, number: int) -> str:
    return f"{block_of(mount, number).removable:d}\n"


def render_phys_index(mount: Mount, number: int) -> str:
    return f"{block_of(mount, number).number:08x}\n"


def render_phys_device(mount: Mount, number: int) -> str:
    return "0\n"


def render_valid_zones(mount: Mount, number: int) -> str:
    """The zone of an online block; of an offline one where it can go, default first."""
    return " ".join(mount.machine.blocks.valid_zones(block_of(mount, number))) + "\n"


def render_uevent(mount: Mount, number: int) -> str:
    return ""


# -- what is written ----------------------------------------------------------------


def word(data: bytes) -> str:
    """What a sysfs attribute takes: up to a NUL, one newline at the end or none.

    At most a page of it is looked at.

    Source: lib/string_helpers.c sysfs_streq(), fs/kernfs/file.c, Linux 6.1.
    """
    text = data[:PAGE_SIZE].partition(b"\0")[0]
    return text.removesuffix(b"\n").decode("latin-1")


def flag(data: bytes) -> bool:
    """A truth value as the kernel reads it: its first one or two bytes.

    Raises:
        TreeError: EINVAL.

    Source: lib/kstrtox.c kstrtobool(), Linux 6.1.
    """
    start = data[:2].decode("latin-1").lower()
    if start[:1] in ("1", "y", "t") or start == "on":
        return True
    if start[:1] in ("0", "n", "f") or start == "of":
        return False
    raise TreeError(errno.EINVAL, "neither 1 nor 0")


async def run(mount: Mount, op: Op[None], name: str, interrupt: Interrupt) -> None:
    """Carry out a change for a writer who waits."""
    await mount.run(op, name, interrupt)
    if mount.settings.paranoid:
        await mount.validate(interrupt)


async def store_state(
    mount: Mount, number: int, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """online, offline, online_kernel or online_movable."""
    asked = word(data)
    machine = mount.machine
    if asked == "offline":
        op = machine.block_offline(number)
    elif asked in WAYS:
        op = machine.block_online(number, asked)
    else:
        raise TreeError(errno.EINVAL, "offline, " + ", ".join(WAYS))
    await run(mount, op, f"memory{number} {asked}", interrupt)


async def store_online(
    mount: Mount, number: int, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """1 or 0; what it is already is no error."""
    wanted = flag(data)
    if wanted == block_of(mount, number).online:
        return
    machine = mount.machine
    op = machine.block_online(number) if wanted else machine.block_offline(number)
    what = "online" if wanted else "offline"
    await run(mount, op, f"memory{number} {what}", interrupt)


def render_auto(mount: Mount) -> str:
    return mount.machine.auto_online + "\n"


async def store_auto(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """What becomes of blocks that are found from now on."""
    asked = word(data)
    if asked not in AUTO:
        raise TreeError(errno.EINVAL, ", ".join(AUTO))
    mount.machine.auto_online = asked
    mount.machine.bump()


async def store_probe(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Find the block at a physical address."""
    address = unsigned(data)
    op = mount.machine.probe(address)
    await run(mount, op, f"probe {address:#x}", interrupt)


async def store_soft_offline(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Take the page at a physical address out of use."""
    address = physical(data)
    op = mount.machine.soft_offline(address)
    await run(mount, op, f"soft_offline {address:#x}", interrupt)


async def store_hard_offline(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Errors of memory that cannot be corrected are not modelled."""
    physical(data)
    raise TreeError(errno.EOPNOTSUPP, "pages do not go bad in this machine")


def unsigned(data: bytes) -> int:
    """A number as C writes it, and one newline at the end or none.

    Raises:
        TreeError: EINVAL, ERANGE.

    Source: lib/kstrtox.c kstrtoull(), Linux 6.1.
    """
    text = word(data)
    found = NUMBER.fullmatch(text)
    if not found:
        raise TreeError(errno.EINVAL, f"{text[:40]!a} is no number")
    value = int(text, 16 if found[1] else 8 if found[2] else 10)
    if value >= 1 << 64:
        raise TreeError(errno.ERANGE, f"{text} does not fit into 64 bits")
    return value


def physical(data: bytes) -> int:
    """A physical address, for the files that know one error only.

    Raises:
        TreeError: EINVAL.

    Source: drivers/base/memory.c soft_offline_page_store(), Linux 6.1.
    """
    try:
        return unsigned(data)
    except TreeError as error:
        raise TreeError(errno.EINVAL, error.message) from None


async def store_uevent(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Nobody listens: an action that there is is accepted."""
    if word(data).partition(" ")[0] not in ACTIONS:
        raise TreeError(errno.EINVAL, ", ".join(ACTIONS))


async def store_uevent_at(
    mount: Mount, number: int, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """The same for one device."""
    await store_uevent(mount, data, caller, interrupt)


def render_nothing(mount: Mount) -> str:
    return ""
