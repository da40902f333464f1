"""Writers that wait for a memory block: in line, each with its own end.

No migration finds a page to move to, so that a block with pages in use goes on going
offline until that is over or its writer gets a signal.
"""

import os
import signal
import subprocess

import pytest
from mounting import MEMFS, mounted, wait_until

pytestmark = pytest.mark.mount

MACHINE = """
name = "small"
kernel = "6.1"
block = "8M"
swap = "0"
min_free_kbytes = 512
[[node]]
size = "64M"
[[node]]
size = "64M"
"""
MEMORY = "sys/devices/system/memory"
EVERY = 2**31 - 1
LAST = 15


@pytest.fixture
def mount(tmp_path):
    """Most of node 0 is in use; nothing of it can move."""
    machine = tmp_path / "small.toml"
    machine.write_text(MACHINE)
    place = tmp_path / "mount"
    place.mkdir()
    options = ("--machine", str(machine), "--paranoid")
    with mounted(place, command=MEMFS, options=options) as made:
        with open(made / "control/tasks", "r+b", buffering=0) as process:
            process.write(b"mmap anon 40M")
            process.write(b"touch 1 write once")
            made.write("control/faults", f"migrate_target={EVERY}")
            yield made
            made.write("control/faults", "migrate_target=0")
        # A close is not waited for.
        wait_until(lambda: "anon" not in (made / "control/tasks").read_text())


def state(mount, number):
    return (mount / f"{MEMORY}/memory{number}/state").read_text().strip()


def in_use(mount):
    """A block that does not go, and so is going."""
    for number in range(7, 0, -1):
        client = writer(mount, number, "offline")
        wait_until(
            lambda c=client, n=number: (
                c.poll() is not None or state(mount, n) == "going-offline"
            )
        )
        if client.poll() is None:
            return number, client
        client.wait()
    raise AssertionError("every block went")


def writer(mount, number, word):
    """A shell that writes to a block's state."""
    script = f"echo {word} > $M/{MEMORY}/memory{number}/state"
    return mount.client(script, "bash", stderr=subprocess.DEVNULL)


def waiting(mount, count):
    """So many requests wait."""
    wait_until(lambda: (mount / "status").read_text().count("running") >= count)


def test_a_second_writer_waits_for_the_first(mount):
    """The block is offline then, which the second is told."""
    number, first = in_use(mount)
    second = writer(mount, number, "offline")
    third = writer(mount, number, "online")
    waiting(mount, 3)
    assert first.poll() is None
    assert second.poll() is None
    assert third.poll() is None
    assert state(mount, number) == "going-offline"
    mount.write("control/faults", "migrate_target=0")
    assert first.wait(30) == 0
    results = sorted([second.wait(30), third.wait(30)])
    # The second may have come before the third or after it.
    assert results in ([0, 0], [0, 1])
    assert state(mount, number) in ("online", "offline")


def test_a_signal_ends_the_first_and_the_second_goes_on(mount):
    """With the same block, which was going offline all the while."""
    number, first = in_use(mount)
    second = writer(mount, number, "offline")
    waiting(mount, 2)
    os.killpg(first.pid, signal.SIGINT)
    first.wait(30)
    assert second.poll() is None
    wait_until(lambda: state(mount, number) == "going-offline")
    mount.write("control/faults", "migrate_target=0")
    assert second.wait(30) == 0
    assert state(mount, number) == "offline"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_who_waits_in_line(mount, number):
    """And nobody else."""
    block, first = in_use(mount)
    second = writer(mount, block, "offline")
    other = writer(mount, LAST, "offline")
    waiting(mount, 3)
    os.killpg(second.pid, number)
    second.wait(30)
    assert first.poll() is None
    assert other.poll() is None
    assert state(mount, block) == "going-offline"
    os.killpg(other.pid, signal.SIGKILL)
    os.killpg(first.pid, number)
    first.wait(30)
    other.wait(30)
    wait_until(lambda: state(mount, block) == "online")
    assert (mount / f"{MEMORY}/memory{block}/online").read_text() == "1\n"
