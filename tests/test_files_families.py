"""Directories that are members of one family: what they share, what is made ahead."""

import pytest
from fakes import fake_mount, look_up

from memfs.files.build import AHEAD_MOST, ALIKE_MOST
from memfs.tree import TextFile
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


def ahead(mount, number, name=b"state"):
    """Numbers of the blocks whose text is made with this one's; the texts."""
    block(mount, number).lookup(name)
    made = list(block(mount, number).ahead(name))
    blocks = {id(block(mount, n)): n for n in mount.machine.blocks}
    return [blocks[id(where)] for where, _ in made], {text for _, text in made}


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


def test_texts_are_made_ahead_twice_as_many_each_time(mount):
    """Those around a block's own, of blocks that are there."""
    assert ahead(mount, 40) == ([], set())
    assert ahead(mount, 40) == ([41], {b"online\n"})
    assert ahead(mount, 42)[0] == [40, 41, 43]
    for width in (8, 16, 32, AHEAD_MOST):
        numbers, _ = ahead(mount, LAST_OF_1)
        assert numbers == list(range(LAST_OF_1 // width * width, LAST_OF_1))
    # Each file of a block by itself.
    assert ahead(mount, 40, b"phys_index") == ([], set())
    assert ahead(mount, 41, b"phys_index")[1] == {b"00000028\n"}


def test_after_a_change_it_begins_anew(mount):
    """So that who changes one block after the other makes no texts for nobody."""
    for _ in range(3):
        ahead(mount, 100)
    run(mount, mount.machine.block_offline(120))
    assert ahead(mount, 120) == ([], set())
    assert ahead(mount, 120) == ([121], {b"online\n"})


def test_what_is_made_ahead_is_what_each_shows(mount):
    """Of every file of a block, on both sides of where two nodes meet."""
    run(mount, mount.machine.block_offline(LAST_OF_0 + 2))
    files = [(n, f) for n, f in block(mount, 5).entries() if isinstance(f, TextFile)]
    assert len(files) == 7
    for name, _ in files:
        for _ in range(8):
            made = list(block(mount, LAST_OF_0 + 2).ahead(name))
        assert len(made) == AHEAD_MOST - 1
        assert all(where.lookup(name).text() == text for where, text in made)


def test_nothing_is_made_ahead_of_what_is_alone(mount):
    """Of files whose directory is in no family, and of no files."""
    assert list(look_up(mount, MEMORY).ahead(b"block_size_bytes")) == []
    assert list(block(mount, 5).ahead(b"node0")) == []
    assert list(block(mount, 5).ahead(b"none")) == []


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
