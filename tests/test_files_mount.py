"""The files of a real mount, over the real model."""

import contextlib
import errno
import hashlib
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from mounting import MEMFS, PATIENCE_S, mounted, wait_until

from memfs import commands
from memfs.files import TABLE

pytestmark = pytest.mark.mount

MIB = 1 << 20

BOOTED = """\
Node 0 enabled nonhotremovable
\tDMA[0]: free 4096, active 0, present 4096
\tNormal[1]: free 126976, active 0, present 126976

Node 1 enabled hotremovable
\tNormal[5]: free 83968, active 0, present 83968
\tHighMem[6]: free 45056, active 0, present 45056

"""

NO_SWAP = """\
name = "noswap"
kernel = "2.6.7"
swap = "0"
[[node]]
size = "32M"
"""


@pytest.fixture
def mount_real(tmp_path):
    """A function that mounts with the options given."""
    with contextlib.ExitStack() as stack:

        def make(*options, **env):
            made = mounted(tmp_path, command=MEMFS, options=options, env=env)
            mount = stack.enter_context(made)
            mount.on_finish = stack.enter_context(contextlib.ExitStack())
            return mount

        yield make


@pytest.fixture
def mount(mount_real):
    """The default machine with a clock that stands still between requests."""
    return mount_real("--clock", "manual")


def text(mount, name):
    return (mount / name).read_text()


def free(mount, label):
    """Free and present pages of a zone, from the listing."""
    found = re.search(
        rf"{re.escape(label)}: free (\d+), .*present (\d+)", text(mount, "memhotplug")
    )
    return tuple(map(int, found.groups()))


def refused(mount, name, data):
    """The errno of a write, and the kernel log's last line."""
    with pytest.raises(OSError, match="Errno") as raised:
        mount.write(name, data)
    return raised.value.errno, text(mount, "kmsg").splitlines()[-1]


def until_empty(mount, label, zid):
    """Purge until every page of the zone is free; "repeat as necessary"."""
    for _ in range(20):
        mount.write("memhotplug", f"purge {zid}\n")
        now, present = free(mount, label)
        if now == present:
            return
    pytest.fail(text(mount, "status"))


class Task:
    """A modelled process with its descriptor in this one; ended with the mount."""

    def __init__(self, mount):
        self.fd = os.open(mount / "control/tasks", os.O_RDWR)
        self.mount = mount
        mount.on_finish.callback(self.close)

    def say(self, words):
        os.write(self.fd, words.encode())

    def state(self):
        return os.pread(self.fd, 1 << 16, 0).decode()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            # Its end takes time, of which an unmount knows nothing.
            wait_until(lambda: text(self.mount, "control/tasks") == "")


def test_the_listing_after_boot(mount):
    """Every page is free; an untouched machine costs nothing."""
    assert text(mount, "memhotplug") == BOOTED


def test_the_machine_of_2003(mount_real):
    """Its zones, in its listing; a bare number is a zone."""
    mount = mount_real("--machine", "2003")
    assert text(mount, "memhotplug") == (
        "Zone 0: free 4096, active 0, present 4096\n"
        "Zone 1: free 225280, active 0, present 225280\n"
        "Zone 2: free 32768, active 0, present 32768\n"
        "Zone 5: free 262144, active 0, present 262144\n"
        "Zone 8: free 262144, active 0, present 262144\n"
    )

    mount.write("memhotplug", "disable 5")
    assert "zone HighMem[5] of node 1" in text(mount, "kmsg")
    assert refused(mount, "memhotplug", "disable 1")[0] == errno.EPERM


def test_a_node_is_emptied_taken_away_and_comes_back(mount):
    """With a file and a process that use it; no byte of the file is lost."""
    data = os.urandom(300 * MIB)
    (mount / "files/big").write_bytes(data)
    task = Task(mount)
    task.say("mmap anon 200M")
    task.say("touch 1 write")
    assert free(mount, "Normal[5]")[0] < 2000

    mount.write("memhotplug", "disable 5\n")
    until_empty(mount, "Normal[5]", 5)
    mount.write("memhotplug", "disable 1\n")
    until_empty(mount, "HighMem[6]", 6)
    mount.write("memhotplug", "unplug 1\n")

    assert not (mount / "node1").exists()
    assert "Node 1" not in text(mount, "memhotplug")
    seen = hashlib.sha256((mount / "files/big").read_bytes()).digest()
    assert seen == hashlib.sha256(data).digest()
    task.say("touch 1 read")

    mount.write("memhotplug", "plug 1\n")
    assert "Node 1 disabled hotremovable" in text(mount, "memhotplug")
    mount.write("memhotplug", "enable 1\n")
    assert (mount / "node1/meminfo").exists()
    mount.write("control/validate", "1")
    assert text(mount, "control/validate") == "ok\n"
    task.close()


