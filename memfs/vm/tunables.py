"""What can be set at run time and changes what the machine does.

``Tunables`` has the values; ``tune`` sets one and does what follows from it. What a
value may be is the business of whoever asks (the files under proc/sys/vm).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from memfs.vm.layout import Layout
    from memfs.vm.machine import Machine
    from memfs.vm.rules import Rules

MS_PER_CS: Final = 10


@dataclass
class Tunables:
    """Settings of a machine.

    Attributes:
        min_free_kbytes: kB; None: the kernel's rule.
        user_min_free_kbytes: what somebody set; None: nobody did.
        thp: transparent huge pages are on: the rule leaves room for them.
        watermark_scale_factor: distance of the marks, 1/10000 of a zone.
        watermark_boost_factor: how far marks are raised when pages of the kernel
            get among those of users, 1/10000 of the high mark.
        percpu_pagelist_high_fraction: 0: the rule.
        lowmem_reserve_ratio: by zone type; 0: no protection.
        swappiness: how readily pages of tasks go inactive.
        dirty_background_ratio, dirty_ratio: percent; 0 where bytes are set.
        dirty_background_bytes, dirty_bytes: 0 where a ratio is set.
        dirty_writeback_centisecs, dirty_expire_centisecs: 10 ms; 0: never.
        page_cluster: log2 of the slots that a swap-in reads.
        overcommit_memory: 0 refuse what is absurd, 1 nothing, 2 all over the limit.
        overcommit_ratio, overcommit_kbytes: the limit; one of them is 0.
        admin_reserve_kbytes, user_reserve_kbytes: kept back from the limit.
        max_map_count: areas of a task.
        extfrag_threshold: an index; what is less fragmented is not defragmented.
        compaction_proactiveness: 0..100.
        zone_reclaim_mode: bit 0: a CPU's own node is reclaimed before others serve.
        numa_stat: numastat is counted.
        nr_overcommit_hugepages: how many areas may have beside those of the pool.
    """

    min_free_kbytes: int | None = None
    user_min_free_kbytes: int | None = None
    thp: bool = True
    watermark_scale_factor: int = 10
    watermark_boost_factor: int = 0
    percpu_pagelist_high_fraction: int = 0
    lowmem_reserve_ratio: tuple[int, ...] = ()
    swappiness: int = 60
    dirty_background_ratio: int = 10
    dirty_ratio: int = 40
    dirty_background_bytes: int = 0
    dirty_bytes: int = 0
    dirty_writeback_centisecs: int = 500
    dirty_expire_centisecs: int = 3000
    page_cluster: int = 3
    overcommit_memory: int = 0
    overcommit_ratio: int = 50
    overcommit_kbytes: int = 0
    admin_reserve_kbytes: int = 8192
    user_reserve_kbytes: int = 131072
    max_map_count: int = 65530
    extfrag_threshold: int = 500
    compaction_proactiveness: int = 0
    zone_reclaim_mode: int = 0
    numa_stat: int = 1
    nr_overcommit_hugepages: int = 0

    @classmethod
    def of(cls, layout: Layout, rules: Rules) -> Tunables:
        """What a machine boots with."""
        return cls(
            min_free_kbytes=layout.min_free_kbytes,
            user_min_free_kbytes=layout.min_free_kbytes,
            watermark_boost_factor=rules.boost_factor,
            lowmem_reserve_ratio=rules.reserve_ratio,
            swappiness=rules.swappiness,
            dirty_background_ratio=rules.dirty_background_ratio,
            dirty_ratio=rules.dirty_ratio,
            dirty_writeback_centisecs=rules.dirty_writeback_ms // MS_PER_CS,
            dirty_expire_centisecs=rules.dirty_expire_ms // MS_PER_CS,
            page_cluster=rules.page_cluster,
            compaction_proactiveness=rules.proactiveness,
        )


def _marks(m: Machine) -> None:
    from memfs.vm import zones

    zones.rebuild(m)
    m.writeback.recompute()


def _min_free(m: Machine) -> None:
    m.tunables.user_min_free_kbytes = m.tunables.min_free_kbytes
    _marks(m)


def _thp(m: Machine) -> None:
    from memfs.vm import marks

    marks.reconsider_min_free(m)
    _marks(m)


def _knobs(m: Machine) -> None:
    set_knobs(m)


def _periods(m: Machine) -> None:
    m.writeback.period_changed()


# Which is 0 when the other is set.
PAIRS: Final = {
    "dirty_ratio": "dirty_bytes",
    "dirty_bytes": "dirty_ratio",
    "dirty_background_ratio": "dirty_background_bytes",
    "dirty_background_bytes": "dirty_background_ratio",
    "overcommit_ratio": "overcommit_kbytes",
    "overcommit_kbytes": "overcommit_ratio",
}
FOLLOWS: Final[dict[str, Callable[[Machine], None]]] = {
    "min_free_kbytes": _min_free,
    "thp": _thp,
    "watermark_scale_factor": _marks,
    "percpu_pagelist_high_fraction": _marks,
    "lowmem_reserve_ratio": _marks,
    "watermark_boost_factor": _knobs,
    "zone_reclaim_mode": _knobs,
    "numa_stat": _knobs,
    "dirty_writeback_centisecs": _periods,
}
NAMES: Final = frozenset(f.name for f in fields(Tunables)) - {"user_min_free_kbytes"}


def set_knobs(m: Machine) -> None:
    """Tell the core what it has to know of the settings."""
    now = m.tunables
    m.core.set_knobs(
        now.watermark_boost_factor, not now.numa_stat, bool(now.zone_reclaim_mode & 1)
    )


def tune(m: Machine, name: str, value: Any) -> None:
    """Set one of the settings, and do what follows from it."""
    if name not in NAMES:
        raise ValueError(f"there is no setting {name}")
    setattr(m.tunables, name, value)
    if name in PAIRS and value:
        setattr(m.tunables, PAIRS[name], 0)
    follow = FOLLOWS.get(name)
    if follow is not None:
        follow(m)
    m.bump()
