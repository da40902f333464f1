"""Write-back: limits, who writes, and when."""

from __future__ import annotations

from vmkit import MIB, assert_valid, write

S = 10**9


def test_the_limits_are_10_and_40_percent(machine):
    """Of the pages that users can have: those above the high marks."""
    state = machine.writeback.state()
    total = 260096 - 12 - 453 - 297 - 132

    assert state.background_limit == total * 10 // 100
    assert state.dirty_limit == total * 40 // 100


def test_mapped_memory_lowers_the_limits(machine):
    """Half of what is not mapped, if that is less."""
    task = machine.tasks.create("hog", 1)
    area = task.mmap_anon(400 * MIB)
    machine.sched.run(task.touch(area, passes=1))
    state = machine.writeback.state()

    assert state.dirty_limit < 260096 * 31 // 100


def test_pdflush_writes_above_the_background_limit(machine, host_file):
    """And stops below it; the writer is not held up."""
    file = machine.files.create("file", host_file())
    write(machine, file, 0, bytes(150 * MIB))
    assert machine.writeback.state().dirty > 26000
    machine.sched.run_until(machine.now + S)

    state = machine.writeback.state()
    assert state.background_limit - 1024 <= state.dirty <= state.background_limit
    assert state.writeback == 0


def test_a_writer_is_held_at_the_dirty_limit(machine, host_file):
    """It writes back itself; time passes."""
    file = machine.files.create("file", host_file())
    worst = 0
    block = bytes(MIB)
    for number in range(500):
        write(machine, file, number * MIB, block)
        state = machine.writeback.state()
        worst = max(worst, state.dirty + state.writeback - state.dirty_limit)

    assert worst < 2048
    assert machine.now > 0
    machine.sched.run(file.fsync())


def test_kupdate_writes_what_is_thirty_seconds_old(machine, host_file):
    """Looked at every five seconds, on the whole five; then its file is given back."""
    file = machine.files.create("file", host_file())
    machine.sched.run_until(2 * S)
    write(machine, file, 0, bytes(MIB))
    machine.sched.run_until(34 * S)
    assert file.stat().nr_dirty == 256
    machine.sched.run_until(36 * S)
    assert file.stat().nr_dirty == 0
    assert machine.writeback.dirty == {}
    assert machine.files.held
    machine.sched.run_until(41 * S)
    assert not machine.files.held
    assert machine.sched.next_due() is None


def test_an_idle_machine_has_no_timer(machine):
    """Nothing dirty: kupdate sleeps."""
    assert machine.sched.next_due() is None


def test_sync_cleans_everything_and_gives_descriptors_back(machine, host_file):
    """Every file, also those with an error, which keeps for fsync."""
    files = [machine.files.create("file", host_file()) for _ in range(5)]
    for file in files:
        write(machine, file, 0, bytes(MIB))
    machine.sched.run(machine.sync())

    assert machine.snapshot().total.dirty == 0
    assert machine.snapshot().total.writeback == 0
    assert all(file.owner.fd == -1 for file in files)
    assert all(len(file.owner.path.read_bytes()) == MIB for file in files)


def test_a_shared_mapping_is_written_back_when_it_is_unmapped(machine, host_file):
    """Its PTEs were dirty; the file knows when they go."""
    owner = host_file(MIB)
    file = machine.files.create("file", owner, size=MIB)
    task = machine.tasks.create("t", 1)
    area = task.mmap_file(file, MIB, write=True)
    machine.sched.run(task.touch(area, passes=1))
    assert file.stat().nr_dirty == 0
    machine.sched.run(task.munmap(area))
    assert file.stat().nr_dirty == 256
    assert_valid(machine)
    machine.sched.run(machine.sync())
    assert file.stat().nr_dirty == 0
    assert machine.snapshot().disk.write_pages == 256


def test_descriptors_of_clean_files_are_given_back_in_time(machine, host_file):
    """With the look at the files that follows their write-back; then all is quiet."""
    files = [machine.files.create("file", host_file()) for _ in range(40)]
    for file in files:
        write(machine, file, 0, b"x")
    machine.sched.run_until(34 * S)
    assert all(file.owner.fd >= 0 for file in files)
    machine.sched.run_until(41 * S)

    assert all(file.owner.fd == -1 for file in files)
    assert machine.sched.next_due() is None
