"""A row of TABLE: one file, link or family of directories of the mount.

Lookup, permissions, the tables of the documentation and the generic tests follow
from the row. A component of a path that ends in ``N`` (``nodeN``, ``memoryN``,
``cpuN``), or in ``NkB`` (``hugepages-NkB``), stands for a family: as many names as its
row's ``ids`` has numbers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.tree import PROC, SYSFS, TOP, Manners

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt, Node

Render = Callable[["Mount"], str]
RenderAt = Callable[["Mount", int], str]
RenderIn = Callable[["Mount", tuple[int, ...]], str]
# How much of what was written was taken; None: all of it.
Taken = Awaitable[int | None]
StoreRow = Callable[["Mount", bytes, "Caller", "Interrupt"], Taken]
StoreAt = Callable[["Mount", int, bytes, "Caller", "Interrupt"], Taken]
StoreIn = Callable[["Mount", tuple[int, ...], bytes, "Caller", "Interrupt"], Taken]
Version = Callable[["Mount"], object]
# Numbers of a family's members, given the numbers of the families around it.
Ids = Callable[["Mount", tuple[int, ...]], Collection[int]]
# Where a link points to, given the numbers in its path.
Target = Callable[[tuple[int, ...]], str]

NODE_DIR = "nodeN"
SYSFS_SIZE = 4096
FAMILY = re.compile(r"(.*)N(kB)?")


class Family(NamedTuple):
    """What stands before and behind the number in the names of a family."""

    stem: str
    tail: str

    def name(self, number: int) -> str:
        """The name of one member."""
        return f"{self.stem}{number}{self.tail}"


def family_of(name: str) -> Family | None:
    """The family that a component of a path stands for; None: it is a name."""
    found = FAMILY.fullmatch(name)
    return None if found is None else Family(found[1], found[2] or "")


def machine_version(mount: Mount) -> object:
    """The rendering is kept until anything of the machine may have changed."""
    return mount.machine.version


def blocks_version(mount: Mount) -> object:
    """Until a node, a gate or a block is not as it was."""
    return mount.machine.blocks.version


def never(mount: Mount) -> object:
    """The text never changes."""
    return 0


class Row(NamedTuple):
    """One name of the mount.

    Attributes:
        path: its place; ``nodeN`` and the like stand for a family.
        mode: permission bits.
        unit: of its numbers.
        what: for the documentation.
        render, render_at, render_in: give its text, the second with the number of the
            family it is in (of the innermost one), the third with those of all;
            none: there is nothing to read.
        store, store_at, store_in: carry out one write; none: read-only.
        version: changes when the text may; None: it is rendered at every open.
        holds: a command may hold its writer for long.
        make: for the one file whose descriptors mean something of their own.
        polls: differs whenever poll(2) has something to tell; with the number of the
            family it is in.
        ids: it is a directory, or a link, for each of these numbers.
        link: it is a symbolic link.
    """

    path: str
    mode: int
    unit: str
    what: str
    render: Render | None = None
    render_at: RenderAt | None = None
    store: StoreRow | None = None
    store_at: StoreAt | None = None
    render_in: RenderIn | None = None
    store_in: StoreIn | None = None
    version: Version | None = machine_version
    holds: bool = False
    make: Callable[[Mount, Row], Node] | None = None
    polls: Callable[[Mount, int], object] | None = None
    ids: Ids | None = None
    link: Target | None = None

    @property
    def kind(self) -> str:
        """text, control, process, link or directory."""
        if self.make is not None:
            return "process"
        if self.link is not None:
            return "link"
        if self.ids is not None:
            return "directory"
        stores = (self.store, self.store_at, self.store_in)
        return "text" if stores == (None, None, None) else "control"

    @property
    def manners(self) -> Manners:
        """How it refuses: by the part of the tree that it is in."""
        return manners_of(self.path)

    @property
    def size(self) -> int | None:
        """What stat shows: the length of the text but for sysfs."""
        return SYSFS_SIZE if self.manners is SYSFS else None


def manners_of(path: str) -> Manners:
    """The manners of a place: those of procfs, of sysfs or of the root."""
    top = path.partition("/")[0]
    return {"proc": PROC, "sys": SYSFS}.get(top, TOP)


def constant(path: str, text: str, what: str, unit: str = "") -> Row:
    """A file that always says the same."""
    return Row(path, 0o444, unit, what, lambda mount: text, version=never)
