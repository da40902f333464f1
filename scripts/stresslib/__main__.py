"""``scripts/stress [SECONDS]``: see docs/stress.rst.

Two halves: with the default disk, and with one of 5 MB/s whose queue is full. Then
the disk is as before, and everything is compared once more, on the mount and, when it
is unmounted, on the host.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from memfs.client import Mount
from stresslib import tree
from stresslib.jobs import JOBS, Worker
from stresslib.nodes import Cycler

MEMFS = (sys.executable, "-m", "memfs")
SECONDS = 300
PATIENCE_S = 900  # for the jobs of a half to end, once it is over

MACHINE = """
name = "stress"
kernel = "2.6.7"
lowmem = "160M"
swap = "768M"
[[node]]
size = "96M"
[[node]]
size = "64M"
[[node]]
size = "64M"
[[node]]
size = "64M"
"""
REMOVABLE = (1, 2, 3)
HOG = "200M"  # of memory that is touched at random, so that some of it is swapped
SLOW = "bandwidth=5M"
FAST = "bandwidth=1G"

# Pages apart from each other, so that no request grows: the queue is full of them.
BALLAST = 24 << 20  # bytes of shm/ that nobody reads until the end

FLOOD = """
import os, sys
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
while True:
    for page in range(0, 4096, 2):
        os.pwrite(fd, os.urandom(64), page * 4096)
"""


def say(text: str) -> None:
    """A line for whoever watches."""
    print(f"stress: {text}", flush=True)


def memfs(*arguments: str) -> str:
    """Run ``memfs``; what it printed.

    Raises:
        SystemExit: it failed; what it said.
    """
    done = subprocess.run(
        [*MEMFS, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"stress: memfs {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def mounted(home: Path, seed: str) -> Iterator[Mount]:
    """The machine of its own, mounted; unmounted at the end, whatever happened."""
    (home / "machine.toml").write_text(MACHINE)
    (home / "disk").mkdir()
    point = Path(os.environ.get("MEMFS_STRESS_MOUNT") or home / "mnt")
    point.mkdir(exist_ok=True)
    number = str(int(seed, 16) if seed.startswith("0x") else abs(hash_of(seed)))
    memfs(
        "mount",
        *("--machine", str(home / "machine.toml"), "--files", str(home / "disk")),
        *("--seed", number),
        str(point),
    )
    try:
        yield Mount(point)
    finally:
        memfs("umount", str(point))


def hash_of(text: str) -> int:
    """A number for a seed that is none; the same in every process."""
    return int.from_bytes(text.encode()[:7], "big")


@contextlib.contextmanager
def running(*command: str) -> Iterator[None]:
    """A program in the background, as long as it takes."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


Part = Callable[[threading.Event], None]


def half(name: str, seconds: float, parts: list[Part]) -> None:
    """Everything at once for so long, and until each has ended what it was at."""
    stop = threading.Event()
    threads = [threading.Thread(target=part, args=(stop,)) for part in parts]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    end = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        sys.exit(f"stress: the {name} does not end")


class Stress:
    """One run.

    Args:
        mount: the machine.
        seed: of jobs and machine.
        home: a directory of the host.
    """

    def __init__(self, mount: Mount, seed: str, home: Path) -> None:
        self.mount = mount
        self.home = home
        self.seed = seed
        self.ballast = b""
        self.cycler = Cycler(mount, REMOVABLE)
        self.workers = [Worker(job, Path(mount.path), seed) for job in JOBS]

    def prepare(self) -> None:
        """What must come of each job: run on the host."""
        plain = self.home / "plain"
        plain.mkdir()
        scripts = {worker.job.script: worker for worker in self.workers}
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda worker: worker.prepare(plain), scripts.values()))
        for worker in self.workers:
            worker.wanted = scripts[worker.job.script].wanted

    def load(self) -> None:
        """Something to be swapped out."""
        self.ballast = random.Random(self.seed).randbytes(BALLAST)
        Path(self.mount.path, "shm", "ballast").write_bytes(self.ballast)

    def run(self, seconds: float) -> None:
        """Both halves."""
        self.load()
        parts = [self.cycler.work, *(worker.work for worker in self.workers)]
        path = str(self.mount.path)
        with running(*MEMFS, "hog", "--mount", path, "anon", HOG, "--touch", "random"):
            half("first half", seconds / 2, parts)
            self.tell("default disk")
            self.control("disk", SLOW)
            flood = str(Path(path, "files", "flood"))
            with running(sys.executable, "-c", FLOOD, flood):
                half("second half", seconds / 2, parts)
            self.tell("5 MB/s, queue full")
            os.unlink(flood)
            self.control("disk", FAST)

    def control(self, name: str, text: str) -> None:
        """Write to a control file."""
        Path(self.mount.path, "control", name).write_text(f"{text}\n")

    def tell(self, name: str) -> None:
        """How far it is."""
        jobs = ", ".join(f"{w.job.name} {w.done}" for w in self.workers)
        swapped = self.mount.read("swaps").splitlines()[-1].split()[3]
        say(
            f"{name}: {self.cycler.cycles} node cycles ({self.cycler.tries} remaps"
            f" repeated), {swapped} kB swapped; {jobs}"
        )

    def check(self) -> list[str]:
        """Everything once more; every invariant. Returns: what is wrong."""
        for worker in self.workers:
            worker.recheck()
        self.control("validate", "1")
        found = self.mount.read("control/validate").splitlines()
        failures = list(self.cycler.failures)
        if Path(self.mount.path, "shm", "ballast").read_bytes() != self.ballast:
            failures.append("shm/ballast: other bytes than were written")
        for worker in self.workers:
            failures += worker.failures
            if not worker.done and not worker.failures:
                failures.append(f"{worker.name}: never ended")
        if found != ["ok"]:
            failures += [f"validate: {line}" for line in found]
        return failures

    def check_host(self) -> list[str]:
        """What was in files/ is on the host, now that nothing is mounted."""
        failures = []
        for worker in self.workers:
            if worker.job.place == "files" and worker.last is not None:
                where, seed = worker.last
                there = tree.listing(self.home / "disk" / where.name)
                if differs := tree.difference(worker.wanted[seed], there):
                    failures.append(f"{worker.name}, on the host: {differs}")
        return failures

    def moved(self) -> int:
        """Pages that were moved, of the machine's counters."""
        for line in self.mount.read("vmstat").splitlines():
            if line.startswith("pgmigrate_success "):
                return int(line.split()[1])
        return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/stress", description=__doc__)
    parser.add_argument(
        "seconds", type=float, nargs="?", default=SECONDS, help="for both halves"
    )
    parser.add_argument("--seed", default="", help="of the jobs and of the machine")
    return parser.parse_args()


def main() -> int:
    """Run it. Returns: 0 if nothing failed."""
    options = arguments()
    seed = options.seed or hex(secrets.randbits(32))
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="memfs-stress-") as directory:
        home = Path(directory)
        with mounted(home, seed) as mount:
            stress = Stress(mount, seed, home)
            say("the jobs run on the host first")
            stress.prepare()
            stress.run(options.seconds)
            failures += stress.check()
            moved = stress.moved()
        failures += stress.check_host()
    for failure in failures:
        say(f"FAILED: {failure}")
    done = sum(worker.done for worker in stress.workers)
    say(
        f"{stress.cycler.cycles} node cycles, {moved} pages moved, {done} jobs,"
        f" {len(failures)} failed, seed {seed}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
