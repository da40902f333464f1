"""Any row of operations leaves a machine that is valid, and bytes that are right.

A shadow keeps what every file holds; tasks check their own stamps (event
``corrupt``). After every rule the whole of validate() runs. A second test replays one
row of operations with batches of 1, 7 and 32, with and without prefetch, and asks
for the same state hash.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memfs.vm import WAYS, Layout, Machine, Pin, Task, VmError, compact, passes
from memfs.vm._ffi import NO_PFN
from memfs.vm.compact import alloc_block
from memfs.vm.faults import FAULTS

# Small enough to be full at once: 16 MiB of DMA, 8 MiB of Normal, 2 x 16 MiB to take.
SMALL = """
name = "small"
kernel = "2.6.7"
min_free_kbytes = 256
swap = "48M"
[[node]]
size = "24M"
[[node]]
size = "16M"
[[node]]
size = "16M"
plugged = false
"""

PAGE = 4096
MAX_FILE = 3000 * PAGE
ZONES = (5, 9)
# Kind, and how dirty pages move: with their buffers, without, not of their own.
FILES = (("file", ""), ("shm", ""), ("file", "fallback"))


class Owner:
    """The host's side of a file: a temporary one."""

    def __init__(self, name: str) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by Bench.close()
        self.name = name

    def need_fd(self) -> int:
        return self.file.fileno()

    def io_idle(self) -> None:
        pass

    def label(self) -> str:
        return self.name


class Bench:
    """A machine, its files with their shadows, and its tasks."""

    def __init__(
        self, batch: int = 32, prefetch: bool = True, layout: Layout | None = None
    ) -> None:
        layout = layout or Layout.parse(SMALL, "small")
        self.m = Machine(layout, seed=3, paranoid=True, batch=batch, prefetch=prefetch)
        self.files = []
        for kind, moves in FILES:
            owner = Owner(kind)
            file = self.m.files.create(kind, owner, moves=moves)
            self.files.append((file, bytearray(), owner))
        self.task = self.m.tasks.create("task", 100)
        self.areas = [self.task.mmap_anon(4000 * PAGE)]
        self.blocks: list[tuple[int, int]] = []
        self.pins: list[Pin] = []
        self.children: list[Task] = []

    def close(self) -> None:
        for pin in self.pins:
            pin.release()
        self.m.close()
        for _, _, owner in self.files:
            owner.file.close()

    def run(self, op: object) -> object:
        """Run an operation; refusals are no failures."""
        try:
            return self.m.sched.run(op)
        except VmError as error:
            return error

    def write(self, which: int, off: int, size: int, seed: int) -> None:
        file, shadow, _ = self.files[which]
        data = random.Random(seed).randbytes(min(size, MAX_FILE - off))
        done = self.run(file.write(off, data, 1))
        if isinstance(done, VmError):
            return
        assert isinstance(done, int)
        if len(shadow) < off:
            shadow.extend(bytes(off - len(shadow)))
        shadow[off : off + done] = data[:done]

    def read(self, which: int, off: int, size: int) -> None:
        file, shadow, _ = self.files[which]
        seen = self.run(file.read(off, size, self.m.read_ahead()))
        if isinstance(seen, VmError):
            return

        assert bytes(shadow[off : off + size]) == bytes(seen)

    def truncate(self, which: int, size: int) -> None:
        file, shadow, owner = self.files[which]
        if isinstance(self.run(file.truncate(size)), VmError):
            return
        if file.kind == "file":
            owner.file.truncate(size)
        if size < len(shadow):
            del shadow[size:]
        else:
            shadow.extend(bytes(size - len(shadow)))

    def alloc(self, cls: int, order: int) -> None:
        pfn = self.m.core.alloc(cls, order, 0)
        if pfn != NO_PFN:
            self.blocks.append((pfn, order))

    def free(self, nth: int) -> None:
        if self.blocks:
            self.m.core.free(*self.blocks.pop(nth % len(self.blocks)))

    def touch(
        self, first: int, nr: int, write: bool, order: str, child: int = -1
    ) -> None:
        task = self.children[child] if 0 <= child < len(self.children) else self.task
        if task.killed or task.gone:
            return
        area = self.areas[0]
        self.run(task.touch(area, write, order, 1, first=first, nr=nr))

    def fork(self) -> None:
        if len(self.children) < 3 and not self.task.killed:
            child = self.run(self.task.fork(101 + len(self.children)))
            if isinstance(child, Task):
                self.children.append(child)

    def leave(self) -> None:
        if self.children:
            self.run(self.children.pop().exit())

    def pin_file(self, which: int, first: int, nr: int) -> None:
        self.keep(self.run(self.m.pins.file(self.files[which][0], first, nr, "pipe")))

    def pin_memory(self, first: int, nr: int) -> None:
        if not self.task.killed:
            op = self.m.pins.area(self.task, self.areas[0], first, nr, "direct I/O")
            self.keep(self.run(op))

    def keep(self, pin: object) -> None:
        if isinstance(pin, Pin):
            self.pins.append(pin)

    def unpin(self, nth: int) -> None:
        if self.pins:
            self.pins.pop(nth % len(self.pins)).release()

    def remap(self, zid: int, to: int | None, wait: bool, ways: int) -> None:
        dirty, anon, maps = (WAYS[key][ways >> i & 1] for i, key in enumerate(WAYS))
        self.m.set_ways(dirty=dirty, anon=anon, maps=maps)
        self.run(self.m.remap(zid, to, wait))

    def fault(self, name: str, times: int) -> None:
        self.m.faults.set({name: times})

    def check(self) -> None:
        assert self.m.sched.run(self.m.validate()) == []
        assert self.m.events()["corrupt"] == 0


