"""``proc/iomem``: where memory lies. Addresses are 0 to all but root, as ever.

Source: kernel/resource.c r_show(), Linux 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from memfs.tree import TextFile, TextHandle

if TYPE_CHECKING:
    from memfs.files.row import Row
    from memfs.mount import Mount
    from memfs.tree import Caller, Handle

PAGE_SIZE: Final = 4096


def ranges(mount: Mount) -> Iterator[tuple[int, int]]:
    """Runs of blocks that are there, as first and last byte."""
    size = mount.machine.layout.block_pages * PAGE_SIZE
    first = last = -1
    for number in mount.machine.blocks:
        if number != last + 1 or first < 0:
            if first >= 0:
                yield first * size, (last + 1) * size - 1
            first = number
        last = number
    if first >= 0:
        yield first * size, (last + 1) * size - 1


def render(mount: Mount, hidden: bool = False) -> str:
    """One line a range; with its addresses *hidden*, zeros."""
    found = list(ranges(mount))
    width = max(8, *(len(f"{last:x}") for _, last in found))
    if hidden:
        found = [(0, 0)] * len(found)
    return "".join(
        f"{first:0{width}x}-{last:0{width}x} : System RAM\n" for first, last in found
    )


class IomemFile(TextFile):
    """The file: as long for all, but with zeros for all but root."""

    def __init__(self, mount: Mount, row: Row) -> None:
        super().__init__(
            lambda: render(mount).encode(),
            row.mode,
            lambda: mount.machine.version,
            manners=row.manners,
        )
        self._mount = mount

    def open(self, flags: int, caller: Caller) -> Handle:
        if caller.uid == 0:
            return super().open(flags, caller)
        self._check(flags)
        return TextHandle(Hidden(self._mount, self), render(self._mount, True).encode())


class Hidden(TextFile):
    """What all but root see."""

    def __init__(self, mount: Mount, file: IomemFile) -> None:
        super().__init__(
            lambda: render(mount, True).encode(), file.mode, manners=file.manners
        )
