"""What goes wrong on the host: who hears of it, and that nothing is lost by it.

tests/faultyhost.c, preloaded into the daemon, has calls of the host fail or take
long. A quota is a real one, of btrfs, from which root is not exempt.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from mounting import MEMFS, start, wait_until
from test_mount_files import errno_of, memfs, root_only, sh

pytestmark = pytest.mark.mount

PAGE = 4096
MIB = 1 << 20


@pytest.fixture(scope="module")
def preload(tmp_path_factory):
    """The host that fails when it is told to."""
    library = tmp_path_factory.mktemp("preload") / "faultyhost.so"
    source = os.path.join(os.path.dirname(__file__), "faultyhost.c")
    sh("gcc -shared -fPIC -O1 -Wall -Wextra -Werror -o $1 $2 -ldl", library, source)
    return library


class Host:
    """What its calls do from now on."""

    def __init__(self, directory):
        self.directory = directory

    @contextlib.contextmanager
    def failing(self, kind, code):
        (self.directory / kind).write_text(str(code))
        yield
        (self.directory / kind).unlink()

    @contextlib.contextmanager
    def holding(self):
        (self.directory / "hold").touch()
        yield
        (self.directory / "hold").unlink(missing_ok=True)


@pytest.fixture
def mount(tmp_path, preload):
    """A mount over ``mount.host``; ``mount.faults`` says what the host does."""
    for name in ("host", "faults"):
        (tmp_path / name).mkdir()
    env = {
        "MEMFS_RUNTIME_DIR": str(tmp_path / "runtime"),
        "LD_PRELOAD": str(preload),
        "FAULTY_HOST": str(tmp_path / "faults"),
    }
    options = ("--paranoid", "--files", str(tmp_path / "host"))
    mount = start(tmp_path / "mnt", tmp_path / "log", MEMFS, options=options, env=env)
    mount.host = tmp_path / "host"
    mount.faults = Host(tmp_path / "faults")
    try:
        yield mount
        mount.finish()
    finally:
        mount.destroy()


@contextlib.contextmanager
def opened(path, flags=os.O_RDWR | os.O_CREAT):
    fd = os.open(path, flags, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def kb(mount, key):
    """A line of meminfo."""
    text = (mount / "meminfo").read_text()
    return int(re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)[1])


def push_out(mount):
    """Have reclaim write everything that it can."""
    for command in ("disable 1", "purge 5", "purge 6", "enable 1"):
        mount.write("memhotplug", command)


# Write-out


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS"])
def test_a_failed_write_out_is_told_once_to_each_descriptor(mount, name):
    """And what could not be written is written when it can be."""
    code = getattr(errno, name)
    data = os.urandom(20 * PAGE)
    path = mount / "files/f"
    with opened(path) as writer, opened(path) as other:
        with mount.faults.failing("write", code):
            assert os.write(writer, data) == len(data)
            assert errno_of(os.fsync, writer) == name
        os.fsync(writer)
        assert (mount.host / "f").read_bytes() == data
        assert errno_of(os.fsync, other) == name
        os.fsync(other)
        os.fsync(writer)


@pytest.mark.parametrize("call", [os.fsync, os.fdatasync])
def test_as_long_as_the_host_fails_so_does_fsync(mount, call):
    """Each tries again; nothing is given up."""
    with opened(mount / "files/f") as fd:
        with mount.faults.failing("write", errno.EIO):
            os.write(fd, b"x" * 10 * PAGE)
            for _ in range(3):
                assert errno_of(call, fd) == "EIO"
                assert os.pread(fd, PAGE, 3 * PAGE) == b"x" * PAGE
        call(fd)
    assert (mount.host / "f").read_bytes() == b"x" * 10 * PAGE


def test_a_failure_that_nobody_waited_for_is_told_by_the_next_fsync(mount):
    """Also to who opened the file after it; and the pages stay where they are."""
    data = os.urandom(64 * PAGE)
    path = mount / "files/f"
    path.write_bytes(data)
    with mount.faults.failing("write", errno.EIO):
        push_out(mount)
        assert path.read_bytes() == data
        assert kb(mount, "Dirty") + kb(mount, "Writeback") > 0
    with opened(path) as late:
        assert errno_of(os.fsync, late) == "EIO"
        os.fsync(late)
    with opened(path) as later:
        os.fsync(later)
    assert (mount.host / "f").read_bytes() == data


def test_pages_that_cannot_be_written_are_written_in_the_background(mount):
    """By the one that writes dirty pages every few seconds, with nobody asking."""
    path = mount / "files/f"
    with mount.faults.failing("write", errno.EIO):
        path.write_bytes(b"later" * PAGE)
        push_out(mount)
    mount.write("control/clock", "mode=manual")
    mount.write("control/clock", "advance=40s")
    wait_until(lambda: kb(mount, "Dirty") == 0)
    assert (mount.host / "f").read_bytes() == b"later" * PAGE


def test_o_direct_hears_of_it_at_once(mount):
    buffer = mmap.mmap(-1, PAGE)
    flags = os.O_RDWR | os.O_CREAT | os.O_DIRECT
    with opened(mount / "files/f", flags) as fd:
        with mount.faults.failing("write", errno.EDQUOT):
            assert errno_of(os.pwrite, fd, buffer, 0) == "EDQUOT"
            assert errno_of(os.posix_fallocate, fd, 0, PAGE) == "EDQUOT"
            assert errno_of(os.ftruncate, fd, PAGE) == "EDQUOT"
            assert os.fstat(fd).st_size == 0
        assert os.pwrite(fd, buffer, 0) == PAGE
        with mount.faults.failing("read", errno.EIO):
            assert errno_of(os.preadv, fd, [buffer], 0) == "EIO"
        assert os.preadv(fd, [buffer], 0) == PAGE


def test_what_cannot_be_written_at_the_end_is_said(mount):
    """The unmount goes on; the log names the file."""
    mount.allowed = ("not written: files/f",)
    with mount.faults.failing("write", errno.EIO):
        (mount / "files/f").write_bytes(b"lost")
        mount.umount()
        assert mount.process.wait(60) == 0
    assert "not written: files/f" in mount.log.read_text()


def test_fsync_of_the_host_fails(mount):
    """The pages are on their way, the host cannot say that they have come."""
    with opened(mount / "files/f") as fd:
        os.write(fd, b"x")
        with mount.faults.failing("sync", errno.EIO):
            assert errno_of(os.fsync, fd) == "EIO"
        os.fsync(fd)
        directory = os.open(mount / "files", os.O_RDONLY | os.O_DIRECTORY)
        with mount.faults.failing("sync", errno.EIO):
            assert errno_of(os.fsync, directory) == "EIO"
        os.fsync(directory)
        os.close(directory)


# Reading


def cold(mount, data):
    """A file of which no page is in memory."""
    path = mount / "files/f"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    os.close(fd)
    push_out(mount)
    return path


@pytest.fixture
def small(mount):
    """Of what the other tests read, nothing is read ahead."""
    mount.write("control/disk", "readahead=0")
    mount.write("control/disk", "latency=0")
    return mount


def evicted(mount, path):
    """Write something larger than memory until the file's pages have gone."""
    with opened(path, os.O_RDONLY | os.O_DIRECT) as fd:
        # A direct write drops what is cached of its range.
        buffer = mmap.mmap(-1, 64 * PAGE)
        assert os.preadv(fd, [buffer], 0) == 64 * PAGE
    with opened(path, os.O_WRONLY | os.O_DIRECT) as fd:
        assert os.pwrite(fd, buffer, 0) == 64 * PAGE


