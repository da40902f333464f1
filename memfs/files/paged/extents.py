"""Which pages of a file have storage: sorted ranges that do not touch."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Extents:
    """Half-open ranges [first, end) of page indexes.

    Attributes:
        total: pages in all ranges.
    """

    __slots__ = ("_ends", "_firsts", "total")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        self.total = 0

    def missing(self, first: int, end: int) -> int:
        """Pages of [first, end) that are in no range."""
        missing = end - first
        i = bisect_right(self._ends, first)
        while i < len(self._firsts) and self._firsts[i] < end:
            missing -= min(self._ends[i], end) - max(self._firsts[i], first)
            i += 1
        return missing

    def reach(self, first: int, end: int, room: int) -> int:
        """How far adding from *first* towards *end* gets with *room* new pages."""
        at = first
        i = bisect_right(self._ends, first)
        while at < end:
            inside = i < len(self._firsts) and self._firsts[i] <= at
            if inside:
                at = min(self._ends[i], end)
                i += 1
                continue
            gap = min(self._firsts[i], end) if i < len(self._firsts) else end
            if gap - at > room:
                return at + room
            room -= gap - at
            at = gap
        return at

    def add(self, first: int, end: int) -> int:
        """Add [first, end); return how many of its pages are new."""
        low = bisect_left(self._ends, first)
        high = bisect_right(self._firsts, end)
        old = sum(self._ends[low:high]) - sum(self._firsts[low:high])
        if low < high:
            first = min(first, self._firsts[low])
            end = max(end, self._ends[high - 1])
        self._firsts[low:high] = [first]
        self._ends[low:high] = [end]
        new = end - first - old
        self.total += new
        return new

    def remove(self, first: int, end: int) -> int:
        """Remove [first, end); return how many of its pages were there."""
        if not self._firsts:
            return 0
        if first <= self._firsts[0] and self._ends[-1] <= end:
            return self._clear()
        low = bisect_right(self._ends, first)
        high = bisect_left(self._firsts, end)
        if low >= high:
            return 0
        firsts, ends = self._firsts[low:high], self._ends[low:high]
        gone = sum(
            min(e, end) - max(f, first) for f, e in zip(firsts, ends, strict=True)
        )
        rest = [(f, first) for f in firsts[:1] if f < first]
        rest += [(end, e) for e in ends[-1:] if e > end]
        self._firsts[low:high] = [f for f, _ in rest]
        self._ends[low:high] = [e for _, e in rest]
        self.total -= gone
        return gone

    def _clear(self) -> int:
        # What becomes of most files in the end.
        gone, self.total = self.total, 0
        self._firsts.clear()
        self._ends.clear()
        return gone

    def next_data(self, page: int) -> int | None:
        """The first page at or behind *page* that is in a range."""
        i = bisect_right(self._ends, page)
        return max(page, self._firsts[i]) if i < len(self._firsts) else None

    def next_hole(self, page: int) -> int:
        """The first page at or behind *page* that is in none."""
        i = bisect_right(self._ends, page)
        inside = i < len(self._firsts) and self._firsts[i] <= page
        return self._ends[i] if inside else page
