"""The remaps of 2004 and today's, side by side: what each kind of page costs.

One TABLE of kinds. Each is made twice on a machine `2004`, in zone 6, which is then
closed and remapped: once with the ways of 2004 (dirty pages are written first,
anonymous ones take a swap slot, page tables are left to the faults), once as it was
meant to be. Counted are pages written, swap slots taken, and the faults of a touch
afterwards.

Source: Iwamoto, LKML 2004-04-06, known issues; Tosatti, LKML 2004-10-02, points 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from memfs.records import NamedTuple
from memfs.reports.rig import CHUNK, PAGE, Rig
from memfs.vm import VmError, ZoneItem

if TYPE_CHECKING:
    from rich.console import Console

MACHINE = "2004"
ZID = 6
OTHER = 5
PAGES = 2048
NBYTES = PAGES * PAGE

TODAY = {"dirty": "carry", "anon": "direct", "maps": "restore"}
OLD = {"dirty": "writeout", "anon": "swapslot", "maps": "lazy"}


class Made(NamedTuple):
    """What a kind's setup has made, and how to touch it afterwards.

    Attributes:
        dirty: pages that are dirty, by their flag or a page table.
        anon: anonymous pages without a swap slot.
        mapped: pages of the touch that a page table had and a fault can find again.
        touch: touches every page through the page tables; None: nobody maps them.
    """

    dirty: int = 0
    anon: int = 0
    mapped: int = 0
    touch: Callable[[], object] | None = None


class Kind(NamedTuple):
    """A row: a word, what was made, and how."""

    name: str
    title: str
    make: Callable[[Rig], Made]


@dataclass
class Cost:
    """One remap of a kind: pages, and ns of virtual time.

    Attributes:
        faults: of the touch afterwards.
    """

    moved: int = 0
    left: int = 0
    written: int = 0
    slots: int = 0
    faults: int = 0
    ns: int = 0


@dataclass
class Row:
    """A kind under both ways, and what is wrong."""

    name: str
    title: str
    made: Made
    today: Cost
    old: Cost
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The row for a program."""
        return {
            "name": self.name,
            "title": self.title,
            "dirty": self.made.dirty,
            "anon": self.made.anon,
            "mapped": self.made.mapped,
            "today": asdict(self.today),
            "2004": asdict(self.old),
            "failures": self.failures,
        }


@dataclass
class Report:
    """The whole report."""

    rows: list[Row]

    @property
    def ok(self) -> bool:
        """Whether every sign is right."""
        return not any(row.failures for row in self.rows)

    def as_json(self) -> Mapping[str, Any]:
        """The report for a program."""
        return {
            "report": "2004",
            "ways": {"today": TODAY, "2004": OLD},
            "rows": [row.as_json() for row in self.rows],
            "ok": self.ok,
        }


# -- the kinds -----------------------------------------------------------------------


def written_file(rig: Rig, kind: str = "file") -> Any:
    """A file whose pages are in memory, dirty."""
    file = rig.shm("pages") if kind == "shm" else rig.file("pages", 0)
    for offset in range(0, NBYTES, CHUNK):
        rig.run(file.write(offset, bytes(min(CHUNK, NBYTES - offset))), "write")
    return file


def clean_file(rig: Rig) -> Made:
    """Read, and not written."""
    rig.run(written_file(rig).fsync(), "fsync")
    return Made()


def dirty_file(rig: Rig) -> Made:
    """Written, and not yet on the disk."""
    written_file(rig)
    return Made(dirty=PAGES)


def map_file(rig: Rig, file: Any, write: bool, shared: bool = True) -> Made:
    """Mapped by a task, every page touched once."""
    task = rig.machine.tasks.create("mapper", 1000)
    area = task.mmap_file(file, NBYTES, shared=shared, write=write)
    rig.run(task.touch(area, write=write, passes=1), "touch")
    return Made(
        dirty=PAGES if write and file.kind == "file" else 0,
        mapped=PAGES,
        touch=lambda: rig.run(task.touch(area, write=False, passes=1), "touch"),
    )


def mapped_clean(rig: Rig) -> Made:
    """A clean file, mapped shared and read."""
    file = written_file(rig)
    rig.run(file.fsync(), "fsync")
    return map_file(rig, file, False)


def mapped_dirty(rig: Rig) -> Made:
    """A file that is written through its mapping: dirty in the page tables only."""
    file = written_file(rig)
    rig.run(file.fsync(), "fsync")
    return map_file(rig, file, True)


def mapped_private(rig: Rig) -> Made:
    """A clean file, mapped private and read."""
    file = written_file(rig)
    rig.run(file.fsync(), "fsync")
    return map_file(rig, file, False, shared=False)


def tmpfs(rig: Rig) -> Made:
    """A file of tmpfs."""
    written_file(rig, "shm")
    return Made()


def tmpfs_mapped(rig: Rig) -> Made:
    """The same, mapped."""
    return map_file(rig, written_file(rig, "shm"), True)


def memory(rig: Rig, lock: bool = False) -> tuple[Any, int]:
    """A task with anonymous memory."""
    task = rig.machine.tasks.create("hog", 1000)
    area = task.mmap_anon(NBYTES, lock=lock)
    rig.run(task.touch(area, passes=1), "touch")
    return task, area


def toucher(rig: Rig, task: Any, area: int) -> Callable[[], object]:
    """Reads all of an area once."""
    return lambda: rig.run(task.touch(area, write=False, passes=1), "touch")


