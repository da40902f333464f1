"""Stand-ins for the parts of a mount that a test of its files does not need.

``FakeMachine`` has figures and no pages: the kernel log, the rules and the scheduler
are the real ones. ``SyncPump`` runs an operation to its end at once.
"""

import errno
from collections import deque
from types import SimpleNamespace

from memfs.mount import Mount, Settings
from memfs.tree import Caller, Interrupt, TreeError
from memfs.vm import stats
from memfs.vm._ffi import NUMA_NAMES, DevStat, HostStat, SwapStat, ZoneItem, ZoneStat
from memfs.vm.errors import Cancelled, VmError
from memfs.vm.keepers import Keeper
from memfs.vm.klog import KernelLog
from memfs.vm.rules import Rules
from memfs.vm.sched import MORE, Scheduler
from memfs.vm.tasks import TaskStat
from memfs.vm.ways import Ways

OWNER = Caller(pid=0, uid=0, gid=0)

# Zone, node, type, free, active, present and marks of T. Iwamoto's machine, as his
# mail of 2004-04-06 lists it; the marks are mm/page_alloc.c's.
S1_ZONES = (
    (0, 0, 0, 250, 940, 4096, (4, 8, 12)),
    (1, 0, 1, 307, 101623, 126976, (151, 302, 453)),
    (5, 1, 1, 336, 9287, 83968, (99, 198, 297)),
    (6, 1, 2, 88, 14406, 45056, (44, 88, 132)),
)
ZONE_NAMES = ("DMA", "Normal", "HighMem")


def zone_stat(zid, nid, kind, free, active, present, marks, is_open=True, **items):
    """A zone whose other pages are on its inactive list, clean pages of files."""
    item = [0] * len(ZoneItem)
    item[ZoneItem.NR_FREE] = free
    item[ZoneItem.NR_ACTIVE] = active
    item[ZoneItem.NR_INACTIVE] = present - free - active
    item[ZoneItem.NR_FILE] = present - free
    for name, value in items.items():
        item[ZoneItem[f"NR_{name.upper()}"]] = value
    blocks = (free, *[0] * 10)
    numbers = (kind * 4096, present, present, present, *marks)
    numa = (zid,) * len(NUMA_NAMES)
    return ZoneStat(
        zid, nid, kind, *numbers, is_open, False, True, 0, tuple(item), numa,
        blocks, 2, 6, 0, 2, 1,
    )  # fmt: skip


class FakeClock:
    """Virtual time without devices."""

    def __init__(self):
        self.time = 0

    def now(self):
        return self.time

    def next_event(self):
        return None

    def advance(self, to_ns):
        self.time = to_ns

    def drain(self, to_ns):
        pass

    def completions(self):
        return 0

    def set_horizon(self, ns):
        pass


class FakeZone:
    """A zone, its figures those of the machine's ``stats``."""

    prev_priority = temp_priority = 12

    def __init__(self, stats, zid):
        self.stats = stats
        self.zid = zid
        self.nid = stats[zid].nid
        self.name = ZONE_NAMES[stats[zid].type]

    def stat(self):
        return self.stats[self.zid]

    @property
    def in_use(self):
        return self.stat().managed - self.stat().free


class FakeNode:
    """A node slot; plugged at first if there are zones of it."""

    def __init__(self, zones, nid):
        self.nid = nid
        self.zones = [zone for zone in zones.values() if zone.nid == nid]
        self.plugged = bool(self.zones)
        self.removable = nid > 0

    @property
    def enabled(self):
        return any(zone.stat().open for zone in self.zones)


