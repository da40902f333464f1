"""Row "lsmem": how long `lsmem -s` takes on a mount of 8192 memory blocks.

For each block it opens three files and reads a directory, so what is measured is how
fast names that come and go are looked up. Each round is a new process; what the
kernel remembers of the names is what it remembers between any two.
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

HEAD = 'name = "lsmem"\nkernel = "6.1"\nblock = "{mib}M"\nswap = "0"\n'
NODE = '[[node]]\nsize = "{mib}M"\n'


class Lsmem:
    """One program over one mount."""

    def __init__(self, mount: Path, blocks: int) -> None:
        self._command = ["lsmem", "-s", str(mount), "-a", "-n", "-o", "RANGE"]
        self._blocks = blocks

    def measure(self) -> float:
        """One round: seconds of wall clock."""
        begin = time.perf_counter()
        done = subprocess.run(self._command, check=True, capture_output=True, text=True)
        taken = time.perf_counter() - begin
        if len(done.stdout.splitlines()) < self._blocks:
            raise RuntimeError(f"lsmem shows fewer than {self._blocks} blocks")
        return taken


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
        with mounts.memfs("--machine", file.name) as mount:
            yield Bench(
                Side("memfs", Lsmem(mount, blocks).measure),
                pinned=False,
                details={"blocks": blocks},
            )
