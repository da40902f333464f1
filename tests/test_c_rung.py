"""The tests of the C rung: each file of tests/c is a program that must end with 0.

A program includes the files of the core that it looks into and is linked with the
rest. Everything is built twice: as it is, and with the sanitizers, leaks included,
since no Python is in the way. A program is silent on success and says on stderr what
was not as expected.
"""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.tree

HERE = Path(__file__).resolve().parent / "c"
CSRC = HERE.parents[1] / "memfs" / "csrc"
CORE = sorted(p for p in CSRC.glob("*.c") if not p.name.startswith("fuse_"))
PROGRAMS = sorted(HERE.glob("test_*.c"))

CFLAGS = [
    *("-std=gnu11", "-g1", "-Og", "-DCONFIG_DEBUG_VM", "-Wall", "-Wextra", "-Werror"),
    *("-I", str(CSRC), "-I", str(HERE)),
]
BUILDS = {
    "plain": [],
    "sanitized": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
}
# The fault flag of harness.h stands in front of the buddy lists.
LDFLAGS = ["-Wl,--wrap=vm_rmqueue,--wrap=vm_rmqueue_many"]


class Build(NamedTuple):
    """The core in one of its builds: flags, and an object for each file."""

    flags: list[str]
    objects: dict[str, Path]


def gcc(flags: list[str], *arguments: str | Path) -> None:
    done = subprocess.run(
        ["gcc", *CFLAGS, *flags, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=BUILDS)
def build(request, tmp_path_factory) -> Build:
    directory = tmp_path_factory.mktemp(request.param)
    objects = {source.name: directory / f"{source.stem}.o" for source in CORE}
    made = Build(BUILDS[request.param], objects)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [
            pool.submit(gcc, made.flags, "-c", "-o", objects[source.name], source)
            for source in CORE
        ]
    for job in jobs:
        job.result()
    return made


def includes(path: Path) -> set[str]:
    """The .c files that a program includes, through its headers too."""
    names = re.findall(r'^#include "(.+)"', path.read_text(encoding="utf-8"), re.M)
    found = {name for name in names if name.endswith(".c")}
    for name in names:
        if (HERE / name).exists():
            found |= includes(HERE / name)
    return found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_c_rung(program, build, tmp_path):
    own = includes(program)
    rest = [path for name, path in build.objects.items() if name not in own]
    binary = tmp_path / program.stem
    gcc(build.flags, "-o", binary, program, *rest, *LDFLAGS)
    done = subprocess.run(
        [binary],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_are_programs():
    assert PROGRAMS
