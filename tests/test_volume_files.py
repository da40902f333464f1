"""files/ over a host directory: what is where on the host, and when.

On page files made of bytes; ``cache.clean()`` is the model's write-back.
"""

import errno
import os
import stat
import subprocess
import sys

import pytest
from fakes_pagefile import FakeCache, FakePump
from test_volume_common import ModelPump, refuses
from volumedriver import Driver

from memfs.files.cache import MachineCache
from memfs.files.hostfs import HostDirectory, HostStore, syscalls
from memfs.files.paged import PagedVolume
from memfs.files.paged.data import _one_at_a_time
from memfs.tree import TreeError
from memfs.vm import Layout, Machine

root_only = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


class Host:
    """A volume, its cache, and the directory behind it."""

    def __init__(self, path, max_fds=None):
        self.path = path
        self.cache = FakeCache()
        self.store = HostStore(HostDirectory(path), max_fds)
        self.volume = PagedVolume(self.store, self.cache, FakePump())
        self.vol = Driver(self.volume)

    def close(self):
        return self.vol.run(self.volume.shutdown())

    @property
    def fds(self):
        return len(self.store._files.open)


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path)
    yield host
    host.close()


@pytest.fixture
def vol(host):
    return host.vol


# What goes to the host when


def test_names_go_at_once_and_data_at_write_back(host, vol, tmp_path):
    vol.put("f", b"abc", mode=0o604)
    vol.mkdir("d", mode=0o705)
    vol.symlink(b"f", "l")
    vol.link("f", "d/g")

    assert (tmp_path / "f").read_bytes() == b""
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o604
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o705
    assert os.readlink(tmp_path / "l") == "f"
    assert (tmp_path / "d/g").samefile(tmp_path / "f")
    host.cache.clean()
    assert (tmp_path / "f").read_bytes() == b"abc"


def test_what_was_there_before_is_seen(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"abc" * 5000)
    os.link(tmp_path / "d" / "f", tmp_path / "g")
    os.mkfifo(tmp_path / "p")
    host = Host(tmp_path)
    vol = host.vol

    assert sorted(vol.listing()) == [b".", b"..", b"d", b"g", b"p"]
    assert vol.get("d/f") == b"abc" * 5000
    assert vol.ino("g") == vol.ino("d/f") == (tmp_path / "g").stat().st_ino
    assert vol.attr("g").nlink == 2
    assert stat.S_ISFIFO(vol.attr("p").mode)
    host.close()


def test_truncation_goes_at_once(host, vol, tmp_path):
    vol.put("f", b"abc" * 5000)
    host.cache.clean()
    vol.set("f", size=100)

    assert (tmp_path / "f").stat().st_size == 100
    vol.set("f", size=100_000)
    assert (tmp_path / "f").stat().st_size == 100_000


def test_dirty_pages_above_a_truncation_never_come_back(host, vol, tmp_path):
    vol.put("f", b"a" * 10_000)
    vol.set("f", size=0)
    vol.set("f", size=10_000)
    host.cache.clean()

    assert (tmp_path / "f").read_bytes() == bytes(10_000)


def test_a_size_of_which_nothing_is_left_to_write_is_on_the_host(host, vol, tmp_path):
    vol.put("f", b"a" * 20_000)
    fh = vol.open("f", os.O_RDWR)
    vol.run(vol.volume.fallocate(fh, 3, 4096, 20_000))
    host.cache.clean()

    assert (tmp_path / "f").read_bytes() == b"a" * 4096 + bytes(20_000 - 4096)
    vol.close(fh)


def test_an_unlinked_file_is_never_written(host, vol):
    vol.put("f", b"a" * 10_000)
    fh = vol.create("g")
    vol.write(fh, 0, b"b" * 10_000)
    vol.unlink("f")
    vol.unlink("g")
    vol.close(fh)

    assert host.cache.written == 0
    assert host.fds == 0
    assert not host.cache.files


def test_a_target_of_rename_is_never_written(host, vol, tmp_path):
    vol.put("old", b"a" * 10_000)
    vol.put("new", b"b" * 10)
    vol.rename("new", "old")
    host.cache.clean()

    assert host.cache.written == 1
    assert (tmp_path / "old").read_bytes() == b"b" * 10


