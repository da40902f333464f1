"""Column 6.1: what such a kernel printed of the captured machine, by its formulas."""

from __future__ import annotations

from math import isqrt

import pytest
from vmkit import assert_valid

from memfs.vm import Layout, Machine
from memfs.vm.marks import min_free_kbytes
from memfs.vm.rules61 import min_free, pcp, protection, watermarks
from memfs.vm.ruleviews import MarkView, MinFreeView, PcpView

# Managed pages of the zones DMA, DMA32, node 1's Normal and node 2's.
MANAGED = (3840, 484091, 258004, 257293)
TOTAL = sum(MANAGED)
FREE_KB = 90112
CPUS = 2


@pytest.fixture
def modern():
    """The captured machine."""
    with Machine(Layout.builtin("modern")) as machine:
        yield machine
        assert_valid(machine)


def zone(m, name, nid):
    """The figures of a node's zone."""
    found = next(zone for zone in m.nodes[nid].zones if zone.name == name)
    return m.zone_stat(found.zid)


@pytest.mark.parametrize(
    ("managed", "kbytes", "scale", "marks"),
    [
        (3840, FREE_KB, 10, (86, 107, 128)),
        (258004, FREE_KB, 10, (5793, 7241, 8689)),
        (257293, FREE_KB, 10, (5777, 7221, 8665)),
        (3840, 128, 10, (0, 3, 6)),
        (258004, 128, 10, (8, 266, 524)),
        (258004, FREE_KB, 3000, (5793, 83194, 160595)),
    ],
)
def test_watermarks(managed, kbytes, scale, marks):
    """The machine's minimum by managed pages; the gap is a quarter or the scale's."""
    view = MarkView(kbytes // 4, managed, managed, TOTAL, TOTAL, False, scale)
    assert watermarks(view) == marks


@pytest.mark.parametrize(
    ("managed", "low", "high", "batch"),
    [
        (3840, 107, 53, 1),
        (484091, 13546, 6773, 63),
        (258004, 7262, 3631, 63),
        (60 << 10, 0, 60, 15),
        (1 << 20, 0, 252, 63),
        (1, 0, 4, 1),
    ],
)
def test_what_a_cpu_keeps(managed, low, high, batch):
    """The low mark, shared by the CPUs, and four batches at least."""
    got = pcp(PcpView(managed, managed, low, CPUS))
    assert (got.hot_high, got.batch) == (high, batch)


def test_what_a_cpu_keeps_as_a_fraction_of_the_zone():
    """percpu_pagelist_high_fraction instead of the low mark."""
    view = PcpView(258004, 258004, 7262, CPUS, 8)
    assert pcp(view).hot_high == 258004 // 8 // CPUS


@pytest.mark.parametrize(
    ("lowmem", "zones", "thp", "kbytes"),
    [
        (TOTAL, 4, True, 90112),
        (TOTAL, 2, True, 45056),
        (498300, 5, True, 24915 * 4),
        (996254, 4, False, 7985),
        (16, 4, False, 128),
        (1 << 40, 4, False, 262144),
    ],
)
def test_the_default_of_min_free_kbytes(lowmem, zones, thp, kbytes):
    """The root of 16 times low memory; with huge pages so much for each zone."""
    assert min_free(MinFreeView(zones, lowmem, lowmem, thp)) == kbytes


@pytest.mark.parametrize(
    ("managed", "ratios", "rows"),
    [
        # Node 0 and node 2, some blocks of which were made Movable.
        (
            (3840, 484091, 0, 0, 0),
            (256, 256, 32, 0, 0),
            {0: (0, 1890, 1890, 1890, 1890), 1: (0,) * 5, 2: (0,) * 5},
        ),
        (
            (0, 0, 60685, 196608, 0),
            (256, 256, 32, 0, 0),
            {2: (0, 0, 0, 6144, 6144), 3: (0,) * 5},
        ),
        ((3840, 484091, 0, 0, 0), (0, 256, 32, 0, 0), {0: (0,) * 5}),
        ((3840, 484091, 0, 0, 0), (1, 256, 32, 0, 0), {0: (0, *[484091] * 4)}),
    ],
)
def test_protection(managed, ratios, rows):
    """What lies above, by the ratio; 0 keeps nothing."""
    got = protection(managed, ratios)
    assert {kind: tuple(got[kind]) for kind in rows} == rows


def test_the_captured_machine(modern):
    """All of it together, of zones and of their CPUs."""
    seen = zone(modern, "Normal", 1)
    assert (seen.pages_min, seen.pages_low, seen.pages_high) == (5793, 7241, 8689)
    assert (seen.pcp_hot_high, seen.pcp_batch) == (7241 // CPUS, 63)
    seen = zone(modern, "DMA", 0)
    assert (seen.pages_min, seen.pages_low, seen.pages_high) == (86, 107, 128)
    assert (seen.pcp_hot_high, seen.pcp_batch) == (53, 1)


def test_what_was_set_holds_until_the_kernel_wants_more(modern):
    """As captured: 8192, huge pages on: 90112, and off again: still 90112.

    With no huge pages and a smaller figure than the root's it is the root's.
    """
    modern.tune("thp", False)
    modern.tune("min_free_kbytes", 8192)
    modern.tune("thp", True)
    assert min_free_kbytes(modern) == FREE_KB
    modern.tune("thp", False)
    assert min_free_kbytes(modern) == FREE_KB
    modern.tune("min_free_kbytes", 128)
    assert min_free_kbytes(modern) == 128
    modern.sched.run(modern.block_offline(33))
    assert min_free_kbytes(modern) == isqrt((TOTAL - 32768) * 64)
    modern.tune("thp", True)
    modern.tune("min_free_kbytes", 100000)
    modern.sched.run(modern.block_online(33))
    assert min_free_kbytes(modern) == 100000
