"""Memory blocks: the table of states, going offline and online, probe, accounting."""

from __future__ import annotations

import errno

import pytest
from vmkit import MIB, assert_valid, pattern, read, refused, write

from memfs.vm import Layout, Machine, VmError
from memfs.vm.errors import Cancelled

# Block 64 is the first of node 1, 127 would be its own memory map, 128 is in a slot.
NODE1 = 64
SLOT = 2
SLOT_BLOCK = 128
BLOCK = 8 * MIB
BLOCK_61 = 32768  # pages


@pytest.fixture
def old():
    """The announcement's machine: node 1 is hot-removable, two slots are empty."""
    with Machine(Layout.builtin("2004")) as machine:
        yield machine
        assert_valid(machine)


@pytest.fixture
def modern():
    """The captured machine of Linux 6.1."""
    with Machine(Layout.builtin("modern")) as machine:
        yield machine
        assert_valid(machine)


def run(m, op):
    return m.sched.run(op)


def marks(m, zid):
    stat = m.zone_stat(zid)
    return stat.pages_min, stat.pages_low, stat.pages_high


# The table of states. Each state is reached by these steps, on slot 2.


def to_u(m):
    pass


def to_d0(m):
    run(m, m.plug(SLOT))


def to_e(m):
    to_d0(m)
    run(m, m.enable_node(SLOT))


def to_d(m):
    to_e(m)
    run(m, m.disable_node(SLOT))


def to_e1(m):
    """Two of its blocks are offline."""
    to_e(m)
    for number in (SLOT_BLOCK, SLOT_BLOCK + 1):
        run(m, m.block_offline(number))


def to_d1(m):
    to_e1(m)
    run(m, m.disable_node(SLOT))


def to_x(m):
    """All blocks offline, its gate open."""
    to_e(m)
    for number in m.blocks.of_node(SLOT):
        run(m, m.block_offline(number))


def to_x_closed(m):
    to_d(m)
    for number in m.blocks.of_node(SLOT):
        run(m, m.block_offline(number))


def to_x_probed(m):
    run(m, m.probe(SLOT_BLOCK * BLOCK))


REACH = {
    "U": to_u,
    "D0": to_d0,
    "E": to_e,
    "D": to_d,
    "E'": to_e1,
    "D'": to_d1,
    "X": to_x,
    "X closed": to_x_closed,
    "X probed": to_x_probed,
}


def state_of(m):
    """The letter of the state that slot 2 is in."""
    node = m.nodes[SLOT]
    if not node.plugged:
        return "U"
    states = {m.blocks.get(number).state for number in m.blocks.of_node(SLOT)}
    if states == {"offline"}:
        return "X" if node.enabled else "X closed"
    letter = "E" if node.enabled else "D"
    return letter + ("'" if "offline" in states else "")


ACTIONS = {
    "plug": lambda m: m.plug(SLOT),
    "enable": lambda m: m.enable_node(SLOT),
    "disable": lambda m: m.disable_node(SLOT),
    "unplug": lambda m: m.unplug(SLOT),
    "online": lambda m: m.block_online(SLOT_BLOCK),
    "offline": lambda m: m.block_offline(SLOT_BLOCK),
    "online other": lambda m: m.block_online(SLOT_BLOCK + 5),
    "offline other": lambda m: m.block_offline(SLOT_BLOCK + 5),
    "probe": lambda m: m.probe(SLOT_BLOCK * BLOCK),
}

