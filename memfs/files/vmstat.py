"""``vmstat`` and ``nodeN/vmstat``: gauges in pages, then events since boot.

pgpgin and pgpgout count kB, all other lines pages or occurrences.

Source: mm/page_alloc.c vmstat_text[], Linux 2.6.0, in its order; what that kernel
did not count and the model does comes after it. A node's file did not exist then:
names as in Linux 2.6.18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Sums

NUMA_NAMES = (
    "numa_hit",
    "numa_miss",
    "numa_foreign",
    "interleave_hit",
    "local_node",
    "other_node",
)
EVENTS = (
    "pgpgin",
    "pgpgout",
    "pswpin",
    "pswpout",
    "pgalloc",
    "pgfree",
    "pgactivate",
    "pgdeactivate",
    "pgfault",
    "pgmajfault",
    "pgscan",
    "pgrefill",
    "pgsteal",
    "pginodesteal",
    "kswapd_steal",
    "kswapd_inodesteal",
    "pageoutrun",
    "allocstall",
    "pgrotated",
)


def gauges(sums: Sums) -> dict[str, int]:
    """The six gauges that 2.6.0 printed; nr_unstable is of network file systems."""
    return {
        "nr_dirty": sums.dirty,
        "nr_writeback": sums.writeback,
        "nr_unstable": 0,
        "nr_page_table_pages": sums.page_tables,
        "nr_mapped": sums.mapped + sums.anon_mapped,
        "nr_slab": sums.slab,
    }


def node_gauges(sums: Sums) -> dict[str, int]:
    """What a node's file has besides them."""
    return {
        "nr_free_pages": sums.free,
        "nr_active": sums.active,
        "nr_inactive": sums.inactive,
        "nr_anon_pages": sums.anon,
        "nr_file_pages": sums.file,
        "nr_shmem": sums.shmem,
    }


def numa(sums: Sums) -> dict[str, int]:
    """Where allocations were served; pages since boot."""
    return {name: getattr(sums, name) for name in NUMA_NAMES}


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    events = {name: snapshot.events.get(name, 0) for name in EVENTS}
    events |= snapshot.events
    return _lines(gauges(snapshot.total) | events)


def render_at(mount: Mount, nid: int) -> str:
    sums = mount.node(nid).sums
    return _lines(node_gauges(sums) | gauges(sums) | numa(sums))


def _lines(values: dict[str, int]) -> str:
    return "".join(f"{name} {value}\n" for name, value in values.items())
