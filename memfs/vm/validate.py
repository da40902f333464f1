"""validate(): the invariants, checked by walking everything.

The core checks what it keeps (pages, lists, trees, page tables, swap, devices);
here is what this side keeps: zonelists and marks from scratch, sums, gates, jobs.
An operation, exact at its last step. It changes nothing but per-CPU lists' turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi, stats, zones
from memfs.vm._ffi import Verify, ZoneItem
from memfs.vm.marks import zone_marks
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

STEP = 65536
MAX_VIOLATIONS = 100
MAX_BLOCKS = 16384  # above, the sums over all blocks are not checked


class Seen(NamedTuple):
    """What the last validate() saw of what may only grow, or rarely changes."""

    events: dict[str, int]
    structure: int
    present: dict[int, int]


def check_zonelists(m: Machine) -> Iterator[str]:
    """Zonelists equal the rule's, from scratch, and hold no closed zone."""
    for (nid, cls), wanted in zones.wanted_zonelists(m).items():
        seen = list(m.zonelists.get((nid, cls), ()))
        if seen != wanted:
            yield f"zonelist {cls} of node {nid} is {seen}, not {wanted}"
        for zid in seen:
            if zid not in m.zones or not m.zones[zid].gate_open:
                yield f"zonelist {cls} of node {nid} has closed zone {zid}"


def check_marks(m: Machine) -> Iterator[str]:
    """min <= low <= high, as the rule says; a closed gate asks for every page."""
    for zid, zone in m.zones.items():
        s = zone.stat()
        if not s.pages_min <= s.pages_low <= s.pages_high:
            yield f"marks of {zone.label} are {s.pages_min, s.pages_low, s.pages_high}"
        wanted = zone_marks(m, zone)
        if (s.pages_min, s.pages_low, s.pages_high) != wanted:
            yield f"marks of {zone.label} are not {wanted}"
        if s.open != zone.gate_open:
            yield f"gate of {zone.label} is not what it is thought to be"
        if not s.open and s.pages_high != max(s.present, s.pages_low):
            yield f"{zid} is closed but pages_high is {s.pages_high}"


def check_places(m: Machine) -> Iterator[str]:
    """Every managed page is in exactly one place, by the counters of its zone."""
    kernel = (
        ZoneItem.NR_KERNEL_OTHER,
        ZoneItem.NR_RADIX,
        ZoneItem.NR_SHMEMDIR,
        ZoneItem.NR_PAGETABLE,
    )
    lists = (
        ZoneItem.NR_FREE,
        ZoneItem.NR_FREE_ISO,
        ZoneItem.NR_PCP,
        ZoneItem.NR_PAGEVEC,
        ZoneItem.NR_ACTIVE,
        ZoneItem.NR_INACTIVE,
        ZoneItem.NR_ISOLATED,
        ZoneItem.NR_HUGE,
        ZoneItem.NR_HWPOISON,
    )
    for zone in m.zones.values():
        s = zone.stat()
        total = sum(s.item[item] for item in (*lists, *kernel))
        if total != s.managed:
            yield f"{zone.label}: {total} pages are somewhere, {s.managed} are managed"
        if s.managed != s.present - s.item[ZoneItem.NR_RESERVED]:
            yield f"{zone.label}: managed is not present less reserved"
        used = sum(s.item[item] for item in kernel) - m.faults.stray(zone)
        if used and zones.bars_kernel(m, zone):
            yield f"{zone.label}: {used} kernel pages in memory that is to be removable"


def check_nodes(m: Machine) -> Iterator[str]:
    """A node with zones has a kswapd, one without, or an empty slot, has none."""
    for node in m.nodes.values():
        has = bool(node.zones), node.kswapd is not None and not node.kswapd.done
        if has[0] != has[1] or (node.zones and not node.plugged):
            yield f"{node!r} has (zones, kswapd) = {has}"
        if not node.plugged and node.tables:
            yield f"{node!r} has tables"


def check_blocks(m: Machine) -> Iterator[str]:
    """Pages of a zone's online blocks, holes left out, sum to its present ones."""
    size = m.layout.block_pages
    for zone in m.zones.values():
        stat = zone.stat()
        seen = (zone.present, zone.managed, zone.spanned)
        if seen != (stat.present, stat.managed, stat.spanned):
            yield f"{zone.label} is thought to have {seen}"
    if m.layout.max_pfn // size > MAX_BLOCKS:
        return
    pages = dict.fromkeys(m.zones, 0)
    for number in m.blocks:
        for zid, nr in m.blocks.pages_by_zone(number).items():
            pages[zid] = pages.get(zid, 0) + nr
    for zid, zone in m.zones.items():
        if pages[zid] != zone.present:
            yield f"{zone.label} has {zone.present} pages, its blocks {pages[zid]}"


def check_sums(m: Machine) -> Iterator[str]:
    """The machine is the sum of its nodes, which are the sums of their zones."""
    snap = stats.take(m)
    # What was counted in nodes that are not there any more.
    gone = (
        stats.retired(numa)
        for zid, numa in m.retired.items()
        if zid // m.rules.zone_stride not in snap.nodes
    )
    nodes = (node.sums for node in snap.nodes.values())
    if stats.added((*nodes, *gone)) != snap.total:
        yield "the sum of the nodes is not the machine"
    if any(value < 0 for value in snap.total):
        yield "a sum is negative"


def check_files(m: Machine) -> Iterator[str]:
    """A file with dirty pages is known to write-back, and has a descriptor."""
    for file in m.files.all():
        stat = file.stat()
        if file.kind != "file":
            continue
        if stat.nr_dirty and file.id not in m.writeback.dirty:
            yield f"{file!r} has {stat.nr_dirty} dirty pages and nobody knows"
        if (stat.nr_dirty or stat.nr_writeback) and file.id not in m.files.held:
            yield f"{file!r} is dirty and has no descriptor"


def check_history(m: Machine) -> Iterator[str]:
    """Event counters only grow; present pages change only as nodes and blocks do."""
    before = m.validated
    present = {zid: zone.stat().present for zid, zone in m.zones.items()}
    now = m.validated = Seen(m.events(), m.structure, present)
    if before is None:
        return
    for name, count in before.events.items():
        if now.events[name] < count:
            yield f"event {name} went down from {count} to {now.events[name]}"
    if before.structure == now.structure and before.present != now.present:
        yield f"present pages went from {before.present} to {now.present}"


CHECKS: tuple[Callable[[Machine], Iterator[str]], ...] = (
    check_zonelists,
    check_marks,
    check_places,
    check_nodes,
    check_blocks,
    check_sums,
    check_files,
    check_history,
)


def run_core(m: Machine, stepwise: bool) -> Op[list[str] | None]:
    """The core's checks; None if the machine changed between two steps."""
    found: list[str] = []
    verify = Verify(m.core)
    version = m.version
    while True:
        rc, text = verify.step(STEP)
        found += text.splitlines()
        if rc != _ffi.MORE_RC:
            return found
        if stepwise:
            yield MORE
            # This operation's own step is no change.
            version += 1
            if m.version != version:
                return None


def validate(m: Machine) -> Op[list[str]]:
    """Check every invariant, exactly at the last step.

    On a machine that does not stand still the last try is one long step.

    Returns:
        Violations, at most 100.
    """
    found: list[str] | None = None
    for stepwise in (True, True, False):
        found = yield from run_core(m, stepwise)
        if found is not None:
            break
    found = list(found or ())
    for checker in CHECKS:
        found += checker(m)
    return found[:MAX_VIOLATIONS]
