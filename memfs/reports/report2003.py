"""The test report of 2003, run for real: releasing the pages of zone 5 by kswapd.

One TABLE of rows and one of changes. Each row boots a machine `2003`, fills node 0
with a ballast file, makes its own pages, which therefore land in zone 5, disables
zone 5 and purges it, as often as needed. Then each of the five changes that the
report made to vmscan.c is taken out of RULES, and the rows are run again.

Source: "Memory hotplug prototype test report" and "Modification to the swap out
code", Nov/Dec 2003.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from memfs.records import NamedTuple
from memfs.reports import realmount
from memfs.reports.child import in_children
from memfs.reports.results import MAX_PURGES, Effect, Report, Row, compare
from memfs.reports.rig import CHUNK, Rig
from memfs.vm.rules import RULES
from memfs.vm.sched import Until

if TYPE_CHECKING:
    from rich.console import Console

MACHINE = "2003"
ZID = 5
GIB = 1 << 30
MIB = 1 << 20
MANY = 100_000
# A row takes up to 4 GiB of the host's memory.
MAX_WORKERS = 2
REGION = 200

# A process copies a piece in that time (chosen here): 1 MiB is rewritten in half a
# millisecond, well before a write of 1 ms to the disk has ended.
PIECE = 64 << 10
COPY_NS = 32_000


class Case(NamedTuple):
    """One row: its work, and how it is judged.

    Attributes:
        work: makes the row's pages; what goes on after that it starts in the rig.
        stops: the work is stopped after the purges, and the zone purged again.
    """

    name: str
    title: str
    needed: int
    work: Callable[[Rig], None]
    must_stay: bool = False


def file_cache(rig: Rig) -> None:
    """Read a file of 1 GiB from end to end, as cksum does."""
    rig.read_through(rig.file("1gb_size_file", GIB), lambda: False)


def mapped_file(rig: Rig) -> None:
    """Map a file of 1 GiB; read it all the time, and write to it all the time."""
    task = rig.machine.tasks.create("mmap_test", 1000)
    area = task.mmap_file(rig.file("mapped", GIB), GIB, shared=True, write=True)
    rig.run(task.touch(area, write=False, order="sequential", passes=1), "first read")
    rig.start(task.touch(area, write=False, order="sequential", passes=None), "read")
    rig.start(task.touch(area, write=True, order="random", passes=None), "write")


def anonymous(rig: Rig) -> None:
    """Touch 1 GiB of anonymous memory again and again."""
    task = rig.machine.tasks.create("some_memory_hog", 1000)
    area = task.mmap_anon(GIB)
    rig.run(task.touch(area, write=True, order="sequential", passes=1), "first touch")
    rig.start(task.touch(area, write=True, order="sequential", passes=None), "touch")


def rewritten_region(rig: Rig) -> None:
    """Write over a region of 1 MiB of a file without pause."""
    region = rig.file("region", MIB)
    data = bytes(PIECE)

    def rewrite() -> Generator[Any, None, None]:
        while True:
            for offset in range(0, MIB, PIECE):
                yield from region.write(offset, data, 1000)
                yield Until(rig.machine.now + COPY_NS)

    rig.start(rewrite(), "rewrite")
    rig.pause()


def tmpfs(rig: Rig) -> None:
    """Write 1 GiB into a file of tmpfs, and leave it there."""
    page_file = rig.shm("tmpfs")
    data = bytes(CHUNK)
    for offset in range(0, GIB, CHUNK):
        rig.run(page_file.write(offset, data, 1000), "write")


CASES = (
    Case("file cache", "a file of 1 GiB read once", MANY, file_cache),
    Case(
        "mapped file",
        "a file of 1 GiB mapped, read and written all the time",
        MANY,
        mapped_file,
    ),
    Case(
        "anonymous",
        "1 GiB of anonymous memory touched all the time",
        MANY,
        anonymous,
    ),
    Case(
        "1 MiB region",
        "1 MiB of a file written over without pause",
        REGION,
        rewritten_region,
        must_stay=True,
    ),
    Case("tmpfs", "1 GiB in a file of tmpfs", MANY, tmpfs),
)
BY_NAME = {case.name: case for case in CASES}


class Change(NamedTuple):
    """One of the five changes: its row of RULES and the rows that it was made for.

    ``if_none`` is why nothing gets measurably worse without it, if nothing does.
    """

    rule: str
    meant_for: tuple[str, ...]
    if_none: str


CHANGES = (
    Change("shrink_unref", ("mapped file", "anonymous"), ""),
    Change("refill_whole_active", ("anonymous",), ""),
    Change("force_reclaim_mapped", ("anonymous",), ""),
    Change("refill_unref", ("anonymous",), ""),
    Change(
        "refill_counter_boost",
        ("anonymous",),
        "kswapd wants all pages of a closed zone at once, so that nr_pages * "
        "nr_active / nr_inactive alone takes refill_counter above 32 at the first "
        "priority",
    ),
)


def prepare(case: Case, rig: Rig) -> int:
    """Bring a machine to where its zone can be purged; the row's own pages."""
    rig.ballast()
    case.work(rig)
    own = rig.own
    rig.disable()
    return own