class FakeMachine:
    """The machine of S1, as far as files ask for it."""

    def __init__(self, zones=S1_ZONES, column="2.6.7", name="2004"):
        self.clock = FakeClock()
        self.sched = Scheduler(self.clock)
        self.klog = KernelLog(self.clock.now)
        self.rules = Rules.resolve(column)
        self.layout = SimpleNamespace(name=name, kernel=column, max_pfn=1 << 18)
        self.stats = {row[0]: zone_stat(*row) for row in zones}
        self.zones = {zid: FakeZone(self.stats, zid) for zid in self.stats}
        self.nodes = {nid: FakeNode(self.zones, nid) for nid in range(4)}
        self.version = 1
        self.structure = 0
        self.swap = SwapStat(262144, 0, 0)
        self.counters = {"pgfault": 7, "pgscan": 5, "pgcow": 3, "kswapd_steal": 2}
        conf = {"latency_ns": 10**6, "bandwidth": 10**9, "requests": 128}
        self.disk = SimpleNamespace(**conf, readahead=131072)
        self.swap_disk = SimpleNamespace(**conf, readahead=131072)
        self.ways = Ways()
        self.hugetlb = SimpleNamespace(there=False)
        self.blocks = SimpleNamespace(unplugs=0, version=0, names=0)
        self.faults = FakeFaults()
        self.core = SimpleNamespace(lane_ops=lambda: 12)
        self.last_ops = deque(maxlen=16)
        self.tasks = FakeTasks()
        self.revoke = SimpleNamespace(outstanding=0, hook=None)
        self.auto_online = "offline"
        self.notifiers = SimpleNamespace(errors={})
        self.found = []
        self.done = []

    @property
    def now(self):
        return self.clock.now()

    def snapshot(self):
        sums = {zid: stats.zone_sums(stat) for zid, stat in self.stats.items()}
        nodes = {}
        for nid, node in self.nodes.items():
            mine = tuple(s for s in self.stats.values() if s.nid == nid)
            if node.plugged:
                added = stats.added(sums[stat.zid] for stat in mine)
                nodes[nid] = stats.NodeFigures(
                    nid, node.enabled, node.removable, mine, added
                )
        return stats.Snapshot(
            version=self.version,
            now=self.now,
            zones=self.stats,
            zone_sums=sums,
            nodes=nodes,
            total=stats.added(node.sums for node in nodes.values()),
            gone=stats.Sums(),
            allocated={},
            swap=self.swap,
            events=self.counters,
            disk=DevStat(*[0] * 8),
            swap_disk=DevStat(*[0] * 8),
            host=HostStat(10, 2, 0, 3, 1000),
        )

    def set_device(self, device, **values):
        target = self.disk if device == "disk" else self.swap_disk
        vars(target).update(values)

    def set_ways(self, /, **changes):
        self.ways = self.ways.changed(**changes)

    def keepers_of_zone(self, number):
        yield MORE
        if number not in self.stats:
            raise VmError(errno.ENODEV, f"there is no {number}")
        return [Keeper("pinned", "file", 'pipe of "8"', 7, 16, 100)]

    keepers_of_node = keepers_of_block = keepers_of_zone

    def compact(self, nid):
        yield MORE
        self.done.append(f"compact {nid}")

    def bump(self):
        self.version += 1

    def probe(self, address):
        yield MORE
        raise VmError(errno.EINVAL, f"probe {address:#x}: no block begins there")

    def validate(self):
        yield MORE
        return self.found

    def sync(self):
        yield MORE

    def close(self):
        self.sched.close()

    def plug(self, nid):
        yield MORE
        if self.nodes[nid].plugged:
            raise VmError(errno.EEXIST, f"plug {nid}: node {nid} is plugged")
        self.nodes[nid].plugged = True
        self.version += 1

    def unplug(self, nid):
        yield MORE
        raise VmError(errno.EBUSY, f"unplug {nid}: 336 pages still in use")

    def gate(self, zids, is_open):
        yield MORE
        for zid in zids:
            self.stats[zid] = self.stats[zid]._replace(open=is_open)
        self.version += 1

    def enable_node(self, nid):
        return self.gate([z for z, s in self.stats.items() if s.nid == nid], True)

    def disable_node(self, nid):
        return self.gate([z for z, s in self.stats.items() if s.nid == nid], False)

    def enable_zone(self, zid):
        return self.gate([zid], True)

    def disable_zone(self, zid):
        return self.gate([zid], False)

    def purge(self, zid):
        yield MORE
        self.done.append(zid)

    def inuse(self, zid):
        yield MORE
        return SimpleNamespace(kinds={"anon": 3, "file": 0}, pfns=[7, 8])

    active = inuse


