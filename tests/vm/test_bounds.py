"""Where one thing becomes another: the last value of one side, the first of the other.

Each of these numbers is a line of the kernel's; one more or one less would go unseen
for long, as a machine that is a little slower.
"""

from __future__ import annotations

import pytest
from vmkit import refused, small, write

from memfs.vm import _ffi, oom, reclaim, writeback
from memfs.vm.alloc import MAX_FAILURES, SlowPath, swap_in
from memfs.vm.reclaim import SWAP_CLUSTER_MAX, balance_zone, refill_count, takes_mapped
from memfs.vm.sched import HZ_NS
from memfs.vm.zones import CLASS_HIGHMEM, CLASS_NORMAL, drain, top_type


@pytest.fixture
def m(little):
    """A small machine that nothing runs on."""
    return little


# Allocation


@pytest.mark.parametrize(
    ("verdict", "failures", "waited", "over"),
    [
        (oom.Verdict.SWAP_FREE, MAX_FAILURES, HZ_NS, True),
        (oom.Verdict.SWAP_FREE, MAX_FAILURES - 1, HZ_NS, False),
        (oom.Verdict.SWAP_FREE, MAX_FAILURES, HZ_NS - 1, False),
        (oom.Verdict.WAIT, MAX_FAILURES, HZ_NS, False),
    ],
)
def test_ten_failures_in_a_second_are_hopeless(m, verdict, failures, waited, over):
    """Both the tenth failure and the whole second, and only while swap is free."""
    slow = SlowPath(m)
    slow.failures, slow.since = failures, m.now - waited

    assert slow.hopeless(verdict) is over


@pytest.mark.parametrize("slot", [8, 13, 15])
def test_swap_is_read_by_whole_clusters(m, monkeypatch, slot):
    """The slot first, then the rest of the eight that it lies in."""
    seen = []

    def submit(number):
        seen.append(number)
        return _ffi.DONE

    monkeypatch.setattr(m.core, "swap_submit_read", submit)
    monkeypatch.setattr(m.core, "swap_read_ahead", submit)
    m.sched.run(swap_in(m, slot, SlowPath(m)))

    assert seen == [slot, *(n for n in range(8, 16) if n != slot)]


# Reclaim


@pytest.mark.parametrize(
    ("before", "looked_at", "after"),
    [
        (SWAP_CLUSTER_MAX - 1, 0, SWAP_CLUSTER_MAX),
        (SWAP_CLUSTER_MAX, SWAP_CLUSTER_MAX + 1, 0),
        (4 * SWAP_CLUSTER_MAX - 1, 4 * SWAP_CLUSTER_MAX, 0),
        (4 * SWAP_CLUSTER_MAX, 4 * SWAP_CLUSTER_MAX, 1),
    ],
)
def test_the_active_list_is_looked_at_by_clusters(m, before, looked_at, after):
    """When more than 32 pages have come together, 128 of them at most."""
    zone = m.zones[5]
    zone.refill_counter = before

    assert refill_count(m, zone, SWAP_CLUSTER_MAX) == looked_at
    assert zone.refill_counter == after


@pytest.mark.parametrize(("swappiness", "taken"), [(99, False), (100, True)])
def test_mapped_pages_are_taken_from_a_tendency_of_100_on(m, swappiness, taken):
    """With nothing mapped and no distress it is swappiness alone."""
    m.tunables.swappiness = swappiness

    assert takes_mapped(m, m.zones[5]) is taken


@pytest.mark.parametrize(("more", "given_up"), [(0, False), (1, True)])
def test_a_zone_scanned_twice_over_is_given_up(m, monkeypatch, more, given_up):
    """More than two times its pages, with nothing to show for it."""
    zone = m.zones[5]
    # One page to reclaim, and nothing free.
    stat = zone.stat()
    item = [0] * len(stat.item)
    item[_ffi.ZoneItem.NR_INACTIVE] = 1
    stat = stat._replace(item=tuple(item), pages_scanned=2 * zone.present + more)
    said = []
    with monkeypatch.context() as patch:
        patch.setattr(zone, "stat", lambda: stat)
        patch.setattr(reclaim, "shrink_zone", lambda *args: iter(()))
        patch.setattr(m.core, "zone_unreclaimable", lambda *args: said.append(args))
        m.sched.run(balance_zone(m, zone, reclaim.Scan(kswapd=True), 6))

    assert said == [(5, True)] * given_up


