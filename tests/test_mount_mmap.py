"""Real processes map files; the model takes the pages back and loses no byte."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mounting import MEMFS, start

pytestmark = pytest.mark.mount

PAGE = 4096
MIB = 1 << 20


def memfs(directory: Path, *options: str, **env: str):
    env = {"MEMFS_RUNTIME_DIR": str(directory / "runtime"), **env}
    options = ("--paranoid", *options)
    return start(directory / "mnt", directory / "log", MEMFS, options=options, env=env)


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """One mount for all tests that leave it as it was."""
    mount = memfs(tmp_path_factory.mktemp("mmap"))
    try:
        yield mount
        assert invariants(mount) == "ok\n"
        mount.finish()
    finally:
        mount.destroy()


@pytest.fixture
def own_mount(tmp_path):
    mounts = []

    def make(*options, **env):
        mounts.append(memfs(tmp_path, *options, **env))
        return mounts[-1]

    yield make
    for mount in mounts:
        mount.destroy()


@pytest.fixture(params=["files", "shm"])
def here(request, mount):
    """A directory of its own for each test, below files/ and below shm/."""
    here = mount.path / request.param / request.node.originalname
    here.mkdir()
    yield here
    subprocess.run(["rm", "-rf", here], check=True)


def invariants(mount) -> str:
    mount.write("control/validate", "1\n")
    return (mount / "control/validate").read_text()


def client(mount) -> dict[str, int]:
    """The line of status about pages that real processes map."""
    for line in (mount / "status").read_text().splitlines():
        word, *facts = line.split()
        if word == "client":
            return {key: int(value) for key, value in (f.split("=") for f in facts)}
    raise AssertionError("status says nothing about clients")


def in_use(mount, zid: int) -> int:
    """Pages of a zone that are not free, from memhotplug's listing."""
    for line in (mount / "memhotplug").read_text().splitlines():
        if f"[{zid}]: " in line:
            words = line.replace(",", "").split()
            return int(words[words.index("present") + 1]) - int(
                words[words.index("free") + 1]
            )
    raise AssertionError(f"no zone {zid}")


def pages_of(text: bytes, nr: int) -> bytes:
    """`nr` pages, each recognisable."""
    return b"".join((text + b"%d" % i).ljust(PAGE, b".") for i in range(nr))


@pytest.mark.parametrize("access", [mmap.ACCESS_READ, mmap.ACCESS_COPY])
def test_a_read_only_file_is_mapped_shared_and_private(here, access):
    (here / "a").write_bytes(pages_of(b"x", 40) + b"end")
    with (
        open(here / "a", "rb") as file,
        mmap.mmap(file.fileno(), 0, access=access) as memory,
    ):
        assert memory[:] == (here / "a").read_bytes()
        if access == mmap.ACCESS_COPY:
            memory[5:9] = b"mine"
            assert memory[5:9] == b"mine"
    assert (here / "a").read_bytes() == pages_of(b"x", 40) + b"end"


def test_what_is_stored_is_read_and_what_is_written_is_loaded(here):
    with open(here / "a", "w+b", buffering=0) as file:
        file.write(pages_of(b"x", 8))
        with mmap.mmap(file.fileno(), 0) as memory:
            memory[PAGE : PAGE + 6] = b"stored"
            assert os.pread(file.fileno(), 6, PAGE) == b"stored"
            os.pwrite(file.fileno(), b"written", 2 * PAGE + 1)
            assert memory[2 * PAGE : 2 * PAGE + 9] == b"xwritten."
            with (
                open(here / "a", "rb") as other,
                mmap.mmap(other.fileno(), 0, access=mmap.ACCESS_READ) as view,
            ):
                memory[3 * PAGE] = 33
                assert view[3 * PAGE] == 33
            copy = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
            copy[0:4] = b"mine"
            assert os.pread(file.fileno(), 2, 0) == b"x0"
            memory[4 * PAGE] = 34
            assert copy[4 * PAGE] == 34
            copy.close()


def test_stores_and_writes_in_one_page_lose_nothing(here):
    """Four processes, each with records of its own in every page, two that store."""
    processes, rounds, size = 4, 3000, 64
    fd = os.open(here / "a", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 4 * PAGE)
    pids = []
    for me in range(processes):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = share_pages(fd, me, processes, rounds, size)
            finally:
                os._exit(status)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * processes
    os.close(fd)


