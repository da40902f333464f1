"""Small files and lists that are kept show every change at once.

Everything is read twice before each change, so that the second time it is the shim
that answers (memfs/csrc/fuse_text.c).
"""

import errno
import os
import select

import pytest
from mounting import MEMFS, mounted

pytestmark = pytest.mark.mount

MEMORY = "sys/devices/system/memory"
# The last block of node 1 of the default machine, which lies in HighMem.
BLOCK = f"{MEMORY}/memory120"
FILES = ("state", "online", "valid_zones", "removable", "phys_index")
HERE = ("online", "1", "HighMem", "1", "00000078")
CLOSED = ("going-offline", "1", "HighMem", "1", "00000078")
OFF = ("offline", "0", "HighMem", "1", "00000078")


@pytest.fixture
def mount(tmp_path):
    with mounted(tmp_path, command=MEMFS) as made:
        yield made


def shown(mount, block=BLOCK):
    """What a block's files show; the same twice."""
    first, second = (
        tuple((mount / block / name).read_text().strip() for name in FILES)
        for _ in range(2)
    )
    assert first == second
    return first


def command(mount, words):
    (mount / "memhotplug").write_text(words)


def listed(path):
    """Names, the same three times."""
    names = sorted(os.listdir(path))
    assert [sorted(os.listdir(path)) for _ in range(2)] == [names, names]
    return names


def test_every_change_of_a_block_is_seen(mount):
    """By its state, by its node's gate, and when its node goes."""
    state = mount / BLOCK / "state"
    assert shown(mount) == HERE
    state.write_text("offline")
    assert shown(mount) == OFF
    state.write_text("online")
    assert shown(mount) == HERE
    for words, seen in (
        ("disable 1", CLOSED),
        ("enable 1", HERE),
        ("disable 6", CLOSED),
        ("disable 1", CLOSED),
    ):
        command(mount, words)
        assert shown(mount) == seen
    command(mount, "unplug 1")
    with pytest.raises(FileNotFoundError):
        shown(mount)
    command(mount, "plug 1")
    assert shown(mount) == CLOSED
    command(mount, "enable 1")
    assert shown(mount) == HERE


def test_what_was_made_ahead_follows_every_change(mount):
    """Of blocks that nobody had opened before it."""
    blocks = {name for name in os.listdir(mount / MEMORY) if name[-1].isdigit()}
    node1 = set(os.listdir(mount / "sys/devices/system/node/node1"))

    def states():
        return {name: (mount / MEMORY / name / "state").read_text() for name in blocks}

    online = dict.fromkeys(blocks, "online\n")
    assert states() == online
    (mount / BLOCK / "state").write_text("offline")
    assert states() == {**online, "memory120": "offline\n"}
    (mount / BLOCK / "state").write_text("online")
    command(mount, "disable 1")
    closed = dict.fromkeys(blocks & node1, "going-offline\n")
    assert len(closed) > 1
    assert states() == {**online, **closed}
    command(mount, "unplug 1")
    blocks -= closed.keys()
    assert states() == {name: online[name] for name in blocks}
    for name in closed:
        assert not (mount / MEMORY / name).exists()
    command(mount, "plug 1")
    blocks |= closed.keys()
    assert states() == {**online, **closed}


def test_an_open_file_shows_what_it_showed(mount):
    """Until it is rewound; of a block that has gone that is an error."""
    shown(mount)
    with open(mount / BLOCK / "state", "rb", buffering=0) as file:
        command(mount, "disable 1")
        assert file.read(3) == b"onl"
        assert file.read() == b"ine\n"
        file.seek(0)
        assert file.read() == b"going-offline\n"
        command(mount, "unplug 1")
        file.seek(0)
        with pytest.raises(OSError, match="No such device") as seen:
            file.read()
        assert seen.value.errno == errno.ENODEV


