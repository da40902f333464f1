"""A real machine's sys/, or a copy of it: blocks, nodes, distances, CPUs.

The directory that contains ``sys/``, as ``lsmem -s`` takes it; ``node`` and ``cpu``
may be absent, and so may ``proc/``, from which the figures of zones and swap come if
it is there. What a machine file cannot say becomes a note.

Source: Documentation/ABI/testing/sysfs-devices-memory, stable/sysfs-devices-node.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from memfs.machines.description import (
    PAGE_SIZE,
    DescribedNode,
    Description,
    Groups,
    MachineError,
)
from memfs.machines.sysfsfiles import bit_mask, cpu_set, number_of, numbered, text
from memfs.machines.sysfszones import find_holes, split_blocks, zone_pages
from memfs.vm.layoutspec import NO_ZONE, BlockRun
from memfs.vm.rules import COLUMNS, RULES

SYSTEM: Final = "sys/devices/system"
STATES: Final = ("online", "offline", "going-offline")
MAX_SLOTS: Final = 64  # more is what a distribution's kernel could have
MIN_BLOCK: Final = 8 << 20
# What shares a core, a die, a package: today's file and the one before it.
SHARED: Final = {
    "cores": ("core_cpus", "thread_siblings"),
    "dies": ("die_cpus",),
    "packages": ("package_cpus", "core_siblings"),
}


def read(root: Path, kernel: str | None = None) -> Description:
    """The machine below a directory.

    Args:
        root: the directory that contains sys/.
        kernel: a column of RULES; None: by the zones.

    Raises:
        MachineError: what is missing, or is not as Linux writes it.
    """
    memory = root / SYSTEM / "memory"
    if not memory.is_dir():
        raise MachineError(f"{root}: there is no {SYSTEM}/memory")
    notes: list[str] = []
    block = block_size(memory)
    owners = node_numbers(root, memory, notes)
    blocks = [
        read_block(memory / f"memory{number}", number, notes)
        for number in numbered(memory, "memory")
    ]
    if not blocks:
        raise MachineError(f"{memory}: there is no memory block")
    kernel = kernel or kernel_of(root, blocks)
    check_zones(blocks, kernel)
    cpus = cpu_numbers(root, notes)
    nodes = read_nodes(root, blocks, owners, cpus)
    for node in nodes:
        finish_node(root, node, kernel, block, notes)
    machine = Description(
        name=root.resolve().name or "imported",
        kernel=kernel,
        block=block,
        nodes=nodes,
        cpus=max(len(cpus), 1),
        distances=distances(root, nodes),
        swap=swap_of(root),
        notes=notes,
    )
    slots = sorted(set(possible(root)) - {node.number for node in nodes})
    if slots:
        what = f"node slots that are empty, of whatever size: {slots}"
        notes.append(f"Left out: {what}. One is a [[node]] with plugged = false.")
    for key, names in SHARED.items():
        setattr(machine, key, shared(root, names, cpus))
    return machine


# -- blocks --------------------------------------------------------------------------


def block_size(memory: Path) -> int:
    """Bytes of a block; the file has hexadecimal digits."""
    path = memory / "block_size_bytes"
    size = number_of(path, text(path), 16)
    if size < MIN_BLOCK or size & (size - 1):
        raise MachineError(
            f"{path}: {size:x}: a power of two of {MIN_BLOCK:x} or more is expected"
        )
    return size


def read_block(directory: Path, number: int, notes: list[str]) -> BlockRun:
    """One block, as its files have it."""
    state = text(directory / "state", missing="")
    if not state:
        notes.append(f"memory{number} has no state: taken as offline, as lsmem does.")
        state = "offline"
    if state not in STATES:
        known = ", ".join(STATES)
        raise MachineError(f"{directory}/state: {state!r} is none of {known}")
    flag = text(directory / "removable", missing="")
    if flag not in ("", "0", "1"):
        raise MachineError(f"{directory}/removable: {flag!r} is neither 0 nor 1")
    zones = " ".join(text(directory / "valid_zones", missing="").split())
    return BlockRun(number, number, state, zones, flag == "1" if flag else None)


def kernel_of(root: Path, blocks: list[BlockRun]) -> str:
    """The column that proc/version names; high memory there was on 32 bits only."""
    words = text(root / "proc/version", missing="").split()
    if len(words) > 2 and words[2] in COLUMNS:
        return words[2]
    high = any("HighMem" in block.zones.split() for block in blocks)
    return "2.6.7" if high else "6.1"


def check_zones(blocks: list[BlockRun], kernel: str) -> None:
    """Every zone is one of the kernel's.

    Raises:
        MachineError: one is not.
    """
    types = RULES["zone_types"].cells[kernel]
    for block in blocks:
        for name in block.zones.split():
            if name not in types and block.zones != NO_ZONE:
                known = ", ".join(types)
                what = f"memory{block.first}/valid_zones: {name!r}"
                raise MachineError(f"{what}: zones of Linux {kernel} are {known}")


def node_numbers(root: Path, memory: Path, notes: list[str]) -> dict[int, int]:
    """The node of each block that has one, by number."""
    owners: dict[int, int] = {}
    for number in numbered(memory, "memory"):
        mine = numbered(memory / f"memory{number}", "node")
        if len(mine) > 1:
            others = ", ".join(map(str, mine[1:]))
            notes.append(
                f"memory{number} is on node {others} too: node {mine[0]} has it."
            )
        if mine:
            owners[number] = mine[0]
    directory = root / SYSTEM / "node"
    for nid in numbered(directory, "node"):
        for number in numbered(directory / f"node{nid}", "memory"):
            owners.setdefault(number, nid)
    return owners


# -- nodes ---------------------------------------------------------------------------


def read_nodes(
    root: Path, blocks: list[BlockRun], owners: dict[int, int], cpus: list[int]
) -> list[DescribedNode]:
    """Every node there is, with its blocks and CPUs."""
    directory = root / SYSTEM / "node"
    numbers = sorted({*numbered(directory, "node"), *owners.values()}) or [0]
    nodes = {nid: DescribedNode(nid, runs=[]) for nid in numbers}
    last = numbers[0]
    for block in blocks:
        # One that is on no node is where the one before it is.
        last = owners.get(block.first, last)
        runs = nodes[last].runs
        assert runs is not None
        runs.append(block)
    place = {cpu: at for at, cpu in enumerate(cpus)}
    for nid, node in nodes.items():
        mine = node_cpus(directory / f"node{nid}")
        node.cpus = tuple(place[cpu] for cpu in mine if cpu in place)
    return list(nodes.values())


def possible(root: Path) -> list[int]:
    """Numbers that nodes can have, where the machine says so of a few."""
    path = root / SYSTEM / "node" / "possible"
    numbers = cpu_set(path, text(path, missing=""))
    return numbers if len(numbers) <= MAX_SLOTS else []


def node_cpus(directory: Path) -> list[int]:
    """CPUs of a node."""
    if (directory / "cpulist").exists():
        return cpu_set(directory / "cpulist", text(directory / "cpulist"))
    mask = text(directory / "cpumap", missing="")
    return bit_mask(directory / "cpumap", mask)


def finish_node(
    root: Path, node: DescribedNode, kernel: str, block: int, notes: list[str]
) -> None:
    """What follows from a node's blocks: gate, removable, managed pages, runs."""
    blocks = node.runs or []
    there = [one for one in blocks if one.online]
    node.enabled = not there or any(one.state == "online" for one in there)
    default = True
    if kernel != "6.1":
        node.removable = default = any(one.removable for one in blocks)
    blocks = [
        one._replace(removable=None if one.removable == default else one.removable)
        for one in blocks
    ]
    blocks = split_blocks(blocks, kernel, block // PAGE_SIZE)
    blocks = find_holes(root, node.number, blocks, block // PAGE_SIZE)
    if node.enabled:
        blocks = [
            one._replace(state="online") if one.state == "going-offline" else one
            for one in blocks
        ]
    node.managed = zone_pages(root, node.number, blocks, block, notes)
    node.runs = joined(blocks)


def joined(blocks: list[BlockRun]) -> list[BlockRun]:
    """Runs of neighbours that are alike."""
    runs: list[BlockRun] = []
    for block in blocks:
        last = runs[-1] if runs else None
        alike = last is not None and last[2:] == block[2:] and not block.parts
        if last is not None and alike and last.last + 1 == block.first:
            runs[-1] = last._replace(last=block.last)
        else:
            runs.append(block)
    return runs


def distances(root: Path, nodes: list[DescribedNode]) -> list[list[int]]:
    """The table; empty if the nodes do not say.

    Raises:
        MachineError: a row has not one number for each node.
    """
    rows = []
    for node in nodes:
        path = root / SYSTEM / "node" / f"node{node.number}" / "distance"
        words = text(path, missing="").split()
        if not words:
            return []
        if len(words) != len(nodes):
            raise MachineError(f"{path}: {len(words)} numbers for {len(nodes)} nodes")
        rows.append([number_of(path, word) for word in words])
    return rows


# -- CPUs ----------------------------------------------------------------------------


def cpu_numbers(root: Path, notes: list[str]) -> list[int]:
    """The CPUs that are shown, in order; a model's have no gaps."""
    directory = root / SYSTEM / "cpu"
    found = set(numbered(directory, "cpu"))
    online = text(directory / "online", missing="")
    if found and online:
        running = set(cpu_set(directory / "online", online))
        stopped = sorted(found - running)
        if stopped:
            notes.append(f"CPUs that do not run are left out: {stopped}.")
        found &= running
    if not found:
        nodes = root / SYSTEM / "node"
        for nid in numbered(nodes, "node"):
            found.update(node_cpus(nodes / f"node{nid}"))
    cpus = sorted(found)
    if cpus and cpus != list(range(len(cpus))):
        notes.append(f"CPUs are numbered anew from 0: they were {cpus}.")
    return cpus


def shared(root: Path, names: tuple[str, ...], cpus: list[int]) -> Groups:
    """Which CPUs share something; empty if the machine does not say of each.

    Raises:
        MachineError: two sets overlap.
    """
    place = {cpu: at for at, cpu in enumerate(cpus)}
    groups: dict[tuple[int, ...], None] = {}
    for cpu in cpus:
        mates = mates_of(root / SYSTEM / "cpu" / f"cpu{cpu}" / "topology", names)
        if not mates:
            return []
        groups[tuple(sorted(place[mate] for mate in mates if mate in place))] = None
    members = [cpu for group in groups for cpu in group]
    if sorted(members) != list(range(len(cpus))):
        raise MachineError(f"cpu*/topology/{names[0]}: a CPU is in none or two of them")
    return list(groups)


def mates_of(topology: Path, names: tuple[str, ...]) -> list[int]:
    """The set that one of the files has, as a list or as a mask."""
    for name in names:
        listed = text(topology / f"{name}_list", missing="")
        if listed:
            return cpu_set(topology / f"{name}_list", listed)
        mask = text(topology / name, missing="")
        if mask:
            return bit_mask(topology / name, mask)
    return []


def swap_of(root: Path) -> int | None:
    """Bytes of swap, if proc/meminfo is there; it leaves out the area's first page."""
    found = re.search(
        r"^SwapTotal: *([0-9]+) kB$", text(root / "proc/meminfo", missing=""), re.M
    )
    if not found:
        return None
    kilobytes = int(found[1])
    return (kilobytes + 4) * 1024 if kilobytes else 0
