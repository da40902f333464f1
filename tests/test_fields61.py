"""What the files of proc/ and sys/ have, in the order in which Linux 6.1 printed it."""

from __future__ import annotations

import re

import pytest
from fakes import fake_mount, text_of
from fields61 import EVENTS, MARKS, MEMINFO, NODE_MEMINFO, NODE_STATS, ZONE_STATS

from memfs.vm import Layout, Machine

ZONES = ("DMA", "DMA32", "Normal", "Movable", "Device")
MIGRATE_TYPES = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate")
CPUS = 2


@pytest.fixture(scope="module")
def mount():
    """The files of the captured machine."""
    with Machine(Layout.builtin("modern")) as machine:
        yield fake_mount(machine)


def first_words(text):
    return [line.split()[0].rstrip(":") for line in text.splitlines()]


def pagesets():
    """The names of the lines about the CPUs of a zone."""
    a_cpu = ["cpu", "count", "high", "batch", "vm"]
    return ["pagesets", *a_cpu * CPUS, "node_unreclaimable", "start_pfn"]


def zone_names(is_first, populated):
    """The names of one zone of zoneinfo, without its title."""
    return [
        *(["per-node", *NODE_STATS] if is_first else []),
        "pages",
        *MARKS,
        "protection",
        *([*ZONE_STATS, *pagesets()] if populated else []),
    ]


def test_zoneinfo(mount):
    """Five zones a node; the first with pages has the node's stats, too."""
    text = text_of(mount, "proc/zoneinfo")
    titles = re.findall(r"^Node (\d), zone +(\w+)$", text, re.M)
    bodies = re.split(r"^Node .*\n", text, flags=re.M)[1:]
    populated = {("0", "DMA"), ("0", "DMA32"), ("1", "Normal"), ("2", "Normal")}
    firsts = {("0", "DMA"), ("1", "Normal"), ("2", "Normal")}

    assert titles == [(node, zone) for node in "012" for zone in ZONES]
    for title, body in zip(titles, bodies, strict=True):
        wanted = zone_names(title in firsts, title in populated)
        assert first_words(body) == wanted, title


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("proc/meminfo", MEMINFO),
        ("proc/vmstat", [*ZONE_STATS, *NODE_STATS, *EVENTS]),
        ("sys/devices/system/node/node1/vmstat", [*ZONE_STATS, *NODE_STATS]),
    ],
)
def test_a_name_and_a_number_a_line(mount, path, names):
    """Nothing is missing, nothing is more."""
    assert first_words(text_of(mount, path)) == names


def test_a_nodes_meminfo(mount):
    """Each line begins with the node."""
    lines = text_of(mount, "sys/devices/system/node/node2/meminfo").splitlines()
    assert all(line.startswith("Node 2 ") for line in lines)
    assert [line.split()[2].rstrip(":") for line in lines] == NODE_MEMINFO


def test_pagetypeinfo(mount):
    """Free pages by type, then blocks by type; for each node anew."""
    text = text_of(mount, "proc/pagetypeinfo")
    free = re.findall(r"^Node +(\d), zone +(\w+), type +(\w+)", text, re.M)
    zones = [("0", "DMA"), ("0", "DMA32"), ("1", "Normal"), ("2", "Normal")]
    blocks = re.findall(r"^Node (\d), zone +(\w+)(?: +\d+){5} $", text, re.M)
    heads = re.findall(r"^Number of blocks type(.*)$", text, re.M)

    assert free == [(*zone, kind) for zone in zones for kind in MIGRATE_TYPES]
    assert blocks == zones
    assert [tuple(head.split()) for head in heads] == [MIGRATE_TYPES] * 3
    assert text.startswith("Page block order: 9\nPages per block:  512\n\nFree pages")
