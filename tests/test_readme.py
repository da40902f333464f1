"""The README tells the truth: its session is run, its departures are all there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memfs.files.proc import sysctl

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.rst").read_text()

BIN = Path(sys.executable).parent


def session() -> list[tuple[str, str]]:
    """Commands of the README's session, each with what it prints."""
    block = README.split(".. code-block:: console\n\n", 1)[1]
    lines = []
    for line in block.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line[4:])
    text = "\n".join(lines).rstrip("\n") + "\n"
    steps = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [tuple(step.split("\n", 1)) for step in steps]  # type: ignore[misc]


def matches(expected: str, seen: str) -> bool:
    """Whether *seen* is *expected*, in which ``...`` stands for any text of a line."""
    parts = (re.escape(part) for part in expected.split("..."))
    return re.fullmatch("[^\n]*".join(parts), seen) is not None


def script(steps: list[tuple[str, str]]) -> str:
    """The session as one shell, a mark after each command."""
    lines = ["exec 2>&1"]
    for number, (command, _) in enumerate(steps):
        lines += [command, f"printf '%s\\n' '=={number}=='"]
        if command.endswith("&"):
            # The modelled process is there when the list of all has it.
            lines[-1:] = [
                "until grep -q pid= mountpoint/control/tasks; do :; done",
                f"printf '%s\\n' '=={number}=='",
            ]
    return "\n".join(lines)


@pytest.mark.mount
def test_the_session_is_what_happens(tmp_path: Path) -> None:
    """Every command of the README's session prints what the README says."""
    (tmp_path / "mountpoint").mkdir()
    steps = session()
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C"}
    try:
        ran = subprocess.run(
            ["bash", "-c", script(steps)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        subprocess.run(
            [BIN / "memfs", "umount", "--lazy", tmp_path / "mountpoint"],
            capture_output=True,
        )
    seen = re.split(r"^==\d+==\n", ran.stdout, flags=re.MULTILINE)

    for (command, expected), got in zip(steps, seen, strict=False):
        assert matches(expected, got), f"$ {command}\n{got}"
    assert len(seen) >= len(steps)


def test_every_departure_is_listed() -> None:
    """Each source file that departs is named in the README's list of departures."""
    listed = README.split("Departures from the historical behaviour", 1)[1]
    listed = listed.split("Known issues", 1)[0]
    for path in sorted((ROOT / "memfs").rglob("*")):
        if path.suffix in {".py", ".c", ".h"} and "Departure:" in path.read_text():
            assert str(path.relative_to(ROOT)) in listed


def test_settings_without_effect_are_listed() -> None:
    """Each setting of proc/sys/vm that the model has nothing of."""
    for knob in sysctl.TABLE:
        assert knob.acts or f"``{knob.name}``" in README
