"""Counts the instructions that a program executes in user space.

``perf stat -e instructions:u`` where the CPU's counters can be had, else
cachegrind; who counted is told with every figure. Unlike times, counts agree
between runs and between loaded and quiet machines. Work is counted by difference:
the same program with and without it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from benchlib.row import Count

PERF = ("perf", "stat", "-x,", "-e", "instructions:u")
CACHEGRIND = (
    "valgrind",
    "--tool=cachegrind",
    "--cache-sim=no",
    "--cachegrind-out-file=/dev/null",
)


def _env() -> dict[str, str]:
    # Hashes of strings decide how often a dict collides.
    return {**os.environ, "PYTHONHASHSEED": "0"}


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, env=_env(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stderr


def _perf_count(text: str) -> int | None:
    for line in text.splitlines():
        value, *rest = line.split(",")
        if any(field.startswith("instructions") for field in rest):
            return int(value) if value.isdigit() else None
    return None


def _cachegrind_count(text: str) -> int | None:
    match = re.search(r"I\s+refs:\s+([\d,]+)", text)
    return int(match[1].replace(",", "")) if match else None


@functools.cache
def tool() -> str | None:
    """What counts here: "perf", "cachegrind", or None."""
    if shutil.which("perf"):
        try:
            if _perf_count(_run([*PERF, "true"])) is not None:
                return "perf"
        except RuntimeError:
            pass  # a perf that does not fit the kernel
    return "cachegrind" if shutil.which("valgrind") else None


def instructions(command: Sequence[str]) -> int:
    """Instructions in user space of `command` from its start to its end.

    Raises:
        RuntimeError: it failed, or there is nothing to count with.
    """
    if tool() == "perf":
        count = _perf_count(_run([*PERF, *command]))
    elif tool() == "cachegrind":
        count = _cachegrind_count(_run([*CACHEGRIND, *command]))
    else:
        raise RuntimeError("neither perf's counters nor valgrind can be had")
    if count is None:
        raise RuntimeError(f"no count of {' '.join(command)}")
    return count


def difference(
    label: str, with_it: Sequence[str], without: Sequence[str], units: int, unit: str
) -> list[Count]:
    """Instructions per unit of what `with_it` does more than `without`.

    Returns:
        One count, or none where nothing counts.
    """
    name = tool()
    if name is None:
        return []
    more = instructions(with_it) - instructions(without)
    return [Count(label, more / units, unit, name)]
