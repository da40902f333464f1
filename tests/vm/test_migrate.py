"""remap: every page moves, nothing is lost, and what stays stays for a reason."""

from __future__ import annotations

import pytest
from test_purge import fill
from vmkit import MIB, assert_valid, pattern, read, refused, small, write

from memfs.vm import Cancelled, VmError


def counted(m, op):
    """Run an operation; its result, and by how much the event counters grew."""
    before = m.events()
    result = m.sched.run(op)
    return result, {name: n - before[name] for name, n in m.events().items()}


def test_a_zone_full_of_everything_moves(machine, host_file):
    """S1's job: disable, remap, unplug; nothing is written, read or swapped."""
    task, area, file, data = fill(machine, host_file(), 200, 100)
    before = {zid: machine.zones[zid].in_use for zid in (5, 6)}
    machine.sched.run(machine.disable_node(1))
    machine.sched.run_until(machine.now + 10**9)

    for zid in (5, 6):
        result, events = counted(machine, machine.remap(zid))
        assert (result.moved, result.left) == (machine.zones[zid].present - 304, 0) or (
            result.left == 0 and result.moved > before[zid] * 0.95
        )
        assert events["pgmigrate_success"] == result.moved
        assert events["pgpgout"] == events["pswpout"] == events["pgfault"] == 0
        assert_valid(machine)
    machine.sched.run(machine.unplug(1))
    assert read(machine, file) == data
    faults = machine.events()["pgfault"]
    machine.sched.run(task.touch(area, write=False, passes=1))
    assert machine.events()["pgfault"] == faults
    assert machine.sched.run(file.fsync()) is None
    assert file.owner.path.read_bytes() == data


def test_dirty_pages_move_dirty(machine, host_file):
    """Tags and buffers go with them: a write-back afterwards misses none."""
    file = machine.files.create("file", host_file())
    data = pattern(20 * MIB)
    write(machine, file, 0, data)
    machine.sched.run(machine.disable_node(1))
    dirty = file.stat().nr_dirty
    assert dirty == 5120

    result = machine.sched.run(machine.remap(6))
    assert result.moved > 5000
    assert file.stat().nr_dirty == dirty
    machine.sched.run(file.fsync())
    assert file.owner.path.read_bytes() == data


def test_an_open_zone_is_emptied_and_the_log_says_what_may_come(machine, host_file):
    """Its pages do not come back to it by the remap itself."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, pattern(20 * MIB))
    result = machine.sched.run(machine.remap(6))

    assert result.left == 0
    assert machine.zones[6].in_use == 0
    assert "HighMem[6] is enabled, pages may come back" in machine.klog.text()


def test_an_empty_zone_is_done_at_once(machine):
    """Nothing to move is no error."""
    machine.sched.run(machine.disable_node(1))
    result = machine.sched.run(machine.remap(5))

    assert (result.before, result.moved, result.left) == (0, 0, 0)


@pytest.mark.parametrize("to", [1, 2, 9])
def test_a_target_that_is_none(machine, to):
    """The zone's own node, one that is not plugged, one that there is not."""
    assert refused(machine, machine.remap(5, to)) == "EINVAL"
    assert refused(machine, machine.remap_check(5, to)) == "EINVAL"


def test_a_disabled_target_is_none():
    """Nothing may be allocated there."""
    with small() as m:
        m.sched.run(m.plug(2))
        assert refused(m, m.remap(5, 2)) == "EINVAL"


def test_a_target_is_kept_to():
    """`remap 6 to 2`: nowhere else."""
    with small() as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(4 * MIB)
        m.sched.run(task.touch(area, passes=1))
        m.sched.run(m.plug(2))
        m.sched.run(m.enable_node(2))
        m.sched.run(m.disable_node(1))
        before = m.zones[6].in_use
        assert before > 900
        m.sched.run(m.remap(6, 2))

        assert sum(zone.in_use for zone in m.nodes[2].zones) == before
        assert_valid(m)


def test_nowhere_to_go_is_enomem_and_nothing_is_lost():
    """Without swap anonymous pages cannot be reclaimed to make room."""
    with small(swap="0") as m:
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(22 * MIB)
        m.sched.run(task.touch(area, passes=1))
        m.sched.run(m.disable_node(1))
        before = sum(zone.in_use for zone in m.zones.values())
        with pytest.raises(VmError, match="no page is free elsewhere") as caught:
            m.sched.run(m.remap(6))

        assert caught.value.name == "ENOMEM"
        assert abs(sum(zone.in_use for zone in m.zones.values()) - before) <= 32
        m.sched.run(task.touch(area, write=False, passes=1))
        assert m.events()["corrupt"] == 0
        assert_valid(m)


