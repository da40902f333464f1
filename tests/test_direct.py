"""Requests answered at once: the bytes of the answers, and what goes the long way."""

from __future__ import annotations

import ctypes
import errno
import struct
from types import SimpleNamespace

import pytest
import trio
from memvolume import MemVolume

from memfs.direct import CHANGED, NODES, NONE, NOT, VOLUMES, Direct
from memfs.doing import Doing
from memfs.handlers import Handlers
from memfs.inodes import ROOT, number
from memfs.listings import Listings
from memfs.shim import Shim
from memfs.tree import (
    FOREVER,
    Caller,
    ControlFile,
    Dir,
    Names,
    TextFile,
    TreeError,
    VolumeDir,
)
from memfs.turns import Gate

ME = Caller(1, 2, 3)
LOOKUP, FORGET, GETATTR, UNLINK, WRITE, RELEASE, BATCH_FORGET = 1, 2, 3, 10, 16, 18, 42
OPEN, OPENDIR, RELEASEDIR, READDIRPLUS = 14, 27, 29, 44
PID = 11
# struct fuse_attr: ino, size, blocks, three times, their ns, and mode to flags.
ATTR = "=3Q3q3I7I"


class Wire:
    """What Handlers need of one here: a handle's number is shown as it is."""

    def volume_entry(self, volume, ino, attr):
        return ino, attr

    def opened(self, fh):
        return fh


@pytest.fixture
def volume():
    return MemVolume(None)


@pytest.fixture
async def handlers(volume):
    root = Dir({b"files": VolumeDir(volume)})
    handlers = Handlers(root, Wire(), Shim(None, None), lambda: Gate(trio))
    await handlers.lookup(ROOT, b"files", SimpleNamespace(pid=1))
    return handlers


@pytest.fixture
async def direct(handlers):
    return Direct(handlers)


def asked(direct, opcode, ino, body=b""):
    """The answer's number, or its bytes."""
    request = struct.pack("=IIQQIIII", 40 + len(body), opcode, 7, ino, 1, 2, PID, 0)
    buffer = ctypes.create_string_buffer(request + body, len(request + body))
    n = direct.answer(opcode, ino, ctypes.addressof(buffer), len(buffer))
    return direct.room.raw[:n] if 0 < n < NOT else n


def ask(direct, opcode, own, body=b"", index=0):
    """Of a volume's inode."""
    return asked(direct, opcode, number(index, own), body)


def unpacked(data):
    """fuse_attr by the names of Attr."""
    fields = struct.unpack(ATTR, data)
    names = "ino size blocks atime mtime ctime atime_ns mtime_ns ctime_ns".split()
    names += "mode nlink uid gid rdev blksize flags".split()
    seen = dict(zip(names, fields, strict=True))
    for name in ("atime", "mtime", "ctime"):
        seen[f"{name}_ns"] += seen.pop(name) * 10**9
    return seen


async def make(volume, name=b"a"):
    ino, _, fh = await volume.create(1, name, 0o100640, 0, ME)
    return ino, fh


async def test_attributes_are_those_of_the_volume(direct, volume):
    ino, fh = await make(volume)
    await volume.write(fh, 0, b"x" * 700)
    # A time before 1970 has its ns count upwards all the same.
    volume.files[ino].atime_ns = -5 * 10**9 + 7
    answer = ask(direct, GETATTR, ino, bytes(16))

    assert struct.unpack_from("=QII", answer) == (volume.attr_timeout, 0, 0)
    seen = unpacked(answer[16:])
    assert (seen.pop("ino"), seen.pop("flags")) == (number(0, ino), 0)
    assert seen == volume.attr(ino)._asdict()


async def test_a_lookup_gives_number_and_attributes(direct, volume):
    ino, _ = await make(volume, b"\xff name")
    lookups = volume.files[ino].lookups
    answer = ask(direct, LOOKUP, 1, b"\xff name\0")

    head = struct.unpack_from("=4Q2I", answer)
    assert head == (number(0, ino), 0, volume.entry_timeout, volume.attr_timeout, 0, 0)
    assert unpacked(answer[40:])["mode"] == volume.attr(ino).mode
    assert volume.files[ino].lookups == lookups + 1
    assert ask(direct, LOOKUP, 1, b"b\0") == -errno.ENOENT


