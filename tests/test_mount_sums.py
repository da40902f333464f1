"""Sums agree across files while nodes, blocks and pages come and go beneath readers.

Four readers look at everything all the time. What one file says is of one instant. When
the counters and the kernel log are the same before and after, nothing happened in
between, and what was read there must add up.
"""

import contextlib
import hashlib
import os
import re
import threading

import pytest
from mounting import MEMFS, mounted, wait_until

pytestmark = pytest.mark.mount

READERS = 4
ROUNDS = 5
MEMORY = "sys/devices/system/memory"
NODE = "sys/devices/system/node"
ZONE = re.compile(r"^Node (\d+), zone +(\w+)$")
COUNTED = re.compile(r"^(pg|numa_|psw|compact_|allocstall|nr_dirtied|nr_written)")
# Of node 0, whose blocks stay; two of them are not full.
NODE0_BLOCKS, NODE0_PRESENT = 16, 524155
BLOCK_PAGES = 32768
ZONE_TYPES = 5


@pytest.fixture
def mount(tmp_path):
    options = ("--machine", "modern", "--paranoid")
    with mounted(tmp_path, 600.0, command=MEMFS, options=options) as made:
        yield made


def numbers(text):
    """Values by name, of meminfo and vmstat; the node in front is left out."""
    rows = (
        line.replace(":", " ").removesuffix(" kB").split() for line in text.splitlines()
    )
    return {row[-2]: int(row[-1]) for row in rows}


def zones(text):
    """Figures of each zone of zoneinfo that has pages; a torn file has a zone less."""
    found, zone = [], {}
    for line in text.splitlines():
        if ZONE.match(line):
            zone = {"node": int(ZONE.match(line)[1])}
            found.append(zone)
        elif len(words := line.replace(":", "").split()) == 2 and words[1].isdigit():
            zone.setdefault(words[0], int(words[1]))
        elif line.startswith("  pages free"):
            zone["free"] = int(line.split()[-1])
    assert text.endswith("\n")
    assert len(found) % ZONE_TYPES == 0
    there = [zone for zone in found if zone["present"]]
    assert all("start_pfn" in zone for zone in there)
    return there


def buddy(text):
    """Free pages in the buddy lists."""
    rows = [line.split()[4:] for line in text.splitlines()]
    assert all(len(row) == 11 for row in rows)
    return sum(int(nr) << order for row in rows for order, nr in enumerate(row))


class Reader(threading.Thread):
    """Reads all that must agree, until it is stopped."""

    def __init__(self, mount):
        super().__init__()
        self.mount = mount
        self.over = threading.Event()
        self.looks = self.quiet = 0
        self.wrong = []
        self.counters = {}

    def run(self):
        while not self.over.is_set():
            try:
                self.look()
            except AssertionError as error:
                self.wrong.append(str(error)[:500])
            self.looks += 1

    def text(self, name):
        return (self.mount / name).read_text()

    def look(self):
        before = self.text("kmsg"), self.text("proc/vmstat")
        whole = numbers(self.text("proc/meminfo"))
        every = zones(self.text("proc/zoneinfo"))
        free_blocks = buddy(self.text("proc/buddyinfo"))
        nodes = self.nodes()
        blocks = self.blocks()
        after = self.text("kmsg"), self.text("proc/vmstat")
        stat = numbers(after[1])
        self.check_alone(whole, every, stat)
        if before == after and nodes is not None and blocks is not None:
            self.quiet += 1
            self.check_sums(whole, every, stat, nodes, blocks, free_blocks)

    def nodes(self):
        """meminfo of every node that is listed; None: one went meanwhile."""
        names = [n for n in os.listdir(self.mount / NODE) if n[:4] == "node"]
        with contextlib.suppress(OSError):
            return [numbers(self.text(f"{NODE}/{name}/meminfo")) for name in names]
        return None

    def blocks(self):
        """How many blocks are not offline; None: one went meanwhile."""
        names = [n for n in os.listdir(self.mount / MEMORY) if n[-1].isdigit()]
        with contextlib.suppress(OSError):
            states = [self.text(f"{MEMORY}/{name}/state") for name in names]
            return sum(state != "offline\n" for state in states)
        return None

    def check_alone(self, whole, every, stat):
        assert all(value >= 0 for value in (*whole.values(), *stat.values()))
        assert whole["MemFree"] <= whole["MemTotal"]
        assert whole["MemAvailable"] <= whole["MemTotal"]
        used = whole["MemFree"] + whole["Cached"] + whole["SReclaimable"]
        assert used <= whole["MemTotal"]
        assert whole["Cached"] >= whole["Shmem"]
        assert whole["SwapFree"] <= whole["SwapTotal"]
        for zone in every:
            assert zone["spanned"] >= zone["present"] >= zone["managed"] >= zone["free"]
            assert zone["min"] <= zone["low"] <= zone["high"]
        for name, value in stat.items():
            if COUNTED.match(name) and not name.startswith("nr_free"):
                assert value >= self.counters.get(name, 0), name
                self.counters[name] = value

    def check_sums(self, whole, every, stat, nodes, blocks, free_blocks):
        assert sum(zone["managed"] for zone in every) * 4 == whole["MemTotal"]
        assert sum(zone["free"] for zone in every) * 4 == whole["MemFree"]
        assert stat["nr_free_pages"] * 4 == whole["MemFree"]
        assert free_blocks * 4 >= whole["MemFree"]
        for name in ("MemTotal", "MemFree", "AnonPages", "Shmem", "Slab", "Active"):
            assert sum(node[name] for node in nodes) == whole[name], name
        assert sum(node["FilePages"] for node in nodes) == (
            whole["Cached"] + whole["SwapCached"]
        )
        assert all(n["MemUsed"] == n["MemTotal"] - n["MemFree"] for n in nodes)
        others = (blocks - NODE0_BLOCKS) * BLOCK_PAGES
        assert sum(zone["present"] for zone in every) == NODE0_PRESENT + others


