"""CPUs and sets of numbers, as the kernel prints them; no file of its own.

Unless the machine file says otherwise, the CPUs of a node are one package and one
die, and a core is one CPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount

Groups = tuple[tuple[int, ...], ...]


def node_of_cpu(mount: Mount, cpu: int) -> int:
    """The node that a CPU is on."""
    return next(n.nid for n in mount.machine.nodes.values() if cpu in n.cpus)


def _group(groups: Groups, cpu: int) -> tuple[int, ...]:
    return next(group for group in groups if cpu in group)


def _number(groups: Groups, of: Iterable[int], cpu: int) -> int:
    """Which of the groups that have a CPU in common with `of` the CPU is in."""
    around = set(of)
    there = [group for group in groups if around.intersection(group)]
    return there.index(_group(groups, cpu))


def siblings(mount: Mount, cpu: int) -> list[int]:
    """The CPUs of its package, itself included."""
    return sorted(_group(mount.machine.layout.packages, cpu))


def die_mates(mount: Mount, cpu: int) -> list[int]:
    """The CPUs of its die, itself included."""
    return sorted(_group(mount.machine.layout.dies, cpu))


def core_mates(mount: Mount, cpu: int) -> list[int]:
    """The CPUs of its core, itself included."""
    return sorted(_group(mount.machine.layout.cores, cpu))


def package_of(mount: Mount, cpu: int) -> int:
    """The number of its package."""
    packages = mount.machine.layout.packages
    return packages.index(_group(packages, cpu))


def die_of(mount: Mount, cpu: int) -> int:
    """The number of its die in the package."""
    return _number(mount.machine.layout.dies, siblings(mount, cpu), cpu)


def core_of(mount: Mount, cpu: int) -> int:
    """The number of its core in the package."""
    return _number(mount.machine.layout.cores, siblings(mount, cpu), cpu)


def as_list(numbers: Iterable[int]) -> str:
    """``0-1,3``; nothing for an empty set.

    Source: lib/vsprintf.c bitmap_list_string(), Linux 6.1.
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def as_mask(numbers: Iterable[int], width: int) -> str:
    """``ff`` or ``1,00000003``: words of 32 bits, as wide as there can be members.

    Source: lib/vsprintf.c bitmap_string(), Linux 6.1.
    """
    bits = sum(1 << number for number in numbers)
    words = []
    for low in range(0, max(width, 1), 32):
        digits = -(-min(32, width - low) // 4)
        words.append(f"{bits >> low & 0xFFFFFFFF:0{digits}x}")
    return ",".join(reversed(words))
