"""Where memory blocks lie: their numbers, and the model's page numbers.

Block numbers and physical addresses are those of the machine that is shown, which
may begin at 1 TiB and have holes of many more. The core has arrays by page, 2^28
pages at most. Where the machine's addresses fit into them the two are the same; else
the machine is shifted down, and if that is not enough its holes are left out. Blocks
that are offline come last: one without a place has a number and no pages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from memfs.records import NamedTuple


class Range(NamedTuple):
    """Blocks `first` to `last`; whether they need a place."""

    first: int
    last: int
    needed: bool = True

    @property
    def nr(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Piece(NamedTuple):
    """Blocks `first` to `last` lie at `base` and on, in blocks of the model."""

    first: int
    last: int
    base: int


class AddressMap(NamedTuple):
    """Numbers of blocks to pfns of the model and back.

    Attributes:
        size: pages of a block.
        pieces: in order, of both numbers and places; none: they are the same.
    """

    size: int
    pieces: tuple[Piece, ...] = ()

    def pfn(self, number: int) -> int | None:
        """The first pfn of a block; None: it has no place."""
        if not self.pieces:
            return number * self.size
        at = bisect_right(self.pieces, number, key=lambda piece: piece.first) - 1
        if at < 0 or number > self.pieces[at].last:
            return None
        piece = self.pieces[at]
        return (piece.base + number - piece.first) * self.size

    def end(self, first: int, last: int) -> int:
        """Behind the last pfn of those of `first` to `last` that have a place."""
        start = self.pfn(first)
        if start is None:
            return 0
        if self.pieces:
            number = bisect_right(self.pieces, first, key=lambda piece: piece.first) - 1
            last = min(last, self.pieces[number].last)
        return start + (last - first + 1) * self.size

    def phys(self, pfn: int) -> int:
        """The physical page number of a pfn of the model."""
        if not self.pieces:
            return pfn
        block = pfn // self.size
        at = bisect_right(self.pieces, block, key=lambda piece: piece.base) - 1
        piece = self.pieces[max(at, 0)]
        return pfn + (piece.first - piece.base) * self.size

    def number(self, pfn: int) -> int:
        """The number of the block that a pfn of the model is in."""
        return self.phys(pfn) // self.size

    def model(self, phys: int) -> int:
        """The pfn of the model of a physical page number that has a place."""
        first = self.pfn(phys // self.size)
        return phys if first is None else first + phys % self.size


def fit(size: int, ranges: Iterable[Range], room: int) -> AddressMap | int:
    """Places for blocks.

    Args:
        size: pages of a block.
        ranges: in any order.
        room: pages of the model.

    Returns:
        The map, or how many pages are needed if that is more than `room`.
    """
    blocks = room // size
    ordered = sorted(ranges)
    if not ordered:
        return AddressMap(size)
    low, high = ordered[0].first, max(one.last for one in ordered)
    if high < blocks:
        return AddressMap(size)
    if high - low < blocks:
        return AddressMap(size, (Piece(low, high, 0),))
    left = blocks - sum(one.nr for one in ordered if one.needed)
    if left < 0:
        return (blocks - left) * size
    return AddressMap(size, tuple(_packed(ordered, left)))


def _packed(ordered: list[Range], left: int) -> Iterable[Piece]:
    base, end = 0, 0
    for one in ordered:
        # Nodes that share a block say it twice.
        first = max(one.first, end)
        last = one.last if one.needed else min(one.last, first + left - 1)
        if last < first:
            continue
        nr = last - first + 1
        left -= 0 if one.needed else nr
        yield Piece(first, last, base)
        base, end = base + nr, last + 1
