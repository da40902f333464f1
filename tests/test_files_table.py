"""The TABLE of files: every row is a file that behaves as its row says."""

import errno
import os
import re
import stat

import pytest
from fakes import OWNER, fake_mount, look_up, text_of, write

from memfs import commands
from memfs.files import NODE_DIR, TABLE, doc
from memfs.files.proc import clocks
from memfs.files.row import family_of
from memfs.tree import PROC, SYSFS, ControlHandle, Dir, Interrupt, TextHandle, TreeError
from memfs.vm import Layout, Machine

FILES = [row for row in TABLE if row.kind in ("text", "control", "process")]
BINARY = ("proc/kpageflags", "proc/kpagecount")
READABLE = [row for row in FILES if row.mode & 0o444 and row.path not in BINARY]
WRITABLE = [row for row in FILES if row.mode & 0o222]
# What is shown as Linux 6.1 does it asks more of a machine than a fake one knows.
MODERN = ("proc/", "sys/")
EMPTY = re.compile(r"kmsg|control/tasks|.*/uevent|.*/stat_refresh")
# Every write is the order to do it, or is ignored.
ACCEPTS = re.compile(
    r"control/validate|.*nodeN/compact|.*/(compact_memory|stat_refresh|lowmem_reserve_ratio)"
)


def there(path):
    """The path with numbers of things that the machine has."""
    return (
        path.replace(NODE_DIR, "node1")
        .replace("memoryN", "memory70")
        .replace("cpuN", "cpu1")
        .replace("hugepages-NkB", "hugepages-4096kB")
    )


@pytest.fixture(scope="module")
def machine():
    """The announcement's machine."""
    with Machine(Layout.builtin("2004")) as machine:
        yield machine


@pytest.fixture
def mount(request, machine):
    """A mount that has the row of the test."""
    row = (
        request.node.callspec.params.get("row")
        if hasattr(request.node, "callspec")
        else None
    )
    return fake_mount(machine if row and row.path.startswith(MODERN) else None)


def test_rows_are_unique_and_sane():
    """A path once; modes of owner-only writes; something to say about each."""
    paths = [row.path for row in TABLE]

    assert len(paths) == len(set(paths))
    for row in TABLE:
        assert row.what, row.path
        names = row.path.split("/")
        families = [name for name in names if family_of(name)]
        if row.kind in ("link", "directory"):
            assert row.mode in (0o777, 0o755), row.path
            assert (row.ids is not None) == (names[-1] in families), row.path
            continue
        assert row.mode in (0o444, 0o400, 0o644, 0o600, 0o200, 0o666), row.path
        if row.kind != "process":
            assert bool(row.mode & 0o222) == (row.kind != "text"), row.path
        numbered = row.render_at, row.store_at, row.render_in, row.store_in
        assert any(numbered) == bool(families)
        assert row.manners is {"proc": PROC, "sys": SYSFS}.get(
            row.path.partition("/")[0], row.manners
        )


@pytest.mark.parametrize("row", FILES, ids=lambda row: row.path)
def test_a_row_is_a_file(mount, row):
    """It is there, of its mode, and its length is that of its text."""
    attr = look_up(mount, there(row.path)).attr()

    assert attr.mode == stat.S_IFREG | row.mode
    if row.size is not None:
        assert attr.size == row.size
    elif row.mode & 0o444 and row.version is not None:
        assert attr.size == len(text_of(mount, there(row.path)))


@pytest.mark.parametrize("row", READABLE, ids=lambda row: row.path)
def test_text_ends_with_a_newline_and_is_ascii(mount, row):
    """As every file of /proc; only what has nothing to list is empty."""
    text = text_of(mount, there(row.path))

    assert text.isascii()
    assert text.endswith("\n") or EMPTY.fullmatch(row.path)