def kb(mount, name):
    """kB by name; the node in front of a name is left out."""
    lines = text(mount, name).splitlines()
    rows = [line.removesuffix(" kB").split(":") for line in lines]
    return {row[0].split()[-1]: int(row[1]) for row in rows}


def summed(mount, field):
    """A field of zoneinfo over all zones, kB."""
    lines = text(mount, "zoneinfo").splitlines()
    return 4 * sum(int(line.split()[-1]) for line in lines if field in line)


@pytest.mark.parametrize("closed", ["", "disable 5", "disable 1"])
def test_sums_agree(mount, closed):
    """The machine is the sum of its nodes and of its zones, with pages in use."""
    (mount / "files/x").write_bytes(bytes(40 * MIB))
    (mount / "shm/y").write_bytes(bytes(10 * MIB))
    task = Task(mount)
    task.say("mmap anon 100M")
    task.say("touch 1 write")
    if closed:
        mount.write("memhotplug", closed)
    whole, nodes = kb(mount, "meminfo"), [kb(mount, f"node{n}/meminfo") for n in (0, 1)]

    for name in nodes[0]:
        if name != "MemUsed":
            assert whole[name] == sum(node[name] for node in nodes), name
    assert whole["MemTotal"] == summed(mount, " managed ")
    assert whole["MemFree"] == summed(mount, " free ")
    assert whole["Active"] == summed(mount, " active ")
    assert whole["Inactive"] == summed(mount, " inactive ")
    assert whole["LowTotal"] + whole["HighTotal"] == whole["MemTotal"]
    assert whole["Cached"] >= 50 * 1024
    task.close()


def test_a_command_for_a_slot_or_zone_that_is_not_there(mount):
    """ENODEV, EEXIST or EPERM, a line in the kernel log, and nothing changed."""
    cases = {
        "disable 11": errno.ENODEV,
        "purge 4": errno.ENODEV,
        "purge 9": errno.ENODEV,
        "enable 2": errno.ENODEV,
        "unplug 2": errno.ENODEV,
        "unplug 0": errno.EPERM,
        "disable 0": errno.EPERM,
        "plug 1": errno.EEXIST,
        "plug 4": errno.ENODEV,
        "unplug 1": errno.EBUSY,
        "remap 7": errno.ENODEV,
        "remap 5 to 1": errno.EINVAL,
        "remap 5 to 2": errno.EINVAL,
        "remap 5 check to 0": errno.EINVAL,
    }
    for words, code in cases.items():
        got, line = refused(mount, "memhotplug", f"{words}\n")

        assert got == code, words
        assert f"memhotplug: {words}: " in line
        assert line.endswith(f"({errno.errorcode[code]})")
    assert text(mount, "memhotplug") == BOOTED


def test_gates_are_idempotent(mount):
    """What is done already is done."""
    for words in ("disable 1", "disable 1", "enable 1", "enable 1", "enable 0"):
        mount.write("memhotplug", words)

    assert text(mount, "memhotplug") == BOOTED


# Those of the root; proc/ and sys/ answer as the kernel's do.
FILES = [
    row
    for row in TABLE
    if row.kind not in ("link", "directory")
    and not row.path.startswith(("proc/", "sys/"))
]
JUNK = [b"junk\n", b"\0", b"\xff" * 10, b"=" * 64, b"\n\n", b"5", b"a" * MIB]


def test_nothing_that_is_written_ends_the_daemon(mount):
    """Every writable file, opened in every way, with every kind of junk."""
    writable = [row for row in FILES if row.mode & 0o222]
    for row in writable:
        for flags in (os.O_WRONLY, os.O_WRONLY | os.O_APPEND, os.O_WRONLY | os.O_TRUNC):
            for data in JUNK:
                fd = os.open(mount / row.path.replace("nodeN", "node1"), flags)
                try:
                    assert os.write(fd, b"") == 0
                    if row.path not in ("control/validate", "nodeN/compact"):
                        with pytest.raises(OSError, match="Errno"):
                            os.write(fd, data)
                finally:
                    os.close(fd)

    wait_until(lambda: text(mount, "control/tasks") == "")
    assert text(mount, "memhotplug") == BOOTED


