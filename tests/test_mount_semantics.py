"""What programs expect of a local file system, case by case, on a real mount.

Beside tests/test_mount_files.py, which has copies, names and the tools of a shell;
here are the calls that few tools make, what two descriptors do to each other, and
what nobody should ask for.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import multiprocessing
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading

import pytest
from mounting import PATIENCE_S, wait_until
from test_mount_files import errno_of, memfs, root_only, sh

pytestmark = pytest.mark.mount

PAGE = 4096
MIB = 1 << 20
LARGEST = 2**31 * PAGE

libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    mount = memfs(tmp_path_factory.mktemp("semantics"), "-o", "allow_other")
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
def fd(here):
    """An empty file, open for both."""
    fd = os.open(here / "f", os.O_RDWR | os.O_CREAT, 0o644)
    yield fd
    os.close(fd)


# Ways to open


def test_o_excl_is_won_by_one(here):
    """Of many processes that make the same file, each round."""

    def race(number, won):
        for i in range(50):
            try:
                fd = os.open(here / f"{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                continue
            os.close(fd)
            won[number] += 1

    won = multiprocessing.get_context("fork").Array("i", 4)
    racers = [multiprocessing.Process(target=race, args=(i, won)) for i in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert sum(won) == 50
    assert errno_of(os.open, here, os.O_CREAT | os.O_EXCL) == "EEXIST"
    os.symlink("nothing", here / "link")
    assert errno_of(os.open, here / "link", os.O_CREAT | os.O_EXCL) == "EEXIST"


def test_o_trunc_empties_under_a_reader_and_a_writer(here, fd):
    os.write(fd, b"x" * 10 * PAGE)
    os.close(os.open(here / "f", os.O_WRONLY | os.O_TRUNC))
    assert os.fstat(fd).st_size == 0
    assert os.pread(fd, 10, 0) == b""
    # The descriptor's own place has not moved: a hole comes before it.
    os.write(fd, b"y")
    assert os.pread(fd, 20 * PAGE, 0) == bytes(10 * PAGE) + b"y"


def test_o_append_goes_to_the_end_whatever_the_place(here, fd):
    os.write(fd, b"one")
    appending = os.open(here / "f", os.O_WRONLY | os.O_APPEND)
    os.lseek(appending, 0, os.SEEK_SET)
    os.write(appending, b"two")
    os.ftruncate(fd, 1)
    os.write(appending, b"three")
    assert os.pread(fd, 100, 0) == b"othree"
    os.close(appending)


def test_o_path_and_o_nofollow_and_o_directory(here, fd):
    os.symlink("f", here / "link")
    assert errno_of(os.open, here / "link", os.O_RDONLY | os.O_NOFOLLOW) == "ELOOP"
    assert errno_of(os.open, here / "f", os.O_RDONLY | os.O_DIRECTORY) == "ENOTDIR"
    assert errno_of(os.open, here, os.O_WRONLY) == "EISDIR"
    path = os.open(here / "f", os.O_PATH)
    assert os.fstat(path).st_ino == os.fstat(fd).st_ino
    assert errno_of(os.pread, path, 1, 0) == "EBADF"
    os.close(path)


# Transfers of every kind


def test_vectors(fd):
    parts = [b"a" * 5000, b"b", b"c" * 9000]
    assert os.pwritev(fd, parts, 100) == 14001
    into = [bytearray(100), bytearray(7000), bytearray(20000)]
    assert os.preadv(fd, into, 0) == 14101
    assert b"".join(into)[:14101] == bytes(100) + b"".join(parts)


def test_sendfile_from_here_and_to_here(here, fd, tmp_path):
    data = os.urandom(3 * MIB + 17)
    (tmp_path / "f").write_bytes(data)
    with open(tmp_path / "f", "rb") as source:
        done = 0
        while n := os.sendfile(fd, source.fileno(), done, len(data)):
            done += n
    assert (here / "f").read_bytes() == data
    with open(tmp_path / "g", "wb") as target:
        done = 0
        while n := os.sendfile(target.fileno(), fd, done, len(data)):
            done += n
    assert (tmp_path / "g").read_bytes() == data


def test_splice_through_a_pipe(here, fd):
    data = os.urandom(MIB + 5)
    (here / "source").write_bytes(data)
    source = os.open(here / "source", os.O_RDONLY)
    read, write = os.pipe()
    done = 0
    while n := os.splice(source, write, 65536):
        while n:
            moved = os.splice(read, fd, n)
            n -= moved
            done += moved
    assert done == len(data)
    assert os.pread(fd, 2 * MIB, 0) == data
    for end in (source, read, write):
        os.close(end)


def test_copy_file_range_within_and_between(here, fd):
    """Also with offsets of its own, and of a file onto itself."""
    data = os.urandom(200_000)
    os.write(fd, data)
    assert os.copy_file_range(fd, fd, 50_000, 0, 300_000) == 50_000
    assert os.pread(fd, 50_000, 300_000) == data[:50_000]
    with open(here / "other", "w+b") as other:
        assert os.copy_file_range(fd, other.fileno(), 1000, 5, 7) == 1000
        assert os.pread(other.fileno(), 2000, 0) == bytes(7) + data[5:1005]


@pytest.fixture(scope="module")
def async_io(tmp_path_factory):
    program = tmp_path_factory.mktemp("async") / "async_io"
    source = os.path.join(os.path.dirname(__file__), "async_io.c")
    sh("gcc -O1 -Wall -Wextra -Werror -o $1 $2", program, source)
    return program


@pytest.mark.parametrize("direct", ["", "direct"])
@pytest.mark.parametrize("interface", ["aio", "uring"])
def test_asynchronous_io(here, async_io, interface, direct):
    """64 writes in flight, a sync, 64 reads; every byte is compared."""
    done = subprocess.run(
        [async_io, interface, here / "f", direct],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"this kernel has no {interface} here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


# Size, under others


def test_a_writer_and_a_truncation_at_once(fd):
    """Whatever comes first, no byte is there that nobody wrote."""
    stop = threading.Event()

    def truncate():
        while not stop.is_set():
            os.ftruncate(fd, 3)
            os.ftruncate(fd, 50_000)

    thread = threading.Thread(target=truncate)
    thread.start()
    for _ in range(200):
        os.pwrite(fd, b"w" * 20_000, 10_000)
        seen = os.pread(fd, 60_000, 0)
        assert set(seen) <= {0, ord("w")}
        assert len(seen) <= 50_000
    stop.set()
    thread.join()
    os.ftruncate(fd, 0)
    os.ftruncate(fd, 50_000)
    assert os.pread(fd, 60_000, 0) == bytes(50_000)


@pytest.mark.parametrize("mode", [0, 0x1, 0x10, 0x11])
def test_fallocate_modes(fd, mode):
    """Allocate or make zero; with KEEP_SIZE (1) the size stays."""
    os.write(fd, b"x" * 100)
    assert libc.fallocate(fd, mode, ctypes.c_int64(0), ctypes.c_int64(MIB)) == 0
    assert os.fstat(fd).st_size == (100 if mode & 1 else MIB)
    assert os.fstat(fd).st_blocks >= 2048
    assert os.pread(fd, 100, 0) == (bytes(100) if mode & 0x10 else b"x" * 100)


@pytest.mark.parametrize("mode", [0x8, 0x20, 0x40])
def test_fallocate_modes_of_ext4_alone(fd, mode):
    """Collapse, insert, unshare."""
    assert libc.fallocate(fd, mode, ctypes.c_int64(0), ctypes.c_int64(PAGE)) == -1
    assert ctypes.get_errno() == errno.EOPNOTSUPP


# Made durable, and seen by all


def test_every_way_to_sync(here, fd):
    os.write(fd, b"x" * 3 * PAGE)
    os.fsync(fd)
    os.fdatasync(fd)
    os.sync()
    assert libc.syncfs(fd) == 0
    assert libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(PAGE), 7) == 0
    directory = os.open(here, os.O_RDONLY)
    os.fsync(directory)
    os.fdatasync(directory)
    assert libc.syncfs(directory) == 0
    os.close(directory)
    with open(here / "g", "wb", opener=lambda p, f: os.open(p, f | os.O_SYNC)) as file:
        file.write(b"y" * 5000)


def test_statfs_tells_what_sort_of_place_it_is(here):
    assert os.statvfs(here).f_namemax == 255
    assert os.major(os.stat(here).st_dev) == 0


@root_only
@pytest.mark.parametrize("top", ["files", "shm"])
def test_statfs_counts_what_is_dirty(tmp_path, tmpfs_host, top):
    """Space that write(2) has promised is free no more, written or not. Behind files/
    is a file system of its own: what others take and give back is not counted."""
    tmpfs_host("size=16M")
    mount = memfs(tmp_path)
    try:
        before = os.statvfs(mount / top)
        (mount / top / "f").write_bytes(os.urandom(4 * MIB))
        after = os.statvfs(mount / top)
        assert (before.f_bfree - after.f_bfree) * before.f_frsize == 4 * MIB
        (mount / top / "f").unlink()
        wait_until(lambda: os.statvfs(mount / top).f_bfree == before.f_bfree)
        mount.finish()
    finally:
        mount.destroy()


def test_fiemap_and_other_ioctls_are_refused(fd):
    """A program that asks goes on without."""
    assert errno_of(fcntl.ioctl, fd, 0xC020660B, bytes(32)) in ("ENOTTY", "ENOTSUP")
    assert errno_of(fcntl.ioctl, fd, 0x80086601, bytes(8)) == "ENOTTY"
    assert struct.unpack("i", fcntl.ioctl(fd, 0x2, bytes(4)))[0] > 0  # FIGETBSZ


def give_name(fd, path):
    """linkat(2) of a descriptor, which follows the link that stands for it."""
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)


def test_a_file_without_a_name(here):
    """O_TMPFILE: it is in no list, and may get a name once."""
    fd = os.open(here, os.O_TMPFILE | os.O_RDWR, 0o640)
    try:
        assert os.write(fd, b"x" * 10_000) == 10_000
        assert os.listdir(here) == []
        st = os.fstat(fd)
        assert (st.st_nlink, st.st_size, st.st_mode) == (0, 10_000, 0o100640)
        with mmap.mmap(fd, 10_000) as seen:
            seen[:3] = b"abc"
        give_name(fd, here / "g")
        assert os.fstat(fd).st_nlink == 1
        (here / "g").rename(here / "h")
        (here / "h").unlink()
        again = errno_of(give_name, fd, here / "g")
        assert again == "ENOENT"
        assert os.pread(fd, 4, 0) == b"abcx"
    finally:
        os.close(fd)


def test_a_file_that_gets_a_name_stays(here):
    fd = os.open(here, os.O_TMPFILE | os.O_WRONLY, 0o600)
    os.write(fd, b"kept")
    give_name(fd, here / "kept")
    os.close(fd)
    assert (here / "kept").read_bytes() == b"kept"
    assert os.listdir(here) == ["kept"]


def test_a_file_that_is_to_stay_without_a_name(here):
    """O_EXCL says so."""
    fd = os.open(here, os.O_TMPFILE | os.O_RDWR | os.O_EXCL)
    os.write(fd, bytes(MIB))
    os.fsync(fd)
    refused = errno_of(give_name, fd, here / "g")
    assert refused == "ENOENT"
    os.close(fd)
    with tempfile.TemporaryFile(dir=here) as file:
        assert not isinstance(file.name, str)


@pytest.fixture(params=["file", "directory", "removed"])
def attributed(request, here, fd):
    """Something with extended attributes."""
    if request.param == "directory":
        (here / "d").mkdir()
        return here / "d"
    if request.param == "removed":
        (here / "f").unlink()
    return fd if request.param == "removed" else here / "f"


def test_extended_attributes(attributed):
    """Set, replaced, read, listed, removed; their change is one of the inode."""
    before = os.stat(attributed).st_ctime_ns
    assert os.listxattr(attributed) == []
    assert errno_of(os.getxattr, attributed, "user.a") == "ENODATA"
    os.setxattr(attributed, "user.a", b"one")
    os.setxattr(attributed, "user.b", b"")
    assert os.stat(attributed).st_ctime_ns > before
    os.setxattr(attributed, "user.a", bytes(range(256)))
    assert sorted(os.listxattr(attributed)) == ["user.a", "user.b"]
    assert os.getxattr(attributed, "user.a") == bytes(range(256))
    assert os.getxattr(attributed, "user.b") == b""
    create, replace = os.XATTR_CREATE, os.XATTR_REPLACE
    assert errno_of(os.setxattr, attributed, "user.a", b"", create) == "EEXIST"
    assert errno_of(os.setxattr, attributed, "user.c", b"", replace) == "ENODATA"
    os.removexattr(attributed, "user.a")
    assert errno_of(os.removexattr, attributed, "user.a") == "ENODATA"
    assert os.listxattr(attributed) == ["user.b"]


def test_attributes_stay_with_the_inode(here, fd):
    """Whatever its names are."""
    os.setxattr(here / "f", "user.a", b"b")
    os.link(here / "f", here / "g")
    os.rename(here / "g", here / "h")
    (here / "f").unlink()
    assert os.getxattr(here / "h", "user.a") == b"b"
    (here / "f").write_bytes(b"")
    assert os.listxattr(here / "f") == []


def test_attributes_that_are_not_kept(here, fd):
    """Labels, capabilities and access lists; those of links and of too much."""
    assert errno_of(os.getxattr, fd, "security.capability") == "ENODATA"
    assert errno_of(os.setxattr, fd, "security.capability", b"x") in (
        "ENOTSUP",
        "EINVAL",
    )
    assert errno_of(os.getxattr, fd, "system.posix_acl_access") == "ENOTSUP"
    assert errno_of(os.getxattr, fd, "user.") == "EINVAL"
    assert errno_of(os.setxattr, fd, "user.a", bytes(65537)) == "E2BIG"
    os.symlink("f", here / "link")
    refused = errno_of(
        lambda: os.setxattr(here / "link", "user.a", b"", follow_symlinks=False)
    )
    assert refused == "EPERM"


def test_files_are_always_ready(fd):
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLOUT)
    assert poll.poll(0) == [(fd, select.POLLIN | select.POLLOUT)]


# Locks

TRY = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    getattr(fcntl, sys.argv[2])(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""


def other_gets(here, call):
    command = [sys.executable, "-c", TRY, here / "f", call]
    return subprocess.run(command, check=False, timeout=PATIENCE_S).returncode == 0


@pytest.mark.parametrize("call", ["flock", "lockf"])
def test_a_lock_keeps_others_out_and_ends_with_its_holder(here, fd, call):
    code = "import fcntl, os, sys, time; fd = os.open(sys.argv[1], os.O_RDWR);"
    code += f"fcntl.{call}(fd, fcntl.LOCK_EX); print(1, flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code, here / "f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        assert not other_gets(here, call)
        holder.kill()
    assert other_gets(here, call)


def test_a_lock_is_waited_for(here, fd):
    fcntl.lockf(fd, fcntl.LOCK_EX)
    code = "import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDWR);"
    code += "print(1, flush=True); fcntl.lockf(fd, fcntl.LOCK_EX)"
    command = [sys.executable, "-c", code, here / "f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as waiter:
        assert waiter.stdout.readline()
        with open(f"/proc/{waiter.pid}/wchan") as wchan:
            wait_until(lambda: wchan.seek(0) or "setlk" in wchan.read())
        assert waiter.poll() is None
        fcntl.lockf(fd, fcntl.LOCK_UN)
        assert waiter.wait(60) == 0


def test_locks_of_ranges_and_of_descriptions(here, fd):
    fcntl.lockf(fd, fcntl.LOCK_EX, 10, 0)
    code = "import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDWR);"
    code += "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 10)"
    subprocess.run([sys.executable, "-c", code, here / "f"], check=True)
    second = os.open(here / "f", os.O_RDWR)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 100, 10, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, lock)
    with pytest.raises(BlockingIOError):
        fcntl.fcntl(second, fcntl.F_OFD_SETLK, lock)
    os.close(second)


# Names


def test_paths_through_symlinks(here):
    (here / "a/b").mkdir(parents=True)
    (here / "a/b/f").write_text("found")
    os.symlink("a/b", here / "relative")
    os.symlink(here / "relative", here / "absolute")
    os.symlink("../../relative/f", here / "a/b/back")
    assert (here / "absolute/f").read_text() == "found"
    assert (here / "a/b/back").read_text() == "found"
    (here / "absolute/new").write_text("x")
    assert sorted(os.listdir(here / "a/b")) == ["back", "f", "new"]
    os.rename(here / "relative/new", here / "relative/newer")
    assert os.path.samefile(here / "absolute/newer", here / "a/b/newer")


def test_loops_of_symlinks(here):
    os.symlink("one", here / "two")
    os.symlink("two", here / "one")
    os.symlink("self/self", here / "self")
    for name in ("one", "two", "self", "one/below", "self/below"):
        assert errno_of(os.stat, here / name) == "ELOOP"
        assert errno_of(os.open, here / name, os.O_CREAT | os.O_RDWR) == "ELOOP"
    chain = "end"
    for i in range(45):
        os.symlink(chain, here / f"chain{i}")
        chain = f"chain{i}"
    (here / "end").write_text("x")
    assert (here / "chain38").read_text() == "x"
    assert errno_of(os.stat, here / "chain44") == "ELOOP"


def test_links_to_their_limit(here, fd):
    for i in range(300):
        os.link(here / "f", here / f"link{i}")
    assert os.fstat(fd).st_nlink == 301
    os.write(fd, b"one file")
    assert (here / "link299").read_bytes() == b"one file"
    os.unlink(here / "f")
    assert (here / "link7").stat().st_nlink == 300
    assert errno_of(os.link, here, here / "d") == "EPERM"


def test_a_path_at_its_longest(here):
    """4095 bytes are a path, one more is none."""
    deep = os.fsencode(here)
    while len(deep) < 4095 - 256:
        deep += b"/" + b"d" * 200
        os.mkdir(deep)
    last = b"/" + b"f" * (4095 - len(deep) - 1)
    os.close(os.open(deep + last, os.O_CREAT | os.O_WRONLY))
    assert os.listdir(deep) == [last[1:]]
    assert errno_of(os.open, deep + last + b"f", os.O_CREAT) == "ENAMETOOLONG"


@root_only
def test_who_may_chown_and_chmod(here, fd):
    """The owner may give it to a group of his, and nobody may give it away."""
    os.fchown(fd, 1234, 2345)
    here.chmod(0o777)
    user = "setpriv --reuid 1234 --regid 2345 --groups 2345,3456"
    sh(f"cd $1; {user} chgrp 3456 f; {user} chmod 2750 f", here)
    st = os.fstat(fd)
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (1234, 3456, 0o2750)
    sh(f"cd $1; ! {user} chown 1 f 2>&-; ! {user} chgrp 1 f 2>&-", here)
    other = "setpriv --reuid 4321 --regid 4321 --clear-groups"
    sh(f"cd $1; ! {other} chmod 777 f 2>&-; ! {other} cat f 2>&-", here)
    assert os.fstat(fd).st_mode & 0o7777 == 0o2750


# A directory of a hundred thousand, while it changes

NAMES = 100_000


@pytest.mark.slow
@pytest.mark.parametrize("place", ["files", "shm"])
def test_reading_a_hundred_thousand_names_while_they_change(tmp_path, place):
    """What stays is seen exactly once; what comes and goes at most once."""
    if place == "files":
        many = tmp_path / "host" / "many"
        many.mkdir(parents=True)
        for i in range(NAMES):
            os.close(os.open(many / f"{i:06d}", os.O_CREAT, 0o644))
    mount = memfs(tmp_path)
    try:
        many = mount.path / place / "many"
        many.mkdir(exist_ok=True)
        if place == "shm":
            for i in range(NAMES):
                os.mknod(many / f"{i:06d}")
        seen, turn = [], 0
        with os.scandir(many) as entries:
            for number, entry in enumerate(entries):
                seen.append(entry.name)
                if number % 50 == 0:
                    # Behind, ahead and beside where the reading is.
                    turn += 1
                    (many / f"new{turn}").touch()
                    os.unlink(many / f"{turn * 37 % NAMES:06d}")
                    os.rename(many / f"new{turn}", many / f"newer{turn}")
        assert len(seen) == len(set(seen))
        gone = {f"{i * 37 % NAMES:06d}" for i in range(1, turn + 1)}
        stayed = {f"{i:06d}" for i in range(NAMES)} - gone
        assert stayed <= set(seen)
        assert len(os.listdir(many)) == NAMES
        mount.finish()
    finally:
        mount.destroy()


# What nobody should ask for


@pytest.fixture
def unlimited():
    """A write that is too far is an errno, and no signal."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    yield
    signal.signal(signal.SIGXFSZ, before)


