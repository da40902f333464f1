"""Every file of proc/ and sys/ on a real mount, used in every odd way.

What it answers is what procfs and sysfs of Linux 6.1 answer; afterwards every file
says what it said, and the machine is whole.
"""

import errno
import mmap
import os
import stat

import pytest
from mounting import MEMFS, mounted

from memfs.files import TABLE

pytestmark = pytest.mark.mount

NUMBERS = {
    "nodeN": "node1",
    "cpuN": "cpu1",
    "hugepages-NkB": "hugepages-2048kB",
}
FILES = [
    row
    for row in TABLE
    if row.kind not in ("link", "directory") and row.path.startswith(("proc/", "sys/"))
]
IDS = {"ids": lambda row: row.path}
# What these say changes by itself.
MOVING = ("stat", "uptime", "loadavg", "pressure", "kpage", "vmstat", "pagetypeinfo")
JUNK = (b"junk", b"\0", b"\xff" * 10, b"=" * 64, b"\n\n", b"a" * (1 << 20))
# Every write is the order to do it, or is swallowed.
SWALLOWS = ("compact", "compact_memory", "stat_refresh", "lowmem_reserve_ratio")


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """The captured machine; its time stands still."""
    options = ("--machine", "modern", "--clock", "manual")
    directory = tmp_path_factory.mktemp("odd")
    with mounted(directory, 900.0, command=MEMFS, options=options) as made:
        yield made
        made.write("control/validate", "1")
        assert (made / "control/validate").read_text() == "ok\n"


def at(mount, row):
    """The path of one file of a row."""
    names = [
        "memory35" if name == "memoryN" else NUMBERS.get(name, name)
        for name in row.path.split("/")
    ]
    return mount / "/".join(names)


@pytest.fixture
def same(mount):
    """What files said before a test, they say after it."""
    before = {}

    def look(path):
        before[path] = path.read_bytes()
        return before[path]

    yield look
    for path, text in before.items():
        if not any(word in str(path) for word in MOVING):
            assert path.read_bytes() == text, path


def code(call, *args):
    """The errno's name of a call that is refused, or what it gives."""
    try:
        return call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]


def write(path, *datas, flags=os.O_WRONLY):
    """Writes to one descriptor; bytes taken or errnos."""
    fd = os.open(path, flags)
    try:
        return [code(os.write, fd, data) for data in datas]
    finally:
        os.close(fd)


@pytest.mark.parametrize("row", [r for r in FILES if not r.mode & 0o222], **IDS)
def test_what_cannot_be_written(mount, same, row):
    """proc/: open succeeds and every write is EIO; sys/: EACCES at open, for root."""
    path = at(mount, row)
    same(path)
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_APPEND | 1):
        if row.path.startswith("sys/"):
            assert code(os.open, path, flags) == "EACCES"
        else:
            assert write(path, b"1", b"", flags=flags) == ["EIO", 0]


@pytest.mark.parametrize("row", [r for r in FILES if not r.mode & 0o444], **IDS)
def test_what_cannot_be_read(mount, row):
    """EACCES, for root."""
    assert code(os.open, at(mount, row), os.O_RDONLY) == "EACCES"
    assert code(os.open, at(mount, row), os.O_RDWR) == "EACCES"


@pytest.mark.parametrize("row", [r for r in FILES if r.mode & 0o222], **IDS)
def test_junk(mount, same, row):
    """EINVAL each time, in one write and in pieces; nothing written does nothing."""
    path = at(mount, row)
    if row.mode & 0o444:
        same(path)
    swallows = path.name in SWALLOWS
    for flags in (0, os.O_APPEND, os.O_TRUNC, os.O_CREAT | os.O_TRUNC):
        got = write(path, *JUNK, b"", flags=os.O_WRONLY | flags)
        assert got.pop() == 0
        if not swallows:
            assert got == ["EINVAL"] * len(JUNK)
        else:
            assert all(isinstance(taken, int) and taken > 0 for taken in got)
    if not swallows:
        # Each write stands alone.
        assert write(path, b"garb", b"age") == ["EINVAL", "EINVAL"]
    os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))