SIZES = st.integers(min_value=1, max_value=700 * PAGE)
OFFSETS = st.integers(min_value=0, max_value=MAX_FILE - 1)
WHICH = st.integers(0, len(FILES) - 1)


class AnyOrder(RuleBasedStateMachine):
    """Every operation of issue and design, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()

    def teardown(self) -> None:
        for which in range(len(FILES)):
            self.bench.read(which, 0, MAX_FILE)
        self.bench.close()

    @rule(cls=st.integers(0, 1), order=st.integers(0, 10))
    def alloc(self, cls: int, order: int) -> None:
        self.bench.alloc(cls, order)

    @rule(nth=st.integers(0, 100))
    def free(self, nth: int) -> None:
        self.bench.free(nth)

    @rule(which=WHICH, off=OFFSETS, size=SIZES, seed=st.integers(0, 9))
    def write(self, which: int, off: int, size: int, seed: int) -> None:
        self.bench.write(which, off, size, seed)

    @rule(which=WHICH, off=OFFSETS, size=SIZES)
    def read(self, which: int, off: int, size: int) -> None:
        self.bench.read(which, off, size)

    @rule(which=WHICH, size=OFFSETS)
    def truncate(self, which: int, size: int) -> None:
        self.bench.truncate(which, size)

    @rule(which=WHICH)
    def fsync(self, which: int) -> None:
        self.bench.run(self.bench.files[which][0].fsync())

    @rule(
        first=st.integers(0, 3900),
        nr=st.integers(1, 100),
        write=st.booleans(),
        order=st.sampled_from(["sequential", "random"]),
    )
    def touch(self, first: int, nr: int, write: bool, order: str) -> None:
        self.bench.touch(first, nr, write, order)

    @rule(write=st.booleans())
    def touch_all(self, write: bool) -> None:
        self.bench.touch(0, 4000, write, "sequential")

    @rule(nid=st.integers(0, 2))
    def disable(self, nid: int) -> None:
        self.bench.run(self.bench.m.disable_node(nid))

    @rule(nid=st.integers(0, 2))
    def enable(self, nid: int) -> None:
        self.bench.run(self.bench.m.enable_node(nid))

    @rule(nid=st.integers(0, 2))
    def plug(self, nid: int) -> None:
        self.bench.run(self.bench.m.plug(nid))

    @rule(nid=st.integers(0, 2))
    def unplug(self, nid: int) -> None:
        self.bench.run(self.bench.m.unplug(nid))

    @rule(zid=st.integers(0, 11))
    def purge(self, zid: int) -> None:
        self.bench.run(self.bench.m.purge(zid))

    @rule(
        zid=st.sampled_from([0, 1, 5, 9]),
        to=st.sampled_from([None, None, None, 0, 1, 2]),
        wait=st.booleans(),
        ways=st.integers(0, 7),
    )
    def remap(self, zid: int, to: int | None, wait: bool, ways: int) -> None:
        self.bench.remap(zid, to, wait, ways)

    @rule(zid=st.sampled_from(ZONES))
    def remap_and_check(self, zid: int) -> None:
        before = self.bench.m.state_hash()
        self.bench.run(self.bench.m.remap_check(zid))
        assert self.bench.m.state_hash() == before
        self.bench.run(self.bench.m.remap(zid))

    @rule(nid=st.sampled_from([None, 0, 1, 2]))
    def compact(self, nid: int | None) -> None:
        self.bench.run(self.bench.m.compact(nid))

    @rule(order=st.integers(1, 10))
    def block(self, order: int) -> None:
        pfn = self.bench.run(alloc_block(self.bench.m, 0, order, 0))
        if isinstance(pfn, int):
            self.bench.blocks.append((pfn, order))

    @rule(which=WHICH, first=st.integers(0, 700), nr=st.integers(1, 40))
    def pin_file(self, which: int, first: int, nr: int) -> None:
        self.bench.pin_file(which, first, nr)

    @rule(first=st.integers(0, 3900), nr=st.integers(1, 40))
    def pin_memory(self, first: int, nr: int) -> None:
        self.bench.pin_memory(first, nr)

    @rule(nth=st.integers(0, 9))
    def unpin(self, nth: int) -> None:
        self.bench.unpin(nth)

    @rule(
        name=st.sampled_from([fault.name for fault in FAULTS if fault.core]),
        times=st.integers(0, 20),
    )
    def fault(self, name: str, times: int) -> None:
        self.bench.fault(name, times)

    @rule()
    def fork(self) -> None:
        self.bench.fork()

    @rule()
    def leave(self) -> None:
        self.bench.leave()

    @rule(child=st.integers(0, 2), first=st.integers(0, 3000), write=st.booleans())
    def touch_child(self, child: int, first: int, write: bool) -> None:
        self.bench.touch(first, 900, write, "sequential", child)

    @rule(steps=st.integers(1, 12))
    def cancelled_remap(self, steps: int) -> None:
        m = self.bench.m
        m.faults.set({"migrate_reference": 500})
        job = m.sched.spawn(m.remap(5), name="remap")
        for _ in range(steps):
            m.sched.round()
            m.sched.advance(m.now + 1_000_000)
        m.sched.cancel(job)
        while m.sched.round():
            pass
        m.faults.set({"migrate_reference": 0})
        assert m.migrating is None

    @rule(ms=st.integers(1, 6000))
    def tick(self, ms: int) -> None:
        m = self.bench.m
        m.sched.advance(m.now + ms * 1_000_000)
        while m.sched.round():
            pass

    @rule(steps=st.integers(1, 30))
    def cancelled_purge(self, steps: int) -> None:
        m = self.bench.m
        job = m.sched.spawn(m.purge(5), name="purge")
        for _ in range(steps):
            m.sched.round()
        m.sched.cancel(job)
        while m.sched.round():
            pass

    @invariant()
    def all_holds(self) -> None:
        self.bench.check()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def play(bench: Bench, seed: int, steps: int) -> None:
    """One row of operations, the same for the same seed."""
    rng = random.Random(seed)
    m = bench.m
    moves: list[Callable[[], object]] = [
        lambda: bench.write(rng.randrange(3), rng.randrange(MAX_FILE), 200_000, 1),
        lambda: bench.read(rng.randrange(3), rng.randrange(MAX_FILE), 400_000),
        lambda: bench.touch(rng.randrange(3900), 100, True, "random"),
        lambda: bench.touch(0, 4000, rng.random() < 0.5, "sequential"),
        lambda: bench.run(m.disable_node(1)),
        lambda: bench.run(m.enable_node(1)),
        lambda: bench.run(m.purge(5)),
        lambda: bench.run(bench.files[0][0].fsync()),
        lambda: bench.alloc(0, rng.randrange(4)),
        lambda: bench.free(rng.randrange(9)),
        lambda: bench.remap(5, None, True, rng.randrange(8)),
        lambda: bench.remap(1, None, False, 0),
        lambda: bench.run(m.compact()),
        lambda: bench.pin_file(rng.randrange(3), rng.randrange(500), 20),
        lambda: bench.unpin(0),
        lambda: bench.fault("migrate_reference", rng.randrange(200)),
        bench.fork,
        bench.leave,
        lambda: bench.touch(rng.randrange(3000), 900, True, "sequential", 0),
    ]
    for _ in range(steps):
        rng.choice(moves)()


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_batches_and_prefetch_change_no_state(seed: int) -> None:
    """Batches of 1, 7 and 32, with and without prefetch, end in the same state."""
    hashes = set()
    for batch, prefetch in ((1, False), (7, True), (32, True), (32, False)):
        bench = Bench(batch, prefetch)
        play(bench, seed, 90)
        bench.check()
        hashes.add(bench.m.state_hash())
        bench.close()

    assert len(hashes) == 1


def test_the_budget_of_a_step_changes_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remap and a defragmentation in small steps and in large ones."""
    hashes = set()
    for step in (1, 37, 4096, 1 << 20):
        monkeypatch.setattr(passes, "STEP", step)
        monkeypatch.setattr(compact, "STEP", step)
        bench = Bench()
        bench.write(0, 0, 600 * PAGE, 1)
        bench.write(1, 0, 600 * PAGE, 2)
        bench.write(2, 0, 100 * PAGE, 3)
        bench.touch(0, 3000, True, "random")
        bench.fork()
        bench.touch(0, 900, True, "sequential", 0)
        bench.fault("migrate_reference", 60)
        m = bench.m
        bench.run(m.disable_node(1))
        now = m.now
        bench.run(m.remap(5))
        assert m.zones[5].in_use == 0
        bench.run(m.compact())
        assert m.now - now < 10**9
        bench.check()
        hashes.add(m.state_hash())
        bench.close()
    assert len(hashes) == 1