async def test_unlink_and_forget(direct, volume):
    ino, _ = await make(volume)
    ask(direct, LOOKUP, 1, b"a\0")
    assert ask(direct, UNLINK, 1, b"a\0") == CHANGED
    assert b"a" not in volume.files[1].names
    assert ask(direct, FORGET, ino, struct.pack("=Q", 1)) == NONE
    assert ino in volume.files
    pairs = struct.pack("=IIQQ", 1, 0, number(0, ino), 1)
    assert ask(direct, BATCH_FORGET, 0, pairs, index=-1) == NONE
    assert ino not in volume.files


def write_in(fh, off, data, flags=0, nbytes=None):
    """The body of a WRITE."""
    nbytes = len(data) if nbytes is None else nbytes
    return struct.pack("=QQIIQII", fh, off, nbytes, flags, 0, 0, 0) + data


async def opened(handlers, volume):
    """A new file of the volume, and a handle as the kernel knows it."""
    ino, _ = await make(volume)
    context = SimpleNamespace(pid=1, uid=2, gid=3, umask=0)
    return ino, await handlers.open(number(0, ino), 2, context)


async def test_a_write_that_need_not_wait(direct, handlers, volume):
    ino, fh = await opened(handlers, volume)
    answer = ask(direct, WRITE, ino, write_in(fh, 3, b"\xffdata"))
    assert answer == struct.pack("=II", 5, 0)
    assert (volume.files[ino].data, volume.wrote) == (b"\0\0\0\xffdata", (False, False))
    # Out of the kernel's page cache; by who may not keep set-ID bits.
    ask(direct, WRITE, ino, write_in(fh, 0, b"x", 1))
    assert volume.wrote == (True, False)
    ask(direct, WRITE, ino, write_in(fh, 0, b"x", 4))
    assert volume.wrote == (False, True)


async def test_writes_that_go_the_long_way(direct, handlers, volume):
    """One that has to wait, one that is not whole, one to nothing that is open."""
    ino, fh = await opened(handlers, volume)
    assert ask(direct, WRITE, ino, write_in(fh, 0, b"abc", nbytes=4)) == NOT
    assert ask(direct, WRITE, ino, write_in(fh + 2, 0, b"abc")) == NOT
    volume.waits = True
    assert ask(direct, WRITE, ino, write_in(fh, 0, b"abc")) == NOT
    assert volume.files[ino].data == b""


async def test_an_unlink_shows_what_the_directory_is_then(direct, volume):
    await make(volume)
    volume.files[1].mode = 0o40711
    assert ask(direct, UNLINK, 1, b"a\0") == CHANGED
    shown = direct.room.raw
    answer = ask(direct, GETATTR, 1, bytes(16))

    assert shown[: len(answer)] == answer
    assert unpacked(answer[16:])["mode"] == 0o40711
    assert ask(direct, UNLINK, 1, b"a\0") == -errno.ENOENT


async def test_a_name_is_gone_whatever_its_directory_answers(direct, volume):
    """The attributes are not what was asked for."""
    await make(volume)

    def fails(ino):
        raise OSError(errno.EIO, "no attributes")

    volume.getattr = fails
    assert ask(direct, UNLINK, 1, b"a\0") == 0
    assert b"a" not in volume.files[1].names
    assert ask(direct, GETATTR, 1, bytes(16)) == -errno.EIO


async def test_release(direct, handlers, volume):
    ino, _ = await make(volume)
    ctx = SimpleNamespace(pid=1, uid=0, gid=0, umask=0)
    fh = await handlers.open(number(0, ino), 0, ctx)
    open_now = len(volume.handles)
    assert ask(direct, RELEASE, ino, struct.pack("=QIIQ", fh, 0, 0, 0)) == 0
    assert len(volume.handles) == open_now - 1


@pytest.mark.parametrize("opcode", [LOOKUP, UNLINK])
async def test_what_may_wait_takes_the_long_way(direct, volume, opcode):
    await make(volume)
    volume.at_once = volume.unlink_now = lambda *args: False
    assert ask(direct, opcode, 1, b"a\0") == NOT
    assert b"a" in volume.files[1].names


