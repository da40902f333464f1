"""The generated tree, made from TABLE.

The rows are sorted into a tree of ``Place`` once; a ``FamilyDir`` is a directory of
one mount at one place, with the numbers of the families around it. A member of a
family (``memory12``) is made when it is first looked up and kept: its name comes
and goes, the object stays. The kernel may keep a name as long as the mount can tell it
that it has gone (``Mount.name_timeout``).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memfs.files.row import Family, Row, family_of, manners_of
from memfs.files.rowfile import RowFile, Shape
from memfs.records import NamedTuple
from memfs.tree import FOREVER, SYSFS, Dir, Link, Node, TreeError, VolumeDir

if TYPE_CHECKING:
    from memfs.mount import Mount

DIR_MODES = {"proc": 0o555}
# The name of a member of a family: its number is written in one way only.
MEMBER = re.compile(r"(.*?)(0|[1-9][0-9]{0,8})([^0-9]*)", re.DOTALL)


@dataclass
class Place:
    """A directory of the tree: what is always there, and its families.

    A family is keyed by what stands around the number in its names.
    """

    path: str
    row: Row | None = None
    fixed: dict[bytes, Place] = field(default_factory=dict)
    families: dict[Family, Place] = field(default_factory=dict)
    shape: Shape | None = None

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory, with a row of its own or without."""
        return self.row is None or self.row.kind == "directory"

    def below(self, name: str) -> Place:
        """The place *name* below this one, made if it is not there."""
        made = Place(f"{self.path}/{name}".lstrip("/"))
        family = family_of(name)
        if family is not None:
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
    return node


class Member(NamedTuple):
    """A member of a family that was looked up once: the name comes and goes."""

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
        top = place.path.partition("/")[0]
        super().__init__(mode=DIR_MODES.get(top, 0o755), manners=manners_of(place.path))
        self.dynamic = bool(place.families)
        self._mount = mount
        self._place = place
        self._ids = ids
        self._around = around
        self._members: dict[bytes, Member] = {}
        # What was listed last, and when.
        self._listed: tuple[int, list[tuple[bytes, Node]]] | None = None
        self.born_ns = mount.born_ns
        if self.dynamic and not ids:
            mount.families.append(self)
        if place.row is not None:
            # The name of a member of a family comes and goes.
            self.entry_timeout = mount.name_timeout
            self.attr_timeout = FOREVER if self.manners is SYSFS else 0.0

    @property
    def gone(self) -> bool:
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
        parts = MEMBER.fullmatch(name.decode("latin-1"))
        if parts is None:
            return None
        family = self._place.families.get(Family(parts[1], parts[3]))
        if family is None or int(parts[2]) not in self.numbers(family):
            return None
        return self._member(name, family, int(parts[2]))

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
            if member.node.ino and member.number not in self.numbers(member.place)
        ]

    def _member(self, name: bytes, family: Place, number: int) -> Node:
        member = self._members.get(name)
        if member is None:
            node = self._make(family, (*self._ids, number))
            member = self._members[name] = Member(node, number, family)
        return member.node

    def _make(self, place: Place, ids: tuple[int, ...]) -> Node:
        if place.is_dir:
            around = self if place.row is not None else None
            return FamilyDir(self._mount, place, ids, around)
        return node_of(self._mount, place, ids)

    def entries(self) -> list[tuple[bytes, Node]]:
        version = self._mount.machine.blocks.version
        if self._listed is None or self._listed[0] != version:
            self._listed = version, self._entries()
        return self._listed[1]

    def _entries(self) -> list[tuple[bytes, Node]]:
        if self.gone:
            raise TreeError(errno.ENOENT, f"{self._place.path} has gone")
        for name in self._place.fixed:
            self._fixed(name)
        found = super().entries()
        if not self.dynamic:
            return found
        for family, place in self._place.families.items():
            for number in self.numbers(place):
                name = family.name(number).encode()
                found.append((name, self._member(name, place, number)))
        return sorted(found, key=lambda entry: entry[0])


def build_tree(mount: Mount, rows: Iterable[Row]) -> Dir:
    """The whole generated tree of *mount*, and its volumes."""
    root = FamilyDir(mount, places(rows), ())
    for name, volume in mount.volumes.items():
        root.add(name.encode(), VolumeDir(volume))
    return root
