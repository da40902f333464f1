"""Row "fault": a page of a mapped file is touched after the kernel gave it back.

A process maps a file and touches its pages, in random order and without read-ahead.
Then the kernel's copies go, and the touches after that are timed: a major fault, a
request, the page out of the model, the reply. They go here by a write through another
descriptor, which has the kernel drop what is mapped, as a revocation has: the pages
stay in the model, and the C program can be asked for the same.

Shown beside: the same after a purge, which revokes every page and takes it out of the
model, too. Both disks take no time, so what is added is that the page is read from
the host's file.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchlib import build
from benchlib.beside import Places, filled, places
from benchlib.row import Bench, Options, Side

MIB = 32
QUICK_MIB = 2
PURGES = 20
FAST = ("latency=0", "bandwidth=1T", "swap.latency=0", "swap.bandwidth=1T")


def _microseconds(output: str) -> float:
    seen = dict(line.split() for line in output.splitlines())
    return int(seen["ns"]) / int(seen["pages"]) / 1e3


def _rewritten(program: Path, path: Path) -> float:
    command = [str(program), str(path), "rewrite"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return _microseconds(done.stdout)


def _resident(path: Path) -> int:
    # Pages of a file that the real kernel has, by its own account.
    done = subprocess.run(
        ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout) // 4096


class Revoked:
    """The process, and the purge that takes its pages."""

    def __init__(self, program: Path, path: Path, mount: Path) -> None:
        self._command = [str(program), str(path), "wait"]
        self._path = path
        self._memhotplug = mount / "memhotplug"

    def _tell(self, command: str) -> None:
        self._memhotplug.write_text(command + "\n")

    def _purge(self) -> None:
        zones = (5, 6)
        for zone in zones:
            self._tell(f"disable zone {zone}")
        for _ in range(PURGES):
            for zone in zones:
                self._tell(f"purge {zone}")
        for zone in zones:
            self._tell(f"enable zone {zone}")

    def measure(self) -> float:
        """One round: microseconds a page."""
        pipe = subprocess.PIPE
        with subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            self._purge()
            left = _resident(self._path)
            if left:
                raise RuntimeError(f"{left} pages were not taken back")
            return _microseconds(process.communicate("\n")[0])


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE here, no compiler."""
    mib = QUICK_MIB if options.quick else MIB
    program = build.program("fault_loop", [build.SOURCES / "fault_loop.c"])
    with places() as where:
        yield _bench(program, where, mib)


def _bench(program: Path, where: Places, mib: int) -> Bench:
    for line in FAST:
        (where.control / "disk").write_text(line + "\n")

    def dropped(label: str, directory: Path) -> Side:
        path = filled(directory / "dropped", mib)
        return Side(label, lambda: _rewritten(program, path))

    purged = filled(where.files / "purged", mib)
    revoked = Revoked(program, purged, where.control.parent)
    return Bench(
        dropped("memfs, files/", where.files),
        beside=(
            dropped("memfs, shm/", where.shm),
            dropped("C, libfuse low level", where.c_files),
            Side("memfs, after a purge", revoked.measure),
        ),
        pinned=False,
        details={"mib": mib},
    )
