"""The counters of Linux 6.1 by name, from the model's figures.

Names and order are the kernel's; an item that is not in a table here is 0, because
the thing that it counts does not exist in the model.

Source: mm/vmstat.c vmstat_text[], Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
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


# What the model has of each, by the name of a figure of Sums.
ZONE_FIGURES: Final = {
    "nr_free_pages": "free",
    "nr_zone_inactive_anon": "inactive_anon",
    "nr_zone_active_anon": "active_anon",
    "nr_zone_inactive_file": "inactive_file",
    "nr_zone_active_file": "active_file",
    "nr_zone_unevictable": "unevictable",
    "nr_zone_write_pending": "write_pending",
    "nr_mlock": "mlocked",
    "numa_hit": "numa_hit",
    "numa_miss": "numa_miss",
    "numa_foreign": "numa_foreign",
    "numa_interleave": "interleave_hit",
    "numa_local": "local_node",
    "numa_other": "other_node",
}
NODE_FIGURES: Final = {
    "nr_inactive_anon": "inactive_anon",
    "nr_active_anon": "active_anon",
    "nr_inactive_file": "inactive_file",
    "nr_active_file": "active_file",
    "nr_unevictable": "unevictable",
    "nr_slab_reclaimable": "slab",
    "nr_isolated_anon": "isolated_anon",
    "nr_isolated_file": "isolated_file",
    "nr_anon_pages": "anon_mapped",
    "nr_mapped": "mapped",
    "nr_file_pages": "cached",
    "nr_dirty": "dirty",
    "nr_writeback": "writeback",
    "nr_shmem": "shmem",
    "nr_vmscan_write": "vmscan_write",
    "nr_dirtied": "dirtied",
    "nr_written": "written",
    "nr_foll_pin_acquired": "pin_acquired",
    "nr_foll_pin_released": "pin_released",
    "nr_page_table_pages": "page_tables",
    "nr_swapcached": "swapcache",
}


class Lines:
    """A line for each of a row of items, in one go.

    Args:
        names: of the items, in order.
        figures: what is counted of them; the others are 0.
        form: of a line: name, value.
    """

    def __init__(
        self, names: Iterable[str], figures: dict[str, str], form: str
    ) -> None:
        names = tuple(names)
        self.form = "".join(
            form.format(name, "%d" if name in figures else 0) for name in names
        )
        self.values: Callable[[Sums], tuple[int, ...]] = attrgetter(
            *(figures[name] for name in names if name in figures)
        )

    def of(self, sums: Sums) -> str:
        """The lines for some figures."""
        return self.form % self.values(sums)
