"""Memory blocks go offline and come online; probe.

Each is an operation; one at a time in a machine, as the kernel's hotplug lock has
it. Going offline isolates the block, gives up at once if a page of it cannot move,
then migrates and tries again until all of it is free or a signal comes; what has
moved stays moved.

Source: drivers/base/memory.c state_store(), mm/memory_hotplug.c offline_pages(),
online_pages(), Linux 6.1.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from memfs.vm import _ffi, hotplug, hugetlb, marks, zones
from memfs.vm._ffi import Migrate, check
from memfs.vm.alloc import kernel_pages
from memfs.vm.blocks import ONLINE, Block
from memfs.vm.carving import Extent
from memfs.vm.errors import VmError
from memfs.vm.reclaim import try_to_free_pages
from memfs.vm.ruleviews import CLASS_HOTREMOVABLE
from memfs.vm.sched import MORE, NS_PER_MS, Io, Op, Park, Until
from memfs.vm.zones import Zone

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node

STEP = 4096  # pages a step of the migration
TICK_NS = 10 * NS_PER_MS
KEY = ("memory blocks",)
MAX_TARGETS = 64  # of the core
HOT_RETRIES = 3  # chosen here: a page that a process uses again each time it is back

# How a block can be put online: by the kernel's policy, or where it is said.
WAYS: Final = ("online", "online_kernel", "online_movable")
AUTO: Final = ("offline", *WAYS)


def lock(m: Machine) -> Op[None]:
    """Wait until no other block changes."""
    while m.block_changing:
        yield Park(KEY)
    m.block_changing = True


def unlock(m: Machine) -> None:
    """Let the next one."""
    m.block_changing = False
    m.sched.wake(KEY)


def locked(m: Machine, change: Callable[[], Op[None]]) -> Op[None]:
    """Run a change when no other runs."""
    yield from lock(m)
    try:
        yield from change()
    finally:
        unlock(m)


def find(m: Machine, number: int) -> Block:
    """A block that is there.

    Raises:
        VmError: ENODEV.
    """
    block = m.blocks.get(number)
    if block is None:
        raise VmError(errno.ENODEV, f"there is no memory block {number}")
    return block


# -- offline ----------------------------------------------------------------------


def offline(m: Machine, number: int) -> Op[None]:
    """Take a block out of its zone.

    Raises:
        VmError: ENODEV; EINVAL it is offline, or not whole in one zone; EBUSY a page
            of it cannot move; what a fault says. A signal ends it (EINTR).
    """
    find(m, number)
    yield from locked(m, lambda: _offline(m, number))


def _offline(m: Machine, number: int) -> Op[None]:
    block = find(m, number)
    what = f"memory{number}: offline"
    if not block.online:
        raise VmError(errno.EINVAL, f"{what}: it is offline")
    if not block.whole:
        raise VmError(errno.EINVAL, f"{what}: it is not whole in one zone")
    zone = block.zones[0]
    check_spared(m, zone, what)
    first, nr = block.start_pfn, block.pages
    check_movable(m, block, zone, what)
    m.notifiers.tell("MEM_GOING_OFFLINE", what)
    drain(m)
    m.core.block_isolate(first, nr)
    block.isolating = True
    m.blocks.touch()
    m.bump()
    try:
        yield from empty(m, block, zone)
    except BaseException:
        if m.core.is_open and m.zones.get(zone.zid) is zone:
            m.core.block_restore(first, nr)
        raise
    finally:
        block.isolating = False
        m.blocks.touch()
        m.bump()
    leave(m, block, zone)
    m.klog.add(f"{what}: {nr} pages left {zone.label}")


def check_spared(m: Machine, zone: Zone, what: str) -> None:
    """Some memory has to stay: what the kernel itself uses.

    Raises:
        VmError: EBUSY.
    """
    if not m.rules.kernel_anywhere and not zone.removable:
        raise VmError(errno.EBUSY, f"{what}: node {zone.nid} is nonhotremovable")
    kernel = sum(z.managed for z in m.zones.values() if z.type <= m.rules.kernel_type)
    if zone.type <= m.rules.kernel_type and kernel <= m.layout.block_pages:
        raise VmError(errno.EBUSY, f"{what}: it is the last memory for the kernel")


def check_movable(m: Machine, block: Block, zone: Zone, what: str) -> None:
    """Nothing is in the block that can never move.

    Raises:
        VmError: EBUSY.
    """
    stat = m.core.block_stat(block.start_pfn, block.pages)
    if stat.unmovable:
        pfn = stat.first_unmovable
        m.klog.add(f"page {pfn} of {zone.label}: page dumped because: unmovable page")
        raise VmError(errno.EBUSY, f"{what}: {stat.unmovable} pages cannot move")


def drain(m: Machine) -> None:
    """Per-CPU lists and pagevecs of all zones go back to where they belong."""
    zones.drain(m, list(m.zones.values()))


def targets_of(m: Machine, zone: Zone) -> list[int]:
    """Where pages of a zone's block may go, in order.

    To another node if one has memory, else to other blocks of their own; out of
    Movable anywhere, else not into Movable (6.1).

    Source: mm/memory_hotplug.c do_migrate_range(), mm/migrate.c
    alloc_migration_target(), Linux 6.1.
    """
    top = zone.type if m.rules.kernel_anywhere else len(m.rules.zone_types)
    zids = [
        zid
        for zid in m.zonelists.get((zone.nid, CLASS_HOTREMOVABLE), ())
        if m.zones[zid].type <= max(top, m.rules.kernel_type)
    ]
    others = [zid for zid in zids if m.zones[zid].nid != zone.nid]
    return (others or zids)[:MAX_TARGETS]


def empty(m: Machine, block: Block, zone: Zone) -> Op[None]:
    """Move what is in the block until all of it is free, or poisoned.

    Raises:
        VmError: EBUSY, a free huge page of it was promised to somebody.
    """
    first, end = block.start_pfn, block.start_pfn + block.pages
    walk = Migrate(m.core, zone.zid, m.ways.flags)
    hot = 0
    m.report(zone=zone.zid, name=zone.label, pages=block.pages)
    while True:
        walk.block(first, end)
        yield from sweep(m, zone, walk, hot >= HOT_RETRIES)
        yield from hugetlb.migrate_range(m, zone, first, end)
        drain(m)
        stat = m.core.block_stat(first, block.pages)
        if stat.huge and not stat.user:
            m.core.huge_dissolve(first, end)
            stat = m.core.block_stat(first, block.pages)
        left = block.pages - stat.free - stat.poisoned
        m.report(moved=walk.moved, left=left)
        if not left:
            return
        hot += yield from nap(m)


def sweep(m: Machine, zone: Zone, walk: Migrate, force: bool) -> Op[None]:
    """Look at every page of the block once."""
    while True:
        walk.aim(targets_of(m, zone))
        rc = check(walk.block_step(STEP, force), "offline")
        m.revoke.kick()
        m.kick_kswapds()
        if rc == _ffi.DONE:
            return
        if rc == _ffi.NOMEM and not (yield from make_room(m, targets_of(m, zone))):
            return
        yield MORE


def make_room(m: Machine, zids: list[int]) -> Op[bool]:
    """Free pages in zones where others are to go; False if that cannot be."""
    there = [m.zones[zid] for zid in zids]
    freed = 0
    if there:
        freed = yield from try_to_free_pages(m, CLASS_HOTREMOVABLE, there)
    return freed > 0


def nap(m: Machine) -> Op[bool]:
    """Wait for what could let a page go; True if that was a real process."""
    if m.revoke.outstanding:
        yield from m.revoke.wait_some()
        return True
    until = m.now + TICK_NS
    if m.core.next_event() is None:
        yield Until(until)
    else:
        yield Io(until)
    return False


def leave(m: Machine, block: Block, zone: Zone) -> None:
    """The block, all of it free and isolated, leaves its zone."""
    first, nr = block.start_pfn, block.pages
    if not m.core.block_offline(first, nr):
        m.core.block_restore(first, nr)
        raise VmError(errno.EBUSY, f"memory{block.number}: a page came into use")
    zones.shrink(m, zone, first, nr)
    block.zids = ()
    m.blocks.changed(block)
    if not zone.present:
        zones.remove_zone(m, zone)
    settle(m, m.nodes[block.nid])


def settle(m: Machine, node: Node) -> None:
    """What follows from a change of a node's memory."""
    marks.reconsider_min_free(m)
    zones.rebuild(m)
    if node.zones and node.kswapd is None:
        hotplug.start_kswapd(m, node)
    elif not node.zones:
        hotplug.stop_kswapd(m, node)
    m.writeback.recompute()
    m.structure += 1
    m.bump()