def anonymous(rig: Rig) -> Made:
    """malloc() and a touch."""
    task, area = memory(rig)
    return Made(anon=PAGES, mapped=PAGES, touch=toucher(rig, task, area))


def copy_on_write(rig: Rig) -> Made:
    """The same after fork(): two tasks, one page each."""
    task, area = memory(rig)
    child = rig.run(task.fork(1001), "fork")

    def touch() -> None:
        for one in (task, child):
            rig.run(one.touch(area, write=False, passes=1), "touch")

    return Made(anon=PAGES, mapped=2 * PAGES, touch=touch)


def mlocked(rig: Rig) -> Made:
    """Locked in memory: filled in again in 2004 as well."""
    task, area = memory(rig, lock=True)
    return Made(anon=PAGES, mapped=0, touch=toucher(rig, task, area))


def swap_cache(rig: Rig) -> Made:
    """Swapped out and in again: it has its slot."""
    task, area = memory(rig)
    machine = rig.machine
    rig.disable()
    rig.purge_until_empty()
    rig.run(machine.enable_zone(ZID), "enable")
    toucher(rig, task, area)()
    there = machine.zone_stat(ZID).item[ZoneItem.NR_SWAPCACHE]
    return Made(mapped=there, touch=toucher(rig, task, area))


KINDS = (
    Kind("clean file", "read, not written", clean_file),
    Kind("dirty file", "written, not yet on the disk", dirty_file),
    Kind("mapped, clean", "mapped shared, read", mapped_clean),
    Kind("mapped, dirty", "written through the mapping", mapped_dirty),
    Kind("mapped, private", "mapped private, read", mapped_private),
    Kind("tmpfs", "a file of tmpfs", tmpfs),
    Kind("tmpfs, mapped", "the same, mapped and written", tmpfs_mapped),
    Kind("anonymous", "malloc and a touch", anonymous),
    Kind("copy on write", "shared with a child after fork", copy_on_write),
    Kind("mlocked", "locked in memory", mlocked),
    Kind("swap cache", "swapped out and in again", swap_cache),
)


# -- measuring -----------------------------------------------------------------------


def measure(kind: Kind, ways: Mapping[str, str]) -> tuple[Made, Cost]:
    """Make the pages, remap their zone, touch them."""
    with Rig(MACHINE, ZID) as rig:
        machine = rig.machine
        rig.run(machine.disable_zone(OTHER), "disable")
        made = kind.make(rig)
        rig.run(machine.enable_zone(OTHER), "enable")
        rig.disable()
        machine.set_ways(**ways)
        before, slots = machine.events(), machine.snapshot().swap.used
        start, cost = machine.now, Cost()
        try:
            result = rig.run(machine.remap(ZID), "remap")
            cost.moved, cost.left = result.moved, result.left
        except VmError:
            cost.moved, cost.left = machine.last_ops[-1].moved, rig.used
        cost.ns = machine.now - start
        events = machine.events()
        cost.written = (events["pgpgout"] - before["pgpgout"]) // (PAGE // 1024)
        cost.slots = machine.snapshot().swap.used - slots
        if made.touch is not None:
            faults = machine.events()["pgfault"]
            made.touch()
            cost.faults = machine.events()["pgfault"] - faults
        return made, cost


def judge(row: Row) -> None:
    """Fill in which signs are wrong."""
    made, today, old = row.made, row.today, row.old
    checks = (
        (not today.left, f"today {today.left} pages stay"),
        (not old.left, f"in 2004 {old.left} pages stay"),
        (not today.written, f"carry writes {today.written} pages"),
        (
            old.written >= made.dirty,
            f"writeout writes {old.written} of {made.dirty} dirty pages",
        ),
        (not today.slots, f"direct takes {today.slots} slots"),
        (
            old.slots == made.anon,
            f"swapslot takes {old.slots} slots for {made.anon} anonymous pages",
        ),
        (not today.faults, f"{today.faults} faults after restore"),
        (
            old.faults == made.mapped,
            f"{old.faults} faults after lazy, {made.mapped} pages were touched",
        ),
    )
    row.failures += [text for good, text in checks if not good]


def run(tell: Callable[[str], None], mount: bool = True) -> Report:
    """Run the whole report; `mount` changes nothing, no row needs one."""
    rows = []
    for kind in KINDS:
        tell(kind.name)
        made, today = measure(kind, TODAY)
        _, old = measure(kind, OLD)
        row = Row(kind.name, kind.title, made, today, old)
        judge(row)
        rows.append(row)
    return Report(rows)


def show(report: Report, console: Console) -> None:
    """Print the comparison; today's way first."""
    from rich.table import Table

    title = f"Remap of {PAGES:,} pages of each kind: today's ways > those of 2004"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    for name in ("moved", "written", "swap slots", "faults after", "ms"):
        table.add_column(name, justify="right")
    table.add_column("what")
    for row in report.rows:
        pairs = (
            (row.today.moved, row.old.moved),
            (row.today.written, row.old.written),
            (row.today.slots, row.old.slots),
            (row.today.faults, row.old.faults),
            (row.today.ns // 10**6, row.old.ns // 10**6),
        )
        cells = [f"{today:,} > {old:,}" for today, old in pairs]
        table.add_row(row.name, *cells, row.title)
    console.print(table)
    console.print()
    for row in report.rows:
        for text in row.failures:
            console.print(f"{row.name}: FAILED: {text}", soft_wrap=True)
    verdict = "every sign is right" if report.ok else "FAILED"
    console.print(f"report 2004: {verdict}")
