"""The command line: ``scripts/bench``, or ``python -m benchlib``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from benchlib import report
from benchlib.rounds import measure
from benchlib.row import Options, Row, Verdict
from benchlib.table import ROWS

ROUNDS = 6
QUICK_ROUNDS = 2
WIDTH = 160  # where the output is no terminal


def _chosen(names: str | None) -> list[Row]:
    # Raises BadParameter for a row that there is not.
    if names is None:
        return list(ROWS)
    known = {row.name: row for row in ROWS}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise click.BadParameter(
                f"there is no row {name!r}; there are {', '.join(known)}"
            )
    return [known[name] for name in wanted]


@click.command()
@click.option("--rows", "names", metavar="NAME,...", help="Only these rows.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds a row; default 6.")
@click.option("--quick", is_flag=True, help="Small sizes: shows that it works.")
@click.option(
    "--instructions/--no-instructions",
    default=True,
    help="Count instructions of user space (perf, else cachegrind).",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every round to this file as well.",
)
@click.option("--list", "only_list", is_flag=True, help="Show the rows and leave.")
def main(
    names: str | None,
    rounds: int | None,
    quick: bool,
    instructions: bool,
    json_file: Path | None,
    only_list: bool,
) -> None:
    """Measure memfs beside its anchors, in turns, and print a table.

    Ends with status 1 when a row that was measured stays below its gate. What
    --quick measures is judged by nobody.
    """
    rows = _chosen(names)
    if only_list:
        for row in rows:
            click.echo(f"{row.name:12} {row.what}")
        return
    nr = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    options = Options(quick=quick, instructions=instructions)
    results = []
    for row in rows:
        click.echo(f"bench: {row.name}, {nr} rounds", err=True)
        results.append(measure(row, options, nr))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    report.print_table(results, console, quick, nr)
    if json_file is not None:
        report.write_json(results, json_file, quick, nr)
    if not quick and any(result.verdict is Verdict.BELOW for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