async def test_a_bug_is_an_error_of_its_caller(direct, volume, caplog):
    assert ask(direct, GETATTR, 12345) == -errno.EIO
    assert "getattr failed" in caplog.text


def test_every_row_has_a_number_that_the_shim_can_ask_for():
    assert all(0 < opcode < 64 for opcode in [*VOLUMES, *NODES])


# Generated nodes.


class Comes(Dir):
    """A directory whose names come and go."""

    dynamic = True


async def nothing(data, caller, interrupt):
    """Take a command."""


@pytest.fixture
def root(volume):
    """Files, a directory whose names come and go, and a volume."""
    files = {b"f%02d" % n: TextFile(lambda: b"text") for n in range(40)}
    return Dir(
        {
            b"text": TextFile(lambda: b"four"),
            b"state": ControlFile(lambda: b"online", nothing, fresh_inode=True),
            b"many": Dir(files),
            b"comes": Comes({b"a": TextFile(lambda: b"")}),
            b"files": VolumeDir(volume),
        }
    )


@pytest.fixture
def tree(root):
    """Both ways to the same tree."""
    return Handlers(root, NodeWire(), Shim(None, None), lambda: Gate(trio))


class NodeWire(Wire):
    """The long way's forms: what the entry of a node says."""

    def node_entry(self, inode):
        return inode.ino, inode.node.attr()

    def absent(self):
        return 0, None

    def listed(self, token, name, entry, cookie):
        token.append((cookie, name, entry[0]))
        return True


@pytest.fixture
def nodes(tree):
    return Direct(tree)


CTX = SimpleNamespace(pid=PID, uid=1, gid=2, umask=0)


def looked_up(direct, name, parent=ROOT):
    """The number of a name."""
    return struct.unpack_from("=Q", asked(direct, LOOKUP, parent, name + b"\0"))[0]


async def test_a_lookup_of_a_node_is_the_long_ways(nodes, tree):
    """The same number and attributes; both are references."""
    answer = asked(nodes, LOOKUP, ROOT, b"text\0")
    ino, attr = await tree.lookup(ROOT, b"text", CTX)

    assert struct.unpack_from("=4Q", answer) == (ino, 0, FOREVER, 0)
    seen = unpacked(answer[40:])
    assert (seen.pop("ino"), seen.pop("flags")) == (ino, 0)
    assert seen == attr._asdict()
    assert tree.inode(ino).lookups == 2
    answer = asked(nodes, GETATTR, ino, bytes(16))
    assert struct.unpack_from("=QII", answer) == (0, 0, 0)
    assert unpacked(answer[16:])["size"] == 4


def test_names_that_are_not_there(nodes):
    """What never comes may be remembered; a volume's root goes the long way."""
    answer = asked(nodes, LOOKUP, ROOT, b"none\0")
    assert struct.unpack_from("=4Q", answer) == (0, 0, FOREVER, 0)
    assert len(answer) == 128
    comes = looked_up(nodes, b"comes")
    assert asked(nodes, LOOKUP, comes, b"none\0") == -errno.ENOENT
    text = looked_up(nodes, b"text")
    assert asked(nodes, LOOKUP, text, b"none\0") == -errno.ENOTDIR
    assert asked(nodes, LOOKUP, ROOT, b"files\0") == NOT


async def test_a_file_is_opened_for_reading(nodes, tree):
    """As the long way opens it; who would write may have to wait."""
    ino = looked_up(nodes, b"state")
    answer = asked(nodes, OPEN, ino, struct.pack("=II", 0, 0))
    fh, flags, _ = struct.unpack("=QII", answer)

    assert flags == 1 << 0 | 1 << 5
    assert await tree.read(fh, 0, 100) == b"online"
    assert asked(nodes, OPEN, ino, struct.pack("=II", 1, 0)) == NOT
    assert asked(nodes, OPEN, ino, struct.pack("=II", 2, 0)) == NOT
    many = looked_up(nodes, b"many")
    assert asked(nodes, OPEN, many, struct.pack("=II", 0, 0)) == NOT


