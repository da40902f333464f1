"""The row that needs real programs: cksum of a file of 1 GiB on a real mount.

Mounts a machine of its own through the command line, reads the file through it
with cksum, empties the zone, and reads it again: the sum must be the same, now
through other zones. Everything goes through ``memfs.client``, as in a shell.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memfs.client import ClientError, Mount
from memfs.reports.results import Purge, Row

MIB = 1 << 20
FILE_MIB = 1024
TIMEOUT_S = 300
HOST_MEMORY_DIR = "/dev/shm"


def memfs(*words: str) -> None:
    """Run the command line.

    Raises:
        ClientError: it failed; what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "memfs", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().removeprefix("memfs: ")
        raise ClientError(f"memfs {words[0]}: {said or done.returncode}")


def roomy_directory() -> str | None:
    """Where 2 GiB are written fast: memory, if there is room; None: the default."""
    try:
        room = os.statvfs(HOST_MEMORY_DIR)
    except OSError:
        return None
    enough = room.f_bavail * room.f_frsize >= 4 * FILE_MIB * MIB
    return HOST_MEMORY_DIR if enough else None


def make_files(disk: Path) -> None:
    """What lies on the machine's disk: the file, and ballast for node 0."""
    block = bytearray(bytes(range(256)) * (MIB // 256))
    with open(disk / "1gb_size_file", "wb") as out:
        for number in range(FILE_MIB):
            # No two pages at one place of two blocks are the same.
            for page in range(0, MIB, 4096):
                block[page : page + 8] = (number << 20 | page).to_bytes(8, "little")
            out.write(block)
    with open(disk / "ballast", "wb") as out:
        out.truncate(FILE_MIB * MIB)


def cksum(path: Path) -> str:
    """What cksum(1) says of the bytes of a file."""
    with open(path, "rb") as data:
        done = subprocess.run(
            ["cksum"], stdin=data, capture_output=True, check=True, timeout=TIMEOUT_S
        )
    return done.stdout.decode().strip()


@contextmanager
def mounted(machine: str, disk: Path) -> Iterator[Mount]:
    """A machine with a manual clock on a mount point of its own."""
    with tempfile.TemporaryDirectory(prefix="memfs-report-") as scratch:
        point = Path(scratch) / "mnt"
        point.mkdir()
        settings = ("--machine", machine, "--clock", "manual", "--files", str(disk))
        memfs("mount", *settings, str(point))
        try:
            yield Mount(point)
        except BaseException:
            memfs("umount", "--lazy", str(point))
            raise
        memfs("umount", str(point))


class Watch:
    """Counts what happens to one zone."""

    def __init__(self, mount: Mount, zid: int) -> None:
        self.mount = mount
        self.zid = zid

    def used(self) -> int:
        """Pages of the zone that are not free."""
        zone = self.mount.zone(self.zid)
        return zone.present - zone.free

    def looks(self) -> tuple[int, int]:
        """Looks at inactive and at active pages since boot, from vmstat."""
        lines = self.mount.read("vmstat").splitlines()
        found = {name: int(number) for name, number in map(str.split, lines)}
        return found["pgscan"], found["pgrefill"]

    def purge(self) -> Purge:
        """Purge once. Nothing else reclaims meanwhile: the other zones have room."""
        before, looks = self.used(), self.looks()
        self.mount.command(f"purge {self.zid}")
        after, then = self.used(), self.looks()
        scanned, refilled = then[0] - looks[0], then[1] - looks[1]
        return Purge(before, after, scanned, before - after, refilled)

    def purge_until_empty(self, most: int) -> list[Purge]:
        """Purge until the zone is empty, at most *most* times."""
        done = [self.purge()]
        while done[-1].after and len(done) < most:
            self.mount.set_control("clock", "advance=500ms")
            done.append(self.purge())
        return done


def fill(mount: Mount, watch: Watch) -> int:
    """Fill node 0 with ballast; pages of the zone that are in use then."""
    chunk = MIB
    with open(mount.path / "files/ballast", "rb", buffering=0) as ballast:
        while not watch.used() and ballast.read(chunk):
            pass
    return watch.used()


def measure(row: Row, mount: Mount, zid: int, most: int, expected: str) -> None:
    """Do what the report of 2003 did, and fill in the row."""
    watch = Watch(mount, zid)
    base = fill(mount, watch)
    data = mount.path / "files/1gb_size_file"
    sums = [cksum(data)]
    row.own = watch.used() - base
    mount.command(f"disable {zid}")
    row.purges = watch.purge_until_empty(most)
    last = mount.last(f"purge {zid}")
    row.why = last.why if last and row.left else {}
    sums.append(cksum(data))
    row.notes.append(f"cksum before and after: {sums[0]}")
    if sums != [expected] * 2:
        row.failures.append(f"cksum says {sums}, the host's file has {expected}")
    row.failures += mount.violations()


def run(machine: str, zid: int, needed: int, most: int) -> Row:
    """Run the row; what keeps it from running is its failure."""
    row = Row("cksum", "cksum of a file of 1 GiB, twice", "mount", needed)
    where = roomy_directory()
    with tempfile.TemporaryDirectory(prefix="memfs-report-", dir=where) as scratch:
        disk = Path(scratch)
        make_files(disk)
        expected = cksum(disk / "1gb_size_file")
        try:
            with mounted(machine, disk) as mount:
                measure(row, mount, zid, most, expected)
        except (ClientError, OSError, subprocess.SubprocessError) as error:
            row.failures.append(f"{error}")
            return row
    if row.own < needed:
        row.failures.append(f"{row.own} pages in zone {zid}, {needed} are needed")
    if row.left:
        row.failures.append(f"{row.left} pages stay after {len(row.purges)} purges")
    return row
