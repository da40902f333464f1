"""Layout `modern` beside what Linux 6.1 printed on that machine, idle after boot.

``captured/linux-6.1-idle.txt`` is what its files held, one after the other, each under
its name. Every line has to be there, in its place and with its blanks; figures have to
agree where they follow from the machine and not from what ran on it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fakes import fake_mount, text_of

from memfs.vm import Layout, Machine

CAPTURE = Path(__file__).with_name("captured") / "linux-6.1-idle.txt"
NODES = "sys/devices/system/node"
MEMORY = "sys/devices/system/memory"
NUMBER = re.compile(r"\d+")
PADDED = re.compile(r" *\d+")

# Figures of a zone that nothing changes which runs.
OF_ZONES = (
    *("boost", "spanned", "present", "managed", "cma"),
    *("batch:", "vm", "start_pfn:", "node_unreclaimable:", "cpu:"),
)
OF_MACHINES = (
    *("MemTotal", "Unevictable", "Mlocked", "Zswap", "Zswapped", "Dirty", "Writeback"),
    *("SwapCached", "NFS_Unstable", "Bounce", "WritebackTmp", "HardwareCorrupted"),
    *("AnonHugePages", "ShmemHugePages", "FileHugePages", "Hugepagesize", "Hugetlb"),
    *("HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"),
)


@pytest.fixture(scope="module")
def captured():
    """What was captured, by the name of the file."""
    parts = re.split(r"^==== (.*)\n", CAPTURE.read_text(), flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def mount():
    """The same files of the model."""
    with Machine(Layout.builtin("modern")) as machine:
        yield fake_mount(machine)


def padded(text):
    """Each number as one sign at its end: its width stays."""
    return PADDED.sub(lambda found: "#".rjust(len(found[0])), text)


def unpadded(text):
    """Each number as one sign, whatever its width."""
    return NUMBER.sub("#", text)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("proc/zoneinfo", unpadded),
        ("proc/buddyinfo", padded),
        ("proc/pagetypeinfo", padded),
        ("proc/vmstat", unpadded),
        *((f"{NODES}/node{n}/meminfo", padded) for n in range(3)),
        *((f"{NODES}/node{n}/numastat", unpadded) for n in range(3)),
        *((f"{NODES}/node{n}/vmstat", unpadded) for n in range(3)),
    ],
)
def test_the_form_is_the_kernels(mount, captured, path, form):
    """Line by line, blank by blank."""
    wanted = form(captured[f"/{path}"]).splitlines()
    assert form(text_of(mount, path)).splitlines() == wanted


def test_the_form_of_meminfo(mount, captured):
    """One line has a number that is wider than its column."""
    forms = [
        [padded(line) for line in text.splitlines() if "VmallocTotal" not in line]
        for text in (captured["/proc/meminfo"], text_of(mount, "proc/meminfo"))
    ]
    assert forms[1] == forms[0]
    assert re.search(
        r"^VmallocTotal:   \d{11} kB$", text_of(mount, "proc/meminfo"), re.M
    )


@pytest.mark.parametrize(
    "name",
    [f"{NODES}/node{n}/{name}" for n in range(3) for name in ("distance", "cpulist")],
)
def test_what_is_the_same_to_the_byte(mount, captured, name):
    """Distances, and CPUs: two nodes have none."""
    assert text_of(mount, name) == captured[f"/{name}"]


def lines_of(text, words):
    """Lines that begin with one of the words."""
    return [line for line in text.splitlines() if line.split()[0] in words]


def test_figures_of_zones(mount, captured):
    """Pages, what a CPU takes at a time, when it hands in its counts.

    Marks and protection were computed before boot memory was freed, and never again:
    tests/vm/test_rules61.py has them by their formulas.
    """
    wanted = lines_of(captured["/proc/zoneinfo"], OF_ZONES)
    assert lines_of(text_of(mount, "proc/zoneinfo"), OF_ZONES) == wanted


def test_figures_of_the_machine(mount, captured):
    """Of the machine, and of each node."""
    names = [f"{name}:" for name in OF_MACHINES]
    wanted = lines_of(captured["/proc/meminfo"], names)
    assert lines_of(text_of(mount, "proc/meminfo"), names) == wanted
    for nid in range(3):
        path = f"{NODES}/node{nid}/meminfo"
        seen, there = (
            [line for line in text.splitlines() if line.split()[2] in names]
            for text in (text_of(mount, path), captured[f"/{path}"])
        )
        assert seen == there


def test_lists_of_nodes(mount, captured):
    """Which there are, which have CPUs, memory, memory for the kernel."""
    found = [key.split(": ") for key in captured if key.startswith("node/")]
    assert len(found) == 5
    for name, numbers in found:
        path = f"{NODES}/{name.removeprefix('node/')}"
        assert text_of(mount, path) == numbers + "\n"


def test_blocks(mount, captured):
    """Each with every file; the first lies in two zones."""
    lines = captured["blocks"].splitlines()
    assert len(lines) == 32
    for line in lines:
        name, *pairs = line.split()
        for pair in pairs:
            key, value = pair.split("=")
            if key == "node":
                there = mount.root
                for part in f"{MEMORY}/{name}".split("/"):
                    there = there.lookup(part.encode())
                assert there.lookup(b"node" + value.encode()) is not None
            else:
                seen = text_of(mount, f"{MEMORY}/{name}/{key}")
                assert seen == value.strip("[]") + "\n"
    assert text_of(mount, f"{MEMORY}/block_size_bytes") == "8000000\n"
    assert text_of(mount, f"{MEMORY}/auto_online_blocks") == "offline\n"