def test_what_an_open_refuses(nodes, tree):
    """Is its errno, and nothing is left open."""
    ino = looked_up(nodes, b"text")

    def gone():
        raise TreeError(errno.ENODEV)

    tree.inode(ino).node._render = gone
    assert asked(nodes, OPEN, ino, struct.pack("=II", 0, 0)) == -errno.ENODEV
    assert not tree._handles


def entries(data):
    """(cookie, name, number, type) of struct fuse_direntplus, one after another."""
    found = []
    while data:
        (shown,) = struct.unpack_from("=Q", data)
        ino, cookie, length, kind = struct.unpack_from("=QQII", data, 128)
        assert shown == ino
        found.append((cookie, data[152 : 152 + length], ino, kind))
        data = data[(152 + length + 7) // 8 * 8 :]
    return found


def listed(direct, fh, start, size):
    body = struct.pack("=QQIIQII", fh, start, size, 0, 0, 0, 0)
    answer = asked(direct, READDIRPLUS, ROOT, body)
    return entries(answer) if isinstance(answer, bytes) else answer


async def test_a_directory_is_listed_as_on_the_long_way(nodes, tree):
    """In pieces of any size; the two dots are no lookups."""
    many = looked_up(nodes, b"many")
    answer = asked(nodes, OPENDIR, many, bytes(8))
    fh = struct.unpack_from("=Q", answer)[0]
    found, sizes = [], [1000, 4096, 1 << 20, 1 << 20]
    while piece := listed(nodes, fh, len(found), sizes.pop(0)):
        found += piece
    wanted = []
    await tree.readdir(fh, 0, wanted)

    assert [entry[:3] for entry in found] == wanted
    assert [kind for *_, kind in found] == [4, 4] + [8] * 40
    assert len(found) == 42
    assert {tree.inode(ino).lookups for _, _, ino, _ in found[2:]} == {2}
    assert tree.inode(many).lookups == 1
    assert asked(nodes, RELEASEDIR, many, struct.pack("=QII", fh, 0, 0)) == 0
    assert not tree._dirs


async def test_a_second_list_names_the_entries_alone(nodes, tree):
    """As long as they are the same; nothing is counted."""
    many = looked_up(nodes, b"many")
    tree.inode(many).node.steady = True

    def whole():
        answer = asked(nodes, OPENDIR, many, bytes(8))
        fh = struct.unpack_from("=Q", answer)[0]
        body = struct.pack("=QQIIQII", fh, 0, 1 << 20, 0, 0, 0, 0)
        return asked(nodes, READDIRPLUS, many, body)

    first, second = whole(), whole()
    assert len(entries(first)) == 42
    (shown,) = struct.unpack_from("=Q", second)
    ino, cookie, length, kind = struct.unpack_from("=QQII", second, 128)
    assert (shown, ino, cookie, length, kind) == (0, many, 1, 1, 4)
    assert len(second) == len(first)
    numbers = {ino for _, _, ino, _ in entries(first)} - {many}
    assert {tree.inode(ino).lookups for ino in numbers} == {1}
    tree.inode(many).node.add(b"g", TextFile(lambda: b""))
    assert len(entries(whole())) == 43
    assert {tree.inode(ino).lookups for ino in numbers} == {2}


class Alike(Dir):
    """Directories that are steady and share their names."""

    steady = True
    shared = Names((b"a", b"b"))

    def names(self):
        return self.shared


@pytest.fixture
def alike():
    """Two of them, below a root."""
    made = [
        Alike({name: TextFile(lambda: b"", size=9) for name in (b"a", b"b")})
        for _ in range(2)
    ]
    for directory in made:
        for _, node in directory.entries():
            node.attr_timeout = FOREVER
    Alike.shared.lists = None
    return Handlers(
        Dir({b"one": made[0], b"two": made[1]}),
        NodeWire(),
        Shim(None, None),
        lambda: Gate(trio),
    )


def list_whole(direct, ino):
    answer = asked(direct, OPENDIR, ino, bytes(8))
    fh = struct.unpack_from("=Q", answer)[0]
    body = struct.pack("=QQIIQII", fh, 0, 1 << 16, 0, 0, 0, 0)
    return asked(direct, READDIRPLUS, ino, body)


async def test_directories_that_are_alike_are_listed_alike(alike):
    """With numbers of their own; nothing is made for that of the second."""
    direct = Direct(alike)
    one, two = looked_up(direct, b"one"), looked_up(direct, b"two")
    first, second = list_whole(direct, one), list_whole(direct, two)
    names = [(name, kind) for _, name, _, kind in entries(first)]

    assert names == [(name, kind) for _, name, _, kind in entries(second)]
    numbers = [ino for _, _, ino, _ in entries(second)[2:]]
    assert not any(alike.is_known(ino) for ino in numbers)
    assert {alike.inode(ino).lookups for ino in numbers} == {1}
    wanted = []
    await alike.readdir(await alike.opendir(two, CTX), 0, wanted)
    assert [entry[:3] for entry in entries(second)] == wanted


async def test_a_lookup_of_what_lists_show_makes_nothing(alike):
    """Its answer is the long way's; what somebody has asked for more of is counted."""
    direct = Direct(alike)
    one, two = looked_up(direct, b"one"), looked_up(direct, b"two")
    list_whole(direct, one)
    answer = asked(direct, LOOKUP, two, b"b\0")
    (ino,) = struct.unpack_from("=Q", answer)

    assert not alike.is_known(ino)
    attr = alike.inode(ino).node.attr()
    assert asked(direct, LOOKUP, two, b"b\0")[:40] == answer[:40]
    assert alike.inode(ino).lookups == 1
    assert (await alike.lookup(two, b"b", CTX))[0] == ino
    seen = unpacked(answer[40:])
    assert (seen["ino"], seen["mode"], seen["size"]) == (ino, attr.mode, 9)


@pytest.mark.parametrize("way", [0, 1])
async def test_who_looks_names_up_first_is_given_no_entries(alike, way):
    """They are few of many, mostly, and the kernel has them."""
    direct = Direct(alike)
    one, two = looked_up(direct, b"one"), looked_up(direct, b"two")
    if way:
        list_whole(direct, one)
    looked_up(direct, b"b", two)
    answer = list_whole(direct, two)

    assert struct.unpack_from("=Q", answer) == (0,)
    assert answer == list_whole(direct, two)
    assert len(answer) == len(list_whole(direct, one))


def test_there_is_nothing_in_what_has_gone(alike):
    """Whatever was remembered of it."""
    direct = Direct(alike)
    one, two = looked_up(direct, b"one"), looked_up(direct, b"two")
    list_whole(direct, one)
    alike.inode(two).node.gone = True
    assert asked(direct, LOOKUP, two, b"b\0") == -errno.ENOENT
    assert asked(direct, OPENDIR, two, bytes(8)) == -errno.ENOENT


def test_a_directory_with_a_volume_goes_the_long_way_from_there(nodes):
    """Which knows the volume's root."""
    answer = asked(nodes, OPENDIR, ROOT, bytes(8))
    fh = struct.unpack_from("=Q", answer)[0]
    found = listed(nodes, fh, 0, 4096)

    assert [name for _, name, _, _ in found] == [b".", b"..", b"comes"]
    assert listed(nodes, fh, 3, 4096) == NOT


async def test_a_listing_that_has_to_wait_goes_the_long_way(nodes, tree):
    """While names change."""
    listings = tree.listings = Listings(trio, lambda pid: Doing(True, 0.0, 0))
    comes = looked_up(nodes, b"comes")
    async with listings.change(PID + 1, lambda: False):
        assert asked(nodes, OPENDIR, comes, bytes(8)) == NOT
        # Names that are always there change for nobody.
        assert asked(nodes, OPENDIR, looked_up(nodes, b"many"), bytes(8)) != NOT
    answer = asked(nodes, OPENDIR, comes, bytes(8))
    fh = struct.unpack_from("=Q", answer)[0]
    # Now a change waits for it.
    assert listings._busy(PID + 1)
    asked(nodes, RELEASEDIR, comes, struct.pack("=QII", fh, 0, 0))
    assert not listings._open
