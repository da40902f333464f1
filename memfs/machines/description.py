"""What is known of a machine from outside, whoever said it; the error they raise."""

from __future__ import annotations

from dataclasses import dataclass, field

from memfs.vm.layoutspec import BlockRun

PAGE_SIZE = 4096
SECTION = 2048  # pages: parts of blocks are multiples of it
Groups = list[tuple[int, ...]]


class MachineError(Exception):
    """A description that makes no sense: what was asked, and what was found."""


@dataclass
class DescribedNode:
    """A node.

    Attributes:
        size, start: bytes, of one whose blocks are not known.
        managed: pages by zone; the zone is empty for the whole node.
        removable: None, as a machine file has it by default.
    """

    number: int
    cpus: tuple[int, ...] = ()
    runs: list[BlockRun] | None = None
    size: int = 0
    start: int | None = None
    managed: dict[str, int] = field(default_factory=dict)
    removable: bool | None = None
    enabled: bool = True


@dataclass
class Description:
    """A machine.

    Attributes:
        block: bytes.
        swap: bytes; None: as a machine file has it by default.
        notes: what could not be taken over as it was, a sentence each.
    """

    name: str
    kernel: str
    block: int
    nodes: list[DescribedNode]
    cpus: int = 1
    packages: Groups = field(default_factory=list)
    dies: Groups = field(default_factory=list)
    cores: Groups = field(default_factory=list)
    distances: list[list[int]] = field(default_factory=list)
    swap: int | None = None
    notes: list[str] = field(default_factory=list)


def cpu_list(numbers: tuple[int, ...] | list[int]) -> str:
    """``0-1,3``, as the kernel lists a set."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def fitted(nodes: list[DescribedNode], block: int) -> None:
    """Round sizes up to blocks; what a node gets too much is not managed."""
    for node in nodes:
        pages, rest = node.size // PAGE_SIZE, node.size % block
        if rest:
            node.size += block - rest
            node.managed = {"": pages}
