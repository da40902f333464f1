"""Nodes are disabled, remapped, unplugged, plugged and enabled without pause."""

from __future__ import annotations

import errno
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from memfs.client import ClientError, Mount

PATIENCE_S = 120  # for one zone to be empty


class Stuck(Exception):
    """A node that does not go."""


@dataclass
class Cycler:
    """Takes one node after the other away and brings it back.

    Attributes:
        cycles: nodes that went and came back.
        tries: remaps that left something, and were repeated.
        failures: what went wrong; it stops at the first.
    """

    mount: Mount
    nodes: tuple[int, ...]
    cycles: int = 0
    tries: int = 0
    failures: list[str] = field(default_factory=list)

    def work(self, stop: threading.Event) -> None:
        """Cycle until told to stop."""
        turn = 0
        while not stop.is_set() and not self.failures:
            nid = self.nodes[turn % len(self.nodes)]
            turn += 1
            try:
                self.cycle(nid)
            except (Stuck, ClientError, OSError) as error:
                self.failures.append(f"node {nid}: {error}")
                return
            self.cycles += 1

    def cycle(self, nid: int) -> None:
        """One node.

        Raises:
            Stuck: it does not get empty in time.
            OSError: a command is refused that must not be.
        """
        self.write(f"disable {nid}")
        for zone in self.zones(nid):
            self.empty(zone)
        self.write(f"unplug {nid}")
        if Path(self.mount.path, f"node{nid}").exists():
            raise Stuck("its directory is still there")
        self.write(f"plug {nid}")
        self.write(f"enable {nid}")

    def empty(self, zone: int) -> None:
        """``until echo remap Z; do :; done``, with an end to patience."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.write(f"remap {zone}")
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > end:
                    raise
            self.tries += 1

    def write(self, command: str) -> None:
        """One command.

        Raises:
            OSError: its errno, with the command in it.
        """
        try:
            Path(self.mount.path, "memhotplug").write_text(f"{command}\n")
        except OSError as error:
            last = self.mount.read("kmsg").splitlines()[-1]
            raise OSError(error.errno, f"{error.strerror} ({last})") from None

    def zones(self, nid: int) -> list[int]:
        """The zones of a node, by the listing."""
        lines = Path(self.mount.path, "memhotplug").read_text().splitlines()
        found, inside = [], False
        for line in lines:
            if line.startswith("Node "):
                inside = int(line.split()[1]) == nid
            elif inside and line.startswith("\t"):
                found.append(int(line.partition("[")[2].partition("]")[0]))
        return found