# -- online -----------------------------------------------------------------------


def online(m: Machine, number: int, way: str = ONLINE) -> Op[None]:
    """Put a block into a zone.

    Raises:
        VmError: ENODEV; EINVAL it is online, or there is no such zone on this
            machine; EBUSY the node is disabled; what a fault says.
    """
    find(m, number)
    yield from locked(m, lambda: _online(m, number, way))


def _online(m: Machine, number: int, way: str) -> Op[None]:
    block = find(m, number)
    what = f"memory{number}: {way}"
    if block.online:
        raise VmError(errno.EINVAL, f"{what}: it is {block.state}")
    kind = m.blocks.home(block, way)
    if kind is None:
        raise VmError(errno.EINVAL, f"{what}: there is no zone Movable")
    node = m.nodes[block.nid]
    if not node.gate_of(kind):
        raise VmError(errno.EBUSY, f"{what}: node {node.nid} is disabled")
    m.notifiers.tell("MEM_GOING_ONLINE", what)
    join(m, block, node, kind)
    m.klog.add(f"{what}: {block.pages} pages joined {block.zones[0].label}")
    yield MORE


def join(m: Machine, block: Block, node: Node, kind: int) -> None:
    """The block comes into a zone of its node."""
    first, nr = block.start_pfn, m.layout.block_pages
    zone = next((z for z in node.zones if z.type == kind), None)
    if zone is None:
        zid = m.rules.zid(node.nid, kind)
        zone = zones.add_zone(m, node, Extent(zid, kind, first, 0, 0, 0))
    m.core.block_online(zone.zid, first, nr)
    block.pages, block.whole, block.zids = nr, True, (zone.zid,)
    m.blocks.changed(block)
    zones.grow(m, zone, first, nr)
    settle(m, node)


