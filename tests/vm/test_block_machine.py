"""Memory blocks, huge pages, bad pages and settings in any order: a state machine.

A small machine of Linux 6.1; after every step all invariants hold, and what was
written is read.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from test_state_machine import MAX_FILE, OFFSETS, PAGE, SIZES, WHICH, Bench

from memfs.vm import Layout, VmError
from memfs.vm.tasks import Task

SMALL = """
kernel = "6.1"
block = "8M"
swap = "64M"
min_free_kbytes = 512
[[node]]
size = "48M"
[[node]]
size = "32M"
[[node]]
size = "32M"
plugged = false
"""
LAST = 13  # blocks 0 to 13
BLOCKS = st.integers(0, LAST)
NODES = st.integers(0, 2)
MOST_ROUNDS = 60
KNOBS = {
    "min_free_kbytes": (128, 512, 2048),
    "watermark_scale_factor": (10, 200),
    "watermark_boost_factor": (0, 15000),
    "percpu_pagelist_high_fraction": (0, 8),
    "lowmem_reserve_ratio": ((256, 256, 32, 0, 0), (1, 1, 1, 0, 0)),
    "swappiness": (0, 60, 200),
    "zone_reclaim_mode": (0, 1),
    "overcommit_memory": (0, 1, 2),
    "nr_overcommit_hugepages": (0, 3),
    "numa_stat": (0, 1),
}


class BlockBench(Bench):
    """Operations on blocks beside those of the other bench."""

    def __init__(self) -> None:
        super().__init__(layout=Layout.parse(SMALL, "small"))
        self.databases: list[Task] = []

    def patiently(self, op: object, name: str) -> None:
        """Run an operation that may never end; then it is interrupted."""
        job = self.m.sched.spawn(op, name=name)
        for _ in range(MOST_ROUNDS):
            if job.done:
                return
            if not self.m.sched.round():
                due = self.m.sched.next_due()
                self.m.sched.advance(due if due is not None else self.m.now + 10**7)
        self.m.sched.cancel(job)
        while not job.done:
            self.m.sched.round()

    def map_huge(self, nr: int) -> None:
        task = self.m.tasks.create("database", 200 + len(self.databases))
        self.databases.append(task)
        try:
            task.mmap_huge(nr)
        except VmError:
            return

    def touch_huge(self, nth: int, nr: int) -> None:
        if not self.databases:
            return
        task = self.databases[nth % len(self.databases)]
        for area in list(task.areas.values()):
            self.patiently(task.touch(area.id, passes=1, nr=min(nr, area.nr)), "touch")

    def leave_huge(self) -> None:
        if self.databases:
            self.run(self.databases.pop().exit())


class AnyBlock(RuleBasedStateMachine):
    """What changes blocks, and what uses pages of them."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = BlockBench()

    def teardown(self) -> None:
        for which in (0, 1):
            self.bench.read(which, 0, MAX_FILE)
        self.bench.close()

    @rule(number=BLOCKS)
    def offline(self, number: int) -> None:
        self.bench.patiently(self.bench.m.block_offline(number), "offline")

    @rule(number=BLOCKS, other=BLOCKS, address=st.integers(0, (LAST + 1) << 23))
    def at_once(self, number: int, other: int, address: int) -> None:
        m = self.bench.m
        jobs = [
            m.sched.spawn(op, name="change")
            for op in (
                m.block_offline(number),
                m.block_online(other),
                m.soft_offline(address),
                m.hugetlb.resize(4),
            )
        ]
        self.bench.patiently(m.block_offline(other), "offline")
        for job in jobs:
            m.sched.cancel(job)
        while not all(job.done for job in jobs):
            m.sched.round()

    @rule(
        number=BLOCKS,
        way=st.sampled_from(["online", "online_kernel", "online_movable"]),
    )
    def online(self, number: int, way: str) -> None:
        self.bench.run(self.bench.m.block_online(number, way))

    @rule(number=BLOCKS, auto=st.sampled_from(["offline", "online", "online_movable"]))
    def probe(self, number: int, auto: str) -> None:
        self.bench.m.auto_online = auto
        self.bench.run(self.bench.m.probe(number << 23))

    @rule(nid=NODES, what=st.sampled_from(["plug", "unplug", "enable", "disable"]))
    def node(self, nid: int, what: str) -> None:
        m = self.bench.m
        ways = {
            "plug": m.plug,
            "unplug": m.unplug,
            "enable": m.enable_node,
            "disable": m.disable_node,
        }
        self.bench.run(ways[what](nid))

    @rule(zid=st.sampled_from([0, 1, 2, 3, 5, 6, 7, 9, 10, 11]))
    def remap(self, zid: int) -> None:
        self.bench.run(self.bench.m.remap(zid))

    @rule(page=st.integers(0, (LAST + 1) * 2048), runs=st.integers(1, 3))
    def soft_offline(self, page: int, runs: int) -> None:
        for i in range(runs):
            op = self.bench.m.soft_offline((page + i) * PAGE)
            self.bench.patiently(op, "soft_offline")

    @rule(nr=st.integers(0, 60), nid=st.sampled_from([None, 0, 1, 2]))
    def resize(self, nr: int, nid: int | None) -> None:
        self.bench.run(self.bench.m.hugetlb.resize(nr, nid))

    @rule(nr=st.integers(1, 8))
    def map_huge(self, nr: int) -> None:
        self.bench.map_huge(nr)

    @rule(nth=st.integers(0, 5), nr=st.integers(1, 8))
    def touch_huge(self, nth: int, nr: int) -> None:
        self.bench.touch_huge(nth, nr)

    @rule()
    def leave_huge(self) -> None:
        self.bench.leave_huge()

    @rule(name=st.sampled_from(sorted(KNOBS)), nth=st.integers(0, 2))
    def tune(self, name: str, nth: int) -> None:
        values = KNOBS[name]
        self.bench.m.tune(name, values[nth % len(values)])

    @rule(what=st.integers(1, 3))
    def drop_caches(self, what: int) -> None:
        self.bench.run(self.bench.m.drop_caches(what))

    @rule(nid=st.sampled_from([None, 0, 1, 2]))
    def compact(self, nid: int | None) -> None:
        self.bench.run(self.bench.m.compact(nid))

    @rule(which=WHICH, off=OFFSETS, size=SIZES, seed=st.integers(0, 9))
    def write(self, which: int, off: int, size: int, seed: int) -> None:
        self.bench.write(which, off, size, seed)

    @rule(which=WHICH, off=OFFSETS, size=SIZES)
    def read(self, which: int, off: int, size: int) -> None:
        self.bench.read(which, off, size)

    @rule(first=st.integers(0, 3900), nr=st.integers(1, 100), write=st.booleans())
    def touch(self, first: int, nr: int, write: bool) -> None:
        self.bench.touch(first, nr, write, "random")

    @rule(write=st.booleans())
    def touch_all(self, write: bool) -> None:
        self.bench.touch(0, 4000, write, "sequential")

    @rule(cls=st.integers(0, 1), order=st.integers(0, 10))
    def alloc(self, cls: int, order: int) -> None:
        self.bench.alloc(cls, order)

    @rule(nth=st.integers(0, 100))
    def free(self, nth: int) -> None:
        self.bench.free(nth)

    @rule(first=st.integers(0, 3900), nr=st.integers(1, 40))
    def pin(self, first: int, nr: int) -> None:
        self.bench.pin_memory(first, nr)

    @rule(nth=st.integers(0, 9))
    def unpin(self, nth: int) -> None:
        self.bench.unpin(nth)

    @rule(ms=st.integers(1, 6000))
    def tick(self, ms: int) -> None:
        m = self.bench.m
        m.sched.advance(m.now + ms * 1_000_000)
        while m.sched.round():
            pass

    @invariant()
    def all_holds(self) -> None:
        self.bench.check()
        m = self.bench.m
        online = sum(
            m.blocks.get(number).pages
            for number in m.blocks
            if m.blocks.get(number).online
        )
        assert online == sum(zone.present for zone in m.zones.values())
        for nid in m.nodes:
            node = m.hugetlb.figures(nid)
            assert 0 <= node.surplus <= node.total
        total = m.hugetlb.figures()
        assert total.reserved <= total.free <= total.total


TestAnyBlock = AnyBlock.TestCase
TestAnyBlock.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
