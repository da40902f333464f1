"""``proc/diskstats``: the two devices of the model, disk and swap.

Sectors are 512 bytes. Times of requests are not kept.

Source: block/genhd.c diskstats_show(), Linux 6.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.vm._ffi import DevStat

SECTORS_PER_PAGE: Final = 8
NR_LATER_FIELDS: Final = 6  # discards and flushes: there are none
MAJOR: Final = 254


def _line(minor: int, name: str, stat: DevStat) -> str:
    fields = (
        stat.reads,
        0,
        stat.read_pages * SECTORS_PER_PAGE,
        0,
        stat.writes,
        stat.merged,
        stat.write_pages * SECTORS_PER_PAGE,
        0,
        stat.in_flight,
        *[0] * (2 + NR_LATER_FIELDS),
    )
    return f"{MAJOR:4} {minor:7} {name} {' '.join(map(str, fields))}\n"


def render(mount: Mount) -> str:
    snapshot = mount.machine.snapshot()
    return _line(0, "disk", snapshot.disk) + _line(1, "swap", snapshot.swap_disk)
