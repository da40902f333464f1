"""``swaps``: the swap area, in kB.

Source: mm/swapfile.c swap_show(), Linux 2.6.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files.meminfo import KB_PER_PAGE

if TYPE_CHECKING:
    from memfs.mount import Mount

HEADER = "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n"
NAME = "/dev/swap"  # chosen here: the area has no name of its own
PRIORITY = -1  # the first area that swapon(2) gets without a priority


def render(mount: Mount) -> str:
    swap = mount.machine.snapshot().swap
    if not swap.total:
        return HEADER
    size = swap.total * KB_PER_PAGE
    used = swap.used * KB_PER_PAGE
    return f"{HEADER}{NAME:<40}partition\t{size}\t{used}\t{PRIORITY}\n"