def test_offsets_past_the_largest_size(fd, unlimited):
    """A page index of the model has 31 bits: 8 TiB."""
    os.ftruncate(fd, LARGEST)
    assert os.fstat(fd).st_size == LARGEST
    assert os.pread(fd, 10, LARGEST - 5) == bytes(5)
    assert os.pread(fd, 10, LARGEST) == b""
    assert os.pread(fd, 10, 2**62) == b""
    assert os.pwrite(fd, b"0123456789", LARGEST - 4) == 4
    assert os.pread(fd, 10, LARGEST - 4) == b"0123"
    for off in (LARGEST, LARGEST + 1, 2**62):
        assert errno_of(os.pwrite, fd, b"x", off) == "EFBIG"
        assert errno_of(os.ftruncate, fd, off + 1) == "EFBIG"
        assert errno_of(os.posix_fallocate, fd, off, 1) == "EFBIG"
    assert errno_of(os.lseek, fd, LARGEST, os.SEEK_DATA) == "ENXIO"
    assert os.lseek(fd, LARGEST - 4, os.SEEK_DATA) == LARGEST - 4
    assert errno_of(os.pread, fd, 1, -1) == "EINVAL"
    assert errno_of(os.ftruncate, fd, -1) == "EINVAL"
    assert os.fstat(fd).st_size == LARGEST
    os.ftruncate(fd, 0)


