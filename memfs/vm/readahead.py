"""Read-ahead: which pages to ask for when one descriptor reads.

One :class:`ReadAhead` per open descriptor (and per mapped area). Sequential reads
have a window under way in front of them: the next one is asked for when the
current one is entered. Anything else reads what it was asked for.

Source: mm/readahead.c page_cache_readahead(), 2.6.0, in shorter words: windows
begin at half the maximum and double.
"""

from __future__ import annotations


class ReadAhead:
    """Sequential detection and windows of one descriptor; pages.

    Args:
        max_pages: the largest window; 0: nothing is read but what is asked for.
    """

    def __init__(self, max_pages: int = 32) -> None:
        self.max_pages = max_pages
        self.prev = -1
        self.size = 0
        self.mark = 0
        self.asked = 0

    def access(self, first: int, last: int, nr_pages: int) -> list[tuple[int, int]]:
        """Note an access to pages first..last of a file of `nr_pages`.

        Returns:
            What to read now: (first page, pages), in order.
        """
        windows, state = self._plan(first, last, nr_pages)
        self.prev, self.size, self.mark, self.asked = state
        return windows

    def peek(self, first: int, last: int, nr_pages: int) -> list[tuple[int, int]]:
        """What access() would return; changes nothing."""
        return self._plan(first, last, nr_pages)[0]

    def window_left(self, index: int) -> int:
        """Pages from `index` to the end of what has been asked for."""
        return min(max(0, self.asked - index), self.max_pages)

    def _plan(
        self, first: int, last: int, nr_pages: int
    ) -> tuple[list[tuple[int, int]], tuple[int, int, int, int]]:
        # Windows to ask for, and the state (prev, size, mark, asked) after that.
        if not self.max_pages or not self._is_sequential(first):
            return [(first, last - first + 1)], (last, 0, 0, 0)
        windows: list[tuple[int, int]] = []
        size, mark, asked = self.size, self.mark, self.asked
        if not size:
            size, mark, asked = max(1, self.max_pages // 2), first, first
        while mark <= last and asked < nr_pages:
            nr = min(size, nr_pages - asked)
            windows.append((asked, nr))
            # The first window is entered as soon as it is asked for.
            mark = first if asked == first and not self.size else asked
            asked += nr
            size = min(self.max_pages, 2 * size)
        return windows, (last, size, mark, asked)

    def _is_sequential(self, first: int) -> bool:
        # A fault on a mapped page tells only of absent ones: the first behind
        # what has been asked for goes on where the window ended.
        return first in (self.prev, self.prev + 1) or (
            self.size > 0 and first == self.asked
        )