# Times


def test_times_survive_write_back(host, vol, tmp_path):
    """As cp -a does it: write, set times, close; the pages go later."""
    fh = vol.create("f")
    vol.write(fh, 0, b"abc")
    vol.run(vol.volume.setattr(vol.ino("f"), mtime_ns=3, atime_ns=4, fh=fh))
    vol.close(fh)
    assert (tmp_path / "f").stat().st_mtime_ns == 3
    host.cache.clean()

    st = (tmp_path / "f").stat()
    assert (st.st_size, st.st_mtime_ns, st.st_atime_ns) == (3, 3, 4)
    assert host.fds == 0


def test_times_by_name_while_dirty(host, vol, tmp_path):
    vol.put("f", b"abc")
    vol.set("f", mtime_ns=12_345)
    host.cache.clean()

    assert (tmp_path / "f").stat().st_mtime_ns == 12_345


def test_times_of_what_is_not_open(host, vol, tmp_path):
    vol.mkdir("d")
    vol.symlink(b"d", "l")
    vol.put("f", b"")
    for name in "dlf":
        vol.set(name, mtime_ns=99)

        assert (tmp_path / name).lstat().st_mtime_ns == 99


def test_close_and_fsync_write_times(host, vol, tmp_path):
    vol.put("f", b"abc")
    assert (tmp_path / "f").stat().st_mtime_ns == vol.attr("f").mtime_ns
    fh = vol.open("f", os.O_WRONLY)
    vol.write(fh, 0, b"x")
    vol.fsync(fh)

    assert (tmp_path / "f").stat().st_mtime_ns == vol.attr("f").mtime_ns
    vol.close(fh)


def test_attributes_after_a_remount_are_those_before(host, vol, tmp_path):
    vol.put("f", b"abc" * 5000, mode=0o640)
    vol.set("f", mtime_ns=1_000_000_007)
    vol.mkdir("d")
    before = [vol.attr(name)._replace(ctime_ns=0, atime_ns=0) for name in "fd"]
    numbers = [vol.ino(name) for name in "fd"]
    host.close()
    again = Host(tmp_path)

    after = [again.vol.attr(name)._replace(ctime_ns=0, atime_ns=0) for name in "fd"]
    assert after == before
    assert [again.vol.ino(name) for name in "fd"] == numbers
    again.close()


def test_blocks_of_a_dirty_file_are_not_none(host, vol):
    """A file without blocks would be taken for one big hole."""
    vol.put("f", b"a" * 40_000)

    assert vol.attr("f").blocks == 80
    host.cache.clean()
    assert vol.attr("f").blocks == 80
    vol.put("h", b"")
    vol.set("h", size=1 << 20)
    assert vol.attr("h").blocks < 16


# Descriptors


def test_descriptors_are_for_open_and_dirty_files(host, vol):
    vol.put("clean", b"")
    assert host.fds == 0
    vol.put("dirty", b"abc")
    assert host.fds == 1
    host.cache.clean()
    assert host.fds == 0
    fh = vol.open("clean")
    assert host.fds == 1
    vol.close(fh)
    assert host.fds == 0


def test_running_out_of_descriptors_closes_clean_files(tmp_path):
    """64 files open at once where there are descriptors for fewer."""
    host = Host(tmp_path, max_fds=50)
    vol = host.vol
    limit = host.store._files._limit
    handles = []
    for i in range(64):
        vol.put(f"f{i}", b"%d" % i)
        host.cache.clean()
        handles.append(vol.open(f"f{i}", os.O_RDWR))

    assert host.fds <= limit < 64
    for i, fh in enumerate(handles):
        assert vol.read(fh, 0, 10) == b"%d" % i
        host.cache.clean()
    for fh in handles:
        vol.close(fh)
    assert host.close() == []


def test_running_out_of_descriptors_writes_dirty_files_back(tmp_path):
    host = Host(tmp_path, max_fds=50)
    for i in range(200):
        host.vol.put(f"f{i}", b"%d" % i)

    assert host.fds <= host.store._files._limit
    assert host.close() == []
    assert all((tmp_path / f"f{i}").read_bytes() == b"%d" % i for i in range(200))