# What each state answers: an errno, or the state that follows.
TABLE = {
    ("U", "plug"): "D",
    ("U", "enable"): errno.ENODEV,
    ("U", "disable"): errno.ENODEV,
    ("U", "unplug"): errno.ENODEV,
    ("U", "online"): errno.ENODEV,
    ("U", "offline"): errno.ENODEV,
    ("U", "probe"): "X",
    ("D0", "plug"): errno.EEXIST,
    ("D0", "enable"): "E",
    ("D0", "disable"): "D",
    ("D0", "unplug"): "U",
    ("D0", "online"): errno.EINVAL,
    ("D0", "offline"): "D'",
    ("D0", "probe"): errno.EEXIST,
    ("D", "plug"): errno.EEXIST,
    ("D", "enable"): "E",
    ("D", "disable"): "D",
    ("D", "unplug"): "U",
    ("D", "online"): errno.EINVAL,
    ("D", "offline"): "D'",
    ("D'", "online"): errno.EBUSY,
    ("D'", "online other"): errno.EINVAL,
    ("D'", "offline"): errno.EINVAL,
    ("D'", "enable"): "E'",
    ("D'", "unplug"): "U",
    ("E", "plug"): errno.EEXIST,
    ("E", "enable"): "E",
    ("E", "disable"): "D",
    ("E", "unplug"): errno.EBUSY,
    ("E", "online"): errno.EINVAL,
    ("E", "offline"): "E'",
    ("E'", "plug"): errno.EEXIST,
    ("E'", "enable"): "E'",
    ("E'", "disable"): "D'",
    ("E'", "unplug"): errno.EBUSY,
    ("E'", "online"): "E'",
    ("E'", "offline"): errno.EINVAL,
    ("E'", "offline other"): "E'",
    ("X", "plug"): errno.EEXIST,
    ("X", "enable"): "X",
    ("X", "disable"): "X closed",
    ("X", "unplug"): "U",
    ("X", "online"): "E'",
    ("X", "offline"): errno.EINVAL,
    ("X closed", "enable"): "X",
    ("X closed", "disable"): "X closed",
    ("X closed", "unplug"): "U",
    ("X closed", "online"): errno.EBUSY,
    ("X probed", "plug"): errno.EEXIST,
    ("X probed", "online"): "E",
    ("X probed", "unplug"): "U",
    ("X probed", "probe"): errno.EEXIST,
}


@pytest.mark.parametrize(("state", "action"), TABLE)
def test_the_table_of_states(old, state, action):
    """Each state answers each action as the table says, and refusals change nothing."""
    REACH[state](old)
    assert state_of(old) == state.removesuffix("0").removesuffix(" probed")
    answer = TABLE[state, action]
    if isinstance(answer, int):
        assert refused(old, ACTIONS[action](old)) == errno.errorcode[answer]
        return
    run(old, ACTIONS[action](old))
    assert state_of(old) == answer


def test_a_block_says_what_its_zone_and_gate_say(old):
    """going-offline behind a closed gate; offline out of its zone."""
    block = old.blocks.get(NODE1)
    assert block.state == "online"
    run(old, old.disable_node(1))
    assert block.state == "going-offline"
    run(old, old.block_offline(NODE1))
    assert block.state == "offline"


def test_blocks_are_where_memory_is(modern, old):
    """Those of the hole are not there, nor a node's own memory map."""
    assert list(modern.blocks) == [*range(16), *range(32, 48)]
    assert list(old.blocks) == list(range(127))


# Accounting.


def test_a_zone_shrinks_and_grows(modern):
    """present and managed by the block, spanned only at an edge."""
    zone = modern.zones[10]
    for number in (43, 42):
        run(modern, modern.block_offline(number))
    assert (zone.present, zone.spanned) == (262144 - 2 * 32768, 262144)
    run(modern, modern.block_offline(40))
    assert (zone.spanned, zone.start_pfn) == (262144 - 32768, 41 * 32768)
    for number in (40, 42, 43):
        run(modern, modern.block_online(number))
    assert (zone.present, zone.spanned, zone.managed) == (262144, 262144, 257293)


def test_marks_are_computed_anew_for_all_zones(modern):
    """As captured: the machine's minimum is shared by fewer pages."""
    assert marks(modern, 6)[0] == 5793
    for number in range(41, 47):
        run(modern, modern.block_offline(number))
    assert marks(modern, 6)[0] == 7205
    for number in range(41, 47):
        run(modern, modern.block_online(number, "online_movable"))
    assert marks(modern, 6)[0] == 5793
    assert marks(modern, 10)[0] == 1362
    assert marks(modern, 11)[0] == 4414
    assert modern.zones[10].protection == (0, 0, 0, 6144, 6144)


