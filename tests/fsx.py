"""A file-system exerciser: random operations on a file, every byte checked.

Run as ``python tests/fsx.py DIRECTORY [--seed N] [--ops N] [--procs N] [--size N]``.
Each process has files of its own, and for each file a shadow of what must be in it.
Same seed, same operations. At the first difference it says which operation of which
seed it was, prints the last operations, and leaves with status 1.

The idea is that of fsx (Avadis Tevanian, 1991); the code is not.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import mmap
import os
import random
import sys
from pathlib import Path

KEEP_SIZE, PUNCH_HOLE = 1, 2
FILES = 3
LAST = 30

libc = ctypes.CDLL(None, use_errno=True)


class Difference(Exception):
    """What was read is not what was written."""


def fallocate(fd: int, mode: int, off: int, n: int) -> None:
    if libc.fallocate(fd, mode, ctypes.c_int64(off), ctypes.c_int64(n)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Subject:
    """One file, open, and its shadow."""

    def __init__(self, path: Path, rng: random.Random, most: int) -> None:
        self.path = path
        self.rng = rng
        self.most = most
        self.shadow = bytearray()
        self.fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)

    # Helpers

    def _range(self, end: int) -> tuple[int, int]:
        """An offset and a length within *end*; often small, often aligned."""
        off = self.rng.randrange(end) if end else 0
        n = min(self.rng.choice((1, 100, 4096, 20_000, 200_000)), end - off)
        n = self.rng.randint(0, n)
        if self.rng.random() < 0.3:
            off &= ~4095
        return off, n

    def _grown(self, end: int) -> None:
        if end > len(self.shadow):
            self.shadow += bytes(end - len(self.shadow))

    def _same(self, off: int, seen: bytes, expected: bytes) -> None:
        if seen == expected:
            return
        pairs = zip(seen, expected, strict=False)
        short = min(len(seen), len(expected))
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), short)
        raise Difference(
            f"{self.path.name}: {len(seen)} bytes at {off}, {len(expected)} expected;"
            f" at {off + at}: {seen[at : at + 8]!r}, not {expected[at : at + 8]!r}"
        )

    # Operations; each says what it did

    def read(self) -> str:
        off, n = self._range(self.most)
        self._same(off, os.pread(self.fd, n, off), bytes(self.shadow[off : off + n]))
        return f"read {n} at {off}"

    def write(self) -> str:
        off, n = self._range(self.most)
        data = self.rng.randbytes(n)
        done = os.pwrite(self.fd, data, off)
        if done != n:
            raise Difference(f"{self.path.name}: wrote {done} of {n} at {off}")
        if n:
            self._grown(off + n)
            self.shadow[off : off + n] = data
        return f"write {n} at {off}"

    def append(self) -> str:
        n = min(self.rng.randint(1, 10_000), self.most - len(self.shadow))
        data = self.rng.randbytes(max(n, 0))
        with open(self.path, "ab", buffering=0) as file:
            file.write(data)
        self.shadow += data
        return f"append {n}"

    def truncate(self) -> str:
        size = self.rng.choice(
            (0, self.rng.randint(0, self.most), self.rng.randint(0, self.most) & ~4095)
        )
        if self.rng.random() < 0.5:
            os.ftruncate(self.fd, size)
        else:
            os.truncate(self.path, size)
        self._grown(size)
        del self.shadow[size:]
        return f"truncate to {size}"

    def map_read(self) -> str:
        off, n = self._range(len(self.shadow))
        if not n:
            return "map nothing"
        with mmap.mmap(self.fd, len(self.shadow), prot=mmap.PROT_READ) as pages:
            self._same(off, pages[off : off + n], bytes(self.shadow[off : off + n]))
        return f"map and read {n} at {off}"

    def map_write(self) -> str:
        off, n = self._range(len(self.shadow))
        if not n:
            return "map nothing"
        data = self.rng.randbytes(n)
        with mmap.mmap(self.fd, len(self.shadow)) as pages:
            pages[off : off + n] = data
            if self.rng.random() < 0.3:
                pages.flush()
        self.shadow[off : off + n] = data
        return f"map and write {n} at {off}"

    def direct(self) -> str:
        """O_DIRECT: sectors, out of and into a page of ours."""
        off, n = self._range(self.most)
        off, n = off & ~511, n & ~511
        if not n:
            return "direct nothing"
        fd = os.open(self.path, os.O_RDWR | os.O_DIRECT)
        try:
            with mmap.mmap(-1, n) as buffer:
                done = os.preadv(fd, [buffer], off)
                self._same(off, buffer[:done], bytes(self.shadow[off : off + n]))
                if self.rng.random() < 0.5:
                    return f"direct read {n} at {off}"
                buffer[:] = data = self.rng.randbytes(n)
                if (done := os.pwritev(fd, [buffer], off)) != n:
                    raise Difference(f"{self.path.name}: wrote {done} of {n} at {off}")
        finally:
            os.close(fd)
        self._grown(off + n)
        self.shadow[off : off + n] = data
        return f"direct read and write {n} at {off}"

    def punch(self) -> str:
        off, n = self._range(self.most)
        if not n:
            return "punch nothing"
        fallocate(self.fd, KEEP_SIZE | PUNCH_HOLE, off, n)
        end = min(off + n, len(self.shadow))
        if off < end:
            self.shadow[off:end] = bytes(end - off)
        return f"punch {n} at {off}"

    def allocate(self) -> str:
        off, n = self._range(self.most)
        if not n:
            return "allocate nothing"
        keep = self.rng.random() < 0.5
        fallocate(self.fd, KEEP_SIZE if keep else 0, off, n)
        if not keep:
            self._grown(off + n)
        return f"allocate {n} at {off}{', size kept' if keep else ''}"

    def copy(self) -> str:
        source, n = self._range(len(self.shadow))
        target = self.rng.randrange(self.most)
        n = min(n, self.most - target)
        if not n or (source < target + n and target < source + n):
            return "copy nothing"
        done = os.copy_file_range(self.fd, self.fd, n, source, target)
        self._grown(target + done)
        self.shadow[target : target + done] = self.shadow[source : source + done]
        return f"copy {done} from {source} to {target}"

    def fsync(self) -> str:
        os.fsync(self.fd)
        return "fsync"

    def reopen(self) -> str:
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)
        return "reopen"

    def rename(self) -> str:
        new = self.path.with_name(self.path.name + "~")
        os.rename(self.path, new)
        os.rename(new, self.path)
        return "rename"

    def stat(self) -> str:
        for st in (os.fstat(self.fd), os.stat(self.path)):
            if st.st_size != len(self.shadow):
                raise Difference(f"size {st.st_size}, not {len(self.shadow)}")
        return "stat"

    def check(self) -> str:
        n = len(self.shadow)
        self._same(0, os.pread(self.fd, n + 1, 0), bytes(self.shadow))
        return "read all"


WEIGHTS = {
    "read": 30,
    "write": 25,
    "append": 4,
    "truncate": 5,
    "map_read": 6,
    "map_write": 6,
    "direct": 3,
    "punch": 3,
    "allocate": 2,
    "copy": 2,
    "fsync": 1,
    "reopen": 3,
    "rename": 1,
    "stat": 10,
    "check": 1,
}


def exercise(directory: Path, seed: int, ops: int, most: int, without: set[str]) -> int:
    """One process's share. Returns the exit status."""
    rng = random.Random(seed)
    files = [Subject(directory / f"fsx-{seed}-{i}", rng, most) for i in range(FILES)]
    weights = {name: w for name, w in WEIGHTS.items() if name not in without}
    names = rng.choices(list(weights), list(weights.values()), k=ops)
    last: collections.deque[str] = collections.deque(maxlen=LAST)
    for i, name in enumerate(names):
        subject = rng.choice(files)
        try:
            last.append(f"{i}: {subject.path.name}: {getattr(subject, name)()}")
        except (Difference, OSError) as error:
            print(
                *last, f"{i}: {name}: seed {seed}: {error}", sep="\n", file=sys.stderr
            )
            return 1
    for subject in files:
        subject.check()
        os.close(subject.fd)
        os.unlink(subject.path)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ops", type=int, default=1000, help="each process does so many"
    )
    parser.add_argument("--procs", type=int, default=1)
    parser.add_argument("--size", type=int, default=1 << 20, help="of a file at most")
    parser.add_argument("--without", default="", help="operations to leave out: a,b")
    asked = parser.parse_args()
    without = set(asked.without.split(","))
    pids = []
    for i in range(asked.procs):
        pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(KeyboardInterrupt):
                status = exercise(
                    asked.directory, asked.seed + i, asked.ops, asked.size, without
                )
            os._exit(status)
        pids.append(pid)
    return int(any(os.waitpid(pid, 0)[1] for pid in pids))


if __name__ == "__main__":
    sys.exit(main())
