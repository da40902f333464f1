"""QEMU's boards: where their memory is, and in which blocks the guest has it.

Source: hw/i386/pc.c, hw/arm/virt.c; arch/x86/mm/init_64.c, Linux 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from memfs.machines.description import DescribedNode, Description, MachineError
from memfs.machines.qemucpus import Smp, owners, topology
from memfs.records import NamedTuple
from memfs.vm.layoutspec import BlockRun

BLOCK: Final = 128 << 20
MIN_BLOCK: Final = 8 << 20
LARGE_BLOCKS_FROM: Final = 64 << 30
GIB: Final = 1 << 30
DMA: Final = 16 << 20
DEFAULT_MEMORY: Final = 128 << 20


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


class NodeMemory(NamedTuple):
    """What a node says of its memory: bytes, or the id of a backend."""

    size: int | None = None
    backend: str = ""


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
    nodes: dict[int, NodeMemory] = field(default_factory=dict)
    cpus: dict[int, list[int]] = field(default_factory=dict)
    cpu_rows: list[dict[str, int]] = field(default_factory=list)
    backends: dict[str, int] = field(default_factory=dict)
    dimms: list[tuple[str, int, int | None]] = field(default_factory=list)
    distances: dict[tuple[int, int], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
    for nid, memory in asked.nodes.items():
        said = backend(asked, memory.backend) if memory.backend else memory.size
        sizes[nid] = said or 0
    if not any(memory != NodeMemory() for memory in asked.nodes.values()):
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
