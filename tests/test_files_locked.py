"""What the files say of pages that are locked in memory: each once, on one list.

Linux 6.1 has a list for them; 2.6 kept them on the two that it had, and counted them
nowhere else.
"""

from __future__ import annotations

from array import array

import pytest
from fakes import fake_mount, text_of

from memfs.vm import Layout, Machine

N = 256
KPF_LRU, KPF_ACTIVE, KPF_UNEVICTABLE, KPF_MLOCKED = 1 << 5, 1 << 6, 1 << 18, 1 << 33
COUNTED = (
    *("nr_active_anon", "nr_inactive_anon", "nr_active_file", "nr_inactive_file"),
    "nr_unevictable",
)
LISTS = ("Active", "Inactive", "Active(anon)", "Inactive(anon)", "Unevictable")


@pytest.fixture(params=["2004", "modern"])
def mount(request):
    """A mount whose task has locked pages of its own, and they are its only ones."""
    with Machine(Layout.builtin(request.param)) as machine:
        task = machine.tasks.create("database", 1)
        area = task.mmap_anon(N * 4096, lock=True)
        machine.sched.run(task.touch(area, passes=1))
        machine.core.drain_pagevecs()
        machine.bump()
        yield fake_mount(machine)


def meminfo(mount, path="proc/meminfo"):
    rows = (line.split(":") for line in text_of(mount, path).splitlines())
    return {name.split()[-1]: int(rest.split()[0]) // 4 for name, rest in rows}


def counters(mount, path="proc/vmstat"):
    rows = (line.split() for line in text_of(mount, path).splitlines())
    return {name: int(value) for name, value in rows}


def apart(mount):
    return mount.machine.layout.kernel == "6.1"


def test_meminfo(mount):
    """Of the machine, and of its nodes together."""
    expected = (0, 0, 0, 0, N) if apart(mount) else (N, 0, N, 0, 0)
    whole = meminfo(mount)
    nodes = [
        meminfo(mount, f"sys/devices/system/node/node{nid}/meminfo")
        for nid, node in mount.machine.nodes.items()
        if node.plugged
    ]

    assert tuple(whole[name] for name in LISTS) == expected
    assert tuple(sum(node[name] for node in nodes) for name in LISTS) == expected
    assert whole["Mlocked"] == whole["AnonPages"] == N


def test_counters(mount):
    """vmstat and zoneinfo have the same."""
    seen = counters(mount)
    where = "nr_unevictable" if apart(mount) else "nr_active_anon"
    of_zones = "nr_zone_unevictable" if apart(mount) else "nr_zone_active_anon"

    assert seen["nr_mlock"] == N
    assert {name for name, value in seen.items() if name in COUNTED and value} == {
        where
    }
    assert {n for n, v in seen.items() if n.startswith("nr_zone_") and v} == {of_zones}
    assert seen[where] == seen[of_zones] == N


def test_the_listing(mount):
    """Its `active` is the counter of the zone."""
    listed = text_of(mount, "memhotplug")
    active = [int(part.split(",")[0]) for part in listed.split("active ")[1:]]

    assert sum(active) == (0 if apart(mount) else N)


def test_what_is_active_in_a_zone(mount):
    """The command counts what the listing counts."""
    machine = mount.machine
    found = [machine.sched.run(machine.active(zid)) for zid in machine.zones]

    assert sum(sum(kinds.values()) for kinds, *_ in found) == (0 if apart(mount) else N)


def test_kpageflags(mount):
    """A page is on one list, whether it is locked or not."""
    seen = []
    for zone in mount.machine.zones.values():
        flags = array(
            "Q", mount.machine.core.kpage(zone.start_pfn, zone.spanned, False)
        )
        seen += [value for value in flags if value & KPF_MLOCKED]
    on = KPF_LRU | (KPF_UNEVICTABLE if apart(mount) else KPF_ACTIVE)

    assert len(seen) == N
    assert {value & (KPF_LRU | KPF_ACTIVE | KPF_UNEVICTABLE) for value in seen} == {on}


class Owner:
    """Of a file whose pages have nowhere to go."""

    def io_idle(self):
        pass

    def label(self):
        return "file"


def test_memory_that_is_available(mount):
    """Locked pages of a file are none of it."""
    machine = mount.machine
    before = meminfo(mount)["MemAvailable"]
    task = machine.tasks.create("locker", 2)
    file = machine.files.create("ram", Owner())
    machine.sched.run(file.write(0, bytes(N * 4096)))
    area = task.mmap_file(file, N * 4096, shared=True, write=False, lock=True)
    machine.sched.run(task.touch(area, write=False, passes=1))
    machine.core.drain_pagevecs()
    machine.bump()

    assert meminfo(mount)["Mlocked"] == 2 * N
    assert before - meminfo(mount)["MemAvailable"] >= N
