"""Names that come and go on a real mount, where the kernel keeps names; and readings.

Nodes and their blocks are there or not: what is gone is gone at once for everybody,
by every path, and what comes back is found.
"""

import errno
import os
import threading

import pytest
from mounting import MEMFS, mounted, wait_until

pytestmark = pytest.mark.mount

NODE = "sys/devices/system/node/node1"
BLOCK = "sys/devices/system/memory/memory70"
# Every path by which node 1, or a block of it, can be reached.
PATHS = (
    "node1",
    "node1/meminfo",
    NODE,
    f"{NODE}/meminfo",
    f"{NODE}/memory70",
    f"{NODE}/memory70/state",
    BLOCK,
    f"{BLOCK}/state",
    f"{BLOCK}/node1/meminfo",
    "sys/bus/node/devices/node1",
    "sys/bus/memory/devices/memory70",
    "sys/bus/memory/devices/memory70/state",
)


@pytest.fixture
def mount(tmp_path):
    with mounted(tmp_path, command=MEMFS, options=("--clock", "manual")) as made:
        yield made


def there(mount):
    """Which of the paths there are."""
    return [path for path in PATHS if os.path.exists(mount / path)]


def take_away(mount):
    mount.write("memhotplug", "disable node 1")
    mount.write("memhotplug", "unplug 1")


def test_names_go_and_come_back(mount):
    """Though the kernel had them all; again and again."""
    for _ in range(3):
        assert there(mount) == list(PATHS)
        take_away(mount)
        assert there(mount) == []
        for directory in ("", "sys/devices/system/node", "sys/devices/system/memory"):
            names = os.listdir(mount / directory)
            assert "node1" not in names
            assert "memory70" not in names
        mount.write("memhotplug", "plug 1")
        assert there(mount) == list(PATHS)
        mount.write("memhotplug", "enable node 1")


def test_who_holds_a_directory_finds_nothing_in_it(mount):
    """A descriptor of what is gone cannot be listed, and its files have no device."""
    directory = os.open(mount / BLOCK, os.O_RDONLY)
    state = os.open("state", os.O_RDONLY, dir_fd=directory)
    take_away(mount)
    with pytest.raises(OSError, match="No such") as raised:
        os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
    assert raised.value.errno == errno.ENOENT
    with pytest.raises(OSError, match="No such") as raised:
        os.open("valid_zones", os.O_RDONLY, dir_fd=directory)
    assert raised.value.errno in (errno.ENOENT, errno.ENODEV)
    # What was opened is what it was then, as any rendering.
    assert os.read(state, 100) == b"online\n"
    os.close(state)
    os.close(directory)


def test_nobody_sees_half_of_a_node(mount):
    """lsmem while a node goes and comes: all of its blocks or none, no `?`."""
    stop = threading.Event()
    seen, wrong, looks = set(), [], []
    script = "lsmem -s $M -a -n -o STATE,NODE,SIZE -r -b | sort | uniq -c"

    def look():
        while not stop.is_set():
            done = mount.shell(script)
            lines = [line.split() for line in done.stdout.splitlines()]
            blocks = {(w[1], w[2]): int(w[0]) for w in lines if w[-1] == "8388608"}
            node1 = {key: nr for key, nr in blocks.items() if key[1] == "1"}
            if sum(nr for nr in node1.values()) not in (0, 63) or len(node1) > 1:
                wrong.append(blocks)
            if blocks.get(("online", "0")) != 64 or any("?" in w for w in lines):
                wrong.append(blocks)
            seen.update(node1 or {("gone", "1")})
            looks.append(None)

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(6):
            for command in ("disable node 1", "unplug 1", "plug 1", "enable node 1"):
                mount.write("memhotplug", command)
                many = len(looks) + 2
                wait_until(lambda many=many: len(looks) >= many)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert seen == {("online", "1"), ("on->off", "1"), ("gone", "1")}


# Renderings that are read without Python.


def test_pieces_rewinds_and_places(mount):
    """As seq_file has it: one rendering, another after a rewind."""
    text = (mount / "zoneinfo").read_bytes()
    with open(mount / "zoneinfo", "rb", buffering=0) as file:
        assert b"".join(iter(lambda: file.read(7), b"")) == text
        file.seek(0)
        assert file.read(1 << 20) == text
    fd = os.open(mount / "memhotplug", os.O_RDONLY)
    assert os.pread(fd, 4, 5) == (mount / "memhotplug").read_bytes()[5:9]
    before = os.pread(fd, 4096, 0)
    mount.write("memhotplug", "disable node 1")
    assert os.pread(fd, 4096, 5) == before[5:]
    assert os.pread(fd, 4096, 0) != before
    assert b"disabled" in os.pread(fd, 4096, 5)
    os.close(fd)


def test_thousands_open_at_once(mount):
    """More than the short way has places for; each has its own rendering."""
    texts = {}
    fds = []
    for n in range(5000):
        name = ("memhotplug", "meminfo", "zoneinfo")[n % 3]
        texts.setdefault(name, (mount / name).read_bytes())
        fds.append((os.open(mount / name, os.O_RDONLY), name))
    for fd, name in fds:
        assert os.read(fd, 1 << 20) == texts[name]
        assert os.read(fd, 10) == b""
    for fd, _ in fds:
        os.close(fd)
    assert (mount / "memhotplug").read_bytes() == texts["memhotplug"]


def test_closed_files_are_let_go(mount):
    """The daemon does not grow with every file that was ever read."""
    pid = int((mount / "control/pid").read_text())

    def resident():
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * 4

    def read_many():
        for _ in range(4000):
            (mount / "vmstat").read_bytes()

    read_many()
    before = resident()
    read_many()
    assert wait_until(lambda: resident() < before + 4000)
