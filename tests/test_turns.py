"""How long whoever reads requests goes on before others have their turn."""

from types import SimpleNamespace

import pytest
import trio

from memfs import turns
from memfs.turns import LONG_TURN_NS, TURN_NS, Turns


@pytest.fixture
def scene(monkeypatch):
    """A clock that is set by hand; a request is always there; rounds are counted."""
    scene = SimpleNamespace(now=0, rounds=0, kept=[])

    async def wait_readable(fd):
        scene.rounds += 1

    lowlevel = SimpleNamespace(
        ParkingLot=trio.lowlevel.ParkingLot, wait_readable=wait_readable
    )
    clock = SimpleNamespace(monotonic_ns=lambda: scene.now)
    monkeypatch.setattr(turns, "time", clock)
    shim = SimpleNamespace(readable=lambda spin_ns: 1, keep_turn=scene.kept.append)
    scene.turns = Turns(SimpleNamespace(lowlevel=lowlevel), shim)
    return scene


async def rounds_at(scene, *times):
    """How often the event loop was asked by the requests of these times, ns."""
    scene.rounds = 0
    for scene.now in times:
        await scene.turns.wait_readable(5)
    return scene.rounds


async def test_a_turn_is_short_while_the_model_works(scene):
    assert await rounds_at(scene, 0, TURN_NS - 1) == 1
    assert await rounds_at(scene, TURN_NS) == 1


async def test_a_turn_is_long_while_the_model_rests(scene):
    scene.turns.resting = lambda: True
    assert await rounds_at(scene, 0, TURN_NS, LONG_TURN_NS - 1) == 1
    assert await rounds_at(scene, LONG_TURN_NS) == 1


async def test_a_long_turn_ends_when_the_model_is_woken(scene):
    scene.turns.resting = lambda: True
    await rounds_at(scene, 0, TURN_NS)
    scene.turns.resting = lambda: False
    assert await rounds_at(scene, TURN_NS + 1) == 1


async def test_the_shim_keeps_the_turn_as_long_while_the_model_rests(scene):
    """For the requests that it answers by itself."""
    await rounds_at(scene, 0)
    scene.turns.resting = lambda: True
    await rounds_at(scene, 1, TURN_NS)
    assert scene.kept == [0, LONG_TURN_NS, LONG_TURN_NS]
