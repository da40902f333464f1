"""Lists of directories as they lie on the wire, made once for all that are alike.

The children of a small directory are numbered one after the other
(``memfs/inodes.py``). So the lists of two directories with the same names differ in
two numbers only, the directory's own and its first child's, each at a few places. A
``Form`` is a list as one long number: it grows by the same for each step of either.

What it is not: it decides nothing; ``memfs/directnodes.py`` says what is listed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from memfs import wirebytes
from memfs.records import NamedTuple
from memfs.tree import Attr


class Shown(NamedTuple):
    """What a list says of one name."""

    name: bytes
    attr: Attr
    entry_timeout: float
    attr_timeout: float


class Form:
    """A list, but for the numbers in it.

    Args:
        make: gives the list of a directory with a number, whose first child has
            another.

    Attributes:
        nbytes: of the list.
    """

    def __init__(self, make: Callable[[int, int], bytes]) -> None:
        blank = make(0, 0)
        self.nbytes = len(blank)
        self._blank = int.from_bytes(blank, sys.byteorder)
        self._own = int.from_bytes(make(1, 0), sys.byteorder) - self._blank
        self._first = int.from_bytes(make(0, 1), sys.byteorder) - self._blank

    def filled(self, own: int, first: int) -> bytes:
        """The list of a directory by its own number and its first child's."""
        made = self._blank + own * self._own + first * self._first
        return made.to_bytes(self.nbytes, sys.byteorder)


class Lists(NamedTuple):
    """Both lists of a directory.

    Attributes:
        children: what is said of each.
        entries: gives the kernel a reference to each child.
        named: says no more than their names: the kernel has them.
    """

    children: Sequence[Shown]
    entries: Form
    named: Form


def lists_of(rows: Sequence[Shown]) -> Lists:
    """The lists of directories with such names.

    Args:
        rows: the two dots, then the children in their order.
    """
    return Lists(
        rows[2:],
        Form(lambda own, first: _listed(_entry, rows, own, first)),
        Form(lambda own, first: _listed(_named, rows, own, first)),
    )


def _listed(
    form: Callable[[int, int, Shown], bytes],
    rows: Sequence[Shown],
    own: int,
    first: int,
) -> bytes:
    numbers = [own, own, *range(first, first + len(rows) - 2)]
    return b"".join(
        form(ino, cookie, shown)
        for cookie, (ino, shown) in enumerate(zip(numbers, rows, strict=True), 1)
    )


def _entry(ino: int, cookie: int, shown: Shown) -> bytes:
    name, attr, *timeouts = shown
    entry = wirebytes.entry(ino, attr, *timeouts)
    return wirebytes.direntplus(entry, ino, cookie, attr.mode, name)


def _named(ino: int, cookie: int, shown: Shown) -> bytes:
    return wirebytes.dirent(ino, cookie, shown.attr.mode, shown.name)
