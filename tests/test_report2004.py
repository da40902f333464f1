"""The report of 2004: today's remaps beside those of 2004, and its verdicts."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from memfs.cli import cli
from memfs.reports import report2004
from memfs.reports.report2004 import KINDS, PAGES, Cost, Made, Row, judge


@pytest.fixture(scope="module")
def report():
    return report2004.run(lambda text: None)


def test_every_sign_is_right(report):
    """Of every kind."""
    assert [row.failures for row in report.rows] == [[]] * len(KINDS)
    assert report.ok


def test_today_costs_nothing(report):
    """Whatever the kind: no page is written, no slot is taken, nobody faults."""
    for row in report.rows:
        assert row.today == Cost(moved=row.today.moved, ns=row.today.ns), row.name
        assert row.today.moved >= PAGES


def test_2004_cost_what_it_cost(report):
    """A row for each of the three points shows it."""
    old = {row.name: row.old for row in report.rows}
    assert old["dirty file"].written == PAGES
    assert old["mapped, dirty"].written == PAGES
    assert old["anonymous"].slots == old["anonymous"].faults == PAGES
    assert old["copy on write"].faults == 2 * PAGES
    assert (old["mlocked"].slots, old["mlocked"].faults) == (PAGES, 0)


@pytest.mark.parametrize(
    ("made", "today", "old"),
    [
        (Made(), Cost(left=1), Cost()),
        (Made(), Cost(), Cost(left=1)),
        (Made(dirty=9), Cost(written=1), Cost(written=9)),
        (Made(dirty=9), Cost(), Cost(written=8)),
        (Made(anon=9), Cost(slots=1), Cost(slots=9)),
        (Made(anon=9), Cost(), Cost(slots=8)),
        (Made(mapped=9), Cost(faults=1), Cost(faults=9)),
        (Made(mapped=9), Cost(), Cost(faults=10)),
    ],
)
def test_a_wrong_sign_fails_its_row(made, today, old):
    """One thing wrong, one sentence."""
    row = Row("x", "x", made, today, old)
    judge(row)
    assert len(row.failures) == 1


def test_the_command_prints_it(monkeypatch, report):
    """A table or JSON; status 1 when it does not hold."""
    monkeypatch.setattr(report2004, "run", lambda tell, mount: report)
    printed = CliRunner().invoke(cli, ["report", "2004"])
    assert printed.exit_code == 0
    assert "every sign is right" in printed.output
    found = CliRunner().invoke(cli, ["report", "2004", "--json"])
    assert json.loads(found.output)["ok"]
    bad = report2004.Report([Row("x", "x", Made(), Cost(left=3), Cost())])
    judge(bad.rows[0])
    monkeypatch.setattr(report2004, "run", lambda tell, mount: bad)
    printed = CliRunner().invoke(cli, ["report", "2004"])
    assert printed.exit_code == 1
    assert "x: FAILED: today 3 pages stay" in printed.output
