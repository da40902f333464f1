"""The harness of scripts/bench: turns, ratios, verdicts, and one small real row.

No test looks at a time: what is fast is for scripts/bench to say, on a machine that
has nothing else to do.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.tree

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from benchlib import instructions, report, rounds  # noqa: E402
from benchlib.row import (  # noqa: E402
    Bench,
    Count,
    Options,
    Row,
    Side,
    Unavailable,
    Verdict,
)
from benchlib.table import ROWS  # noqa: E402

QUIET = Options(quick=True, instructions=False)


def make_row(ours, anchor=None, gate=2.0, aim=4.0, count=list, lower=False, log=None):
    """A row whose sides give the figures of two lists, in turn."""
    log = [] if log is None else log

    def side(label, figures):
        left = iter(figures)

        def measure():
            log.append(label)
            return next(left)

        return Side(label, measure)

    @contextlib.contextmanager
    def opened(options):
        log.append("open")
        yield Bench(
            side("ours", ours),
            anchor and side("anchor", anchor),
            count=count,
            details={"pages": 7},
        )
        log.append("close")

    return Row("made", "made up", "M/s", gate, aim, opened, lower_is_better=lower)


def test_sides_take_turns():
    log = []
    rounds.measure(make_row([1, 2, 3], [1, 1, 1], log=log), QUIET, 3)
    assert log == ["open", *["ours", "anchor"] * 3, "close"]


def test_the_result_is_the_median_of_the_rounds_ratios():
    """Not the ratio of the medians, which would be 3."""
    result = rounds.measure(make_row([2, 30, 9], [1, 10, 1]), QUIET, 3)
    assert result.figures == [2, 3, 9]
    assert rounds.spread(result.figures) == rounds.Spread(3, 2, 9)


def test_a_row_without_anchor_is_its_own_figure():
    result = rounds.measure(make_row([5, 7]), QUIET, 2)
    assert result.figures == [5, 7]


@pytest.mark.parametrize(
    ("value", "lower", "verdict"),
    [
        (1.9, False, Verdict.BELOW),
        (2.0, False, Verdict.GATE),
        (4.0, False, Verdict.AIM),
        (5.1, True, Verdict.BELOW),
        (5.0, True, Verdict.GATE),
        (1.0, True, Verdict.AIM),
    ],
)
def test_verdicts(value, lower, verdict):
    gate, aim = (5.0, 1.0) if lower else (2.0, 4.0)
    row = make_row([value], gate=gate, aim=aim, lower=lower)
    assert rounds.measure(row, QUIET, 1).verdict is verdict


def test_what_cannot_be_measured_is_left_out_with_the_reason():
    @contextlib.contextmanager
    def opened(options):
        raise Unavailable("Control groups are root's.")
        yield

    row = Row("made", "made up", "M/s", 1, 2, opened)
    result = rounds.measure(row, QUIET, 1)
    assert (result.verdict, result.left_out) == (None, "Control groups are root's.")
    assert "Control groups are root's." in table_of([result])


def test_instructions_are_counted_when_they_are_asked_for():
    count = [Count("loop", 12.5, "page", "perf")]
    row = make_row([1], count=lambda: count)
    assert rounds.measure(row, QUIET, 1).counts == []
    assert rounds.measure(row, Options(instructions=True), 1).counts == count


def test_counters_are_read_as_their_tools_print_them():
    perf = "some warning\n6317804703,,instructions:u,1003,100.00,,\n"
    cachegrind = "==7== \n==7== I   refs:      3,033,862\n"
    assert instructions._perf_count(perf) == 6317804703
    assert instructions._perf_count("<not supported>,,instructions:u,0,,,") is None
    assert instructions._cachegrind_count(cachegrind) == 3033862


def table_of(results, quick=False):
    from rich.console import Console

    out = io.StringIO()
    report.print_table(results, Console(file=out, width=200), quick, rounds=3)
    return out.getvalue()


def test_table_shows_ratio_range_sides_and_noise():
    result = rounds.measure(make_row([2, 30, 9], [1, 10, 1]), QUIET, 3)
    text = table_of([result])
    for part in ("3.00x [2.00..9.00]", "ours: 9.00 M/s", "gate", "3 rounds: median"):
        assert part in text
    assert "quick" in table_of([result], quick=True)


def test_what_is_shown_beside_is_not_judged():
    """It has its line in the table and in the JSON, and no part in the result."""
    row = make_row([4], [1], gate=2, aim=3)
    with row.open(QUIET) as made:
        made.beside = (Side("tmpfs", lambda: 100.0),)
        result = rounds.Result(row)
        rounds._run(made, result, 1)
    assert result.figures == [4]
    assert result.beside == {"tmpfs": [100.0]}
    assert report._measured(result)[-1] == ("tmpfs", [100.0])


def test_json_has_every_round(tmp_path):
    result = rounds.measure(make_row([2, 30, 9], [1, 10, 1]), QUIET, 3)
    report.write_json([result], tmp_path / "out.json", quick=False, rounds=3)
    [row] = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert row["result"] == {"median": 3, "low": 2, "high": 9}
    assert [side["rounds"] for side in row["sides"]] == [[2, 30, 9], [1, 10, 1]]
    assert row["verdict"] == "gate"
    assert row["details"] == {"pages": 7}
    assert set(row["noise"]) == {"load", "steal"}


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchlib", *arguments],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_row_is_listed():
    done = bench("--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        row.name for row in ROWS
    ]


def test_an_unknown_row_is_refused():
    done = bench("--rows", "purge,nonsense")
    assert done.returncode == 2
    assert "there is no row 'nonsense'" in done.stderr


def test_the_scan_row_runs(tmp_path):
    """Rings, links and a bare loop, 65536 pages: the same decisions and lists."""
    out = tmp_path / "out.json"
    done = bench(
        *("--quick", "--no-instructions", "--rows", "scan", "--rounds", "1"),
        *("--json", str(out)),
    )
    assert (done.returncode, done.stdout.count("quick") > 0) == (0, True), done.stderr
    [row] = json.loads(out.read_text())["rows"]
    assert [len(side["rounds"]) for side in row["sides"]] == [1, 1, 1]
    outcome = row["details"]["outcome"]
    assert outcome["activated"] + outcome["rotated"] + outcome["freed"] == 1 << 16


def test_the_rows_about_remap_run(tmp_path):
    """The core and the oracle leave the same machine; bytes are moved; 1 TiB boots."""
    out = tmp_path / "out.json"
    names = ["remap-bytes", "remap-naive", "boot", "page-bytes", "remap-64g"]
    done = bench(
        *("--quick", "--no-instructions", "--rows", ",".join(names), "--rounds", "1"),
        *("--json", str(out)),
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(rows) == names
    assert rows["remap-naive"]["details"]["outcome"]["moved"] == (1 << 13) - 256
    assert all(row["sides"][0]["median"] > 0 for row in rows.values())


def test_a_remap_of_stamps_copies_no_bytes():
    """What the row is about: pages move that have no bytes, but for one or two."""
    from benchlib import filling, remap

    with filling.machine(1 << 12, empty_node=True) as m:
        contents = filling.Filler(m, 1, stamps=True).fill()
        shares = filling.shares(m)
        m.sched.run(m.disable_zone(filling.ZONE))
        resident = m.core.host_stat().resident
        remap.move(m, contents.pages)
        assert m.core.host_stat().resident <= resident + 1 <= 2
    assert shares["nr_anon"] == pytest.approx(contents.pages * 3 / 5, rel=0.01)
    assert shares["nr_dirty"] == pytest.approx(shares["nr_file"] / 5, abs=1)


ROWS_ABOUT_FILES = ("seq-write", "read-4k-8", "create", "unlink", "fault")


@pytest.mark.mount
@pytest.mark.parametrize("name", ROWS_ABOUT_FILES)
def test_the_rows_about_files_run(name, tmp_path):
    """memfs, the C program and what is shown beside, each with a figure."""
    out = tmp_path / "out.json"
    done = bench("--quick", "--rows", name, "--rounds", "1", "--json", str(out))
    assert done.returncode == 0, done.stderr
    [row] = json.loads(out.read_text())["rows"]
    labels = [side["label"] for side in row["sides"]]
    assert "memfs, files/" in labels
    assert "C, libfuse low level" in labels
    assert len(labels) >= 4
    assert all(side["median"] > 0 for side in row["sides"])
