"""Bytes thrown at every file of a mount: an errno and a line, or success; no third.

The machine stands still (``--clock manual``), so that whatever differs after a write
was its doing. What is drawn depends on the seed alone; each seed is a test.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import re
from collections import defaultdict
from pathlib import Path

import pytest
from mounting import MEMFS, mounted

pytestmark = pytest.mark.mount

MACHINE = """
kernel = "2.6.7"
lowmem = "48M"
[[node]]
size = "64M"
[[node]]
size = "64M"
[[node]]
size = "64M"
plugged = false
"""
WRITES = 700
# What tells of the machine, in few words.
TOLD = """memhotplug meminfo zoneinfo buddyinfo vmstat swaps control/clock control/disk
    control/faults control/migration control/tasks""".split()

# Right words, some of which a draw leaves as they are: a machine that never changes
# would show little.
WORDS = {
    "memhotplug": """disable 5/enable 5/purge 5/disable 1/enable 1/plug 2/enable 2/
        disable 2/unplug 2/unplug 1/plug 1/inuse 1/active 5/remap 5/remap 5 check/
        remap 5 to 0/disable zone 6""",
    "control/clock": "advance=1ms/to=1s/mode=manual",
    "control/disk": "latency=1ms/bandwidth=1G/requests=128 readahead=0",
    "control/cancel": "1/all",
    "control/tasks": "mmap anon 1M/touch 1 write once/munmap 1/mmap file files/x 4K",
    "control/why": "zone=5/node=1/memory=3",
    "memoryN/state": "online/offline/online_movable",
}
BITS = [
    b"5",
    b"-1",
    b"11",
    b"0x",
    b"9" * 20,
    b"=",
    b"\n",
    b" ",
    b"\0",
    b"\xff",
    b"zone",
]
SIZES = (0, 1, 2, 63, 64, 65, 4095, 4096, 4097, 70_000)
FLAGS = (
    *(os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_APPEND),
    *(os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_NONBLOCK | os.O_SYNC),
    *(os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY),
    *(os.O_RDWR | os.O_TMPFILE, os.O_PATH, os.O_ACCMODE, os.O_RDWR | os.O_DIRECT),
)
# These may have done a part of what was asked before they gave up, and say so.
IN_PART = {
    ("memhotplug", errno.EBUSY),
    ("memhotplug", errno.ENOMEM),
    ("memoryN/state", errno.EBUSY),
    ("memoryN/online", errno.EBUSY),
}


def kind(name: str) -> str:
    """One name for all files of a kind, as WORDS has it."""
    numberless = re.sub(r"\d+", "N", name)
    return "/".join(numberless.split("/")[-2:])


def targets(root: Path) -> dict[str, list[str]]:
    """Every file but those of the volumes, by kind."""
    found = defaultdict(list)
    for where, dirs, names in os.walk(root):
        if Path(where) == root:
            dirs[:] = [name for name in dirs if name not in ("files", "shm")]
        for name in names:
            path = str((Path(where) / name).relative_to(root))
            found[kind(path)].append(path)
    return {name: sorted(paths) for name, paths in sorted(found.items())}


def draw(rng: random.Random, name: str) -> bytes:
    """Something to write: right words, nearly right ones, bits of words, noise."""
    chance = rng.random()
    if name in WORDS and chance < 0.6:
        text = bytearray(rng.choice(WORDS[name].split("/")).strip(), "ascii")
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(text))
            text[at : at + rng.randrange(2)] = rng.choice([*BITS, rng.randbytes(1)])
        return bytes(text)
    if chance < 0.8:
        return b"".join(rng.choices(BITS, k=rng.randrange(1, 6)))
    return rng.randbytes(rng.choice(SIZES))


def told(root: Path, name: str) -> dict[str, bytes]:
    """What the mount tells of the machine, and *name* of itself if it can be set."""
    seen = {}
    own = [name] if (root / name).stat().st_mode & 0o222 else []
    for one in (*TOLD, *own):
        with contextlib.suppress(PermissionError):
            seen[one] = (root / one).read_bytes()
    return seen


def attack(rng: random.Random, path: Path, data: bytes, flags: int) -> int | None:
    """Open and write. Returns: the errno of a write that was refused, else 0; None
    when it did not come to a write."""
    try:
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        if rng.random() < 0.1:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, rng.choice([0, 5, 1 << 40]))
        os.pwrite(fd, data, rng.choice([0, 0, 1, 4096, 1 << 40]))
    except OSError as error:
        return None if error.errno == errno.EBADF else error.errno
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)
    return 0


@pytest.mark.parametrize("seed", range(3))
def test_what_is_refused_changes_nothing_and_has_a_line(tmp_path, seed):
    """And the daemon lives, with every invariant whole."""
    machine = tmp_path / "machine.toml"
    machine.write_text(MACHINE)
    options = ["--clock", "manual", "--machine", str(machine)]
    rng = random.Random(seed)
    with mounted(tmp_path, command=MEMFS, options=options) as mount:
        root = mount.path
        (root / "files/x").write_bytes(bytes(1 << 20))
        found = targets(root)
        outcomes = defaultdict(int)
        for _ in range(WRITES):
            # Every second one at what has a grammar.
            name = rng.choice(
                rng.choice([list(found), [n for n in WORDS if n in found]])
            )
            path = rng.choice(found[name])
            data, flags = draw(rng, name), rng.choice([*FLAGS[:4] * 4, *FLAGS])
            before, kmsg = told(root, path), (root / "kmsg").read_bytes()
            code = attack(rng, root / path, data, flags)
            outcomes[code] += 1
            if not code:
                continue
            what = f"{path}: {data[:80]!r}, {errno.errorcode[code]}"
            if not path.startswith("proc/") or path.startswith("proc/sys/"):
                assert (root / "kmsg").read_bytes() != kmsg, what
            if (name, code) not in IN_PART:
                assert told(root, path) == before, what
        # The draws are good for something: much is refused, not all.
        assert outcomes[0] > 25
        assert outcomes[errno.EINVAL] > 100
        assert len(outcomes) > 4
        mount.write("control/validate", "1")
        assert (root / "control/validate").read_text() == "ok\n"