def test_an_open_file_that_was_unlinked_keeps_its_descriptor(tmp_path):
    host = Host(tmp_path, max_fds=50)
    vol = host.vol
    vol.put("f", b"abc")
    host.cache.clean()
    fh = vol.open("f")
    host.store._files.close_clean(100)
    assert host.fds == 0
    vol.unlink("f")
    host.store._files.close_clean(100)

    assert vol.read(fh, 0, 10) == b"abc"
    vol.close(fh)
    host.close()


def test_deep_trees_need_few_descriptors(tmp_path):
    host = Host(tmp_path, max_fds=50)
    path = "d"
    for _ in range(100):
        host.vol.mkdir(path)
        path += "/d"
    host.vol.put(path, b"deep")
    host.store._dirs.shrink(1000)

    assert host.vol.get(path) == b"deep"
    assert len(host.store._dirs) <= host.store._dirs._limit
    host.close()


def test_renamed_directories_are_found_again(host, vol):
    vol.mkdir("a")
    vol.mkdir("a/b")
    vol.put("a/b/f", b"abc")
    host.cache.clean()
    host.store._dirs.shrink(100)
    vol.rename("a", "c")

    assert vol.get("c/b/f") == b"abc"


# Memory


def test_what_the_kernel_forgets_is_forgotten(host, vol, tmp_path):
    host.volume.table.keep_idle = 4
    for i in range(50):
        vol.put(f"f{i}", b"abc")
        host.cache.clean()

    assert len(host.volume.table) <= 8
    assert len(host.cache.files) <= 6
    assert all(vol.get(f"f{i}") == b"abc" for i in range(50))


def test_what_is_dirty_is_not_forgotten(host, vol):
    host.volume.table.keep_idle = 0
    for i in range(10):
        vol.put(f"f{i}", b"abc")

    assert sum(f.stat().nr_dirty for f in host.cache.files) == 10
    assert host.vol.get("f3") == b"abc"


def test_number_of_a_reused_host_inode(host, vol, tmp_path):
    """The host gives numbers out again at once; the kernel may still know the old."""
    vol.put("f", b"")
    ino, _ = vol.run(host.volume.lookup(1, b"f"))
    vol.unlink("f")
    vol.put("g", b"abc")
    assert vol.ino("g") != ino
    number = vol.ino("g")
    host.cache.clean()
    host.volume.forget(ino, 1)

    assert vol.ino("g") == number
    assert vol.get("g") == b"abc"


# Errors of the host


def test_a_failed_write_out_is_told_once_to_each_handle(host, vol):
    first, second = vol.create("f"), None
    second = vol.open("f", os.O_RDWR)
    vol.write(first, 0, b"abc")
    host.cache.write_error = errno.ENOSPC
    refuses(errno.ENOSPC, vol.fsync, first)
    host.cache.write_error = 0

    vol.fsync(first)
    refuses(errno.ENOSPC, vol.fsync, second)
    vol.fsync(second)
    third = vol.open("f")
    vol.fsync(third)
    for fh in first, second, third:
        vol.close(fh)


def test_what_cannot_be_written_at_the_end_is_named(host, vol):
    vol.mkdir("d")
    vol.put("d/f", b"abc")
    host.cache.write_error = errno.EIO

    assert host.close() == ["files/d/f: the host failed (EIO)"]
    host.cache.write_error = 0


def test_a_truncation_that_the_host_refuses_changes_nothing(host, vol, monkeypatch):
    vol.put("f", b"abc" * 5000)
    host.cache.clean()

    def refuse(fd, size):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "ftruncate", refuse)
    for size in 0, 7000, 100_000:
        refuses(errno.EIO, vol.set, "f", size=size)
        assert vol.attr("f").size == 15_000
    assert vol.get("f") == b"abc" * 5000


@pytest.fixture
def modelled(tmp_path):
    """A volume over the real model, whose disk can be made to fail."""
    machine = Machine(Layout.builtin("2004"), paranoid=True)
    store = HostStore(HostDirectory(tmp_path))
    vol = Driver(PagedVolume(store, MachineCache(machine), ModelPump(machine)))
    vol.machine = machine
    yield vol
    assert vol.run(vol.volume.shutdown()) == []
    assert machine.sched.run(machine.validate()) == []
    machine.close()


