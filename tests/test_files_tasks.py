"""control/tasks: an open descriptor is a modelled process."""

import contextlib
import errno
import os

import pytest
import trio
from fakes import fake_mount, look_up, text_of
from hypothesis import example, given
from hypothesis import strategies as st

from memfs.files import taskgrammar
from memfs.files.grammar import GrammarError
from memfs.files.taskgrammar import MapAnon, MapFile, Touch, Unmap, Wait
from memfs.mount import OpenFile
from memfs.tree import Caller, Interrupt, TreeError

ME = Caller(os.getpid(), 0, 0)
MIB = 1 << 20


@pytest.fixture
def mount():
    return fake_mount()


def opened(mount, caller=ME, flags=os.O_RDWR):
    return look_up(mount, "control/tasks").open(flags, caller)


async def say(handle, text):
    data = text if isinstance(text, bytes) else text.encode()
    return await handle.write(0, data, Interrupt())


def state(handle):
    return handle.read(0, 1 << 16).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mmap anon 200M\n", MapAnon(200 * MIB)),
        ("mmap anon 1", MapAnon(4096)),
        ("mmap file files/big 1G", MapFile("files/big", 1 << 30)),
        ("mmap file shm/x 8K private", MapFile("shm/x", 8192, False)),
        ("mmap file shm/x 8K ro", MapFile("shm/x", 8192, True, False)),
        (
            "mmap file 'files/a b' 8K private ro",
            MapFile("files/a b", 8192, False, False),
        ),
        ("touch 1", Touch(1)),
        ("touch 1 write sequential forever", Touch(1, True, passes=None)),
        ("touch 2 read random once", Touch(2, False, "random")),
        ("touch 2 random 7", Touch(2, False, "random", 7)),
        ("touch 1 write first 16 nr 32", Touch(1, True, first=16, nr=32)),
        ("touch 1 nr 32 10", Touch(1, passes=10, nr=32)),
        ("munmap 3", Unmap(3)),
        ("wait", Wait()),
    ],
)
def test_what_is_a_command(text, expected):
    """Every form of the grammar; sizes are rounded up to pages."""
    assert taskgrammar.parse(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\n",
        "mmap",
        "mmap anon",
        "mmap anon 0",
        "mmap anon 256T",
        "mmap anon lots",
        "mmap anon 1M 1M",
        "mmap swap 1M",
        "mmap file files/big",
        "mmap file files/big 1M shared private",
        "mmap file files/big 1M rw",
        "mmap file 'files/big 1M",
        "touch",
        "touch x",
        "touch -1",
        "touch 1 read write",
        "touch 1 once forever",
        "touch 1 once 2",
        "touch 1 2 3",
        "touch 1 0",
        "touch 1 first",
        "touch 1 nr 0",
        "touch 1 first 1 first 2",
        "munmap",
        "munmap 1 2",
        "wait 5",
        "fork",
        "mmap anon 1M\nmmap anon 1M",
        "wait\0",
    ],
)
def test_what_is_none(text):
    """EINVAL, with a sentence."""
    with pytest.raises(TreeError) as raised:
        taskgrammar.parse(text.encode())

    assert raised.value.errno == errno.EINVAL
    assert raised.value.message


@given(st.binary(max_size=100))
@example(b"\xff'")
def test_any_bytes_are_a_command_or_an_errno(data):
    """Nothing but a GrammarError (EINVAL) comes out of the parser."""
    with contextlib.suppress(GrammarError):
        taskgrammar.parse(data)


@given(
    st.lists(st.sampled_from("mmap touch anon file 1 4K read first nr wait".split()))
)
def test_any_words_are_a_command_or_an_errno(words):
    """The same for words of the grammar in any order."""
    with contextlib.suppress(GrammarError):
        taskgrammar.parse(" ".join(words).encode())


async def test_a_descriptor_is_a_process(mount):
    """It is listed by its pid while it is open, and shows its own state."""
    handle = opened(mount)
    assert text_of(mount, "control/tasks").startswith(f"pid={ME.pid} name={ME.pid} ")

    await say(handle, "mmap anon 200M")
    await say(handle, "touch 1 write random 3")

    assert "rss=51200" in state(handle).split()
    assert "area=1 kind=anon size=209715200\n" in state(handle)
    assert mount.machine.tasks.there[ME.pid].touches == [
        (1, True, "random", 3, 0, None)
    ]
    await handle.release()
    assert text_of(mount, "control/tasks") == ""


async def test_one_process_a_pid(mount):
    """A second by the same pid is EEXIST, until the first is closed."""
    first = opened(mount)
    with pytest.raises(TreeError) as raised:
        opened(mount)
    assert raised.value.errno == errno.EEXIST
    assert "is there already (EEXIST)" in mount.machine.klog.text()

    await first.release()
    await opened(mount).release()


