"""``memfs why``: who keeps a zone, a node or a memory block from going."""

from __future__ import annotations

import re
from typing import Any

import click

from memfs.cli import complete, keepers
from memfs.cli.common import json_option, mount_option, pages, print_json
from memfs.client import find_mount

EXAMPLES = """\
\b
Examples:
  memfs why 5              zone 5, as Normal[5], or as zone5
  memfs why node1          every zone of node 1
  memfs why memory12       a memory block
  memfs why --stay 5       only what would not move

\b
A line stands for pages of one reason, one kind and one holder. `movable` are those
that a remap moves; of the others the last column says what has to happen first.
"""

WHAT_RE = re.compile(r"(zone|node|memory|\w+\[)?(\d+)\]?")


class Target(click.ParamType[tuple[str, int]]):
    """``5``, ``Normal[5]``, ``zone5``, ``node1`` or ``memory12``."""

    name = "target"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        found = WHAT_RE.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is none of 5, node1, memory12", param, ctx)
        kind = found[1] if found[1] in ("node", "memory") else "zone"
        return kind, int(found[2])

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[Any]:
        return complete.targets(ctx, param, incomplete)


@click.command("why", epilog=EXAMPLES)
@mount_option
@json_option
@click.option("--stay", is_flag=True, help="Leave out the pages that can move.")
@click.option("--all", "all_", is_flag=True, help="Every group, not the first 20.")
@click.argument("target", metavar="Z|nodeN|memoryN", type=Target())
def command(
    mount: str | None, as_json: bool, stay: bool, all_: bool, target: tuple[str, int]
) -> None:
    """Say which pages keep a zone, a node or a memory block from going, and whose."""
    found = keepers.ask(find_mount(mount), *target)
    if stay:
        found = [k for k in found if k.reason != "movable"]
    if as_json:
        print_json(keepers.as_json(found))
        return
    name = f"{target[0]} {target[1]}"
    total = sum(k.pages for k in found)
    fixed = sum(k.pages for k in found if k.reason != "movable")
    click.echo(f"{name}: {pages(total)} in use, {fixed:,} of them cannot move now")
    if found:
        keepers.show(found, len(found) if all_ else 20)
