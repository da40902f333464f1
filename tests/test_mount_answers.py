"""What writes to the files of a mount answer: exactly what Linux 6.1 answered.

Each row is one open and some writes; the results are write(2)'s, or its errno's name.
"""

from __future__ import annotations

import errno
import os

import pytest
from mounting import MEMFS, mounted

pytestmark = pytest.mark.mount

MEMORY = "sys/devices/system/memory"
STATE = f"{MEMORY}/memory35/state"
ONLINE = f"{MEMORY}/memory35/online"
AUTO = f"{MEMORY}/auto_online_blocks"
VM = "proc/sys/vm"
PAGE = 4096

ONLINES = (b"online", b"online\n", b"online\0", b"online\0x")
WAYS = (b"online_kernel", b"online_kernel\n", b"online_movable", b"online_movable\n")
OFFLINES = (b"offline", b"offline\n")
NEITHER = (
    *(b"\n", b" ", b" online", b"online ", b"online\n\n", b"online\n ", b"online\nx"),
    *(b"Online", b"ONLINE", b"onlin", b"onlinex", b"online movable", b"online_"),
    *(b"1", b"0", b"remove", b"online\noffline\n", b"x" * 5000),
)
ON = (b"1", b"y", b"Y", b"t", b"on", b"On", b"ON", b"10", b"1 ", b"1\n\n", b"true")
OFF = (b"0", b"n", b"N", b"f", b"of", b"off", b"OFX", b"no")
NO_BOOLEAN = (b"2", b"-1", b" 1", b"\n", b"garbage", b"o", b"ox")


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """The captured machine."""
    options = ("--machine", "modern", "--paranoid")
    path = tmp_path_factory.mktemp("answers")
    with mounted(path, command=MEMFS, options=options) as mount:
        yield mount


def answers(mount, path, *writes):
    """Open, write each, close: what each write gives."""
    try:
        fd = os.open(mount / path, os.O_WRONLY)
    except OSError as exc:
        return f"open: {errno.errorcode[exc.errno]}"
    found = []
    try:
        for data in writes:
            try:
                found.append(os.write(fd, data))
            except OSError as exc:
                found.append(errno.errorcode[exc.errno])
    finally:
        os.close(fd)
    return found


def text(mount, path):
    return (mount / path).read_text()


def set_block(mount, state):
    if text(mount, STATE) != f"{state}\n":
        assert answers(mount, STATE, state.encode()) == [len(state)]


# A block's state.


@pytest.mark.parametrize("data", [*ONLINES, *WAYS])
def test_online(mount, data):
    """Every way, once; a block that is online cannot change its zone."""
    set_block(mount, "offline")
    assert answers(mount, STATE, data) == [len(data)]
    assert text(mount, STATE) == "online\n"
    movable = data.startswith(b"online_movable")
    zone = "Movable" if movable else "Normal"
    assert text(mount, f"{MEMORY}/memory35/valid_zones") == f"{zone}\n"
    for other in (*ONLINES, *WAYS):
        assert answers(mount, STATE, other) == ["EINVAL"]
    assert answers(mount, STATE, b"offline") == [7]


@pytest.mark.parametrize("data", OFFLINES)
def test_offline(mount, data):
    """Once."""
    set_block(mount, "online")
    assert answers(mount, STATE, data) == [len(data)]
    assert text(mount, STATE) == "offline\n"
    for other in OFFLINES:
        assert answers(mount, STATE, other) == ["EINVAL"]
    assert text(mount, f"{MEMORY}/memory35/valid_zones") == "Normal Movable\n"


def test_a_block_with_a_hole(mount):
    """It shows the one zone that it is in; it cannot go, nor can one of two zones."""
    for number, zones in ((15, "DMA32\n"), (0, "none\n")):
        block = f"{MEMORY}/memory{number}"
        for _ in range(2):
            assert text(mount, f"{block}/valid_zones") == zones
            assert text(mount, f"{block}/removable") == "1\n"
            assert answers(mount, f"{block}/state", b"offline") == ["EINVAL"]
            assert text(mount, f"{block}/state") == "online\n"


@pytest.mark.parametrize("state", ["online", "offline"])
@pytest.mark.parametrize("data", [*NEITHER, b""])
def test_no_state(mount, state, data):
    """Nothing else is taken; nothing is nothing."""
    set_block(mount, state)
    assert answers(mount, STATE, data) == (["EINVAL"] if data else [0])
    assert text(mount, STATE) == f"{state}\n"