def test_a_run_of_kswapd_looks_twelve_times(m, monkeypatch):
    """Priorities 12 to 1, each over every zone of the node, while one is not right."""
    seen = []

    def never(m, zone, scan, priority):
        seen.append((priority, zone.zid))
        return False
        yield

    with monkeypatch.context() as patch:
        patch.setattr(reclaim, "balance_zone", never)
        m.sched.run(reclaim.balance_pgdat(m, m.nodes[1], reclaim.Scan(kswapd=True)))

    assert seen == [(priority, zid) for priority in range(12, 0, -1) for zid in (5, 6)]


# Write-back


@pytest.mark.parametrize(
    ("pages", "limit"), [(15, 16), (16, 16), (17, 17), (1024, 1024), (1025, 1024)]
)
def test_writers_look_at_the_limits_every_16_to_1024_pages(
    m, monkeypatch, pages, limit
):
    """A 32nd of a CPU's share of the memory between them."""
    monkeypatch.setattr(writeback, "total_memory", lambda m: pages * 32 * 2)
    m.writeback.recompute()
    m.writeback._unbalanced = limit - 1
    assert not m.writeback.must_balance()
    m.writeback._unbalanced = limit
    assert m.writeback.must_balance()


def test_writers_over_the_limit_look_every_8_pages(m):
    """Until there is less than the limit again."""
    m.writeback._exceeded = True
    m.writeback._unbalanced = 7
    assert not m.writeback.must_balance()
    m.writeback._unbalanced = 8
    assert m.writeback.must_balance()


@pytest.mark.parametrize(("background", "comes_to"), [(9, 9), (10, 5), (11, 5)])
def test_the_background_limit_lies_below_the_other(m, background, comes_to):
    """Set to the same or more it is half of it."""
    m.tunables.dirty_bytes = 10 * 4096
    m.tunables.dirty_background_bytes = background * 4096
    state = m.writeback.state()

    assert (state.background_limit, state.dirty_limit) == (comes_to, 10)


def test_what_became_dirty_at_that_time_is_old_enough(m, host_file):
    """A file that is one nanosecond younger is left."""
    file = m.files.create("file", host_file())
    write(m, file, 0, b"x")
    since = m.writeback.dirty[file.id]

    assert m.sched.run(m.writeback.write_some(8, since - 1)) == 0
    assert m.sched.run(m.writeback.write_some(8, since)) == 1
    m.sched.run(file.fsync())


# Nodes and zones


def test_the_tables_of_a_small_node_take_a_page(m):
    """A page of the kernel for each 128 MiB begun; it comes back."""
    used = sum(zone.in_use for zone in m.nodes[0].zones)
    m.sched.run(m.plug(2))
    assert len(m.nodes[2].tables) == 1
    assert sum(zone.in_use for zone in m.nodes[0].zones) == used + 1

    m.sched.run(m.unplug(2))
    drain(m, m.nodes[0].zones)
    assert sum(zone.in_use for zone in m.nodes[0].zones) == used


@pytest.mark.parametrize("kernel", ["2.6.7", "6.1"])
def test_a_request_for_high_memory_may_always_have_the_kernels(kernel):
    """Also where there is no such zone."""
    with small(kernel=kernel) as m:
        assert top_type(m, CLASS_HIGHMEM) >= top_type(m, CLASS_NORMAL)


def test_a_node_whose_kswapd_runs_can_go(m):
    """It is stopped; for reclaim of somebody else's the answer is EBUSY."""
    node = m.nodes[1]
    m.sched.run(m.disable_node(1))
    node.balancing, node.balancer = True, object()
    assert refused(m, m.unplug(1)) == "EBUSY"

    node.balancer = node.kswapd
    m.sched.run(m.unplug(1))
    assert not node.plugged
    node.balancing, node.balancer = False, None
