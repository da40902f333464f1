"""hwloc's synthetic topologies: ``pack:2 [numa(memory=64GB)] core:4 pu:2``.

Each item is a type and how many of it are below each object of the level before; in
brackets what is attached to each of these: NUMA nodes. Without ``memory=`` one that is
a level has 1 GiB and one that is attached has none; a topology without nodes has one
of 1 GiB.

Source: hwloc's manual, "Synthetic topologies".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Final

from memfs.machines.description import (
    DescribedNode,
    Description,
    Groups,
    MachineError,
    fitted,
)

BLOCK: Final = 128 << 20
DEFAULT_MEMORY: Final = 1 << 30
MAX_OBJECTS: Final = 4096
# Types by name, with the fewest characters that hwloc takes for it.
TYPES: Final = {
    "machine": ("machine", 2),
    "numanode": ("numa", 2),
    "node": ("numa", 2),
    "package": ("package", 2),
    "socket": ("package", 2),
    "die": ("die", 2),
    "core": ("core", 2),
    "pu": ("pu", 2),
    "group": ("group", 2),
}
CACHE: Final = re.compile(r"l[1-5][udi]?(cache)?|memcache|memory-side cache", re.I)
UNITS: Final = {
    "": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
ITEM: Final = re.compile(
    r"\s*(?:(?P<open>\[)\s*(?P<attached>[A-Za-z][\w-]*)\s*(?:\((?P<inner>[^)]*)\))?\s*\]"
    r"|(?:(?P<type>[A-Za-z][\w -]*?)\s*:\s*)?(?P<nr>[0-9]+)(?:\((?P<attrs>[^)]*)\))?"
    r"|\((?P<root>[^)]*)\))(?=[\s\[]|$)"
)
ATTRIBUTES: Final = ("memory", "size", "indexes")


# What levels above the PUs are that have no type, by how many there are.
UNTYPED: Final = {
    1: ("numa",),
    2: ("package", "numa"),
    3: ("package", "numa", "core"),
    4: ("package", "numa", "l2", "core"),
    5: ("package", "numa", "l2", "l1d", "core"),
    6: ("package", "numa", "l3", "l2", "l1d", "core"),
    7: ("package", "numa", "l3", "l2", "l1d", "l1i", "core"),
}


@dataclass
class Level:
    """Objects of one type.

    Attributes:
        width: of them in the whole machine.
        memory: bytes of each node.
        attached: memory of the nodes attached to each.
    """

    type: str
    arity: int
    width: int
    memory: int = DEFAULT_MEMORY
    indexes: str = ""
    attached: list[tuple[int, str]] = field(default_factory=list)


def read(text: str) -> Description:
    """The machine that a synthetic description says.

    Raises:
        MachineError: what was found where something else is expected.
    """
    levels, notes = parse(text)
    pus = levels[-1].width
    numbers = indexed(levels, len(levels) - 1)
    if max(numbers) >= pus:
        raise MachineError(f"PU {max(numbers)} of {pus}: a model's have no gaps")
    owned, nodes = numa_nodes(levels, numbers)
    for pu, number in owned.items():
        nodes[number].cpus = (*nodes[number].cpus, pu)
    ordered = [nodes[number] for number in sorted(nodes)]
    fitted(ordered, BLOCK)
    return Description(
        name="synthetic",
        kernel="6.1",
        block=BLOCK,
        nodes=ordered,
        cpus=pus,
        packages=groups(levels, "package", numbers),
        dies=groups(levels, "die", numbers),
        cores=groups(levels, "core", numbers),
        notes=notes,
    )


# -- the text ----------------------------------------------------------------------


def parse(text: str) -> tuple[list[Level], list[str]]:
    """The levels from the machine down, and what was left out.

    Raises:
        MachineError: as for read().
    """
    levels = [Level("machine", 1, 1)]
    notes: list[str] = []
    at = 0
    while text[at:].strip():
        found = ITEM.match(text, at)
        if found is None:
            expected = "TYPE:NUMBER, TYPE:NUMBER(...) or [numa(memory=SIZE)]"
            raise MachineError(f"{expected} is expected, not {text[at:].strip()!r}")
        at = found.end()
        if found["open"]:
            attach(levels, found["attached"], found["inner"] or "")
        elif found["nr"]:
            add_level(levels, found["type"], int(found["nr"]), found["attrs"] or "")
        elif len(levels) > 1:
            raise MachineError(f"attributes without an object: {found[0].strip()!r}")
        else:
            attributes(found["root"])
    name_types(levels)
    caches = [level.type for level in levels if CACHE.fullmatch(level.type)]
    if caches:
        notes.append(f"Left out, there are no caches in a model: {', '.join(caches)}.")
    return levels, notes


def type_of(word: str) -> str:
    """A type by its name or the beginning of it.

    Raises:
        MachineError: no such type.
    """
    lower = word.strip().lower()
    if CACHE.fullmatch(lower):
        return lower
    stem = lower.rstrip("0123456789") if lower.startswith("gr") else lower
    for name, (kind, least) in TYPES.items():
        if len(stem) >= least and name.startswith(stem):
            return kind
    known = ", ".join(TYPES)
    raise MachineError(f"unknown type {word!r}; there are {known}, l1 to l5")


def attributes(text: str) -> dict[str, str]:
    """``memory=64GB indexes=0,1`` as a mapping.

    Raises:
        MachineError: an attribute that there is not.
    """
    found = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        if not equals or key not in ATTRIBUTES:
            known = ", ".join(ATTRIBUTES)
            raise MachineError(f"unknown attribute {word!r}; there are {known}")
        found[key] = value
    return found


def memory_of(attrs: dict[str, str], default: int) -> int:
    """Bytes of ``memory=``; kB, MB, GB, TB are powers of ten."""
    if "memory" not in attrs:
        return default
    found = re.fullmatch(r"([0-9]+)\s*([A-Za-z]*)", attrs["memory"])
    if not found or found[2].lower() not in UNITS:
        raise MachineError(f"memory={attrs['memory']}: a size like 64GB is expected")
    return int(found[1]) * UNITS[found[2].lower()]


def attach(levels: list[Level], word: str, inner: str) -> None:
    """Nodes for each object of the last level."""
    if type_of(word) != "numa":
        raise MachineError(f"[{word}]: only NUMA nodes are attached")
    attrs = attributes(inner)
    levels[-1].attached.append((memory_of(attrs, 0), attrs.get("indexes", "")))


def add_level(levels: list[Level], word: str | None, arity: int, text: str) -> None:
    """One level more."""
    kind = "" if word is None else type_of(word)
    if not arity:
        raise MachineError(f"{word or ''}:0: there is at least one of each")
    width = levels[-1].width * arity
    if width > MAX_OBJECTS:
        raise MachineError(f"{width} objects; at most {MAX_OBJECTS} of a type")
    if kind not in ("", "group") and any(level.type == kind for level in levels):
        raise MachineError(f"{kind} is there twice")
    attrs = attributes(text)
    levels.append(
        Level(
            kind,
            arity,
            width,
            memory_of(attrs, DEFAULT_MEMORY),
            attrs.get("indexes", ""),
        )
    )


def name_types(levels: list[Level]) -> None:
    """Give types to levels that have none, as hwloc does.

    Raises:
        MachineError: the last level is none of PUs.
    """
    if len(levels) == 1:
        raise MachineError("no level; at least pu:NUMBER is needed")
    levels[-1].type = levels[-1].type or "pu"
    unnamed = [level for level in levels[1:-1] if not level.type]
    if unnamed and len(unnamed) != len(levels) - 2:
        raise MachineError("some levels have a type and some have none")
    if unnamed:
        if len(unnamed) not in UNTYPED:
            raise MachineError(f"at most {max(UNTYPED) + 1} levels without types")
        for level, kind in zip(unnamed, UNTYPED[len(unnamed)], strict=True):
            level.type = kind
    if levels[-1].type != "pu":
        raise MachineError(f"the last level is pu, not {levels[-1].type}")
    attached = any(level.attached for level in levels)
    if attached and any(level.type == "numa" for level in levels):
        raise MachineError("NUMA nodes are a level or attached, not both")


# -- indexes -------------------------------------------------------------------------


def indexed(levels: list[Level], depth: int) -> list[int]:
    """The numbers of a level's objects, in order."""
    return numbers_of(levels, depth, levels[depth].indexes, levels[depth].width)


