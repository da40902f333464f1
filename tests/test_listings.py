"""Changes that wait for whoever lists names, and listings that wait for changes."""

from contextlib import asynccontextmanager

import pytest
import trio

from memfs.doing import Doing
from memfs.listings import (
    BEGIN_S,
    FORGET_S,
    LOOK_S,
    LOOKS,
    MOMENT_S,
    OPEN_S,
    PATIENCE_S,
    TIMES,
    Listings,
)

LSMEM, OTHER, SHELL = 101, 102, 103
ASLEEP = Doing(False, 1.0, 5)


@pytest.fixture
def alive():
    """What the threads are doing that there are."""
    return dict.fromkeys((LSMEM, OTHER, SHELL), ASLEEP)


@pytest.fixture
def listings(alive):
    return Listings(trio, alive.get)


async def listed(listings, fh, pid, ino=None):
    """A directory is opened; each is another if nothing is said."""
    ino = 1000 + fh if ino is None else ino
    await listings.begin(pid, ino)
    listings.begun(fh, pid, ino)


async def change_at(listings, pid=SHELL, given_up=lambda: False):
    """When a change is carried out that is wanted now, s."""
    begin = trio.current_time()
    async with listings.change(pid, given_up):
        return trio.current_time() - begin


@asynccontextmanager
async def changing(listings):
    """A change that is wanted now: a list, and in it when it is carried out, s."""
    done = []

    async def change():
        done.append(await change_at(listings))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        yield done


async def test_nobody_lists(listings, autojump_clock):
    """Nothing to wait for."""
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


async def test_a_change_waits_for_a_listing(listings, alive, autojump_clock):
    """Until its thread has ended, or a moment after the directory is closed."""
    await listed(listings, 1, LSMEM)
    await listed(listings, 2, OTHER)
    async with changing(listings) as done:
        await trio.sleep(0.1)
        assert not done
        del alive[LSMEM]
        listings.end(1)
        await trio.sleep(0.01)
        assert not done
        listings.end(2)
        await trio.sleep(MOMENT_S + 0.01)
        assert done[0] == pytest.approx(0.11 + MOMENT_S, abs=0.01)


async def test_who_commands_does_not_wait_for_himself(listings, autojump_clock):
    """His own directories may be open, or just closed."""
    await listed(listings, 1, SHELL)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)
    listings.end(1)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


async def test_patience_ends(listings, autojump_clock):
    """A directory that stays open keeps nobody for long."""
    await listed(listings, 1, LSMEM)
    assert await change_at(listings) == pytest.approx(OPEN_S, abs=0.01)
    # Though it is still open.
    assert await change_at(listings) == pytest.approx(0, abs=0.001)


async def test_who_waits_for_a_cpu_is_waited_for(listings, alive, autojump_clock):
    """However long that takes, within reason: it would go on if it could."""
    alive[LSMEM] = Doing(True, 1.0, 5)
    await listed(listings, 1, LSMEM)
    listings.end(1)
    async with changing(listings) as done:
        await trio.sleep(2)
        assert not done
        alive[LSMEM] = ASLEEP
        await trio.sleep(MOMENT_S + 0.01)
        assert done == [pytest.approx(2 + MOMENT_S, abs=0.01)]
    alive[LSMEM] = Doing(True, 1.0, 5)
    await listed(listings, 2, LSMEM)
    assert await change_at(listings) == pytest.approx(FORGET_S, abs=0.01)


async def test_patience_with_many_ends(listings, alive, autojump_clock):
    """One after another, who had begun before each other's end: not for ever."""
    alive[LSMEM] = Doing(True, 1.0, 5)
    await listed(listings, 1, LSMEM)

    async def on_and_on():
        for fh in range(2, 100):
            await listed(listings, fh, LSMEM)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_and_on)
        assert await change_at(listings) == pytest.approx(PATIENCE_S, abs=0.01)


async def test_who_runs_has_a_moment_of_the_cpu(listings, alive, autojump_clock):
    """A program that once looked and is busy with other things keeps nobody."""
    alive[LSMEM] = Doing(True, 1.0, 5)
    await listed(listings, 1, LSMEM)
    listings.end(1)
    async with changing(listings) as done:
        await trio.sleep(1)
        assert not done
        alive[LSMEM] = Doing(True, 1.0 + MOMENT_S, 6)
        await trio.sleep(0.01)
        assert done


async def test_who_is_answered_between_two_looks(listings, alive, autojump_clock):
    """It sleeps at each of them: it waits for this daemon, again and again."""
    await listed(listings, 1, LSMEM)
    listings.end(1)
    async with changing(listings) as done:
        for turn in range(100):
            alive[LSMEM] = Doing(False, 1.0, turn)
            await trio.sleep(0.01)
        assert not done
        await trio.sleep(MOMENT_S)
        assert done


async def test_sleep_is_seen_more_than_once(listings, alive, autojump_clock):
    """Who was just answered has not run yet when it is looked at."""
    await listed(listings, 1, LSMEM)
    listings.end(1)
    await trio.sleep(1)
    assert (LOOKS - 1) * LOOK_S <= await change_at(listings) < MOMENT_S


async def test_who_lists_again_has_begun_anew(listings, autojump_clock):
    """A loop over the nodes keeps no command waiting; a thread's next round counts."""
    for fh in range(TIMES):
        await listed(listings, fh, LSMEM, ino=7)
        listings.end(fh)
    async with changing(listings) as done:
        await trio.sleep(0.01)
        await listed(listings, 13, LSMEM, ino=7)
        assert done
        listings.end(13)
    # Another round, in which the directories come in another order.
    await trio.sleep(1)
    await listed(listings, 4, LSMEM, ino=8)
    listings.end(4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(change_at, listings)
        await trio.sleep(0.01)
        begin = trio.current_time()
        await listed(listings, 5, LSMEM, ino=7)
        assert trio.current_time() - begin < 0.001
        listings.end(5)


async def test_who_waited_is_waited_for(listings, autojump_clock):
    """The next change comes at once, and not between his waiting and his list."""
    async with trio.open_nursery() as nursery:

        async def look():
            await listed(listings, 1, OTHER)
            listings.end(1)

        async with listings.change(SHELL, lambda: False):
            nursery.start_soon(look)
            await trio.sleep(0.1)
        assert await change_at(listings) == pytest.approx(MOMENT_S, abs=0.01)


async def test_who_has_gone_is_not_kept(listings, autojump_clock):
    """Nobody looks while nothing changes."""
    for pid in range(200, 1200):
        await listed(listings, pid, pid)
        listings.end(pid)
        await trio.sleep(0.1)
    assert len(listings._listers) < 2 * FORGET_S / 0.1


async def test_a_change_that_is_given_up_waits_no_longer(listings, autojump_clock):
    """A signal to its caller."""
    await listed(listings, 1, LSMEM)
    end = trio.current_time() + 0.05
    waited = await change_at(listings, given_up=lambda: trio.current_time() > end)
    assert waited == pytest.approx(0.05, abs=0.01)


async def test_a_listing_waits_for_a_change(listings, autojump_clock):
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
            await trio.sleep(BEGIN_S + 1)
            assert seen[1] == pytest.approx(BEGIN_S, abs=0.01)


async def test_who_lists_goes_on(listings, autojump_clock):
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


async def test_a_handle_that_was_no_listing(listings, autojump_clock):
    """Directories of volumes are closed, too."""
    listings.end(7)
    assert await change_at(listings) == pytest.approx(0, abs=0.001)