def test_two_changes_of_size_come_one_after_the_other(modelled, tmp_path):
    """The first has to wait for a page that is being read."""
    (tmp_path / "f").write_bytes(b"a" * 20_000)
    fh = modelled.open("f", os.O_RDWR)
    data, sched = modelled.volume.data, modelled.machine.sched
    file = modelled.volume.handles.get(fh).file
    pages = data.pages_of(file)
    sched.run(pages.submit_ahead(0, 5))
    jobs = []
    for size in 0, 9_000:
        op = _one_at_a_time(file, data._cutting(file, pages, size))
        jobs.append(sched.spawn(op, name=f"cut to {size}"))
    sched.run_until(sched.now + 10**9)

    assert [job.error for job in jobs] == [None, None]
    assert modelled.read(fh, 0, 20_000) == bytes(9_000)
    assert (tmp_path / "f").stat().st_size == 9_000
    modelled.close(fh)


def test_a_punch_that_the_host_refuses_loses_nothing(modelled, monkeypatch):
    fh = modelled.create("f")
    modelled.write(fh, 0, b"abc" * 5000)

    def refuse(fd, mode, off, nbytes):
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(syscalls, "fallocate", refuse)
    refuses(
        errno.EOPNOTSUPP,
        lambda: modelled.run(modelled.volume.fallocate(fh, 3, 0, 10_000)),
    )
    assert modelled.read(fh, 0, 20_000) == b"abc" * 5000
    modelled.close(fh)


def test_a_failed_read_is_its_readers_alone(modelled, tmp_path):
    """The page stays not uptodate: who reads it later, reads it again."""
    (tmp_path / "f").write_bytes(b"abc" * 500)
    fh = modelled.open("f")
    modelled.machine.core.dev_fault(0, False, errno.EIO)
    refuses(errno.EIO, modelled.read, fh, 0, 100)
    refuses(errno.EIO, modelled.read, fh, 0, 100)
    modelled.machine.core.dev_fault(0, False, 0)

    assert modelled.read(fh, 0, 20_000) == b"abc" * 500
    modelled.close(fh)


def test_pages_that_cannot_be_written_stay_and_are_tried_again(modelled, tmp_path):
    fh = modelled.create("f")
    modelled.write(fh, 0, b"abc" * 5000)
    modelled.machine.core.dev_fault(0, True, errno.EIO)
    refuses(errno.EIO, modelled.fsync, fh)
    assert modelled.read(fh, 0, 20_000) == b"abc" * 5000
    assert (tmp_path / "f").read_bytes() != b"abc" * 5000
    modelled.machine.core.dev_fault(0, True, 0)
    modelled.fsync(fh)

    assert (tmp_path / "f").read_bytes() == b"abc" * 5000
    modelled.close(fh)


def test_an_error_in_the_background_is_told_by_the_next_fsync(modelled):
    fh = modelled.create("f")
    modelled.write(fh, 0, b"abc")
    modelled.machine.core.dev_fault(0, True, errno.EIO)
    sched = modelled.machine.sched
    sched.run_until(sched.now + 36 * 10**9)
    modelled.machine.core.dev_fault(0, True, 0)
    refuses(errno.EIO, modelled.fsync, fh)
    modelled.fsync(fh)
    modelled.close(fh)


def test_errors_of_names_pass_through(host, vol, tmp_path):
    vol.mkdir("d")
    (tmp_path / "d" / "beside").write_bytes(b"")

    refuses(errno.ENOTEMPTY, vol.rmdir, "d")
    (tmp_path / "d" / "beside").unlink()
    (tmp_path / "d").rmdir()
    refuses(errno.ENOENT, vol.put, "d/f", b"")


def test_a_symlink_put_in_the_place_of_a_file_is_not_followed(host, vol, tmp_path):
    vol.put("f", b"abc")
    host.cache.clean()
    (tmp_path / "f").unlink()
    (tmp_path / "f").symlink_to("/etc/passwd")

    refuses(errno.ELOOP, vol.open, "f")
    refuses(errno.ELOOP, vol.set, "f", mode=0o600)


