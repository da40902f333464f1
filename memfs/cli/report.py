"""``memfs report``: runs a test report on machines of its own and prints it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import click

from memfs.cli.common import console, json_option, print_json
from memfs.client import EXIT_REFUSED
from memfs.reports import REPORTS

EXAMPLES = """\
\b
Examples:
  memfs report 2003               a table; takes about a minute
  memfs report 2003 --json        the same for a program
  memfs report 2003 --no-mount    leave the row with real programs out
  memfs report 2004               a few seconds

\b
Exit status 1: a row does not hold; the table says which and why.
"""


@click.command("report", epilog=EXAMPLES)
@json_option
@click.option(
    "--mount/--no-mount",
    default=True,
    help="Run the row that needs a real mount (default: yes).",
)
@click.argument("name", type=click.Choice(list(REPORTS)))
@click.pass_context
def command(ctx: click.Context, as_json: bool, mount: bool, name: str) -> None:
    """Run the report NAME on machines of its own.

    \b
    2003  releasing pages by kswapd: file cache, a mapped file, anonymous memory,
          a region rewritten without pause, tmpfs; pages before and after each
          purge, and why each page that stays stays. Then each of the five changes
          to vmscan.c is taken out, to see what it was for.
    2004  moving pages: for each kind what is written, which swap slots are taken,
          how many faults come afterwards, by today's ways and by those of 2004.
    """
    module = importlib.import_module(REPORTS[name][0])
    report = module.run(teller(as_json), mount)
    if as_json:
        print_json(report.as_json())
    else:
        module.show(report, console())
    ctx.exit(0 if report.ok else EXIT_REFUSED)


def teller(as_json: bool) -> Callable[[str], None]:
    """Says on stderr what runs; nothing when a program reads."""
    if as_json and not sys.stderr.isatty():
        return lambda text: None
    return lambda text: click.echo(f"report: {text} ...", err=True)
