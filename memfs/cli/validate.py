"""``memfs validate``: every invariant of a mounted machine, checked now."""

from __future__ import annotations

import click

from memfs.cli.common import FileName, json_option, mount_option, print_json
from memfs.client import EXIT_REFUSED, find_mount

EXAMPLES = """\
\b
Examples:
  memfs validate mountpoint            exit status 0: nothing is wrong
  memfs validate --json mountpoint     {"mount": ..., "violations": [...]}
"""


@click.command("validate", epilog=EXAMPLES)
@mount_option
@json_option
@click.argument("mountpoint", type=FileName(), required=False)
@click.pass_context
def command(
    ctx: click.Context, mount: str | None, as_json: bool, mountpoint: str | None
) -> None:
    """Check every invariant of the machine on MOUNTPOINT.

    Walks all pages, lists, trees and counters. Prints one line per violation and
    exits with 1 when there is one.
    """
    if mount is not None and mountpoint is not None:
        raise click.UsageError("MOUNTPOINT and --mount: one of them.")
    where = find_mount(mount or mountpoint)
    violations = where.violations()
    if as_json:
        print_json({"mount": str(where.path), "violations": violations})
    else:
        for line in violations:
            click.echo(line)
        if not violations:
            click.echo(f"{where.path}: every invariant holds")
    ctx.exit(EXIT_REFUSED if violations else 0)
