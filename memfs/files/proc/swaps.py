"""``proc/swaps``: the swap area, in kB.

Source: mm/swapfile.c swap_show(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.files.proc.meminfo import KB_PER_PAGE

if TYPE_CHECKING:
    from memfs.mount import Mount

HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def render(mount: Mount) -> str:
    swap = mount.machine.snapshot().swap
    if not swap.total:
        return HEAD
    size, used = (f"{pages * KB_PER_PAGE}" for pages in (swap.total, swap.used))
    columns = [f"{text}{chr(9) * (2 - len(text) // 8)}" for text in (size, used)]
    return HEAD + f"{'/swap':<40}file\t\t{columns[0]}{columns[1]}-2\n"
