"""The life of a mount: begin, refusals, the end in all its forms."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import mmap
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mounting import FAKE, PATIENCE_S, ROOT, start, wait_until

from memfs import locks, mountpoints
from memfs.daemon import MountError, _see_answer, is_news, umount

pytestmark = pytest.mark.mount

PIDFD_GETFD = 438  # pidfd_getfd(2)
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def point(tmp_path):
    """An empty mount point; whatever is mounted there at the end goes."""
    path = tmp_path / "mnt"
    path.mkdir()
    yield path
    pid = locks.owner(path)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    if mountpoints.mounted_type(path) is not None:
        mountpoints.detach(path)


@pytest.mark.parametrize(("code", "told"), [(errno.ENOENT, False), (errno.EIO, True)])
def test_an_answer_that_comes_too_late_is_not_told(code, told):
    """Its caller was killed, or the mount has ended. Other errors are."""
    said = "fuse_release(): fuse_reply_* failed with %s"
    args = (os.strerror(code),)
    record = logging.LogRecord("pyfuse3", logging.ERROR, "", 0, said, args, None)
    assert is_news(record) == told


def run(point, *options):
    """The fake daemon, detached; returns when the starting process ends."""
    return subprocess.run(
        [*FAKE, "--detach", *map(str, options), str(point)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def sentence(done):
    """What a refused start says: one line, on stderr."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def log_of(point):
    return locks.log_path(point).read_text()


# Beginning


def test_a_detached_mount_answers_when_the_command_returns(point):
    """With pipes for all output, as in ``$(memfs mount ...)``: they are let go."""
    done = run(point)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (point / "memhotplug").read_text() == "nothing\n"
    assert mountpoints.mounted_type(point) == "fuse.memfs"
    umount(point)
    assert os.listdir(point) == []


def test_a_mount_that_does_not_answer_is_told_of(tmp_path):
    """The kernel's first request may be refused after READY was said."""
    with pytest.raises(MountError, match=r"does not answer: No such file.* the log is"):
        _see_answer(tmp_path / "gone")


def test_a_detached_daemon_keeps_nothing_of_its_caller(point, tmp_path):
    with open(tmp_path / "held", "w") as held:
        os.set_inheritable(held.fileno(), True)
        command = [*FAKE, "--detach", str(point)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, env=env, check=True, close_fds=False, cwd=tmp_path)
    pid = locks.owner(point)
    opened = [
        os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")
    ]
    assert str(tmp_path / "held") not in opened
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) == pid
    assert f"pid {pid}" in log_of(point)
    umount(point)
    assert mountpoints.wait_for_end(pid, 0)


def test_ready_is_said_on_a_descriptor(fake_mount_point):
    """The fixture waits for it."""
    assert os.path.ismount(fake_mount_point.path)


def test_ready_is_said_on_a_standard_stream(point):
    """The daemon leaves its streams, but not before that."""
    done = run(point, "--ready-fd", 1)
    assert (done.returncode, done.stdout) == (0, "READY\n")
    assert (point / "memhotplug").read_text() == "nothing\n"
    umount(point)


def test_the_mount_stays_though_nobody_reads_that_it_is_ready(point):
    receive, send = os.pipe()
    os.close(receive)
    done = subprocess.run(
        [*FAKE, "--detach", "--ready-fd", str(send), str(point)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=[send],
        check=False,
    )
    os.close(send)
    assert done.returncode == 0
    assert (point / "memhotplug").read_text() == "nothing\n"
    assert "nobody could be told" in log_of(point)
    umount(point)


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- >&- 2>&-"])
def test_who_has_closed_the_standard_streams_can_mount(point, closed):
    """What is opened next must not be taken for one of them."""
    command = " ".join([*FAKE, "--detach", str(point), closed])
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(["sh", "-c", command], env=env, timeout=PATIENCE_S, check=True)
    assert (point / "memhotplug").read_text() == "nothing\n"
    umount(point)


def test_a_descriptor_that_is_not_open_is_refused(point):
    assert "descriptor 99" in sentence(run(point, "--ready-fd", 99))
    assert mountpoints.mounted_type(point) is None


def test_mount_options_reach_libfuse(mount_with):
    mount = mount_with(options=["-o", "allow_other"])
    table = Path("/proc/mounts").read_text().splitlines()
    [line] = [line for line in table if f" {mount.path} " in line]
    assert line.startswith("memfs ")
    assert "allow_other" in line
    assert "default_permissions" in line


@pytest.mark.parametrize("env", [{}, {"MEMFS_SHIM": "off"}])
def test_reads_may_be_limited(mount_with, env):
    """libfuse ends a session whose program does not say the limit again."""
    mount = mount_with(options=["-o", "max_read=8192"], env=env)
    assert (mount / "memhotplug").read_text() == "nothing\n"
    (mount / "files/a").write_bytes(b"12345678" * 8192)
    assert (mount / "files/a").read_bytes() == b"12345678" * 8192
    table = Path("/proc/mounts").read_text().splitlines()
    [line] = [line for line in table if f" {mount.path} " in line]
    assert ("max_read=8192" in line) == (not env)


def test_modes_are_what_the_callers_umask_leaves(fake_mount_point):
    script = "umask 0; mkdir $M/files/d; umask 027; touch $M/files/f; "
    done = fake_mount_point.shell(script + "stat -c %a $M/files/d $M/files/f")
    assert done.stdout.split() == ["777", "640"]


# Refusals


def test_a_second_daemon_on_a_mount_point_is_refused(point):
    assert run(point).returncode == 0
    assert "mounted there already" in sentence(run(point))
    assert (point / "memhotplug").read_text() == "nothing\n"
    umount(point)


def test_two_that_start_at_once_are_one(point):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(run(point))) for _ in "123"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done.returncode for done in results) == [0, 1, 1]
    umount(point)


