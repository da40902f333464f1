"""Row "lsmem": how long `lsmem -s` takes on a mount of 8192 memory blocks.

For each block it opens three files and reads a directory, so what is measured is how
fast names that come and go are looked up. Each round is a mount of its own, of which
nobody has looked at anything: its first run is what the row is about. Beside it stand a
second run, for which the kernel and the shim have kept what they may, and one after a
block has gone offline.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchlib import mounts
from benchlib.row import Bench, Options, Side, Unavailable

BLOCKS = 8192
QUICK_BLOCKS = 64
NODES = 4
BLOCK_MIB = 128
MEMORY = "sys/devices/system/memory"

HEAD = 'name = "lsmem"\nkernel = "6.1"\nblock = "{mib}M"\nswap = "0"\n'
NODE = '[[node]]\nsize = "{mib}M"\n'


class Lsmem:
    """One program, over a mount that each round makes anew."""

    def __init__(self, machine: str, blocks: int) -> None:
        self._machine = machine
        self._blocks = blocks
        self._stack = contextlib.ExitStack()
        self._mount = Path()

    def close(self) -> None:
        """End the mount, if there is one."""
        self._stack.close()

    def first(self) -> float:
        """A run after mounting: seconds of wall clock."""
        self.close()
        made = mounts.memfs("--machine", self._machine)
        self._mount = self._stack.enter_context(made)
        return self.again()

    def again(self) -> float:
        """A run."""
        command = ["lsmem", "-s", str(self._mount), "-a", "-n", "-o", "RANGE"]
        begin = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        taken = time.perf_counter() - begin
        if len(done.stdout.splitlines()) < self._blocks:
            raise RuntimeError(f"lsmem shows fewer than {self._blocks} blocks")
        return taken

    def changed(self) -> float:
        """A run after the last block has gone offline."""
        last = self._mount / MEMORY / f"memory{self._blocks - 1}" / "state"
        last.write_text("offline")
        return self.again()


@contextlib.contextmanager
def opened(options: Options) -> Iterator[Bench]:
    """The row, ready. Raises Unavailable: no FUSE here, no lsmem."""
    if shutil.which("lsmem") is None:
        raise Unavailable("There is no lsmem: sudo apt-get install util-linux.")
    blocks = QUICK_BLOCKS if options.quick else BLOCKS
    node = NODE.format(mib=blocks // NODES * BLOCK_MIB)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(HEAD.format(mib=BLOCK_MIB) + node * NODES)
        file.flush()
        with contextlib.closing(Lsmem(file.name, blocks)) as lsmem:
            yield Bench(
                Side("memfs, first run", lsmem.first),
                pinned=False,
                details={"blocks": blocks},
                beside=(
                    Side("second run", lsmem.again),
                    Side("after a change", lsmem.changed),
                ),
            )
