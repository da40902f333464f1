"""The generated tree, made from TABLE.

The rows are sorted into a tree of ``Place`` once; a ``FamilyDir`` is a directory of
one mount at one place, with the numbers of the families around it. A member of a
family (``memory12``) is made when it is first looked up or listed, and kept: its name
comes and goes, the object stays. The kernel may keep a name as long as the mount can
tell it that it has gone (``Mount.name_timeout``).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memfs.files.row import Family, Row, Target, family_of, manners_of
from memfs.files.rowfile import RowFile, Shape, rendered
from memfs.records import NamedTuple
from memfs.tree import FOREVER, SYSFS, Dir, Link, Manners, Names, Node, VolumeDir

if TYPE_CHECKING:
    from memfs.mount import Mount

DIR_MODES = {"proc": 0o555}
# Longer lists of names are not compared with those of other directories, nor with so
# many of them.
ALIKE_MOST = 64
# Files that are rendered together, at most (chosen here): some 0.3 ms.
AHEAD_MOST = 32
# The name of a member of a family: its number is written in one way only.
MEMBER = re.compile(r"(.*?)(0|[1-9][0-9]{0,8})([^0-9]*)", re.DOTALL)


@dataclass
class Place:
    """A directory of the tree: what is always there, and its families.

    A family is keyed by what stands around the number in its names.

    Attributes:
        family: around the number in its name, of the members of a family.
        alike: the names in the directories that are here, by whatever makes a
            difference to what a list shows.
        ahead: of a file: how many of its kind were rendered last with one of them,
            and when.
    """

    path: str
    row: Row | None = None
    fixed: dict[bytes, Place] = field(default_factory=dict)
    families: dict[Family, Place] = field(default_factory=dict)
    shape: Shape | None = None
    family: Family | None = None
    alike: dict[object, Names] = field(default_factory=dict)
    ahead: tuple[int, int] = 0, -1

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory, with a row of its own or without."""
        return self.row is None or self.row.kind == "directory"

    @property
    def link(self) -> Target | None:
        """Where it points to, if it is a link."""
        return None if self.row is None else self.row.link

    @functools.cached_property
    def manners(self) -> Manners:
        """How a directory refuses that is here."""
        return manners_of(self.path)

    @functools.cached_property
    def mode(self) -> int:
        """Its permission bits."""
        return DIR_MODES.get(self.path.partition("/")[0], 0o755)

    @functools.cached_property
    def links(self) -> list[Target]:
        """Of the links that are always there."""
        return [below.link for below in self.fixed.values() if below.link is not None]

    def below(self, name: str) -> Place:
        """The place *name* below this one, made if it is not there."""
        made = Place(f"{self.path}/{name}".lstrip("/"))
        family = family_of(name)
        if family is not None:
            made.family = family
            return self.families.setdefault(family, made)
        return self.fixed.setdefault(name.encode(), made)


def places(rows: Iterable[Row]) -> Place:
    """Sort *rows* into a tree."""
    root = Place("")
    for row in rows:
        at = root
        for name in row.path.split("/"):
            at = at.below(name)
        at.row = row
    return root


def node_of(mount: Mount, place: Place, ids: tuple[int, ...] = ()) -> Node:
    """Make the file or link at a place; *ids* are the numbers in its path."""
    row = place.row
    assert row is not None
    if row.make is not None:
        return row.make(mount, row)
    if row.link is not None:
        return _link(mount, row, ids)
    if place.shape is None:
        place.shape = Shape(row, mount.born_ns)
    return RowFile(mount, place.shape, ids)


def _link(mount: Mount, row: Row, ids: tuple[int, ...]) -> Link:
    assert row.link is not None
    node = Link(row.link(ids).encode())
    if row.ids is not None:
        node.entry_timeout = mount.name_timeout
    node.manners = row.manners
    node.born_ns = mount.born_ns
    return node


class Member(NamedTuple):
    """A member of a family that was there once: the name comes and goes."""

    name: bytes
    node: Node
    number: int
    place: Place


