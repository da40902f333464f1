"""Which node or volume answers a request: the handlers without pyfuse3 or kernel."""

from __future__ import annotations

import errno
import os
import select
from types import SimpleNamespace

import pytest
import trio
from memvolume import MemVolume

from memfs.handlers import Handlers
from memfs.inodes import ROOT
from memfs.shim import Shim
from memfs.tree import PROC, ControlFile, Dir, TextFile, TreeError, VolumeDir
from memfs.turns import Gate, Turn

CTX = SimpleNamespace(pid=10, uid=0, gid=0, umask=0o022)
OTHER = SimpleNamespace(pid=11, uid=0, gid=0, umask=0o022)
THIRD = SimpleNamespace(pid=12, uid=0, gid=0, umask=0o022)


class FakeWire:
    """Shows entries as (number, attributes); lists as many as there is room."""

    def __init__(self):
        self.room = 1000

    def node_entry(self, inode):
        inode.entry = inode.ino, inode.node.attr()
        return inode.entry

    def volume_entry(self, volume, ino, attr):
        return ino, attr

    def absent(self):
        return 0, None

    def opened(self, fh):
        return fh

    def statfs(self, seen):
        return seen

    def listed(self, token, name, entry, cookie):
        if len(token) >= self.room:
            return False
        token.append((name, entry[0], cookie))
        return True


@pytest.fixture
def wire():
    return FakeWire()


@pytest.fixture
def volumes():
    return MemVolume(None), MemVolume(None)


@pytest.fixture
def handlers(wire, volumes):
    said = []

    async def store(data, caller, interrupt):
        said.append(data)

    root = Dir(
        {
            b"memhotplug": ControlFile(lambda: b"text", store, fresh_inode=True),
            b"numbers": Dir({b"%d" % n: TextFile(lambda: b"") for n in range(10)}),
            b"files": VolumeDir(volumes[0]),
            b"shm": VolumeDir(volumes[1]),
        }
    )
    return Handlers(root, wire, Shim(None, None), lambda: Gate(trio))


async def ino_of(handlers, name, ctx=CTX):
    return (await handlers.lookup(ROOT, name, ctx))[0]


async def refused(work):
    with pytest.raises(TreeError) as caught:
        await work
    return caught.value.errno


async def test_what_is_not_there_has_the_number_0(handlers):
    assert await ino_of(handlers, b"nothing") == 0


async def test_forgotten_nodes_are_known_no_more(handlers):
    ino = await ino_of(handlers, b"memhotplug")
    await ino_of(handlers, b"memhotplug")
    await handlers.forget([(ino, 1)])
    assert (await handlers.getattr(ino, CTX))[0] == ino
    await handlers.forget([(ino, 1)])
    with pytest.raises(KeyError):
        await handlers.getattr(ino, CTX)


async def test_a_listing_goes_on_where_it_stopped(handlers, wire):
    wire.room = 5
    fh = await handlers.opendir(await ino_of(handlers, b"numbers"), CTX)
    names, cookie = [], 0
    while True:
        part = []
        await handlers.readdir(fh, cookie, part)
        if not part:
            break
        names += [name for name, _, _ in part]
        cookie = part[-1][2]
    assert names == [b".", b"..", *(b"%d" % n for n in range(10))]


async def test_only_what_was_listed_is_counted(handlers, wire):
    wire.room = 4
    fh = await handlers.opendir(await ino_of(handlers, b"numbers"), CTX)
    part = []
    await handlers.readdir(fh, 0, part)
    listed = [ino for name, ino, _ in part if name not in (b".", b"..")]
    await handlers.forget([(ino, 1) for ino in listed])
    for ino in listed:
        with pytest.raises(KeyError):
            await handlers.getattr(ino, CTX)


async def test_each_volume_is_asked_for_its_own(handlers, volumes):
    roots = [await ino_of(handlers, name) for name in (b"files", b"shm")]
    for root, volume in zip(roots, volumes, strict=True):
        await handlers.mkdir(root, b"d", 0o40755, CTX)
        assert b"d" in volume.files[1].names
    assert roots[0] != roots[1]
    [first] = [ino for ino in volumes[0].files if ino != 1]
    assert volumes[0].files[first].lookups == 1