def test_a_page_that_cannot_be_read_is_an_error_of_its_reader(small):
    """The others read theirs; when the host is well again, so does he."""
    data = os.urandom(64 * PAGE)
    path = cold(small, data)
    evicted(small, path)
    with opened(path, os.O_RDONLY) as fd:
        assert os.pread(fd, PAGE, 5 * PAGE) == data[5 * PAGE : 6 * PAGE]
        with small.faults.failing("read", errno.EIO):
            assert errno_of(os.pread, fd, PAGE, 9 * PAGE) == "EIO"
            assert errno_of(os.pread, fd, PAGE, 9 * PAGE) == "EIO"
            assert os.pread(fd, PAGE, 5 * PAGE) == data[5 * PAGE : 6 * PAGE]
        assert os.pread(fd, 64 * PAGE, 0) == data


MAPPED = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
m = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
print(m[int(sys.argv[2])])
"""


def test_a_mapped_page_that_cannot_be_read_is_a_bus_error(small):
    data = os.urandom(64 * PAGE)
    path = cold(small, data)
    evicted(small, path)
    command = [sys.executable, "-c", MAPPED, str(path), str(33 * PAGE)]
    with small.faults.failing("read", errno.EIO):
        assert subprocess.run(command, check=False).returncode == -signal.SIGBUS
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == data[33 * PAGE]


# A host that takes its time


def asleep(process):
    """It waits for an answer of the mount."""
    with open(f"/proc/{process.pid}/wchan") as file:
        return file.read() == "request_wait_answer"


def test_nobody_waits_for_anothers_fsync(mount):
    """The tree, other files, and even the same file are served meanwhile."""
    path = mount / "files/f"
    path.write_bytes(b"x" * PAGE)
    with mount.faults.holding():
        sync = subprocess.Popen(["sync", str(path)])
        wait_until(lambda: asleep(sync))
        begin = time.monotonic()
        for i in range(20):
            assert "Node 0" in (mount / "memhotplug").read_text()
            (mount / f"files/g{i}").write_bytes(b"y" * 5000)
            assert path.read_bytes() == b"x" * PAGE
        mount.write("memhotplug", "purge 5")
        assert time.monotonic() - begin < 10
        assert sync.poll() is None
    assert sync.wait(60) == 0


def test_who_waits_for_a_slow_host_can_be_killed(mount):
    path = mount / "files/f"
    path.write_bytes(b"x" * PAGE)
    with mount.faults.holding():
        sync = subprocess.Popen(["sync", str(path)])
        wait_until(lambda: asleep(sync))
        begin = time.monotonic()
        sync.kill()
        assert sync.wait(30) == -signal.SIGKILL
        assert time.monotonic() - begin < 1
    with opened(path) as fd:
        os.fsync(fd)


def test_many_wait_for_a_slow_host(mount):
    """More than there are threads; each is told when its own is done."""
    paths = [mount / f"files/f{i}" for i in range(40)]
    for path in paths:
        path.write_bytes(b"x")
    with mount.faults.holding():
        syncs = [subprocess.Popen(["sync", str(path)]) for path in paths]
        assert (mount / "memhotplug").read_text()
    assert [sync.wait(60) for sync in syncs] == [0] * 40


def test_the_end_does_not_wait_for_a_hung_host_for_ever(mount):
    """A caller of fsync hears that the mount has gone; what was written is there."""
    path = mount / "files/f"
    path.write_bytes(b"x" * PAGE)
    with mount.faults.holding():
        sync = subprocess.Popen(["sync", str(path)], stderr=subprocess.PIPE)
        wait_until(lambda: asleep(sync))
        mount.process.send_signal(signal.SIGTERM)
        assert mount.process.wait(60) == 0
        assert sync.wait(60) != 0
        sync.stderr.close()
    assert (mount.host / "f").read_bytes() == b"x" * PAGE


# A host whose directory changes


def test_a_host_directory_that_vanishes(mount):
    """The mount lives; what has no place any more is refused, or told by fsync."""
    mount.allowed = ("not written",)
    data = os.urandom(8 * PAGE)
    with opened(mount / "files/open") as fd:
        os.write(fd, data)
        os.fsync(fd)
        (mount / "files/closed").write_bytes(data)
        shutil.rmtree(mount.host)
        assert os.pread(fd, len(data), 0) == data
        os.pwrite(fd, b"new", 0)
        assert errno_of(os.fsync, fd) == "ESTALE"
        assert os.pread(fd, 3, 0) == b"new"
        assert errno_of((mount / "files/new").write_bytes, b"x") == "ENOENT"
        assert errno_of(os.mkdir, mount / "files/dir") == "ENOENT"
        assert "Node 0" in (mount / "memhotplug").read_text()
        assert (mount / "shm").is_dir()
        mount.write("control/validate", "1")
        assert (mount / "control/validate").read_text() == "ok\n"
    mount.umount()
    assert mount.process.wait(60) == 0
    assert "not written: files/closed" in mount.log.read_text()


@root_only
def test_umount_says_that_not_all_could_be_written(tmp_path, tmpfs_host):
    """Status 1, for who did not ask fsync; the next mount has nothing to say."""
    tmpfs_host("size=4M")
    mount = memfs(tmp_path)
    runtime = f"MEMFS_RUNTIME_DIR={tmp_path}/runtime"
    umount = (sys.executable, "-m", "memfs", "umount", str(mount.path))
    command = ["env", runtime, *umount]
    try:
        (mount / "files/f").write_bytes(b"x" * MIB)
        with contextlib.suppress(OSError):
            (tmp_path / "host/fill").write_bytes(bytes(5 * MIB))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "not all of files/ could be written; its log says" in done.stderr
        assert mount.process.wait(60) == 0
        assert "not written: files/f" in mount.log.read_text()

        (tmp_path / "host/fill").unlink()
        mount = memfs(tmp_path)
        (mount / "files/f").write_bytes(b"x" * MIB)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / "host/f").read_bytes() == b"x" * MIB
    finally:
        mount.destroy()


@root_only
def test_a_host_that_becomes_read_only(tmp_path, tmpfs_host):
    tmpfs_host("rw")
    mount = memfs(tmp_path)
    try:
        (mount / "files/f").write_bytes(b"x" * PAGE)
        with opened(mount / "files/f") as fd:
            os.fsync(fd)
        sh("mount -o remount,ro $1/host", tmp_path)
        assert (mount / "files/f").read_bytes() == b"x" * PAGE
        assert errno_of(os.open, mount / "files/f", os.O_RDWR) == "EROFS"
        assert errno_of((mount / "files/g").write_bytes, b"x") == "EROFS"
        assert errno_of(os.unlink, mount / "files/f") == "EROFS"
        assert errno_of(os.chmod, mount / "files/f", 0o600) == "EROFS"
        sh("mount -o remount,rw $1/host", tmp_path)
        (mount / "files/f").write_bytes(b"again")
        mount.finish()
        assert (tmp_path / "host/f").read_bytes() == b"again"
    finally:
        mount.destroy()


@pytest.fixture
def quota(tmp_path):
    """The directory behind files/ is a btrfs that may hold 8 MiB."""
    if os.geteuid() or shutil.which("mkfs.btrfs") is None:
        pytest.skip("a quota of btrfs takes root and btrfs-progs")
    host = tmp_path / "host"
    host.mkdir()
    image = tmp_path / "image"
    made = subprocess.run(
        [
            *("sh", "-ec"),
            "truncate -s 128M $1; mkfs.btrfs -q $1; mount -o loop $1 $2;"
            "btrfs quota enable $2; btrfs qgroup limit 8M $2",
            *("sh", str(image), str(host)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"this kernel has no quota of btrfs: {made.stderr.strip()}")
    yield host
    sh("umount -l $1", host)


def test_a_quota_is_told_like_a_full_disk(tmp_path, quota):
    """The host counts blocks when they are written: by the next fsync, once."""
    mount = memfs(tmp_path)
    try:
        data = os.urandom(6 * MIB)
        with opened(mount / "files/one") as one, opened(mount / "files/two") as two:
            os.write(one, data)
            os.fsync(one)
            os.write(two, data)
            assert errno_of(os.fsync, two) == "EDQUOT"
            assert (mount / "files/two").read_bytes() == data
            assert errno_of(os.posix_fallocate, one, 0, 20 * MIB) == "EDQUOT"
            sh("btrfs qgroup limit none $1", quota)
            os.fsync(two)
            os.fsync(two)
        assert (quota / "two").read_bytes() == data
        mount.finish()
    finally:
        mount.destroy()
