"""Row "scrape": what a scrape of prometheus-node-exporter takes on the default machine.

Every collector of memory, by the exporter's own root switches. It runs all the time, as
it does in life; a round is some scrapes, each after a change of the machine, and the
figure is their median.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchlib import mounts
from benchlib.row import Bench, Options, Side, Unavailable
from benchlib.zoneinfo import Changing

PROGRAM = "prometheus-node-exporter"
COLLECTORS = (
    *("meminfo", "meminfo_numa", "zoneinfo", "buddyinfo"),
    *("vmstat", "stat", "loadavg", "slabinfo"),
)
SCRAPES = 40
QUICK_SCRAPES = 2
PATIENCE_S = 20


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        data: bytes = answer.read()
        return data


@contextlib.contextmanager
def _exporter(mount: Path) -> Iterator[str]:
    # Where its figures are.
    port = _free_port()
    command = [
        PROGRAM,
        f"--path.procfs={mount}/proc",
        f"--path.sysfs={mount}/sys",
        "--collector.disable-defaults",
        *(f"--collector.{name}" for name in COLLECTORS),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=null, stderr=null) as process:
        url = f"http://127.0.0.1:{port}/metrics"
        try:
            _wait_for(url)
            yield url
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            text = _get(url).decode()
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    failed = [n for n in COLLECTORS if f'success{{collector="{n}"}} 1' not in text]
    if failed:
        raise RuntimeError(f"collectors failed: {', '.join(failed)}")


class Scrapes:
    """Scrapes, and changes between them."""

    def __init__(self, mount: Path, url: str, scrapes: int) -> None:
        self._changing = Changing(mount)
        self._url = url
        self._scrapes = scrapes

    def measure(self) -> float:
        """One round: milliseconds of wall clock, the median."""
        taken = []
        for _ in range(self._scrapes):
            self._changing.change()
            begin = time.perf_counter_ns()
            _get(self._url)
            taken.append(time.perf_counter_ns() - begin)
        return statistics.median(taken) / 1e6


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE here, no exporter."""
    if shutil.which(PROGRAM) is None:
        raise Unavailable(f"There is no {PROGRAM}: sudo apt-get install {PROGRAM}.")
    scrapes = QUICK_SCRAPES if options.quick else SCRAPES
    with mounts.memfs() as mount, _exporter(mount) as url:
        yield Bench(
            Side("memfs", Scrapes(mount, url, scrapes).measure),
            pinned=False,
            details={"collectors": list(COLLECTORS)},
        )
