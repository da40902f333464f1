"""A directory that looks like a mount: plain files, and commands that are recorded.

The listing is the one of Iwamoto's mail (LKML 2004-04-06), with a TAB before each
zone line. ``FakeMachine`` answers purge by letting pages go, as a test says.
"""

from __future__ import annotations

import errno
from pathlib import Path

from memfs.client import Mount

LISTING_2004 = (
    "Node 0 enabled nonhotremovable\n"
    "\tDMA[0]: free 250, active 940, present 4096\n"
    "\tNormal[1]: free 307, active 101623, present 126976\n"
    "\n"
    "Node 1 disabled hotremovable\n"
    "\tNormal[5]: free 336, active 9287, present 83968\n"
    "\tHighMem[6]: free 88, active 14406, present 45056\n"
    "\n"
)


def make_mount(root: Path) -> Path:
    """The files that the client reads, as plain files below *root*."""
    (root / "control").mkdir(parents=True)
    (root / "files").mkdir()
    (root / "memhotplug").write_text(LISTING_2004)
    (root / "meminfo").write_text("MemTotal:  507904 kB\nHugePages_Free:   3\n")
    (root / "kmsg").write_text("")
    (root / "status").write_text("machine name=2004\n")
    return root


class FakeMachine:
    """What memhotplug does for a test: each purge of zone 5 leaves what is said."""

    def __init__(self, root: Path, left: list[int], why: str = "") -> None:
        self.root = root
        self.left = list(left)
        self.why = why
        self.commands: list[str] = []

    def write(self, mount: Mount, name: str, text: str) -> None:
        """Stand in for Mount.write."""
        self.commands.append(text.rstrip("\n"))
        if text.rstrip("\n") != "purge 5":
            log = self.root / "kmsg"
            log.write_text(
                f"<3>[    1.000000] {text.strip()}: no such thing (ENODEV)\n"
            )
            raise OSError(errno.ENODEV, "No such device")
        left = self.left.pop(0)
        line = f"\tNormal[5]: free {83968 - left}, active 0, present 83968"
        listing = self.root / "memhotplug"
        lines = listing.read_text().splitlines()
        lines = [line if "[5]" in old else old for old in lines]
        listing.write_text("\n".join(lines) + "\n")
        number = len(self.commands)
        status = f'last {number} "purge 5" freed=1 left={left} result=0\n{self.why}'
        (self.root / "status").write_text(status)
