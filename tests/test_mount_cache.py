"""What the page cache of the model does for files/ and shm/, on a real mount."""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import sys

import pytest
from fsx import KEEP_SIZE, PUNCH_HOLE, fallocate
from test_mount_files import errno_of, memfs, sh

pytestmark = pytest.mark.mount

PAGE = 4096
MIB = 1 << 20


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """One mount for the tests that need no options."""
    mount = memfs(tmp_path_factory.mktemp("cache"))
    try:
        yield mount
        mount.finish()
    finally:
        mount.destroy()


@pytest.fixture(params=["files", "shm"])
def here(request, mount):
    """A directory of its own for each test, below files/ and below shm/."""
    here = mount.path / request.param / request.node.originalname
    here.mkdir()
    yield here
    subprocess.run(["rm", "-rf", here], check=True)


@pytest.fixture
def files(mount):
    """A name below files/, removed after the test."""
    yield mount / "files" / "f"
    (mount / "files" / "f").unlink(missing_ok=True)


def number(mount, name, file="meminfo"):
    """A number of meminfo (kB) or vmstat."""
    found = re.search(rf"^{name}:?\s+(\d+)", (mount / file).read_text(), re.MULTILINE)
    return int(found[1])


def pages_read(mount, call):
    """Pages that the disk reads while *call* runs."""
    before = number(mount, "pgpgin", "vmstat")
    call()
    return (number(mount, "pgpgin", "vmstat") - before) // 4


# Punch


def test_punch_frees_the_pages_and_what_lies_below(here, mount):
    """Without writing anything: no page of the range goes to the disk first."""
    with open(here / "f", "wb") as file:
        file.write(os.urandom(16 * MIB))
        file.flush()
        cached = number(mount, "Cached")
        blocks = os.fstat(file.fileno()).st_blocks
        written = number(mount, "pgpgout", "vmstat")
        fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, MIB, 14 * MIB)

        assert cached - number(mount, "Cached") == 14 * 1024
        assert number(mount, "pgpgout", "vmstat") == written
        assert blocks - os.fstat(file.fileno()).st_blocks == 14 * 2048
        assert os.fstat(file.fileno()).st_size == 16 * MIB
        os.fsync(file.fileno())
        assert os.fstat(file.fileno()).st_blocks <= 2 * 2048 + 64


@pytest.mark.parametrize(
    ("off", "n"), [(5, 10), (4000, 200), (4096, 8192), (1, 99_999)]
)
def test_punch_at_any_byte(here, off, n):
    data = bytearray(os.urandom(100_000))
    (here / "f").write_bytes(data)
    with open(here / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as seen:
        assert seen[:] == bytes(data)
        fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, off, n)
        data[off : off + n] = bytes(n)
        assert seen[:] == bytes(data)
        assert os.pread(file.fileno(), 200_000, 0) == bytes(data)
        os.fsync(file.fileno())
    assert (here / "f").read_bytes() == bytes(data)


def test_a_punched_file_on_the_host(files, mount):
    data = bytearray(os.urandom(MIB))
    files.write_bytes(data)
    with open(files, "r+b") as file:
        os.fsync(file.fileno())
        before = (mount.host / "f").stat().st_blocks
        fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, 100, MIB - 200)
        data[100:-100] = bytes(MIB - 200)
        assert (mount.host / "f").stat().st_blocks <= before - 2048 + 64
        os.fsync(file.fileno())
    assert (mount.host / "f").read_bytes() == data


def test_punch_while_others_read(here):
    """A reader sees old bytes or zeros, and zeros once the punch is over."""
    (here / "f").write_bytes(b"x" * (4 * MIB))
    reader = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
while os.path.exists(sys.argv[1] + ".go"):
    assert set(os.pread(fd, 1 << 22, 0)) <= {0, ord("x")}
