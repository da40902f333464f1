"""RULES: one row a rule, one column a kernel."""

from __future__ import annotations

import pytest

from memfs.vm.rules import COLUMNS, RULES, S0_CHANGES, Rules
from memfs.vm.rules26 import (
    node_major,
    oom_260,
    pcp_260,
    reclaim_node,
    reclaim_zonelist,
    type_major,
    watermarks_260,
)
from memfs.vm.ruleviews import (
    CLASS_DMA,
    CLASS_HIGHMEM,
    CLASS_HOTREMOVABLE,
    CLASS_NORMAL,
    ListZone,
    MarkView,
    OomView,
    PcpView,
)

# Two nodes: 0 has DMA[0] and Normal[1], removable 1 has Normal[5] and HighMem[6].
ZONES = [
    ListZone(0, 0, 0, False),
    ListZone(1, 0, 1, False),
    ListZone(5, 1, 1, True),
    ListZone(6, 1, 2, True),
]
SECOND = 1_000_000_000


def test_every_row_has_every_column_and_a_source():
    """A kernel is a whole column, and every rule says where it is from."""
    for name, row in RULES.items():
        assert set(row.cells) == set(COLUMNS), name
        assert row.source, name
        assert row.what, name
        assert hasattr(Rules, name), name


def test_the_five_changes_are_five_rows_that_can_be_turned_off():
    """Each alone; the others stay."""
    rules = Rules.resolve("2.6.0")

    for name in S0_CHANGES:
        without = rules.without(name)
        assert getattr(rules, name) is True
        assert getattr(without, name) is False
        assert all(getattr(without, other) for other in S0_CHANGES if other != name)


def test_a_rule_without_an_off_value_cannot_be_turned_off():
    """Nor can a kernel be asked for that has no column."""
    with pytest.raises(KeyError):
        Rules.resolve("2.6.7").without("zonelist")
    with pytest.raises(KeyError):
        Rules.resolve("2.4.20")


def test_zone_numbers_have_stride_3_and_then_4():
    """Node 1's HighMem is 5 in 2.6.0 and 6 later."""
    assert Rules.resolve("2.6.0").zid(1, 2) == 5
    assert Rules.resolve("2.6.7").zid(1, 2) == 6


def test_the_prototype_fills_removable_memory_first():
    """Zonelists of the announcement's machine, type before node."""
    lists = {cls: type_major(cls, [0, 1], ZONES) for cls in range(4)}

    assert lists[CLASS_HOTREMOVABLE] == [6, 5, 1, 0]
    assert lists[CLASS_NORMAL] == [1, 0]
    assert lists[CLASS_DMA] == [0]
    assert lists[CLASS_HIGHMEM] == [1, 0]


def test_260_goes_node_by_node():
    """All zones of the local node first; kernel data never leaves node 0."""
    assert node_major(CLASS_HOTREMOVABLE, [0, 1], ZONES) == [1, 0, 6, 5]
    assert node_major(CLASS_HOTREMOVABLE, [1, 0], ZONES) == [6, 5, 1, 0]
    assert node_major(CLASS_NORMAL, [1, 0], ZONES) == [1, 0]


@pytest.mark.parametrize(
    ("present", "high", "marks"),
    [
        (4096, False, (4, 8, 12)),
        (126976, False, (151, 302, 453)),
        (83968, False, (99, 198, 297)),
        (45056, True, (44, 88, 132)),
        (262144, True, (128, 256, 384)),
        (1024, True, (32, 64, 96)),
    ],
)
def test_watermarks_are_those_of_the_announcement(present, high, marks):
    """256 pages over 215040 pages of low memory; high memory by its size."""
    view = MarkView(256, present, present, 215040, 215040, high)
    assert watermarks_260(view) == marks


@pytest.mark.parametrize(
    ("present", "batch"), [(4096, 1), (45056, 11), (83968, 16), (126976, 16), (9, 1)]
)
def test_per_cpu_lists_by_the_size_of_the_zone(present, batch):
    """hot 2 and 6 batches, cold 0 and 2."""
    view = PcpView(present, present, 0, 1)
    assert pcp_260(view) == (2 * batch, 6 * batch, 0, 2 * batch, batch)


def test_direct_reclaim_walks_a_node_or_the_zonelist():
    """2.6.0 stays in the first zone's node and goes down."""
    zonelist = [ZONES[3], ZONES[2], ZONES[1], ZONES[0]]

    assert reclaim_node(zonelist) == [6, 5]
    assert reclaim_node(zonelist[2:]) == [1, 0]
    assert reclaim_zonelist(zonelist) == [6, 5, 1, 0]


def test_oom_needs_no_swap_ten_failures_and_a_second():
    """Each condition alone prevents the kill."""
    kill = OomView(0, 10 * SECOND, 8 * SECOND, 10 * SECOND, 10, -1)

    assert oom_260(kill)
    assert not oom_260(kill._replace(swap_free=1))
    assert not oom_260(kill._replace(failures=9))
    assert not oom_260(kill._replace(first=10 * SECOND - 1))
    assert not oom_260(kill._replace(last=4 * SECOND))
    assert not oom_260(kill._replace(last_kill=6 * SECOND))
