"""Import from a copy of sys/."""

from __future__ import annotations

import pytest
from fakesys import MACHINES, FakeSys, put

from memfs.machines.description import MachineError
from memfs.machines.source import import_text
from memfs.vm import Layout, Machine

pytestmark = pytest.mark.python


def imported(root) -> Layout:
    return Layout.parse(import_text(str(root)))


def blocks_of(machine: Machine) -> dict[int, tuple[str, str, str, int]]:
    """What lsmem would look at, by number."""
    found = {}
    for number in machine.blocks:
        block = machine.blocks.get(number)
        zones = " ".join(machine.blocks.valid_zones(block))
        found[number] = (block.state, f"{block.removable:d}", zones, block.nid)
    return found


def files_of(fake: FakeSys) -> dict[int, tuple[str, str, str, int]]:
    """The same from the files."""
    found = {}
    for path in (fake.system / "memory").glob("memory[0-9]*"):
        texts = [
            (path / name).read_text().strip()
            for name in ("state", "removable", "valid_zones")
        ]
        [node] = path.glob("node*")
        found[int(path.name[6:])] = (*texts, int(node.name[4:]))
    return dict(sorted(found.items()))


@pytest.mark.parametrize("name", ["pc", "mainframe", "apple", "server"])
def test_a_machine_is_as_its_files_say(tmp_path, name):
    """Every block: number, state, removable, zones, node; and it is sound."""
    fake = MACHINES[name](tmp_path)
    with Machine(imported(tmp_path)) as machine:
        assert blocks_of(machine) == files_of(fake)
        assert machine.sched.run(machine.validate()) == []


def test_nodes_cpus_distances_and_managed_pages(tmp_path):
    """Numbers, CPUs, cores and packages of the server."""
    MACHINES["server"](tmp_path)
    layout = imported(tmp_path)

    assert [node.nid for node in layout.nodes] == [0, 8, 16]
    assert [node.cpus for node in layout.nodes] == [(0, 1, 2, 3), (4, 5, 6, 7), ()]
    assert (layout.distances[0][8], layout.distances[16][8]) == (40, 80)
    assert layout.cores == ((0, 1), (2, 3), (4, 5), (6, 7))
    assert layout.packages == ((0, 1, 2, 3), (4, 5, 6, 7))
    with Machine(layout) as machine:
        assert machine.snapshot().nodes[0].sums.managed == (3 << 20) // 4


def test_a_machine_without_node_and_cpu(tmp_path):
    """One node, one CPU; zones by the kernel's rule."""
    MACHINES["bare"](tmp_path)
    layout = imported(tmp_path)

    with Machine(layout) as machine:
        assert [zone.label for zone in machine.zones.values()] == ["DMA32[1]"]
        assert list(machine.blocks) == [0, 1, 2, 3]


def test_zoneinfo_says_which_pages_are_managed_and_where_a_hole_is(tmp_path):
    """By zone; a hole of whole 8 MiB is taken out of the block that has one."""
    fake = MACHINES["pc"](tmp_path)
    put(
        fake.root / "proc/zoneinfo",
        "Node 0, zone      DMA\n  pages free     1\n        present  4096\n"
        "        managed  3840\nNode 0, zone   Normal\n        present  3405824\n"
        "        managed  3400000\n",
    )
    text = import_text(str(tmp_path))

    assert "managed = { DMA = 3840, Normal = 3400000 }" in text
    assert (
        '{ first = 135, zones = "none", removable = false, parts = { Normal = 30720 } }'
        in text
    )


def test_cpus_with_gaps_are_numbered_anew_and_it_is_said(tmp_path):
    """CPU 1 does not run."""
    fake = FakeSys(tmp_path).blocks(range(2)).node(0, "0,2")
    for cpu in (0, 1, 2):
        fake.cpu(cpu, f"{cpu}", "0,2")
    put(fake.system / "cpu/online", "0,2\n")
    text = import_text(str(tmp_path))

    assert "do not run are left out: [1]" in text
    assert "numbered anew" in text
    assert Layout.parse(text).cpus == 2


