"""plug, unplug, enable, disable: what is refused and why, and whole cycles."""

from __future__ import annotations

import pytest
from vmkit import MIB, assert_valid, empty, read, refused, write

from memfs.vm import Layout, Machine, Target, VmError
from memfs.vm._ffi import ZoneItem


@pytest.mark.parametrize(
    ("verb", "number", "name"),
    [
        ("plug", 0, "EEXIST"),
        ("plug", 1, "EEXIST"),
        ("plug", 4, "ENODEV"),
        ("unplug", 0, "EPERM"),
        ("unplug", 1, "EBUSY"),
        ("unplug", 2, "ENODEV"),
        ("unplug", 99, "ENODEV"),
        ("disable_node", 0, "EPERM"),
        ("disable_node", 2, "ENODEV"),
        ("disable_node", 11, "ENODEV"),
        ("disable_zone", 0, "EPERM"),
        ("disable_zone", 1, "EPERM"),
        ("disable_zone", 2, "ENODEV"),
        ("disable_zone", 3, "ENODEV"),
        ("disable_zone", 11, "ENODEV"),
        ("enable_node", 3, "ENODEV"),
        ("enable_zone", 7, "ENODEV"),
        ("enable_zone", -1, "ENODEV"),
        ("purge", 3, "ENODEV"),
        ("purge", 4, "ENODEV"),
        ("inuse", 9, "ENODEV"),
        ("active", 1 << 32, "ENODEV"),
        ("why", 2, "ENODEV"),
    ],
)
def test_a_refusal_has_an_errno_and_changes_nothing(machine, verb, number, name):
    """On the machine of 2004 as it boots."""
    assert refused(machine, getattr(machine, verb)(number)) == name


def test_a_refused_command_says_why_and_is_remembered(machine):
    """With what was asked and what was found."""
    with pytest.raises(VmError) as caught:
        machine.sched.run(machine.unplug(1))

    assert caught.value.message == "unplug 1: Normal[5], HighMem[6] is enabled"
    assert machine.last_ops[-1].result == "EBUSY"


def test_enable_and_disable_are_idempotent(machine):
    """Done before is done."""
    for _ in range(2):
        machine.sched.run(machine.disable(Target("node", 1)))
        assert not machine.nodes[1].enabled
    for _ in range(2):
        machine.sched.run(machine.enable(Target("zone", 6)))
        assert [zone.gate_open for zone in machine.nodes[1].zones] == [False, True]


def test_the_log_says_what_was_taken(machine):
    """A zone with its node, a node with its zones."""
    machine.sched.run(machine.disable_zone(5))
    machine.sched.run(machine.disable_node(1))

    assert "disable 5: zone Normal[5] of node 1\n" in machine.klog.text()
    assert "disable 1: node 1 (Normal[5], HighMem[6])\n" in machine.klog.text()


def test_plug_comes_closed_with_a_kswapd(machine):
    """All its pages are free and in no zonelist; nothing of it is in MemFree."""
    before = machine.snapshot().total
    machine.sched.run(machine.plug(2))
    after = machine.snapshot().total

    assert machine.nodes[2].state == "disabled"
    assert machine.nodes[2].kswapd is not None
    assert after.managed - before.managed == 129024
    assert after.free == before.free
    assert not any({9, 10} & set(zids) for zids in machine.zonelists.values())


def test_unplug_ends_kswapd_and_forgets_the_zones(machine):
    """What is left is an empty slot."""
    node = machine.nodes[1]
    job = node.kswapd
    machine.sched.run(machine.disable_node(1))
    machine.sched.run(machine.unplug(1))
    machine.sched.round()

    assert job.done
    assert (node.zones, node.kswapd, node.state) == ([], None, "unplugged")
    assert sorted(machine.zones) == [0, 1]
    assert refused(machine, machine.purge(5)) == "ENODEV"


def test_unplug_of_a_node_in_use_says_how_many_pages(machine, host_file):
    """EBUSY until every page is free."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(MIB))
    machine.sched.run(machine.disable_node(1))

    with pytest.raises(VmError, match="unplug 1: 256 pages still in use") as caught:
        machine.sched.run(machine.unplug(1))
    assert caught.value.name == "EBUSY"
    assert empty(machine, 5) == 1
    machine.sched.run(machine.unplug(1))
    assert not machine.nodes[1].plugged


def test_unplug_while_reclaim_runs_on_the_node(machine, host_file):
    """EBUSY: somebody is at work there."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(8 * MIB))
    machine.sched.run(machine.disable_node(1))
    job = machine.sched.spawn(machine.purge(6), name="purge")
    machine.sched.round()

    assert not job.done
    assert refused(machine, machine.unplug(1)) == "EBUSY"


def test_many_cycles_leave_nothing_behind(machine, host_file):
    """disable, purge, unplug, plug, enable, twenty times, a file in between."""
    data = bytes(range(256)) * 4096 * 2
    file = machine.files.create("file", host_file())
    write(machine, file, 0, data)
    for _ in range(20):
        machine.sched.run(machine.disable_node(1))
        assert empty(machine, 5) is not None
        assert empty(machine, 6) is not None
        machine.sched.run(machine.unplug(1))
        machine.sched.run(machine.plug(1))
        machine.sched.run(machine.enable_node(1))
        assert read(machine, file) == data
        machine.sched.run(file.truncate(0))
        write(machine, file, 0, data)
    assert_valid(machine)


TABLES = """
kernel = "2.6.7"
[[node]]
size = "16M"
[[node]]
size = "512M"
plugged = false
"""


def test_plug_takes_pages_of_node_0_for_its_tables():
    """One for 128 MiB, given back at unplug."""
    with Machine(Layout.parse(TABLES)) as m:
        free = m.snapshot().total.free
        m.sched.run(m.plug(1))
        assert free - m.snapshot().total.free >= 4
        assert m.zone_stat(0).item[ZoneItem.NR_KERNEL_OTHER] == 4
        m.sched.run(m.unplug(1))
        assert m.zone_stat(0).item[ZoneItem.NR_KERNEL_OTHER] == 0
        assert_valid(m)


def test_plug_on_a_full_node_0_is_enomem():
    """Memory that cannot be freed leaves no page for the tables; nothing is taken."""

    class Owner:
        def label(self):
            return "shm"

    with Machine(Layout.parse("swap = 0\n" + TABLES)) as m:
        shm = m.files.create("shm", Owner())
        m.sched.run(shm.write(0, bytes(32 * MIB)))
        with pytest.raises(VmError) as caught:
            m.sched.run(m.plug(1))

        assert caught.value.name == "ENOMEM"
        assert not m.nodes[1].plugged
        assert m.zone_stat(0).item[ZoneItem.NR_KERNEL_OTHER] == 0
        assert_valid(m)
        m.sched.run(shm.drop())
        m.sched.run(m.plug(1))
        assert m.nodes[1].plugged
