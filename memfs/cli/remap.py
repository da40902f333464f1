"""``memfs remap``: every page of a zone moves; who keeps those that do not."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field
from typing import Any

import click

from memfs.cli import keepers
from memfs.cli.common import (
    Zone,
    ZoneWord,
    json_option,
    mount_option,
    pages,
    print_json,
)
from memfs.cli.progress import in_use, progress_bar
from memfs.client import EXIT_REFUSED, ClientError, Mount, Operation, find_mount

EXAMPLES = """\
\b
Examples:
  echo disable 5 > mountpoint/memhotplug      no new pages, first of all
  memfs remap 5                               then what is there moves elsewhere
  memfs remap --to 2 5                        to node 2
  memfs remap --check 5                       moves nothing, says what would move
  memfs remap --nowait 5                      gives up at once what is in use

\b
What refuses is tried again for ten seconds; who keeps the rest is said, and the exit
status is 1. `memfs why Z` says it at any time.
"""


# Errors of a remap that has not looked at a page.
NEVER_BEGUN = ("EINVAL", "ENODEV")


@dataclass
class Outcome:
    """One remap: what moved, what is left, and who keeps it."""

    zid: int
    label: str
    moved: int = 0
    left: int = 0
    seconds: float = 0.0
    refused: str = ""
    why: dict[str, int] = field(default_factory=dict)
    keepers: list[keepers.Keeper] = field(default_factory=list)
    interrupted: bool = False

    def fill(self, last: Operation | None) -> None:
        """Take the figures of status."""
        if last is None:
            return
        self.moved = int(last.facts.get("moved", 0))
        self.left = int(last.facts.get("left", 0))
        self.seconds = int(last.facts.get("duration_ns", 0)) / 1e9
        self.why = dict(sorted(last.why.items(), key=lambda pair: (-pair[1], pair[0])))

    def as_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "zone": self.zid,
            "name": self.label,
            "moved": self.moved,
            "left": self.left,
            "seconds": self.seconds,
            "refused": self.refused or None,
            "why": self.why,
            "keepers": keepers.as_json(self.keepers),
            "interrupted": self.interrupted,
        }


def words(zone: int, to: int | None, mode: str) -> str:
    """The command of memhotplug."""
    target = "" if to is None else f" to {to}"
    return f"remap {zone}{target}{f' {mode}' if mode else ''}"


def run(mount: Mount, asked: str, outcome: Outcome) -> None:
    """Give the command, wait, and fill in `outcome`.

    Raises:
        ClientError: it was refused before a page moved.
    """
    name = asked.removesuffix(" nowait")
    before = mount.last(name)
    try:
        mount.command(asked)
    except ClientError as error:
        outcome.refused = str(error)
    except KeyboardInterrupt:
        outcome.interrupted = True
    last = mount.last(name)
    begun = last is not None and (before is None or last.number != before.number)
    if not begun or last is None or last.facts.get("result") in NEVER_BEGUN:
        if outcome.refused:
            raise ClientError(outcome.refused)
        return
    outcome.fill(last)
    if outcome.left:
        found = keepers.ask(mount, "zone", outcome.zid)
        outcome.keepers = [k for k in found if k.reason != "movable"] or found


def show(outcome: Outcome) -> None:
    """What moved, and the table of what stays."""
    rate = outcome.moved / outcome.seconds if outcome.seconds else 0
    click.echo(
        f"{outcome.label}: {pages(outcome.moved)} moved in {outcome.seconds:.3f} s"
        f" ({rate:,.0f} a second), {pages(outcome.left)} stay"
    )
    if outcome.keepers:
        keepers.show(outcome.keepers)


def check(mount: Mount, zone: int, to: int | None) -> dict[str, int]:
    """What would move (``moves``) and what would not, by reason.

    Raises:
        ClientError: the zone or the target is none.
    """
    asked = words(zone, to, "check")
    mount.command(asked)
    found: dict[str, int] = {}
    lines = mount.read("kmsg").splitlines()
    texts = [line.partition("] ")[2] for line in lines]
    start = max(i for i, text in enumerate(texts) if text.startswith(f"{asked}: "))
    found["moves"] = int(texts[start].removeprefix(f"{asked}: ").split()[0])
    for text in texts[start + 1 :]:
        number, _, reason = text.strip().partition(" would not: ")
        if not reason:
            break
        found[reason] = int(number)
    return found


@click.command("remap", epilog=EXAMPLES)
@mount_option
@json_option
@click.option("--to", type=click.IntRange(0), metavar="N", help="Move to node N.")
@click.option("--check", "only_check", is_flag=True, help="Move nothing.")
@click.option("--nowait", is_flag=True, help="Give up at once what is in use.")
@click.argument("zone", type=Zone())
@click.pass_context
def command(
    ctx: click.Context,
    mount: str | None,
    as_json: bool,
    to: int | None,
    only_check: bool,
    nowait: bool,
    zone: ZoneWord,
) -> None:
    """Move every page of ZONE elsewhere, and say who keeps those that stay."""
    where = find_mount(mount)
    line = where.zone(*zone)
    zid = line.zid
    if only_check:
        found = check(where, zid, to)
        if as_json:
            print_json(found)
        else:
            click.echo(f"{line.label}: {pages(found.pop('moves'))} would move")
            for reason, number in found.items():
                click.echo(f"  {number:,} would not: {reason}")
        return
    outcome = Outcome(zid, line.label)
    total = in_use(where, zid)
    bar: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if not as_json and sys.stdout.isatty():
        bar = progress_bar(where, zid, f"remap {line.label}", total)
    with bar:
        run(where, words(zid, to, "nowait" if nowait else ""), outcome)
    if as_json:
        print_json(outcome.as_json())
    else:
        show(outcome)
    if outcome.refused:
        click.echo(f"memfs: {outcome.refused}", err=True)
    if outcome.interrupted:
        raise KeyboardInterrupt
    ctx.exit(EXIT_REFUSED if outcome.refused else 0)
