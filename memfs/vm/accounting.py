"""Figures of the whole machine that are computed and not counted; pages.

Source: mm/util.c vm_commit_limit(), mm/page_alloc.c calculate_totalreserve_pages(),
Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

OVERCOMMIT_RATIO = 50  # percent


def committed(m: Machine) -> int:
    """Pages of address space that tasks may come to use."""
    return sum(task.stat().total_vm for task in m.tasks.all())


def commit_limit(m: Machine) -> int:
    """How much may be promised when overcommitting is off."""
    managed = sum(zone.managed for zone in m.zones.values())
    return managed * OVERCOMMIT_RATIO // 100 + m.core.swap_stat().total


def reserve(m: Machine, zid: int) -> int:
    """Pages of a zone that users do not get: its highest protection and mark."""
    zone = m.zones[zid]
    if not zone.gate_open:
        return 0
    return min(max(zone.protection) + zone.stat().pages_high, zone.managed)
