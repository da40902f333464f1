"""Nodes, zones, marks and zonelists of the built-in machines and of given ones."""

from __future__ import annotations

import pytest
from vmkit import assert_valid

from memfs.vm import Layout, Machine

# zid -> name, present, min, low, high: Iwamoto, LKML 2004-04-06, and the 2003 report.
FIGURES = {
    "2004": {
        0: ("DMA", 4096, 4, 8, 12),
        1: ("Normal", 126976, 151, 302, 453),
        5: ("Normal", 83968, 99, 198, 297),
        6: ("HighMem", 45056, 44, 88, 132),
    },
    "2003": {
        0: ("DMA", 4096, 4, 8, 12),
        1: ("Normal", 225280, 251, 502, 753),
        2: ("HighMem", 32768, 32, 64, 96),
        5: ("HighMem", 262144, 128, 256, 384),
        8: ("HighMem", 262144, 128, 256, 384),
    },
}


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_the_listing_figures(name):
    """Zones, their numbers and watermarks are those of the sources; all is free."""
    with Machine(Layout.builtin(name)) as m:
        seen = {
            zid: (zone.name, s.present, s.pages_min, s.pages_low, s.pages_high)
            for zid, zone in m.zones.items()
            for s in [zone.stat()]
        }

        assert seen == FIGURES[name]
        assert all(z.stat().free == z.present == z.managed for z in m.zones.values())
        assert_valid(m)


def test_zonelists_of_2004():
    """Users' pages in removable memory first; kernel data in node 0 alone."""
    with Machine(Layout.builtin("2004")) as m:
        lists = [m.zonelists[0, cls] for cls in range(4)]

        assert lists == [(1, 0), (0,), (1, 0), (6, 5, 1, 0)]


def test_zonelists_of_2003():
    """Node by node from the local one; chunks are filled in turn."""
    with Machine(Layout.builtin("2003")) as m:
        assert m.zonelists[0, 3] == (2, 1, 0, 5, 8)
        assert m.zonelists[1, 3] == (5, 8, 2, 1, 0)
        assert m.zonelists[0, 0] == (1, 0)


def test_a_node_is_enabled_while_one_gate_is_open():
    """`disabled` in the listing needs every zone closed."""
    with Machine(Layout.builtin("2004")) as m:
        node = m.nodes[1]
        m.sched.run(m.disable_zone(5))
        assert node.state == "enabled"
        m.sched.run(m.disable_zone(6))
        assert node.state == "disabled"
        assert m.zonelists[0, 3] == (1, 0)
        assert m.nodes[2].state == "unplugged"


def test_disable_and_enable_marks():
    """A closed gate wants every page and keeps none on per-CPU lists."""
    with Machine(Layout.builtin("2004")) as m:
        before = m.zone_stat(5)
        m.sched.run(m.disable_zone(5))
        s = m.zone_stat(5)
        assert s.pages_high == s.present
        assert (s.pcp_hot_low, s.pcp_hot_high, s.pcp_cold_high) == (0, 0, 0)
        m.sched.run(m.enable_zone(5))
        assert m.zone_stat(5) == before


def test_marks_follow_the_memory_that_is_there():
    """256 pages are shared out over the low memory of the plugged nodes."""
    with Machine(Layout.builtin("2004")) as m:
        m.sched.run(m.disable_node(1))
        m.sched.run(m.unplug(1))
        assert m.zone_stat(1).pages_min == 256 * 126976 // 131072
        m.sched.run(m.plug(1))
        m.sched.run(m.enable_node(1))
        assert m.zone_stat(1).pages_min == 151


def test_zones_said_outright():
    """One behind the other from a block on; what is not managed is at the end."""
    text = """
    [[node]]
    zones = [{ type = "DMA", spanned = 4096, present = 4000, managed = 3000 },
             { type = "Normal", spanned = 9000, present = 8500, managed = 8192 }]
    """
    with Machine(Layout.parse(text)) as m:
        dma, normal = m.zone_stat(0), m.zone_stat(1)

        assert (dma.start_pfn, dma.present, dma.managed, dma.free) == (
            (0, 4000, 3000, 3000)
        )
        assert (normal.start_pfn, normal.spanned, normal.free) == (4096, 9000, 8192)
        assert_valid(m)


def test_the_largest_machine_boots_at_once():
    """1 TiB: an untouched machine costs nothing."""
    text = '[[node]]\nsize = "4G"\n[[node]]\nsize = "1020G"\n'
    with Machine(Layout.parse(text)) as m:
        assert m.snapshot().total.present == 1 << 28


def test_sums_agree_and_leave_closed_zones_out():
    """The machine is the sum of its nodes; MemFree has no page behind a gate."""
    with Machine(Layout.builtin("2004")) as m:
        m.sched.run(m.disable_zone(5))
        snap = m.snapshot()

        assert snap.total.buddy == snap.total.managed == 260096
        assert snap.total.free == 260096 - 83968
        assert snap.nodes[1].sums.free == 45056
        assert snap.nodes[1].sums.managed == 129024
        assert sum(n.sums.free for n in snap.nodes.values()) == snap.total.free


def test_a_snapshot_is_made_once_a_version():
    """The same object while nothing changes."""
    with Machine(Layout.builtin("2004")) as m:
        first = m.snapshot()
        assert m.snapshot() is first
        m.sched.run(m.disable_zone(5))
        assert m.snapshot() is not first
        assert m.snapshot().version == m.version
