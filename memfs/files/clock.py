"""``control/clock``: the machine's virtual time, and moving a manual clock.

``mode=manual`` stops the clock, ``mode=wall`` has it go with real time.
``advance=100ms`` moves a manual clock by that much, ``to=NS`` to a time that is not
past; what is due on the way happens on the way, and the write returns at the end of
it. ``now`` is what the clock shows. With the wall clock all but ``mode`` is EPERM.
"""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from memfs.files import grammar
from memfs.tree import TreeError
from memfs.vm.sched import Until

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt

MAX_NS = 1 << 62
MODES = {"wall": False, "manual": True}
KEYS = (
    grammar.Key("now", grammar.TIME, 0, MAX_NS, "read-only"),
    grammar.Key("advance", grammar.TIME, 0, MAX_NS, "move a manual clock by that much"),
    grammar.Key("to", grammar.TIME, 0, MAX_NS, "move a manual clock to that time"),
)
NAMES = frozenset(key.name for key in KEYS)


def mode(mount: Mount) -> str:
    return "manual" if mount.pump.manual else "wall"


def render(mount: Mount) -> str:
    return f"now={mount.machine.now}\nmode={mode(mount)}\n"


async def store(
    mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
) -> None:
    """Set the mode, move a manual clock; all of it is checked first."""
    given = grammar.assignments(data)
    wanted = given.pop("mode", mode(mount))
    for name in sorted(given.keys() - NAMES):
        raise grammar.no_key(name, ("mode", *sorted(NAMES)))
    if wanted not in MODES:
        raise grammar.GrammarError(f"mode: {grammar.quoted(wanted)}; wall or manual")
    rest = " ".join(f"{key}={value}" for key, value in given.items())
    values = grammar.parse(rest.encode(), KEYS) if rest else {}
    target = _target(mount, values, MODES[wanted])
    if MODES[wanted] != mount.pump.manual:
        mount.pump.set_manual(MODES[wanted])
    if target is not None:
        await mount.run(_sleep(target), f"clock to {target}", interrupt)


def _target(mount: Mount, values: dict[str, int], manual: bool) -> int | None:
    now = mount.machine.now
    # What was read a while ago may be written again: a wall clock has gone on since.
    read = values.pop("now", now)
    if read > now or (read < now and manual):
        raise TreeError(errno.EPERM, f"now is {now}; advance= and to= move the clock")
    if values and not manual:
        raise TreeError(errno.EPERM, "the wall clock moves by itself; mode=manual")
    if len(values) > 1:
        raise grammar.GrammarError("advance and to: one of them")
    for key, value in values.items():
        target = value + (now if key == "advance" else 0)
        if not now <= target <= MAX_NS:
            raise grammar.GrammarError(f"{key}: {target} is not in {now} .. {MAX_NS}")
        return target
    return None


def _sleep(target: int) -> Generator[Any, None, None]:
    yield Until(target)
