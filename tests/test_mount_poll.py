"""poll(2) on a real mount: one wake a change, and quiet after a read."""

import errno
import os
import select

import pytest
from mounting import MEMFS, mounted

pytestmark = pytest.mark.mount

NEWS = select.POLLPRI | select.POLLERR
PATIENCE_MS = 240_000
STATE = "sys/devices/system/memory/memory70/state"
TINY = 'kernel = "2.6.7"\nswap = "64M"\n[[node]]\nsize = "32M"\n'


@pytest.fixture
def mount(tmp_path):
    with mounted(tmp_path, command=MEMFS) as made:
        yield made


class Watched:
    """A file that is read once and then polled."""

    def __init__(self, path, flags=os.O_RDONLY):
        self.fd = os.open(path, flags)
        self.poller = select.poll()
        self.poller.register(self.fd, select.POLLPRI | select.POLLERR)
        self.read()

    def read(self):
        os.lseek(self.fd, 0, os.SEEK_SET)
        return os.read(self.fd, 65536)

    def news(self, patience_ms=0):
        """Whether there is any, within the patience."""
        found = self.poller.poll(patience_ms)
        return bool(found and found[0][1] & NEWS)


@pytest.fixture
def watch(mount):
    """Makes what is watched; closed before the mount ends."""
    made = []

    def make(name, flags=os.O_RDONLY):
        made.append(Watched(mount / name, flags))
        return made[-1]

    yield make
    for file in made:
        os.close(file.fd)


@pytest.mark.parametrize(
    ("name", "write", "to"),
    [
        ("memhotplug", "disable node 1", "memhotplug"),
        ("proc/memhotplug", "disable node 1", "memhotplug"),
        (STATE, "offline", STATE),
        (STATE, "disable node 1", "memhotplug"),
        ("memhotplug", "offline", STATE),
    ],
)
def test_a_change_wakes_once(mount, watch, name, write, to):
    """Quiet before; told at once; quiet again when it was read."""
    file = watch(name)
    assert not file.news()
    before = file.read()
    mount.write(to, write)
    assert file.news(PATIENCE_MS)
    assert file.read() != before
    assert not file.news(50)


def test_one_who_waits_is_woken(mount, watch):
    """The change comes while poll(2) sleeps."""
    file = watch(STATE)
    client = mount.client(f"sleep 0.2; echo offline > $M/{STATE}")
    assert file.news(PATIENCE_MS)
    assert client.wait() == 0
    assert file.read() == b"offline\n"


def test_what_changes_nothing_wakes_nobody(mount, watch):
    """A refused command, and pages that come and go."""
    file = watch("memhotplug")
    with pytest.raises(OSError, match="Invalid"):
        mount.write("memhotplug", "nonsense")
    (mount / "files" / "a").write_bytes(bytes(100_000))
    assert not file.news(50)


def test_other_files_are_ready_always(mount):
    """As every file of proc without news of its own."""
    (mount / "files" / "a").write_bytes(b"x")
    for name in ("meminfo", "files/a"):
        with open(mount / name, "rb") as file:
            found = select.select([file], [], [], 0)
            assert found[0] == [file]


def test_a_closed_descriptor_is_forgotten(mount):
    """Changes after a poller has gone do no harm."""
    for _ in range(3):
        file = Watched(mount / STATE)
        assert not file.news()
        os.close(file.fd)
        mount.write(STATE, "offline")
        mount.write(STATE, "online")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"some 150000", errno.EINVAL),
        (b"some 150000 100", errno.EINVAL),
        (b"some 2000000 1000000", errno.EINVAL),
        (b"half 150000 1000000", errno.EINVAL),
        (b"some 0 1000000", errno.EINVAL),
    ],
)
def test_triggers_that_are_none(mount, words, error):
    """As the kernel refuses them."""
    fd = os.open(mount / "proc/pressure/memory", os.O_RDWR)
    with pytest.raises(OSError, match="Invalid") as raised:
        os.write(fd, words)
    assert raised.value.errno == error
    os.close(fd)


def test_pressure_triggers(tmp_path):
    """A task that needs more than there is stalls; the trigger tells, once."""
    (tmp_path / "tiny.toml").write_text(TINY)
    options = ("--machine", str(tmp_path / "tiny.toml"))
    with mounted(tmp_path, command=MEMFS, options=options) as mount:
        file = Watched(mount / "proc/pressure/memory", os.O_RDWR)
        os.write(file.fd, b"some 1000 500000\0")
        with pytest.raises(OSError, match="busy"):
            os.write(file.fd, b"some 1000 500000\0")
        assert not file.news()
        task = os.open(mount / "control/tasks", os.O_RDWR)
        os.write(task, b"mmap anon 48M")
        os.write(task, b"touch 1 write forever")
        assert file.news(PATIENCE_MS)
        os.close(task)
        total = int(file.read().split(b"total=")[1].split()[0])
        assert total > 1000
        os.close(file.fd)


def test_who_was_killed_for_want_of_memory_is_told(tmp_path):
    """Not before; at once; and for good, for it cannot be read away."""
    machine = tmp_path / "tiny.toml"
    machine.write_text(TINY.replace("64M", "0", 1))
    with mounted(tmp_path, command=MEMFS, options=["--machine", machine]) as mount:
        process = Watched(mount / "control/tasks", os.O_RDWR)
        for area in (1, 2):
            os.write(process.fd, b"mmap anon 20M")
            assert not process.news()
            os.write(process.fd, b"touch %d write forever" % area)
        assert process.news(PATIENCE_MS)
        assert b"state=killed" in process.read()
        assert process.news()
        with pytest.raises(ProcessLookupError):
            os.write(process.fd, b"touch 1 once")
        os.close(process.fd)