def purge(case: Case, rig: Rig, own: int, without: Sequence[str]) -> Row:
    """Purge a prepared machine, the rules *without* taken out, and judge."""
    row = Row(case.name, case.title, "library", case.needed, own=own)
    row.must_stay = case.must_stay
    rig.without(*without)
    row.purges = rig.purge_until_empty()
    row.why = rig.why()
    if case.must_stay:
        rig.stop()
        rig.pause()
        row.after_stop = rig.purge_until_empty()
    judge(row)
    return row


def run_case(case: Case, variants: Sequence[Sequence[str]] = ((),)) -> list[Row]:
    """Run one row: prepare a machine once, purge it once per variant.

    Args:
        case: the row.
        variants: each the rules that are taken out for it.
    """
    with Rig(MACHINE, ZID) as rig:
        own = prepare(case, rig)
        return list(in_children(lambda one: purge(case, rig, own, one), variants, 1))


def judge(row: Row) -> None:
    """Fill in what is wrong with a row, if anything is."""
    if row.own < row.needed:
        row.failures.append(
            f"{row.own} pages of its own in zone {ZID}, {row.needed} are needed"
        )
    if row.must_stay:
        judge_region(row)
    elif row.left:
        row.failures.append(f"{row.left} pages stay after {len(row.purges)} purges")


def judge_region(row: Row) -> None:
    """The region must stay because it is dirty again, and go with its writer."""
    after = row.after_stop or []
    if not row.left:
        row.failures.append("every page went while the writer was at work")
    redirtied = row.why.get("dirty", 0) + row.why.get("writeback", 0)
    if row.left and redirtied < row.left:
        row.failures.append(
            f"{redirtied} of {row.left} pages stay because they are dirty again or "
            f"still being written"
        )
    if not after or after[-1].after:
        row.failures.append("pages stay though the writer has stopped")


def effect_of(change: Change, base: Sequence[Row], changed: Sequence[Row]) -> Effect:
    """What taking one change out has done, row by row."""
    pairs = list(zip(base, changed, strict=True))
    worse = [one for before, after in pairs for one in compare(before, after)]
    effect = Effect(change.rule, RULES[change.rule].what, change.meant_for, worse)
    missed = not any(one.row in change.meant_for for one in worse)
    if missed and not change.if_none:
        effect.failures.append("no row that it was for got worse, and none knows why")
    if not worse:
        effect.reason = change.if_none
        effect.notes = [note(before, after) for before, after in pairs]
    return effect


def note(before: Row, after: Row) -> str:
    """The figures of one row with and without a change, in one line."""
    return (
        f"{before.name}: scanned/freed {before.cost or 0:.2f}, {after.cost or 0:.2f}; "
        f"refilled/freed {before.refills or 0:.2f}, {after.refills or 0:.2f}"
    )


def run(
    tell: Callable[[str], None],
    mount: bool = True,
    changes: Sequence[Change] = CHANGES,
) -> Report:
    """Run the whole report.

    Args:
        tell: called with a few words before each step.
        mount: run the row with real programs on a real mount, too.
        changes: what is taken out, one at a time.
    """
    variants = [(), *((change.rule,) for change in changes)]
    tell(f"{len(CASES)} rows, each with {len(changes)} changes taken out in turn")
    workers = min(MAX_WORKERS, os.cpu_count() or 1)
    results = []
    for rows in in_children(lambda case: run_case(case, variants), CASES, workers):
        tell(rows[0].name)
        results.append(rows)
    base, *changed = ([rows[i] for rows in results] for i in range(len(variants)))
    effects = [
        effect_of(change, base, rows)
        for change, rows in zip(changes, changed, strict=True)
    ]
    rows = list(base)
    if mount:
        tell("cksum on a real mount")
        rows.insert(0, realmount.run(MACHINE, ZID, MANY, MAX_PURGES))
    return Report("2003", f"HighMem[{ZID}]", rows, effects)


def show(report: Report, console: Console) -> None:
    """Print the report."""
    from memfs.reports.table import print_report

    print_report(report, console)