def test_who_polls_a_kept_file_is_told(mount):
    """Of what has changed since it was opened; then it is quiet."""
    shown(mount)
    fd = os.open(mount / BLOCK / "state", os.O_RDONLY)
    late = os.open(mount / BLOCK / "state", os.O_RDONLY)
    poller, other = select.poll(), select.poll()
    poller.register(fd, select.POLLPRI)
    other.register(late, select.POLLPRI)
    try:
        os.read(fd, 100), os.read(late, 100)
        assert not poller.poll(0)
        command(mount, "disable 1")
        assert poller.poll(30_000)
        # This one is asked for the first time after the change.
        assert other.poll(0)
        os.lseek(fd, 0, os.SEEK_SET)
        assert os.read(fd, 100) == b"going-offline\n"
        assert not poller.poll(0)
    finally:
        os.close(fd)
        os.close(late)


def test_lists_follow_nodes_and_blocks(mount):
    """Of the blocks, of a node, of one block."""
    node, blocks = mount / "sys/devices/system/node", mount / MEMORY
    block = listed(mount / BLOCK)
    assert {"node1", "state", "subsystem"} <= set(block)
    before = listed(node / "node1"), listed(blocks), listed(node)
    command(mount, "disable 1")
    command(mount, "unplug 1")
    assert "node1" not in listed(node)
    assert "memory120" not in listed(blocks)
    with pytest.raises(FileNotFoundError):
        os.listdir(mount / BLOCK)
    command(mount, "plug 1")
    assert (listed(node / "node1"), listed(blocks), listed(node)) == before
    assert listed(mount / BLOCK) == block


def test_who_had_a_directory_open_shows_nobody_what_was(mount):
    """He sees no name that has gone, and others every one that has come."""
    nodes = mount / "sys/devices/system/node"
    names = listed(nodes)
    command(mount, "disable 1")
    for words, there in (("unplug 1", False), ("plug 1", True)):
        fd = os.open(nodes, os.O_RDONLY | os.O_DIRECTORY)
        inside = os.open(nodes / "node0", os.O_RDONLY | os.O_DIRECTORY)
        command(mount, words)
        seen = os.listdir(fd)
        os.listdir(inside)
        os.close(fd)
        os.close(inside)
        assert "node1" not in seen
        assert ("node1" in listed(nodes)) == there
        assert (nodes / "node1").exists() == there
    assert listed(nodes) == names


def test_a_directory_that_has_gone_is_empty(mount):
    """To who has it open; it is no way to what was in it."""
    node = mount / "sys/devices/system/node/node1"
    fd = os.open(node, os.O_RDONLY | os.O_DIRECTORY)
    try:
        command(mount, "disable 1")
        command(mount, "unplug 1")
        assert os.listdir(fd) == []
        assert not node.exists()
        with pytest.raises(FileNotFoundError):
            os.open("distance", os.O_RDONLY, dir_fd=fd)
    finally:
        os.close(fd)


def test_a_block_that_is_found_is_listed(mount):
    """One of an empty slot: with its node."""
    size = int((mount / MEMORY / "block_size_bytes").read_text(), 16)
    node = mount / "sys/devices/system/node"
    assert "node2" not in listed(node)
    names = listed(mount / MEMORY)
    (mount / MEMORY / "probe").write_text(f"{130 * size:#x}")
    assert set(listed(mount / MEMORY)) - set(names) == {"memory130"}
    assert "memory130" in listed(node / "node2")
    (mount / MEMORY / "probe").write_text(f"{131 * size:#x}")
    assert {"memory130", "memory131"} <= set(listed(node / "node2"))
    assert shown(mount, f"{MEMORY}/memory131")[0] == "offline"


def test_a_thousand_descriptors_of_one_file(mount):
    """Each shows what it was opened with, whoever has opened it."""
    shown(mount)
    path = mount / BLOCK / "state"
    many = [os.open(path, os.O_RDONLY) for _ in range(1000)]
    try:
        command(mount, "disable 1")
        assert {os.read(fd, 100) for fd in many} == {b"online\n"}
        assert path.read_text() == "going-offline\n"
        assert {os.pread(fd, 100, 0) for fd in many} == {b"going-offline\n"}
    finally:
        for fd in many:
            os.close(fd)
