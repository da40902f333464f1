"""The counters of Linux 6.1 by name, from the model's figures.

Names and order are the kernel's; an item that is not in a table here is 0, because
the thing that it counts does not exist in the model.

Source: mm/vmstat.c vmstat_text[], Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memfs.vm.stats import Sums

ZONE_ITEMS: Final = (
    *"""
nr_free_pages nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file
nr_zone_active_file nr_zone_unevictable nr_zone_write_pending nr_mlock nr_bounce
nr_zspages nr_free_cma numa_hit numa_miss numa_foreign numa_interleave numa_local
numa_other
""".split(),
)

NODE_ITEMS: Final = (
    *"""
nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable
nr_slab_reclaimable nr_slab_unreclaimable nr_isolated_anon nr_isolated_file
workingset_nodes workingset_refault_anon workingset_refault_file
workingset_activate_anon workingset_activate_file workingset_restore_anon
workingset_restore_file workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages
nr_dirty nr_writeback nr_writeback_temp nr_shmem nr_shmem_hugepages
nr_shmem_pmdmapped nr_file_hugepages nr_file_pmdmapped nr_anon_transparent_hugepages
nr_vmscan_write nr_vmscan_immediate_reclaim nr_dirtied nr_written
nr_throttled_written nr_kernel_misc_reclaimable nr_foll_pin_acquired
nr_foll_pin_released nr_kernel_stack nr_page_table_pages nr_sec_page_table_pages
nr_swapcached pgpromote_success pgpromote_candidate
""".split(),
)


def lru(sums: Sums) -> dict[str, int]:
    """Pages by list; pages that are locked into memory are on none of four."""
    return {
        "inactive_anon": sums.inactive_anon,
        "active_anon": sums.active_anon,
        "inactive_file": sums.inactive - sums.inactive_anon,
        "active_file": sums.active - sums.active_anon,
        "unevictable": sums.mlocked,
    }


def zone_items(sums: Sums) -> dict[str, int]:
    """What a zone has of ZONE_ITEMS; pages, and events since boot."""
    lists = {f"nr_zone_{name}": pages for name, pages in lru(sums).items()}
    return lists | {
        "nr_free_pages": sums.free,
        "nr_zone_write_pending": sums.dirty + sums.writeback,
        "nr_mlock": sums.mlocked,
        "numa_hit": sums.numa_hit,
        "numa_miss": sums.numa_miss,
        "numa_foreign": sums.numa_foreign,
        "numa_interleave": sums.interleave_hit,
        "numa_local": sums.local_node,
        "numa_other": sums.other_node,
    }


def node_items(sums: Sums) -> dict[str, int]:
    """What a node has of NODE_ITEMS; pages, and events since boot."""
    lists = {f"nr_{name}": pages for name, pages in lru(sums).items()}
    return lists | {
        "nr_slab_reclaimable": sums.slab,
        "nr_isolated_file": sums.isolated,
        "nr_anon_pages": sums.anon_mapped,
        "nr_mapped": sums.mapped,
        "nr_file_pages": sums.file + sums.swapcache,
        "nr_dirty": sums.dirty,
        "nr_writeback": sums.writeback,
        "nr_shmem": sums.shmem,
        "nr_page_table_pages": sums.page_tables,
        "nr_swapcached": sums.swapcache,
    }


def values(names: tuple[str, ...], have: dict[str, int]) -> list[int]:
    """The value of each name, 0 where the model has nothing of the kind."""
    return [have.get(name, 0) for name in names]
