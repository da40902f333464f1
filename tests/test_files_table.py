"""The TABLE of files: every row is a file that behaves as its row says."""

import errno
import os
import stat

import pytest
from fakes import OWNER, fake_mount, look_up, text_of, write

from memfs import commands
from memfs.files import NODE_DIR, TABLE, doc
from memfs.tree import Dir, TreeError

READABLE = [row for row in TABLE if row.mode & 0o444]
WRITABLE = [row for row in TABLE if row.mode & 0o222]


def of_node(path):
    """The path on node 1."""
    return path.replace(NODE_DIR, "node1")


@pytest.fixture
def mount():
    return fake_mount()


def test_rows_are_unique_and_sane():
    """A path once; modes of owner-only writes; something to say about each."""
    paths = [row.path for row in TABLE]

    assert len(paths) == len(set(paths))
    for row in TABLE:
        assert row.mode in (0o444, 0o644, 0o200), row.path
        assert row.what
        assert bool(row.mode & 0o222) == (row.kind != "text"), row.path
        of_node = row.render_node is not None or row.store_at is not None
        assert of_node == row.path.startswith(NODE_DIR), row.path


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
def test_a_row_is_a_file(mount, row):
    """It is there, of its mode, and its length is that of its text."""
    attr = look_up(mount, of_node(row.path)).attr()

    assert attr.mode == stat.S_IFREG | row.mode
    if row.mode & 0o444 and row.version is not None:
        assert attr.size == len(text_of(mount, of_node(row.path)))


@pytest.mark.parametrize("row", READABLE, ids=lambda row: row.path)
def test_text_ends_with_a_newline_and_is_ascii(mount, row):
    """As every file of /proc; only what has nothing to list is empty."""
    text = text_of(mount, of_node(row.path))

    assert text.isascii()
    assert text.endswith("\n") or row.path in ("kmsg", "control/tasks")


@pytest.mark.parametrize("row", READABLE, ids=lambda row: row.path)
def test_reads_in_pieces_are_of_one_snapshot(mount, row):
    """Whatever changes between two reads of an open file."""
    mount.machine.klog.add("a line")
    whole = text_of(mount, of_node(row.path)).encode()
    handle = look_up(mount, of_node(row.path)).open(os.O_RDONLY, OWNER)
    pieces = [handle.read(0, 7)]
    mount.machine.stats[5] = mount.machine.stats[5]._replace(open=False)
    mount.machine.version += 1
    mount.machine.klog.add("a line more")
    while piece := handle.read(sum(map(len, pieces)), 7):
        pieces.append(piece)

    assert b"".join(pieces) == whole


@pytest.mark.parametrize(
    "row", [r for r in TABLE if r.kind == "text"], ids=lambda row: row.path
)
@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC])
def test_a_read_only_file_refuses_writers_at_open(mount, row, flags):
    """EACCES, for root too."""
    with pytest.raises(TreeError) as raised:
        look_up(mount, of_node(row.path)).open(flags, OWNER)

    assert raised.value.errno == errno.EACCES


def test_a_write_only_file_refuses_readers(mount):
    """EACCES, for root too."""
    with pytest.raises(TreeError) as raised:
        look_up(mount, "control/cancel").open(os.O_RDONLY, OWNER)

    assert raised.value.errno == errno.EACCES


@pytest.mark.parametrize("row", WRITABLE, ids=lambda row: row.path)
@pytest.mark.parametrize("flags", [os.O_TRUNC, os.O_APPEND, os.O_CREAT | os.O_TRUNC])
async def test_open_flags_of_a_shell_change_nothing(mount, row, flags):
    """Opened with > or >> and closed again: nothing happened."""
    handle = look_up(mount, of_node(row.path)).open(os.O_WRONLY | flags, OWNER)
    await handle.release()

    assert mount.machine.klog.count == 0


@pytest.mark.parametrize("row", WRITABLE, ids=lambda row: row.path)
@pytest.mark.parametrize(
    "data", [b"junk\n", b"\0", b"\xff" * 10, b"=" * 64, b"x" * 9000, b"\n\n"]
)
async def test_junk_is_refused_and_said(mount, row, data):
    """An errno and a line; of some files, every write is the order to do it."""
    before = mount.machine.klog.count
    if row.path in ("control/validate", "nodeN/compact"):
        assert await write(mount, of_node(row.path), data) == len(data)
        return
    with pytest.raises(TreeError) as raised:
        await write(mount, row.path, data)

    assert raised.value.errno == errno.EINVAL
    assert mount.machine.klog.count == before + 1


def test_a_nodes_directory_is_there_while_it_is_plugged(mount):
    """Name and files come and go with the node; the same object comes back."""
    names = [name for name, _ in mount.root.entries()]
    assert b"node1" in names
    assert b"node2" not in names
    assert look_up(mount, "node2") is None
    there = look_up(mount, "node1")
    meminfo = look_up(mount, "node1/meminfo")

    mount.machine.nodes[1].plugged = False
    mount.machine.version += 1

    assert look_up(mount, "node1") is None
    assert b"node1" not in [name for name, _ in mount.root.entries()]
    with pytest.raises(TreeError) as raised:
        meminfo.open(os.O_RDONLY, OWNER)
    assert raised.value.errno == errno.ENODEV

    mount.machine.nodes[1].plugged = True
    assert look_up(mount, "node1") is there


def test_what_is_in_the_root(mount):
    """Sorted, each once, as readdir gives it."""
    names = [name.decode() for name, _ in mount.root.entries()]

    assert names == sorted(names)
    assert set(names) == {
        *(row.path for row in TABLE if "/" not in row.path), "control", "node0", "node1"
    }  # fmt: skip


def test_every_directory_lists_what_it_looks_up(mount):
    """lookup and entries agree."""
    stack = [mount.root]
    while stack:
        directory = stack.pop()
        for name, node in directory.entries():
            assert directory.lookup(name) is node
            if isinstance(node, Dir):
                stack.append(node)


def test_a_rendering_is_kept_while_nothing_changes(mount):
    """The machine is asked once a version."""
    file = look_up(mount, "memhotplug")

    assert file.text() is file.text()
    before = file.text()
    mount.machine.version += 1
    mount.machine.stats[5] = mount.machine.stats[5]._replace(open=False)
    mount.machine.stats[6] = mount.machine.stats[6]._replace(open=False)
    assert file.text() != before


def test_the_page_of_the_documentation_is_made_from_the_tables():
    """Run `python -m memfs.files.doc` after a row has changed."""
    assert doc.PAGE.read_text() == doc.page()


def test_every_row_and_command_is_in_the_page():
    """The page leaves nothing out."""
    page = doc.page()
    for row in TABLE:
        assert f"``{row.path}``" in page
    for command in commands.TABLE:
        assert f"``{command.name} " in page
