"""``memfs doctor``: what this computer lacks for memfs, and the remedy."""

from __future__ import annotations

import click

from memfs.cli.common import json_option

EXAMPLES = """\
\b
Examples:
  memfs doctor             one line per thing that memfs needs
  memfs doctor --json      the same for a program
  memfs doctor || exit     exit status 1 when something is missing
"""


@click.command("doctor", epilog=EXAMPLES)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Say what this computer lacks for memfs, each with its remedy.

    Looks for the system packages, /dev/fuse and the right to use it, fusermount3,
    user_allow_other for ordinary users, and for what the project builds.
    """
    from memfs import doctor

    text, status = doctor.report(as_json)
    click.echo(text)
    ctx.exit(status)
