"""``memhotplug``: the listing of nodes and zones, and where commands are written.

What it is not: the grammar of the commands, which is memfs/commands.py.

Source: va-proc_memhotplug.patch v1.14 (H. Takahashi, LKML 2004-07-14) and the
listing in T. Iwamoto's mail of 2004-04-06; the form of 2003 for its machine.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

from memfs import commands
from memfs.records import NamedTuple

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt
    from memfs.vm import Node, Zone
    from memfs.vm.hugetlb import Hugetlb


class Listed(NamedTuple):
    """A zone as the listing shows it; pages, ``free`` in the buddy lists.

    `huge`: huge pages, free and all; None while the machine has none.
    """

    name: str
    zid: int
    free: int
    active: int
    present: int
    huge: tuple[int, int] | None


def render(mount: Mount) -> str:
    """The listing, in the form of the layout's kernel.

    It is read more than all other files together, while a purge runs above all: so
    it asks for its few figures itself and not for the whole snapshot.
    """
    machine = mount.machine
    listing = machine.rules.listing
    huge = machine.hugetlb if machine.hugetlb.there else None
    apart = machine.rules.unevictable_lru
    return "".join(
        listing(node.nid, node.enabled, node.removable, _rows(node, huge, apart))
        for node in machine.nodes.values()
        if node.plugged
    )


def changes(mount: Mount, number: int) -> object:
    """What poll(2) tells of: nodes and zones, their gates and sizes."""
    return mount.machine.structure


def _rows(node: Node, huge: Hugetlb | None, apart: bool) -> list[Listed]:
    return [_listed(zone, huge, apart) for zone in node.zones]


def _listed(zone: Zone, huge: Hugetlb | None, apart: bool) -> Listed:
    stat = zone.stat()
    active = stat.lists(apart).active
    pages = None if huge is None else huge.stat(zone)
    return Listed(zone.name, zone.zid, stat.free, active, stat.present, pages)


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Carry out one command; returns when its work is done."""
    command = commands.parse(data)
    if command is not None:
        operation = commands.start(mount.machine, command)
        async with _around(mount, command, caller, interrupt):
            await mount.run(operation, str(command), interrupt)
        if mount.settings.paranoid:
            await mount.validate(interrupt)


def _around(
    mount: Mount, command: commands.Command, caller: Caller, interrupt: Interrupt
) -> AbstractAsyncContextManager[None]:
    """What a command is carried out in, so that nobody sees half of it."""
    if not commands.BY_NAME[command.verb].names:
        return nullcontext()
    return mount.change_names(caller.pid, interrupt.is_set)
