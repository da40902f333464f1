"""``sys/devices/system/node``: which nodes there are, and each one's figures.

Source: drivers/base/node.c, Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from memfs.files.cpus import as_list, as_mask
from memfs.files.proc.meminfo import KB_PER_PAGE, lists
from memfs.files.vmstat import numa

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Sums
    from memfs.vm.zones import Node

# (column of the name, value in pages) of each line after Mlocked.
HUGE_LINES: Final = ("Total", "Free", "Surp")


def plugged(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """Numbers of the nodes that are there."""
    return [node.nid for node in mount.machine.nodes.values() if node.plugged]


def _nodes(mount: Mount) -> Iterable[Node]:
    return (node for node in mount.machine.nodes.values() if node.plugged)


def online(mount: Mount) -> Iterable[int]:
    """Nodes that are there."""
    return (node.nid for node in _nodes(mount))


def possible(mount: Mount) -> Iterable[int]:
    """Slots, the empty ones included."""
    return mount.machine.nodes


def has_cpu(mount: Mount) -> Iterable[int]:
    """Nodes with a CPU."""
    return (node.nid for node in _nodes(mount) if node.cpus)


def has_memory(mount: Mount) -> Iterable[int]:
    """Nodes with pages."""
    return (n.nid for n in _nodes(mount) if any(z.present for z in n.zones))


def has_normal_memory(mount: Mount) -> Iterable[int]:
    """Nodes with pages that the kernel can use for itself."""
    top = mount.machine.rules.kernel_type
    return (
        n.nid
        for n in _nodes(mount)
        if any(z.present and z.type <= top for z in n.zones)
    )


def listed(numbers: Callable[[Mount], Iterable[int]]) -> Callable[[Mount], str]:
    """The file that lists a set."""
    return lambda mount: as_list(numbers(mount)) + "\n"


def fields(sums: Sums) -> dict[str, int]:
    """Every line of meminfo that counts kB: its name and its value in pages."""
    return {
        "MemTotal": sums.managed,
        "MemFree": sums.free,
        "MemUsed": sums.managed - sums.free,
        "SwapCached": sums.swapcache,
        **lists(sums),
        "Dirty": sums.dirty,
        "Writeback": sums.writeback,
        "FilePages": sums.file + sums.swapcache,
        "Mapped": sums.mapped,
        "AnonPages": sums.anon_mapped,
        "Shmem": sums.shmem,
        "KernelStack": 0,
        "PageTables": sums.page_tables,
        "SecPageTables": 0,
        "NFS_Unstable": 0,
        "Bounce": 0,
        "WritebackTmp": 0,
        "KReclaimable": sums.slab,
        "Slab": sums.slab,
        "SReclaimable": sums.slab,
        "SUnreclaim": 0,
        "AnonHugePages": 0,
        "ShmemHugePages": 0,
        "ShmemPmdMapped": 0,
        "FileHugePages": 0,
        "FilePmdMapped": 0,
    }


# Two names that the kernel pads one column less than the others.
SHORT_PAD: Final = ("FileHugePages", "FilePmdMapped")


def render_meminfo(mount: Mount, nid: int) -> str:
    lines = []
    for name, pages in fields(mount.node(nid).sums).items():
        width = 22 if name in SHORT_PAD else 23
        head = f"Node {nid} {name}:"
        gap = width - len(f"Node 0 {name}:")
        lines.append(f"{head}{' ' * gap}{pages * KB_PER_PAGE:8} kB\n")
    huge = mount.machine.hugetlb.figures(nid)
    counts = huge.total, huge.free, huge.surplus
    for name, pages in zip(HUGE_LINES, counts, strict=True):
        lines.append(f"Node {nid} {f'HugePages_{name}:':<16}{pages:6}\n")
    return "".join(lines)


def render_numastat(mount: Mount, nid: int) -> str:
    values = numa(mount.node(nid).sums)
    return "".join(f"{name} {pages}\n" for name, pages in values.items())


def render_distance(mount: Mount, nid: int) -> str:
    row = mount.machine.nodes[nid].distances
    return " ".join(str(row[other]) for other in online(mount)) + "\n"


def render_cpumap(mount: Mount, nid: int) -> str:
    machine = mount.machine
    return as_mask(machine.nodes[nid].cpus, machine.layout.cpus) + "\n"


def render_cpulist(mount: Mount, nid: int) -> str:
    return as_list(mount.machine.nodes[nid].cpus) + "\n"


def cpus_of(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """CPUs of the node around."""
    return mount.machine.nodes[ids[-1]].cpus


def blocks_of(mount: Mount, ids: tuple[int, ...]) -> Collection[int]:
    """Memory blocks of the node around."""
    return mount.machine.blocks.on_node(ids[-1])
