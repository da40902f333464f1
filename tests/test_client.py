"""memfs.client: finding a mount, reading what it says, and errors as sentences."""

from __future__ import annotations

import errno
import os

import pytest
from fakemount import LISTING_2004, FakeMachine, make_mount

from memfs import client
from memfs.client import ClientError, Mount, find_mount


@pytest.fixture
def mount(tmp_path):
    return Mount(make_mount(tmp_path / "m"))


def test_listing_is_read_as_nodes_and_zones():
    """The listing of 2004 gives two nodes, four zones and every number."""
    nodes = client.parse_listing(LISTING_2004)

    assert [(node.nid, node.enabled, node.removable) for node in nodes] == [
        (0, True, False),
        (1, False, True),
    ]
    assert nodes[1].zones[0] == (5, "Normal", 336, 9287, 83968)
    assert nodes[1].zones[0].label == "Normal[5]"


def test_listing_of_2003_has_zones_without_nodes():
    """A listing by zone gives its zones under node -1."""
    nodes = client.parse_listing("Zone 5: free 1, active 2, present 3\n")

    assert [node.nid for node in nodes] == [-1]
    assert nodes[0].zones[0] == (5, "Zone", 1, 2, 3)


@pytest.mark.parametrize("text", ["", "Node\n", "\tNormal[5]: free x\n", "Node x y\n"])
def test_listing_of_another_form_is_left_out(text):
    """What is no listing gives no node and no exception."""
    assert client.parse_listing(text) == []


def test_meminfo_gives_numbers_by_name():
    """Lines with and without a unit, and a node's lines, are read."""
    text = "MemTotal:   12 kB\nHugePages_Free:  3\nNode 1 MemFree: 7 kB\nodd\n"

    expected = {"MemTotal": 12, "HugePages_Free": 3, "MemFree": 7}

    assert expected == client.parse_meminfo(text)


def test_status_gives_operations_and_why():
    """Running and last operations, names in quotes, reasons below their line."""
    text = (
        "machine name=2004 kernel=2.6.7\n"
        'running 7 "purge 5" pages=12 waiting=I/O\n'
        'last 3 "purge 6" freed=4 result="0 or so"\n'
        "  why dirty=2 writeback=1\n"
    )
    running, last = client.parse_status(text)

    assert running[:3] == ("running", 7, "purge 5")
    assert running.facts == {"pages": "12", "waiting": "I/O"}
    assert running.why == {}
    assert last.facts == {"freed": "4", "result": "0 or so"}
    assert last.why == {"dirty": 2, "writeback": 1}


def test_last_is_the_newest_of_its_name(mount):
    """Of two finished operations of one name the later number is meant."""
    text = 'last 3 "purge 5" left=9\nlast 8 "purge 5" left=1\nlast 9 "purge 6"\n'
    (mount.path / "status").write_text(text)

    assert mount.last("purge 5").number == 8
    assert mount.last("purge 7") is None


def test_find_prefers_option_then_variable_then_default(tmp_path, monkeypatch):
    """--mount, MEMFS_MOUNT, mountpoint/: the first that is said is taken."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "mountpoint"):
        make_mount(tmp_path / name)
    env = {"MEMFS_MOUNT": "b"}

    assert str(find_mount("a", env).path) == "a"
    assert str(find_mount(None, env).path) == "b"
    assert str(find_mount(None, {}).path) == "mountpoint"


@pytest.mark.parametrize("kind", ["missing", "empty", "unmounted"])
def test_find_without_a_mount_is_status_3(tmp_path, kind):
    """No directory, an empty one, and the project's empty mount point: one sentence."""
    place = tmp_path / "m"
    if kind != "missing":
        place.mkdir()
    if kind == "unmounted":
        (place / "memhotplug").mkdir()
    with pytest.raises(ClientError, match="memfs mount") as caught:
        find_mount(place)

    assert caught.value.status == client.EXIT_NO_MOUNT
    assert "\n" not in str(caught.value)


def test_dead_daemon_is_named_with_its_remedy(mount, monkeypatch):
    """ENOTCONN says that the daemon is gone and how to heal the mount."""

    def gone(path):
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    monkeypatch.setattr(client.os, "stat", gone)
    with pytest.raises(ClientError, match=r"daemon .* is gone.*memfs mount") as caught:
        mount.require()

    assert caught.value.status == client.EXIT_NO_MOUNT


def test_zone_that_is_not_there_names_those_that_are(mount):
    """The sentence lists the zones, so that the next try can be right."""
    with pytest.raises(ClientError, match=r"zone 9: .*Normal\[5\], HighMem\[6\]"):
        mount.zone(9)


def test_refused_command_carries_the_reason_of_kmsg(mount, monkeypatch):
    """The errno's text and what kmsg says of this very command."""
    machine = FakeMachine(mount.path, [])
    monkeypatch.setattr(Mount, "write", lambda m, n, t: machine.write(m, n, t))
    with pytest.raises(ClientError, match=r"plug 9: No such device \(no such thing\)"):
        mount.command("plug 9")


def test_command_is_one_write(mount):
    """The command and its newline reach the file, and nothing else."""
    mount.command("purge 5")

    assert (mount.path / "memhotplug").read_text().startswith("purge 5\n")


def test_violations_are_the_lines_of_validate(mount, monkeypatch):
    """``ok`` gives none; else there is a line for each."""
    monkeypatch.setattr(Mount, "write", lambda m, n, t: None)
    answer = mount.path / "control/validate"
    answer.write_text("ok\n")

    assert mount.violations() == []

    answer.write_text("zone 5: free 1, found 2\nnode 1\n")

    assert mount.violations() == ["zone 5: free 1, found 2", "node 1"]


def test_every_exit_status_has_its_sentence():
    """The table that --help and the documentation print knows every status."""
    names = [name for name in vars(client) if name.startswith("EXIT_")]
    statuses = {getattr(client, name) for name in names if name != "EXIT_STATUSES"}

    assert statuses == set(client.EXIT_STATUSES)
