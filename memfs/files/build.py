"""The generated tree, made from TABLE.

The rows are sorted into a tree of ``Place`` once; a ``FamilyDir`` is a directory of
one mount at one place, with the numbers of the families around it. A member of a
family (``memory12``) is made when it is first looked up and kept: its name comes
and goes, the object stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memfs.files.row import Family, Row, Taken, Version, family_of, manners_of
from memfs.tree import (
    FOREVER,
    SYSFS,
    ControlFile,
    Dir,
    Link,
    Node,
    TextFile,
    VolumeDir,
)

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
    fixed: dict[str, Place] = field(default_factory=dict)
    families: dict[Family, Place] = field(default_factory=dict)

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
        return self.fixed.setdefault(name, made)


def places(rows: Iterable[Row]) -> Place:
    """Sort *rows* into a tree."""
    root = Place("")
    for row in rows:
        at = root
        for name in row.path.split("/"):
            at = at.below(name)
        at.row = row
    return root


def node_of(mount: Mount, row: Row, ids: tuple[int, ...] = ()) -> Node:
    """Make the file or link of *row*; *ids* are the numbers in its path."""
    if row.make is not None:
        return row.make(mount, row)
    if row.link is not None:
        return _link(row, ids)
    render = None
    if (row.render, row.render_at, row.render_in) != (None, None, None):
        render = _render(mount, row, ids)
    version = None if row.version is None else _bound(row.version, mount)
    options = {"size": row.size, "manners": row.manners}
    if row.kind == "text":
        assert render is not None
        node = TextFile(render, row.mode, version, **options)  # type: ignore[arg-type]
    else:
        node = ControlFile(
            render,
            mount.told(_path(row, ids), _store(row, ids)),
            row.mode,
            version,
            fresh_inode=row.holds,
            **options,  # type: ignore[arg-type]
        )
    if row.polls is not None:
        polls, number = row.polls, ids[-1] if ids else 0
        node.poll_key = lambda: polls(mount, number)
    if row.size is not None:
        # Nothing of what stat shows follows the model.
        node.attr_timeout = FOREVER
    return node


def _link(row: Row, ids: tuple[int, ...]) -> Link:
    assert row.link is not None
    node = Link(row.link(ids).encode())
    if row.ids is not None:
        node.entry_timeout = 0.0
    node.manners = row.manners
    return node


def _path(row: Row, ids: tuple[int, ...]) -> str:
    """The path of a file, its numbers filled in: for the kernel log."""
    numbers = iter(ids)
    names = []
    for name in row.path.split("/"):
        family = family_of(name)
        names.append(name if family is None else family.name(next(numbers)))
    return "/".join(names)


def _render(mount: Mount, row: Row, ids: tuple[int, ...]) -> Callable[[], bytes]:
    if row.render_at is not None:
        render_at, number = row.render_at, ids[-1]
        return lambda: render_at(mount, number).encode()
    if row.render_in is not None:
        render_in = row.render_in
        return lambda: render_in(mount, ids).encode()
    render = row.render
    assert render is not None
    return lambda: render(mount).encode()


def _store(row: Row, ids: tuple[int, ...]) -> Callable[..., Taken]:
    if row.store_in is not None:
        store_in = row.store_in
        return lambda mount, *args: store_in(mount, ids, *args)
    if row.store_at is None:
        assert row.store is not None
        return row.store
    store_at, number = row.store_at, ids[-1]
    return lambda mount, *args: store_at(mount, number, *args)


def _bound(version: Version, mount: Mount) -> Callable[[], object]:
    return lambda: version(mount)


class FamilyDir(Dir):
    """A directory of the tree."""

    def __init__(self, mount: Mount, place: Place, ids: tuple[int, ...]) -> None:
        top = place.path.partition("/")[0]
        super().__init__(mode=DIR_MODES.get(top, 0o755), manners=manners_of(place.path))
        self.dynamic = bool(place.families)
        self._mount = mount
        self._place = place
        self._ids = ids
        self._members: dict[bytes, Node] = {}
        for name, below in place.fixed.items():
            self.add(name.encode(), self._make(below, ids))
        if place.row is not None:
            # The name of a member of a family comes and goes.
            self.entry_timeout = 0.0
            self.attr_timeout = FOREVER if self.manners is SYSFS else 0.0

    def lookup(self, name: bytes) -> Node | None:
        found = super().lookup(name)
        if found is not None or not self.dynamic:
            return found
        parts = MEMBER.fullmatch(name.decode("latin-1"))
        if parts is None:
            return None
        family = self._place.families.get(Family(parts[1], parts[3]))
        if family is None or int(parts[2]) not in self._numbers(family):
            return None
        return self._member(name, family, int(parts[2]))

    def _numbers(self, family: Place) -> Iterable[int]:
        assert family.row is not None
        assert family.row.ids is not None
        return family.row.ids(self._mount, self._ids)

    def _member(self, name: bytes, family: Place, number: int) -> Node:
        node = self._members.get(name)
        if node is None:
            node = self._members[name] = self._make(family, (*self._ids, number))
        return node

    def _make(self, place: Place, ids: tuple[int, ...]) -> Node:
        if place.is_dir:
            return FamilyDir(self._mount, place, ids)
        assert place.row is not None
        return node_of(self._mount, place.row, ids)

    def entries(self) -> list[tuple[bytes, Node]]:
        found = super().entries()
        if not self.dynamic:
            return found
        for family, place in self._place.families.items():
            for number in self._numbers(place):
                name = family.name(number).encode()
                found.append((name, self._member(name, place, number)))
        return sorted(found, key=lambda entry: entry[0])


def build_tree(mount: Mount, rows: Iterable[Row]) -> Dir:
    """The whole generated tree of *mount*, and its volumes."""
    root = FamilyDir(mount, places(rows), ())
    for name, volume in mount.volumes.items():
        root.add(name.encode(), VolumeDir(volume))
    return root
