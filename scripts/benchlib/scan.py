"""Row "scan": the inactive list from tail to head, beside the same on linked lists.

Two C programs do the same to 2^24 pages (64 GiB) in one random order: the product's
vm_shrink(), linked with the core as it is, and the kernel's way with links in the
pages. Each prints what it decided and a hash of the lists that it left; they have
to agree. Each runs in a process of its own, with the host's huge pages behind the
array of pages, as a machine of this size has them. Beside them stands a bare loop over
an array, which is the most that the host can give, and ``details`` has the lists'
figure without huge pages.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchlib import build, instructions
from benchlib.row import Bench, Count, Options, Side

LOG2_PAGES = 24
QUICK_LOG2_PAGES = 16
COUNT_LOG2_PAGES = 20
# What vm_shrink() calls that is not the scan: scan_ring.c has stand-ins.
WRAPPED = ("vm_cache_remove", "vm_free_page_in", "vm_writepage")


def ring_program() -> Path:
    """The product's scan."""
    sources = build.core_sources()
    wrap = "-Wl," + ",".join(f"--wrap={name}" for name in WRAPPED)
    return build.program(
        "scan_ring", [build.SOURCES / "scan_ring.c", *sorted(sources)], libs=[wrap]
    )


def list_program() -> Path:
    """The same scan over linked lists."""
    return build.program("scan_list", [build.SOURCES / "scan_list.c"])


class Scan:
    """One of the two programs."""

    def __init__(
        self, program: Path, log2_pages: int, seen: dict[str, int], word: str = "scan"
    ) -> None:
        self._program = program
        self._log2 = log2_pages
        self._word = word
        self._seen = seen

    def measure(self) -> float:
        """One round: pages looked at per microsecond of CPU time (Mpages/s).

        Raises:
            RuntimeError: it decided otherwise than a round before.
        """
        done = subprocess.run(
            [self._program, str(self._log2), self._word],
            check=True,
            capture_output=True,
            text=True,
        )
        lines = (line.split() for line in done.stdout.splitlines())
        outcome = {name: int(value) for name, value in lines}
        spent = outcome.pop("cpu_ns")
        if self._seen.setdefault("hash", outcome["hash"]) != outcome["hash"]:
            raise RuntimeError(f"{self._program.name} left other lists: {outcome}")
        self._seen.update(outcome)
        return (1 << self._log2) * 1000 / spent


def _counts(ring: Path, linked: Path) -> list[Count]:
    log2 = str(COUNT_LOG2_PAGES)
    counts: list[Count] = []
    for label, path in (("rings", ring), ("linked lists", linked)):
        program = str(path)
        counts += instructions.difference(
            label,
            [program, log2, "scan"],
            [program, log2, "build"],
            1 << COUNT_LOG2_PAGES,
            "page",
        )
    return counts


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no C compiler."""
    log2 = QUICK_LOG2_PAGES if options.quick else LOG2_PAGES
    ring, linked = ring_program(), list_program()
    seen: dict[str, int] = {}
    small = Scan(linked, log2, seen, "small").measure()
    bare = build.program("scan_bare", [build.SOURCES / "scan_bare.c"])
    yield Bench(
        Side("memfs, rings and prefetch", Scan(ring, log2, seen).measure),
        Side("linked lists", Scan(linked, log2, seen).measure),
        lambda: _counts(ring, linked),
        details={
            "pages": 1 << log2,
            "outcome": seen,
            "linked_lists_without_huge_pages_mpages_s": small,
        },
        beside=(Side("the host's limit, a bare loop", Scan(bare, log2, seen).measure),),
    )
