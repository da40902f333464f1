"""What rules look at and what they answer: records without behaviour.

Pages unless said otherwise. ``rules.py`` has the table, ``rules26.py`` and
``rules61.py`` the functions of its columns.
"""

from __future__ import annotations

from memfs.records import NamedTuple

# Zonelist classes; the same numbers as enum vm_class of the core.
CLASS_NORMAL, CLASS_DMA, CLASS_HIGHMEM, CLASS_HOTREMOVABLE = range(4)


class ListZone(NamedTuple):
    """A zone as the zonelist rules see it: present pages and an open gate."""

    zid: int
    nid: int
    type: int
    removable: bool


class NodeView(NamedTuple):
    """A node as the rule for the order of nodes sees it."""

    nid: int
    has_cpus: bool


class MarkView(NamedTuple):
    """What the watermarks of a zone depend on.

    Attributes:
        min_total: pages_min of the whole machine.
        lowmem: present pages of all low zones.
        total: managed pages of all zones.
        high: it is high memory.
        scale_factor: watermark_scale_factor, 1/10000.
    """

    min_total: int
    present: int
    managed: int
    lowmem: int
    total: int
    high: bool
    scale_factor: int = 10


class Marks(NamedTuple):
    """Watermarks."""

    min: int
    low: int
    high: int


class PcpView(NamedTuple):
    """What the per-CPU lists of a zone depend on.

    Attributes:
        cpus: of the node, or of the machine where the node has none.
        fraction: percpu_pagelist_high_fraction.
    """

    present: int
    managed: int
    low: int
    cpus: int
    fraction: int = 0


class PcpMarks(NamedTuple):
    """Marks of the two per-CPU lists of a zone."""

    hot_low: int
    hot_high: int
    cold_low: int
    cold_high: int
    batch: int


class MinFreeView(NamedTuple):
    """What the default of min_free_kbytes depends on.

    Attributes:
        kernel_zones: populated zones that the kernel can use for itself.
        lowmem: their managed pages.
        total: managed pages of all zones.
        thp: transparent huge pages are on.
    """

    kernel_zones: int
    lowmem: int
    total: int
    thp: bool


class DirtyView(NamedTuple):
    """What the limits of dirty pages depend on.

    Attributes:
        total: pages that users can have.
        lowmem: present pages of the kernel's zones.
        mapped: pages that tasks map.
        dirtyable: free pages and pages of files.
        background_ratio, ratio: percent.
    """

    total: int
    lowmem: int
    mapped: int
    dirtyable: int
    background_ratio: int
    ratio: int


class OomView(NamedTuple):
    """What the OOM condition looks at; ns and counts."""

    swap_free: int
    now: int
    first: int
    last: int
    failures: int
    last_kill: int