class FamilyDir(Dir):
    """A directory of the tree. Its names change with nodes and blocks only.

    Args:
        mount: whose tree it is.
        place: where it is.
        ids: numbers of the families around it, its own the last.
        around: the directory that it is a member in, if it is one.
    """

    steady = True

    def __init__(
        self,
        mount: Mount,
        place: Place,
        ids: tuple[int, ...],
        around: FamilyDir | None = None,
    ) -> None:
        super().__init__(mode=place.mode, manners=place.manners)
        self.dynamic = bool(place.families)
        self._mount = mount
        self._place = place
        self._ids = ids
        self._around = around
        self._members: dict[bytes, Member] = {}
        # What was listed last, and when.
        self._listed = -1, Names()
        self.born_ns = mount.born_ns
        if self.dynamic and not ids:
            mount.families.append(self)
        if place.row is not None:
            # The name of a member of a family comes and goes.
            self.entry_timeout = mount.name_timeout
            self.attr_timeout = FOREVER if self.manners is SYSFS else 0.0

    @property
    def gone(self) -> bool:  # type: ignore[override]
        """Whether it is a member of a family and its name has gone."""
        around = self._around
        return around is not None and self._ids[-1] not in around.numbers(self._place)

    def _nr_directories(self) -> int:
        return sum(place.is_dir for place in self._place.fixed.values())

    def _fixed(self, name: bytes) -> Node | None:
        """What is always there; made when somebody asks for it."""
        found = self._children.get(name)
        place = None if found is not None else self._place.fixed.get(name)
        if place is not None:
            found = self._children[name] = self._make(place, self._ids)
        return found

    def lookup(self, name: bytes) -> Node | None:
        found = self._fixed(name)
        if found is not None or not self.dynamic:
            return found
        member = self._members.get(name)
        if member is not None:
            there = member.number in self.numbers(member.place)
            return member.node if there else None
        family, number = self._family(name)
        if family is None or number not in self.numbers(family):
            return None
        return self._member(family, number).node

    def once(self, name: bytes) -> Node | None:
        found = self._fixed(name)
        family, number = self._family(name) if found is None else (None, 0)
        return found if family is None else self._member(family, number).node

    def _family(self, name: bytes) -> tuple[Place | None, int]:
        """The family that a name is of, and its number in that."""
        parts = MEMBER.fullmatch(name.decode("latin-1"))
        if parts is None:
            return None, 0
        return self._place.families.get(Family(parts[1], parts[3])), int(parts[2])

    def ahead(self, name: bytes) -> Iterator[tuple[Dir, bytes]]:
        around, place = self._around, self._place.fixed.get(name)
        if around is None or place is None or place.shape is None:
            return
        there = around.numbers(self._place)
        for number in self._window(place):
            if number != self._ids[-1] and number in there:
                where = around._member(self._place, number).node
                assert isinstance(where, FamilyDir)
                yield where, rendered(self._mount, place.shape.row, where._ids)

    def _window(self, file: Place) -> range:
        """The numbers around its own of those that show the next texts.

        Twice as many each time since there was a change, so that who wants one only
        does not wait for more.
        """
        version = self._mount.machine.blocks.version
        width, seen = file.ahead
        width = min(2 * width, AHEAD_MOST) if seen == version else 1
        file.ahead = width, version
        first = self._ids[-1] // width * width
        return range(first, first + width)

    def numbers(self, family: Place) -> Collection[int]:
        """Of the members that a family has now."""
        assert family.row is not None
        assert family.row.ids is not None
        return family.row.ids(self._mount, self._ids)

    def gone_names(self) -> list[bytes]:
        """Names that the kernel may know and that are not there any more."""
        return [
            name
            for name, member in self._members.items()
            if member.number not in self.numbers(member.place)
        ]

    def _member(self, place: Place, number: int) -> Member:
        assert place.family is not None
        name = place.family.name(number).encode()
        member = self._members.get(name)
        if member is None:
            node = self._make(place, (*self._ids, number))
            member = self._members[name] = Member(name, node, number, place)
        return member

    def _make(self, place: Place, ids: tuple[int, ...]) -> Node:
        if place.is_dir:
            around = self if place.row is not None else None
            return FamilyDir(self._mount, place, ids, around)
        return node_of(self._mount, place, ids)

    def names(self) -> Names:
        version = self._mount.machine.blocks.names
        if self._listed[0] != version:
            self._listed = version, self._names()
        return self._listed[1]

    def _names(self) -> Names:
        members = [
            self._member(place, number)
            for place in self._place.families.values()
            for number in self.numbers(place)
        ]
        if len(members) > ALIKE_MOST:
            return self._sorted(members)
        # What differs in a list, but for numbers of inodes: the names, and of a link
        # the length of where it points to.
        differs = [link(self._ids).encode() for link in self._place.links]
        for member in members:
            differs.append(member.name)
            if isinstance(member.node, Link):
                differs.append(member.node.readlink())
        key, alike = tuple(differs), self._place.alike
        if key not in alike:
            if len(alike) >= ALIKE_MOST:
                alike.clear()
            alike[key] = self._sorted(members)
        return alike[key]

    def _sorted(self, members: list[Member]) -> Names:
        fixed = self._place.fixed.keys() | self._children.keys()
        return Names(sorted([*fixed, *(member.name for member in members)]))


def build_tree(mount: Mount, rows: Iterable[Row]) -> Dir:
    """The whole generated tree of *mount*, and its volumes."""
    root = FamilyDir(mount, places(rows), ())
    for name, volume in mount.volumes.items():
        root.add(name.encode(), VolumeDir(volume))
    return root