def test_a_file_put_in_the_place_of_another_is_not_taken_for_it(host, vol, tmp_path):
    vol.put("f", b"abc")
    vol.put("g", b"secret")
    host.cache.clean()
    os.rename(tmp_path / "g", tmp_path / "f")

    refuses(errno.ESTALE, vol.open, "f")


@root_only
def test_a_full_host_is_reported(tmp_path):
    """A tmpfs of 64 KiB for the host."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True
    )
    try:
        host = Host(tmp_path)
        fh = host.vol.create("f")
        refuses(
            errno.ENOSPC,
            lambda: host.vol.run(host.volume.fallocate(fh, 0, 0, 1 << 20)),
        )
        assert host.vol.attr("f").size == 0
        host.vol.close(fh)
        stat = host.vol.run(host.volume.statfs())
        assert stat.bsize * stat.blocks == 65536
        host.close()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@root_only
def test_a_writer_hears_of_a_full_host(tmp_path):
    """While it writes, though the pages go to the host later."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True
    )
    try:
        host = Host(tmp_path)
        vol = host.vol
        fh = vol.create("f")
        assert vol.write(fh, 0, bytes(40_000)) == 40_000
        assert vol.run(host.volume.statfs()).bfree == 6
        assert vol.write(fh, 40_000, bytes(40_000)) < 40_000
        refuses(errno.ENOSPC, vol.write, fh, 65_536, b"x")
        host.cache.clean()
        assert vol.write(fh, 0, b"y" * 40_000) == 40_000
        vol.set("f", size=4096)
        assert vol.write(fh, 4096, bytes(40_000)) == 40_000
        vol.close(fh)
        assert host.close() == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@root_only
def test_a_host_that_may_only_be_read(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    subprocess.run(["mount", "--bind", tmp_path, tmp_path], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", tmp_path], check=True)
    try:
        host = Host(tmp_path)
        assert host.vol.get("f") == b"abc"
        refuses(errno.EROFS, host.vol.create, "g")
        refuses(errno.EROFS, host.vol.open, "f", os.O_RDWR)
        refuses(errno.EROFS, host.vol.unlink, "f")
        refuses(errno.EROFS, host.vol.set, "f", size=0)
        assert host.vol.get("f") == b"abc"
        assert host.close() == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


# The directory


def test_a_directory_belongs_to_one_mount(tmp_path):
    first = HostDirectory(tmp_path)
    with pytest.raises(TreeError) as caught:
        HostDirectory(tmp_path)
    assert caught.value.errno == errno.EBUSY
    assert str(tmp_path) in str(caught.value)
    first.close()
    HostDirectory(tmp_path).close()


def test_directories_that_cannot_be(tmp_path):
    (tmp_path / "f").write_bytes(b"")

    refuses(errno.ENOENT, HostDirectory, tmp_path / "nothing")
    refuses(errno.ENOTDIR, HostDirectory, tmp_path / "f")


def test_a_private_directory_ends_with_the_mount(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    host = Host(None)
    host.vol.mkdir("d")
    host.vol.put("d/f", b"abc")
    [outer] = tmp_path.iterdir()
    assert stat.S_IMODE(outer.stat().st_mode) == 0o700
    assert stat.S_IMODE(host.vol.attr("").mode) == 0o755

    assert host.close() == []
    assert list(tmp_path.iterdir()) == []


def test_a_private_directory_stays_if_something_was_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    host = Host(None)
    host.vol.put("f", b"abc")
    host.cache.write_error = errno.EIO
    host.close()

    assert len(list(tmp_path.iterdir())) == 1


@root_only
def test_an_owner_may_use_what_its_mode_forbids(tmp_path):
    """As cp -a of a read-only file by somebody who is not root."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            _copy_read_only(tmp_path)
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / "f").read_bytes() == b"abc"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o200


def _copy_read_only(path):
    host = Host(path)
    host.vol.put("f", b"xyz", mode=0o444)
    host.cache.clean()
    assert host.vol.get("f") == b"xyz"
    host.vol.set("f", mode=0o200)
    fh = host.vol.open("f", os.O_WRONLY)
    host.vol.write(fh, 0, b"abc")
    host.vol.close(fh)
    assert host.close() == []
