"""While a block goes offline (state G): what each command answers, and who waits.

A page of the block is pinned, so that its going lasts until the pin is released or
its writer gets a signal.
"""

from __future__ import annotations

import errno

import pytest
from vmkit import MIB, assert_valid

from memfs.vm import Layout, Machine, VmError
from memfs.vm.errors import Cancelled

NODE = 1
NUMBER = 124  # of node 1, in its zone 5 or 6
OTHER = 70
PAGE_SIZE = 4096


class Going:
    """A machine of which one block goes offline and cannot."""

    def __init__(self, m):
        self.m = m
        self.task = m.tasks.create("hog", 1)
        self.area = self.task.mmap_anon(400 * MIB)
        m.sched.run(self.task.touch(self.area, passes=1))
        self.block = m.blocks.get(NUMBER)
        self.pin = m.sched.run(m.pins.area(self.task, self.area, self._page(), 1, "t"))
        self.job = self.start(m.block_offline(NUMBER))

    def _page(self):
        """One of the task's pages in the block."""
        first = self.block.start_pfn
        for pfn in range(first, first + self.block.pages):
            info = self.m.core.page_info(pfn)
            if info.mm != 0xFFFFFFFF and info.mapcount:
                return info.vpn - self.task.areas[self.area].vpn
        raise AssertionError("no page of the task is there")

    def start(self, op):
        """A writer; what it asked for has had time."""
        job = self.m.sched.spawn(op, name="writer")
        self.pass_time()
        return job

    def pass_time(self, rounds=300):
        for _ in range(rounds):
            if not self.m.sched.round():
                due = self.m.sched.next_due()
                self.m.sched.advance(due if due is not None else self.m.now + 10**7)

    def signal(self, job):
        """A signal to a writer; it ends at once."""
        self.m.sched.cancel(job)
        while not job.done:
            self.m.sched.round()
        assert isinstance(job.error, Cancelled)

    def let_go(self):
        """The page can move now."""
        self.pin.release()
        self.pass_time()


@pytest.fixture
def going():
    """The announcement's machine; node 1 is enabled."""
    with Machine(Layout.builtin("2004")) as machine:
        scene = Going(machine)
        assert scene.block.state == "going-offline"
        assert not scene.job.done
        yield scene
        if not scene.job.done:
            scene.signal(scene.job)
        scene.pin.release()
        assert_valid(machine)


def test_the_state_itself(going):
    """The gate is open, the block isolated; what cannot move is all that is left."""
    m, block = going.m, going.block
    stat = m.core.block_stat(block.start_pfn, block.pages)

    assert m.nodes[NODE].enabled
    assert stat.user == 1
    assert stat.free == block.pages - 1
    assert m.blocks.get(OTHER).state == "online"
    # Its free pages are in the listing, and in no figure of what is free.
    sums = m.snapshot().nodes[NODE].sums
    assert sums.free == sums.buddy - stat.free


def answer(m, op):
    """The errno's name of what is refused in its first step, and changes nothing."""
    before = m.state_hash()
    with pytest.raises(VmError) as caught:
        next(op)
    assert m.state_hash() == before
    return caught.value.name


def test_plug_is_eexist(going):
    assert answer(going.m, going.m.plug(NODE)) == "EEXIST"
    assert going.block.state == "going-offline"


def test_unplug_is_ebusy(going):
    assert answer(going.m, going.m.unplug(NODE)) == "EBUSY"
    assert going.block.state == "going-offline"


def test_enable_changes_nothing(going):
    going.m.sched.run(going.m.enable_node(NODE))
    assert going.block.state == "going-offline"
    assert going.m.blocks.get(OTHER).state == "online"
    assert not going.job.done


def test_disable_closes_the_gate_and_the_offline_goes_on(going):
    """State D, in which unplug is refused; then the block is out, and the gate shut."""
    m = going.m
    m.sched.run(m.disable_node(NODE))
    assert not m.nodes[NODE].enabled
    assert m.blocks.get(OTHER).state == "going-offline"
    assert answer(m, m.unplug(NODE)) == "EBUSY"
    assert not going.job.done
    going.let_go()
    assert going.job.done
    assert going.job.error is None
    assert going.block.state == "offline"
    m.sched.run(m.enable_node(NODE))
    assert m.blocks.get(OTHER).state == "online"
    assert going.block.state == "offline"


def test_disable_and_a_signal(going):
    """The block is behind its gate, as the others."""
    going.m.sched.run(going.m.disable_node(NODE))
    going.signal(going.job)
    assert going.block.state == "going-offline"
    going.m.sched.run(going.m.enable_node(NODE))
    assert going.block.state == "online"


def test_its_end_is_a_smaller_node(going):
    """State E', in which the block can come back."""
    going.let_go()
    assert going.job.error is None
    assert going.block.state == "offline"
    assert going.m.nodes[NODE].enabled
    going.m.sched.run(going.m.block_online(NUMBER))
    assert going.block.state == "online"


@pytest.mark.parametrize("way", ["online", "online_kernel"])
def test_online_waits_and_is_einval_where_the_block_stayed(going, way):
    """After a signal to who wanted it out."""
    job = going.start(going.m.block_online(NUMBER, way))
    assert not job.done
    going.signal(going.job)
    going.pass_time()
    assert job.error.errno == errno.EINVAL
    assert going.block.state == "online"


@pytest.mark.parametrize("way", ["online", "online_kernel"])
def test_online_waits_and_brings_the_block_back(going, way):
    """Where it went."""
    job = going.start(going.m.block_online(NUMBER, way))
    assert not job.done
    going.let_go()
    assert going.job.error is None
    assert job.error is None
    assert going.block.state == "online"


def test_a_second_offline_waits(going):
    """Of the same block: it is out then, which is EINVAL; of another: out as well."""
    again = going.start(going.m.block_offline(NUMBER))
    other = going.start(going.m.block_offline(OTHER))
    assert not again.done
    assert not other.done
    assert going.m.blocks.get(OTHER).state == "online"
    going.let_go()
    assert again.error.errno == errno.EINVAL
    assert other.error is None
    assert going.m.blocks.get(OTHER).state == "offline"


def test_a_second_offline_takes_over(going):
    """The first writer got a signal, the second goes on with the same block."""
    again = going.start(going.m.block_offline(NUMBER))
    going.signal(going.job)
    going.pass_time()
    assert not again.done
    assert going.block.state == "going-offline"
    going.let_go()
    assert again.error is None
    assert going.block.state == "offline"


def test_a_signal_ends_who_waits(going):
    """And nobody else: those before and behind go on."""
    waiting = going.start(going.m.block_offline(OTHER))
    behind = going.start(going.m.block_offline(OTHER + 1))
    going.signal(waiting)
    assert not going.job.done
    assert not behind.done
    going.let_go()
    assert going.job.error is None
    assert behind.error is None
    assert going.m.blocks.get(OTHER).state == "online"
    assert going.m.blocks.get(OTHER + 1).state == "offline"


def test_probe_waits(going):
    """It is a change of blocks as any other."""
    size = going.m.layout.block_pages * PAGE_SIZE
    job = going.start(going.m.probe(128 * size))
    assert not job.done
    going.let_go()
    assert job.error is None
    assert going.m.blocks.get(128).state == "offline"