def test_bad_ranges(fd):
    assert errno_of(os.posix_fallocate, fd, 0, 0) == "EINVAL"
    assert errno_of(os.posix_fallocate, fd, -1, 5) == "EINVAL"
    assert errno_of(os.lseek, fd, 0, 9) == "EINVAL"
    assert errno_of(os.lseek, fd, 0, os.SEEK_HOLE) == "ENXIO"
    assert libc.fallocate(fd, 0x2, ctypes.c_int64(0), ctypes.c_int64(PAGE)) == -1
    assert ctypes.get_errno() == errno.EOPNOTSUPP


def test_a_descriptor_that_is_not_for_that(here, fd):
    reader = os.open(here / "f", os.O_RDONLY)
    writer = os.open(here / "f", os.O_WRONLY)
    assert errno_of(os.write, reader, b"x") == "EBADF"
    assert errno_of(os.ftruncate, reader, 5) == "EINVAL"
    assert errno_of(os.posix_fallocate, reader, 0, 5) == "EBADF"
    assert errno_of(os.read, writer, 5) == "EBADF"
    directory = os.open(here, os.O_RDONLY)
    assert errno_of(os.read, directory, 5) == "EISDIR"
    for each in (reader, writer, directory):
        os.close(each)


# The end, under those who are at work

WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print(1, flush=True)
for number in range(10**9):
    try:
        os.pwrite(fd, b"%08d" % number, number % 1000 * 8)
    except OSError as error:
        print(number, error.errno, flush=True)
        break
errnos = []
top = os.path.dirname(sys.argv[1])
for call in (lambda: os.pread(fd, 8, 0), lambda: os.fsync(fd), lambda: os.fstat(fd),
             lambda: os.ftruncate(fd, 1), lambda: os.listdir(top)):
    try:
        call()
        errnos.append(0)
    except OSError as error:
        errnos.append(error.errno)
print(*errnos, flush=True)
try:
    os.close(fd)
except OSError:
    pass
"""


@pytest.mark.parametrize("how", ["SIGTERM", "umount"])
def test_descriptors_after_the_unmount_began(tmp_path, how):
    """Every write that succeeded is on the host; after that each call is an errno."""
    mount = memfs(tmp_path)
    try:
        command = [sys.executable, "-c", WRITER, str(mount / "files/f")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline()
            wait_until(lambda: (mount / "files/f").stat().st_size == 8000)
            if how == "SIGTERM":
                mount.process.send_signal(signal.SIGTERM)
            else:
                # Busy: refused, and the writer has not noticed.
                assert sh("! umount $1 2>&1", mount.path)
                assert writer.poll() is None
                sh("umount -l $1", mount.path)
                assert writer.poll() is None
                mount.process.send_signal(signal.SIGTERM)
            assert mount.process.wait(60) == 0
            number, code = map(int, writer.stdout.readline().split())
            assert errno.errorcode[code] in ("ENOTCONN", "ECONNABORTED", "ENODEV")
            after = list(map(int, writer.stdout.readline().split()))
            # The kernel may answer fstat() out of what it has kept.
            assert all(after[:2] + after[3:])
            assert writer.wait(60) == 0
        data = (mount.host / "f").read_bytes()
        written = [int(data[i : i + 8]) for i in range(0, 8000, 8)]
        # The write that failed may have been done or not.
        for i, seen in enumerate(written):
            last = number - 1 - (number - 1 - i) % 1000
            assert seen == last or (seen == number and i == number % 1000)
        assert mount.complaints() == []
    finally:
        mount.destroy()
