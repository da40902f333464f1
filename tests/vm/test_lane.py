"""The short way: what it answers is what the long way answers, to the byte.

Two machines are asked the same; one of them is asked the short way first. Their
states must stay equal, and so must what was read.
"""

from __future__ import annotations

import os
import random

import pytest
from vmkit import MIB, PAGE, HostFile, assert_valid, pattern, read, small, write

SIZE = 2 * MIB + 100
KINDS = ("file", "shm")
GRANT = 32


class Side:
    """A machine with a file of each kind, and a descriptor of each."""

    def __init__(self, path, short):
        self.m = small(seed=5, paranoid=True)
        self.short = short
        self.taken = self.granted = 0
        self.owner = HostFile(path)
        self.files = {
            kind: self.m.files.create(kind, self.owner) for kind in ("file", "shm")
        }
        self.ra = {kind: self.m.read_ahead() for kind in self.files}

    def read(self, kind, off, n, client):
        file, ra = self.files[kind], self.ra[kind]
        if self.short:
            data = self.m.core.lane_read(file.id, off, n, ra.state, client)
            if data is not None:
                self.taken += 1
                return data
        data = file.read_now(off, n, ra, client)
        if data is None:
            data = self.m.sched.run(file.read(off, n, ra, client))
        return bytes(data)

    def write(self, kind, off, data, client):
        file = self.files[kind]
        if self.short and self._write_shortly(file, off, data, client):
            return
        done = file.write_now(off, data, 0, client)
        if done is None:
            done = self.m.sched.run(file.write(off, data, 0, client))
        assert done == len(data)

    def _write_shortly(self, file, off, data, client):
        """With a grant that is accounted for at once."""
        before = file.size, file.stat().nr_dirty
        file.grant(GRANT)
        taken = self.m.core.lane_write(file.id, off, data, client)
        file.grant(0)
        self.taken += taken
        self.granted += taken and before != (file.size, file.stat().nr_dirty)
        return taken

    def truncate(self, kind, size):
        """As a volume does: the host's file first."""
        file = self.files[kind]
        if kind == "file":
            self.m.sched.run(file.wait_writeback())
            os.truncate(self.owner.path, size)
        self.m.sched.run(file.truncate(size))


@pytest.fixture
def sides(tmp_path):
    sides = [Side(tmp_path / f"host{i}", bool(i)) for i in range(2)]
    yield sides
    for side in sides:
        assert_valid(side.m)
        side.m.close()


def both(sides, call):
    first, second = (call(side) for side in sides)
    assert first == second
    assert sides[0].m.state_hash() == sides[1].m.state_hash()
    return first