async def test_a_second_writer_is_sent_back_and_returns_with_its_own_number(handlers):
    ino = await ino_of(handlers, b"memhotplug")
    first = await handlers.open(ino, os.O_WRONLY, CTX)
    assert await ino_of(handlers, b"memhotplug", OTHER) == ino
    assert await refused(handlers.open(ino, os.O_WRONLY, OTHER)) == errno.ESTALE
    own = await ino_of(handlers, b"memhotplug", OTHER)
    assert own != ino
    assert await ino_of(handlers, b"memhotplug", THIRD) == ino
    second = await handlers.open(own, os.O_WRONLY, OTHER)
    assert await ino_of(handlers, b"memhotplug", OTHER) == ino
    for fh in (first, second):
        assert await handlers.write(fh, 0, b"x") == 1
        await handlers.release(fh)
    await handlers.release(await handlers.open(ino, os.O_WRONLY, THIRD))


async def test_readers_share_the_number_of_a_writer(handlers):
    ino = await ino_of(handlers, b"memhotplug")
    await handlers.open(ino, os.O_RDWR, CTX)
    fh = await handlers.open(ino, os.O_RDONLY, OTHER)
    assert await handlers.read(fh, 0, 100) == b"text"


async def test_one_is_sent_back_at_a_time(handlers, nursery, autojump_clock):
    ino = await ino_of(handlers, b"memhotplug")
    await handlers.open(ino, os.O_WRONLY, CTX)
    log = []

    async def open_it(ctx):
        log.append((ctx.pid, await refused(handlers.open(ino, os.O_WRONLY, ctx))))

    await open_it(OTHER)
    nursery.start_soon(open_it, THIRD)
    await trio.lowlevel.checkpoint()
    assert log == [(11, errno.ESTALE)]
    await handlers.open(await ino_of(handlers, b"memhotplug", OTHER), 1, OTHER)
    await trio.testing.wait_all_tasks_blocked()
    assert log == [(11, errno.ESTALE), (12, errno.ESTALE)]


async def test_who_never_comes_back_holds_nobody_up(handlers, autojump_clock):
    ino = await ino_of(handlers, b"memhotplug")
    await handlers.open(ino, os.O_WRONLY, CTX)
    assert await refused(handlers.open(ino, os.O_WRONLY, OTHER)) == errno.ESTALE
    start = trio.current_time()
    assert await refused(handlers.open(ino, os.O_WRONLY, THIRD)) == errno.ESTALE
    assert trio.current_time() - start == pytest.approx(Gate.PATIENCE_S)


async def test_no_command_is_taken_at_the_end(handlers):
    fh = await handlers.open(await ino_of(handlers, b"memhotplug"), os.O_WRONLY, CTX)
    handlers.closing = True
    assert await refused(handlers.write(fh, 0, b"x")) == errno.ENOTCONN


# Who reads the next request


async def test_the_reader_keeps_its_turn_until_it_passes_it_on(nursery):
    turn, log = Turn(trio.lowlevel.ParkingLot()), []

    async def reader(name):
        async with turn:
            log.append(name)

    async with turn:
        nursery.start_soon(reader, "second")
        await trio.testing.wait_all_tasks_blocked()
        turn.pass_on()
        await trio.testing.wait_all_tasks_blocked()
        assert log == []
    await trio.testing.wait_all_tasks_blocked()
    assert log == []
    turn.pass_on()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["second"]


async def test_the_end_lets_every_reader_go(nursery):
    turn, log = Turn(trio.lowlevel.ParkingLot()), []

    async def reader():
        async with turn:
            log.append("gone")

    async with turn:
        for _ in range(3):
            nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        turn.end()
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["gone"] * 3


