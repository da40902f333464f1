"""The anchor of row "purge": this kernel frees clean page-cache pages.

A child in a control group of its own writes a file with 4 KiB writes and syncs it;
then the group is told to give its memory up, and the CPU time of that one write(2)
is taken. Written so, every page is a folio of order 0, the only kind that 2.6
has; read sequentially the file would sit in large folios, which this kernel drops
fifty times as fast a page. The bench looks whether they are.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchlib.row import Side, Unavailable

PAGE = 4096
V1 = Path("/sys/fs/cgroup/memory")
V2_ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
KPF_COMPOUND = 1 << 15 | 1 << 16
SAMPLE = 1024


class Group:
    """A memory control group: who is in it, what it has, and how it is emptied."""

    def __init__(self, path: Path, command: str, steal: str | None) -> None:
        self.path = path
        self._command = command
        self._steal = steal
        path.mkdir()

    def enter(self) -> None:
        """Put the calling process into it."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def _stat(self) -> dict[str, int]:
        lines = (self.path / "memory.stat").read_text().splitlines()
        return {name: int(value) for name, value in (line.split() for line in lines)}

    def file_pages(self) -> int:
        """Page-cache pages on its LRU lists."""
        stat = self._stat()
        return (stat["inactive_file"] + stat["active_file"]) // PAGE

    def reclaim(self, pages: int) -> tuple[int, int]:
        """Have `pages` freed. Returns: pages freed, CPU time in ns."""
        before = self._stat() if self._steal else {}
        had = self.file_pages()
        command = os.open(self.path / self._command, os.O_WRONLY)
        try:
            text = b"0" if self._steal is None else b"%d" % (pages * PAGE)
            begin = time.thread_time_ns()
            # memory.reclaim says so when less than that could be freed.
            with contextlib.suppress(BlockingIOError):
                os.write(command, text)
            spent = time.thread_time_ns() - begin
        finally:
            os.close(command)
        if self._steal is None:
            return had - self.file_pages(), spent
        return self._stat()[self._steal] - before[self._steal], spent

    def close(self) -> None:
        """Remove it; nobody is in it any more."""
        self.path.rmdir()


def _make_group() -> Group:
    name = f"memfs-bench-{os.getpid()}"
    if (V1 / "memory.stat").exists():
        return Group(V1 / name, "memory.force_empty", None)
    for root in V2_ROOTS:
        control = root / "cgroup.subtree_control"
        if (
            not control.exists()
            or "memory" not in (root / "cgroup.controllers").read_text()
        ):
            continue
        control.write_text("+memory")
        group = Group(root / name, "memory.reclaim", "pgsteal_file")
        if (group.path / "memory.reclaim").exists():
            return group
        group.close()
    raise Unavailable("No memory control group is mounted that can be emptied.")


def _in_child(work: Callable[[], None]) -> None:
    # Runs work() in a child and waits; a child that fails is an error here.
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("the process in the control group failed")


def _write(fd: int, pages: int) -> None:
    block = os.urandom(PAGE)
    for index in range(pages):
        os.pwrite(fd, block, index * PAGE)
    os.fsync(fd)


def compound_pages(fd: int, pages: int) -> int:
    """How many of the first `pages` cached pages of a file are in a larger folio."""
    with (
        mmap.mmap(fd, pages * PAGE, access=mmap.ACCESS_COPY) as area,
        open("/proc/self/pagemap", "rb", buffering=0) as pagemap,
        open("/proc/kpageflags", "rb", buffering=0) as kpageflags,
    ):
        for offset in range(0, pages * PAGE, PAGE):
            area[offset]
        first = ctypes.c_char.from_buffer(area)
        address = ctypes.addressof(first)
        del first
        entries = os.pread(pagemap.fileno(), pages * 8, address // PAGE * 8)
        found = 0
        for (entry,) in struct.iter_unpack("<Q", entries):
            pfn = entry & ((1 << 55) - 1)
            (flags,) = struct.unpack("<Q", os.pread(kpageflags.fileno(), 8, pfn * 8))
            found += bool(flags & KPF_COMPOUND)
    return found


class Reclaim:
    """Fills a control group with clean order-0 file pages, and has them freed."""

    def __init__(self, group: Group, fd: int, pages: int) -> None:
        self._group = group
        self._fd = fd
        self.pages = pages

    def _fill(self, pages: int) -> None:
        def work() -> None:
            self._group.enter()
            _write(self._fd, pages)

        _in_child(work)

    def check_order(self) -> None:
        """Look whether 4 KiB writes give pages of order 0 here.

        Raises:
            Unavailable: they do not.
        """
        self._fill(SAMPLE)
        found = compound_pages(self._fd, SAMPLE)
        self._group.reclaim(SAMPLE)
        if found:
            raise Unavailable(
                f"4 KiB writes to {tempfile.gettempdir()} make large folios "
                f"({found} of {SAMPLE} pages): set TMPDIR to another file system."
            )

    def measure(self) -> float:
        """One round: pages freed per microsecond of CPU time (Mpages/s)."""
        self._fill(self.pages)
        freed, spent = self._group.reclaim(self.pages)
        if freed < self.pages * 9 // 10:
            raise RuntimeError(f"this kernel freed {freed} of {self.pages} pages")
        return freed * 1000 / spent


@contextlib.contextmanager
def opened(pages: int) -> Iterator[Side]:
    """The anchor, ready: `pages` a round.

    Raises:
        Unavailable: not root, no control group, large folios.
    """
    if os.geteuid() != 0:
        raise Unavailable("Control groups are root's: run scripts/bench as root.")
    try:
        group = _make_group()
    except OSError as error:
        raise Unavailable(f"No control group can be made here: {error}.") from None
    with contextlib.closing(group), _scratch_file() as fd:
        reclaim = Reclaim(group, fd, pages)
        reclaim.check_order()
        yield Side("this kernel, clean order-0 file pages", reclaim.measure)


@contextlib.contextmanager
def _scratch_file() -> Iterator[int]:
    # On a disk: pages of tmpfs are anonymous to reclaim.
    with tempfile.NamedTemporaryFile(prefix="memfs-bench-") as file:
        if _is_tmpfs(file.name):
            raise Unavailable(
                f"{tempfile.gettempdir()} is a tmpfs: set TMPDIR to a disk's directory."
            )
        yield file.fileno()


def _is_tmpfs(path: str) -> bool:
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1] == "tmpfs"
    return False
