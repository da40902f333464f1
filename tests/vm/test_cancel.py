"""An operation may be cancelled between any two of its steps."""

from __future__ import annotations

import pytest
from vmkit import MIB, HostFile, assert_valid, empty, pattern, read, small, write

from memfs.vm import Cancelled


def prepare(tmp_path):
    """A small machine under pressure: a task, a file half dirty, a tmpfs file."""
    m = small()
    task = m.tasks.create("hog", 1)
    area = task.mmap_anon(10 * MIB)
    m.sched.run(task.touch(area, passes=1))
    file = m.files.create("file", HostFile(tmp_path / "file"))
    data = pattern(6 * MIB)
    write(m, file, 0, data)
    m.sched.run(file.fsync())
    shm = m.files.create("shm", HostFile(tmp_path / "shm"))
    write(m, shm, 0, pattern(4 * MIB, 2))
    write(m, file, 0, data[: 2 * MIB])
    return m, task, area, file, shm, data


OPS = {
    "purge": lambda m, task, area, file: m.purge(6),
    "touch": lambda m, task, area, file: task.touch(area, order="random", passes=2),
    "read": lambda m, task, area, file: file.read(0, file.size, m.read_ahead()),
    "write": lambda m, task, area, file: file.write(0, pattern(6 * MIB)),
    "fsync": lambda m, task, area, file: file.fsync(),
    "sync": lambda m, task, area, file: m.sync(),
    "plug": lambda m, task, area, file: m.plug(2),
    "validate": lambda m, task, area, file: m.validate(),
}


@pytest.mark.parametrize("name", sorted(OPS))
def test_cancel_at_any_step_leaves_a_valid_machine(name, tmp_path):
    """Nothing stays on hold, nothing stays locked, and every byte is right."""
    for steps in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        m, task, area, file, shm, data = prepare(tmp_path)
        with m:
            if name == "purge":
                m.sched.run(m.disable_node(1))
            job = m.sched.spawn(OPS[name](m, task, area, file), name=name)
            for _ in range(steps):
                if not m.sched.round():
                    m.sched.advance(m.sched.next_due() or m.now)
            m.sched.cancel(job)
            m.sched.round()
            assert job.done
            assert job.error is None or isinstance(job.error, Cancelled)
            assert m.snapshot().total.isolated == 0
            assert not any(node.balancing for node in m.nodes.values())
            assert_valid(m)
            assert read(m, file) == data
            assert read(m, shm) == pattern(4 * MIB, 2)
            m.sched.run(task.touch(area, write=False, passes=1))
            assert_valid(m)
            assert m.events()["corrupt"] == 0
        if job.error is None:
            break


def test_a_cancelled_purge_lets_the_next_one_go_on(tmp_path):
    """The node is not left locked, and the work that was done is kept."""
    m, *_ = prepare(tmp_path)
    with m:
        m.sched.run(m.disable_node(1))
        job = m.sched.spawn(m.purge(6), name="purge")
        m.sched.round()
        m.sched.round()
        m.sched.cancel(job)
        m.sched.round()
        told = m.last_ops[-1]
        assert told.result == "EINTR"
        assert told.left == m.zones[6].in_use
        assert told.pages == told.left + told.freed > 0
        assert empty(m, 6, 5) is not None


def test_a_purge_behind_kswapd_tells_what_was_there_at_its_start(tmp_path):
    """Pages that go while it waits for the node are not its own, but they went."""
    m, *_ = prepare(tmp_path)
    with m:
        m.sched.run(m.disable_node(1))
        first = m.sched.spawn(m.purge(6), name="purge")
        m.sched.round()
        in_use = m.zones[6].in_use
        second = m.sched.spawn(m.purge(6), name="purge")
        m.sched.round()
        while not second.done:
            if not m.sched.round():
                m.sched.advance(m.sched.next_due() or m.now)
        told = m.last_ops[-1]
        assert first.done
        assert told.id == second.id
        assert in_use == told.pages > told.left == m.zones[6].in_use