def numbers_of(levels: list[Level], depth: int, text: str, total: int) -> list[int]:
    """What ``indexes=`` says: numbers, ``STEP*NUMBER`` loops or types.

    Raises:
        MachineError: not each number from 0 on once, or no such level.
    """
    if not text:
        return list(range(total))
    if re.fullmatch(r"[0-9,]+", text):
        numbers = [int(word) for word in text.split(",") if word]
    else:
        numbers = [0] * total
        mul = 1
        for step, nr in loops_of(levels, depth, text, total):
            for j in range(total):
                numbers[j] += (j // step) % nr * mul
            mul *= nr
    if len(numbers) != total or len(set(numbers)) != total:
        raise MachineError(f"indexes={text}: {total} different numbers are needed")
    return numbers


def loops_of(
    levels: list[Level], depth: int, text: str, total: int
) -> list[tuple[int, int]]:
    """(step, number) of each loop of an interleaving."""
    loops = []
    names = [] if "*" in text else [type_of(word) for word in text.split(":")]
    for word in text.split(":") if "*" in text else ():
        found = re.fullmatch(r"([1-9][0-9]*)\*([1-9][0-9]*)", word)
        if not found:
            raise MachineError(f"indexes={text}: STEP*NUMBER is expected, not {word!r}")
        loops.append((int(found[1]), int(found[2])))
    depths = []
    for name in names:
        at = [i for i, level in enumerate(levels[: depth + 1]) if level.type == name]
        if not at:
            raise MachineError(f"indexes={text}: no level {name} above")
        depths.append(at[0])
    for mine in depths:
        above = max((other for other in depths if other < mine), default=0)
        width = levels[mine].width
        loops.append((total // width, width // levels[above].width))
    covered = math.prod(nr for _, nr in loops)
    if total % covered:
        raise MachineError(f"indexes={text}: loops over {covered} of {total}")
    return [*loops, (1, total // covered)]


# -- what it makes -------------------------------------------------------------------


def members(levels: list[Level], depth: int, index: int) -> range:
    """PUs, by their place, below the object of a level."""
    each = levels[-1].width // levels[depth].width
    return range(index * each, (index + 1) * each)


def groups(levels: list[Level], kind: str, numbers: list[int]) -> Groups:
    """The CPUs of each object of a type; nothing if there is none of it."""
    for depth, level in enumerate(levels):
        if level.type == kind:
            return [
                tuple(sorted(numbers[i] for i in members(levels, depth, index)))
                for index in range(level.width)
            ]
    return []


def numa_nodes(
    levels: list[Level], numbers: list[int]
) -> tuple[dict[int, int], dict[int, DescribedNode]]:
    """Which node each CPU is on, the nearest, and the nodes by number."""
    found = list(local_nodes(levels))
    if not found:
        found = [(0, 0, DEFAULT_MEMORY, 0)]
    nodes: dict[int, DescribedNode] = {}
    best: dict[int, tuple[int, int]] = {}
    for depth, index, memory, number in found:
        nodes[number] = DescribedNode(number, size=memory)
        for i in members(levels, depth, index):
            # Linux has a CPU on one node: the nearest; of equals the first.
            if numbers[i] not in best or best[numbers[i]][0] < depth:
                best[numbers[i]] = (depth, number)
    return {pu: number for pu, (_, number) in sorted(best.items())}, nodes


def local_nodes(levels: list[Level]) -> list[tuple[int, int, int, int]]:
    """(depth, object, bytes, number) of each node.

    Attached nodes are numbered as hwloc does: those below an object before its own.
    """
    for depth, level in enumerate(levels):
        if level.type == "numa":
            numbers = indexed(levels, depth)
            return [(depth, i, level.memory, numbers[i]) for i in range(level.width)]
    order: list[tuple[int, int, int]] = []

    def visit(depth: int, index: int) -> None:
        if depth + 1 < len(levels):
            arity = levels[depth + 1].arity
            for child in range(index * arity, (index + 1) * arity):
                visit(depth + 1, child)
        for memory, _ in levels[depth].attached:
            order.append((depth, index, memory))

    visit(0, 0)
    texts = [text for level in levels for _, text in level.attached if text]
    if len(texts) > 1:
        raise MachineError("indexes= of attached nodes is there twice")
    at = next(
        (d for d, level in enumerate(levels) if any(t for _, t in level.attached)), 0
    )
    numbers = numbers_of(levels, at, texts[0] if texts else "", len(order))
    return [(*place, number) for place, number in zip(order, numbers, strict=True)]