@pytest.mark.parametrize("row", FILES, **IDS)
def test_what_is_not_allowed(mount, row):
    """Removed, renamed, linked, made beside: what procfs and sysfs say."""
    path = at(mount, row)
    proc = row.path.startswith("proc/")
    other = path.parent / "other"
    assert code(os.unlink, path) == "EPERM"
    assert code(os.rmdir, path) in ("EPERM", "ENOTDIR")
    assert code(os.rename, path, other) == ("ENOENT" if proc else "EPERM")
    assert code(os.link, path, other) == "EPERM"
    assert code(os.symlink, "x", other) == "EPERM"
    assert code(os.mkdir, other) == ("ENOENT" if proc else "EPERM")
    made = code(os.open, other, os.O_WRONLY | os.O_CREAT)
    assert made == ("ENOENT" if proc else "EACCES")
    assert code(os.mkfifo, other) == "EPERM"
    assert not other.exists()


@pytest.mark.parametrize("row", [r for r in FILES if r.mode & 0o444], **IDS)
def test_what_has_no_effect(mount, same, row):
    """Truncated, its mode and times changed, its attributes asked for."""
    path = at(mount, row)
    text = same(path)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    os.truncate(path, 0)
    os.truncate(path, 100)
    os.chmod(path, 0o777)
    os.utime(path, (1, 1))
    assert stat.S_IMODE(os.stat(path).st_mode) == mode
    assert code(os.getxattr, path, "user.x") in ("EOPNOTSUPP", "ENOTSUP", "ENODATA")
    if not any(word in row.path for word in MOVING):
        assert path.read_bytes() == text


@pytest.mark.parametrize("row", [r for r in FILES if r.mode & 0o444], **IDS)
def test_reading_in_odd_ways(mount, row):
    """In pieces, behind the end, mapped, by two at once: one rendering each."""
    path = at(mount, row)
    if "kpage" in row.path:
        fd = os.open(path, os.O_RDONLY)
        assert code(os.pread, fd, 7, 0) == "EINVAL"
        assert code(os.pread, fd, 8, 4) == "EINVAL"
        assert os.pread(fd, 4096, os.fstat(fd).st_size) == b""
        assert len(os.pread(fd, 4097, 0)) == 4096
        os.close(fd)
        return
    with open(path, "rb", buffering=0) as file, open(path, "rb", buffering=0) as two:
        whole = two.read()
        pieces = b"".join(iter(lambda: file.read(3), b""))
        if not any(word in row.path for word in MOVING):
            assert pieces == whole
        assert os.pread(file.fileno(), 100, 1 << 40) == b""
        assert os.pread(file.fileno(), 0, 0) == b""
        try:
            with mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_READ) as mapped:
                assert mapped[: len(whole)][:4] == whole[:4]
        except (OSError, ValueError):
            pass


def test_directories(mount):
    """Neither removed nor renamed nor made; opened for writing they are EISDIR."""
    for name in ("proc", "proc/sys/vm", "sys", "sys/devices/system/memory/memory35"):
        path = mount / name
        proc = name.startswith("proc")
        assert code(os.rmdir, path) in ("EPERM", "ENOTEMPTY")
        renamed = code(os.rename, path, mount / "other")
        assert renamed in ("ENOENT", "EPERM")
        assert code(os.mkdir, path / "x") == ("ENOENT" if proc else "EPERM")
        assert code(os.open, path, os.O_WRONLY) == "EISDIR"
        assert code(os.unlink, path) in ("EISDIR", "EPERM")


def test_what_is_not_there(mount):
    """ENOENT, however often it is asked for."""
    for name in (
        "sys/devices/system/memory/memory99999",
        "sys/devices/system/memory/memory035",
        "sys/devices/system/memory/memory-1",
        "sys/devices/system/node/node99",
        "sys/kernel/mm/hugepages/hugepages-4096kB",
        "sys/kernel/mm/hugepages/hugepages-2048",
        "proc/nothing",
    ):
        for _ in range(2):
            assert code(os.stat, mount / name) == "ENOENT"
            assert code(os.open, mount / name / "state", os.O_WRONLY) == "ENOENT"