def test_memory_and_its_files_leave_out_what_is_offline(modern):
    """MemTotal shrinks by the block; what is offline is in no sum."""
    before = modern.snapshot().total
    run(modern, modern.block_offline(33))
    after = modern.snapshot().total
    assert (before.managed - after.managed, before.free - after.free) == (32768, 32768)


def test_counters_survive_the_zone(modern):
    """What a zone has counted is kept when it goes."""
    task = modern.tasks.create("hog", 1)
    area = task.mmap_anon(3200 * MIB)
    run(modern, task.touch(area, passes=1))
    run(modern, task.exit())
    before = modern.snapshot()
    assert before.zone_sums[6].numa_miss
    for number in range(32, 39):
        run(modern, modern.block_offline(number))
    assert modern.snapshot().total.numa_miss >= before.total.numa_miss


def test_names_are_counted_apart_from_states(old):
    """They grow with each node or block that comes or goes, and with nothing else."""

    def there():
        plugged = [node.nid for node in old.nodes.values() if node.plugged]
        return plugged, list(old.blocks)

    def grown(op):
        names, version, before = old.blocks.names, old.blocks.version, there()
        run(old, op)
        assert old.blocks.version > version
        assert (old.blocks.names > names) == (there() != before)
        return old.blocks.names > names

    probe = SLOT_BLOCK * BLOCK
    assert grown(old.plug(SLOT))
    assert not grown(old.enable_node(SLOT))
    assert not grown(old.block_offline(SLOT_BLOCK))
    assert not grown(old.block_online(SLOT_BLOCK))
    assert not grown(old.disable_node(SLOT))
    assert grown(old.unplug(SLOT))
    assert grown(old.probe(probe))
    assert grown(old.probe(probe + BLOCK))


# Where a block goes.


def test_the_kernel_s_policy(modern):
    """Normal, but for a block amid Movable and not amid Normal; as captured."""
    for number in range(33, 39):
        run(modern, modern.block_offline(number))
    valid = modern.blocks.valid_zones
    assert valid(modern.blocks.get(35)) == ["Normal", "Movable"]
    for number in (33, 36):
        run(modern, modern.block_online(number, "online_movable"))
    assert valid(modern.blocks.get(33)) == ["Movable"]
    # Amid both: Normal's pages at both ends are there still.
    assert valid(modern.blocks.get(35)) == ["Normal", "Movable"]
    run(modern, modern.block_online(35))
    assert modern.blocks.get(35).zones[0].name == "Normal"


def test_amid_movable_alone_it_is_movable():
    """The default is listed first, and chosen."""
    text = 'kernel = "6.1"\n[[node]]\nsize = "5G"\n[[node]]\nsize = "1G"\n'
    with Machine(Layout.parse(text)) as m:
        for number in range(40, 48):
            run(m, m.block_offline(number))
        assert m.nodes[1].zones == []
        for number in (40, 47):
            run(m, m.block_online(number, "online_movable"))
        assert m.blocks.valid_zones(m.blocks.get(44)) == ["Movable", "Normal"]
        run(m, m.block_online(44))
        assert m.blocks.get(44).zones[0].name == "Movable"
        assert_valid(m)


def test_a_node_without_online_memory_has_no_kswapd(modern):
    """It stops with the last block and starts with the first."""
    run(modern, modern.disable_node(1))
    with pytest.raises(VmError):
        run(modern, modern.block_offline(39))
    assert modern.nodes[1].kswapd is not None


@pytest.mark.parametrize("way", ["online_movable"])
def test_old_kernels_have_no_movable(old, way):
    """EINVAL where there is no such zone."""
    run(old, old.block_offline(NODE1))
    assert refused(old, old.block_online(NODE1, way)) == "EINVAL"