def test_room_is_made_where_pages_go(host_file):
    """Page cache gives way, as when any user asks for a page."""
    with small() as m:
        file = m.files.create("file", host_file())
        write(m, file, 0, pattern(14 * MIB))
        m.sched.run(file.fsync())
        task = m.tasks.create("hog", 1)
        area = task.mmap_anon(8 * MIB)
        m.sched.run(task.touch(area, passes=1))
        m.sched.run(m.disable_node(1))
        for zid in (5, 6):
            assert m.sched.run(m.remap(zid)).left == 0
        m.sched.run(m.unplug(1))
        assert read(m, file) == pattern(14 * MIB)
        assert_valid(m)


def test_check_moves_nothing(machine, host_file):
    """Its count is what a remap then does; the state is the same to the bit."""
    fill(machine, host_file(), 60, 60)
    machine.sched.run(machine.disable_node(1))
    machine.sched.run_until(machine.now + 10**9)
    before = machine.state_hash()
    found = machine.sched.run(machine.remap_check(6))

    assert machine.state_hash() == before
    result = machine.sched.run(machine.remap(6))
    assert found.reasons == {}
    assert found.movable == result.moved


def test_a_second_remap_waits(machine, host_file):
    """One at a time in a machine; unplug is refused meanwhile."""
    fill(machine, host_file(), 100, 60)
    machine.sched.run(machine.disable_node(1))
    first = machine.sched.spawn(machine.remap(6), name="first")
    second = machine.sched.spawn(machine.remap(5), name="second")
    machine.sched.round()

    assert second.waiting == "migration"
    with pytest.raises(VmError, match="a remap runs on node 1"):
        machine.sched.run(machine.unplug(1))
    machine.sched.run_until(machine.now + 10**9)
    assert first.value().left == second.value().left == 0


def test_what_moved_stays_moved_after_a_signal(machine, host_file):
    """And what was held is back on its list within the step."""
    task, area, file, data = fill(machine, host_file(), 60, 60)
    machine.sched.run(machine.disable_node(1))
    before = machine.zones[6].in_use
    job = machine.sched.spawn(machine.remap(6), name="remap 6")
    for _ in range(4):
        machine.sched.round()
    machine.sched.cancel(job)
    machine.sched.round()

    assert isinstance(job.error, Cancelled)
    assert 0 < machine.zones[6].in_use < before
    assert machine.zone_stat(6).item[5] == 0
    assert machine.migrating is None
    assert_valid(machine)
    assert read(machine, file) == data
    machine.sched.run(task.touch(area, write=False, passes=1))


def test_pages_under_writeback_are_waited_for(machine, host_file):
    """More than the hold takes, on a slow disk: the window is one for all."""
    machine.set_device("disk", bandwidth=20_000_000)
    file = machine.files.create("file", host_file())
    data = pattern(16 * MIB)
    write(machine, file, 0, data)
    machine.sched.run(machine.disable_node(1))
    machine.sched.spawn(file.fsync(), name="fsync")
    machine.sched.round()
    assert file.stat().nr_writeback > 1000
    result = machine.sched.run(machine.remap(6))

    assert result.left == 0
    assert read(machine, file) == data


def test_a_remap_that_does_not_wait_gives_up_at_once(machine, host_file):
    """Pages under writeback stay, with that reason; no time passes."""
    machine.set_device("disk", bandwidth=20_000_000)
    file = machine.files.create("file", host_file())
    write(machine, file, 0, pattern(16 * MIB))
    machine.sched.run(machine.disable_node(1))
    machine.sched.spawn(file.fsync(), name="fsync")
    machine.sched.round()
    writing, now = file.stat().nr_writeback, machine.now
    with pytest.raises(VmError, match=f"{writing} writeback") as caught:
        machine.sched.run(machine.remap(6, wait=False))

    assert caught.value.name == "EBUSY"
    assert machine.now == now
    assert machine.zones[6].in_use == writing


# -- the ways of 2004 ------------------------------------------------------------------


def test_the_ways_are_chosen_by_name(machine):
    """What is not named stays; what there is not is EINVAL and changes nothing."""
    machine.set_ways(dirty="writeout", maps="lazy")
    assert (machine.ways.dirty, machine.ways.anon, machine.ways.maps) == (
        "writeout",
        "direct",
        "lazy",
    )
    for bad in ({"dirty": "drop"}, {"colour": "red"}, {"anon": "swapslot", "maps": ""}):
        with pytest.raises(VmError) as caught:
            machine.set_ways(**bad)
        assert caught.value.name == "EINVAL"
    assert machine.ways.anon == "direct"