def do(mount, name, words):
    """A command that may be refused: what keeps it from being done is no error."""
    with contextlib.suppress(OSError):
        mount.write(name, words)


def change(mount):
    """Everything that can happen to nodes 1 and 2, once."""
    for number in (33, 34, 41):
        do(mount, f"{MEMORY}/memory{number}/state", "offline")
    do(mount, f"{MEMORY}/memory34/state", "online_movable")
    do(mount, "memhotplug", "disable node 1")
    do(mount, "memhotplug", "remap 6")
    do(mount, "memhotplug", "purge 6")
    do(mount, "memhotplug", "enable node 1")
    do(mount, "memhotplug", "disable node 2")
    do(mount, "memhotplug", "remap 10")
    do(mount, "memhotplug", "unplug 2")
    do(mount, "proc/sys/vm/compact_memory", "1")
    do(mount, "memhotplug", "plug 2")
    do(mount, "memhotplug", "enable node 2")
    do(mount, f"{MEMORY}/soft_offline_page", hex(35 << 27))
    do(mount, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "20")
    for number in (33, 34, 41):
        do(mount, f"{MEMORY}/memory{number}/state", "offline")
        do(mount, f"{MEMORY}/memory{number}/state", "online")
    do(mount, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0")
    do(mount, "proc/sys/vm/drop_caches", "3")


def test_sums_agree_while_everything_changes(mount):
    """No torn file, nothing negative, no counter goes down, and nothing is lost."""
    data = os.urandom(1 << 20) * 24
    (mount / "files/data").write_bytes(data)
    (mount / "shm/data").write_bytes(data)
    task = os.open(mount / "control/tasks", os.O_RDWR)
    os.write(task, b"mmap anon 300M")
    os.write(task, b"touch 1 write once")
    readers = [Reader(mount) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(ROUNDS):
            change(mount)
            quiet = [reader.quiet for reader in readers]
            wait_until(
                lambda quiet=quiet: all(
                    reader.quiet > old or reader.wrong
                    for reader, old in zip(readers, quiet, strict=True)
                )
            )
    finally:
        for reader in readers:
            reader.over.set()
        for reader in readers:
            reader.join()
        os.close(task)

    assert [wrong for reader in readers for wrong in reader.wrong] == []
    assert all(reader.quiet >= ROUNDS for reader in readers)
    for name in ("files/data", "shm/data"):
        seen = hashlib.sha256((mount / name).read_bytes()).digest()
        assert seen == hashlib.sha256(data).digest()
    mount.write("control/validate", "1")
    assert (mount / "control/validate").read_text() == "ok\n"
