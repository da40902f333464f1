"""Who has the pages of a zone: keeper.c."""

from __future__ import annotations

from typing import Any

from memfs.records import NamedTuple
from memfs.vm._ffi.lib import NO_ID, Handle, check, ffi, lib
from memfs.vm._ffi.records import REASON_NAMES


class KeeperGroup(NamedTuple):
    """Pages of one reason, kind and holder, by the core's numbers."""

    why: str
    kind: int
    mapping: int | None
    mm: int | None
    holder: int | None
    since: int
    pages: int
    first: int


def _number(value: int) -> int | None:
    return None if value == NO_ID else value


class Keepers:
    """A walk over pages `first` to `end` of a zone."""

    def __init__(self, core: Handle, zid: int, first: int, end: int) -> None:
        self._core = core
        self._zid = zid
        self._keepers = ffi.new("struct vm_keepers *")
        self._keepers.zid = zid
        self._keepers.pfn = first
        self._keepers.end = end

    def step(self, budget: int) -> int:
        """A step. Returns: return code."""
        rc = lib.vm_keepers(self._core.vm, self._keepers, budget)
        return check(rc, f"there is no zone {self._zid}")

    @property
    def others(self) -> int:
        """Pages of more groups than could be told apart."""
        return int(self._keepers.others)

    def groups(self) -> list[KeeperGroup]:
        """What was found."""
        found = [_group(self._keepers.group[i]) for i in range(self._keepers.nr)]
        if self.others:
            found.append(
                KeeperGroup("none", 0, None, None, None, 0, self.others, NO_ID)
            )
        return found


def _group(k: Any) -> KeeperGroup:
    return KeeperGroup(
        REASON_NAMES[k.why],
        k.kind,
        _number(k.mapping),
        _number(k.mm),
        _number(k.holder),
        k.since,
        k.pages,
        k.first_pfn,
    )