class FakeFaults:
    """Faults that never happen."""

    def __init__(self):
        self.times = {}

    def left(self, name):
        return self.times.get(name, 0)

    def set(self, times):
        self.times.update(times)


class FakeTasks:
    """Processes that map areas and touch nothing."""

    def __init__(self):
        self.there = {}

    def get(self, pid):
        return self.there.get(pid)

    def create(self, name, pid):
        self.there[pid] = task = FakeTask(self, name, pid)
        return task

    def all(self):
        return [self.there[pid] for pid in sorted(self.there)]


class FakeTask:
    """A modelled process; ``touches`` is what it was told to walk over."""

    def __init__(self, tasks, name, pid):
        self.tasks = tasks
        self.name = name
        self.pid = pid
        self.killed = False
        self.areas = {}
        self.touches = []

    def mmap_anon(self, nbytes):
        return self._map(nbytes)

    def mmap_file(self, file, nbytes, shared, write):
        return self._map(nbytes)

    def _map(self, nbytes):
        number = max(self.areas, default=0) + 1
        self.areas[number] = nbytes // 4096
        return number

    def munmap(self, number):
        yield MORE
        del self.areas[number]

    def touch(self, number, write, order, passes=None, first=0, nr=None):
        self.touches.append((number, write, order, passes, first, nr))
        while passes is None or passes > 0:
            yield MORE
            if self.killed:
                raise VmError(errno.ESRCH, "killed")
            passes = None if passes is None else passes - 1

    def exit(self):
        yield MORE
        del self.tasks.there[self.pid]

    def stat(self):
        total = sum(self.areas.values())
        return TaskStat(
            self.pid, self.name, total, total, 0, 1, len(self.areas), total, 0, 0, 0,
            self.killed,
        )  # fmt: skip


class SyncPump:
    """Runs an operation at once; ``between`` is called after each round."""

    def __init__(self):
        self.machine = None
        self.pokes = 0
        self.manual = False
        self.between = lambda: None

    async def run_job(self, op, name, interrupt=None):
        sched = self.machine.sched
        job = sched.spawn(op, name=name)
        if interrupt is not None:
            interrupt.listen(lambda: sched.cancel(job))
        while not job.done:
            if not sched.round():
                due = sched.next_due()
                assert due is not None, f"{name} waits for ever: {job.waiting}"
                sched.advance(due)
            self.between()
        if isinstance(job.error, Cancelled):
            raise TreeError(errno.EINTR, f"{name}: interrupted")
        return job.value()

    def set_manual(self, manual):
        self.manual = manual

    def tick(self):
        """Nobody moves the clock of a test."""

    def poke(self):
        self.pokes += 1


def fake_mount(machine=None, **options):
    """A mount of a FakeMachine."""
    pump = SyncPump()
    pump.machine = machine or FakeMachine()
    pump.manual = options.get("clock") == "manual"
    return Mount(pump.machine, pump, Settings(**options))


def look_up(mount, path):
    """The node at *path*, or None."""
    node = mount.root
    for name in path.encode().split(b"/"):
        node = node.lookup(name)
        if node is None:
            return None
    return node


def text_of(mount, path):
    """What reading the file at *path* gives."""
    return look_up(mount, path).open(0, OWNER).read(0, 1 << 20).decode()


async def write(mount, path, data, interrupt=None):
    """One open, write, close of the file at *path*."""
    handle = look_up(mount, path).open(1, OWNER)
    raw = data if isinstance(data, bytes) else data.encode()
    try:
        return await handle.write(0, raw, interrupt or Interrupt())
    finally:
        await handle.release()
