"""The tree without a kernel: nodes, handles, inode numbers, callers."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess

import pytest
import trio

from memfs.callers import Callers, errno_of, pending
from memfs.inodes import ROOT, RUN_MOST, InodeTable, number, split
from memfs.shim import HOOKS, LESSER_FORM, Shim
from memfs.tree import (
    PROC,
    ROOT_CALLER,
    SYSFS,
    Caller,
    ControlFile,
    Dir,
    Interrupt,
    Link,
    Node,
    TextFile,
    TreeError,
    VolumeDir,
)


def text(*renderings, **more):
    """A file with one rendering after the other; the last one stays."""
    left = list(renderings)
    return TextFile(lambda: left.pop(0) if len(left) > 1 else left[0], **more)


def refused(call, *args):
    with pytest.raises(TreeError) as caught:
        call(*args)
    return caught.value.errno


def opened(node, flags=os.O_RDONLY):
    return node.open(flags, ROOT_CALLER)


# Directories and links


def test_entries_are_sorted_and_the_same_nodes_as_lookups():
    names = [b"b", b"a", b"node10", b"node9"]
    directory = Dir({name: text(b"") for name in names})
    assert [name for name, _ in directory.entries()] == sorted(names)
    assert all(directory.lookup(name) is node for name, node in directory.entries())
    assert directory.lookup(b"c") is None


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0", b"there"])
def test_names_that_no_kernel_takes_are_refused(name):
    directory = Dir({b"there": text(b"")})
    with pytest.raises(ValueError, match=r"file name|twice"):
        directory.add(name, text(b""))


def test_a_directory_counts_its_subdirectories():
    directory = Dir({b"a": Dir(), b"b": text(b""), b"c": VolumeDir(None)})
    assert directory.attr().nlink == 4
    directory.add(b"d", Dir())
    assert directory.attr().nlink == 5
    assert stat.S_ISDIR(directory.attr().mode)


def test_a_link_is_as_long_as_its_target():
    assert Link(b"../x").attr().size == 4
    assert Link(lambda: b"later").readlink() == b"later"
    assert refused(text(b"").readlink) == errno.EINVAL


# Text files


def test_size_is_the_length_of_the_rendering():
    assert text(b"12345").attr().size == 5
    assert text(b"12345", size=4096).attr().size == 4096


def test_a_fixed_size_costs_no_rendering():
    assert TextFile(lambda: 1 // 0, size=4096).attr().size == 4096


def test_attributes_are_the_same_object_until_the_text_changes():
    file = text(b"one", b"one", b"two!")
    first = file.attr()
    assert file.attr() is first
    assert file.attr().size == 4


def test_one_rendering_is_kept_for_a_version():
    rendered = []
    version = [1]
    file = TextFile(
        lambda: rendered.append(0) or b"x" * len(rendered), version=lambda: version[0]
    )
    assert [file.text(), file.text(), file.attr().size] == [b"x", b"x", 1]
    version[0] = 2
    assert file.text() == b"xx"


def test_a_handle_is_a_snapshot_until_it_is_rewound():
    handle = opened(text(b"first", b"second"))
    assert handle.read(0, 3) + handle.read(3, 100) + handle.read(5, 100) == b"first"
    assert handle.read(0, 100) == b"second"


def test_a_write_only_open_renders_nothing():
    async def store(data, caller, interrupt):
        pass

    opened(ControlFile(lambda: 1 // 0, store), os.O_WRONLY)


@pytest.mark.parametrize(
    ("mode", "manners", "flags", "code"),
    [
        (0o444, SYSFS, os.O_WRONLY, errno.EACCES),
        (0o444, SYSFS, os.O_RDWR, errno.EACCES),
        (0o200, SYSFS, os.O_RDONLY, errno.EACCES),
        (0o200, SYSFS, os.O_RDWR, errno.EACCES),
    ],
)
def test_open_refuses_what_a_file_cannot_do(mode, manners, flags, code):
    assert refused(opened, text(b"", mode=mode, manners=manners), flags) == code


async def test_procfs_refuses_at_the_write():
    handle = opened(text(b"x", manners=PROC), os.O_RDWR)
    with pytest.raises(TreeError) as caught:
        await handle.write(0, b"y", Interrupt())
    assert caught.value.errno == errno.EIO


async def test_each_write_is_one_command():
    said = []

    async def store(data, caller, interrupt):
        said.append((data, caller.pid))

    file = ControlFile(lambda: b"", store)
    handle = file.open(os.O_WRONLY, Caller(42, 0, 0))
    assert handle.pid == 42
    assert await handle.write(0, b"one\n", Interrupt()) == 4
    assert await handle.write(999, b"two", Interrupt()) == 3
    assert await handle.write(0, b"", Interrupt()) == 0
    assert said == [(b"one\n", 42), (b"two", 42)]


# Interrupts


def test_an_interrupt_wakes_each_listener_once():
    interrupt, log = Interrupt(), []
    interrupt.listen(lambda: log.append("one"))
    gone = lambda: log.append("gone")  # noqa: E731
    interrupt.listen(gone)
    interrupt.unlisten(gone)
    interrupt.set()
    interrupt.set()
    interrupt.listen(lambda: log.append("late"))
    assert log == ["one", "late"]
    assert interrupt.is_set()


# Inode numbers


class Held(Node):
    fresh_inode = True


@pytest.fixture
def table():
    return InodeTable(Dir())


def test_a_node_keeps_its_number(table):
    node = text(b"")
    first = table.enter(node)
    first.lookups += 1
    assert table.enter(node) is first
    table.forget(first.ino, 1)
    assert first.ino not in table.by_ino
    assert table.enter(node).ino == first.ino


def test_the_root_is_never_forgotten(table):
    table.forget(ROOT, 10**6)
    assert ROOT in table.by_ino


def test_a_private_number_is_given_once(table):
    node = Held()
    usual, one, two = (
        table.enter(node),
        table.enter_private(node),
        table.enter_private(node),
    )
    assert len({usual.ino, one.ino, two.ino}) == 3
    assert one.private
    assert not usual.private
    assert table.enter(node) is usual
    one.lookups += 1
    table.forget(one.ino, 1)
    assert one.ino not in table.by_ino


@pytest.fixture
def small():
    """A directory that is steady, and its children, by name."""
    directory = Dir({name: text(name) for name in (b"b", b"a", b"c")})
    directory.steady = True
    return directory


def test_children_of_a_small_directory_are_numbered_in_their_order(table, small):
    """Known before anybody asks for one; others have numbers beside them."""
    before, run = table.enter(text(b"")), table.run_of(small)
    later = table.enter(text(b""))

    assert run.names == (b"a", b"b", b"c")
    numbers = [run.number(name) for name in run.names]
    assert numbers == list(range(before.ino + 1, later.ino))
    assert table.run_of(small) is run
    assert [table.run_with(ino) for ino in numbers] == [run] * 3
    assert table.run_with(before.ino) is table.run_with(later.ino) is None
    found = table.enter(small.lookup(b"b"), small, b"b")
    assert found.ino == run.number(b"b")
    assert table.inode(run.number(b"c")).node is small.lookup(b"c")
    assert table.inode(found.ino) is found


def test_what_of_a_run_is_forgotten_is_made_again(table, small):
    """With its number; of others nothing is known any more."""
    run, other = table.run_of(small), table.enter(text(b""))
    table.refer(run)
    first = table.inode(run.number(b"a"))
    assert first.lookups == 1
    table.refer(run)
    assert first.lookups == 2
    for inode in (first, other):
        table.forget(inode.ino, 2)
        assert inode.ino not in table.by_ino
    again = table.inode(first.ino)
    assert (again.ino, again.node) == (first.ino, first.node)
    with pytest.raises(KeyError):
        table.inode(other.ino)


def test_who_has_a_writer_is_not_forgotten(table, small):
    """Not all references to what is in a run are counted."""
    run = table.run_of(small)
    held = table.inode(run.number(b"a"))
    held.writers = 1
    table.forget(held.ino, 5)
    assert table.inode(held.ino) is held


def test_who_has_no_run(table, small):
    """Directories that change by themselves, and large ones."""
    assert table.run_of(Dir({b"a": text(b"")})) is None
    large = Dir({b"%d" % n: text(b"") for n in range(RUN_MOST + 1)})
    large.steady = True
    assert table.run_of(large) is None
    small.add(b"late", text(b""))
    table.run_of(small)
    late = text(b"")
    small.add(b"later", late)
    assert table.run_with(table.enter(late, small, b"later").ino) is None


def test_volumes_have_number_spaces_of_their_own(table):
    one, two = object(), object()
    roots = [table.volume_root(VolumeDir(v)) for v in (one, two, one)]
    assert roots == [number(0, 1), number(1, 1), number(0, 1)]
    assert split(number(1, 77)) == (1, 77)
    assert split(5) == (-1, 5)
    assert split(number(0, (1 << 48) - 1)) == (0, (1 << 48) - 1)


# Callers


def test_an_errno_passes_and_a_bug_is_eio(caplog):
    assert errno_of(TreeError(errno.EBUSY), "x") == errno.EBUSY
    assert errno_of(OSError(errno.ENOSPC, "full"), "x") == errno.ENOSPC
    assert caplog.text == ""
    assert errno_of(KeyError("bug"), "lookup") == errno.EIO
    assert "lookup failed" in caplog.text


def test_a_process_without_signals_is_not_pending():
    assert not pending(os.getpid())
    assert not pending(0)


def test_a_process_that_is_gone_is_pending():
    child = subprocess.Popen(["true"])
    child.wait()
    assert pending(child.pid)


def test_a_blocked_signal_does_not_count():
    command = ["cat"]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
    )
    try:
        os.kill(child.pid, signal.SIGUSR1)
        assert not pending(child.pid)
    finally:
        child.kill()
        child.communicate()


async def test_who_never_waits_is_never_watched():
    async def work():
        return 7

    callers = Callers(Shim(None, None))
    assert await callers.attend(work(), Interrupt(), os.getpid(), False) == 7
    assert callers.waiting() == 0


async def test_who_waits_is_watched_until_the_end(nursery):
    callers, interrupt, log = Callers(Shim(None, None)), Interrupt(), []

    async def work():
        event = trio.Event()
        interrupt.listen(event.set)
        await event.wait()
        await trio.lowlevel.checkpoint()
        return "done"

    async def request():
        log.append(await callers.attend(work(), interrupt, os.getpid(), False))

    nursery.start_soon(request)
    await trio.testing.wait_all_tasks_blocked()
    assert callers.waiting() == 1
    assert callers.polling
    callers.poll()
    assert not interrupt.is_set()
    callers.interrupt_all()
    await trio.testing.wait_all_tasks_blocked()
    assert log == ["done"]
    assert callers.waiting() == 0


async def test_an_exception_after_a_wait_comes_through():
    async def work():
        await trio.lowlevel.checkpoint()
        raise KeyError("x")

    callers = Callers(Shim(None, None))
    with pytest.raises(KeyError):
        await callers.attend(work(), Interrupt(), 0, True)


async def test_a_cancelled_request_is_not_watched_any_more():
    async def work():
        await trio.sleep_forever()

    callers = Callers(Shim(None, None))
    with trio.move_on_after(0):
        await callers.attend(work(), Interrupt(), os.getpid(), False)
    assert callers.waiting() == 0


def test_every_hook_has_its_lesser_form():
    assert list(LESSER_FORM) == list(HOOKS)
    assert Shim(None, None).hooks() == dict.fromkeys(HOOKS, False)
