"""JOBS: real programs, each in a directory of its own, and what must come of it.

A job has been done well when its directory holds the same as after the same job, with
the same seed, in a directory of the host.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stresslib import tree

PATIENCE_S = 600
VARIANTS = 2  # seeds of a job, in turn: each is run on the host once


class Job(NamedTuple):
    """A row of JOBS: a shell script (``sh -eu``), and where in the mount it runs."""

    name: str
    place: str
    script: str


MAKE = """
$PROGRAM c_tree "$SEED"
make -j2 -s prog
./prog > printed
"""
COPIES = """
$PROGRAM file_tree "$SEED"
cp -a tree first
cp -a tree second
$PROGRAM file_tree "$SEED again"
cp -a tree/. first/
rm -rf second
cp -a first second
cmp_all() { find . -type f | sort | xargs cat | cksum > sums; }
cmp_all
"""
TAR = """
$PROGRAM file_tree "$SEED"
mkdir copy old
tar -cf - tree | tar -xf - -C old
tar -cf - tree | tar -xf - -C copy &
rm -rf old
wait $!
tar -cf all.tar --sort=name --mtime=@0 --owner=0 --group=0 copy
rm -rf tree
"""
SQLITE = """
$PROGRAM sql "$SEED"
sqlite3 data < script.sql
sqlite3 data "PRAGMA integrity_check; SELECT count(*), sum(n) FROM t;" > printed
sqlite3 data .dump > dumped
rm data
"""
GIT = """
export GIT_AUTHOR_DATE="1100000000 +0000" GIT_COMMITTER_DATE="1100000000 +0000"
export HOME="$PWD"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a
export GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1
$PROGRAM file_tree "$SEED"
git -c init.defaultBranch=main init -q .
git add tree
git commit -qm first
git checkout -qb other
$PROGRAM file_tree "$SEED again"
git add tree
git commit -qm second
git checkout -q main
git merge -q other
git gc -q
git fsck --strict > checked 2>&1
git log --format=%H > printed
git status --porcelain > state
rm -rf .git
"""
MAPPED = """
$PROGRAM mapped "$SEED"
"""

JOBS = (
    Job("make", "files", MAKE),
    Job("copies", "files", COPIES),
    Job("copies", "shm", COPIES),
    Job("tar", "files", TAR),
    Job("tar", "shm", TAR),
    Job("sqlite", "files", SQLITE),
    Job("git", "files", GIT),
    Job("git", "shm", GIT),
    Job("mapped", "files", MAPPED),
    Job("mapped", "shm", MAPPED),
)


class Failure(Exception):
    """A job that did not do what it does elsewhere."""


def run(job: Job, where: Path, seed: str) -> list[str]:
    """Run a job in the new directory `where`; what is in it afterwards.

    Raises:
        Failure: the script failed; what it said.
    """
    where.mkdir()
    environ = os.environ | {
        "SEED": seed,
        "PROGRAM": f"{sys.executable} -m stresslib.programs",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C",
    }
    done = subprocess.run(
        ["sh", "-euc", job.script],
        cwd=where,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode:
        said = done.stdout.strip().splitlines()[-3:]
        raise Failure(f"status {done.returncode}: {' / '.join(said)}")
    return tree.listing(where)


@dataclass
class Worker:
    """One job, again and again, in a thread of its own.

    Attributes:
        wanted: what is to be in its directory, for each seed.
        done: how often it ended as it should.
        failures: what went wrong.
        last: directory and seed of the last one that ended well, which stays.
    """

    job: Job
    mount: Path
    seed: str
    wanted: dict[str, list[str]] = field(default_factory=dict)
    done: int = 0
    failures: list[str] = field(default_factory=list)
    last: tuple[Path, str] | None = None
    _runs: int = 0

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.job.name} in {self.job.place}/"

    def prepare(self, plain: Path) -> None:
        """Run every variant in a directory of the host: that is what must come."""
        for variant in range(VARIANTS):
            seed = f"{self.seed} {self.job.name} {variant}"
            where = plain / f"{self.job.name}-{self.job.place}-{variant}"
            self.wanted[seed] = run(self.job, where, seed)
            shutil.rmtree(where)

    def work(self, stop: threading.Event) -> None:
        """Run the job until it is told to stop; one at least."""
        while True:
            self.once()
            if stop.is_set() or self.failures:
                return

    def once(self) -> None:
        """Run the job; compare; its directory stays until it has run again."""
        seed = list(self.wanted)[self._runs % VARIANTS]
        where = self.mount / self.job.place / f"{self.job.name}{self._runs}"
        self._runs += 1
        try:
            self._compare(seed, run(self.job, where, seed))
            if self.last is not None:
                shutil.rmtree(self.last[0])
        except (Failure, OSError, subprocess.TimeoutExpired) as error:
            self.failures.append(f"{self.name}: {error}")
            return
        self.last = where, seed
        self.done += 1

    def recheck(self) -> None:
        """What the last one left is still the same."""
        if self.last is None:
            return
        where, seed = self.last
        try:
            self._compare(seed, tree.listing(where))
        except (Failure, OSError) as error:
            self.failures.append(f"{self.name}, at the end: {error}")

    def _compare(self, seed: str, seen: list[str]) -> None:
        differs = tree.difference(self.wanted[seed], seen)
        if differs:
            raise Failure(differs)
