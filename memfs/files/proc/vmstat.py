"""``proc/vmstat`` and ``sys/devices/system/node/nodeN/vmstat``, as Linux 6.1.

The sums over all zones and nodes, then events since boot. pgpgin and pgpgout count
kB, all other lines pages or occurrences.

Source: mm/vmstat.c vmstat_start(), drivers/base/node.c node_read_vmstat(), 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memfs.files.proc.items import (
    NODE_FIGURES,
    NODE_ITEMS,
    ZONE_FIGURES,
    ZONE_ITEMS,
    Lines,
)

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Snapshot, Sums

BEFORE_ZONES: Final = "pgpgin pgpgout pswpin pswpout".split()
BY_ZONE: Final = "pgalloc allocstall pgskip".split()
AFTER_ZONES: Final = """
pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill
pgreuse pgsteal_kswapd pgsteal_direct pgdemote_kswapd pgdemote_direct pgscan_kswapd
pgscan_direct pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon
pgsteal_file zone_reclaim_failed pginodesteal slabs_scanned kswapd_inodesteal
kswapd_low_wmark_hit_quickly kswapd_high_wmark_hit_quickly pageoutrun pgrotated
drop_pagecache drop_slab oom_kill numa_pte_updates numa_huge_pte_updates
numa_hint_faults numa_hint_faults_local numa_pages_migrated pgmigrate_success
pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split
compact_migrate_scanned compact_free_scanned compact_isolated compact_stall
compact_fail compact_success compact_daemon_wake compact_daemon_migrate_scanned
compact_daemon_free_scanned htlb_buddy_alloc_success htlb_buddy_alloc_fail
unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued
unevictable_pgs_mlocked unevictable_pgs_munlocked unevictable_pgs_cleared
unevictable_pgs_stranded thp_fault_alloc thp_fault_fallback
thp_fault_fallback_charge thp_collapse_alloc thp_collapse_alloc_failed
thp_file_alloc thp_file_fallback thp_file_fallback_charge thp_file_mapped
thp_split_page thp_split_page_failed thp_deferred_split_page thp_split_pmd
thp_scan_exceed_none_pte thp_scan_exceed_swap_pte thp_scan_exceed_share_pte
thp_split_pud thp_zero_page_alloc thp_zero_page_alloc_failed thp_swpout
thp_swpout_fallback balloon_inflate balloon_deflate balloon_migrate swap_ra
swap_ra_hit ksm_swpin_copy cow_ksm zswpin zswpout direct_map_level2_splits
direct_map_level3_splits nr_unstable
""".split()


FORM: Final = "{} {}\n"
ZONES: Final = Lines(ZONE_ITEMS, ZONE_FIGURES, FORM)
NODES: Final = Lines(NODE_ITEMS, NODE_FIGURES, FORM)


def gauges(sums: Sums) -> str:
    """What a node's file has, too."""
    return ZONES.of(sums) + NODES.of(sums)


def zone_words(mount: Mount) -> list[str]:
    """The endings of the counters that are kept by zone type."""
    words = [name.lower() for name in mount.machine.rules.shown_zones]
    return ["high" if word == "highmem" else word for word in words]


def event_names(words: list[str]) -> tuple[str, ...]:
    """Every event, in order."""
    by_zone = [f"{event}_{word}" for event in BY_ZONE for word in words]
    return (*BEFORE_ZONES, *by_zone, *AFTER_ZONES)


def events(mount: Mount, snapshot: Snapshot) -> dict[str, int]:
    """Every event that the model counts, by its name."""
    have = dict(snapshot.events)
    words = zone_words(mount)
    for kind, word in enumerate(words):
        have[f"pgalloc_{word}"] = snapshot.allocated.get(kind, 0)
    for word, stalls in zip(words, mount.machine.stalls, strict=False):
        have[f"allocstall_{word}"] = stalls
    return have


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    limits = mount.machine.writeback.state()
    have = events(mount, snapshot)
    return (
        gauges(snapshot.total)
        + f"nr_dirty_threshold {limits.dirty_limit}\n"
        + f"nr_dirty_background_threshold {limits.background_limit}\n"
        + "".join(
            f"{name} {have.get(name, 0)}\n" for name in event_names(zone_words(mount))
        )
    )


def render_node(mount: Mount, nid: int) -> str:
    return gauges(mount.node(nid).sums)
