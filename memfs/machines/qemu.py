"""QEMU's command line: ``-m 4G -smp 4 -object memory-backend-ram,... -numa node,...``.

Memory lies where QEMU's machine has it for its guest: node after node, with a hole
below 4 GiB on a PC; the memory of DIMMs behind all that, in blocks that are offline
until the guest puts them online. What has no part in this (disks, displays) is
listed as left out; a key of an option that is read is known or refused.

Source: QEMU's manual, qemu-system-x86_64(1); hw/i386/pc.c, hw/core/machine-smp.c.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from memfs.machines.description import DescribedNode, Description, MachineError
from memfs.machines.qemucpus import Smp, owners, topology
from memfs.vm.layoutspec import BlockRun

BLOCK: Final = 128 << 20
MIN_BLOCK: Final = 8 << 20
LARGE_BLOCKS_FROM: Final = 64 << 30
GIB: Final = 1 << 30
DMA: Final = 16 << 20
DEFAULT_MEMORY: Final = 128 << 20
UNITS: Final = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}
DIMMS: Final = ("pc-dimm", "nvdimm")


class Board(NamedTuple):
    """Where a machine has its memory; bytes.

    Attributes:
        base: of the first byte.
        most_below: all of it is below 4 GiB if it is not more than this.
        below: else so much of it is; 0: it never goes round a hole.
    """

    base: int
    most_below: int = 0
    below: int = 0


BOARDS: Final = {
    "pc": Board(0, 0xE0000000, 0xC0000000),
    "q35": Board(0, 0xB0000000, 0x80000000),
    "microvm": Board(0, 0xC0000000, 0xC0000000),
    "virt": Board(GIB),
    "pseries": Board(0),
    "s390-ccw-virtio": Board(0),
}
# Keys of the options that are read; those of the second row change nothing here.
KEYS: Final = {
    "-m": (("size", "slots", "maxmem"), ()),
    "-machine": (("type",), None),
    "-smp": (
        ("cpus", "maxcpus", "sockets", "dies", "cores", "threads"),
        ("drawers", "books", "clusters", "modules"),
    ),
    "-numa node": (("nodeid", "mem", "memdev", "cpus"), ("initiator",)),
    "-numa dist": (("src", "dst", "val"), ()),
    "-numa cpu": (
        ("node-id", "socket-id", "die-id", "core-id", "thread-id"),
        ("cluster-id", "module-id"),
    ),
    "-object": (
        ("id", "size"),
        (
            *("share", "prealloc", "prealloc-threads", "merge", "dump", "policy"),
            *("host-nodes", "mem-path", "hugetlb", "hugetlbsize", "seal", "align"),
            *("reserve", "discard-data", "pmem", "readonly", "rom"),
        ),
    ),
    "-device": (("id", "memdev", "node", "addr"), ("slot", "label-size", "unarmed")),
}
FLAGS: Final = ("-nographic", "-enable-kvm", "-no-reboot", "-S", "-s", "-snapshot")


@dataclass
class Asked:
    """What was read.

    Attributes:
        memory: bytes of -m.
        backends: bytes by id.
        dimms: (backend, node, address or None).
        distances: by (from, to).
        cpu_rows: properties of CPUs and their node.
    """

    memory: int = DEFAULT_MEMORY
    board: str = "pc"
    smp: Smp = field(default_factory=Smp)
    nodes: dict[int, dict[str, str]] = field(default_factory=dict)
    cpus: dict[int, list[int]] = field(default_factory=dict)
    cpu_rows: list[dict[str, int]] = field(default_factory=list)
    backends: dict[str, int] = field(default_factory=dict)
    dimms: list[tuple[str, int, int | None]] = field(default_factory=list)
    distances: dict[tuple[int, int], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(text: str) -> Description:
    """The guest that a command line makes.

    Raises:
        MachineError: what was found where something else is expected.
    """
    asked = Asked()
    ignored = []
    for option, value in options(text):
        reader = READERS.get(option)
        if reader is None:
            ignored.append(f"{option} {value}".strip())
        else:
            reader(asked, value)
    if ignored:
        asked.notes.append("Left out, no part of the model: " + ", ".join(ignored))
    return described(asked)


def options(text: str) -> Iterator[tuple[str, str]]:
    """Each option and its argument, ``""`` if it has none."""
    try:
        words = shlex.split(text.replace("\\\n", " "))
    except ValueError as error:
        raise MachineError(f"QEMU's arguments: {error}") from None
    at = 0
    while at < len(words):
        option = words[at]
        if len(option) > 2 and option.startswith("--"):
            option = option[1:]
        if not option.startswith("-") and at > 0:
            raise MachineError(f"an option like -m is expected, not {option!r}")
        at += 1
        if not option.startswith("-"):
            # The name of the program.
            continue
        has_value = at < len(words) and not words[at].startswith("-")
        if option in FLAGS or not has_value:
            yield ALIASES.get(option, option), ""
            continue
        yield ALIASES.get(option, option), words[at]
        at += 1


ALIASES: Final = {"-M": "-machine"}


def keys(asked: Asked, option: str, value: str, first: str = "") -> dict[str, str]:
    """``a=1,b=2`` of an option; `first` is the key of a value without one.

    Keys that change nothing become notes.

    Raises:
        MachineError: a key that there is not.
    """
    read_, ignored = KEYS[option]
    found: dict[str, str] = {}
    for number, word in enumerate(part for part in value.split(",") if part):
        key, equals, text = word.partition("=")
        if not equals and number == 0 and first:
            key, text = first, word
        elif not equals:
            text = "on"
        if key in read_:
            found[key] = text
        elif ignored is None or key in ignored:
            asked.notes.append(f"Left out: {key}={text} of {option}.")
        else:
            known = ", ".join((*read_, *ignored))
            raise MachineError(f"{option}: unknown key {key!r}; there are {known}")
    return found


def number(option: str, key: str, text: str) -> int:
    """A number of a key.

    Raises:
        MachineError: it is none.
    """
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
        raise MachineError(f"{option}: {key}={text}: a number is expected")
    return int(text, 0 if text[:2] in ("0x", "0X") else 10)


def bytes_of(option: str, key: str, text: str, unit: str = "B") -> int:
    """A size; `unit` is that of a number without one.

    Raises:
        MachineError: it is none.
    """
    found = re.fullmatch(r"([0-9]+)(?:\.([0-9]+))?([BKMGTbkmgt]?)", text)
    if not found:
        raise MachineError(f"{option}: {key}={text}: a size like 4G is expected")
    shift = UNITS[(found[3] or unit).upper()]
    part = (int(found[2]) << shift) // 10 ** len(found[2]) if found[2] else 0
    return (int(found[1]) << shift) + part


# -- the options ---------------------------------------------------------------------


def read_memory(asked: Asked, value: str) -> None:
    """-m [size=]SIZE[,slots=N,maxmem=SIZE]"""
    found = keys(asked, "-m", value, "size")
    if "size" in found:
        asked.memory = bytes_of("-m", "size", found["size"], "M")
    if "maxmem" in found:
        most = bytes_of("-m", "maxmem", found["maxmem"], "M")
        if most < asked.memory:
            raise MachineError(f"-m: maxmem={found['maxmem']} is below the size")
        slots = found.get("slots", "0")
        asked.notes.append(
            f"Left out: {slots} slots for up to {most} bytes. An empty slot that "
            "`plug` fills is a [[node]] with plugged = false."
        )


def read_machine(asked: Asked, value: str) -> None:
    """-machine [type=]NAME[,...]"""
    name = keys(asked, "-machine", value, "type").get("type", "pc")
    plain = re.sub(r"^pc-(q35|i440fx)(-.*)?$", r"\1", name).replace("i440fx", "pc")
    plain = re.sub(r"^(virt|pseries|s390-ccw-virtio)-[0-9].*$", r"\1", plain)
    if plain not in BOARDS:
        known = ", ".join(BOARDS)
        raise MachineError(f"-machine: no machine {name!r} is known; there are {known}")
    asked.board = plain


def read_smp(asked: Asked, value: str) -> None:
    """-smp [cpus=]N[,sockets=,dies=,cores=,threads=,maxcpus=]"""
    found = keys(asked, "-smp", value, "cpus")
    given = {key: number("-smp", key, text) for key, text in found.items()}
    asked.smp = Smp(**given)


def read_numa(asked: Asked, value: str) -> None:
    """-numa node,... | dist,... | cpu,..."""
    kind, _, rest = value.partition(",")
    if kind == "node":
        read_node(asked, rest)
    elif kind == "dist":
        found = keys(asked, "-numa dist", rest)
        numbers = [
            number("-numa dist", k, found.get(k, "")) for k in KEYS["-numa dist"][0]
        ]
        asked.distances[numbers[0], numbers[1]] = numbers[2]
    elif kind == "cpu":
        found = keys(asked, "-numa cpu", rest)
        row = {key: number("-numa cpu", key, text) for key, text in found.items()}
        if "node-id" not in row:
            raise MachineError("-numa cpu: node-id is missing")
        asked.cpu_rows.append(row)
    elif kind in ("hmat-lb", "hmat-cache"):
        asked.notes.append(f"Left out: -numa {value}.")
    else:
        raise MachineError(f"-numa {kind}: node, dist or cpu is expected")


def read_node(asked: Asked, rest: str) -> None:
    """-numa node[,nodeid=N][,mem=SIZE|memdev=ID][,cpus=A-B]..."""
    nid = max(asked.nodes, default=-1) + 1
    cpus: list[int] = []
    for word in rest.split(","):
        key, _, text = word.partition("=")
        if key == "cpus":
            low, _, high = text.partition("-")
            first = number("-numa node", "cpus", low)
            last = number("-numa node", "cpus", high or low)
            cpus += range(first, last + 1)
    found = keys(asked, "-numa node", rest)
    nid = number("-numa node", "nodeid", found.get("nodeid", str(nid)))
    if nid in asked.nodes:
        raise MachineError(f"-numa node: nodeid={nid} is there twice")
    if "mem" in found and "memdev" in found:
        raise MachineError(f"-numa node: node {nid} has mem= and memdev=")
    asked.nodes[nid] = found
    asked.cpus[nid] = cpus


def read_object(asked: Asked, value: str) -> None:
    """-object memory-backend-*,id=ID,size=SIZE"""
    kind, _, rest = value.partition(",")
    if kind.startswith("qom-type="):
        kind = kind.partition("=")[2]
    if not kind.startswith("memory-backend-"):
        asked.notes.append(f"Left out, no memory: -object {value}.")
        return
    found = keys(asked, "-object", rest)
    for key in ("id", "size"):
        if key not in found:
            raise MachineError(f"-object {kind}: {key} is missing")
    if found["id"] in asked.backends:
        raise MachineError(f"-object: id={found['id']} is there twice")
    asked.backends[found["id"]] = bytes_of("-object", "size", found["size"])


def read_device(asked: Asked, value: str) -> None:
    """-device pc-dimm,memdev=ID[,node=N][,addr=ADDRESS]"""
    kind, _, rest = value.partition(",")
    if kind == "nvdimm":
        asked.notes.append(f"Left out, no memory of the guest: -device {value}.")
        return
    if kind not in DIMMS:
        asked.notes.append(f"Left out, no DIMM: -device {value}.")
        return
    found = keys(asked, "-device", rest)
    if "memdev" not in found:
        raise MachineError(f"-device {kind}: memdev is missing")
    node = number("-device", "node", found.get("node", "0"))
    addr = number("-device", "addr", found["addr"]) if "addr" in found else None
    asked.dimms.append((found["memdev"], node, addr))


READERS: Final = {
    "-m": read_memory,
    "-machine": read_machine,
    "-smp": read_smp,
    "-numa": read_numa,
    "-object": read_object,
    "-device": read_device,
}


# -- what it makes -------------------------------------------------------------------


def described(asked: Asked) -> Description:
    """The machine, its memory where the board has it."""
    sizes = sizes_of(asked)
    nodes = {nid: DescribedNode(nid) for nid in sizes}
    board = BOARDS[asked.board]
    block = block_of(board, [*sizes.values(), *(size for size, _, _ in dimms(asked))])
    if block < BLOCK:
        asked.notes.append(
            f"Blocks of {block >> 20} MiB, where Linux has some of {BLOCK >> 20} MiB "
            "on two nodes or cut short."
        )
    end = lay_out(nodes, sizes, board, block)
    lay_dimms(asked, nodes, end, block)
    smp = asked.smp.filled()
    for nid, cpus in owners(smp, list(nodes), asked.cpus, asked.cpu_rows).items():
        nodes[nid].cpus = tuple(cpus)
    packages, dies, cores = topology(smp)
    return Description(
        name="qemu",
        kernel="6.1",
        block=block,
        nodes=[nodes[nid] for nid in sorted(nodes)],
        cpus=smp.cpus,
        packages=packages,
        dies=dies if smp.dies > 1 else [],
        cores=cores,
        distances=distances(asked, sorted(nodes)),
        notes=asked.notes,
    )


def sizes_of(asked: Asked) -> dict[int, int]:
    """Bytes of each node; -m shared out where none says its own.

    Raises:
        MachineError: the nodes' sum is not -m's.
    """
    if not asked.nodes:
        return {0: asked.memory}
    sizes = {}
    for nid, found in asked.nodes.items():
        if "memdev" in found:
            sizes[nid] = backend(asked, found["memdev"])
        else:
            sizes[nid] = bytes_of("-numa node", "mem", found.get("mem", "0"), "M")
    said = any("mem" in found or "memdev" in found for found in asked.nodes.values())
    if not said:
        each = asked.memory // len(sizes) & ~(8 * (1 << 20) - 1)
        sizes = dict.fromkeys(sizes, each)
        sizes[max(sizes)] += asked.memory - each * len(sizes)
    if sum(sizes.values()) != asked.memory:
        total = sum(sizes.values())
        raise MachineError(f"-m says {asked.memory} bytes, the nodes have {total}")
    return sizes


def backend(asked: Asked, name: str) -> int:
    """Bytes of a memory backend."""
    if name not in asked.backends:
        known = ", ".join(asked.backends) or "none"
        raise MachineError(
            f"memdev={name}: there is no such -object; there are {known}"
        )
    return asked.backends[name]


def dimms(asked: Asked) -> list[tuple[int, int, int | None]]:
    """(bytes, node, address) of each DIMM."""
    return [(backend(asked, name), nid, addr) for name, nid, addr in asked.dimms]


def block_of(board: Board, sizes: list[int]) -> int:
    """The size of a memory block: the guest's kernel takes larger ones from 64 GiB on.

    Smaller ones where a node would begin or end within one.

    Source: arch/x86/mm/init_64.c probe_memory_block_size(), Linux 6.1.
    """
    size = 2 * GIB if board.below and sum(sizes) >= LARGE_BLOCKS_FROM else BLOCK
    below = board.below if board.below and sum(sizes) > board.most_below else 0
    while size > MIN_BLOCK and any(n % size for n in (*sizes, below)):
        size //= 2
    return size


def lay_out(
    nodes: dict[int, DescribedNode], sizes: dict[int, int], board: Board, block: int
) -> int:
    """Give each node its blocks. Returns: the end of the memory, an address."""
    total, offset = sum(sizes.values()), 0
    hole = board.below if board.below and total > board.most_below else 0
    at = board.base
    for nid in sorted(nodes):
        node, left = nodes[nid], sizes[nid]
        node.runs = []
        if left % block:
            raise MachineError(f"node {nid}: {left} bytes are no multiple of {block}")
        while left:
            if hole and offset == hole:
                at = 4 * GIB
            part = min(left, hole - offset) if hole and offset < hole else left
            node.runs += runs_of(at, part, block)
            at, offset, left = at + part, offset + part, left - part
    return at


def runs_of(start: int, size: int, block: int) -> list[BlockRun]:
    """Blocks of boot memory; the zone is by the kernel's rule for its address."""
    first, last = start // block, (start + size) // block - 1
    runs = []
    if first == 0 and block > DMA:
        parts = (("DMA", DMA // 4096), ("DMA32", (block - DMA) // 4096))
        runs.append(BlockRun(0, 0, zones="none", parts=parts))
        first = 1
    for zone, end in (("DMA", DMA), ("DMA32", 4 * GIB), ("Normal", 1 << 64)):
        behind = min(end // block, last + 1)
        if first < behind:
            runs.append(BlockRun(first, behind - 1, zones=zone))
            first = behind
    return runs


def lay_dimms(
    asked: Asked, nodes: dict[int, DescribedNode], end: int, block: int
) -> None:
    """DIMMs follow the memory at the next GiB, each where there is room."""
    at = -(-max(end, 4 * GIB) // GIB) * GIB
    for size, nid, addr in dimms(asked):
        if nid not in nodes:
            raise MachineError(f"-device: node={nid}: there is no such node")
        start = at if addr is None else addr
        if size % block or start % block or not size:
            what = f"{size} bytes at {start:#x} are no whole blocks of {block}"
            raise MachineError(f"-device: {what}")
        run = BlockRun(
            start // block, (start + size) // block - 1, "offline", "Normal Movable"
        )
        nodes[nid].runs = [*(nodes[nid].runs or []), run]
        at = max(at, start + size)


def distances(asked: Asked, numbers: list[int]) -> list[list[int]]:
    """The table of -numa dist; one way counts for both, 20 by default."""
    if not asked.distances:
        return []
    for pair, value in asked.distances.items():
        missing = [nid for nid in pair if nid not in numbers]
        if missing:
            raise MachineError(f"-numa dist: there is no node {missing[0]}")
        if pair[0] == pair[1] and value != 10:
            raise MachineError(f"-numa dist: node {pair[0]} is {value} from itself")
        if not 10 <= value <= 255:
            raise MachineError(f"-numa dist: val={value} is not between 10 and 255")

    def one(a: int, b: int) -> int:
        default = 10 if a == b else 20
        given = asked.distances
        return given.get((a, b), given.get((b, a), default))

    return [[one(a, b) for b in numbers] for a in numbers]