def test_each_write_stands_alone(mount):
    """Whatever the offset is."""
    set_block(mount, "offline")
    assert answers(mount, STATE, b"onl", b"ine") == ["EINVAL", "EINVAL"]
    writes = (b"online", b"offline", b"online", b"online")
    assert answers(mount, STATE, *writes) == [6, 7, 6, "EINVAL"]


@pytest.mark.parametrize("data", ON)
def test_a_block_is_switched_on(mount, data):
    """A boolean of one or two characters; what it is already is no error."""
    set_block(mount, "offline")
    assert answers(mount, ONLINE, data, data) == [len(data)] * 2
    assert text(mount, STATE) == "online\n"
    assert text(mount, ONLINE) == "1\n"


@pytest.mark.parametrize("data", OFF)
def test_a_block_is_switched_off(mount, data):
    """The same."""
    set_block(mount, "online")
    assert answers(mount, ONLINE, data, data) == [len(data)] * 2
    assert text(mount, STATE) == "offline\n"
    assert text(mount, ONLINE) == "0\n"


@pytest.mark.parametrize("data", NO_BOOLEAN)
def test_no_boolean(mount, data):
    """EINVAL."""
    assert answers(mount, ONLINE, data) == ["EINVAL"]


@pytest.mark.parametrize(
    ("number", "result"),
    [(0, "EINVAL"), (15, "EINVAL"), (14, "EBUSY"), (39, "EBUSY"), (47, "EBUSY")],
)
def test_blocks_that_stay(mount, number, result):
    """Two zones, or a hole: EINVAL; the kernel's own tables: EBUSY, at once."""
    path = f"{MEMORY}/memory{number}/state"
    assert answers(mount, path, b"offline") == [result]
    assert text(mount, path) == "online\n"


# Other files.


@pytest.mark.parametrize("data", [*ONLINES, *WAYS, *OFFLINES])
def test_auto_online(mount, data):
    """The strings of a state."""
    assert answers(mount, AUTO, data) == [len(data)]
    assert text(mount, AUTO) == data.rstrip(b"\nx").rstrip(b"\0").decode() + "\n"


@pytest.mark.parametrize("data", [*NEITHER, b""])
def test_no_auto_online(mount, data):
    """And nothing else."""
    assert answers(mount, AUTO, b"offline", data) == [7, "EINVAL" if data else 0]
    assert text(mount, AUTO) == "offline\n"


@pytest.mark.parametrize("name", ["compact_memory", "stat_refresh"])
@pytest.mark.parametrize("data", [b"1", b"0", b"-1", b"garbage", b"\n", b""])
def test_whatever_is_written(mount, name, data):
    """compact_memory takes anything and stat_refresh too."""
    assert answers(mount, f"{VM}/{name}", data) == [len(data)]


@pytest.mark.parametrize("data", [b"1", b"garbage", b"-1", b""])
def test_a_node_is_compacted(mount, data):
    """By any word."""
    path = "sys/devices/system/node/node1/compact"
    assert answers(mount, path, data) == [len(data)]
    with pytest.raises(PermissionError):
        text(mount, path)


@pytest.mark.parametrize(
    ("name", "data", "result"),
    [
        *(("drop_caches", d, len(d)) for d in (b"1", b"2", b"3", b"4", b"1 ", b" 1")),
        *(("drop_caches", d, len(d)) for d in (b"1\n\n", b"0x1", b"")),
        ("drop_caches", b"1 2", 2),
        *(("drop_caches", d, "EINVAL") for d in (b"0", b"5", b"7", b"8", b"-1")),
        *(("drop_caches", d, "EINVAL") for d in (b"garbage", b"1x", b"\n")),
        *(("swappiness", d, len(d)) for d in (b"60", b" 60", b"60\n\n", b"0x3c", b"")),
        ("swappiness", b"60 1", 3),
        *(("swappiness", d, "EINVAL") for d in (b"-1", b"201", b"garbage", b"\n")),
        *(("swappiness", d, "EINVAL") for d in (b"6x", b"1.5", b"9" * 20)),
        *(("percpu_pagelist_high_fraction", d, 1) for d in (b"8", b"0")),
        *(("percpu_pagelist_high_fraction", d, "EINVAL") for d in (b"1", b"7")),
        *(("watermark_scale_factor", d, "EINVAL") for d in (b"0", b"3001")),
        *(("watermark_scale_factor", d, len(d)) for d in (b"1", b"3000", b"10")),
        *(("min_free_kbytes", d, len(d)) for d in (b"128", b"524288", b"90112")),
        *(("min_free_kbytes", d, "EINVAL") for d in (b"-1", b"x")),
        *(("lowmem_reserve_ratio", d, len(d)) for d in (b"x", b"garbage", b"-5")),
        ("lowmem_reserve_ratio", b"256 256 32 0 0 9", 15),
        ("lowmem_reserve_ratio", b"256 256 32 0 0", 14),
        ("nr_hugepages", b"garbage", "EINVAL"),
        ("nr_hugepages", b"-1", "EINVAL"),
        ("nr_hugepages", b"0", 1),
    ],
)
def test_settings(mount, name, data, result):
    """Blanks around a number; of two numbers the first, and a short write."""
    assert answers(mount, f"{VM}/{name}", data) == [result]


