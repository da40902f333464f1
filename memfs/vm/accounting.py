"""Figures of the whole machine that are computed and not counted; pages.

Source: mm/util.c __vm_enough_memory(), vm_commit_limit(), mm/page_alloc.c
calculate_totalreserve_pages(), Linux 6.1.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from memfs.vm.errors import VmError

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.tasks import Area, Task

KB_PER_PAGE = 4
GUESS, ALWAYS, NEVER = range(3)


def accountable(area: Area) -> bool:
    """Whether an area may come to need memory of its own: private and writable."""
    return area.writable and not area.shared


def committed(m: Machine) -> int:
    """Pages that tasks were promised and may come to use."""
    return sum(promised(task) for task in m.tasks.all())


def promised(task: Task) -> int:
    """Pages that one task was promised."""
    return sum(area.nr for area in task.areas.values() if accountable(area))


def commit_limit(m: Machine) -> int:
    """How much may be promised when overcommitting is off."""
    managed = sum(zone.managed for zone in m.zones.values()) - m.hugetlb.pages
    allowed = managed * m.tunables.overcommit_ratio // 100
    if m.tunables.overcommit_kbytes:
        allowed = m.tunables.overcommit_kbytes // KB_PER_PAGE
    return allowed + m.core.swap_stat().total


def check_commit(m: Machine, task: Task, pages: int) -> None:
    """Whether `pages` more may be promised to a task.

    Raises:
        VmError: ENOMEM.
    """
    mode = m.tunables.overcommit_memory
    if mode == ALWAYS:
        return
    if mode == GUESS:
        managed = sum(zone.managed for zone in m.zones.values())
        if pages > managed + m.core.swap_stat().total:
            raise VmError(errno.ENOMEM, f"{pages} pages are more than there are")
        return
    own = task.stat().total_vm // 32
    limit = commit_limit(m) - m.tunables.admin_reserve_kbytes // KB_PER_PAGE
    limit -= min(own, m.tunables.user_reserve_kbytes // KB_PER_PAGE)
    if committed(m) + pages > limit:
        raise VmError(
            errno.ENOMEM, f"{committed(m)} pages were promised, {limit} may be"
        )


def reserve(m: Machine, zid: int) -> int:
    """Pages of a zone that users do not get: its highest protection and mark."""
    zone = m.zones[zid]
    if not zone.gate_open:
        return 0
    return min(max(zone.protection) + zone.stat().pages_high, zone.managed)


def dirtyable(m: Machine) -> int:
    """Pages that may become dirty pages of files.

    Source: mm/page-writeback.c global_dirtyable_memory(), Linux 6.1.
    """
    pages = 1
    apart = m.rules.unevictable_lru
    for zone in m.zones.values():
        if zone.gate_open:
            stat = zone.stat()
            pages += max(0, stat.usable - reserve(m, zone.zid))
            pages += stat.lists(apart).file
    return pages
