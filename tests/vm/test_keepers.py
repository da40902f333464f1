"""Who keeps memory from going: reasons, kinds, holders, since when, and what frees."""

from __future__ import annotations

import pytest
from vmkit import PAGE, pattern, write

from memfs.vm import REASON_NAMES, VmError
from memfs.vm.keepers import REMEDIES


def found(m, op):
    """Keepers by (reason, kind, holder): how many pages."""
    return {(k.reason, k.kind, k.holder): k.pages for k in m.sched.run(op)}


def test_a_zone_says_whose_its_pages_are(machine, host_file):
    """Files by their label, tasks by name and pid, pins by their holder."""
    m = machine
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(100 * PAGE))
    m.sched.run(file.fsync())
    tmp = m.files.create("shm", host_file())
    write(m, tmp, 0, pattern(30 * PAGE))
    m.sched.run_until(m.now + 5 * 10**9)
    task = m.tasks.create("hog", 4711)
    area = task.mmap_anon(200 * PAGE)
    m.sched.run(task.touch(area, passes=1))
    pin = m.sched.run(m.pins.file(file, 10, 7, "pipe of 8"))
    m.core.drain_pagevecs()
    m.core.drain_pcp(6)

    seen = m.sched.run(m.keepers_of_zone(6))
    assert {(k.reason, k.kind, k.holder, k.pages, k.since) for k in seen} == {
        ("movable", "anon", "hog (pid 4711)", 200, task.start_ns),
        ("movable", "file", "file0", 93, None),
        ("movable", "shmem", "file1", 30, None),
        ("pinned", "file", "pipe of 8", 7, pin.holder.since),
    }
    assert [k.pages for k in seen] == [200, 93, 30, 7]
    assert sum(k.pages for k in seen) == m.zones[6].in_use
    assert found(m, m.keepers_of_node(1)) == found(m, m.keepers_of_zone(6))
    pin.release()


def test_a_memory_block_is_part_of_a_zone(machine, host_file):
    """The blocks of a zone together have what the zone has."""
    m = machine
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(5000 * PAGE))
    m.core.drain_pagevecs()
    zone = m.zones[6]
    size = m.layout.block_pages
    first = zone.start_pfn // size
    last = (zone.start_pfn + zone.present - 1) // size
    pages = 0
    for number in range(first, last + 1):
        pages += sum(k.pages for k in m.sched.run(m.keepers_of_block(number)))
    assert pages == sum(k.pages for k in m.sched.run(m.keepers_of_zone(6)))
    assert pages == 5000


def test_kernel_memory_says_what_for(machine):
    """Index nodes, page tables; nothing frees them here."""
    m = machine
    task = m.tasks.create("hog", 1)
    m.sched.run(task.touch(task.mmap_anon(50 * PAGE), passes=1))
    kinds = found(m, m.keepers_of_node(0))
    assert kinds["kernel", "pagetable", ""] == 1


def test_what_there_is_not_is_refused(machine):
    """ENODEV."""
    for op in (
        machine.keepers_of_zone(7),
        machine.keepers_of_node(2),
        machine.keepers_of_block(9999),
    ):
        with pytest.raises(VmError) as caught:
            machine.sched.run(op)
        assert caught.value.name == "ENODEV"


def test_more_groups_than_there_is_room_for(machine, host_file):
    """The rest is counted together; none is lost."""
    m = machine
    for number in range(300):
        file = m.files.create("shm", host_file())
        write(m, file, 0, bytes([number % 256]) * PAGE)
    m.core.drain_pagevecs()
    m.core.drain_pcp(6)
    seen = m.sched.run(m.keepers_of_zone(6))
    assert sum(k.pages for k in seen) == m.zones[6].in_use == 300
    assert len(seen) == 257


def test_every_reason_to_stay_has_a_remedy():
    """Of the reasons that a page can have not to move now."""
    said = set(REMEDIES) - {"movable"}
    assert said <= set(REASON_NAMES)
    assert all(REMEDIES.values())


def test_a_remap_tells_who_held_what_stayed(machine, host_file):
    """In the record of the operation and in the log."""
    m = machine
    file = m.files.create("file", host_file())
    write(m, file, 0, pattern(20 * PAGE))
    pin = m.sched.run(m.pins.file(file, 0, 20, "socket of 9"))
    m.sched.run(m.disable_node(1))
    with pytest.raises(VmError, match="20 pages stay"):
        m.sched.run(m.remap(6))

    record = m.last_ops[-1]
    assert (record.moved, record.left, record.reasons) == (0, 20, {"pinned": 20})
    [held] = record.holders
    assert (held.pages, held.reason, held.name) == (20, "pinned", "socket of 9")
    assert held.since == pin.holder.since
    assert "remap 6: 20 of them: socket of 9" in m.klog.text()
    pin.release()
