"""purge: what goes, what stays and why, and that every byte is still right."""

from __future__ import annotations

import random

import pytest
from vmkit import MIB, PAGE, assert_valid, empty, pattern, read, small, write

from memfs.vm import S0_CHANGES, Layout, Machine, Until, VmError


def fill(m, owner, anon_mib, file_mib, dirty=5):
    """Anonymous and file pages, a fifth of the file's dirty, in random order."""
    task = m.tasks.create("hog", 4711)
    area = task.mmap_anon(anon_mib * MIB)
    m.sched.run(task.touch(area, order="random", passes=2))
    m.sched.run(task.touch(area, passes=1))
    file = m.files.create("file", owner)
    data = bytearray(pattern(file_mib * MIB))
    write(m, file, 0, data)
    m.sched.run(file.fsync())
    rng = random.Random(5)
    for page in rng.sample(range(len(data) // PAGE), len(data) // PAGE // dirty):
        data[page * PAGE : page * PAGE + 8] = b"rewrites"
        write(m, file, page * PAGE, b"rewrites")
    return task, area, file, bytes(data)


def test_a_zone_full_of_everything_is_emptied(machine, host_file):
    """S0's job: disable, purge as necessary; every page is free, every byte right."""
    task, area, file, data = fill(machine, host_file(), 300, 200)
    assert machine.zones[5].in_use > 60000
    machine.sched.run(machine.disable_zone(5))

    assert empty(machine, 5) is not None
    s = machine.zone_stat(5)
    assert s.free == s.managed == s.present
    assert read(machine, file) == data
    machine.sched.run(task.touch(area, write=False, passes=1))
    assert machine.events()["corrupt"] == 0
    assert machine.zone_stat(5).free == s.managed


def test_events_tell_anonymous_pages_from_those_of_files(machine, host_file):
    """Of 300 MiB and 200 MiB, what lay in the zone was looked at, and freed."""
    fill(machine, host_file(), 300, 200)
    machine.sched.run(machine.disable_zone(5))
    before = machine.events()
    assert empty(machine, 5) is not None

    after = {name: n - before[name] for name, n in machine.events().items()}
    assert after["pgsteal_anon"] > 5000
    assert after["pgsteal_file"] > 5000
    for event in "pgscan", "pgsteal":
        assert after[f"{event}_anon"] + after[f"{event}_file"] == after[event]
    assert after["pgscan_anon"] >= after["pgsteal_anon"]


def test_purge_while_a_task_touches_its_pages_without_end(machine):
    """some_memory_hog: what is touched again comes back in other zones."""
    task = machine.tasks.create("some_memory_hog", 1)
    area = task.mmap_anon(200 * MIB)
    machine.sched.run(task.touch(area, passes=1))
    job = machine.sched.spawn(task.touch(area), name="touch")
    assert machine.zones[5].in_use > 5000
    machine.sched.run(machine.disable_zone(5))

    assert empty(machine, 5) is not None
    assert not job.done
    assert task.stat().rss + task.stat().swap >= 51200
    machine.sched.run(task.exit())
    machine.sched.run_until(machine.now + 10**9)
    with pytest.raises(VmError, match="ESRCH"):
        job.value()


def test_a_region_that_is_rewritten_without_pause_stays(machine, host_file):
    """S0: dirty or under write-back at every look; it goes when the writer stops."""
    file = machine.files.create("file", host_file())
    data = pattern(MIB)
    machine.sched.run(machine.disable_zone(6))
    write(machine, file, 0, data)
    writing = [True]

    def writer():
        while writing[0]:
            yield from file.write(0, data)
            yield Until(machine.now + 100_000)

    assert machine.zones[5].in_use >= 200
    machine.sched.run(machine.disable_zone(5))
    machine.sched.spawn(writer(), name="writer")
    for _ in range(20):
        result = machine.sched.run(machine.purge(5))
        assert result.after >= 200
        assert set(result.reasons) <= {"dirty", "writeback", "referenced", "inactive"}
    writing[0] = False
    assert empty(machine, 5, 3) is not None
    assert read(machine, file) == data


def test_purge_of_an_open_zone_stops_at_its_high_mark(machine, host_file):
    """Only a closed gate wants every page."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(300 * MIB))
    machine.sched.run(file.fsync())
    result = machine.sched.run(machine.purge(6))

    s = machine.zone_stat(6)
    assert s.pages_high <= s.free < s.pages_high + 500
    assert result.after > 40000


def test_purge_empties_every_closed_zone_of_the_node(machine, host_file):
    """balance_pgdat() is of a node: purging 5 empties a closed 6 too."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(250 * MIB))
    machine.sched.run(machine.disable_node(1))

    assert empty(machine, 5) is not None
    assert machine.zones[6].in_use == 0


def test_no_swap_keeps_anonymous_pages_and_says_so():
    """They are active again, for want of a slot."""
    with small(swap="0") as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(8 * MIB)
        m.sched.run(task.touch(area, passes=1))
        m.sched.run(m.disable_node(1))
        before = m.zones[6].in_use
        result = m.sched.run(m.purge(6))

        assert before > 1000
        assert result.after == before
        assert result.reasons == {"no_swap": before}


def test_two_purges_of_a_node_take_turns(machine, host_file):
    """The second waits for the first."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(100 * MIB))
    machine.sched.run(machine.disable_node(1))
    first = machine.sched.spawn(machine.purge(5), name="first")
    second = machine.sched.spawn(machine.purge(6), name="second")
    machine.sched.round()
    machine.sched.round()

    assert second.waiting == "node 1 balanced"
    machine.sched.run_until(machine.now + 10**9)
    assert first.done
    assert second.done
    assert machine.zones[6].in_use == 0


def test_purge_tells_how_far_it_is(machine, host_file):
    """For `status`, while it runs and when it has ended."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(100 * MIB))
    machine.sched.run(machine.disable_node(1))
    job = machine.sched.spawn(machine.purge(6), name="purge 6")
    machine.sched.round()
    machine.sched.round()

    assert job.progress["zone"] == 6
    assert job.progress["pages"] > 20000
    machine.sched.run_until(machine.now + 10**9)
    record = machine.last_ops[-1]
    assert (record.name, record.result, record.left) == ("purge 6", "ok", 0)
    assert record.freed > 20000


def test_inuse_and_active_say_what_is_there(machine, host_file):
    """By kind, with the first pfns; in `active` only what is on that list."""
    fill(machine, host_file(), 100, 50)
    found = machine.sched.run(machine.inuse(6))
    active = machine.sched.run(machine.active(6))

    assert sum(found.kinds.values()) + machine.zone_stat(6).item[1] == (
        machine.zones[6].in_use
    )
    assert set(found.kinds) <= {"file", "anon"}
    assert sum(active.kinds.values()) == machine.zone_stat(6).active
    assert len(found.pfns) == 10
    assert all(215040 <= pfn < 260096 for pfn in found.pfns)


@pytest.mark.parametrize("change", S0_CHANGES)
def test_each_change_can_be_left_out(change, host_file):
    """The machine works without it, if worse."""
    text = f'rules_off = ["{change}"]\n' + Layout.builtin("2004").text
    with Machine(Layout.parse(text)) as m:
        assert getattr(m.rules, change) is False
        task, area, file, data = fill(m, host_file(), 60, 60)
        m.sched.run(m.disable_zone(6))
        for _ in range(3):
            m.sched.run(m.purge(6))
        assert read(m, file) == data
        m.sched.run(task.touch(area, passes=1))
        assert_valid(m)
