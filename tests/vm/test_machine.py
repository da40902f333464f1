"""The facade: closing, devices, counters, reclaim in the background."""

from __future__ import annotations

import subprocess
import sys

import pytest
from vmkit import MIB, assert_valid, small, write

from memfs.vm import EVENT_NAMES, Layout, LayoutError, Machine, VmError


def test_a_closed_machine_raises_and_does_not_crash():
    """Closing twice is harmless."""
    m = Machine(Layout.builtin("2004"))
    job = m.sched.spawn(m.purge(5), name="purge")
    m.sched.round()
    m.close()
    m.close()

    assert job.done
    with pytest.raises(ValueError, match="closed"):
        m.zone_stat(5)


def test_the_library_needs_neither_fuse_nor_an_event_loop():
    """`import memfs.vm` takes cffi and the core, no more."""
    code = (
        "import sys, memfs.vm;"
        "bad = {'pyfuse3', 'trio', 'click', 'rich'} & set(sys.modules);"
        "sys.exit(bool(bad))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_devices_can_be_changed_and_mistakes_change_nothing(machine):
    """Unknown keys and impossible values are EINVAL."""
    machine.set_device("swap", latency_ns=0, bandwidth=1 << 30)
    assert machine.swap_disk.latency_ns == 0
    assert machine.disk.latency_ns == 1_000_000
    before = machine.disk
    for name, changes in (
        ("disk", {"requests": 0}),
        ("disk", {"requests": 1, "bandwidth": 0}),
        ("disk", {"colour": 1}),
        ("tape", {}),
        ("disk", {"latency_ns": -1}),
        ("disk", {"readahead": -1}),
    ):
        with pytest.raises(VmError, match="EINVAL"):
            machine.set_device(name, **changes)
    assert machine.disk == before


def test_a_slow_disk_takes_its_time(machine, host_file):
    """A request's latency, and its bytes by the bandwidth."""
    machine.set_device("disk", latency_ns=5_000_000, bandwidth=1 << 20)
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(MIB))
    machine.sched.run(file.fsync())

    assert machine.now == pytest.approx(10**9 + 5_000_000, rel=0.01)


def test_kswapd_wakes_at_the_low_mark_and_works_to_the_high_one(little, host_file):
    """Nobody waits for memory while it keeps up."""
    file = little.files.create("file", host_file(40 * MIB), size=40 * MIB)
    ra = little.read_ahead()
    for off in range(0, 40 * MIB, MIB):
        little.sched.run(file.read(off, MIB, ra))
        little.sched.run_until(little.now + 10**9)

    assert little.events()["pageoutrun"] > 0
    assert little.events()["kswapd_steal"] > 2500
    assert little.events()["allocstall"] < 40


def test_events_only_grow(little, host_file):
    """Under pressure of all kinds."""
    file = little.files.create("file", host_file())
    task = little.tasks.create("hog", 1)
    area = task.mmap_anon(16 * MIB)
    last = little.events()
    assert set(EVENT_NAMES) <= set(last)
    for number in range(5):
        write(little, file, number * MIB, bytes(2 * MIB))
        little.sched.run(task.touch(area, order="random", passes=1))
        now = little.events()
        assert all(now[name] >= last[name] for name in last)
        last = now


def test_swap_in_a_host_file(tmp_path):
    """Its size is the layout's; contents come back from it."""
    path = tmp_path / "swap"
    with small(swap_file=str(path)) as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(40 * MIB)
        m.sched.run(task.touch(area, passes=2))
        assert path.stat().st_size == 32 * MIB
        assert m.core.swap_stat().used > 0
        assert m.events()["corrupt"] == 0
        assert_valid(m)


def test_a_swap_file_that_cannot_be_made(tmp_path):
    """The host's errno; nothing is left open."""
    with pytest.raises(VmError, match="swap"):
        small(swap_file=str(tmp_path / "no" / "swap"))


def test_a_layout_error_is_a_vm_error():
    """One class to catch."""
    with pytest.raises(VmError) as caught:
        Layout.parse("")
    assert isinstance(caught.value, LayoutError)


def test_jobs_of_a_machine_at_rest(machine):
    """kswapd of every plugged node, pdflush, kupdate: all asleep."""
    jobs = {job.name: job.waiting for job in machine.sched.jobs()}

    assert jobs == {
        "kswapd0": "kswapd 0",
        "kswapd1": "kswapd 1",
        "pdflush": "pdflush",
        "kupdate": "dirty data",
    }
