"""``sys/devices/system/cpu``: the CPUs and how they lie together.

Source: drivers/base/cpu.c, drivers/base/topology.c, Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from memfs.files.cpus import (
    as_list,
    as_mask,
    core_of,
    die_of,
    node_of_cpu,
    package_of,
)
from memfs.vm.layoutvalues import MAX_CPUS

if TYPE_CHECKING:
    from memfs.mount import Mount


def all_cpus(mount: Mount, ids: tuple[int, ...] = ()) -> Collection[int]:
    """Every CPU."""
    return range(mount.machine.layout.cpus)


def nodes_of(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """The node of the CPU around."""
    return (node_of_cpu(mount, ids[-1]),)


def render_all(mount: Mount) -> str:
    return as_list(all_cpus(mount)) + "\n"


def render_none(mount: Mount) -> str:
    return "\n"


def render_kernel_max(mount: Mount) -> str:
    return f"{MAX_CPUS - 1}\n"


def render_online(mount: Mount, cpu: int) -> str:
    return "1\n"


def render_package(mount: Mount, cpu: int) -> str:
    return f"{package_of(mount, cpu)}\n"


def render_core(mount: Mount, cpu: int) -> str:
    return f"{core_of(mount, cpu)}\n"


def render_die(mount: Mount, cpu: int) -> str:
    return f"{die_of(mount, cpu)}\n"


def mask(
    members: Callable[[Mount, int], Collection[int]],
) -> Callable[[Mount, int], str]:
    """The file that shows a set of CPUs as a mask."""
    return lambda mount, cpu: (
        as_mask(members(mount, cpu), mount.machine.layout.cpus) + "\n"
    )


def numbers(
    members: Callable[[Mount, int], Collection[int]],
) -> Callable[[Mount, int], str]:
    """The file that lists a set of CPUs."""
    return lambda mount, cpu: as_list(members(mount, cpu)) + "\n"