def hog(m, mib):
    """A task that has touched its memory once."""
    task = m.tasks.create("hog", 1)
    area = task.mmap_anon(mib * MIB)
    m.sched.run(task.touch(area, passes=1))
    return task, area


@pytest.mark.parametrize("way", ["carry", "writeout"])
def test_dirty_pages_are_carried_or_written(machine, host_file, way):
    """0 writes, or at least one for each page that was dirty."""
    machine.set_ways(dirty=way)
    file = machine.files.create("file", host_file())
    data = pattern(8 * MIB)
    write(machine, file, 0, data)
    machine.sched.run(machine.disable_node(1))
    dirty = file.stat().nr_dirty
    result, events = counted(machine, machine.remap(6))

    assert result.left == 0
    wanted = 0 if way == "carry" else dirty
    assert result.written == wanted
    assert file.stat().nr_dirty == dirty - wanted
    assert events["pgpgout"] == 4 * wanted
    assert read(machine, file) == data


@pytest.mark.parametrize("way", ["direct", "swapslot"])
def test_anonymous_pages_take_a_slot_or_none(machine, way):
    """One each in 2004, and nothing is written to it."""
    machine.set_ways(anon=way)
    task, area = hog(machine, 8)
    machine.sched.run(machine.disable_node(1))
    result, events = counted(machine, machine.remap(6))

    assert (result.moved, result.left) == (2048, 0)
    wanted = 0 if way == "direct" else 2048
    assert result.slots == wanted
    assert machine.snapshot().swap.used == wanted
    assert events["pswpout"] == 0
    machine.sched.run(task.touch(area, passes=1))


def test_anonymous_pages_stay_in_2004_when_swap_is_full(machine):
    """And move today: swap is no part of it."""
    with small(swap="1M") as m:
        m.set_ways(anon="swapslot")
        hog(m, 6)
        m.sched.run(m.disable_node(1))
        with pytest.raises(VmError, match="no_swap") as caught:
            m.sched.run(m.remap(6))
        assert caught.value.name == "EBUSY"
        slots = m.snapshot().swap
        assert slots.used == slots.total
        m.set_ways(anon="direct")
        assert m.sched.run(m.remap(6)).left == 0
        assert_valid(m)


@pytest.mark.parametrize("kind", ["anon", "shared", "private", "tmpfs"])
@pytest.mark.parametrize("way", ["restore", "lazy"])
def test_page_tables_follow_or_are_left_to_faults(machine, host_file, kind, way):
    """0 faults afterwards, or one for each page touched."""
    machine.set_ways(maps=way, anon="swapslot" if kind == "anon" else "direct")
    pages = 1024
    if kind == "anon":
        task, area = hog(machine, 4)
    else:
        volume = "shm" if kind == "tmpfs" else "file"
        file = machine.files.create(volume, host_file())
        write(machine, file, 0, pattern(4 * MIB))
        task = machine.tasks.create("mapper", 1)
        area = task.mmap_file(file, 4 * MIB, shared=kind != "private")
        machine.sched.run(task.touch(area, write=False, passes=1))
    machine.sched.run(machine.disable_node(1))
    result = machine.sched.run(machine.remap(6))
    assert result.left == 0
    assert result.unmapped == (pages if way == "lazy" else 0)
    _, events = counted(machine, task.touch(area, write=False, passes=1))

    assert events["pgfault"] == (pages if way == "lazy" else 0)
    assert events["pgmajfault"] == 0
    assert_valid(machine)


def test_sharing_is_kept(machine, host_file):
    """A page that several tasks map is one page afterwards, in all their tables."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, pattern(MIB))
    tasks = [machine.tasks.create("mapper", pid) for pid in range(1, 21)]
    areas = [task.mmap_file(file, MIB, shared=True, write=True) for task in tasks]
    for task, area in zip(tasks, areas, strict=True):
        machine.sched.run(task.touch(area, write=True, passes=1))
    machine.sched.run(machine.disable_node(1))
    result, _ = counted(machine, machine.remap(6))
    assert (result.moved, result.left) == (256, 0)
    for task, area in zip(tasks, areas, strict=True):
        _, events = counted(machine, task.touch(area, passes=1))
        assert events["pgfault"] == 0
    assert_valid(machine)