def test_junk_in_proc_and_sys_ends_nothing(mount_real):
    """It is taken or refused with an errno; the machine is whole afterwards."""
    mount = mount_real()
    writable = [
        path
        for top in ("proc", "sys")
        for path in sorted((mount / top).rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o222
    ]
    assert len(writable) > 100
    for path in writable:
        for data in JUNK:
            fd = os.open(path, os.O_WRONLY)
            try:
                with contextlib.suppress(OSError):
                    os.write(fd, data)
            finally:
                os.close(fd)

    mount.write("control/validate", "1")
    assert text(mount, "control/validate") == "ok\n"


def test_odd_uses_of_every_file(mount):
    """Truncated, mapped, removed, renamed, opened to write: an errno, no more."""
    for row in FILES:
        path = mount / row.path.replace("nodeN", "node1")
        if not row.mode & 0o222:
            with pytest.raises(PermissionError):
                os.open(path, os.O_WRONLY)
        for act in (os.unlink, os.rmdir, lambda p: os.rename(p, f"{p}2")):
            with pytest.raises(OSError, match="Errno"):
                act(path)
    mount.write("control/validate", "1")

    assert text(mount, "control/validate") == "ok\n"


def test_a_shell_takes_a_node_away(mount):
    """echo, in dash; exit statuses are those of the commands."""
    done = mount.shell(
        "echo disable 1 > $M/memhotplug && echo purge 5 > $M/memhotplug &&"
        "echo unplug 1 > $M/memhotplug && ! echo unplug 1 2>/dev/null > $M/memhotplug"
    )

    assert done.returncode == 0, done.stderr
    assert not (mount / "node1").exists()


def test_a_process_is_listed_while_its_descriptor_is_open(mount):
    """By the pid that opened it; one a pid."""
    task = Task(mount)
    task.say("mmap anon 1M\n")
    task.say("touch 1 write")

    assert text(mount, "control/tasks").startswith(f"pid={os.getpid()} ")
    assert "rss=256 " in task.state()
    with pytest.raises(FileExistsError):
        Task(mount)

    task.close()
    wait_until(lambda: text(mount, "control/tasks") == "")
    Task(mount).close()


def test_a_file_is_mapped_and_given_back(mount):
    """Shared and private, of files/ and shm/."""
    (mount / "files/a b").write_bytes(bytes(MIB))
    (mount / "shm/y").write_bytes(bytes(MIB))
    task = Task(mount)
    task.say("mmap file 'files/a b' 1M")
    task.say("mmap file shm/y 1M private ro")
    task.say("touch 1 write")
    task.say("touch 2 read random")
    assert "area=2 kind=file size=1048576 share=private" in task.state()

    for words, code in {
        "touch 2 write": errno.EACCES,
        "touch 3": errno.EINVAL,
        "touch 1 first 256": errno.EINVAL,
        "mmap file files/none 1M": errno.ENOENT,
        "mmap file files 1M": errno.EINVAL,
        "mmap file memhotplug 1M": errno.EINVAL,
        "mmap anon 300T": errno.EINVAL,
    }.items():
        with pytest.raises(OSError, match="Errno") as raised:
            task.say(words)
        assert raised.value.errno == code, words

    task.say("munmap 1")
    task.say("munmap 2")
    assert "area=" not in task.state()
    task.close()
    os.unlink(mount / "files/a b")


def test_a_process_ends_with_its_real_one(mount):
    """Though somebody else still has the descriptor."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        fd = os.open(mount / "control/tasks", os.O_RDWR)
        os.write(fd, b"mmap anon 1M")
        socket.send_fds(theirs, [b"x"], [fd])
        signal.pause()
        os._exit(1)
    _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
    assert f"pid={child} " in text(mount, "control/tasks")

    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    wait_until(lambda: text(mount, "control/tasks") == "")
    assert b"state=ended" in os.pread(fd, 4096, 0)
    with pytest.raises(ProcessLookupError):
        os.write(fd, b"wait")
    os.close(fd)
    ours.close()
    theirs.close()


def test_the_victim_of_a_lack_of_memory_gets_esrch(tmp_path, mount_real):
    """At its next write; others go on."""
    (tmp_path / "noswap.toml").write_text(NO_SWAP)
    mount = mount_real("--machine", str(tmp_path / "noswap.toml"))
    task = Task(mount)
    # Each would fit, which is all that is asked; together they do not.
    for _ in range(2):
        task.say("mmap anon 20M")
    task.say("touch 1 write")

    with pytest.raises(ProcessLookupError):
        task.say("touch 2 write")

    assert "state=killed" in task.state()
    with pytest.raises(ProcessLookupError):
        task.say("touch 1 write")
    task.close()
    mount.write("control/validate", "1")
    assert text(mount, "control/validate") == "ok\n"


@pytest.mark.parametrize("end", ["SIGTERM", "umount"])
def test_a_mount_that_ends_does_not_wait_for_a_modelled_disk(mount_real, end, tmp_path):
    """Every byte is written all the same. The disk would take four minutes."""
    (tmp_path / "disk").mkdir()
    mount = mount_real("--files", str(tmp_path / "disk"))
    mount.write("control/disk", "bandwidth=16K")
    data = os.urandom(4 * MIB)
    (mount / "files/slow").write_bytes(data)
    if end == "umount":
        mount.umount()
    else:
        mount.process.terminate()
    assert mount.process.wait(PATIENCE_S) == 0
    assert (tmp_path / "disk/slow").read_bytes() == data


def slow_purge(mount):
    """A shell that purges a zone; its pages are being written, so it takes 1.2 s."""
    mount.write("control/disk", "latency=1500ms")
    (mount / "files/dirty").write_bytes(os.urandom(8 * MIB))
    mount.write("memhotplug", "disable 1")
    command = "echo purge 6 > $M/memhotplug"
    client = mount.client(command, "bash", stderr=subprocess.PIPE, text=True)
    mount.on_finish.callback(client.stderr.close)
    wait_until(lambda: re.search(r'running \d+ "purge 6"', text(mount, "status")))
    return client


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_purge_that_waits_ends_with_its_caller(mount_real, number):
    """Within 100 ms (500 ms on a busy machine); what it held is put back."""
    mount = mount_real()
    client = slow_purge(mount)
    before = time.monotonic()
    os.killpg(client.pid, number)
    client.wait(10)

    assert time.monotonic() - before < 0.5
    wait_until(lambda: "last" in text(mount, "status").split('"purge 6"')[0][-10:])
    assert "result=EINTR" in text(mount, "status")
    mount.write("control/validate", "1")
    assert text(mount, "control/validate") == "ok\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("shim", ["on", "off"])
def test_a_process_that_a_touch_holds_ends_with_its_caller(mount_real, number, shim):
    """Within 100 ms (500 ms on a busy machine), with the shim and without it."""
    mount = mount_real(MEMFS_SHIM=shim)
    script = "exec 3<>$M/control/tasks; echo mmap anon 4M >&3; echo touch 1 999999 >&3"
    client = mount.client(script, "bash")
    wait_until(lambda: "touch 1" in text(mount, "status"))
    before = time.monotonic()
    os.killpg(client.pid, number)
    client.wait(10)

    assert time.monotonic() - before < 0.5
    wait_until(lambda: text(mount, "control/tasks") == "")


def test_cancel_ends_a_purge(mount_real):
    """Its caller gets EINTR; bash says so (dash and Python would try again)."""
    mount = mount_real()
    client = slow_purge(mount)
    number = re.search(r'running (\d+) "purge 6"', text(mount, "status"))[1]

    mount.write("control/cancel", f"{number}\n")

    assert client.wait(10) == 1
    assert "Interrupted system call" in client.stderr.read()
    assert "result=EINTR" in text(mount, "status")
    assert refused(mount, "control/cancel", number)[0] == errno.ESRCH


def test_the_clock_is_moved_by_hand(mount):
    """What is due on the way happens: dirty pages are written when they are old."""
    (mount / "files/x").write_bytes(bytes(MIB))
    assert kb(mount, "meminfo")["Dirty"] == 1024

    mount.write("control/clock", "advance=40s\n")

    assert kb(mount, "meminfo")["Dirty"] == 0
    assert text(mount, "control/clock") == "now=40000000000\nmode=manual\n"


# What shows the time, and where in it that is.
CLOCKS = {
    "control/clock": r"now=(\d+)",
    "status": r"clock now=(\d+)",
    "proc/uptime": r"^([\d.]+) ",
    "kmsg": r"\[ *([\d.]+)\] memhotplug: junk",
}


def test_the_wall_clock_goes_on_while_nothing_happens(mount_real):
    """Whoever shows the time looks at the clock first: nothing else wakes the model."""
    mount = mount_real()
    began = time.monotonic()
    first = int(re.match(CLOCKS["control/clock"], text(mount, "control/clock"))[1])
    read = time.monotonic()
    wait_until(lambda: time.monotonic() > read + 0.2)
    for name, pattern in CLOCKS.items():
        if name == "kmsg":
            refused(mount, "memhotplug", "junk")
        shown = re.findall(pattern, text(mount, name))[-1]
        now = float(shown) if "." in shown else int(shown) / 1e9
        gone = now - first / 1e9

        assert 0.19 <= gone <= time.monotonic() - began + 0.01, name


def test_every_command_is_tried_here():
    """A row added to the commands is added to the tests of errors above."""
    assert {row.name for row in commands.TABLE} == set(
        "plug enable disable purge remap unplug active inuse".split()
    )
