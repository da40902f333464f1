"""tests/fsx.py at length: 200,000 operations on files/ and shm/ while zones are purged
and remapped.

The seed is fixed; which operations meet which purge is not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_mount_files import memfs

pytestmark = [pytest.mark.mount, pytest.mark.slow]

OPS = 25_000  # of each process
PROCESSES = 4  # in each place
PLACES = {"files": 1, "shm": 100}  # and the first seed there
PATIENCE_S = 900

# Zones as the default machine has them, and what the files need several times over: of
# a small machine every command's check of all invariants takes a few milliseconds.
MACHINE = """
name = "fsx"
kernel = "2.6.7"
lowmem = "48M"
swap = "64M"
[[node]]
size = "32M"
[[node]]
size = "32M"
"""

PURGES = """
    while [ -e "$1" ]; do
        for command in "disable 5" "purge 5" "enable 5" "purge 1" "disable 6" \
            "purge 6" "enable 6"; do
            echo "$command" > "$M/memhotplug"
        done
        for command in "disable 5" "remap 5" "enable 5"; do
            echo "$command" > "$M/memhotplug" 2>/dev/null || true  # some may stay
        done
        sleep 0.25  # so that the operations get somewhere
    done
"""


def test_two_hundred_thousand_operations(tmp_path):
    (machine := tmp_path / "fsx.toml").write_text(MACHINE)
    mount = memfs(tmp_path, "--machine", str(machine))
    (go := tmp_path / "go").touch()
    fsx = [sys.executable, str(Path(__file__).with_name("fsx.py"))]
    options = [f"--ops={OPS}", f"--procs={PROCESSES}", "--size=300000"]
    try:
        purges = mount.client(f"set -e -- {go}\n{PURGES}")
        running = [
            subprocess.Popen(
                [*fsx, mount / place, *options, f"--seed={seed}"],
                stderr=subprocess.PIPE,
                text=True,
            )
            for place, seed in PLACES.items()
        ]
        told = [process.communicate(timeout=PATIENCE_S)[1] for process in running]
        go.unlink()
        assert [process.returncode for process in running] == [0] * len(PLACES), told
        assert purges.wait(60) == 0
        mount.write("control/validate", "1")
        assert (mount / "control" / "validate").read_text() == "ok\n"
        mount.finish()
    finally:
        mount.destroy()
