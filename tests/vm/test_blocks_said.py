"""Machines whose blocks, node numbers and places are said outright."""

from __future__ import annotations

import pytest

from memfs.vm import Layout, LayoutError, Machine, VmError
from memfs.vm.addresses import AddressMap, Piece, Range, fit

GALLERY = ["5t", "arm16k", "cxl", "holes", "memoryless", "power", "s390"]
HEAD = 'kernel = "6.1"\nblock = "8M"\n[[node]]\n'
SIZE = 2048


def machine(blocks: str, more: str = "") -> Machine:
    return Machine(Layout.parse(f"{HEAD}blocks = [{blocks}]\n{more}"))


def numbers(m: Machine) -> list[int]:
    return list(m.blocks)


# Places


def test_addresses_that_fit_are_their_own_places():
    """Block 5 begins at page 5 * 2048."""
    addresses = fit(SIZE, [Range(0, 3), Range(5, 6)], 1 << 28)

    assert addresses == AddressMap(SIZE)
    assert addresses.pfn(5) == 5 * SIZE
    assert addresses.phys(12345) == 12345


def test_a_machine_that_begins_high_is_shifted_down():
    """Its holes stay."""
    addresses = fit(
        SIZE,
        [Range(1 << 20, (1 << 20) + 3), Range((1 << 20) + 9, (1 << 20) + 9)],
        100 * SIZE,
    )

    assert isinstance(addresses, AddressMap)
    assert addresses.pfn((1 << 20) + 9) == 9 * SIZE
    assert addresses.pfn(5) is None
    assert addresses.number(9 * SIZE + 7) == (1 << 20) + 9
    assert addresses.model(addresses.phys(12345)) == 12345


def test_holes_are_left_out_if_need_be_and_offline_blocks_come_last():
    """Of 10 offline blocks the first 4 have a place where 4 are left."""
    ranges = [Range(0, 3), Range(1000, 1009, needed=False), Range(2000, 2001)]
    addresses = fit(SIZE, ranges, 10 * SIZE)

    assert addresses == AddressMap(
        SIZE, (Piece(0, 3, 0), Piece(1000, 1003, 4), Piece(2000, 2001, 8))
    )
    assert addresses.pfn(1003) == 7 * SIZE
    assert addresses.pfn(1004) is None
    assert addresses.end(1000, 1009) == 8 * SIZE
    assert [addresses.number(block * SIZE) for block in (3, 4, 7, 8)] == [
        3,
        1000,
        1003,
        2000,
    ]


def test_more_online_than_there_is_room_says_how_much_is_needed():
    """Eleven blocks of ten."""
    assert fit(SIZE, [Range(0, 9), Range(1000, 1000)], 10 * SIZE) == 11 * SIZE


# Blocks


@pytest.mark.parametrize("name", GALLERY)
def test_a_machine_of_the_gallery_boots_and_is_sound(name):
    """All that are online are there, and every invariant holds."""
    layout = Layout.builtin(name)
    with Machine(layout) as m:
        assert sum(zone.present for zone in m.zones.values()) == layout.pages
        assert (
            len(m.blocks) == sum(run.nr for node in layout.nodes for run in node.runs)
            or not layout.nodes[0].runs
        )
        if name != "5t":
            assert m.sched.run(m.validate()) == []


def test_blocks_are_as_they_are_said():
    """Numbers, states, zones, removable; holes are no blocks."""
    with machine(
        '{first = 3, last = 4, zones = "Normal"},'
        '{first = 6, state = "offline", zones = "Movable Normal", removable = false},'
        '{first = 9, zones = "none", parts = {DMA32 = 2048}},'
        '{first = 11, zones = "Normal Movable"}'
    ) as m:
        assert numbers(m) == [3, 4, 6, 9, 11]
        assert [m.blocks.get(n).state for n in numbers(m)] == [
            "online",
            "online",
            "offline",
            "online",
            "online",
        ]
        shown = [m.blocks.valid_zones(m.blocks.get(n)) for n in numbers(m)]
        assert shown[2:] == [["Movable", "Normal"], ["none"], ["Normal", "Movable"]]
        assert [m.blocks.get(n).removable for n in numbers(m)] == [1, 1, 0, 1, 1]
        assert m.sched.run(m.validate()) == []


