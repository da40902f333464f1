"""``memfs purge``: ``purge Z`` until nothing more goes, and why the rest stays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from memfs.cli.common import (
    Zone,
    ZoneWord,
    console,
    json_option,
    mount_option,
    pages,
    plain_table,
    print_json,
)
from memfs.cli.progress import in_use, progress_bar
from memfs.client import EXIT_REFUSED, Mount, find_mount
from memfs.records import NamedTuple

EXAMPLES = """\
\b
Examples:
  echo disable 5 > mountpoint/memhotplug      no new pages, first of all
  memfs purge 5                               then what is there goes
  memfs purge --json 5                        for a program
  memfs purge --empty 5 && echo unplug 1 > mountpoint/memhotplug

\b
A purge writes dirty pages out and frees them at the next one, so the command is
repeated until two of them in a row have freed nothing. Of a zone that is enabled
only as much is freed as its high watermark asks for.
"""

# Writing out frees nothing by itself: the pages go at the purge after. So one
# purge without a freed page says little, and two in a row say that it is over.
IDLE_PURGES = 2

# What the reasons of status mean. The names are those of the model.
MEANINGS = {
    "locked": "locked for I/O",
    "writeback": "being written to its disk",
    "dirty": "dirty: written out, or dirtied again before that was done",
    "referenced": "used since it was last looked at",
    "active": "on the active list, not looked at",
    "inactive": "on the inactive list, not looked at",
    "mapped": "mapped by a process",
    "mlocked": "locked in memory by a process",
    "no_swap": "anonymous, and there is no swap space left",
    "pinned": "somebody holds a reference",
    "buffers": "its buffers could not be released",
    "no_writepage": "nowhere to be written to",
    "io_error": "writing it failed",
    "congested": "its disk's queue was full",
    "kernel": "the kernel's own memory",
    "pagevec": "on its way to a list",
    "pcp": "on a per-CPU list",
    "held": "held by an operation",
    "hwpoison": "broken",
}


class Round(NamedTuple):
    """One purge: pages in use before and after it."""

    before: int
    after: int


@dataclass
class Outcome:
    """Every purge of one zone, and what stays.

    Attributes:
        before: pages in use at the start.
        rounds: the purges that came to their end.
        left: pages in use at the end; of one that was interrupted, too.
    """

    zid: int
    name: str
    present: int
    before: int = 0
    left: int = 0
    rounds: list[Round] = field(default_factory=list)
    why: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def freed(self) -> int:
        """Pages that went; never negative, though an open zone may fill again."""
        return max(0, self.before - self.left)

    def as_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "zone": self.zid,
            "name": self.name,
            "present": self.present,
            "purges": len(self.rounds),
            "freed": self.freed,
            "left": self.left,
            "rounds": [one._asdict() for one in self.rounds],
            "why": self.why,
            "interrupted": self.interrupted,
        }


def purge_until_idle(
    mount: Mount, zid: int, outcome: Outcome, tell: Callable[[Round], None]
) -> None:
    """Purge the zone until it is empty or nothing more goes; fill in *outcome*.

    A zone that is enabled fills while it is purged, so what counts as progress is
    that fewer pages are in use than ever since the start.
    """
    idle = 0
    fewest = outcome.left
    while outcome.left and idle < IDLE_PURGES:
        before = outcome.left
        try:
            mount.command(f"purge {zid}")
        finally:
            outcome.left = in_use(mount, zid)
        outcome.rounds.append(Round(before, outcome.left))
        tell(outcome.rounds[-1])
        idle = 0 if outcome.left < fewest else idle + 1
        fewest = min(fewest, outcome.left)


def reasons(mount: Mount, zid: int) -> dict[str, int]:
    """Why the pages that stay stay, most first, as status tells it."""
    last = mount.last(f"purge {zid}")
    why = last.why if last else {}
    return dict(sorted(why.items(), key=lambda pair: (-pair[1], pair[0])))


@contextmanager
def on_terminal(
    mount: Mount, zid: int, label: str, total: int
) -> Iterator[Callable[[Round], None]]:
    """A bar that moves while a purge runs."""
    with progress_bar(mount, zid, f"purge {label}", total) as show:
        yield lambda one: show(one.after)


@contextmanager
def plain_lines(label: str) -> Iterator[Callable[[Round], None]]:
    """A line per purge, for logs and pipes."""

    def tell(one: Round) -> None:
        click.echo(f"purge {label}: {one.before} -> {one.after} pages in use")

    yield tell


@contextmanager
def silence() -> Iterator[Callable[[Round], None]]:
    """Nothing, for --json."""
    yield lambda one: None


def show_outcome(outcome: Outcome) -> None:
    """What went, and the table of what stays."""
    label = f"{outcome.name}[{outcome.zid}]"
    count = len(outcome.rounds)
    click.echo(
        f"{label}: {pages(outcome.freed)} freed by {count} "
        f"{'purge' if count == 1 else 'purges'}, {pages(outcome.left)} stay"
    )
    if not outcome.left or not outcome.why:
        return
    table = plain_table("why", "pages", "meaning")
    table.columns[2].justify = "left"
    for reason, number in outcome.why.items():
        table.add_row(reason, f"{number:,}", MEANINGS.get(reason, ""))
    console().print(table)


@click.command("purge", epilog=EXAMPLES)
@mount_option
@json_option
@click.option("--empty", is_flag=True, help="Exit with 1 unless the zone is empty.")
@click.argument("zone", type=Zone())
@click.pass_context
def command(
    ctx: click.Context, mount: str | None, as_json: bool, empty: bool, zone: ZoneWord
) -> None:
    """Purge ZONE until nothing more goes, and say why the rest stays."""
    where = find_mount(mount)
    line = where.zone(*zone)
    zid = line.zid
    used = line.present - line.free
    outcome = Outcome(zid, line.name, line.present, used, used)
    if as_json:
        reporting = silence()
    elif sys.stdout.isatty():
        reporting = on_terminal(where, zid, line.label, used)
    else:
        reporting = plain_lines(line.label)
    try:
        with reporting as tell:
            purge_until_idle(where, zid, outcome, tell)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.why = reasons(where, zid) if outcome.left else {}
    if as_json:
        print_json(outcome.as_json())
    else:
        show_outcome(outcome)
    if outcome.interrupted:
        raise KeyboardInterrupt
    ctx.exit(EXIT_REFUSED if empty and outcome.left else 0)