# What keeps a block.


def test_not_whole_in_one_zone(modern):
    """Block 0 has two zones, 15 a hole: EINVAL; 14 has reserved pages: EBUSY."""
    assert refused(modern, modern.block_offline(0)) == "EINVAL"
    assert refused(modern, modern.block_offline(15)) == "EINVAL"
    assert refused(modern, modern.block_offline(14)) == "EBUSY"


def test_a_zone_is_shown_from_its_first_page_on(modern):
    """Wherever that is once its first block has gone, and has come back."""
    zone = modern.zones[6]
    numbers = [*range(32, 35)]
    assert zone.shown_start == zone.start_pfn == 32 * BLOCK_61
    for number in numbers:
        run(modern, modern.block_offline(number))
        assert zone.shown_start == zone.start_pfn == (number + 1) * BLOCK_61
    run(modern, modern.block_online(33))
    assert zone.shown_start == zone.start_pfn == 33 * BLOCK_61
    run(modern, modern.block_online(32))
    assert zone.shown_start == 32 * BLOCK_61
    assert modern.zones[0].shown_start == 1


@pytest.mark.parametrize("is_open", [False, True])
def test_a_node_whose_last_zone_goes_has_the_gate_of_that_zone(is_open):
    """Not its own of before: a zone that it has not had yet comes with it."""
    text = 'kernel = "6.1"\n[[node]]\nsize = "5G"\n[[node]]\nsize = "1G"\n'
    with Machine(Layout.parse(text)) as m:
        node = m.nodes[1]
        if is_open:
            run(m, m.disable_node(1))
            run(m, m.enable_zone(6))
        else:
            run(m, m.disable_zone(6))
        assert node.gate_open is not is_open
        for number in range(40, 48):
            run(m, m.block_offline(number))

        assert node.zones == []
        assert (node.enabled, node.state == "enabled") == (is_open, is_open)
        if is_open:
            run(m, m.block_online(44, "online_movable"))
            assert node.zones[0].gate_open
        else:
            for way in ("online", "online_movable"):
                assert refused(m, m.block_online(44, way)) == "EBUSY"
        assert_valid(m)


@pytest.mark.parametrize("layout", ["modern", "holes"])
def test_a_hole_does_not_hide_the_zone_of_a_block(layout):
    """As captured of block 15: it is in one zone, and cannot go all the same."""
    with Machine(Layout.builtin(layout)) as m:
        cut, holed = m.blocks.get(0), m.blocks.get(15)
        assert holed.pages < m.layout.block_pages
        assert len(cut.zones) == 2
        for _ in range(2):
            assert m.blocks.valid_zones(holed) == ["DMA32"]
            assert m.blocks.valid_zones(cut) == ["none"]
            assert (holed.state, holed.removable) == ("online", 1)
            assert refused(m, m.block_offline(15)) == "EINVAL"
        assert_valid(m)


def test_a_page_that_can_never_move_is_said_at_once(modern):
    """EBUSY before anything has moved."""
    task = modern.tasks.create("hog", 1)
    area = task.mmap_anon(8 * MIB)
    run(modern, task.touch(area, passes=1))
    [busy] = [
        n
        for n in modern.blocks
        if (b := modern.blocks.get(n)).whole
        and modern.core.block_stat(b.start_pfn, b.pages).unmovable
        and modern.core.block_stat(b.start_pfn, b.pages).user
    ]
    assert refused(modern, modern.block_offline(busy)) == "EBUSY"
    assert "unmovable page" in modern.klog.text()


def test_nonremovable_memory_of_old_kernels_stays(old):
    """EBUSY; `removable` is 0 there."""
    assert refused(old, old.block_offline(10)) == "EBUSY"