@pytest.mark.parametrize("data", [b"garbage", b"-1", b"\n", b"1x"])
def test_a_pool_refuses(mount, data):
    """In every place."""
    for place in ("sys/kernel/mm/hugepages", "sys/devices/system/node/node1/hugepages"):
        path = f"{place}/hugepages-2048kB/nr_hugepages"
        assert answers(mount, path, data) == ["EINVAL"]


def test_a_pool_takes_what_it_can(mount):
    """More than there is: no error."""
    path = "sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
    assert answers(mount, path, b"100000") == [6]
    assert 300 < int(text(mount, path)) < 512
    assert answers(mount, path, b"0\n") == [2]
    assert text(mount, path) == "0\n"


@pytest.mark.parametrize(
    ("name", "data", "result"),
    [
        *(("soft_offline_page", d, "EINVAL") for d in (b"garbage", b"\n", b"-1")),
        *(("soft_offline_page", d, "EINVAL") for d in (b" 1", b"1 ", b"9" * 23)),
        *(("soft_offline_page", d, "EIO") for d in (b"0", b"4096")),
        *(("soft_offline_page", d, "ENXIO") for d in (b"0x180000000", b"0xff000000")),
        *(("hard_offline_page", d, "EINVAL") for d in (b"garbage", b"\n", b"1 ")),
        ("hard_offline_page", b"0x108000000", "ENOTSUP"),
    ],
)
def test_bad_pages(mount, name, data, result):
    """An address that is none, of the firmware's first pages, beyond memory."""
    assert answers(mount, f"{MEMORY}/{name}", data) == [result]
    with pytest.raises(PermissionError):
        text(mount, f"{MEMORY}/{name}")


def test_a_free_page_goes_bad(mount):
    """And again; it is counted once."""
    before = text(mount, "proc/meminfo")
    assert "HardwareCorrupted:     0 kB" in before
    path = f"{MEMORY}/soft_offline_page"
    assert answers(mount, path, b"0x10a345678", b"0x10a345000\n") == [11, 12]
    assert "HardwareCorrupted:     4 kB" in text(mount, "proc/meminfo")


@pytest.mark.parametrize("name", ["buddyinfo", "zoneinfo", "vmstat", "meminfo"])
def test_figures_are_not_written(mount, name):
    """Root opens it; the write is EIO."""
    assert answers(mount, f"proc/{name}", b"1") == ["EIO"]


@pytest.mark.parametrize("name", ["block_size_bytes", "memory35/removable"])
def test_facts_are_not_opened_for_writing(mount, name):
    """EACCES, for root too."""
    assert answers(mount, f"{MEMORY}/{name}", b"1") == "open: EACCES"


@pytest.mark.parametrize("name", ["compact_memory", "drop_caches"])
def test_orders_are_not_read(mount, name):
    """EACCES, for root too."""
    with pytest.raises(PermissionError):
        text(mount, f"{VM}/{name}")


def test_a_ratio_keeps_what_is_not_given(mount):
    """Fewer numbers: the rest stay."""
    path = f"{VM}/lowmem_reserve_ratio"
    assert answers(mount, path, b"128 64") == [6]
    assert text(mount, path).split() == ["128", "64", "32", "0", "0"]
    assert answers(mount, path, b"256 256 32 0 0\n") == [15]
