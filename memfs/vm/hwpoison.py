"""Pages that are taken out of use for good, while what was in them lives on.

A page that is free goes at once; a clean page of a file that nobody maps is dropped,
any other one moves. The page frame is never given out again as long as its memory
block stays; when the block has been taken away and put back it is an ordinary page.

Source: mm/memory-failure.c soft_offline_page(), get_any_page(), Linux 6.1.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from memfs.vm import _ffi, hugetlb, onoff
from memfs.vm._ffi import HugeMove, Migrate, PageInfo, PageType, check
from memfs.vm.errors import VmError
from memfs.vm.layoutvalues import PAGE_SIZE
from memfs.vm.ruleviews import CLASS_HOTREMOVABLE
from memfs.vm.sched import MORE, Op

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Zone

# Pages of a PC's first 64 KiB, which its firmware may write to: reserved.
FIRMWARE_PAGES: Final = 16
# Reasons that pass by themselves: somebody's transfer, a real process's copy.
PASSING: Final = frozenset({"locked", "writeback", "congested", "revoking", "pagevec"})
FREE: Final = (PageType.FREE, PageType.BUDDY, PageType.PCP)


def soft_offline(m: Machine, address: int) -> Op[None]:
    """Take the page at a physical address out of use.

    Args:
        m: machine.
        address: bytes; any of the page's.

    Raises:
        VmError: ENXIO there is no memory; EIO it is offline, or the kernel's own;
            EBUSY somebody holds the page; ENOMEM there is nowhere for it to go.
    """
    yield from onoff.locked(m, lambda: _soft_offline(m, address))


def _soft_offline(m: Machine, address: int) -> Op[None]:
    phys = address // PAGE_SIZE
    pfn = find(m, phys)
    hot = 0
    while True:
        info = info_of(m, pfn, phys)
        if info.type == PageType.HWPOISON:
            m.klog.add(f"soft_offline: {phys:#x} page already poisoned")
            return
        if info.type in FREE:
            break
        if info.type in (PageType.HUGE, PageType.TAIL):
            yield from clear_huge(m, pfn, info.zid)
        elif info.type != PageType.USER:
            raise VmError(errno.EIO, f"soft_offline: {phys:#x} is the kernel's own")
        elif info.flags & _ffi.PG_PAGEVEC:
            m.core.drain_pagevecs()
        elif not drop(m, info, phys):
            passing = yield from move(m, info, phys, hot >= onoff.HOT_RETRIES)
            if passing:
                hot += yield from onoff.nap(m)
    poison(m, pfn, phys)
    yield MORE


def find(m: Machine, phys: int) -> int:
    """The model's number of a physical page.

    Raises:
        VmError: ENXIO, EIO.
    """
    number, offset = divmod(phys, m.layout.block_pages)
    block = m.blocks.get(number)
    what = f"soft_offline: {phys:#x}"
    if block is None:
        raise VmError(errno.ENXIO, f"{what}: there is no memory")
    if not block.online:
        raise VmError(errno.EIO, f"{what}: memory{number} is offline")
    if phys < FIRMWARE_PAGES:
        raise VmError(errno.EIO, f"{what} is the firmware's")
    return block.start_pfn + offset


def info_of(m: Machine, pfn: int, phys: int) -> PageInfo:
    """What a page is.

    Raises:
        VmError: EIO, it is in a hole of its block.
    """
    try:
        return m.core.page_info(pfn)
    except VmError:
        raise VmError(errno.EIO, f"soft_offline: {phys:#x} is in a hole") from None


def drop(m: Machine, info: PageInfo, phys: int) -> bool:
    """Drop a clean page of a file that nobody maps; False: it is none."""
    file = None if info.mapping == _ffi.NO_ID else m.files.get(info.mapping)
    if file is None or file.kind != "file":
        return False
    _, _, dropped = m.core.file_invalidate(info.mapping, info.index, 1)
    if dropped:
        m.klog.add(f"soft_offline: {phys:#x}: invalidated")
    return dropped > 0


def targets_of(m: Machine, zone: Zone) -> list[int]:
    """Where the contents may go: near, and not into a higher zone."""
    zids = m.zonelists.get((zone.nid, CLASS_HOTREMOVABLE), ())
    top = max(zone.type, m.rules.kernel_type)
    if not m.rules.kernel_anywhere:
        top = len(m.rules.zone_types)
    return [zid for zid in zids if m.zones[zid].type <= top][: onoff.MAX_TARGETS]


def move(m: Machine, info: PageInfo, phys: int, force: bool) -> Op[bool]:
    """Move the contents of a page. Returns: whether to try again, after a while.

    Raises:
        VmError: EBUSY, ENOMEM.
    """
    zone = m.zones[info.zid]
    targets = targets_of(m, zone)
    walk = Migrate(m.core, zone.zid, m.ways.flags)
    walk.block(info.pfn, info.pfn + 1)
    walk.aim(targets)
    rc = check(walk.block_step(onoff.STEP, force), "soft_offline")
    m.revoke.kick()
    m.kick_kswapds()
    if rc == _ffi.NOMEM:
        if not (yield from onoff.make_room(m, targets)):
            raise VmError(errno.ENOMEM, f"soft_offline: {phys:#x} has nowhere to go")
        return False
    reasons = walk.reasons()
    if not reasons or reasons.keys() <= PASSING:
        return bool(reasons)
    why = ", ".join(reasons)
    m.klog.add(f"soft_offline: {phys:#x}: page migration failed: {why}")
    raise VmError(errno.EBUSY, f"soft_offline: {phys:#x} cannot move: {why}")


def clear_huge(m: Machine, pfn: int, zid: int) -> Op[None]:
    """The huge page that the page is part of moves if it is used, and is one no more.

    Raises:
        VmError: EBUSY it was promised to somebody; ENOMEM it has nowhere to go.
    """
    move = HugeMove(m.core, zid, pfn, pfn + 1, keep_free=True)
    try:
        while True:
            targets = m.zonelists.get((m.zones[zid].nid, CLASS_HOTREMOVABLE), ())
            move.aim(targets[: onoff.MAX_TARGETS])
            rc = move.step(hugetlb.PIECES)
            if rc == _ffi.DONE:
                break
            if rc == _ffi.NOMEM:
                raise VmError(errno.ENOMEM, "a huge page has nowhere to go")
            yield MORE
    finally:
        move.cancel()
    if m.core.huge_dissolve(pfn, pfn + 1) == _ffi.WAIT:
        yield from onoff.nap(m)


def poison(m: Machine, pfn: int, phys: int) -> None:
    """A free page is never used again.

    Raises:
        VmError: EBUSY, it is not free any more.
    """
    onoff.drain(m)
    if not m.core.poison(pfn):
        raise VmError(errno.EBUSY, f"soft_offline: {phys:#x} came into use")
    m.poisoned += 1
    m.klog.add(f"soft_offline: {phys:#x} is out of use")
    m.bump()
