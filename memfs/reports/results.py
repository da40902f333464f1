"""What a report finds: purges, rows, effects of changes; and the same as JSON.

Plain records. All counts are pages; nothing here measures or prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from memfs.records import NamedTuple

MAX_PURGES = 20
WORSE = 1.5


class Purge(NamedTuple):
    """One purge of a zone; pages.

    Attributes:
        before, after: in use.
        scanned: looks at pages of the inactive list.
        freed: pages that went.
        refilled: looks at pages of the active list, of the whole machine.
    """

    before: int
    after: int
    scanned: int
    freed: int
    refilled: int = 0


@dataclass
class Row:
    """One row of a report: what was done, what every purge did, the verdict.

    Attributes:
        name: a word, for tests and JSON.
        title: what was done, for the table.
        means: "library" (a Machine driven directly) or "mount" (real programs).
        own: the row's own pages in the zone before its first purge.
        needed: how many of them there must be.
        purges: while the workload ran (and after, where it ends by itself).
        after_stop: purges after the workload was told to stop; None: it was not.
        why: why each page stays that stays, by reason.
        must_stay: pages have to stay while the workload runs.
        failures: what is wrong; empty: the row holds.
    """

    name: str
    title: str
    means: str
    needed: int
    own: int = 0
    purges: list[Purge] = field(default_factory=list)
    after_stop: list[Purge] | None = None
    why: dict[str, int] = field(default_factory=dict)
    must_stay: bool = False
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Pages in use after the last purge, the workload's end not waited for."""
        return self.purges[-1].after if self.purges else self.own

    @property
    def until_empty(self) -> int | None:
        """Purges until the zone was empty; None: it never was."""
        return len(self.purges) if self.purges and not self.left else None

    @property
    def cost(self) -> float | None:
        """Pages scanned per page freed over all purges; None: none was freed."""
        freed = sum(one.freed for one in self.purges)
        return sum(one.scanned for one in self.purges) / freed if freed else None

    @property
    def refills(self) -> float | None:
        """Looks at the active list per page freed; None: none was freed."""
        freed = sum(one.freed for one in self.purges)
        return sum(one.refilled for one in self.purges) / freed if freed else None

    @property
    def ok(self) -> bool:
        """Whether the row holds."""
        return not self.failures

    def as_json(self) -> dict[str, Any]:
        """The row for a program."""
        found = asdict(self)
        found["purges"] = [one._asdict() for one in self.purges]
        if self.after_stop is not None:
            found["after_stop"] = [one._asdict() for one in self.after_stop]
        found |= {
            "left": self.left,
            "purges_until_empty": self.until_empty,
            "scanned_per_freed": self.cost,
            "refilled_per_freed": self.refills,
            "ok": self.ok,
        }
        return found


class Worse(NamedTuple):
    """How much worse one row got in one measure."""

    row: str
    measure: str
    before: float
    after: float

    @property
    def factor(self) -> float:
        """After over before; infinite where pages stay that went before."""
        return self.after / self.before if self.before else float("inf")


@dataclass
class Effect:
    """What taking one change out of RULES did to the rows."""

    change: str
    what: str
    meant_for: tuple[str, ...]
    worse: list[Worse]
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def measurable(self) -> bool:
        """Whether any row got worse by WORSE or more."""
        return bool(self.worse)

    def as_json(self) -> dict[str, Any]:
        """The effect for a program; an infinite factor is null."""
        worse = [one._asdict() | {"factor": finite(one.factor)} for one in self.worse]
        return asdict(self) | {"worse": worse, "measurable": self.measurable}


def finite(number: float) -> float | None:
    """*number*, or None where JSON has no word for it."""
    return None if number == float("inf") else round(number, 3)


def compare(base: Row, changed: Row) -> list[Worse]:
    """Where *changed* is worse than *base* by WORSE or more, or keeps pages."""
    if base.must_stay:
        return []
    found: list[Worse] = []
    if base.until_empty is not None:
        if changed.until_empty is None:
            found.append(Worse(base.name, "pages that stay", 0, changed.left))
        elif changed.until_empty >= WORSE * base.until_empty:
            found.append(
                Worse(base.name, "purges", base.until_empty, changed.until_empty)
            )
    if base.cost and changed.cost and changed.cost >= WORSE * base.cost:
        found.append(
            Worse(base.name, "scanned per page freed", base.cost, changed.cost)
        )
    return found


@dataclass
class Report:
    """A whole report."""

    name: str
    zone: str
    rows: list[Row]
    effects: list[Effect]

    @property
    def ok(self) -> bool:
        """Whether every row and every change is as it must be."""
        return all(row.ok for row in self.rows) and not any(
            effect.failures for effect in self.effects
        )

    def as_json(self) -> Mapping[str, Any]:
        """The report for a program."""
        return {
            "report": self.name,
            "zone": self.zone,
            "rows": [row.as_json() for row in self.rows],
            "changes": [effect.as_json() for effect in self.effects],
            "ok": self.ok,
        }
