"""``control/why``: who keeps a zone, a node or a memory block from going.

What is asked is written: ``zone=5``, ``node=1`` or ``memory=12``; what was found is
read, a line for each group of pages. The answer is that to the last question.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from memfs.files import grammar
from memfs.tree import TreeError

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt
    from memfs.vm import Machine

MOST = (1 << 32) - 1
ASK: dict[str, Callable[[Machine, int], Any]] = {
    "zone": lambda machine, number: machine.keepers_of_zone(number),
    "node": lambda machine, number: machine.keepers_of_node(number),
    "memory": lambda machine, number: machine.keepers_of_block(number),
}
KEYS = tuple(
    grammar.Key(name, grammar.NUMBER, 0, MOST, f"the {what} that is asked about")
    for name, what in (
        ("zone", "zone"),
        ("node", "node"),
        ("memory", "memory block"),
    )
)


def render(mount: Mount) -> str:
    """The last question, and a line for each group that keeps it."""
    return mount.why or "nothing was asked; write zone=Z, node=N or memory=N\n"


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Look who has the pages.

    Raises:
        TreeError: EINVAL not one question, ENODEV there is no such thing.
    """
    asked = grammar.parse(data, KEYS)
    if len(asked) != 1:
        raise TreeError(errno.EINVAL, "one of zone, node and memory")
    [(what, number)] = asked.items()
    op = ASK[what](mount.machine, number)
    found = await mount.run(op, f"why {what} {number}", interrupt)
    lines = [f"{what}={number} groups={len(found)}"]
    for k in found:
        since = "-" if k.since is None else k.since
        lines.append(
            f"pages={k.pages} reason={k.reason} kind={k.kind}"
            f" holder={grammar.word(k.holder or '-')} since={since}"
            f" first={k.first} frees={grammar.word(k.remedy or '-')}"
        )
    mount.why = "".join(f"{line}\n" for line in lines)
