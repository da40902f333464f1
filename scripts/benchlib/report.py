"""The table and the JSON of a run."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchlib.rounds import Result, spread
from benchlib.row import Row, Verdict

COLOURS = {Verdict.AIM: "green", Verdict.GATE: "yellow", Verdict.BELOW: "red"}


def _figure(value: float, row: Row, is_ratio: bool) -> str:
    digits = 1 if value >= 10 else 2
    return f"{value:.{digits}f}" + ("x" if is_ratio else f" {row.unit}")


def _range(values: list[float], row: Row, is_ratio: bool) -> str:
    s = spread(values)
    low, high = (f"{v:.{1 if v >= 10 else 2}f}" for v in (s.low, s.high))
    return f"{_figure(s.median, row, is_ratio)} [{low}..{high}]"


def _sides(result: Result) -> str:
    lines = []
    for label, values in _measured(result):
        lines.append(f"{label}: {_range(values, result.row, False)}")
    return "\n".join(lines)


def _measured(result: Result) -> list[tuple[str, list[float]]]:
    sides = zip(result.labels, (result.ours, result.anchor), strict=False)
    return [*sides, *result.beside.items()]


def _counts(result: Result) -> str:
    return "\n".join(
        f"{c.label}: {c.per_unit:.0f}/{c.unit} ({c.tool})" for c in result.counts
    )


def _cells(result: Result, quick: bool) -> list[str]:
    row = result.row
    is_ratio = bool(result.anchor)
    bounds = [_figure(bound, row, is_ratio) for bound in (row.gate, row.aim)]
    verdict = result.verdict
    noise = result.noise
    if verdict is None or noise is None:
        why = escape(result.left_out)
        return [row.what, "left out", *bounds, "-", why, "", ""]
    return [
        row.what,
        escape(_range(result.figures, row, is_ratio)),
        *bounds,
        "quick" if quick else f"[{COLOURS[verdict]}]{verdict.value}[/]",
        escape(_sides(result)),
        escape(_counts(result)),
        f"{noise.load:.1f} / {noise.steal:.1f} %",
    ]


def print_table(
    results: list[Result], console: Console, quick: bool, rounds: int
) -> None:
    """Print one line a row, and what each side did on its own."""
    title = f"{rounds} rounds: median [range]" + (", quick sizes" if quick else "")
    table = Table(title=escape(title), show_lines=True)
    for head in ("what", "result", "gate", "aim", "verdict", "sides"):
        table.add_column(head, overflow="fold")
    table.add_column("instructions:u", overflow="fold")
    table.add_column("load / steal", no_wrap=True)
    for result in results:
        table.add_row(*_cells(result, quick))
    console.print(table)


def _row_json(result: Result) -> dict[str, object]:
    row = result.row
    verdict = result.verdict
    out: dict[str, object] = {
        "name": row.name,
        "what": row.what,
        "unit": row.unit,
        "gate": row.gate,
        "aim": row.aim,
        "lower_is_better": row.lower_is_better,
    }
    if verdict is None or result.noise is None:
        return out | {"left_out": result.left_out}
    return out | {
        "is_ratio": bool(result.anchor),
        "result": asdict(spread(result.figures)),
        "verdict": verdict.value,
        "sides": [
            {"label": label, "rounds": values, **asdict(spread(values))}
            for label, values in _measured(result)
        ],
        "instructions": [asdict(count) for count in result.counts],
        "noise": result.noise._asdict(),
        "details": result.details,
    }


def write_json(results: list[Result], path: Path, quick: bool, rounds: int) -> None:
    """Write everything that was measured, every round of it."""
    data = {
        "machine": {
            "kernel": platform.release(),
            "python": platform.python_version(),
            "cpu": _cpu_model(),
        },
        "quick": quick,
        "rounds": rounds,
        "rows": [_row_json(result) for result in results],
    }
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
