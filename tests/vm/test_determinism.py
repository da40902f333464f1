"""Same layout, seed and requests: the same state, whatever the batch size."""

from __future__ import annotations

import random

import pytest
from vmkit import MIB, HostFile, pattern, small


def history(tmp_path, seed=1, pid=1, **config):
    """A machine that did a bit of everything; its state hash and figures."""
    with small(seed=seed, **config) as m:
        rng = random.Random(3)
        task = m.tasks.create("hog", pid)
        area = task.mmap_anon(12 * MIB)
        owner = HostFile(tmp_path / "file")
        file = m.files.create("file", owner)
        shm = m.files.create("shm", owner)
        for round_nr in range(6):
            m.sched.run(task.touch(area, order="random", passes=1))
            off = rng.randrange(4 * MIB)
            m.sched.run(file.write(off, pattern(MIB, round_nr)))
            m.sched.run(shm.write(off // 2, pattern(MIB, round_nr)))
            m.sched.run(file.read(0, 2 * MIB, m.read_ahead()))
            zid = 5 + round_nr % 2
            m.sched.run(m.disable_zone(zid))
            m.sched.run(m.purge(zid))
            m.sched.run(m.enable_zone(zid))
            m.sched.run_until(m.now + 7 * 10**9)
        result = m.state_hash(), m.events(), m.now, m.klog.text()
        owner.io_idle()
        return result


def test_the_same_requests_give_the_same_state(tmp_path):
    """Hash, counters, clock and log."""
    assert history(tmp_path) == history(tmp_path)


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("prefetch", [False, True])
def test_batch_and_prefetch_change_no_state(tmp_path, batch, prefetch):
    """They are about speed only."""
    other = history(tmp_path, batch=batch, prefetch=prefetch)

    assert other == history(tmp_path)


def test_a_pid_is_only_a_name(tmp_path):
    """It is the computer's, and another one whenever a script runs again."""
    assert history(tmp_path, pid=12345) == history(tmp_path)


def test_another_seed_gives_another_order(tmp_path):
    """Random touches follow the seed."""
    assert history(tmp_path, seed=2)[0] != history(tmp_path)[0]
