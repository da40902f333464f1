"""Who keeps memory from going, as ``control/why`` tells it, and the table of it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass

import click

from memfs.cli.common import console, plain_table
from memfs.client import ClientError, Mount, parse_pairs

NS_PER_S = 1_000_000_000
TRIES = 5  # another one's question may come in between


@dataclass(frozen=True)
class Keeper:
    """A group of pages: how many, why they stay, whose they are, what frees them.

    Attributes:
        since: ns since boot; None where it is not known.
        first: the first of them, a pfn.
    """

    pages: int
    reason: str
    kind: str
    holder: str
    since: int | None
    first: int
    frees: str


def ask(mount: Mount, what: str, number: int) -> list[Keeper]:
    """Who keeps a zone, a node or a memory block; most pages first.

    Raises:
        ClientError: there is no such thing.
    """
    for _ in range(TRIES):
        mount.set_control("why", f"{what}={number}")
        head, *lines = mount.read("control/why").splitlines()
        if head.split()[0] == f"{what}={number}":
            return [_parse(line) for line in lines]
    raise ClientError(f"control/why: somebody else asks all the time ({what} {number})")


def _parse(line: str) -> Keeper:
    facts = parse_pairs("\n".join(shlex.split(line)))
    return Keeper(
        int(facts["pages"]),
        facts["reason"],
        facts["kind"],
        "" if facts["holder"] == "-" else facts["holder"],
        None if facts["since"] == "-" else int(facts["since"]),
        int(facts["first"]),
        "" if facts["frees"] == "-" else facts["frees"],
    )


def as_json(keepers: list[Keeper]) -> list[dict[str, object]]:
    """The same for a program."""
    return [asdict(keeper) for keeper in keepers]


def show(keepers: list[Keeper], most: int = 20) -> None:
    """The table, its first `most` lines."""
    table = plain_table("pages", "why", "kind", "whose", "since", "what frees them")
    for column in table.columns:
        column.justify = "left"
    table.columns[0].justify = table.columns[4].justify = "right"
    for k in keepers[:most]:
        since = "" if k.since is None else f"{k.since / NS_PER_S:.3f} s"
        table.add_row(f"{k.pages:,}", k.reason, k.kind, k.holder, since, k.frees)
    console().print(table)
    if len(keepers) > most:
        rest = sum(k.pages for k in keepers[most:])
        click.echo(f"and {rest:,} pages of {len(keepers) - most} more groups")
