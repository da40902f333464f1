"""The protocol adapter on a real mount, with a tree that has no model behind it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from mounting import PATIENCE_S, mounted, wait_until

pytestmark = pytest.mark.mount


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """One mount for every test that leaves it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("fake")
        patch.setenv("MEMFS_RUNTIME_DIR", str(directory / "runtime"))
        with mounted(directory) as mount:
            yield mount


def refused(call, *args):
    """The errno that a call is refused with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        call(*args)
    return caught.value.errno


def waiting(mount):
    return int((mount / "status").read_text().split()[0].partition("=")[2])


def open_close(path, flags):
    os.close(os.open(path, flags))


# Generated files


def test_every_name_of_a_directory_is_listed_once(fake):
    assert len(os.listdir(fake / "numbers")) == len(set(os.listdir(fake / "numbers")))
    assert sorted(map(int, os.listdir(fake / "numbers"))) == list(range(100))
    assert {".", ".."} <= set(fake.shell("ls -a $M/numbers").stdout.split())


def test_stat_gives_the_real_length(fake):
    assert os.stat(fake / "proc/meminfo").st_size == 9000
    assert os.stat(fake / "attribute").st_size == 4096
    assert os.stat(fake / "numbers").st_nlink == 2


@pytest.mark.parametrize(
    "script",
    [
        "cat $M/proc/meminfo",
        "dd if=$M/proc/meminfo bs=100 status=none",
        "head -c 9000 $M/proc/meminfo",
        "cp $M/proc/meminfo $T/copy && cat $T/copy",
        "tail -c 9000 $M/proc/meminfo",
        "$PY -c 'from shutil import *; import sys; "
        "copyfile(sys.argv[1], sys.argv[2])' $M/proc/meminfo $T/c && cat $T/c",
    ],
)
def test_readers_get_every_byte(fake, tmp_path, script):
    assert (
        fake.shell(f"T={tmp_path} PY={sys.executable}; {script}").stdout == "x" * 9000
    )


def test_an_open_file_is_a_snapshot_and_a_rewind_renders_again(fake):
    with open(fake / "log", "rb", buffering=0) as log:
        first = log.read(8)
        rest = log.read(100000)
        os.stat(fake / "log")
        log.seek(8)
        assert log.read(100000) == rest
        log.seek(0)
        assert len(log.read(100000)) > len(first + rest)


def test_a_written_text_is_read_back(fake):
    fake.write("memhotplug", "echo some words\n")
    assert (fake / "memhotplug").read_text() == "some words\n"


@pytest.mark.parametrize("redirect", [">", ">>", "1<>"])
@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_shells_write_commands(fake, shell, redirect):
    done = fake.shell(f"echo echo {shell} {redirect} $M/memhotplug", shell)
    assert done.returncode == 0, done.stderr
    assert (fake / "memhotplug").read_text() == f"{shell}\n"


def test_each_write_is_one_command_wherever_it_goes(fake):
    fd = os.open(fake / "memhotplug", os.O_RDWR)
    try:
        assert os.write(fd, b"echo one") == 8
        assert os.write(fd, b"echo two") == 8
        assert os.pwrite(fd, b"echo three", 77777) == 10
        assert os.write(fd, b"") == 0
    finally:
        os.close(fd)
    assert (fake / "memhotplug").read_text() == "three\n"


@pytest.mark.parametrize(
    "code", [errno.EINVAL, errno.EBUSY, errno.ENODEV, errno.EEXIST]
)
def test_a_refusal_is_the_writers_errno(fake, code):
    assert refused(fake.write, "memhotplug", f"refuse {code}") == code
    assert fake.shell(f"echo refuse {code} > $M/memhotplug").returncode != 0


def test_truncation_chmod_and_utime_have_no_effect(fake):
    before = os.stat(fake / "proc/meminfo")
    os.truncate(fake / "proc/meminfo", 0)
    os.utime(fake / "proc/meminfo", (1, 1))
    os.chmod(fake / "proc/meminfo", 0o777)
    assert os.stat(fake / "proc/meminfo") == before
    open_close(fake / "memhotplug", os.O_WRONLY | os.O_TRUNC)
    assert os.stat(fake / "memhotplug").st_size > 0


def test_read_only_files_refuse_writers_root_too(fake):
    assert refused(open_close, fake / "status", os.O_WRONLY) == errno.EACCES
    assert refused(open_close, fake / "attribute", os.O_RDWR) == errno.EACCES
    assert refused(open_close, fake / "probe", os.O_RDONLY) == errno.EACCES
    assert refused(fake.write, "proc/meminfo", "x") == errno.EIO


@pytest.mark.parametrize(
    ("call", "directory", "code"),
    [
        ("create", "", errno.ENOENT),
        ("create", "proc", errno.ENOENT),
        ("create", "nodes", errno.EACCES),
        ("mkdir", "proc", errno.ENOENT),
        ("mkdir", "nodes", errno.EPERM),
        ("symlink", "", errno.EPERM),
        ("link", "", errno.EPERM),
        ("mknod", "", errno.EPERM),
    ],
)
def test_nothing_is_made_in_generated_directories(fake, call, directory, code):
    new = fake / directory / "new"
    calls = {
        "create": lambda: os.open(new, os.O_CREAT | os.O_WRONLY),
        "mkdir": lambda: os.mkdir(new),
        "symlink": lambda: os.symlink("x", new),
        "link": lambda: os.link(fake / "status", new),
        "mknod": lambda: os.mkfifo(new),
    }
    assert refused(calls[call]) == code


def test_nothing_is_taken_away(fake):
    assert refused(os.unlink, fake / "status") == errno.EPERM
    assert refused(os.rmdir, fake / "numbers") == errno.EPERM
    assert refused(os.rename, fake / "status", fake / "x") == errno.ENOENT
    assert refused(os.rename, fake / "nodes/node0", fake / "nodes/x") == errno.EPERM


def test_no_request_is_answered_with_enosys(fake):
    path = fake / "memhotplug"
    assert refused(os.getxattr, path, "user.x") == errno.EOPNOTSUPP
    assert refused(os.setxattr, path, "user.x", b"") == errno.EOPNOTSUPP
    assert os.access(path, os.R_OK)
    assert os.readlink(fake / "latest") == "status"
    with open(fake / "status") as file:
        assert refused(os.posix_fallocate, file.fileno(), 0, 1) == errno.EBADF
        assert refused(fcntl.ioctl, file, 0x1234) == errno.ENOTTY


def test_an_unexpected_exception_is_eio_and_the_mount_lives(mount_with):
    mount = mount_with()
    mount.allowed = ("failed", "Traceback", "ZeroDivisionError")
    assert refused(mount.write, "memhotplug", "boom") == errno.EIO
    assert refused(open_close, mount / "broken", os.O_RDONLY) == errno.EIO
    assert "waiting=0" in (mount / "status").read_text()


@pytest.mark.parametrize("data", [b"\0", b"\xff\xfe", b"x" * 300_000, b"\n", b"echo"])
def test_no_bytes_end_the_daemon(mount_with, data):
    mount = mount_with()
    mount.allowed = ("failed", "Traceback", "Error")
    with contextlib.suppress(OSError):
        mount.write("memhotplug", data)
    assert "waiting=0" in (mount / "status").read_text()


def test_what_comes_and_goes_is_seen_at_once(fake):
    assert not (fake / "nodes/node1").exists()
    for _ in range(3):
        fake.write("memhotplug", "plug 1")
        assert (fake / "nodes/node1/meminfo").read_text() == "free\n"
        assert "node1" in os.listdir(fake / "nodes")
        fake.write("memhotplug", "unplug 1")
        assert not (fake / "nodes/node1").exists()
        assert "node1" not in os.listdir(fake / "nodes")


def test_a_descriptor_of_what_has_gone_still_reads(fake):
    fake.write("memhotplug", "plug 7")
    with open(fake / "nodes/node7/meminfo", "rb", buffering=0) as file:
        fake.write("memhotplug", "unplug 7")
        assert file.read() == b"free\n"


# Writers that are held


def held(mount, script, count=1):
    """A client that is held by a command, seen in the daemon."""
    client = mount.client(script)
    wait_until(lambda: waiting(mount) >= count)
    return client


def gone_after(client, number):
    """Seconds from the signal to the end of the process."""
    begin = time.monotonic()
    os.killpg(client.pid, number)
    client.wait(10)
    return time.monotonic() - begin


def fastest(attempt):
    """The best of three: other tests run beside this one, and now and then one of them
    has both CPUs for as long as is allowed here."""
    return min(attempt() for _ in range(3))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("shim", ["on", "off"])
def test_a_held_writer_is_gone_within_100_ms_of_a_signal(mount_with, number, shim):
    mount = mount_with(env={"MEMFS_SHIM": shim})

    def attempt():
        client = held(mount, "printf hang > $M/memhotplug")
        seconds = gone_after(client, number)
        wait_until(lambda: waiting(mount) == 0)
        return seconds

    assert fastest(attempt) < 0.1


def test_a_trapped_signal_is_eintr_and_the_script_goes_on(fake):
    """In bash; dash writes once more what a trapped signal interrupted."""
    script = "trap 'echo trapped' INT; echo hang > $M/memhotplug; echo $?"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    client = fake.client(script, "bash", **pipes)
    wait_until(lambda: waiting(fake) == 1)
    os.killpg(client.pid, signal.SIGINT)
    out, _ = client.communicate(timeout=PATIENCE_S)
    assert out.split()[0] == "trapped"
    assert int(out.split()[1]) != 0


def test_readers_are_served_while_a_writer_is_held(fake):
    client = held(fake, "echo spin 2000 > $M/memhotplug")
    times = []
    for _ in range(50):
        begin = time.monotonic()
        (fake / "memhotplug").read_text()
        times.append(time.monotonic() - begin)
    gone_after(client, signal.SIGKILL)
    assert sorted(times)[25] < 0.02


def test_a_second_writer_waits_where_a_signal_reaches_it(fake):
    clients = [held(fake, "echo hang > $M/memhotplug", n + 1) for n in range(4)]
    for client in reversed(clients):
        assert gone_after(client, signal.SIGTERM) < 0.1
    wait_until(lambda: waiting(fake) == 0)


def test_writers_that_come_at_the_same_instant_wait_side_by_side(fake):
    script = "for i in 1 2 3 4 5 6 7 8; do echo hang > $M/memhotplug & done; wait"
    client = held(fake, script, 8)
    gone_after(client, signal.SIGKILL)
    wait_until(lambda: waiting(fake) == 0)


def test_openers_of_one_inode_are_told_apart(fake):
    """The path walk of the second opener is repeated, not refused."""
    failures = []

    def write():
        try:
            for _ in range(100):
                fake.write("memhotplug", "echo x")
        except OSError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_thousand_writers_may_wait_and_the_mount_can_end(mount_with):
    mount = mount_with()
    errors = []

    def lose():
        fd = os.open(mount / "memhotplug", os.O_WRONLY)
        errors.append(refused(os.write, fd, b"hang"))
        with contextlib.suppress(OSError):
            os.close(fd)

    writers = [threading.Thread(target=lose) for _ in range(1000)]
    for thread in writers:
        thread.start()
    wait_until(lambda: waiting(mount) == 1000)
    assert (mount / "memhotplug").read_text() == "nothing\n"
    mount.process.terminate()
    for thread in writers:
        thread.join()
    assert errors == [errno.ENOTCONN] * 1000


# Volumes


@pytest.fixture
def files(fake, request):
    """An empty directory of its own in the volume."""
    path = fake / "files" / request.node.name.replace("/", "-")[:200]
    path.mkdir()
    return path


def test_a_file_keeps_what_is_written(files):
    data = os.urandom(300_000)
    (files / "a").write_bytes(data)
    assert (files / "a").read_bytes() == data
    with open(files / "a", "ab") as file:
        file.write(b"more")
    assert (files / "a").stat().st_size == 300_004


def test_names_are_made_moved_and_taken_away(files):
    (files / "d").mkdir(0o700)
    (files / "d/f").write_text("x")
    (files / "d/f").rename(files / "g")
    os.link(files / "g", files / "h")
    assert (files / "h").stat().st_nlink == 2
    os.symlink("h", files / "s")
    assert (files / "s").read_text() == "x"
    assert refused(os.rmdir, files) == errno.ENOTEMPTY
    (files / "g").unlink()
    assert sorted(os.listdir(files)) == ["d", "h", "s"]
    (files / "d").rmdir()
    os.mkfifo(files / "p")
    assert stat.S_ISFIFO((files / "p").stat().st_mode)


def test_attributes_are_set(files):
    path = files / "a"
    path.touch()
    os.chmod(path, 0o640)
    os.chown(path, 12, 34)
    os.utime(path, ns=(5_000_000_001, 6_000_000_002))
    os.truncate(path, 7777)
    seen = path.stat()
    assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o640, 12, 34)
    assert (seen.st_atime_ns, seen.st_size) == (5_000_000_001, 7777)


def test_moves_across_volumes_and_into_the_tree_are_refused(fake, files):
    (files / "a").touch()
    assert refused(os.rename, files / "a", fake / "shm/a") == errno.EXDEV
    assert refused(os.link, files / "a", fake / "shm/a") == errno.EXDEV
    assert refused(os.rename, files / "a", fake / "a") == errno.EXDEV
    assert refused(os.link, files / "a", fake / "a") == errno.EPERM


def test_a_big_directory_is_listed_whole(files):
    for n in range(1000):
        (files / f"{n:0200}").touch()
    assert len(os.listdir(files)) == 1000


def test_errors_at_fsync_reach_the_caller(files):
    """close(2) asks nobody, as on a local file system."""
    fd = os.open(files / "a", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"full up")
    assert refused(os.fsync, fd) == errno.ENOSPC
    os.close(fd)


def test_an_unlinked_open_file_is_still_there(files):
    with open(files / "a", "w+b", buffering=0) as file:
        file.write(b"data")
        (files / "a").unlink()
        assert os.fstat(file.fileno()).st_nlink == 0
        assert os.pread(file.fileno(), 10, 0) == b"data"


def test_statfs_is_the_volumes(fake):
    assert os.statvfs(fake / "files").f_blocks == 1000
    assert os.statvfs(fake / "status").f_blocks == 0


def test_mappings_share_what_is_read_and_written(files):
    with open(files / "a", "w+b", buffering=0) as file:
        file.write(bytes(8192))
        with mmap.mmap(file.fileno(), 8192) as memory:
            memory[10:14] = b"mmap"
            assert os.pread(file.fileno(), 4, 10) == b"mmap"
            os.pwrite(file.fileno(), b"file", 4096)
            assert memory[4096:4100] == b"file"


def test_a_range_of_a_mapping_is_revoked(fake, files):
    """What the daemon changed shows only where the kernel's copy was dropped."""
    path = files / "a"
    path.write_bytes(b"page" + bytes(8188))
    with open(path, "r+b", buffering=0) as file:
        with mmap.mmap(file.fileno(), 8192) as memory:
            assert memory[4096:4100] == bytes(4)
            fake.write("memhotplug", "change 0")
            assert memory[4096:4100] == bytes(4)
            fake.write("memhotplug", "change 4096")
            assert memory[4096:4100] == b"seen"
            memory[8191:] = b"!"
            fake.write("memhotplug", "change 4096")
            assert os.pread(file.fileno(), 1, 8191) == b"!"
        file.write(b"gone")


