"""Changes that wait for whoever lists names, and listings that wait for changes."""

import os

import pytest
import trio

from memfs.listings import MOMENT_S, PATIENCE_S, Listings, is_alive

LSMEM, OTHER, SHELL = 101, 102, 103


@pytest.fixture
def alive():
    """The threads that there are."""
    return {LSMEM, OTHER, SHELL}


@pytest.fixture
def listings(alive, autojump_clock):
    return Listings(trio, alive.__contains__)


async def listed(listings, fh, pid):
    """A directory is opened."""
    await listings.begin(pid)
    listings.begun(fh, pid)


async def change_at(listings, pid=SHELL, given_up=lambda: False):
    """When a change is carried out that is wanted now, s."""
    begin = trio.current_time()
    async with listings.change(pid, given_up):
        return trio.current_time() - begin


async def test_nobody_lists(listings):
    """Nothing to wait for."""
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


async def test_a_change_waits_for_a_listing(listings, alive):
    """Until its thread has ended, or a moment after the directory is closed."""
    await listed(listings, 1, LSMEM)
    await listed(listings, 2, OTHER)
    async with trio.open_nursery() as nursery:
        done = []

        async def change():
            done.append(await change_at(listings))

        nursery.start_soon(change)
        await trio.sleep(0.1)
        assert not done
        alive.discard(LSMEM)
        listings.end(1)
        await trio.sleep(0.01)
        assert not done
        listings.end(2)
        await trio.sleep(MOMENT_S + 0.01)
        assert done[0] == pytest.approx(0.11 + MOMENT_S, abs=0.01)


async def test_who_commands_does_not_wait_for_himself(listings):
    """His own directories may be open, or just closed."""
    await listed(listings, 1, SHELL)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)
    listings.end(1)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


async def test_patience_ends(listings):
    """A directory that stays open keeps nobody for long."""
    await listed(listings, 1, LSMEM)
    assert await change_at(listings) == pytest.approx(PATIENCE_S, abs=0.01)


async def test_a_change_that_is_given_up_waits_no_longer(listings):
    """A signal to its caller."""
    await listed(listings, 1, LSMEM)
    end = trio.current_time() + 0.05
    waited = await change_at(listings, given_up=lambda: trio.current_time() > end)
    assert waited == pytest.approx(0.05, abs=0.01)


async def test_a_listing_waits_for_a_change(listings):
    """And begins when it is done; at the latest when its patience ends."""
    seen = []

    async def look(fh):
        await listed(listings, fh, OTHER)
        seen.append(trio.current_time() - begin)

    begin = trio.current_time()
    async with trio.open_nursery() as nursery:
        async with listings.change(SHELL, lambda: False):
            nursery.start_soon(look, 1)
            await trio.sleep(0.1)
            assert seen == []
        await trio.sleep(0.01)
        assert seen == [pytest.approx(0.1, abs=0.01)]
        listings.end(1)
        await trio.sleep(1)
        begin = trio.current_time()
        async with listings.change(SHELL, lambda: False):
            nursery.start_soon(look, 2)
            await trio.sleep(1)
            assert seen[1] == pytest.approx(PATIENCE_S, abs=0.01)


async def test_who_lists_goes_on(listings):
    """Its next directory does not wait for the change that waits for it."""
    await listed(listings, 1, LSMEM)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(change_at, listings)
        await trio.sleep(0.01)
        begin = trio.current_time()
        await listed(listings, 2, LSMEM)
        listings.end(1)
        listings.end(2)
        await listed(listings, 3, LSMEM)
        assert trio.current_time() - begin < 0.01
        listings.end(3)


async def test_a_handle_that_was_no_listing(listings):
    """Directories of volumes are closed, too."""
    listings.end(7)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


def test_threads_that_there_are():
    """As far as can be seen: none has the number 0."""
    assert is_alive(os.getpid())
    assert not is_alive(0)
    assert not is_alive(2**22 + 1)
