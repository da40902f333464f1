"""Read-ahead: which pages to ask for when one descriptor reads.

One :class:`ReadAhead` per open descriptor (and per mapped area). Sequential reads
have a window under way in front of them: the next one is asked for when the
current one is entered. Anything else reads what it was asked for.

Source: mm/readahead.c page_cache_readahead(), 2.6.0, in shorter words: windows
begin at half the maximum and double.
"""

from __future__ import annotations

from typing import Any


class Largest:
    """The largest window of all descriptors of a device; pages, 0: none."""

    __slots__ = ("pages",)

    def __init__(self, pages: int) -> None:
        self.pages = pages


class State:
    """What one descriptor has read, and what was read ahead of it; pages.

    Attributes:
        prev: the page read last, or -1.
        size: of the next window; 0: not sequential.
        mark: where the next window is asked for.
        asked: up to where has been asked for.
    """

    __slots__ = ("asked", "mark", "prev", "size")

    def __init__(self) -> None:
        self.prev = -1
        self.size = 0
        self.mark = 0
        self.asked = 0


class ReadAhead:
    """Sequential detection and windows of one descriptor; pages.

    Args:
        largest: the largest window; 0: nothing is read but what is asked for.
        state: a State, or anything with its fields.
    """

    __slots__ = ("_largest", "state")

    def __init__(self, largest: int | Largest = 32, state: Any = None) -> None:
        self._largest = Largest(largest) if isinstance(largest, int) else largest
        self.state = State() if state is None else state

    def access(self, first: int, last: int, nr_pages: int) -> list[tuple[int, int]]:
        """Note an access to pages first..last of a file of `nr_pages`.

        Returns:
            What to read now: (first page, pages), in order.
        """
        windows, (prev, size, mark, asked) = self._plan(first, last, nr_pages)
        state = self.state
        state.prev, state.size, state.mark, state.asked = prev, size, mark, asked
        return windows

    def peek(self, first: int, last: int, nr_pages: int) -> list[tuple[int, int]]:
        """What access() would return; changes nothing."""
        return self._plan(first, last, nr_pages)[0]

    def window_left(self, index: int) -> int:
        """Pages from `index` to the end of what has been asked for."""
        left: int = self.state.asked - index
        return min(max(0, left), self._largest.pages)

    def _plan(
        self, first: int, last: int, nr_pages: int
    ) -> tuple[list[tuple[int, int]], tuple[int, int, int, int]]:
        # Windows to ask for, and the state (prev, size, mark, asked) after that.
        state, largest = self.state, self._largest.pages
        if not largest or not self._is_sequential(first):
            return [(first, last - first + 1)], (last, 0, 0, 0)
        windows: list[tuple[int, int]] = []
        size, mark, asked = state.size, state.mark, state.asked
        if not size:
            size, mark, asked = max(1, largest // 2), first, first
        while mark <= last and asked < nr_pages:
            nr = min(size, nr_pages - asked)
            windows.append((asked, nr))
            # The first window is entered as soon as it is asked for.
            mark = first if asked == first and not state.size else asked
            asked += nr
            size = min(largest, 2 * size)
        return windows, (last, size, mark, asked)

    def _is_sequential(self, first: int) -> bool:
        # A fault on a mapped page tells only of absent ones: the first behind
        # what has been asked for goes on where the window ended.
        state = self.state
        return first in (state.prev, state.prev + 1) or (
            state.size > 0 and first == state.asked
        )