async def test_a_new_process_waits_for_the_end_of_the_old(mount):
    """Opened while the one before is still torn down, it begins at its first write."""
    first = opened(mount)
    mount.machine.sched.round()
    first._process.end()
    second = opened(mount)
    assert state(second) == f"pid={ME.pid} state=starting\n"

    await say(second, "mmap anon 4K")

    assert "state=running" in state(second)
    await second.release()


async def test_a_descriptor_for_reading_is_no_process(mount):
    """It is the list."""
    handle = opened(mount, flags=os.O_RDONLY)

    assert handle.read(0, 100) == b""
    assert mount.processes == {}


async def test_a_caller_that_cannot_be_seen_gets_a_pid_of_its_own(mount):
    """Above every real pid."""
    first = opened(mount, Caller(0, 0, 0))
    second = opened(mount, Caller(0, 0, 0))

    assert sorted(mount.processes) == [4194304, 4194305]
    await first.release()
    await second.release()


async def test_a_thread_is_its_process(mount):
    """FUSE names the thread that opened; the process is meant."""
    tids = [int(tid) for tid in os.listdir("/proc/self/task")]

    assert {mount.process_id(tid) for tid in tids} == {os.getpid()}


async def test_a_walk_for_ever_runs_on_its_own(mount):
    """The write returns; munmap ends the walk."""
    handle = opened(mount)
    await say(handle, "mmap anon 1M")
    await say(handle, "touch 1 write forever")
    mount.machine.sched.round()
    assert "walk area=1 op=" in state(handle)

    await say(handle, "munmap 1")

    assert "walk" not in state(handle)
    assert "area=" not in state(handle)
    await handle.release()


async def test_the_last_close_ends_walks(mount):
    """Nothing of the process is left."""
    handle = opened(mount)
    await say(handle, "mmap anon 1M")
    await say(handle, "touch 1 forever")
    mount.machine.sched.round()
    await handle.release()

    assert mount.machine.sched.jobs() == []
    assert mount.machine.tasks.there == {}


async def test_wait_returns_when_no_walk_is_left(mount):
    """At once if there is none; ESRCH if the process was killed meanwhile."""
    handle = opened(mount)
    await say(handle, "wait")
    await say(handle, "mmap anon 1M")
    await say(handle, "touch 1 forever")

    def kill():
        for task in mount.machine.tasks.all():
            task.killed = True

    mount.pump.between = kill
    with pytest.raises(TreeError) as raised:
        await say(handle, "wait")
    assert raised.value.errno == errno.ESRCH
    assert "state=killed" in state(handle)
    await handle.release()


@pytest.mark.parametrize("text", ["touch 1", "munmap 1", "munmap 0"])
async def test_an_area_that_is_not_there(mount, text):
    """EINVAL, naming what is."""
    handle = opened(mount)
    with pytest.raises(TreeError) as raised:
        await say(handle, text)

    assert raised.value.errno == errno.EINVAL
    assert "there are none" in mount.machine.klog.text()
    await handle.release()


async def test_the_end_of_the_real_process_is_the_end(mount):
    """Though the descriptor lives on: it then answers ESRCH."""
    watched = {}
    mount.watcher = lambda pid, gone: watched.setdefault(pid, gone) and (lambda: None)
    handle = opened(mount)
    await say(handle, "mmap anon 1M")

    watched[ME.pid]()
    while mount.machine.sched.round():
        pass

    assert text_of(mount, "control/tasks") == ""
    assert state(handle) == f"pid={ME.pid} state=ended\n"
    with pytest.raises(TreeError) as raised:
        await say(handle, "mmap anon 1M")
    assert raised.value.errno == errno.ESRCH
    await handle.release()


async def test_a_file_is_given_back_with_its_area(mount):
    """At munmap, and at the last close."""
    closed = []

    async def resolve_file(path, write):
        async def close():
            await trio.lowlevel.checkpoint()
            closed.append(path)

        return OpenFile(object(), close)

    mount.resolve_file = resolve_file
    handle = opened(mount)
    await say(handle, "mmap file files/a 1M")
    await say(handle, "mmap file files/b 1M private ro")
    assert (
        "area=2 kind=file size=1048576 share=private access=ro path=files/b"
        in state(handle)
    )
    await say(handle, "munmap 1")
    assert closed == ["files/a"]
    await handle.release()
    assert closed == ["files/a", "files/b"]


@pytest.mark.parametrize("path", ["", "big", "proc/x", "files", "files/"])
async def test_a_path_is_below_a_volume(mount, path):
    """EINVAL for anything else."""
    with pytest.raises(TreeError) as raised:
        await mount.resolve_file(path, False)

    assert raised.value.errno == errno.EINVAL


async def test_shutdown_ends_every_process(mount):
    """Even if descriptors are open."""
    handle = opened(mount)
    await say(handle, "mmap anon 1M")
    await mount.shutdown()

    assert mount.processes == {}
