"""The names of a directory in an order that any change leaves alone.

A name's cookie is a hash of it, the order is that of the cookies. So a reader who
comes back with a cookie meets every name that was there all the time exactly
once, whatever was created or removed meanwhile, even if the index had been thrown
away in between.

Source: the idea is fs/ext4/dir.c's, which hands out hash values as positions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from hashlib import blake2b

# 0 is the start; 1 and 2 stand behind "." and "..".
FIRST_COOKIE = 16
# Beyond this many changes one sort is cheaper than that many insertions.
RESORT = 64


def cookie_of(name: bytes) -> int:
    """The position behind *name*: 63 bits, so that off_t holds it.

    Two names with one cookie are expected once in 2**63 pairs; they are then
    always handed out together.
    """
    value = int.from_bytes(blake2b(name, digest_size=8).digest(), "big") >> 1
    return value if value >= FIRST_COOKIE else value + FIRST_COOKIE


class DirIndex:
    """Names by cookie. Changes are gathered and sorted in at the next reading."""

    __slots__ = ("_gone", "_new", "_rows")

    def __init__(self, names: Iterable[bytes]) -> None:
        self._rows = sorted((cookie_of(name), name) for name in names)
        self._new: dict[bytes, None] = {}
        self._gone: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._rows) + len(self._new) - len(self._gone)

    def add(self, name: bytes) -> None:
        """*name* is not there yet."""
        if name in self._gone:
            self._gone.remove(name)
        else:
            self._new[name] = None

    def discard(self, name: bytes) -> None:
        """*name* is there."""
        if name in self._new:
            del self._new[name]
        else:
            self._gone.add(name)

    def after(self, cookie: int, limit: int) -> list[tuple[int, bytes]]:
        """At least *limit* rows behind *cookie*, fewer only at the end."""
        self._merge()
        rows = self._rows
        first = bisect_right(rows, (cookie, b"\xff" * 256))
        last = min(first + limit, len(rows))
        while 0 < last < len(rows) and rows[last][0] == rows[last - 1][0]:
            last += 1
        return rows[first:last]

    def _merge(self) -> None:
        if len(self._new) + len(self._gone) > RESORT:
            kept = [row for row in self._rows if row[1] not in self._gone]
            kept += [(cookie_of(name), name) for name in self._new]
            kept.sort()
            self._rows = kept
        else:
            for name in self._gone:
                del self._rows[bisect_left(self._rows, (cookie_of(name), name))]
            for name in self._new:
                insort(self._rows, (cookie_of(name), name))
        self._gone.clear()
        self._new.clear()