def test_a_second_daemon_on_a_files_directory_is_refused(point, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "other").mkdir()
    assert run(point, "--files", tmp_path / "disk").returncode == 0
    assert "another daemon" in sentence(
        run(tmp_path / "other", "--files", tmp_path / "disk")
    )
    umount(point)
    assert run(tmp_path / "other", "--files", tmp_path / "disk").returncode == 0
    umount(tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "No such file"),
        ("file", "not a directory"),
        ("missing/below", "No such file"),
    ],
)
def test_what_is_no_mount_point_is_refused(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    assert words in sentence(run(tmp_path / name))


def test_a_missing_files_directory_is_refused(point, tmp_path):
    assert "No such file" in sentence(run(point, "--files", tmp_path / "none"))


def test_a_mistake_in_what_is_mounted_is_one_sentence(point):
    assert "line 3, size" in sentence(run(point, "--machine", "bad"))
    assert not os.path.ismount(point)
    assert "ZeroDivisionError" in sentence(run(point, "--machine", "bug"))
    assert "Traceback" in log_of(point)


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_daemon_in_order(mount_with, tmp_path, number):
    mount = mount_with(options=["--tell", str(tmp_path / "told")])
    client = mount.client("printf hang > $M/memhotplug", "bash")
    wait_until(lambda: "waiting=1" in (mount / "status").read_text())
    mount.process.send_signal(number)
    assert mount.process.wait(10) == 0
    assert client.wait(10) != 0
    assert not os.path.ismount(mount.path)
    told = (tmp_path / "told").read_text().splitlines()
    assert [line.split()[:2] for line in told] == [["shutdown", "1"], ["shutdown", "2"]]


def test_an_open_file_does_not_keep_a_signal_from_ending_it(mount_with):
    mount = mount_with()
    fd = os.open(mount / "files/a", os.O_CREAT | os.O_WRONLY)
    mount.process.terminate()
    assert mount.process.wait(10) == 0
    assert not os.path.ismount(mount.path)
    with pytest.raises(OSError, match="not connected"):
        os.write(fd, b"lost, and told so")
    with contextlib.suppress(OSError):
        os.close(fd)


def test_what_was_written_through_a_mapping_is_written_back(mount_with, tmp_path):
    mount = mount_with(options=["--tell", str(tmp_path / "told")])
    (mount / "files/a").write_bytes(bytes(4096))
    fd = os.open(mount / "files/a", os.O_RDWR)
    with mmap.mmap(fd, 4096) as memory:
        memory[:6] = b"mapped"
        mount.process.terminate()
        assert mount.process.wait(10) == 0
    with contextlib.suppress(OSError):
        os.close(fd)
    assert "mapped" in (tmp_path / "told").read_text()


def test_umount_writes_back_and_waits_for_the_end(point, tmp_path):
    assert run(point, "--tell", tmp_path / "told").returncode == 0
    pid = locks.owner(point)
    umount(point)
    assert locks.owner(point) is None
    assert mountpoints.wait_for_end(pid, 0)
    assert (tmp_path / "told").read_text().startswith("shutdown 1")


def test_a_plain_umount_ends_the_daemon(fake_mount_point):
    fake_mount_point.umount()
    assert fake_mount_point.process.wait(10) == 0


def test_a_mount_that_somebody_only_looks_at_is_not_busy(point, monkeypatch):
    """Reading /proc/PID/fd holds it for an instant, and nobody is found then."""
    assert run(point).returncode == 0
    real, busy = mountpoints._run, [subprocess.CompletedProcess([], 32, "", "busy")]
    monkeypatch.setattr(
        mountpoints, "_run", lambda command: busy.pop() if busy else real(command)
    )
    umount(point)
    assert mountpoints.mounted_type(point) is None


def test_a_busy_mount_names_who_holds_it(point):
    assert run(point).returncode == 0
    sleeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=point)
    with pytest.raises(MountError, match=f"busy, held by.*{sleeper.pid}") as caught:
        umount(point)
    assert caught.value.pids == (sleeper.pid,)
    assert (point / "memhotplug").read_text() == "nothing\n"
    sleeper.communicate()
    umount(point)


