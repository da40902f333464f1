"""The report of 2003 on real machines: every row, every change, and their verdicts."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from memfs.cli import cli
from memfs.client import ClientError
from memfs.reports import child, realmount, report2003, results, table
from memfs.reports.results import Effect, Purge, Report, Row, compare
from memfs.vm.rules import S0_CHANGES


def row(name="x", *purges, **more):
    """A row whose purges are given as (before, after, scanned)."""
    made = [Purge(before, after, n, before - after) for before, after, n in purges]
    own = purges[0][0] if purges else 0
    return Row(name, name, "library", 1, own=own, purges=made, **more)


# The records and the verdicts, without a machine.


def test_cost_and_count_come_from_all_purges():
    """Scanned per freed is over the whole course, and so is the count."""
    seen = row("x", (100, 40, 150), (40, 0, 50))

    assert seen.until_empty == 2
    assert seen.cost == 2.0
    assert seen.left == 0


def test_a_zone_that_never_empties_has_no_count():
    """None is not zero."""
    assert row("x", (100, 40, 1)).until_empty is None


@pytest.mark.parametrize(
    ("changed", "measure"),
    [
        (row("x", (90, 9, 90), (9, 4, 9), (4, 0, 4)), "purges"),
        (row("x", (90, 9, 900), (9, 0, 9)), "scanned per page freed"),
        (row("x", (90, 9, 90), (9, 9, 0)), "pages that stay"),
    ],
)
def test_worse_is_one_and_a_half_times(changed, measure):
    """More purges, more scanning, or pages that stay."""
    base = row("x", (90, 9, 90), (9, 0, 9))

    assert [one.measure for one in compare(base, changed)] == [measure]


def test_a_little_worse_is_not_worse():
    """Less than 1.5 times does not count."""
    base = row("x", (90, 9, 90), (9, 0, 9))

    assert compare(base, row("x", (90, 9, 120), (9, 0, 9))) == []


def test_too_few_own_pages_fail_a_row():
    """A row that brought nothing into the zone shows nothing."""
    few = row("x", (99, 0, 99))
    few.needed = 100
    report2003.judge(few)

    assert not few.ok


@pytest.mark.parametrize(
    ("why", "after_stop", "fine"),
    [
        ({"writeback": 200, "dirty": 56}, [Purge(256, 0, 256, 256)], True),
        ({"pinned": 256}, [Purge(256, 0, 256, 256)], False),
        ({"writeback": 256}, [Purge(256, 1, 256, 255)], False),
    ],
)
def test_the_region_stays_for_the_reason_that_is_meant(why, after_stop, fine):
    """Dirty again or still being written; and gone when the writer is."""
    region = row("x", (256, 256, 900), must_stay=True)
    region.why, region.after_stop = why, after_stop
    report2003.judge(region)

    assert region.ok is fine


def test_a_region_that_goes_at_once_fails():
    """It must be hard to free."""
    region = row("x", (256, 0, 256), must_stay=True, after_stop=[Purge(0, 0, 0, 0)])
    report2003.judge(region)

    assert not region.ok


def test_table_and_json_hold_everything():
    """Rows, reasons, failures and effects are printed; JSON is strict."""
    base = row("x", (90, 9, 90), (9, 0, 9))
    bad = row("y", (90, 7, 90), why={"pinned": 7}, failures=["7 pages stay"])
    worse = compare(base, row("x", (90, 9, 90), (9, 9, 0)))
    none = Effect("five", "", (), [], reason="it does not matter")
    report = Report("2003", "Z[5]", [base, bad], [Effect("one", "", (), worse), none])
    console = Console(width=160, record=True, file=io.StringIO())
    table.print_report(report, console)
    text = console.export_text()
    for words in ("90 > 9 > 0", "7 pinned", "7 pages stay", "it does not matter"):
        assert words in text
    assert not report.ok
    json.dumps(report.as_json(), allow_nan=False)


def test_every_change_of_s0_is_tried():
    """The table of changes is that of the rules."""
    assert tuple(change.rule for change in report2003.CHANGES) == S0_CHANGES


# Children.


def test_children_answer_in_order():
    """Each has the parent's state; what it does to it stays with it."""
    state = [1]

    def work(number):
        state.append(number)
        return sum(state)

    assert list(child.in_children(work, [10, 20, 30], workers=2)) == [11, 21, 31]
    assert state == [1]


def test_a_child_that_raises_is_told_by_its_traceback():
    """The parent gets an exception that names the cause."""

    def work(number):
        raise LookupError(f"no {number}")

    with pytest.raises(child.ChildError, match="LookupError: no 7"):
        list(child.in_children(work, [7], workers=1))


def test_a_mount_that_cannot_be_made_fails_its_row(monkeypatch):
    """The report goes on, and says why."""

    def refuse(*words):
        raise ClientError("memfs mount: there is no /dev/fuse")

    monkeypatch.setattr(realmount, "FILE_MIB", 1)
    monkeypatch.setattr(realmount, "memfs", refuse)
    found = realmount.run("2003", 5, 1, 1)

    assert found.failures == ["memfs mount: there is no /dev/fuse"]


# On machines. The figures of large ones: no line of the core runs for them that
# tests/vm does not run (gcov), so that the sanitizers leave them out.


@pytest.fixture(scope="module")
def report():
    """The whole report but for the row on a real mount."""
    return report2003.run(lambda text: None, mount=False)


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize("name", report2003.BY_NAME)
def test_row_holds(report, name):
    """What was found in 2003 comes out by the mechanism."""
    (seen,) = [row for row in report.rows if row.name == name]

    assert seen.failures == []
    assert seen.own >= seen.needed
    assert len(seen.purges) <= results.MAX_PURGES


@pytest.mark.slow
@pytest.mark.figures
def test_same_row_again_is_the_same(report):
    """A row is a function of its seed: the second run gives the same figures."""
    again = report2003.run_case(report2003.BY_NAME["anonymous"])

    assert again == [row for row in report.rows if row.name == "anonymous"]


@pytest.mark.slow
@pytest.mark.figures
@pytest.mark.parametrize("change", report2003.CHANGES, ids=lambda one: one.rule)
def test_change_was_for_something(report, change):
    """Without it a row that it was for gets worse, or the reason why not is printed."""
    (effect,) = [one for one in report.effects if one.change == change.rule]
    worse = {one.row for one in effect.worse}

    assert effect.failures == []
    assert bool(worse & set(change.meant_for)) is not bool(change.if_none)
    assert bool(effect.reason) is not effect.measurable


@pytest.mark.mount
@pytest.mark.slow
def test_row_with_real_programs_holds():
    """cksum of a file of 1 GiB on a real mount gives the same sum before and after."""
    found = realmount.run("2003", 5, report2003.MANY, results.MAX_PURGES)

    assert found.failures == []
    assert found.left == 0


def test_command_exits_1_when_a_row_fails(monkeypatch):
    """The exit status is the verdict; --json prints it for programs."""
    bad = row("y", (90, 7, 90), failures=["7 pages stay"])
    monkeypatch.setattr(
        report2003, "run", lambda tell, mount: Report("2003", "Z", [bad], [])
    )
    result = CliRunner().invoke(cli, ["report", "2003", "--json"])

    assert result.exit_code == 1
    assert json.loads(result.stdout)["rows"][0]["failures"] == ["7 pages stay"]
