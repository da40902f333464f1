"""Many requests at once on a volume over the real model, some of them interrupted.

What each of them sees is random; afterwards everything must add up: nothing open,
nothing kept, no invariant broken, and the host has what the volume shows.
"""

import os
import random

import pytest
import trio
from volumedriver import ME

from memfs.background import Pump
from memfs.files.hostfs import HostDirectory
from memfs.files.volumes import files_volume, memory_volume
from memfs.tree import REQUEST, Interrupt, TreeError
from memfs.vm import Layout, Machine, VmError

NAMES = [b"a", b"b", b"c", b"d"]
MOST = 2_000_000


@pytest.fixture
def machine():
    """A small one, so that there is never enough memory."""
    small = Layout.parse('kernel = "2.6.7"\n[[node]]\nsize = "16M"\n', "small")
    machine = Machine(small, paranoid=True)
    yield machine
    machine.close()


class Client:
    """Does random things; holds at most a few handles."""

    def __init__(self, volume, seed):
        self.volume = volume
        self.rng = random.Random(seed)
        self.handles = []
        self.errors = []

    async def life(self, nursery, steps):
        self.nursery = nursery
        kinds = (
            self.open,
            self.read,
            self.read,
            self.write,
            self.write,
            self.write,
            self.fsync,
            self.release,
            self.unlink,
            self.rename,
            self.truncate,
            self.link,
            self.stat,
        )
        for _ in range(steps):
            try:
                await self._maybe_interrupted(self.rng.choice(kinds))
            except (TreeError, VmError, OSError) as error:
                self.errors.append(error.errno)
            await trio.lowlevel.checkpoint()
        while self.handles:
            await self.volume.release(self.handles.pop())

    async def _maybe_interrupted(self, call):
        interrupt = Interrupt()
        REQUEST.set(interrupt)
        if self.rng.random() < 0.1:
            self.nursery.start_soon(self._interrupt, interrupt)
        await call()

    async def _interrupt(self, interrupt):
        for _ in range(self.rng.randrange(5)):
            await trio.lowlevel.checkpoint()
        interrupt.set()

    async def open(self):
        flags = os.O_RDWR | self.rng.choice((0, 0, os.O_TRUNC))
        name = self.rng.choice(NAMES)
        ino, _, fh = await self.volume.create(1, name, 0o644, flags, ME)
        self.handles.append(fh)
        self.volume.forget(ino, 1)

    async def _some(self):
        if not self.handles:
            await self.open()
        return self.rng.choice(self.handles)

    async def read(self):
        await self.volume.read(
            await self._some(), self.rng.randrange(MOST), self.rng.randrange(500_000)
        )

    async def write(self):
        data = bytes([self.rng.randrange(256)]) * self.rng.randrange(1, 400_000)
        await self.volume.write(await self._some(), self.rng.randrange(MOST), data)

    async def fsync(self):
        await self.volume.fsync(await self._some(), False)

    async def release(self):
        if self.handles:
            fh = self.handles.pop(self.rng.randrange(len(self.handles)))
            await self.volume.flush(fh)
            await self.volume.release(fh)

    async def unlink(self):
        await self.volume.unlink(1, self.rng.choice(NAMES))

    async def rename(self):
        await self.volume.rename(1, *self._two(1), self.rng.choice((0, 0, 1, 2)))

    async def link(self):
        old, _, new = self._two(1)
        ino, _ = await self.volume.lookup(1, old)
        self.volume.forget(ino, 1)
        await self.volume.link(ino, 1, new)
        self.volume.forget(ino, 1)

    def _two(self, parent):
        return self.rng.choice(NAMES), parent, self.rng.choice(NAMES)

    async def truncate(self):
        ino, _ = await self.volume.lookup(1, self.rng.choice(NAMES))
        self.volume.forget(ino, 1)
        await self.volume.setattr(ino, size=self.rng.randrange(MOST))

    async def stat(self):
        ino, attr = await self.volume.lookup(1, self.rng.choice(NAMES))
        self.volume.forget(ino, 1)
        assert attr.nlink >= 1


async def live(machine, volume, pump, seed):
    clients = [Client(volume, seed * 100 + i) for i in range(6)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.serve)
        async with trio.open_nursery() as lives:
            for client in clients:
                lives.start_soon(client.life, nursery, 150)
        REQUEST.set(None)
        left = {}
        for entry in await volume.readdir(1, 0):
            if not entry.name.startswith(b"."):
                fh = await volume.open(entry.ino, os.O_RDONLY, ME)
                left[entry.name] = bytes(await volume.read(fh, 0, 10 * MOST))
                await volume.release(fh)
        await pump.run(machine.sync(), "sync")
        assert await volume.sync() == []
        nursery.cancel_scope.cancel()
    return left


@pytest.mark.parametrize("seed", range(4))
async def test_files(machine, tmp_path, seed):
    pump = Pump(machine.sched, manual=True)
    volume = files_volume(machine, pump, HostDirectory(tmp_path))
    left = await live(machine, volume, pump, seed)

    assert {os.fsencode(p.name): p.read_bytes() for p in tmp_path.iterdir()} == left
    machine.files.settle(1000)
    assert not volume.store._files.open
    assert len(volume.handles) == 0
    assert len(machine.files.all()) <= len(left)
    assert machine.sched.run(machine.validate()) == []
    assert await volume.shutdown() == []


@pytest.mark.parametrize("seed", range(4))
async def test_shm(machine, seed):
    pump = Pump(machine.sched, manual=True)
    volume = memory_volume(machine, pump, size=str(6 << 20))
    left = await live(machine, volume, pump, seed)

    assert len(volume.handles) == 0
    assert len(machine.files.all()) <= len(left)
    assert machine.sched.run(machine.validate()) == []
    inodes = {e.ino: e.attr for e in await volume.readdir(1, 0)}
    used = sum(attr.blocks for attr in inodes.values()) // 8
    assert volume.store.used_pages == used
    assert volume.store.used_inodes == len(inodes)
