"""What ``memfs purge`` and ``memfs remap`` draw on a terminal while they wait."""

from __future__ import annotations

import os
import re
import sys

import pytest
from mounting import MEMFS, PATIENCE_S, mounted
from terminal import plays

pytestmark = pytest.mark.mount

PAGES = 4096
BAR = re.compile(r"(?:purge|remap) \w+\[\d\] \S+ +(\d+)% pages left: ([\d,]+)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def full(tmp_path):
    """A mount with 4096 dirty anonymous pages in zone 6, and a swap that is slow.

    What is written at once is 8 requests of at most 32 pages, 50 ms each: no less
    than 16 times of 50 ms until all of them are out.
    """
    with mounted(tmp_path, command=MEMFS) as mount:
        mount.write("control/disk", "swap.latency=50ms\nswap.requests=8\n")
        task = os.open(mount / "control/tasks", os.O_RDWR)
        os.write(task, b"mmap anon %d" % (PAGES * 4096))
        os.write(task, b"touch 1 write")
        mount.write("memhotplug", "disable 6")
        yield mount
        os.close(task)


def memfs(mount, *words, wanted, keys=b""):
    """What the command draws, and its exit status."""
    command = [sys.executable, "-m", "memfs", words[0], "--mount", str(mount.path)]
    text, status = plays([*command, *words[1:]], wanted, keys, PATIENCE_S)
    return COLOUR.sub("", text), status


def bars(text):
    """Each bar as drawn: the percentage, and the pages that are left."""
    found = (match.groups() for match in BAR.finditer(text))
    return [(int(part), int(left.replace(",", ""))) for part, left in found]


def test_a_purge_draws_a_bar_that_moves(full):
    """From all of the pages to none, while it runs; then what it came to."""
    text, status = memfs(full, "purge", "6", wanted=["freed by"])
    drawn = bars(text)

    assert status == 0
    assert drawn[0][1] >= PAGES
    assert drawn[-1] == (100, 0)
    assert drawn == sorted(drawn, key=lambda bar: -bar[1])
    between = {left for _, left in drawn if 0 < left < PAGES}
    assert len(between) >= 2
    assert re.search(r"HighMem\[6\]: [\d,]+ \(.*\) freed by \d+ purges?, 0 ", text)
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)


def test_a_key_ends_a_purge_that_is_drawn(full):
    """Ctrl-C: the cursor is back, the table says what stays, the status is 130."""
    text, status = memfs(full, "purge", "6", wanted=["pages left"], keys=b"\x03")

    assert status == 130
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    assert re.search(r"freed by 0 purges, [\d,]+ \(.*\) stay", text)
    assert "Traceback" not in text
    full.write("control/validate", "1")
    assert (full / "control/validate").read_text() == "ok\n"


NO_SWAP = """\
kernel = "2.6.7"
swap = "0"
[[node]]
size = "32M"
[[node]]
size = "32M"
"""


def test_what_stays_is_a_table_on_a_terminal(tmp_path):
    """Pages that have nowhere to go: the reason, how many, what it means."""
    box = tmp_path / "box.toml"
    box.write_text(NO_SWAP)
    options = ("--machine", str(box), "--clock", "manual")
    with mounted(tmp_path, command=MEMFS, options=options) as mount:
        task = os.open(mount / "control/tasks", os.O_RDWR)
        os.write(task, b"mmap anon 1M")
        os.write(task, b"touch 1 write")
        mount.write("memhotplug", "disable 5")
        text, status = memfs(mount, "purge", "--empty", "5", wanted=["no swap space"])
        os.close(task)

    assert status == 1
    assert bars(text)[-1] == (0, 256)
    assert re.search(r"256 \(1,024 KiB\) stay", text)
    assert re.search(r"no_swap +256 +anonymous, and there is no swap space left", text)
