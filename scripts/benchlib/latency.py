"""Rows "latency": one reader of memhotplug while 16 GiB are purged, or remapped.

The zone is full of anonymous pages and closed. Its swap disk takes no time, so that
the daemon has work to do all the while instead of waiting for a device. A process of
its own opens, reads and closes memhotplug, pauses, and notes how long each took.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchlib import mounts
from benchlib.row import Bench, Options, Side

ZONE_MIB = 16384
QUICK_ZONE_MIB = 256
SPARE_MIB = 64
PAUSE_S = 0.001
ZONE = 6  # HighMem of node 1: node * 4 + 2

MACHINE = """
name = "latency"
kernel = "2.6.7"
lowmem = "512M"
swap = "{swap}M"
[[node]]
size = "512M"
[[node]]
size = "{zone}M"
"""
EMPTY_NODE = """
[[node]]
size = "{zone}M"
"""


def reader(path: str) -> None:
    """Read `path` until the standard input ends; print each time taken, in us."""
    over = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    taken = []
    print("READY", flush=True)
    while not over.is_set():
        begin = time.perf_counter_ns()
        with open(path, "rb", buffering=0) as file:
            file.read(1 << 16)
        taken.append(time.perf_counter_ns() - begin)
        time.sleep(PAUSE_S)
    print(*(ns // 1000 for ns in taken), flush=True)


@contextlib.contextmanager
def reading(path: Path, into: list[int]) -> Iterator[None]:
    """A reader beside what is done inside; its times are added to `into`."""
    command = [sys.executable, "-m", "benchlib.latency", str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        into += map(int, process.communicate()[0].split())


def percentile(values: list[int], percent: float) -> float:
    """The value that `percent` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Emptied:
    """A mount whose zone is filled and emptied by `verb`, with a reader beside it."""

    def __init__(
        self, verb: str, mount: Path, mib: int, details: dict[str, object]
    ) -> None:
        self._verb = verb
        self._mount = mount
        self._mib = mib
        self._details = details
        details["rounds"] = []

    def _command(self, text: str) -> None:
        (self._mount / "memhotplug").write_text(text)

    def _free(self) -> int:
        for line in (self._mount / "memhotplug").read_text().splitlines():
            if f"[{ZONE}]" in line:
                return int(line.split("free ")[1].split(",")[0])
        raise RuntimeError(f"memhotplug shows no zone {ZONE}")

    @contextlib.contextmanager
    def _filled(self) -> Iterator[None]:
        command = [*mounts.MEMFS, "hog", "--mount", str(self._mount)]
        command += ["anon", f"{self._mib}M", "--touch", "write,once"]
        before = self._free()
        with subprocess.Popen(command) as hog:
            try:
                wanted = before - (self._mib << 8)
                while self._free() > max(wanted, 0) + 4096:
                    if hog.poll() is not None:
                        raise RuntimeError("the task that fills the zone has ended")
                    time.sleep(0.05)
                yield
            finally:
                hog.terminate()

    def measure(self) -> float:
        """One round: p99 of the reader's times, in milliseconds."""
        times: list[int] = []
        with self._filled():
            before = self._free()
            self._command(f"disable {ZONE}\n")
            with reading(self._mount / "memhotplug", times):
                begin = time.perf_counter()
                self._command(f"{self._verb} {ZONE}\n")
                seconds = time.perf_counter() - begin
            freed = self._free() - before
            self._command(f"enable {ZONE}\n")
        self._note(times, freed, seconds)
        return percentile(times, 99) / 1000

    def _note(self, times: list[int], freed: int, seconds: float) -> None:
        rounds = self._details["rounds"]
        assert isinstance(rounds, list)
        rounds.append(
            {
                "reads": len(times),
                "p50_ms": statistics.median(times) / 1000,
                "p99_ms": percentile(times, 99) / 1000,
                "max_ms": max(times) / 1000,
                "pages_freed": freed,
                "seconds": seconds,
            }
        )


@contextlib.contextmanager
def _opened(verb: str, text: str, options: Options) -> Iterator[Bench]:
    mib = QUICK_ZONE_MIB if options.quick else ZONE_MIB
    details: dict[str, object] = {"zone_mib": mib}
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as machine:
        machine.write(text.format(zone=mib, swap=2 * mib))
        machine.flush()
        with mounts.memfs("--machine", machine.name) as mount:
            for line in ("swap.latency=0", "swap.bandwidth=1T"):
                (mount / "control" / "disk").write_text(line + "\n")
            emptied = Emptied(verb, mount, mib - SPARE_MIB, details)
            ours = Side(f"p99 beside a {verb}", emptied.measure)
            yield Bench(ours, pinned=False, details=details)


def purge_opened(options: Options) -> AbstractContextManager[Bench]:
    """Row "latency", ready. Raises Unavailable: no FUSE here."""
    return _opened("purge", MACHINE, options)


def remap_opened(options: Options) -> AbstractContextManager[Bench]:
    """Row "latency-remap", ready: there is a node for what moves."""
    return _opened("remap", MACHINE + EMPTY_NODE, options)


if __name__ == "__main__":
    reader(sys.argv[1])