def test_a_mapping_holds_a_mount(point):
    assert run(point).returncode == 0
    (point / "files/a").write_bytes(bytes(4096))
    script = (
        "import mmap, sys; f = open(sys.argv[1]);"
        "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close();"
        "print(flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    command = [sys.executable, "-c", script, str(point / "files/a")]
    holder = subprocess.Popen(command, **pipes)
    holder.stdout.readline()
    with pytest.raises(MountError) as caught:
        umount(point)
    assert caught.value.pids == (holder.pid,)
    holder.communicate()
    umount(point)


def test_a_lazy_umount_goes_past_a_holder(point):
    assert run(point).returncode == 0
    sleeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd=point)
    with pytest.raises(MountError, match="still"):
        umount(point, lazy=True, timeout_s=0)
    assert not os.path.ismount(point)
    # Who comes now is told at once, and not to wait for what may never end.
    with pytest.raises(MountError, match="detached already"):
        umount(point, timeout_s=600)
    assert "detached and still in use" in sentence(run(point))
    sleeper.communicate()
    wait_until(lambda: locks.owner(point) is None)
    assert run(point).returncode == 0
    umount(point)


NAMESPACES = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root makes a mount namespace"
)


def told_where(point):
    """What umount says of a mount that is elsewhere, at once; and does as it says."""
    pid, begin = locks.owner(point), time.monotonic()
    with pytest.raises(MountError, match="in another mount namespace") as caught:
        umount(point, timeout_s=600)
    assert time.monotonic() - begin < 10
    assert locks.owner(point) == pid
    command = shlex.split(str(caught.value).partition("there: ")[2])
    assert command[:2] + command[3:] == [
        *("nsenter", "-t", "-m", "memfs", "umount", str(point))
    ]
    subprocess.run([*command[:4], "umount", str(point)], check=True)
    assert mountpoints.wait_for_end(pid, 60)
    return int(command[2])