@pytest.mark.parametrize(
    ("flags", "text", "kept"),
    [
        (os.O_RDONLY, b"x" * 48, True),
        (os.O_RDONLY, b"x" * 49, False),
        (os.O_RDONLY, b"", True),
        (os.O_WRONLY, b"text", False),
        (os.O_RDWR, b"text", False),
    ],
)
@pytest.mark.parametrize("steady", [True, False])
async def test_which_texts_are_kept(wire, flags, text, kept, steady):
    """Small ones that do not change by themselves, as a reader was shown them."""
    file = TextFile(lambda: text, manners=PROC)
    file.steady = steady
    shim, told = Shim(None, None), []
    shim.text_keep = lambda *args: told.append(args)
    handlers = Handlers(Dir({b"f": file}), wire, shim, lambda: Gate(trio))
    inode = handlers._inodes.enter(file)
    await handlers.open(inode.ino, flags, CTX)
    assert told == ([(inode.ino, text, len(text))] if kept and steady else [])


class Ahead(Dir):
    """Is steady, and knows what others of its kind show."""

    steady = True
    others = ()

    def ahead(self, name):
        return [(other, text) for other, text in self.others if other.lookup(name)]


async def test_texts_that_are_made_ahead_are_kept(wire):
    """By the numbers that their files will have; long ones are not."""
    files = [TextFile(lambda: b"text", manners=PROC) for _ in range(6)]
    for file in files:
        file.steady = True
    dirs = [Ahead({b"a": files[n], b"b": files[n + 1]}) for n in (0, 2, 4)]
    dirs[0].others = (dirs[1], b"one"), (dirs[2], b"x" * 49)
    shim, told = Shim(None, None), []
    shim.text_keep = lambda *args: told.append(args)
    root = Dir({b"%d" % n: one for n, one in enumerate(dirs)})
    handlers = Handlers(root, wire, shim, lambda: Gate(trio))
    where = await ino_of(handlers, b"0")
    ino = (await handlers.lookup(where, b"b", CTX))[0]
    await handlers.open(ino, os.O_RDONLY, CTX)
    other = (await handlers.lookup(await ino_of(handlers, b"1"), b"b", CTX))[0]

    assert told == [(ino, b"text", 4), (other, b"one", 3)]


class ShimThatOpens(Shim):
    """Has opened one file, number 77, which showed *text*."""

    def __init__(self, ino, text):
        super().__init__(None, None)
        self._opened = {77: (ino, text)}

    def text_adopt(self, fh):
        return self._opened.pop(fh, None)


@pytest.fixture
def adopted(wire):
    """Makes handlers whose shim has opened a file when it showed something."""

    def make(text):
        file = TextFile(lambda: b"now")
        file.poll_key = lambda: file.text()
        shim = ShimThatOpens(2, text)
        handlers = Handlers(Dir({b"f": file}), wire, shim, lambda: Gate(trio))
        handlers._inodes.enter(file)
        return handlers, file

    return make


async def test_a_file_that_the_shim_has_opened_is_rendered_anew(adopted):
    """When it is rewound; then it is as any other."""
    handlers, _ = adopted(b"before")
    assert await handlers.read(77, 0, 100) == b"now"
    assert await handlers.read(77, 1, 100) == b"ow"
    await handlers.release(77)
    assert not handlers._handles


@pytest.mark.parametrize(("text", "news"), [(b"now", False), (b"before", True)])
async def test_who_polls_it_is_told_of_what_it_did_not_show(adopted, text, news):
    """What has changed since the shim opened it."""
    handlers, _ = adopted(text)
    told = await handlers.poll(2, 77, None, CTX)
    assert bool(told & select.POLLPRI) == news


async def test_a_file_that_has_gone_is_news(adopted):
    """And an error to who reads it."""
    handlers, file = adopted(b"now")

    def gone():
        raise TreeError(errno.ENODEV)

    file._render, file.poll_key = gone, lambda: None
    assert await handlers.poll(2, 77, None, CTX) & select.POLLPRI
    with pytest.raises(TreeError):
        await handlers.read(77, 0, 100)


async def test_what_nobody_has_opened_is_ready(adopted):
    """And its close is no error."""
    handlers, _ = adopted(b"now")
    assert not await handlers.poll(2, 79, None, CTX) & select.POLLPRI
    await handlers.release(79)
