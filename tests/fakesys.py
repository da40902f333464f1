"""A copy of sys/ as real machines have it, made for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SYSTEM = "sys/devices/system"
HEX_128M, HEX_256M = "8000000", "10000000"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class FakeSys:
    """The directory that contains sys/; blocks, nodes and CPUs are added to it."""

    def __init__(self, root: Path, block: str = HEX_128M) -> None:
        self.root = root
        self.system = root / SYSTEM
        put(self.system / "memory/block_size_bytes", f"{block}\n")

    def blocks(
        self,
        numbers: Iterable[int],
        zones: str | None = "Normal",
        state: str | None = "online",
        removable: str | None = "1",
        node: int | None = 0,
    ) -> FakeSys:
        for number in numbers:
            block = self.system / f"memory/memory{number}"
            block.mkdir(parents=True)
            for name, text in (
                ("valid_zones", zones),
                ("state", state),
                ("removable", removable),
            ):
                if text is not None:
                    put(block / name, f"{text}\n")
            put(block / "phys_index", f"{number:08x}\n")
            if node is not None:
                (block / f"node{node}").symlink_to(f"../../node/node{node}")
        return self

    def node(
        self, number: int, cpus: str = "", distance: str = "10", mem_total: int = 0
    ) -> FakeSys:
        node = self.system / f"node/node{number}"
        put(node / "cpulist", f"{cpus}\n")
        put(node / "distance", f"{distance}\n")
        if mem_total:
            put(node / "meminfo", f"Node {number} MemTotal:  {mem_total} kB\n")
        return self

    def cpu(self, number: int, core: str, package: str) -> FakeSys:
        topology = self.system / f"cpu/cpu{number}/topology"
        put(topology / "thread_siblings_list", f"{core}\n")
        put(topology / "core_siblings_list", f"{package}\n")
        return self


def pc(root: Path) -> FakeSys:
    """16 GiB before blocks were removable by default; a hole below 4 GiB."""
    machine = FakeSys(root).node(0, "0-3")
    machine.blocks([0], "none", removable="0")
    machine.blocks(range(1, 7), "DMA32").blocks([7], "DMA32", removable="0")
    machine.blocks(range(8, 24), "DMA32").blocks(range(32, 53), removable="0")
    machine.blocks(range(53, 135)).blocks([135], "none", removable="0")
    return machine


def mainframe(root: Path) -> FakeSys:
    """Standby memory, and zones that an online block could change to."""
    machine = FakeSys(root, HEX_256M).node(0, "0-1")
    machine.blocks(range(7), "DMA").blocks([7], "DMA Normal", removable="0")
    machine.blocks(range(8, 14)).blocks([14], state="offline")
    machine.blocks([15, 16], removable="0").blocks(
        [17], "Normal Movable", removable="0"
    )
    machine.blocks([18], "Movable Normal").blocks([19], "Movable")
    machine.blocks(range(20, 24), "Movable", state="offline", removable="0")
    return machine


def apple(root: Path) -> FakeSys:
    """First block 8192; lsmem has no zones where there is no block 0."""
    machine = FakeSys(root).node(0, "0-7")
    return machine.blocks(range(8192, 8317), "DMA").blocks([8319], "DMA")


def bare(root: Path) -> FakeSys:
    """No node/, no cpu/, no valid_zones."""
    return FakeSys(root).blocks(range(4), zones=None, removable=None, node=None)


def server(root: Path) -> FakeSys:
    """Nodes 0, 8 and 16 with blocks in turns; node 8 has no memory, 16 no CPUs."""
    machine = FakeSys(root, HEX_256M)
    machine.node(0, "0-3", "10 40 80", mem_total=3 << 20)
    machine.node(8, "4-7", "40 10 80").node(16, "", "80 80 10")
    machine.blocks(range(8), node=0).blocks(range(8, 12), node=16)
    machine.blocks(range(12, 16), node=0)
    machine.blocks(range(16, 20), "Normal Movable", "offline", node=16)
    for first in (0, 4):
        for cpu in range(first, first + 4):
            low = cpu // 2 * 2
            machine.cpu(cpu, f"{low}-{low + 1}", f"{first}-{first + 3}")
    return machine


MACHINES = {f.__name__: f for f in (pc, mainframe, apple, bare, server)}
