"""What a volume allows to be answered without it, and what it finds afterwards.

The shim's side is played by the test: it writes into the file's record what the shim
would. tests/vm/test_lane.py has the pages, tests/test_mount_lane.py the kernel.
"""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest
from fakes_pagefile import FakeCache, FakePump
from volumedriver import Driver

from memfs.files.hostfs import HostDirectory, HostStore
from memfs.files.paged import PagedVolume
from memfs.files.shmfs import ShmStore

DAY_NS = 24 * 3600 * 10**9


class Records:
    """Makes records of the fields that memfs.lanes.Lanes gives."""

    def file(self):
        return SimpleNamespace(
            quiet_until=0, read_ns=0, wrote_ns=0, mapping=0, allowed=0
        )

    def descriptor(self, file, reads, writes):
        return SimpleNamespace(file=file, ra=object(), reads=reads, writes=writes)


@pytest.fixture(params=["files", "shm"])
def vol(request, tmp_path):
    store = ShmStore(1000, 1000)
    if request.param == "files":
        (tmp_path / "host").mkdir()
        store = HostStore(HostDirectory(tmp_path / "host"))
    vol = Driver(PagedVolume(store, FakeCache(), FakePump(), Records()))
    vol.host = tmp_path / "host" / "a" if request.param == "files" else None
    yield vol
    vol.run(vol.volume.shutdown())


@pytest.fixture
def opened(vol):
    """A file of one page, open for both; its handle and its record."""
    fh = vol.create("a", os.O_RDWR)
    vol.write(fh, 0, bytes(4096))
    yield fh, vol.volume.lane(fh).file
    if fh in vol.volume.handles._open:
        vol.close(fh)


def test_a_file_is_let_go_by_its_first_read_or_write(vol, opened):
    """And by any later one: that is when all there is to check has been checked."""
    fh, record = opened
    assert record.allowed
    record.allowed = 0
    vol.read(fh, 0, 10)
    assert record.allowed


def test_a_read_is_quiet_until_a_day_after_the_access_time(vol, opened):
    """relatime: then it is renewed; and at once when something was written."""
    fh, record = opened
    assert record.quiet_until == 0
    vol.read(fh, 0, 10)
    record.allowed = 0
    vol.read(fh, 0, 10)
    assert record.quiet_until == vol.attr("a").atime_ns + DAY_NS
    vol.write(fh, 0, b"x")
    assert record.quiet_until == 0


def test_times_of_the_short_way_are_the_files(vol, opened):
    _, record = opened
    record.read_ns, record.wrote_ns = 2_000_000_000_000_000_001, 2 * 10**18
    attr = vol.attr("a")
    assert (attr.atime_ns, attr.mtime_ns, attr.ctime_ns) == (
        *(2_000_000_000_000_000_001, 2 * 10**18, 2 * 10**18),
    )
    assert (record.read_ns, record.wrote_ns) == (0, 0)


def test_times_that_somebody_sets_are_not_undone(vol, opened):
    """The write was before utimensat(2), whenever it is found."""
    _, record = opened
    record.wrote_ns = time.time_ns()
    vol.set("a", atime_ns=1, mtime_ns=2)
    attr = vol.attr("a")
    assert (attr.atime_ns, attr.mtime_ns) == (1, 2)


def test_a_write_after_the_short_way_is_newer(vol, opened):
    fh, record = opened
    record.wrote_ns = 10**18
    vol.write(fh, 0, b"x")
    assert vol.attr("a").mtime_ns > 10**18


def test_the_host_gets_the_times_of_the_short_way(vol, opened):
    fh, record = opened
    record.wrote_ns, record.read_ns = 10**18, 10**18 + 5
    vol.fsync(fh)
    vol.close(fh)
    if vol.host is not None:
        st = vol.host.stat()
        assert (st.st_mtime_ns, st.st_atime_ns) == (10**18, 10**18 + 5)


def test_new_attributes_end_the_short_way(vol, opened):
    """The next read looks at them."""
    fh, record = opened
    for change in ({"mode": 0o600}, {"uid": 0}, {"mtime_ns": 5}):
        vol.read(fh, 0, 1)
        assert record.allowed
        vol.set("a", **change)
        assert not record.allowed
    vol.read(fh, 0, 1)
    vol.link("a", "b")
    assert not record.allowed


def test_set_id_bits_keep_a_file_on_the_long_way(vol, opened):
    """A write takes them away."""
    fh, record = opened
    vol.set("a", mode=0o4755)
    vol.read(fh, 0, 1)
    assert not record.allowed


def test_an_access_time_of_the_future_keeps_a_file_on_the_long_way(vol, opened):
    """relatime leaves it alone."""
    fh, record = opened
    vol.set("a", atime_ns=time.time_ns() + DAY_NS)
    vol.read(fh, 0, 1)
    assert not record.allowed


def test_what_a_handle_was_opened_for(vol, opened):
    seen = []
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
        fh = vol.open("a", flags)
        lane = vol.volume.lane(fh)
        seen.append((lane.reads, lane.writes))
        vol.close(fh)
    assert seen == [(True, False), (False, True), (True, True)]


def test_o_direct_has_no_short_way_where_it_bypasses(vol, opened):
    fh = vol.open("a", os.O_RDWR | os.O_DIRECT)
    assert (vol.volume.lane(fh) is None) == vol.volume.store.bypasses
    vol.close(fh)


def test_the_last_close_ends_it(vol, opened):
    fh, record = opened
    record.wrote_ns = 10**18
    vol.close(fh)
    assert not record.allowed
    assert vol.attr("a").mtime_ns == 10**18
    again = vol.open("a", os.O_RDWR)
    assert vol.volume.lane(again).file is not record
    vol.close(again)