def test_contents_move_with_their_pages(old, host_file):
    """A file's dirty pages and a task's leave the block as they are."""
    file = old.files.create("file", host_file())
    data = pattern(32 * MIB)
    write(old, file, 0, data)
    task = old.tasks.create("hog", 1)
    area = task.mmap_anon(64 * MIB)
    run(old, task.touch(area, passes=1))
    for number in old.blocks.of_node(1):
        run(old, old.block_offline(number))
        assert_valid(old)
    assert old.nodes[1].zones == []
    assert read(old, file) == data
    run(old, task.touch(area, write=False, passes=1))
    assert old.events()["corrupt"] == 0
    run(old, task.exit())


def test_what_is_pinned_keeps_the_writer_until_a_signal(old):
    """Interrupted, the block is an ordinary one again; what has moved stays moved."""
    task = old.tasks.create("hog", 1)
    area = task.mmap_anon(400 * MIB)
    run(old, task.touch(area, passes=1))
    number = NODE1 + 60
    block = old.blocks.get(number)
    page = page_in(old, task, area, block)
    pin = run(old, old.pins.area(task, area, page, 1, "test"))
    job = old.sched.spawn(old.block_offline(number), name="offline")
    for _ in range(200):
        if not old.sched.round():
            old.sched.advance(old.sched.next_due())
    assert not job.done
    assert block.state == "going-offline"
    assert old.zones[block.zids[0]].gate_open
    left = old.core.block_stat(block.start_pfn, block.pages)
    assert left.user == 1
    old.sched.cancel(job)
    while not job.done:
        old.sched.round()
    assert isinstance(job.error, Cancelled)
    assert block.state == "online"
    pin.release()
    run(old, old.block_offline(number))
    run(old, task.exit())


def page_in(m, task, area, block):
    """A page of the area that lies in the block."""
    for pfn in range(block.start_pfn, block.start_pfn + block.pages):
        info = m.core.page_info(pfn)
        if info.mm != 0xFFFFFFFF and info.mapcount:
            return info.vpn - task.areas[area].vpn
    raise AssertionError("no page of the task is there")


def test_whoever_is_told_may_refuse(modern):
    """Both ways, with the error that was set."""
    modern.notifiers.errors["MEM_GOING_OFFLINE"] = errno.ENOMEM
    assert refused(modern, modern.block_offline(33)) == "ENOMEM"
    modern.notifiers.errors["MEM_GOING_OFFLINE"] = 0
    run(modern, modern.block_offline(33))
    modern.notifiers.errors["MEM_GOING_ONLINE"] = errno.EPERM
    assert refused(modern, modern.block_online(33)) == "EPERM"


# probe


def test_probe_finds_blocks_of_an_empty_slot(old):
    """One after the other; the node is there with the first."""
    run(old, old.probe((SLOT_BLOCK + 3) * BLOCK))
    assert old.nodes[SLOT].plugged
    assert old.blocks.of_node(SLOT) == [SLOT_BLOCK + 3]
    old.auto_online = "online_kernel"
    run(old, old.probe((SLOT_BLOCK + 4) * BLOCK))
    assert old.blocks.get(SLOT_BLOCK + 4).state == "online"
    assert old.nodes[SLOT].zones[0].present == 2048


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (SLOT_BLOCK * BLOCK + 1, "EINVAL"),
        (1 << 60, "EINVAL"),
        (3 * BLOCK, "EEXIST"),
        (191 * BLOCK, "EINVAL"),
    ],
)
def test_probe_refuses(old, address, name):
    """No block's first byte, no memory there, there already, a memory map's place."""
    assert refused(old, old.probe(address)) == name


def test_changes_wait_for_each_other(modern):
    """One block at a time, as the kernel's lock has it."""
    jobs = [
        modern.sched.spawn(modern.block_offline(number), name=f"{number}")
        for number in (33, 34, 33)
    ]
    while not all(job.done for job in jobs):
        if not modern.sched.round():
            modern.sched.advance(modern.sched.next_due())
    assert [job.error and job.error.name for job in jobs] == [None, None, "EINVAL"]
