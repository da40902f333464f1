"""Requests answered at once: the bytes of the answers, and what goes the long way."""

from __future__ import annotations

import ctypes
import errno
import struct
from types import SimpleNamespace

import pytest
import trio
from memvolume import MemVolume

from memfs.direct import NONE, NOT, TABLE, Direct
from memfs.handlers import Handlers
from memfs.inodes import ROOT, number
from memfs.shim import Shim
from memfs.tree import Caller, Dir, VolumeDir
from memfs.turns import Gate

ME = Caller(1, 2, 3)
LOOKUP, FORGET, GETATTR, UNLINK, RELEASE, BATCH_FORGET = 1, 2, 3, 10, 18, 42
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


def ask(direct, opcode, own, body=b"", index=0):
    """The answer's number, or its bytes."""
    buffer = ctypes.create_string_buffer(body, len(body))
    n = direct.answer(opcode, number(index, own), ctypes.addressof(buffer), len(body))
    return direct.room.raw[:n] if 0 < n < NOT else n


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
    assert ask(direct, UNLINK, 1, b"a\0") == 0
    assert b"a" not in volume.files[1].names
    assert ask(direct, FORGET, ino, struct.pack("=Q", 1)) == NONE
    assert ino in volume.files
    pairs = struct.pack("=IIQQ", 1, 0, number(0, ino), 1)
    assert ask(direct, BATCH_FORGET, 0, pairs, index=-1) == NONE
    assert ino not in volume.files


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
    volume.at_once = lambda what, *args: False
    assert ask(direct, opcode, 1, b"a\0") == NOT
    assert b"a" in volume.files[1].names


async def test_a_bug_is_an_error_of_its_caller(direct, volume, caplog):
    assert ask(direct, GETATTR, 12345) == -errno.EIO
    assert "getattr failed" in caplog.text


def test_every_row_has_a_number_that_the_shim_can_ask_for():
    assert all(0 < opcode < 64 for opcode in TABLE)