def test_what_was_said_holds_until_the_block_changes():
    """An offline block goes to the zone that is named first, and is removable then."""
    with machine(
        '{first = 0, last = 7, zones = "Normal"},'
        '{first = 8, state = "offline", zones = "Movable Normal", removable = false}'
    ) as m:
        m.sched.run(m.block_online(8))

        block = m.blocks.get(8)
        assert [zone.name for zone in block.zones] == ["Movable"]
        assert m.blocks.valid_zones(block) == ["Movable"]
        assert block.removable
        m.sched.run(m.block_offline(8))
        assert m.blocks.valid_zones(block) == ["Normal", "Movable"]
        assert m.sched.run(m.validate()) == []


def test_a_block_that_no_zone_has_whole_cannot_go():
    """As block 0 of a PC."""
    with machine(
        '{first = 0, zones = "none", parts = {DMA = 2048}},'
        '{first = 1, last = 8, zones = "Normal"}'
    ) as m:
        with pytest.raises(VmError) as caught:
            m.sched.run(m.block_offline(0))
        assert caught.value.name == "EINVAL"


def test_every_block_of_a_high_machine_goes_off_and_on():
    """Numbers are those that are shown, also in probe's addresses."""
    with Machine(Layout.builtin("arm16k")) as m:
        m.sched.run(m.block_offline(8319))
        m.sched.run(m.block_offline(8192))
        assert m.blocks.get(8192).state == "offline"
        m.sched.run(m.block_online(8192))
        with pytest.raises(VmError) as caught:
            m.sched.run(m.probe(8192 << 27))
        assert caught.value.name == "EEXIST"
        with pytest.raises(VmError) as caught:
            m.sched.run(m.probe(8317 << 27))
        assert caught.value.name == "EINVAL"
        assert m.sched.run(m.validate()) == []


def test_a_block_without_a_place_answers_enomem():
    """And nothing has changed."""
    with Machine(Layout.builtin("5t")) as m:
        with pytest.raises(VmError) as caught:
            m.sched.run(m.block_online(20487))
        assert caught.value.name == "ENOMEM"
        assert m.blocks.get(20487).state == "offline"
        m.sched.run(m.block_online(1800))


def test_managed_leaves_the_rest_reserved_at_the_end_of_the_largest_extent():
    """By zone, or for the whole node."""
    blocks = '{first = 0, zones = "DMA"}, {first = 2, last = 5, zones = "Normal"}'
    for managed in ('"39M"', "{DMA = 2048, Normal = 7936}"):
        with machine(blocks, f"managed = {managed}") as m:
            zones = [(zone.present, zone.managed) for zone in m.zones.values()]
            assert zones == [(2048, 2048), (8192, 7936)]
            assert m.sched.run(m.validate()) == []
    with pytest.raises(LayoutError, match="managed"):
        machine(blocks, 'managed = "41M"')


def test_nodes_have_the_numbers_that_they_are_given():
    """Zones, zonelists and distances follow; numbers that differ by 64 as well."""
    text = (
        'kernel = "6.1"\ndistances = [[10, 30, 40], [30, 10, 50], [40, 50, 10]]\n'
        '[[node]]\nnumber = 1\nsize = "128M"\n'
        '[[node]]\nnumber = 65\nsize = "128M"\n[[node]]\nnumber = 200\nsize = "128M"\n'
    )
    layout = Layout.parse(text)
    with Machine(layout) as m:
        assert sorted(m.nodes) == [1, 65, 200]
        assert layout.distances[65][200] == 50
        assert [zone.nid for zone in m.zones.values()] == [1, 1, 65, 200]
        assert m.zonelists[200, 0][0] == 200 * 4 + 1
        task = m.tasks.create("hog", pid=1)
        area = task.mmap_anon(300 << 20)
        m.sched.run(task.touch(area, write=True, order="sequential", passes=1))
        assert m.sched.run(m.validate()) == []


