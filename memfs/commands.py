"""The grammar of ``memhotplug`` and what its commands do: one TABLE.

``COMMAND NUMBER``, ``COMMAND node N`` or ``COMMAND zone Z``, behind it for ``remap`` a
target, ``to N``, and a mode: one command a write, at most 63 bytes, words apart by one
blank, one newline at the end or none. A number is written as C writes it: 5, 0x5, 05.
Nothing else is taken: what is not a command is EINVAL, and the kernel log says what was
wrong with it.

What it is not: it reads no file, knows no FUSE and no trio. ``parse`` is a function
of the bytes alone; ``start`` makes the operation that somebody else runs.

Departure: in 2004 every write succeeded and the work went on behind it. Here a
refusal is an errno, and an operation ends when its work is done.

Source: va-proc_memhotplug.patch v1.14 (H. Takahashi, LKML 2004-07-14); the 2003
report for who takes zones.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from memfs.records import NamedTuple
from memfs.vm.errors import VmError

if TYPE_CHECKING:
    from memfs.vm import Machine

MAX_BYTES = 63
MAX_NUMBER = 0xFFFFFFFF  # unsigned long of the machines of 2003 and 2004

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")

Operation = Generator[Any, None, Any]
Make = Callable[["Machine", "Command"], Operation]


class Command(NamedTuple):
    """One command as it was written.

    Attributes:
        verb: a name of TABLE.
        number: of a node or of a zone.
        kind: "node" or "zone" if it was said, else "".
        to: the node that pages go to, where it was said.
        mode: a mode of its row, or "".
    """

    verb: str
    number: int
    kind: str = ""
    to: int | None = None
    mode: str = ""

    def __str__(self) -> str:
        kind = f"{self.kind} " if self.kind else ""
        to = "" if self.to is None else f" to {self.to}"
        mode = f" {self.mode}" if self.mode else ""
        return f"{self.verb} {kind}{self.number}{to}{mode}"


class Row(NamedTuple):
    """A command.

    Attributes:
        name: the word.
        takes: "node", "zone", or "gate": what the layout's dialect says.
        node, zone: make the operation for a node, for a zone; None: it takes none.
        what, result: for the help and the README.
        to: a target node may be named.
        modes: words that may stand at the end.
        names: it changes which names there are, or what many of them say, at once.
    """

    name: str
    takes: str
    node: Make | None
    zone: Make | None
    what: str
    result: str
    to: bool = False
    modes: tuple[str, ...] = ()
    names: bool = False


def _inuse(machine: Machine, command: Command) -> Operation:
    found = yield from machine.inuse(command.number)
    report(machine, command.number, "in use", found)


def _active(machine: Machine, command: Command) -> Operation:
    found = yield from machine.active(command.number)
    report(machine, command.number, "active", found)


def _remap(machine: Machine, command: Command) -> Operation:
    if command.mode != "check":
        wait = command.mode != "nowait"
        return machine.remap(command.number, command.to, wait)
    return _remap_check(machine, command)


def _remap_check(machine: Machine, command: Command) -> Operation:
    found = yield from machine.remap_check(command.number, command.to)
    machine.klog.add(f"{command}: {found.movable} pages would move")
    for reason, pages in sorted(found.reasons.items()):
        machine.klog.add(f"  {pages} would not: {reason}")


TABLE = (
    Row(
        "plug",
        "node",
        lambda m, c: m.plug(c.number),
        None,
        "the memory of slot N comes, its gate closed; its kswapd starts",
        "EEXIST plugged, ENODEV no such slot, ENOMEM no room for its tables",
        names=True,
    ),
    Row(
        "enable",
        "gate",
        lambda m, c: m.enable_node(c.number),
        lambda m, c: m.enable_zone(c.number),
        "opens the gate: pages are allocated there again",
        "ENODEV; done before is done",
        names=True,
    ),
    Row(
        "disable",
        "gate",
        lambda m, c: m.disable_node(c.number),
        lambda m, c: m.disable_zone(c.number),
        "closes the gate: no page is allocated there any more",
        "ENODEV, EPERM not hot-removable; done before is done",
        names=True,
    ),
    Row(
        "purge",
        "zone",
        None,
        lambda m, c: m.purge(c.number),
        "drains, one run of kswapd over the zone's node, drains",
        "0 always (repeat as necessary), ENODEV",
    ),
    Row(
        "remap",
        "zone",
        None,
        _remap,
        "moves every page of the zone elsewhere, or to node N; nowait: gives up at "
        "once what is in use; check: moves nothing, kmsg says what would move",
        "EBUSY some stayed, ENOMEM no page to move to, EINTR, ENODEV, EINVAL "
        "the target is the zone's own node, disabled or absent",
        to=True,
        modes=("check", "nowait"),
    ),
    Row(
        "unplug",
        "node",
        lambda m, c: m.unplug(c.number),
        None,
        "the memory of node N goes, when every page of it is free",
        "EBUSY a gate is open or pages are in use, ENODEV",
        names=True,
    ),
    Row(
        "active",
        "zone",
        None,
        _active,
        "kmsg: what is on the active list, by kind, and the first 10 pages",
        "ENODEV",
    ),
    Row(
        "inuse",
        "zone",
        None,
        _inuse,
        "kmsg: what is in use, by kind, and the first 10 pages",
        "ENODEV",
    ),
)

BY_NAME = {row.name: row for row in TABLE}


def invalid(message: str) -> VmError:
    return VmError(errno.EINVAL, message)


def parse(data: bytes) -> Command | None:
    """Read one write; None if there was nothing in it.

    Raises:
        VmError: EINVAL, and what is wrong.
    """
    if not data:
        return None
    if len(data) > MAX_BYTES:
        raise invalid(f"{len(data)} bytes, at most {MAX_BYTES}; one command a write")
    body = data.removesuffix(b"\n")
    if b"\n" in body:
        raise invalid("more than one line; one command a write")
    if not all(0x20 <= byte <= 0x7E for byte in body):
        raise invalid(f"{body.decode('latin-1')!a}: not printable ASCII")
    words = body.decode("ascii").split(" ")
    if "" in words:
        raise invalid(f"'{body.decode('ascii')}': words are apart by one blank")
    return _command(words)


def _command(words: list[str]) -> Command:
    row = BY_NAME.get(words[0])
    if row is None:
        raise invalid(f"no command '{words[0]}'; there are {', '.join(BY_NAME)}")
    rest = words[1:]
    kind = rest.pop(0) if rest and rest[0] in ("node", "zone") else ""
    if kind and getattr(row, kind) is None:
        raise invalid(f"{row.name} takes a {row.takes}, not a {kind}")
    to = None
    mode = rest.pop() if len(rest) > 1 and rest[-1] in row.modes else ""
    if row.to and len(rest) == 3 and rest[1] == "to":
        to = number(rest[2])
        del rest[1:]
    if not rest:
        raise invalid(f"{row.name}: the number is missing")
    if len(rest) > 1:
        raise invalid(f"{row.name}: '{rest[1]}' is too much")
    return Command(row.name, number(rest[0]), kind, to, mode)


def number(text: str) -> int:
    """Read a number as C writes it, 0 <= number <= MAX_NUMBER.

    Raises:
        VmError: EINVAL.
    """
    if not _NUMBER.fullmatch(text):
        raise invalid(f"'{text}' is no number (5, 0x5, 05)")
    octal = text[0] == "0" and text.isdigit()
    value = int(text, 8 if octal else 0)
    if value > MAX_NUMBER:
        raise invalid(f"{text} is out of range")
    return value


def kind_of(machine: Machine, command: Command) -> str:
    """Whether *command* means a node or a zone of *machine*.

    In 2003 enable and disable took a zone. Later they take a node; then a number
    that is no node slot of the layout but is a zone means that zone, so that
    ``disable 5; purge 5`` and ``disable 1; remap 5`` both do what was meant.
    """
    takes = BY_NAME[command.verb].takes
    if command.kind:
        return command.kind
    if takes != "gate":
        return takes
    if machine.rules.gate_takes == "zone":
        return "zone"
    is_zone = command.number not in machine.nodes and command.number in machine.zones
    return "zone" if is_zone else "node"


def start(machine: Machine, command: Command) -> Operation:
    """Make the operation of *command*; running it does the work.

    Raises:
        VmError: what can be refused at once; running it may raise others.
    """
    kind = kind_of(machine, command)
    make = getattr(BY_NAME[command.verb], kind)
    slots = machine.nodes if kind == "node" else machine.zones
    if command.number not in slots:
        raise VmError(errno.ENODEV, f"there is no {kind} {command.number}")
    operation: Operation = make(machine, command)
    return operation


def report(machine: Machine, zid: int, which: str, found: Any) -> None:
    """Print a histogram of a zone's pages and their first pfns into the kernel log."""
    zone = machine.zones[zid]
    total = sum(found.kinds.values())
    machine.klog.add(f"{zone.name}[{zid}]: {total} pages {which}")
    for kind, pages in sorted(found.kinds.items()):
        if pages:
            machine.klog.add(f"  {kind} {pages}")
    if found.pfns:
        machine.klog.add("  first pages: " + " ".join(map(str, found.pfns[:10])))
