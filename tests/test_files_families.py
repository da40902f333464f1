"""Directories that are members of one family: what they share."""

import pytest
from fakes import fake_mount, look_up

from memfs.files.build import ALIKE_MOST
from memfs.vm import Layout, Machine
from memfs.vm.machine import Target

MEMORY = "sys/devices/system/memory"
# Blocks of the announcement's machine: node 0 up to 63, node 1 up to 126.
LAST_OF_0, LAST_OF_1 = 63, 126


@pytest.fixture
def mount():
    machine = Machine(Layout.builtin("2004"))
    yield fake_mount(machine)
    machine.close()


def block(mount, number):
    return look_up(mount, f"{MEMORY}/memory{number}")


def run(mount, op):
    mount.machine.sched.run(op)


def test_blocks_of_a_node_share_their_names(mount):
    """The link to the node is among them; another node's blocks have others."""
    first, other = block(mount, 5).names(), block(mount, LAST_OF_1).names()

    assert first is block(mount, LAST_OF_0).names()
    assert first is not other
    assert set(first) ^ set(other) == {b"node0", b"node1"}
    assert list(first) == sorted(name for name, _ in block(mount, 5).entries())


def test_names_are_shared_only_where_links_show_the_same(mount):
    """A link of a node shows the length of where it points to."""
    nodes = [look_up(mount, f"sys/devices/system/node/node{n}") for n in (0, 1)]

    assert nodes[0].names() is not nodes[1].names()
    assert nodes[0].names() is nodes[0].names()


def test_not_too_many_lists_are_remembered(mount):
    place = block(mount, 5)._place
    for number in range(ALIKE_MOST):
        place.alike[number] = block(mount, 5).names()
    assert block(mount, LAST_OF_1).names() != block(mount, 5).names()
    assert len(place.alike) <= ALIKE_MOST


def test_names_that_were_listed_may_be_known_when_they_go(mount):
    """Whoever listed them has been given their entries."""
    names = look_up(mount, MEMORY).names()
    assert b"memory126" in names
    run(mount, mount.machine.disable(Target("node", 1)))
    run(mount, mount.machine.unplug(1))
    memory = look_up(mount, MEMORY)
    gone = set(memory.gone_names())

    assert gone == set(names) - set(memory.names())
    assert b"memory126" in gone
    assert memory.once(b"memory126").gone
    assert memory.lookup(b"memory126") is None