def test_a_node_without_memory_allocates_from_the_others():
    """Its CPUs' pages come from the nearest."""
    with Machine(Layout.builtin("memoryless")) as m:
        task = m.tasks.create("hog", pid=1)
        area = task.mmap_anon(8 << 20)
        m.sched.run(task.touch(area, write=True, order="sequential", passes=1))
        assert not m.nodes[0].zones
        assert m.snapshot().nodes[1].sums.anon == 2048
        assert m.sched.run(m.validate()) == []


def test_a_node_of_blocks_is_unplugged_and_plugged():
    """It comes back as the file says."""
    with machine(
        '{first = 0, last = 7, zones = "Normal"}',
        '[[node]]\nblocks = [{first = 20, zones = "Movable"},'
        '{first = 30, state = "offline", zones = "Normal", removable = false}]\n',
    ) as m:
        m.sched.run(m.disable_node(1))
        m.sched.run(m.unplug(1))
        assert numbers(m) == list(range(8))
        m.sched.run(m.plug(1))
        assert numbers(m)[8:] == [20, 30]
        assert m.blocks.get(20).state == "going-offline"
        assert not m.blocks.get(30).removable
        assert m.sched.run(m.validate()) == []


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ("blocks = 1\n", 4, "blocks", "a list"),
        ("blocks = [1]\n", 4, "blocks", "a table"),
        ("blocks = [{last = 1}]\n", 4, "blocks", "first is missing"),
        ("blocks = [{first = 2, last = 1}]\n", 4, "blocks", "below first"),
        ("blocks = [{first = -1}]\n", 4, "blocks.first", "between"),
        ("blocks = [{first = 1, size = 2}]\n", 4, "blocks", "unknown key 'size'"),
        ('blocks = [{first = 1, state = "on"}]\n', 4, "blocks", "not 'on'"),
        ('blocks = [{first = 1, zones = "High"}]\n', 4, "blocks", "no zone 'High'"),
        ("blocks = [{first = 1}, {first = 1}]\n", 4, "blocks", "twice"),
        ("blocks = [{first = 1, parts = {DMA = 9}}]\n", 4, "blocks", "multiples"),
        ("blocks = [{first = 1, parts = {DMA = 4096}}]\n", 4, "blocks", "of 2048"),
        ('size = "8M"\nblocks = []\n', 4, "size", "said by"),
        ("blocks = []\n", 0, "size", "no node has memory"),
        ('blocks = [{first = 1, state = "offline"}]\n', 0, "size", "no node"),
        ('size = "8M"\nnumber = 256\n', 5, "number", "between"),
        ('size = "8M"\n[[node]]\nnumber = 0\nsize = "8M"\n', 6, "number", "above"),
        ('size = "8M"\nmanaged = { Odd = 1 }\n', 5, "managed", "no zone 'Odd'"),
        ('size = "8M"\ncpus = "0-x"\n', 5, "cpus", "a list like"),
        ("blocks = [{first = 0, last = 131072}]\n", 4, "blocks", "1025 GiB"),
    ],
)
def test_a_mistake_names_line_and_key(text, line, key, what):
    """What was asked, and what was found."""
    with pytest.raises(LayoutError, match=what) as caught:
        Layout.parse(HEAD + text)

    assert caught.value.key == key
    assert caught.value.line == (line or 3)


def test_cpus_share_cores_dies_and_packages_as_they_are_said():
    """By default a node is a package and a CPU a core."""
    node = '[[node]]\nsize = "8M"\ncpus = "0-1"\n[[node]]\nsize = "8M"\ncpus = "2-3"\n'
    layout = Layout.parse("cpus = 4\n" + node)
    assert layout.packages == layout.dies == ((0, 1), (2, 3))
    assert layout.cores == ((0,), (1,), (2,), (3,))
    layout = Layout.parse(
        'cpus = 4\npackages = ["0-3"]\ncores = ["0,2", "1,3"]\n' + node
    )
    assert (layout.packages, layout.cores) == (((0, 1, 2, 3),), ((0, 2), (1, 3)))
    assert layout.dies == layout.packages
    with pytest.raises(LayoutError, match="each of 4 CPUs once"):
        Layout.parse('cpus = 4\ncores = ["0-2"]\n' + node)