def share_pages(fd: int, me: int, processes: int, rounds: int, size: int) -> int:
    """Write records of one's own over and over, and look at them: 0, or 2."""
    memory = mmap.mmap(fd, 4 * PAGE)
    records = [*range(me, 4 * PAGE // size, processes)]
    expected = dict.fromkeys(records, bytes(size))
    for i in range(rounds):
        at = records[i * 7919 % len(records)] * size
        record = b"%d.%d" % (me, i)
        record += bytes(size - len(record))
        if me % 2:
            memory[at : at + size] = record
        else:
            os.pwrite(fd, record, at)
        expected[at // size] = record
        look = records[i * 104729 % len(records)]
        if memory[look * size : look * size + size] != expected[look]:
            return 2
    seen = {i: os.pread(fd, size, i * size) for i in records}
    return 0 if seen == expected else 2


def test_truncation_and_holes_reach_a_mapping(here):
    with open(here / "a", "w+b", buffering=0) as file:
        file.write(pages_of(b"x", 8))
        with mmap.mmap(file.fileno(), 0) as memory:
            assert memory[7 * PAGE] == ord("x")
            memory[PAGE] = 33
            command = ["fallocate", "-p", "-o", str(PAGE), "-l", str(PAGE), file.name]
            subprocess.run(command, check=True)
            assert memory[PAGE : 2 * PAGE] == bytes(PAGE)
            os.truncate(file.fileno(), 3 * PAGE + 1)
            os.truncate(file.fileno(), 8 * PAGE)
            assert memory[3 * PAGE : 8 * PAGE] == b"x" + bytes(5 * PAGE - 1)
            os.unlink(file.name)
            assert memory[2 * PAGE : 2 * PAGE + 2] == b"x2"
            memory[0] = 33
            assert os.pread(file.fileno(), 1, 0) == b"!"


def test_a_program_is_executed(here):
    program = here / "program"
    shutil.copy(Path("/bin/true").resolve(), program)
    assert subprocess.run([program]).returncode == 0
    assert subprocess.run([program]).returncode == 0


def test_an_o_direct_descriptor_is_mapped_to_its_last_byte(here):
    (here / "a").write_bytes(b"x" * (PAGE + 100))
    fd = os.open(here / "a", os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(fd, 0) as memory:
        memory[PAGE + 99] = 33
        memory.flush()
    os.close(fd)
    assert (here / "a").read_bytes()[-2:] == b"x!"


def test_only_faults_count_as_mappings(mount):
    before = client(mount)["mapped"]
    path = mount / "shm/a"
    path.write_bytes(pages_of(b"x", 64))
    assert len(path.read_bytes()) == 64 * PAGE
    assert client(mount)["mapped"] == before
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory,
    ):
        memory.madvise(mmap.MADV_RANDOM)
        assert sum(memory[at] for at in range(0, 64 * PAGE, PAGE))
        assert client(mount)["mapped"] == before + 64
    path.unlink()
    assert client(mount)["mapped"] == before


@pytest.mark.parametrize("volume", ["files", "shm"])
def test_mapped_dirty_pages_leave_a_zone_and_come_back(mount, volume):
    """64 MiB in HighMem of node 1, all of them dirty where the model cannot see it."""
    size = 64 * MIB
    path = mount / volume / "big"
    mount.write("memhotplug", "enable 6")
    with open(path, "w+b", buffering=0) as file:
        file.truncate(size)
        with mmap.mmap(file.fileno(), size) as memory:
            for at in range(0, size, PAGE):
                memory[at : at + 8] = at.to_bytes(8, "little")
            used = {zid: in_use(mount, zid) for zid in (5, 6)}
            assert sum(used.values()) >= size // PAGE
            before = client(mount)
            assert before["mapped"] >= size // PAGE
            for zid in (5, 6):
                mount.write("memhotplug", f"disable {zid}")
                mount.write("memhotplug", f"purge {zid}")
                assert in_use(mount, zid) == 0
            after = client(mount)
            assert after["revoked"] - before["revoked"] >= size // PAGE
            assert after["revoking"] == 0
            mount.write("memhotplug", "enable 5")
            mount.write("memhotplug", "enable 6")
            for at in range(0, size, PAGE):
                assert memory[at : at + 16] == at.to_bytes(8, "little") + bytes(8)
            assert client(mount)["mapped"] >= size // PAGE
    path.unlink()


TOUCHER = """
import mmap, sys, time
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
    print("ready", flush=True)
    at = rounds = 0
    while time.monotonic() < float(sys.argv[2]) or not rounds:
        memory[at] = (memory[at] + 1) % 256
        at += 4096 * 7
        if at >= len(memory):
            at, rounds = at % (4096 * 7) + 4096, rounds + 1
            at %= len(memory)
        time.sleep(0.002)
"""


def test_purge_converges_under_a_process_that_touches_its_pages_seldom(mount):
    path = mount / "files/seldom"
    path.write_bytes(bytes(8 * MIB))
    command = [sys.executable, "-c", TOUCHER, str(path), "1e9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            for zid in (5, 6):
                mount.write("memhotplug", f"disable {zid}")
                for _ in range(5):
                    mount.write("memhotplug", f"purge {zid}")
                    if in_use(mount, zid) == 0:
                        break
                assert in_use(mount, zid) == 0
            assert process.poll() is None
        finally:
            process.kill()
            mount.write("memhotplug", "enable 5")
            mount.write("memhotplug", "enable 6")
    path.unlink()


SMALL = """
name = "small"
kernel = "2.6.7"
swap = "64M"
[[node]]
size = "24M"
"""


def test_more_is_mapped_than_there_is_memory(own_mount, tmp_path):
    """Every fault has to take another page back, and none waits for itself."""
    (tmp_path / "small.toml").write_text(SMALL)
    mount = own_mount("--machine", str(tmp_path / "small.toml"))
    sizes = {"files/big": 40 * MIB, "shm/big": 10 * MIB}
    for name, size in sizes.items():
        (mount / name).touch()
        os.truncate(mount / name, size)
    with (
        open(mount / "files/big", "r+b") as one,
        open(mount / "shm/big", "r+b") as two,
        mmap.mmap(one.fileno(), 0) as large,
        mmap.mmap(two.fileno(), 0) as small,
    ):
        for value in range(1, 4):
            for at in range(0, 40 * MIB, PAGE):
                for memory in (large, small):
                    if at < len(memory):
                        assert memory[at] == value - 1
                        memory[at] = value
    for name, size in sizes.items():
        data = (mount / name).read_bytes()
        assert data == (b"\3" + bytes(PAGE - 1)) * (size // PAGE)
    assert client(mount)["revoked"] > 0
    assert invariants(mount) == "ok\n"
    mount.finish()


STORER = """
import mmap, sys
with open(sys.argv[1], "w+b") as file:
    file.truncate(16 << 20)
    with mmap.mmap(file.fileno(), 0) as memory:
        for at in range(0, len(memory), 4096):
            memory[at] = 1
"""


def test_a_fault_that_finds_shm_full_is_a_bus_error(own_mount, tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    mount = own_mount("--machine", str(tmp_path / "small.toml"))
    command = [sys.executable, "-c", STORER, str(mount / "shm/big")]
    assert subprocess.run(command).returncode == -signal.SIGBUS
    (mount / "shm/big").unlink()
    assert invariants(mount) == "ok\n"
    mount.finish()


def test_with_the_manual_clock_a_purge_waits_for_the_real_kernel(own_mount):
    mount = own_mount("--clock", "manual")
    path = mount / "shm/big"
    path.write_bytes(pages_of(b"x", 4096))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        for at in range(0, 4096 * PAGE, PAGE):
            memory[at] = 33
        for zid in (5, 6):
            mount.write("memhotplug", f"disable {zid}")
            mount.write("memhotplug", f"purge {zid}")
            assert in_use(mount, zid) == 0
        assert memory[:] == pages_of(b"!", 4096)
    mount.finish()


def test_without_the_shim_a_private_mapping_is_revoked_a_file_at_a_time(own_mount):
    mount = own_mount(MEMFS_SHIM="off")
    path = mount / "files/a"
    path.write_bytes(pages_of(b"x", 1024))
    with open(path, "rb") as file:
        with pytest.raises(OSError, match="No such device"):
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as memory:
            assert memory[:] == pages_of(b"x", 1024)
            assert client(mount)["mapped"] >= 1024
            for zid in (5, 6):
                mount.write("memhotplug", f"disable {zid}")
                mount.write("memhotplug", f"purge {zid}")
                assert in_use(mount, zid) == 0
            assert client(mount)["revoked"] >= 1024
            assert memory[:] == pages_of(b"x", 1024)
    assert invariants(mount) == "ok\n"
    mount.finish()
