"""Prints a report: the table of rows, the purges of each, the effects of changes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from memfs.reports.results import WORSE, Effect, Purge, Report, Row

SHOWN_PURGES = 6


def print_report(report: Report, console: Console) -> None:
    """Print everything, widest part first."""
    console.print(rows_table(report))
    console.print()
    for row in report.rows:
        console.print(f"{row.name}: {row.title}", soft_wrap=True)
        for line in (*row.notes, *(f"FAILED: {text}" for text in row.failures)):
            console.print(f"  {line}", soft_wrap=True)
    console.print()
    console.print(changes_table(report.effects))
    for effect in report.effects:
        print_none(effect, console)
    verdict = "every row holds" if report.ok else "FAILED"
    console.print(f"\nreport {report.name}: {verdict}")


def print_none(effect: Effect, console: Console) -> None:
    """What is to be said of a change beside the table."""
    for text in effect.failures:
        console.print(f"{effect.change}: FAILED: {text}", soft_wrap=True)
    if effect.worse:
        return
    console.print(f"{effect.change}: no measurable effect. {effect.reason}.")
    for text in effect.notes:
        console.print(f"  {text}", soft_wrap=True)


def rows_table(report: Report) -> Table:
    """One line per row, and one more where the work was stopped in the end."""
    title = f"Pages of {report.zone}, before and after each purge"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("row", no_wrap=True)
    table.add_column("by", no_wrap=True)
    table.add_column("own pages", justify="right", no_wrap=True)
    table.add_column("before each purge, and left")
    table.add_column("purges", justify="right", no_wrap=True)
    table.add_column("scanned/freed", justify="right")
    table.add_column("what stays, and why")
    for row in report.rows:
        add_row(table, row)
    return table


def add_row(table: Table, row: Row) -> None:
    """The lines of one row."""
    table.add_row(
        row.name,
        row.means,
        f"{row.own:,}",
        steps(row.purges),
        "never" if row.until_empty is None else str(row.until_empty),
        "-" if row.cost is None else f"{row.cost:.2f}",
        stays(row),
    )
    after = row.after_stop
    if after is not None:
        left = f"{after[-1].after:,}" if after[-1].after else "nothing"
        table.add_row(
            "  its work stopped", "", "", steps(after), str(len(after)), "", left
        )


def steps(purges: list[Purge]) -> str:
    """Pages before each purge and after the last."""
    if not purges:
        return "-"
    numbers = [f"{one.before:,}" for one in purges] + [f"{purges[-1].after:,}"]
    if len(numbers) > SHOWN_PURGES:
        numbers = [*numbers[: SHOWN_PURGES - 2], "...", *numbers[-2:]]
    return " > ".join(numbers)


def stays(row: Row) -> str:
    """``256: 200 writeback, 56 dirty``, or that nothing does."""
    if not row.left:
        return "nothing"
    reasons = ", ".join(f"{number:,} {why}" for why, number in row.why.items())
    return f"{row.left:,}: {reasons}"


def changes_table(effects: list[Effect]) -> Table:
    """One line per change and measure that got worse."""
    title = f"Each of the five changes taken out: what gets {WORSE} times worse or more"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("without", "row", "measure"):
        table.add_column(column)
    for column in ("with", "without", "times"):
        table.add_column(column, justify="right")
    for effect in effects:
        add_effect(table, effect)
    return table


def add_effect(table: Table, effect: Effect) -> None:
    """The lines of one change."""
    if not effect.worse:
        table.add_row(effect.change, "no measurable effect")
    for number, one in enumerate(effect.worse):
        factor = "" if one.factor == float("inf") else f"{one.factor:.1f}"
        table.add_row(
            "" if number else effect.change,
            one.row,
            one.measure,
            f"{one.before:,.2f}".removesuffix(".00"),
            f"{one.after:,.2f}".removesuffix(".00"),
            factor,
        )
