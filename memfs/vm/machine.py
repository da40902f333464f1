"""The machine: one object that holds the whole model, and what can be asked of it.

A facade: what is done is in the modules that it names. Operations are generators
for the scheduler (``m.sched.run(m.purge(5))``); everything else answers at once.
One thread owns a machine; there is no lock. It reads no wall clock and no global
random source: the same layout, seed and requests give the same state.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

from memfs.records import NamedTuple
from memfs.vm import (
    _ffi,
    compact,
    dropcaches,
    hotplug,
    hwpoison,
    keepers,
    migrate,
    onoff,
    oplog,
    stats,
    tunables,
    validate,
    zones,
)
from memfs.vm._ffi import Core, ZoneStat
from memfs.vm.blocks import Blocks
from memfs.vm.compact import CompactResult
from memfs.vm.coreconf import closed_rules, core_conf
from memfs.vm.devices import DeviceConf, Devices
from memfs.vm.faults import Faults
from memfs.vm.filetable import Files
from memfs.vm.hostfiles import HostFiles
from memfs.vm.hotplug import InUse, PurgeResult
from memfs.vm.hugetlb import Hugetlb
from memfs.vm.keepers import Keeper
from memfs.vm.klog import KernelLog
from memfs.vm.layout import Layout
from memfs.vm.migrate import CheckResult, RemapResult
from memfs.vm.notifiers import Notifiers
from memfs.vm.oom import OomState
from memfs.vm.oplog import LAST_OPS, OpRecord
from memfs.vm.pins import Pins
from memfs.vm.pressure import Pressure
from memfs.vm.readahead import ReadAhead
from memfs.vm.revoke import Revocations
from memfs.vm.rules import Rules
from memfs.vm.sched import Op, Scheduler
from memfs.vm.seeds import Seeds
from memfs.vm.tasks import Tasks
from memfs.vm.tunables import Tunables
from memfs.vm.ways import Ways
from memfs.vm.writeback import Writeback
from memfs.vm.zones import Node, Zone

# Counters of this side; the core has the others.
POLICY_EVENTS = (
    "drop_pagecache",
    "drop_slab",
    "pageoutrun",
    "oom_kill",
    "compact_stall",
    "compact_fail",
    "compact_success",
    "htlb_buddy_alloc_success",
    "htlb_buddy_alloc_fail",
    "zone_reclaim_failed",
)

T = TypeVar("T")


class Target(NamedTuple):
    """A node or a zone, as enable and disable take either."""

    kind: str
    number: int


class Machine:
    """A modelled machine.

    Args:
        layout: what it is made of.
        seed: of every random order; 0 <= seed < 2^64.
        paranoid: poison the bytes of freed pages; validate() after commands is
            the caller's.
        swap_file: host file that holds the swap area; None: memory.
        host_memory: bytes of host memory for the contents of pages; None: as
            much as it takes.
        batch: pages that the core looks ahead, 1..64; changes no state.
        prefetch: whether it prefetches; changes no state.

    Raises:
        VmError: ENOMEM the host has no room, or the errno of the swap file.
    """

    def __init__(
        self,
        layout: Layout,
        seed: int = 0,
        paranoid: bool = False,
        swap_file: str | None = None,
        host_memory: int | None = None,
        batch: int = 32,
        prefetch: bool = True,
    ) -> None:
        self.layout = layout
        self.rules = Rules.resolve(layout.kernel, layout.rules_off)
        self.seeds = Seeds(seed)
        self.paranoid = paranoid
        self.host_limited = host_memory is not None
        self._host_files = HostFiles()
        self.core = Core(
            **core_conf(layout, self.rules),
            batch=batch,
            prefetch=int(prefetch),
            paranoid=int(paranoid),
            seed=self.seeds.seed,
        )
        self.sched = Scheduler(self.core)
        self.klog = KernelLog(self.core.now)
        self.nodes = {s.nid: Node(s, layout.distances[s.nid]) for s in layout.nodes}
        self.zones: dict[int, Zone] = {}
        self.blocks = Blocks(self)
        self.tunables = Tunables.of(layout, self.rules)
        # Modelled CPU time of tasks, ns, by CPU; only grows.
        self.cpu_ns = [0] * layout.cpus
        self.zonelists: dict[tuple[int, int], tuple[int, ...]] = {}
        self.oom = OomState()
        self.pressure = Pressure(self)
        self.files = Files(self)
        self.tasks = Tasks(self)
        self.pins = Pins(self)
        self.hugetlb = Hugetlb(self)
        self.revoke = Revocations(self)
        self.writeback = Writeback(self)
        self.ways = Ways()
        self.faults = Faults(self)
        # The zone that a remap empties.
        self.migrating: Zone | None = None
        self.last_ops: deque[OpRecord] = deque(maxlen=LAST_OPS)
        # What zones that have gone had counted, by zid.
        self.retired: dict[int, tuple[int, ...]] = {}
        self.block_changing = False
        self.auto_online = "offline"
        # Pages that were taken out of use since boot, as HardwareCorrupted counts.
        self.poisoned = 0
        self.notifiers = Notifiers()
        self._structure = 0
        self.validated: validate.Seen | None = None
        self._bumps = 0
        self._counts = dict.fromkeys(POLICY_EVENTS, 0)
        # Direct reclaims, by the zone type that was wanted first.
        self.stalls = [0] * len(self.rules.zone_types)
        self._devices = Devices(self.core)
        self._snapshot: stats.Snapshot | None = None
        self._figures = stats.Figures(self)
        try:
            self._host_files.open_swap(self.core, layout.swap_pages, swap_file)
            if host_memory is not None:
                self._host_files.open_spill(self.core, host_memory)
            self._boot()
        except BaseException:
            self.close()
            raise

    def use_rules(self, rules: Rules) -> None:
        """Go on under other rules for closed gates, in the middle of an experiment.

        Rules that shaped the machine at boot have done so already.
        """
        self.rules = rules
        self.core.set_closed_rules(closed_rules(rules))

    def _boot(self) -> None:
        tunables.set_knobs(self)
        zones.boot(self)
        for node in self.nodes.values():
            if node.zones:
                hotplug.start_kswapd(self, node)
        self.writeback.start()
        # The jobs get to where they wait for work.
        self.sched.round()

    def close(self) -> None:
        """Give all of the host's memory back; a second call does nothing.

        What is dirty is lost: run sync() first.
        """
        if self.core.is_open:
            self.sched.close()
            self.core.close()
        self._host_files.close()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- looking -------------------------------------------------------------

    @property
    def now(self) -> int:
        """Virtual time, ns."""
        return self.core.now()

    @property
    def version(self) -> int:
        """Grows whenever anything visible may have changed."""
        return self.sched.version + self._bumps + self.core.lane_ops()

    def bump(self) -> None:
        """Something visible changed outside a step of the scheduler."""
        self._bumps += 1

    @property
    def structure(self) -> int:
        """Grows whenever a node, a zone, a gate or a zone's size has changed."""
        return self._structure

    @structure.setter
    def structure(self, value: int) -> None:
        self._structure = value
        self.blocks.touch()

    def zone_stat(self, zid: int) -> ZoneStat:
        """The figures of one zone now.

        Raises:
            VmError: ENODEV, no such zone is plugged.
        """
        return self.core.zone_stat(zid)

    def events(self) -> dict[str, int]:
        """Event counters by name; they only grow."""
        events = self.core.events()
        events.update(self._counts)
        events["kswapd_steal"] = events["pgsteal_kswapd"]
        events["allocstall"] = sum(self.stalls)
        return events

    def count(self, event: str) -> None:
        """Add one to a counter of POLICY_EVENTS."""
        self._counts[event] += 1

    def snapshot(self) -> stats.Snapshot:
        """Every figure, of one instant; the same object while nothing changes."""
        if self._snapshot is None or self._snapshot.version != self.version:
            self._snapshot = self._figures.take()
        return self._snapshot

    def state_hash(self) -> int:
        """64 bits over the whole state of the core."""
        return self.core.state_hash()

    # -- the memhotplug commands -----------------------------------------------

    def plug(self, nid: int) -> Op[None]:
        """See hotplug.plug()."""
        return self._record(f"plug {nid}", hotplug.plug(self, nid))

    def unplug(self, nid: int) -> Op[None]:
        """See hotplug.unplug()."""
        return self._record(f"unplug {nid}", hotplug.unplug(self, nid))

    def enable(self, target: Target) -> Op[None]:
        """Open the gate of a node or of a zone."""
        return self._gate(target, True)

    def disable(self, target: Target) -> Op[None]:
        """Close the gate of a node or of a zone."""
        return self._gate(target, False)

    def enable_node(self, nid: int) -> Op[None]:
        """Open the gates of a node's zones."""
        return self._gate(Target("node", nid), True)

    def disable_node(self, nid: int) -> Op[None]:
        """Close the gates of a node's zones."""
        return self._gate(Target("node", nid), False)

    def enable_zone(self, zid: int) -> Op[None]:
        """Open the gate of a zone."""
        return self._gate(Target("zone", zid), True)

    def disable_zone(self, zid: int) -> Op[None]:
        """Close the gate of a zone."""
        return self._gate(Target("zone", zid), False)

    def _gate(self, target: Target, is_open: bool) -> Op[None]:
        gate = hotplug.zone_gate if target.kind == "zone" else hotplug.node_gate
        verb = "enable" if is_open else "disable"
        name = f"{verb} {target.kind} {target.number}"
        return self._record(name, gate(self, target.number, is_open))

    def purge(self, zid: int) -> Op[PurgeResult]:
        """See hotplug.purge()."""
        return self._record(f"purge {zid}", hotplug.purge(self, zid))

    def remap(
        self, zid: int, to: int | None = None, wait: bool = True
    ) -> Op[RemapResult]:
        """See migrate.remap(); ENODEV, there is no zone `zid`."""
        where = "" if to is None else f" to {to}"
        op = hotplug.with_zone(
            self, zid, lambda zone: migrate.remap(self, zone, to, wait)
        )
        return self._record(f"remap {zid}{where}", op)

    def set_ways(self, /, **changes: str) -> None:
        """Choose how pages move from the next remap on; see migrate.Ways.

        Raises:
            VmError: EINVAL, nothing was changed.
        """
        self.ways = self.ways.changed(**changes)
        self.bump()

    def remap_check(self, zid: int, to: int | None = None) -> Op[CheckResult]:
        """How many pages of a zone would move, and why others would not."""
        return hotplug.with_zone(self, zid, lambda zone: migrate.look(self, zone, to))

    def compact(self, nid: int | None = None) -> Op[CompactResult]:
        """Defragment a node, or with None the whole machine; see compact.py.

        Raises:
            VmError: ENODEV, node `nid` is not plugged.
        """
        what = "" if nid is None else f" {nid}"
        return self._record(f"compact{what}", compact.compact(self, nid))

    def block_offline(self, number: int) -> Op[None]:
        """See onoff.offline()."""
        return self._record(f"memory{number} offline", onoff.offline(self, number))

    def block_online(self, number: int, way: str = "online") -> Op[None]:
        """See onoff.online()."""
        return self._record(f"memory{number} {way}", onoff.online(self, number, way))

    def probe(self, address: int) -> Op[None]:
        """See onoff.probe()."""
        return self._record(f"probe {address:#x}", onoff.probe(self, address))

    def soft_offline(self, address: int) -> Op[None]:
        """See hwpoison.soft_offline()."""
        op = hwpoison.soft_offline(self, address)
        return self._record(f"soft_offline {address:#x}", op)

    def keepers_of_zone(self, zid: int) -> Op[list[Keeper]]:
        """Who keeps a zone's pages; see keepers.py. ENODEV, there is no zone."""
        return hotplug.with_zone(self, zid, lambda zone: keepers.of_zone(self, zone))

    def keepers_of_node(self, nid: int) -> Op[list[Keeper]]:
        """Who keeps a node's pages. ENODEV, it is not plugged."""
        return keepers.of_node(self, nid)

    def keepers_of_block(self, number: int) -> Op[list[Keeper]]:
        """Who keeps a memory block's pages. ENODEV, there is none."""
        return keepers.of_block(self, number)

    def tune(self, name: str, value: Any) -> None:
        """Set one of the tunables; see Tunables for their names."""
        tunables.tune(self, name, value)

    def drop_caches(self, what: int) -> Op[int]:
        """See dropcaches.drop_caches()."""
        return self._record(f"drop_caches {what}", dropcaches.drop_caches(self, what))

    def compact_proactively(self) -> Op[None]:
        """See compact.proactive()."""
        return self._record("compact proactively", compact.proactive(self))

    def why(self, zid: int) -> Op[dict[str, int]]:
        """Pages of a zone that are not free, by what keeps them."""
        return hotplug.why(self, zid)

    def inuse(self, zid: int) -> Op[InUse]:
        """Pages of a zone in use: by kind, and the first pfns."""
        return hotplug.in_use(self, zid, active=False)

    def active(self, zid: int) -> Op[InUse]:
        """Pages of a zone's active list: by kind, and the first pfns."""
        return hotplug.in_use(self, zid, active=True)

    def validate(self) -> Op[list[str]]:
        """Check every invariant. Returns: violations."""
        return validate.validate(self)

    def sync(self) -> Op[None]:
        """Write every dirty page of every file and wait for it."""
        return self.writeback.sync()

    def _record(self, name: str, op: Op[T]) -> Op[T]:
        return oplog.recorded(self, name, op)

    # -- devices -----------------------------------------------------------------

    @property
    def disk(self) -> DeviceConf:
        """The device of files."""
        return self._devices["disk"]

    @property
    def swap_disk(self) -> DeviceConf:
        """The device of the swap area."""
        return self._devices["swap"]

    def set_device(self, name: str, **changes: int) -> None:
        """See Devices.set()."""
        self._devices.set(name, **changes)
        self.bump()

    def set_fault(self, name: str, write: bool, error: int) -> None:
        """See Devices.fail()."""
        self._devices.fail(name, write, error)

    def read_ahead(self, state: Any = None) -> ReadAhead:
        """See Devices.read_ahead()."""
        return self._devices.read_ahead(state)

    # -- for the modules of this package ----------------------------------------------

    def report(self, **progress: Any) -> None:
        """Tell how far the running job is."""
        if self.sched.current is not None:
            self.sched.current.progress.update(progress)

    def trim_host(self, frames: int = 512) -> bool:
        """Give memory of freed pages back to the host; True if there is more."""
        return self.core.host_trim(frames) == _ffi.MORE_RC

    def kick_kswapds(self) -> None:
        """Wake the kswapd of every node that an allocation found low."""
        mask = self.core.wakeups()
        if not mask:
            return
        for nid in self.nodes:
            # Nodes whose numbers differ by 64 share a bit; one that is not low
            # goes to sleep again.
            if mask >> (nid & 63) & 1:
                self.sched.wake(("kswapd", nid))