# -- probe --------------------------------------------------------------------------


def probe(m: Machine, address: int) -> Op[None]:
    """A block of an empty slot, or of a node that has not all its blocks, is found.

    Args:
        m: machine.
        address: physical, bytes.

    Raises:
        VmError: EINVAL not the first byte of a block, or no memory can be there;
            EEXIST it is there; ENOMEM no room for its tables.
    """
    yield from locked(m, lambda: _probe(m, address))


def _probe(m: Machine, address: int) -> Op[None]:
    pages = m.layout.block_pages
    what = f"probe {address:#x}"
    number, rest = divmod(address, pages * hotplug.PAGE_SIZE)
    if rest:
        raise VmError(errno.EINVAL, f"{what}: no multiple of a block")
    if m.blocks.get(number) is not None:
        raise VmError(errno.EEXIST, f"{what}: memory{number} is there")
    node = m.blocks.slot_of(number)
    if node is None:
        raise VmError(errno.EINVAL, f"{what}: no slot has memory there")
    if not node.plugged:
        yield from _found(m, node)
    block = m.blocks.found(number, node.nid)
    m.klog.add(f"{what}: memory{number} of node {node.nid}")
    if m.auto_online != "offline":
        kind = m.blocks.home(block, m.auto_online)
        if kind is not None:
            join(m, block, node, kind)


def _found(m: Machine, node: Node) -> Op[None]:
    """The node of the first block that was found in an empty slot comes, open."""
    if node.plugging:
        raise VmError(errno.EBUSY, f"probe: node {node.nid} is being plugged")
    node.plugging = True
    try:
        if not node.spec.mem_map:
            nr = -(-node.spec.pages // hotplug.PAGES_PER_TABLE)
            node.tables = yield from kernel_pages(m, nr)
    finally:
        node.plugging = False
    node.plugged = True
    node.gate_open = True
    m.blocks.plug_empty(node)
    settle(m, node)
