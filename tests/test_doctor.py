"""The doctor names what is missing, in one sentence, with its remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memfs import doctor
from memfs.doctor import CHECKS, Check, Finding, Row

pytestmark = pytest.mark.tree


def row(finding: Finding, **options) -> Row:
    return Row(
        "a thing", "build", lambda: finding, "Do this.", ("thing-dev",), **options
    )


@pytest.fixture
def table(monkeypatch):
    """Replace the table of checks."""

    def replace(*rows: Row) -> None:
        monkeypatch.setattr(doctor, "CHECKS", rows)

    return replace


@pytest.fixture
def as_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_this_machine_has_what_the_tests_need():
    missing = [check for check in doctor.run(doctor.STAGES) if not check.ok]
    assert [check for check in missing if check.required] == []


@pytest.mark.parametrize("each", CHECKS, ids=lambda row: row.what)
def test_every_remedy_is_one_sentence(each):
    assert each.remedy.endswith(".")
    assert "\n" not in each.remedy
    assert each.remedy[0].isupper()


def test_names_are_given_once():
    names = [each.what for each in CHECKS]
    assert len(names) == len(set(names))


def test_missing_is_reported_with_its_remedy(table):
    table(row(Finding(False, "no thing")))
    text, status = doctor.report(json=False)
    assert text == "missing  a thing: no thing. Do this."
    assert status == 1


def test_present_is_reported_with_what_was_found(table):
    table(row(Finding(True, "/usr/bin/thing")))
    assert doctor.report(json=False) == ("ok       a thing: /usr/bin/thing", 0)


def test_probe_knows_a_better_remedy(table):
    table(row(Finding(False, "wrong mode", "Change its mode.")))
    [check] = doctor.run()
    assert check.remedy == "Change its mode."
    assert check.packages == ()


def test_lesser_form_is_no_failure(table):
    table(row(Finding(False, "no thing"), required=False))
    text, status = doctor.report(json=False)
    assert text.startswith("lesser ")
    assert status == 0


def test_json_is_a_list_of_objects(table):
    table(row(Finding(False, "no thing")))
    text, status = doctor.report(json=True)
    assert status == 1
    assert json.loads(text) == [
        {
            "what": "a thing",
            "ok": False,
            "found": "no thing",
            "remedy": "Do this.",
            "required": True,
            "packages": ["thing-dev"],
        }
    ]


def test_packages_are_named_once_and_only_when_missing(table):
    table(
        row(Finding(False, "no thing")),
        row(Finding(False, "no other thing")),
        Row("gcc", "build", lambda: Finding(True, "gcc"), "Do.", ("gcc",)),
    )
    assert doctor.missing_packages(doctor.run()) == ["thing-dev"]


def test_stages_select(table):
    table(row(Finding(True, "it")))
    assert doctor.run(["mount"]) == []
    assert len(doctor.run(["build"])) == 1


def test_root_is_not_asked_for_what_users_need(table, monkeypatch):
    table(row(Finding(False, "no thing"), user_only=True))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert doctor.run() == []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert len(doctor.run()) == 1


# The probes, one wrong machine each


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("user_allow_other\n", True),
        ("mount_max = 1000\n  user_allow_other  \n", True),
        ("#user_allow_other\n", False),
        ("", False),
    ],
)
def test_user_allow_other_stands_on_a_line_of_its_own(tmp_path, monkeypatch, text, ok):
    conf = tmp_path / "fuse.conf"
    conf.write_text(text)
    monkeypatch.setattr(doctor, "FUSE_CONF", conf)
    assert doctor.probe_user_allow_other().ok is ok


def test_no_fuse_conf(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "FUSE_CONF", tmp_path / "fuse.conf")
    finding = doctor.probe_user_allow_other()
    assert not finding.ok
    assert "No such file" in finding.found


def test_fuse_device_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "FUSE_DEVICE", tmp_path / "fuse")
    finding = doctor.probe_fuse_device()
    assert not finding.ok
    assert "modprobe fuse" in finding.remedy


def test_fuse_device_that_cannot_be_opened(tmp_path, monkeypatch):
    # A directory refuses O_RDWR of root as well, as no mode would.
    monkeypatch.setattr(doctor, "FUSE_DEVICE", tmp_path)
    finding = doctor.probe_fuse_device()
    assert not finding.ok
    assert str(tmp_path) in finding.found


@pytest.mark.usefixtures("as_user")
def test_fusermount_without_setuid_helps_no_user(tmp_path, monkeypatch):
    program = tmp_path / "fusermount3"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.probe_fusermount()
    assert not finding.ok
    assert finding.remedy == f"As root: chmod u+s {program}."
    program.chmod(0o4755)
    assert doctor.probe_fusermount().ok


@pytest.mark.parametrize(
    "probe",
    [
        doctor.probe_compiler,
        doctor.probe_pkg_config,
        doctor.probe_libfuse_headers,
        doctor.probe_fusermount,
        doctor.probe_asan,
        doctor.probe_command("clang"),
    ],
    ids=lambda probe: probe.__name__,
)
def test_empty_path(probe, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = probe()
    assert not finding.ok
    assert finding.found.startswith(("no ", "gcc has no"))


def test_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    finding = doctor.probe_python()
    assert not finding.ok
    assert finding.found == "Python 3.9.2"


def test_a_compiler_without_the_c_library(tmp_path, monkeypatch):
    broken = tmp_path / "gcc"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor.probe_compiler()
    assert not finding.ok
    assert "cannot build" in finding.found


def test_a_python_that_this_user_may_not_run_is_named(tmp_path, monkeypatch):
    """As .venv made from root's own Python is to everybody else."""
    python = tmp_path / "python"
    python.write_text("")
    monkeypatch.setattr(doctor, "interpreter", lambda: str(python))
    finding = doctor.probe_program("print()")
    assert finding.found == f"{python}: Permission denied"
    assert "PYTHON=/usr/bin/python3 scripts/setup" in finding.remedy


def test_what_a_broken_module_says_is_what_was_found():
    finding = doctor.probe_program("raise ImportError('undefined symbol: vm_boot')")
    assert finding == Finding(False, "ImportError: undefined symbol: vm_boot")


# Its own command line, as scripts/setup calls it


def run_doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = Path(doctor.__file__)
    return subprocess.run(
        [sys.executable, "-I", "-S", str(path), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_runs_with_the_standard_library_alone():
    done = run_doctor("--plain", "--stage", "build")
    assert done.stderr == ""
    assert "ok       Python 3.11 or later" in done.stdout


def test_missing_prints_nothing_where_nothing_is_missing(table, capsys):
    table(row(Finding(True, "it")))
    assert doctor.main(["--missing"]) == 0
    assert capsys.readouterr().out == ""


def test_packages_prints_names_only(table, capsys):
    table(row(Finding(False, "no thing")))
    assert doctor.main(["--packages"]) == 1
    assert capsys.readouterr().out == "thing-dev\n"


def test_json_option(table, capsys):
    table(row(Finding(True, "it")))
    assert doctor.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["ok"] is True


def test_describe_keeps_one_line():
    check = Check("a thing", False, "no thing", "Do this.", True, ())
    assert "\n" not in doctor.describe(check)
