"""``meminfo``: the machine's memory, in kB.

Source: fs/proc/proc_misc.c meminfo_read_proc(), Linux 2.6.0 to 2.6.7: names and
order of its lines, padded to 14 columns. CommitLimit came later, huge pages are a
configuration that this machine does not have, and there is no vmalloc area and no
block device cache: Vmalloc* and Buffers are 0. Committed_AS is the address space
of all tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm.stats import Snapshot

KB_PER_PAGE = 4


def fields(snapshot: Snapshot, committed: int) -> dict[str, int]:
    """Every line of the file: its name and its value in pages."""
    sums, swap = snapshot.total, snapshot.swap
    return {
        "MemTotal": sums.managed,
        "MemFree": sums.free,
        "Buffers": 0,
        "Cached": sums.file,
        "SwapCached": sums.swapcache,
        "Active": sums.active,
        "Inactive": sums.inactive,
        "HighTotal": sums.high_managed,
        "HighFree": sums.high_free,
        "LowTotal": sums.managed - sums.high_managed,
        "LowFree": sums.free - sums.high_free,
        "SwapTotal": swap.total,
        "SwapFree": swap.total - swap.used,
        "Dirty": sums.dirty,
        "Writeback": sums.writeback,
        "Mapped": sums.mapped + sums.anon_mapped,
        "Slab": sums.slab,
        "Committed_AS": committed,
        "PageTables": sums.page_tables,
        "VmallocTotal": 0,
        "VmallocUsed": 0,
        "VmallocChunk": 0,
    }


def render(mount: Mount) -> str:
    machine = mount.machine
    committed = sum(task.stat().total_vm for task in machine.tasks.all())
    return "".join(
        f"{name + ':':<14}{pages * KB_PER_PAGE:8} kB\n"
        for name, pages in fields(machine.snapshot(), committed).items()
    )