def some_range(rng):
    """Anywhere, often unaligned, now and then across the end."""
    off = rng.randrange(SIZE + PAGE)
    n = rng.choice([1, 100, PAGE, 3 * PAGE, 40000, 70000])
    return (off // PAGE * PAGE if rng.random() < 0.5 else off), n


class Exerciser:
    """One random request at a time to both sides, and to a shadow copy."""

    def __init__(self, sides, seed):
        self.sides = sides
        self.rng = random.Random(seed)
        self.shadow = {kind: bytearray(pattern(SIZE, seed)) for kind in KINDS}
        self.at = 0
        for kind, data in self.shadow.items():
            both(sides, lambda s, k=kind, d=bytes(data): write(s.m, s.files[k], 0, d))

    def step(self):
        kind = self.rng.choice(KINDS)
        call = self.rng.choices(
            [self.read_on, self.read, self.write, self.fsync, self.truncate],
            [30, 20, 40, 5, 5],
        )[0]
        call(kind, self.shadow[kind], self.rng.random() < 0.2)

    def read_on(self, kind, data, client):
        n = some_range(self.rng)[1]
        self._read(kind, data, self.at % max(len(data), 1), n, client)
        self.at += n

    def read(self, kind, data, client):
        self._read(kind, data, *some_range(self.rng), client)

    def _read(self, kind, data, off, n, client):
        seen = both(self.sides, lambda s: s.read(kind, off, n, client))
        assert seen == data[off : off + n]

    def write(self, kind, data, client):
        off, n = some_range(self.rng)
        if client:  # The real kernel has the pages before a process stores into them.
            start = off // PAGE * PAGE
            self._read(kind, data, start, off + n - start, True)
        new = self.rng.randbytes(n)
        data += bytes(max(0, off - len(data)))
        data[off : off + n] = new
        both(self.sides, lambda s: s.write(kind, off, new, client))

    def fsync(self, kind, data, client):
        both(self.sides, lambda s: s.m.sched.run(s.files[kind].fsync()))

    def truncate(self, kind, data, client):
        size = self.rng.randrange(SIZE)
        both(self.sides, lambda s: s.truncate(kind, size))
        del data[size:]
        data += bytes(size - len(data))


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_end_in_the_same_state(sides, seed):
    """Reads, writes, faults, write-back and truncation, in any order."""
    exerciser = Exerciser(sides, seed)
    for _ in range(400):
        exerciser.step()
    assert sides[1].taken > 50
    assert sides[1].granted > 10
    assert (sides[0].taken, sides[0].m.core.lane_ops()) == (0, 0)


@pytest.fixture
def side(tmp_path):
    side = Side(tmp_path / "host", True)
    write(side.m, side.files["file"], 0, pattern(SIZE))
    yield side
    assert_valid(side.m)
    side.m.close()


def refuses(side, kind="file", off=0, n=PAGE, client=False):
    """Neither short way is open, and asking changes nothing."""
    core, file = side.m.core, side.files[kind]
    before = side.m.state_hash(), core.lane_ops()
    state = side.m.read_ahead().state
    assert core.lane_read(file.id, off, n, state, client) is None
    assert core.lane_write(file.id, off, bytes(n), client) is False
    assert (side.m.state_hash(), core.lane_ops()) == before
    assert (state.prev, state.size, state.mark, state.asked) == (-1, 0, 0, 0)


def test_what_takes_a_page_or_a_device_goes_the_long_way(side):
    """A hole, a page that is not there, the end of the file, no bytes, no file."""
    refuses(side, "shm")
    refuses(side, off=SIZE)
    refuses(side, off=1 << 63)
    refuses(side, n=0)
    refuses(side, n=MIB + 1)
    side.m.sched.run(side.files["file"].truncate(0))
    side.m.sched.run(side.files["file"].truncate(SIZE))
    refuses(side)
    other = side.files["file"]
    side.files["file"] = type("Gone", (), {"id": 4096})
    refuses(side)
    side.files["file"] = other


def test_a_write_behind_the_end_goes_the_long_way(side):
    """Without a grant a file grows by the long way only; a read is cut."""
    core, file = side.m.core, side.files["file"]
    assert not core.lane_write(file.id, SIZE - 10, bytes(11))
    assert core.lane_write(file.id, SIZE - 10, bytes(10))
    state = side.m.read_ahead().state
    assert core.lane_read(file.id, SIZE - 10, PAGE, state) == bytes(10)


def test_a_clean_page_is_read_and_not_written(side):
    """To make it dirty there must be room on the host, and a descriptor."""
    core, file = side.m.core, side.files["file"]
    side.m.sched.run(file.fsync())
    assert not core.lane_write(file.id, 0, b"x")
    state = side.m.read_ahead().state
    assert core.lane_read(file.id, 0, 3, state) == read(side.m, file, 0, 3)


def test_what_is_granted_becomes_dirty_and_the_file_longer(side):
    core, file = side.m.core, side.files["file"]
    side.m.sched.run(file.fsync())
    write(side.m, file, 0, b"x")
    assert file.grant(4) == 4
    # A clean page, the last one and one behind it, more of that, and no other.
    assert core.lane_write(file.id, PAGE, b"y" * PAGE)
    assert core.lane_write(file.id, SIZE, b"z" * PAGE)
    assert (file.size, file.stat().nr_dirty) == (SIZE + PAGE, 4)
    assert core.lane_write(file.id, file.size, b"!" * (PAGE - 200))
    assert not core.lane_write(file.id, file.size, b"?" * (2 * PAGE))
    assert core.lane_write(file.id, 2 * PAGE, b"*")
    assert not core.lane_write(file.id, file.size, b"?")
    expected = b"z" * PAGE + b"!" * (PAGE - 200)
    assert read(side.m, file, SIZE) == expected
    assert read(side.m, file, PAGE, PAGE) == b"y" * PAGE
    assert_valid(side.m)
    side.m.sched.run(file.fsync())
    assert side.owner.path.read_bytes()[SIZE:] == expected


def test_not_every_write_is_granted(side):
    """What lies behind a hole, or comes out of the kernel's copy of the pages."""
    core, file = side.m.core, side.files["file"]
    assert file.grant(GRANT) == GRANT
    before = side.m.state_hash()
    assert not core.lane_write(file.id, SIZE + 1, b"x")
    assert not core.lane_write(file.id, SIZE, b"x", True)
    assert not core.lane_write(file.id, SIZE, bytes((GRANT + 2) * PAGE))
    assert side.m.state_hash() == before
    # Of shm/ nobody knows what became dirty: it is never written back.
    assert side.files["shm"].grant(GRANT) == 0


def test_a_grant_is_counted_as_what_was_written(side):
    """For who looks at the limits; what was not used is given back."""
    core, file, writeback = side.m.core, side.files["file"], side.m.writeback
    side.m.sched.run(writeback.balance_dirty_pages())
    assert file.grant(4) == 4
    assert core.lane_write(file.id, SIZE, bytes(PAGE))
    assert file.grant(4) == 1
    assert core.lane_write(file.id, SIZE + PAGE, bytes(PAGE))
    assert file.grant(0) == 0
    assert writeback._unbalanced == 2
    # No more than up to the next look at the limits, and none while they are exceeded.
    writeback.used(writeback._ratelimit - 5)
    assert (file.grant(4), file.grant(4), file.granted) == (3, 0, 3)
    writeback.used(3)
    assert (file.grant(4), file.granted) == (0, 0)


@pytest.mark.parametrize("end", ["fsync", "truncate", "drop"])
def test_a_grant_ends(side, end):
    """A clean file is on no list of those to be written; another size is elsewhere."""
    core, file = side.m.core, side.files["file"]
    assert file.grant(GRANT) == GRANT
    size = {"fsync": SIZE, "truncate": 10, "drop": 0}[end]
    side.m.sched.run(
        {
            "fsync": file.fsync,
            "truncate": lambda: file.truncate(10),
            "drop": file.drop,
        }[end]()
    )
    assert (file.granted, file.size) == (0, size)
    assert not core.lane_write(file.id, size, b"x")


def test_where_memory_is_short_nothing_is_granted(side):
    """Who takes a page there has others write or free some: kswapd is woken."""
    core, m, file = side.m.core, side.m, side.files["file"]
    hog = m.files.create("shm", side.owner)
    assert file.grant(GRANT) == GRANT
    assert core.lane_write(file.id, file.size, bytes(PAGE))
    while hog.write_now(hog.size, bytes(16 * PAGE)) is not None:
        pass
    before = m.state_hash()
    assert not core.lane_write(file.id, file.size, bytes(PAGE))
    assert m.state_hash() == before


def test_bytes_that_the_host_has_taken_back_are_asked_for(tmp_path):
    """With --host-memory a resident page need not have its bytes in memory."""
    m = small(host_memory=16 * PAGE)
    file = m.files.create("file", HostFile(tmp_path / "host"))
    write(m, file, 0, pattern(64 * PAGE))
    while m.trim_host():
        pass
    state = m.read_ahead().state
    missing = [
        page
        for page in range(64)
        if m.core.lane_read(file.id, page * PAGE, PAGE, state) is None
    ]
    assert len(missing) >= 48
    assert read(m, file) == pattern(64 * PAGE)
    m.close()


def test_read_ahead_asks_for_what_is_absent_the_long_way(tmp_path):
    """The page itself is there; the window that its access asks for is not."""
    m = small()
    owner = HostFile(tmp_path / "host", 64 * PAGE)
    file = m.files.create("file", owner, 64 * PAGE)
    read(m, file, 40 * PAGE, PAGE)
    state = m.read_ahead().state
    state.prev = 39
    assert m.core.lane_read(file.id, 40 * PAGE, PAGE, state) is None
    state.prev = 7
    assert m.core.lane_read(file.id, 40 * PAGE, PAGE, state) == bytes(PAGE)
    assert state.prev == 40
    m.close()


def test_a_fault_on_the_short_way_marks_its_page(side):
    """The real kernel keeps a copy: it has to be asked back."""
    core, file = side.m.core, side.files["file"]
    mapped = side.m.snapshot().total.client
    core.lane_read(file.id, 0, PAGE, side.m.read_ahead().state, True)
    assert side.m.snapshot().total.client == mapped + 1


def test_every_request_of_the_short_way_is_a_new_version(side):
    """What is shown of the machine is rendered anew."""
    before = side.m.version
    side.m.core.lane_read(side.files["file"].id, 0, 1, side.m.read_ahead().state)
    assert side.m.version == before + 1
