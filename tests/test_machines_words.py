"""Import from hwloc's synthetic form and from QEMU's arguments."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from memfs.machines.description import MachineError
from memfs.machines.source import import_text
from memfs.vm import Layout, Machine


def imported(text: str) -> Layout:
    layout = Layout.parse(import_text(text))
    with Machine(layout) as machine:
        assert machine.zones
    return layout


def managed(layout: Layout) -> list[int]:
    """KiB of each node."""
    with Machine(layout) as machine:
        sums = machine.snapshot().nodes
        return [sums[node.nid].sums.managed * 4 for node in layout.nodes]


# hwloc


def test_the_example_of_the_help():
    """Two packages of four cores of two threads; GB are powers of ten."""
    layout = imported("pack:2 [numa(memory=64GB)] core:4 pu:2")

    assert layout.cpus == 16
    assert [node.cpus for node in layout.nodes] == [
        tuple(range(8)),
        tuple(range(8, 16)),
    ]
    assert layout.packages == tuple(node.cpus for node in layout.nodes)
    assert layout.cores[:2] == ((0, 1), (2, 3))
    assert managed(layout) == [62500000, 62500000]


SYNTHETIC = [
    "pack:2 [numa(memory=64GB)] core:4 pu:2",
    "pu:3",
    "2",
    "4 2",
    "2 2 2",
    "2 2 2 2",
    "2 2 2 2 2 2",
    "node:2 core:2 pu:2",
    "numa:2(memory=2000000000) core:2 pu:2",
    "[numa] pack:2 [numa(memory=1GiB)] core:2 l2:1 pu:1",
    "pack:2 core:2 pu:2(indexes=core:pack)",
    "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)",
    "pack:2 core:2 pu:2(indexes=2*2:4*2:1*2)",
    "group:2 pack:2 [numa(memory=1GB indexes=3,1,2,0)] core:1 pu:1",
    "pack:2 die:2 [numa(memory=256MB)] L3Cache:1(size=16MB) core:1 1",
    "Package:2 [NUMANode(memory=1073741824)] Core:2 PU:2",
]


def lstopo(text: str) -> list[tuple[str, int, int]]:
    """Type, number and bytes of hwloc's own objects."""
    done = subprocess.run(
        ["lstopo-no-graphics", "-i", text, "--of", "xml", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for line in done.stdout.splitlines():
        attrs = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if "<object" in line and attrs["type"] in ("NUMANode", "PU"):
            memory = int(attrs.get("local_memory", 0))
            found.append((attrs["type"], int(attrs["os_index"]), memory))
    return sorted(found)


@pytest.mark.parametrize("text", SYNTHETIC)
def test_nodes_and_cpus_are_those_of_lstopo(text):
    """Numbers and memory; hwloc itself is asked."""
    if shutil.which("lstopo-no-graphics") is None:
        pytest.skip("lstopo-no-graphics is not installed (package hwloc-nox)")
    layout = imported(text)
    mine = [("PU", cpu, 0) for cpu in range(layout.cpus)]
    sizes = zip(layout.nodes, managed(layout), strict=True)
    mine += [("NUMANode", node.nid, kib) for node, kib in sizes]

    theirs = [(kind, number, memory >> 10) for kind, number, memory in lstopo(text)]
    assert sorted(mine) == [(k, n, m // 4 * 4) for k, n, m in theirs]


def test_caches_are_left_out_and_it_is_said():
    """In a comment."""
    assert "# Left out, there are no caches in a model: l2." in import_text("l2:2 pu:1")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("pack:2 core", "not 'core'"),
        ("pack:0 pu:1", "at least one of each"),
        ("pack:2 core:2", "the last level is pu, not core"),
        ("pack:2 2 pu:2", "some levels have a type and some have none"),
        ("pack:2 pack:2 pu:1", "package is there twice"),
        ("bogus:2 pu:1", "unknown type 'bogus'; there are machine"),
        ("pack:2 [core] pu:1", "only NUMA nodes are attached"),
        ("pack:2(speed=3) pu:1", "unknown attribute 'speed=3'"),
        ("pack:2 [numa(memory=64XB)] pu:1", "memory=64XB: a size like 64GB"),
        ("numa:2 [numa] pu:1", "a level or attached, not both"),
        ("pu:4(indexes=0,1,2,2)", "4 different numbers"),
        ("pu:4(indexes=0,1,2,9)", "PU 9 of 4"),
        ("pu:4(indexes=3*2)", "loops over 2 of 4|4 different numbers"),
        ("core:2 pu:2(indexes=pack)", "no level package above"),
        ("pu:999999", "at most 4096"),
        ("[numa(memory=2TiB)] pu:1", "cannot be modelled"),
        ("1 1 1 1 1 1 1 1 1", "at most 8 levels"),
    ],
)
def test_bad_synthetic_forms_say_what_was_found(text, what):
    """And what is expected."""
    with pytest.raises(MachineError, match=what):
        import_text(text)


# QEMU


def test_nodes_backends_and_distances_of_qemu():
    """Node after node, with the hole below 4 GiB of a PC."""
    layout = imported(
        "qemu-system-x86_64 -m 4G -smp 4 -object memory-backend-ram,id=m0,size=1G "
        "-object memory-backend-ram,id=m1,size=3G -numa node,cpus=0-1,memdev=m0 "
        "-numa node,cpus=2,cpus=3,memdev=m1 -numa dist,src=0,dst=1,val=21"
    )

    assert [node.cpus for node in layout.nodes] == [(0, 1), (2, 3)]
    assert layout.distances == ((10, 21), (21, 10))
    runs = [(run.first, run.last, run.zones) for run in layout.nodes[1].runs]
    assert runs == [(8, 23, "DMA32"), (32, 39, "Normal")]


@pytest.mark.parametrize(
    ("board", "blocks"),
    [
        ("pc", (0, 23, 39)),
        ("q35", (0, 15, 47)),
        ("virt", (8, 31, 39)),
        ("pc-q35-8.2", (0, 15, 47)),
    ],
)
def test_memory_lies_where_the_board_has_it(board, blocks):
    """First block, last below 4 GiB, last of all, of 4 GiB."""
    layout = imported(f"-M {board} -m 4096")
    numbers = [
        n for run in layout.nodes[0].runs for n in range(run.first, run.last + 1)
    ]

    assert (numbers[0], max(n for n in numbers if n < 32), numbers[-1]) == blocks
    assert len(numbers) == 32


def test_dimms_are_blocks_that_are_offline():
    """Behind the memory, on their node, which may have no other."""
    layout = imported(
        "-M q35 -m 2G,slots=4,maxmem=16G -smp 2,maxcpus=4 -numa node,mem=2G "
        "-numa node,cpus=3 -object memory-backend-ram,id=d1,size=1G "
        "-object memory-backend-ram,id=d2,size=512M "
        "-device pc-dimm,memdev=d1,node=1 "
        "-device pc-dimm,memdev=d2,node=1,addr=0x200000000"
    )

    runs = [(run.first, run.last, run.state) for run in layout.nodes[1].runs]
    assert runs == [(32, 39, "offline"), (64, 67, "offline")]
    assert layout.nodes[1].cpus == ()


@pytest.mark.parametrize(
    ("smp", "packages", "cores"),
    [
        ("4", 1, 4),
        ("8,sockets=2,threads=2", 2, 4),
        ("cpus=8,sockets=2,dies=2,cores=2", 2, 8),
        ("sockets=2,cores=3", 2, 6),
        ("2,maxcpus=8,cores=4", 1, 2),
    ],
)
def test_smp_is_filled_up_as_qemu_does(smp, packages, cores):
    """Cores before sockets; CPUs that are not there yet are not shown."""
    layout = imported(f"-smp {smp}")

    assert (len(layout.packages), len(layout.cores)) == (packages, cores)


def test_cpus_by_property_and_sockets_in_turn():
    """-numa cpu; and what QEMU does when nobody says."""
    by_row = imported(
        "-m 1G -smp 4,sockets=2,cores=2 -numa node,mem=512M -numa node,mem=512M "
        "-numa cpu,node-id=1,socket-id=0 -numa cpu,node-id=0,socket-id=1"
    )
    in_turn = imported("-m 1G -smp 4,sockets=2,cores=2 -numa node -numa node")

    assert [node.cpus for node in by_row.nodes] == [(2, 3), (0, 1)]
    assert [node.cpus for node in in_turn.nodes] == [(0, 1), (2, 3)]


def test_what_has_no_part_in_it_is_listed():
    """Options, and keys that change nothing here."""
    text = import_text(
        "-m 512M -nographic -drive file=x.img,if=virtio --enable-kvm "
        "-object memory-backend-file,id=m,size=512M,mem-path=/dev/shm,share=on "
        "-object rng-random,id=r -device virtio-net-pci -numa node,memdev=m"
    )
    plain = text.replace("\n# ", " ")

    for what in (
        "-nographic",
        "-drive file=x.img",
        "-enable-kvm",
        "mem-path=/dev/shm",
        "share=on",
        "rng-random",
        "virtio-net-pci",
    ):
        assert what in plain


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-m 4X", "size=4X: a size like 4G"),
        ("-m 4G,color=red", "-m: unknown key 'color'; there are size, slots, maxmem"),
        ("-m 4G,maxmem=2G", "maxmem=2G is below"),
        ("-m 4G -numa node,foo=1", "unknown key 'foo'; there are nodeid"),
        (
            "-m 4G -numa node,mem=3G",
            "-m says 4294967296 bytes, the nodes have 3221225472",
        ),
        (
            "-m 4G -numa node,memdev=a",
            "memdev=a: there is no such -object; there are none",
        ),
        ("-m 4G -numa node,nodeid=1 -numa node,nodeid=1", "nodeid=1 is there twice"),
        ("-m 4G -numa node,nodeid=x", "nodeid=x: a number"),
        ("-m 4G -numa node,cpus=7", "cpus=7 of 1"),
        ("-m 4G -numa node -numa dist,src=0,dst=5,val=20", "there is no node 5"),
        ("-m 4G -numa node -numa dist,src=0,dst=0,val=20", "20 from itself"),
        ("-m 4G -numa node -numa dist,src=0", "dst=: a number"),
        ("-m 4G -numa thing", "-numa thing: node, dist or cpu"),
        ("-m 4G -numa node -numa cpu,socket-id=0", "node-id is missing"),
        ("-m 4G -numa node -numa cpu,node-id=0,socket-id=9", "no CPU has"),
        ("-m 4G -smp 5,sockets=2,cores=2", "are not 5 CPUs"),
        ("-m 4G -smp 4,speed=1", "-smp: unknown key 'speed'"),
        ("-m 4G -machine vax", "no machine 'vax' is known; there are pc"),
        ("-m 4G -object memory-backend-ram,id=a", "size is missing"),
        ("-m 4G -device pc-dimm,node=0", "memdev is missing"),
        ("-m 7M", "no multiple"),
        ("-m 4G stray", "an option like -m is expected, not 'stray'"),
        ("-m '4G", "QEMU's arguments: No closing quotation"),
        ("-m 2T", "cannot be modelled"),
    ],
)
def test_bad_arguments_say_what_was_found(text, what):
    """And what is expected."""
    with pytest.raises(MachineError, match=re.escape(what).replace(r"\ ", " ")):
        import_text(text)


def test_something_else_names_the_three_forms():
    """A directory that is not there among it."""
    for text in ("nonsense", "/nowhere", ""):
        with pytest.raises(MachineError, match="neither a directory with sys/, hwloc"):
            import_text(text)