"""
    (here / "f.go").touch()
    readers = [
        subprocess.Popen([sys.executable, "-c", reader, here / "f"]) for _ in range(2)
    ]
    with open(here / "f", "r+b") as file:
        for i in range(20):
            fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, i * 1000, 3 * MIB)
            assert not any(os.pread(file.fileno(), 3 * MIB, i * 1000))
            os.pwrite(file.fileno(), b"x" * (4 * MIB), 0)
    (here / "f.go").unlink()

    assert [r.wait(60) for r in readers] == [0, 0]


# O_DIRECT


def aligned(data: bytes) -> mmap.mmap:
    """A buffer at the start of a page."""
    buffer = mmap.mmap(-1, len(data))
    buffer[:] = data
    return buffer


def test_o_direct_caches_nothing(files, mount):
    """The disk's time passes and its counters count; the cache stays as it was."""
    cached = number(mount, "Cached")
    fd = os.open(files, os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    data = os.urandom(4 * MIB)
    out = number(mount, "pgpgout", "vmstat")
    assert os.pwritev(fd, [aligned(data)], 0) == 4 * MIB
    assert number(mount, "pgpgout", "vmstat") - out == 4096
    assert (mount.host / "f").read_bytes() == data
    buffer = aligned(bytes(4 * MIB))
    assert pages_read(mount, lambda: os.preadv(fd, [buffer], 0)) == 1024
    assert buffer[:] == data
    assert number(mount, "Cached") == cached
    os.close(fd)


def test_o_direct_beside_the_page_cache_and_a_mapping(here):
    """Whoever writes, however, the others see it."""
    data = bytearray(os.urandom(MIB))
    (here / "f").write_bytes(data)
    fd = os.open(here / "f", os.O_RDWR | os.O_DIRECT)
    with open(here / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as seen:
        for off in range(0, MIB, 100 * 1024):
            seen[off : off + 5] = data[off : off + 5] = b"map%02d" % (off % 97)
            buffer = aligned(bytes(8192))
            os.preadv(fd, [buffer], off)
            assert buffer[:] == data[off : off + 8192]
            data[off + 512 : off + 1024] = b"d" * 512
            os.pwritev(fd, [memoryview(aligned(b"d" * PAGE))[:512]], off + 512)
            assert seen[off : off + PAGE] == data[off : off + PAGE]
            os.pwrite(file.fileno(), b"page cache", off + 700)
            data[off + 700 : off + 710] = b"page cache"
        assert os.pread(file.fileno(), MIB, 0) == bytes(data)
    os.close(fd)
    assert (here / "f").read_bytes() == bytes(data)


def test_o_direct_wants_sectors_of_a_disk_but_not_of_tmpfs(here):
    (here / "f").write_bytes(b"x" * 8192)
    fd = os.open(here / "f", os.O_RDWR | os.O_DIRECT)
    buffer = memoryview(aligned(bytes(8192)))

    assert os.preadv(fd, [buffer[:512]], 512) == 512
    if here.parent.name == "shm":
        assert os.preadv(fd, [buffer[:100]], 7) == 100
        assert os.pwritev(fd, [buffer[:100]], 7) == 100
    else:
        assert errno_of(os.preadv, fd, [buffer[:100]], 0) == "EINVAL"
        assert errno_of(os.preadv, fd, [buffer[:512]], 7) == "EINVAL"
        assert errno_of(os.pwritev, fd, [buffer[:512]], 10) == "EINVAL"
    os.close(fd)


# Read-ahead


@pytest.mark.parametrize(
    ("readahead", "first", "random"), [("0", 1, 1), ("128K", 48, 1), ("32K", 12, 1)]
)
def test_readahead_says_how_many_pages_a_miss_reads(
    mount, readahead, first, random, tmp_path
):
    """Half a window and the next one at the start of a file; no more in its midst."""
    name = f"ra{readahead}"
    (mount.host / name).write_bytes(os.urandom(4 * MIB))
    mount.write("control/disk", f"readahead={readahead}")
    fd = os.open(mount / "files" / name, os.O_RDONLY)
    try:
        assert pages_read(mount, lambda: os.pread(fd, 100, 0)) == first
        assert pages_read(mount, lambda: os.pread(fd, 100, 3 * MIB)) == random
        assert pages_read(mount, lambda: os.pread(fd, 100, 2 * MIB)) == random
    finally:
        os.close(fd)
        mount.write("control/disk", "readahead=128K")
    assert (mount / "control/disk").read_text().splitlines()[3] == "readahead=128K"


@pytest.mark.parametrize("readahead", ["0", "128K"])
def test_a_sequential_read_reads_every_page_once(mount, readahead):
    name = f"seq{readahead}"
    (mount.host / name).write_bytes(os.urandom(4 * MIB))
    mount.write("control/disk", f"readahead={readahead}")
    read = "dd if=$1 of=/dev/null bs=5000 status=none"
    assert pages_read(mount, lambda: sh(read, mount / "files" / name)) == 1024
    mount.write("control/disk", "readahead=128K")


# Little real memory

# What is waited for here is the host.
FAST = "latency=0 readahead=1M swap.latency=0"


@pytest.mark.slow
def test_more_than_the_host_has_memory_for(tmp_path):
    """2 GiB through files/ and 256 MiB through shm/ in 64 MiB, every byte of it."""
    mount = memfs(tmp_path, "--host-memory", "64M")
    try:
        mount.write("control/disk", FAST)
        sh(
            """
            yes "$(seq 10000)" | head -c 256M > $1/in
            for i in 1 2 3 4 5 6 7 8; do cat $1/in; done > $2/files/big
            cp $1/in $2/shm/small
            sync $2/files/big
            cat $2/shm/small | cmp - $1/in
            for i in 1 2 3 4 5 6 7 8; do cat $1/in; done | cmp - <(cat $2/files/big)
            cmp $1/in <(head -c 256M $3/big)
            """,
            tmp_path,
            mount.path,
            mount.host,
        )
        host = dict(
            word.split("=")
            for word in re.search(r"^host (.*)", (mount / "status").read_text(), re.M)[
                1
            ].split()
        )
        assert int(host["limit"]) == 16384
        assert int(host["resident"]) <= 16384 + 1024
        assert int(host["dropped"]) > 100_000
        assert int(host["spilled"]) > 10_000
        assert (mount.host / "big").stat().st_size == 2 << 30
        mount.finish()
    finally:
        mount.destroy()