@NAMESPACES
def test_a_mount_that_was_made_in_another_namespace(point):
    """It is not to be seen here, and its daemon does not end."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["unshare", "--mount", *FAKE, "--detach", str(point)]
    subprocess.run(command, env=env, check=True)
    pid = locks.owner(point)
    assert mountpoints.mounted_type(point) is None
    assert told_where(point) == pid


@NAMESPACES
def test_a_mount_that_another_namespace_has_as_well(point):
    """It is gone from here, and named is who has it."""
    assert run(point).returncode == 0
    command = ["unshare", "--mount", "sh", "-c", "echo; exec cat"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    other = subprocess.Popen(command, **pipes)
    other.stdout.readline()
    assert told_where(point) == other.pid
    assert mountpoints.mounted_type(point) is None
    other.communicate()


def test_umount_of_what_is_not_mounted_is_refused(point):
    with pytest.raises(MountError, match="nothing is mounted"):
        umount(point)
    with pytest.raises(MountError, match="proc is mounted there"):
        umount("/proc")


def test_a_mount_whose_daemon_was_killed_is_made_anew(point):
    assert run(point).returncode == 0
    pid = locks.owner(point)
    os.kill(pid, signal.SIGKILL)
    assert mountpoints.wait_for_end(pid, 10)
    with pytest.raises(OSError, match="not connected"):
        os.stat(point)
    assert run(point).returncode == 0
    assert (point / "memhotplug").read_text() == "nothing\n"
    umount(point)


def test_umount_clears_a_stale_mount_away(point):
    assert run(point).returncode == 0
    pid = locks.owner(point)
    os.kill(pid, signal.SIGKILL)
    assert mountpoints.wait_for_end(pid, 10)
    umount(point)
    assert os.listdir(point) == []


@contextlib.contextmanager
def dead_but_not_gone(point):
    """A killed daemon whose connection and lock stay: a thread of it may be in the
    kernel still, where no signal reaches it. Here another process keeps them."""
    mount = start(point, point.with_name("log"))
    daemon = mount.process
    assert (point / "memhotplug").read_text() == "nothing\n"
    with contextlib.ExitStack() as stack:
        stack.callback(mount.destroy)
        pidfd = os.pidfd_open(daemon.pid)
        stack.callback(os.close, pidfd)
        for fd in os.listdir(f"/proc/{daemon.pid}/fd"):
            stack.callback(os.close, libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0))
        daemon.kill()
        select.select([pidfd], [], [], PATIENCE_S)
        assert locks.dead_holder(point) == daemon.pid
        yield


HEAL = {
    "umount": umount,
    "umount --lazy": lambda point: umount(point, lazy=True),
    "mount": mountpoints.check,
}


@pytest.mark.skipif(os.getuid() != 0, reason="MNT_FORCE needs root")
@pytest.mark.parametrize("heal", HEAL)
def test_clients_of_a_daemon_that_cannot_end_are_let_go(point, heal):
    with dead_but_not_gone(point):
        client = subprocess.Popen(
            ["stat", "-f", str(point)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        wchan = Path(f"/proc/{client.pid}/wchan")
        wait_until(lambda: wchan.read_text() == "request_wait_answer")
        assert locks.owner(point) is None
        assert mountpoints.is_stale(point)
        HEAL[heal](point)
        assert b"connection abort" in client.communicate(timeout=PATIENCE_S)[1]
        assert mountpoints.mounted_type(point) is None


def test_who_is_only_out_of_sight_is_not_dead(point):
    """A daemon in another pid namespace, or one that has not noted its pid yet."""
    assert run(point).returncode == 0
    words = locks.lock_path(point).read_bytes()
    gone = subprocess.Popen(["true"])
    gone.wait()
    locks.lock_path(point).write_bytes(b"%d\n\n" % gone.pid)
    assert locks.owner(point) == gone.pid
    assert not mountpoints.is_stale(point)
    locks.lock_path(point).write_bytes(words)
    umount(point)


@pytest.mark.skipif(os.getuid() != 0, reason="fusermount3 asks the mount itself")
def test_a_lazy_umount_asks_no_daemon(point, tmp_path):
    """It may be stopped, and known to nobody here."""
    mount = start(point, tmp_path / "log", env={"MEMFS_RUNTIME_DIR": str(tmp_path)})
    assert (point / "memhotplug").read_text() == "nothing\n"
    mount.process.send_signal(signal.SIGSTOP)
    try:
        command = [sys.executable, "-m", "memfs", "umount", "--lazy", str(point)]
        assert subprocess.run(command, timeout=PATIENCE_S).returncode == 0
        assert mountpoints.mounted_type(point) is None
        mount.process.send_signal(signal.SIGCONT)
        mount.finish()
    finally:
        mount.destroy()


def test_a_mount_point_may_have_any_name(tmp_path):
    point = tmp_path / 'a b\\c"\u00fc\r\t\x0b'
    point.mkdir()
    assert run(point).returncode == 0
    assert (point / "memhotplug").read_text() == "nothing\n"
    umount(point)


def test_a_symbolic_link_names_the_mount_point(point, tmp_path):
    (tmp_path / "link").symlink_to(point)
    assert run(tmp_path / "link").returncode == 0
    assert "mounted there already" in sentence(run(point))
    umount(tmp_path / "link")


def test_a_symbolic_link_is_followed_past_a_mount_that_does_not_answer(tmp_path):
    mount = start(tmp_path / "mnt", tmp_path / "log")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/up").symlink_to("..")
    (tmp_path / "one").symlink_to(tmp_path / "mnt")
    (tmp_path / "sub/two").symlink_to("../sub/up/one")
    code = "import sys; from pathlib import Path; from memfs.mountpoints import resolve"
    code += "\nfor name in sys.argv[1:]: print(resolve(Path(name)))"
    names = [tmp_path / name for name in ("mnt", "one", "sub/two", "sub/up", "none")]
    try:
        mount.process.send_signal(signal.SIGSTOP)
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        places = [tmp_path / name for name in ("mnt", "mnt", "mnt", "", "none")]
        assert done.stdout.splitlines() == [str(place) for place in places]
    finally:
        mount.process.send_signal(signal.SIGCONT)
        mount.destroy()


@pytest.mark.parametrize("name", ["round", "gone"])
def test_a_symbolic_link_that_leads_nowhere_is_no_mount_point(tmp_path, name):
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "gone").symlink_to("nothing")
    done = run(tmp_path / name)
    assert done.returncode == 1
    assert str(tmp_path / name) in sentence(done)