@pytest.mark.parametrize("row", READABLE, ids=lambda row: row.path)
def test_reads_in_pieces_are_of_one_snapshot(mount, row, monkeypatch):
    """Whatever changes between two reads of an open file."""
    monkeypatch.setattr(clocks, "host_tasks", lambda: (1, 2, 3))
    mount.machine.klog.add("a line")
    handle = look_up(mount, there(row.path)).open(os.O_RDONLY, OWNER)
    whole = bytes(handle.read(0, 1 << 24))
    pieces = [handle.read(0, 7)]
    if row.path.startswith(MODERN):
        mount.machine.bump()
    else:
        mount.machine.stats[5] = mount.machine.stats[5]._replace(open=False)
        mount.machine.version += 1
    mount.machine.klog.add("a line more")
    while piece := handle.read(sum(map(len, pieces)), 7):
        pieces.append(piece)

    assert b"".join(pieces) == whole


@pytest.mark.parametrize(
    "row", [r for r in FILES if r.kind == "text"], ids=lambda row: row.path
)
@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC])
async def test_a_read_only_file_refuses_writers(mount, row, flags):
    """For root too: EACCES at open, but under proc/ EIO at the first write."""
    node = look_up(mount, there(row.path))
    if row.manners is PROC:
        handle = node.open(flags, OWNER)
        assert type(handle) is TextHandle
        with pytest.raises(TreeError) as raised:
            await handle.write(0, b"1", Interrupt())
        assert raised.value.errno == errno.EIO
        return
    with pytest.raises(TreeError) as raised:
        node.open(flags, OWNER)

    assert raised.value.errno == errno.EACCES


@pytest.mark.parametrize(
    "row", [r for r in FILES if not r.mode & 0o444], ids=lambda row: row.path
)
def test_a_write_only_file_refuses_readers(mount, row):
    """EACCES, for root too."""
    with pytest.raises(TreeError) as raised:
        look_up(mount, there(row.path)).open(os.O_RDONLY, OWNER)

    assert raised.value.errno == errno.EACCES


@pytest.mark.parametrize("row", WRITABLE, ids=lambda row: row.path)
@pytest.mark.parametrize("flags", [os.O_TRUNC, os.O_APPEND, os.O_CREAT | os.O_TRUNC])
async def test_open_flags_of_a_shell_change_nothing(mount, row, flags):
    """Opened with > or >> and closed again: nothing happened."""
    before = mount.machine.klog.count
    handle = look_up(mount, there(row.path)).open(os.O_WRONLY | flags, OWNER)
    assert row.kind == "process" or isinstance(handle, ControlHandle)
    await handle.release()

    assert mount.machine.klog.count == before


@pytest.mark.parametrize("row", WRITABLE, ids=lambda row: row.path)
@pytest.mark.parametrize(
    "data", [b"junk\n", b"\0", b"\xff" * 10, b"=" * 64, b"x" * 9000, b"\n\n"]
)
async def test_junk_is_refused_and_said(mount, row, data):
    """An errno and a line; of some files, every write is the order to do it."""
    before = mount.machine.klog.count
    if ACCEPTS.fullmatch(row.path):
        assert await write(mount, there(row.path), data) == len(data)
        return
    with pytest.raises(TreeError) as raised:
        await write(mount, there(row.path), data)

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
    mount.machine.blocks.version += 1
    mount.machine.blocks.names += 1

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
        *(row.path for row in FILES if "/" not in row.path),
        *("control", "node0", "node1", "proc", "sys"),
    }


@pytest.mark.parametrize("name", Layout.builtin_names())
def test_every_directory_lists_what_it_looks_up(name):
    """lookup and entries agree."""
    mount = fake_mount(Machine(Layout.builtin(name)))
    stack = [mount.root]
    while stack:
        directory = stack.pop()
        for name, node in directory.entries():
            assert directory.lookup(name) is node
            if isinstance(node, Dir):
                stack.append(node)
        for name in (
            b"node01",
            b"memory-1",
            b"memory99999",
            b"cpu",
            b"memory",
            b"\xff",
        ):
            assert directory.lookup(name) is None or name in (b"cpu", b"memory")
    mount.machine.close()


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
        assert f"``{row.path}``" in page, row.path
    for command in commands.TABLE:
        assert f"``{command.name} " in page