def test_masks_are_read_where_there_are_no_lists(tmp_path):
    """As older trees have them."""
    fake = FakeSys(tmp_path).blocks(range(2))
    for cpu in range(2):
        put(
            fake.system / f"cpu/cpu{cpu}/topology/thread_siblings",
            "00000000,00000003\n",
        )
    put(fake.system / "node/node0/cpumap", "3\n")

    assert imported(tmp_path).cores == ((0, 1),)


def test_high_memory_makes_it_a_kernel_of_2004(tmp_path):
    """There are no 6.1 zones of that name."""
    fake = FakeSys(tmp_path, "800000").node(0).node(1, distance="10 20")
    put(fake.system / "node/node0/distance", "10 20\n")
    put(fake.system / "node/node1/distance", "20 10\n")
    fake.blocks(range(2), "DMA", removable="0").blocks(range(2, 9), removable="0")
    fake.blocks(range(9, 12), "HighMem", node=1)
    layout = imported(tmp_path)

    assert layout.kernel == "2.6.7"
    assert [node.removable for node in layout.nodes] == [False, True]


def test_a_disabled_node_is_disabled(tmp_path):
    """All its blocks are going offline."""
    fake = FakeSys(tmp_path).node(0, distance="10 20").node(1, distance="20 10")
    fake.blocks(range(2)).blocks(range(2, 4), state="going-offline", node=1)
    layout = imported(tmp_path)

    assert not layout.nodes[1].enabled
    with Machine(layout) as machine:
        assert machine.blocks.get(2).state == "going-offline"


def test_what_is_not_there_is_said(tmp_path):
    """Notes are comments of the file."""
    fake = FakeSys(tmp_path).blocks([0]).blocks([1], state=None).node(0)
    (fake.system / "memory/memory0/node3").symlink_to("../../node/node3")
    put(fake.system / "node/possible", "0-1\n")
    put(fake.system / "node/node0/meminfo", "Node 0 MemTotal: 999999 kB\n")
    text = import_text(str(tmp_path))

    for what in (
        "memory1 has no state",
        "memory0 is on node 3 too",
        "empty, of whatever size: [1]",
        "249999 managed pages",
    ):
        assert what in text.replace("\n# ", " ")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        (
            "memory/block_size_bytes",
            "128M",
            "hexadecimal number is expected, not '128M'",
        ),
        ("memory/block_size_bytes", "3000000", "a power of two"),
        ("memory/block_size_bytes", "100000", "a power of two of 800000 or more"),
        ("memory/memory0/state", "on", "'on' is none of online"),
        ("memory/memory0/removable", "yes", "'yes' is neither 0 nor 1"),
        ("memory/memory0/valid_zones", "Odd", "'Odd': zones of Linux 6.1 are DMA"),
        ("node/node0/distance", "10 20", "2 numbers for 1 nodes"),
        ("node/node0/distance", "ten", "a number is expected, not 'ten'"),
        ("node/node0/cpulist", "3-1", "'3-1' is no range"),
    ],
)
def test_a_file_that_linux_would_not_write_is_named(tmp_path, name, content, what):
    """What was found, and what is expected."""
    fake = FakeSys(tmp_path).blocks(range(2)).node(0)
    put(fake.system / name, content)

    with pytest.raises(MachineError, match=what) as caught:
        import_text(str(tmp_path))
    assert name.rpartition("/")[2] in str(caught.value)


def test_a_directory_without_sys_or_without_blocks_is_refused(tmp_path):
    """And a machine of which more is online than a model can have."""
    with pytest.raises(MachineError, match="there is no sys/devices/system/memory"):
        import_text(str(tmp_path))
    FakeSys(tmp_path)
    with pytest.raises(MachineError, match="no memory block"):
        import_text(str(tmp_path))
    FakeSys(tmp_path / "5t", "80000000").blocks(range(2560))
    with pytest.raises(MachineError, match="5120 GiB are online, of which 1024"):
        import_text(str(tmp_path / "5t"))


def test_the_name_and_the_notes_cannot_break_the_file(tmp_path):
    """Whatever the directory is called."""
    root = tmp_path / 'a"b\\c\n[x]'
    FakeSys(root).blocks(range(2))

    assert Layout.parse(import_text(str(root))).pages == 65536
    assert Layout.parse(import_text(str(root), name='"\n')).nodes
