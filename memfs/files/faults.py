"""``control/faults``: what can be made to go wrong, and how often it still will."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files import grammar
from memfs.vm.faults import FAULTS, MAX_TIMES

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

KEYS = tuple(
    grammar.Key(fault.name, grammar.NUMBER, 0, MAX_TIMES, fault.what)
    for fault in FAULTS
)


def render(mount: Mount) -> str:
    faults = mount.machine.faults
    return grammar.show({key.name: faults.left(key.name) for key in KEYS}, KEYS)


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Arm faults; those that are not named stay as they are.

    Raises:
        TreeError: EINVAL, ENOMEM; nothing was changed.
    """
    mount.machine.faults.set(grammar.parse(data, KEYS))
