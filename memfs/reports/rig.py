"""A machine for a report: node 0 full of ballast, work in the background, purges.

Drives ``memfs.vm`` directly, so that every figure is deterministic. No mount, no
wall clock. One thread; the scheduler interleaves the work with the purges.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from memfs.reports.results import MAX_PURGES, Purge
from memfs.vm import Layout, Machine
from memfs.vm.readahead import ReadAhead
from memfs.vm.sched import NS_PER_MS, Until

if TYPE_CHECKING:
    from memfs.vm.pagecache import PageFile
    from memfs.vm.sched import Job, Op

PAGE = 4096
CHUNK = 1 << 20
# Somebody types the next purge: time for writes to end and for the work to go on.
PAUSE_NS = 50 * NS_PER_MS


class Scratch:
    """The owner of a file of the report: a sparse file in the host's memory."""

    def __init__(self, name: str, nbytes: int) -> None:
        self.name = name
        # Reading a hole of a memfd costs the host no memory.
        self._fd = os.memfd_create(f"memfs-report-{name}")
        os.truncate(self._fd, nbytes)

    def need_fd(self) -> int:
        """The descriptor, open as long as the file is."""
        return self._fd

    def io_idle(self) -> None:
        """Nothing is to be closed before the end."""

    def label(self) -> str:
        """What status calls the file."""
        return self.name

    def close(self) -> None:
        """Give its space back."""
        os.close(self._fd)


class Rig:
    """A machine, its scratch files and its background work."""

    def __init__(self, machine: str, zid: int) -> None:
        self.machine = Machine(Layout.builtin(machine))
        self.zid = zid
        self._scratch: list[Scratch] = []
        self._work: list[Job] = []
        self._base = 0

    def __enter__(self) -> Rig:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.machine.close()
        for scratch in self._scratch:
            scratch.close()

    # What there is.

    @property
    def used(self) -> int:
        """Pages of the zone that are not free."""
        zone = self.machine.zones[self.zid]
        return zone.managed - self.machine.zone_stat(self.zid).free

    @property
    def own(self) -> int:
        """Pages of the zone that the row brought in after the ballast."""
        return self.used - self._base

    # What is done.

    def run(self, op: Op[Any], name: str) -> Any:
        """Run an operation to its end, the background work with it."""
        return self.machine.sched.run(op, name)

    def pause(self, ns: int = PAUSE_NS) -> None:
        """Let time pass."""

        def sleep() -> Generator[Any, None, None]:
            yield Until(self.machine.now + ns)

        self.run(sleep(), "pause")

    def start(self, op: Op[Any], name: str) -> None:
        """Start work that goes on while the rest happens."""
        self._work.append(self.machine.sched.spawn(op, name=name))

    def stop(self) -> None:
        """Stop the work and wait for its end."""
        for job in self._work:
            self.machine.sched.cancel(job)
        while not all(job.done for job in self._work):
            self.pause(NS_PER_MS)
        self._work = []

    def file(self, name: str, nbytes: int) -> PageFile:
        """A file of *nbytes* on the disk, none of it in memory."""
        scratch = Scratch(name, nbytes)
        self._scratch.append(scratch)
        return self.machine.files.create("file", scratch, nbytes)

    def shm(self, name: str) -> PageFile:
        """An empty file of tmpfs."""
        scratch = Scratch(name, 0)
        self._scratch.append(scratch)
        return self.machine.files.create("shm", scratch)

    def read_through(self, page_file: PageFile, until: Callable[[], bool]) -> None:
        """Read a file from its beginning until *until* says that it is enough."""
        ahead = ReadAhead()
        for offset in range(0, page_file.size, CHUNK):
            if until():
                return
            self.run(page_file.read(offset, CHUNK, ahead), "read")

    def ballast(self) -> None:
        """Fill node 0 with the pages of a file, until they go to another node."""
        node = self.machine.nodes[0]
        pages = sum(zone.present for zone in node.zones)
        full = self.file("ballast", pages * PAGE)
        self.read_through(full, lambda: self.used > 0)
        self._base = self.used

    def disable(self) -> None:
        """Close the zone's gate."""
        self.run(self.machine.disable_zone(self.zid), f"disable {self.zid}")

    def without(self, *rules: str) -> None:
        """Take rules about closed gates out of RULES, from now on."""
        self.machine.use_rules(self.machine.rules.without(*rules))

    def purge(self) -> Purge:
        """Purge the zone once."""
        before = self.used
        refilled = self.machine.events()["pgrefill"]
        done = self.run(self.machine.purge(self.zid), f"purge {self.zid}")
        refilled = self.machine.events()["pgrefill"] - refilled
        return Purge(before, self.used, done.scanned, done.freed, refilled)

    def purge_until_empty(self, most: int = MAX_PURGES) -> list[Purge]:
        """Purge until the zone is empty, at most *most* times, with pauses."""
        done = [self.purge()]
        while done[-1].after and len(done) < most:
            self.pause()
            done.append(self.purge())
        return done

    def why(self) -> dict[str, int]:
        """Why each page that stays stays, most first."""
        found = self.run(self.machine.why(self.zid), "why")
        there = {str(name): number for name, number in found.items() if number}
        return dict(sorted(there.items(), key=lambda pair: (-pair[1], pair[0])))