def test_holes_are_punched_and_found(files):
    path = files / "a"
    path.write_bytes(b"x" * 5000)
    done = subprocess.run(["fallocate", "-p", "-o", "1000", "-l", "1000", path])
    assert done.returncode == 0
    with open(path, "rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 1000
        assert os.lseek(file.fileno(), 1000, os.SEEK_DATA) == 2000
        assert refused(os.lseek, file.fileno(), 5000, os.SEEK_DATA) == errno.ENXIO


def test_locks_are_the_kernels(files):
    with open(files / "a", "w") as one, open(files / "a", "w") as two:
        fcntl.flock(one, fcntl.LOCK_EX)
        assert refused(fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB) == errno.EAGAIN


READER = """
import signal, sys
signal.signal(signal.SIGUSR1, lambda *ignored: print("EINTR", flush=True))
open(sys.argv[1], "rb").read()
"""


def test_only_a_fatal_signal_ends_a_reader_of_a_file(fake, files):
    """Python would run its handler if read() came back with EINTR."""
    (files / "a").write_bytes(b"hang" * 10)
    command = [sys.executable, "-c", READER, str(files / "a")]

    def attempt():
        begin = {"stdout": subprocess.PIPE, "start_new_session": True}
        with subprocess.Popen(command, **begin) as client:
            wait_until(lambda: waiting(fake) == 1)
            os.killpg(client.pid, signal.SIGUSR1)
            assert waiting(fake) == 1
            seconds = gone_after(client, signal.SIGKILL)
            assert client.stdout.read() == b""
        wait_until(lambda: waiting(fake) == 0)
        return seconds

    assert fastest(attempt) < 0.1


def test_every_hook_is_in(fake):
    """But the short way, which takes a machine; see tests/test_mount_lane.py."""
    [line] = re.findall("missing=.*", (fake / "status").read_text())
    assert re.fullmatch("missing=lane: [^:]*", line)


def test_without_the_shim_the_mount_still_works(mount_with):
    mount = mount_with(env={"MEMFS_SHIM": "off"})
    mount.write("memhotplug", "echo words")
    assert (mount / "memhotplug").read_text() == "words\n"
    (mount / "files/a").write_bytes(b"x" * 10000)
    assert (mount / "files/a").read_bytes() == b"x" * 10000
    missing = (mount / "status").read_text()
    assert "interrupt" in missing
    assert "mmap" in missing
