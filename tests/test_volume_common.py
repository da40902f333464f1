"""What files/ and shm/ both do: a file system as programs expect it.

On page files made of bytes, inline and by operations, and on those of the model;
the kernel comes with tests/test_mount_files.py.
"""

import errno
import os
import stat

import pytest
from fakes_pagefile import FakeCache, FakePump
from volumedriver import Driver

from memfs.files.cache import MachineCache
from memfs.files.hostfs import HostDirectory, HostStore
from memfs.files.paged import PagedVolume
from memfs.files.shmfs import shm_volume
from memfs.tree import Caller, TreeError
from memfs.vm import Layout, Machine, VmError


class ModelPump(FakePump):
    """Runs the operations of a machine, and its clock as far as they need."""

    def __init__(self, machine):
        super().__init__()
        self.machine = machine

    async def run(self, op, name):
        return self.machine.sched.run(op, name)


def make(kind, cache, pump, path):
    if kind == "shm":
        return shm_volume(cache, pump, ram_pages=100_000)
    return PagedVolume(HostStore(HostDirectory(path)), cache, pump)


@pytest.fixture(params=["now", "slow", "model"])
def over(request):
    """A page cache and its pump."""
    if request.param != "model":
        yield FakeCache(request.param == "slow"), FakePump()
        return
    machine = Machine(Layout.builtin("2004"), paranoid=True)
    yield MachineCache(machine), ModelPump(machine)
    assert machine.sched.run(machine.validate()) == []
    assert machine.files.all() == []
    machine.close()


@pytest.fixture(params=["files", "shm"])
def vol(request, over, tmp_path):
    volume = make(request.param, *over, tmp_path)
    vol = Driver(volume)
    yield vol
    assert not len(volume.handles)
    for name in vol.listing()[2:]:
        remove(vol, os.fsdecode(name))
    vol.run(volume.shutdown())


def remove(vol, path):
    """rm -r"""
    if not stat.S_ISDIR(vol.attr(path).mode):
        vol.unlink(path)
        return
    for name in vol.listing(path)[2:]:
        remove(vol, f"{path}/{os.fsdecode(name)}")
    vol.rmdir(path)


def refuses(code, call, *args, **kwargs):
    """The call raises an error with this errno."""
    with pytest.raises((TreeError, VmError, OSError)) as caught:
        call(*args, **kwargs)
    assert errno.errorcode[caught.value.errno] == errno.errorcode[code]


# Files


def test_a_file_without_a_name_ends_with_its_handle(vol):
    """Its number is not known any more, and its pages are nowhere."""
    ino, fh = vol.create_nameless("/")
    vol.write(fh, 0, b"x" * 10_000)
    assert vol.read(fh, 0, 20_000) == b"x" * 10_000
    assert (vol.volume.getattr(ino).nlink, vol.listing()[2:]) == (0, [])
    vol.close(fh)
    refuses(errno.ESTALE, vol.volume.getattr, ino)


def test_a_file_without_a_name_gets_one_once(vol):
    """Then it is a file like others."""
    vol.mkdir("d")
    ino, fh = vol.create_nameless("d")
    vol.write(fh, 0, b"kept")
    vol.run(vol.volume.link(ino, 1, b"f"))
    vol.volume.forget(ino, 1)
    assert vol.attr("f").nlink == 1
    vol.unlink("f")
    refuses(errno.ENOENT, vol.run, vol.volume.link(ino, 1, b"f"))
    vol.close(fh)


def test_no_file_is_made_where_a_directory_was(vol):
    vol.mkdir("d")
    ino, _ = vol.run(vol.volume.lookup(1, b"d"))
    vol.rmdir("d")
    make = vol.volume.create_nameless
    refuses(errno.ENOENT, make, ino, 0o600, os.O_RDWR, Caller(1, 0, 0))
    vol.volume.forget(ino, 1)


def test_what_was_written_is_read(vol):
    vol.put("f", b"hello")

    assert vol.get("f") == b"hello"
    assert vol.attr("f").size == 5


def test_a_gap_reads_as_zeros(vol):
    fh = vol.create("f")
    vol.write(fh, 10_000, b"x")

    assert vol.read(fh, 0, 20_000) == bytes(10_000) + b"x"
    vol.close(fh)


def test_overwriting_keeps_the_rest(vol):
    vol.put("f", b"a" * 10_000)
    fh = vol.open("f", os.O_RDWR)
    vol.write(fh, 4_000, b"b" * 200)
    vol.close(fh)

    assert vol.get("f") == b"a" * 4_000 + b"b" * 200 + b"a" * 5_800


def test_reading_at_the_end_gives_nothing(vol):
    vol.put("f", b"abc")
    fh = vol.open("f")

    assert vol.read(fh, 3, 10) == b""
    assert vol.read(fh, 1, 10) == b"bc"
    vol.close(fh)


def test_create_with_o_excl_refuses_what_is_there(vol):
    vol.put("f", b"")

    refuses(errno.EEXIST, vol.create, "f", os.O_RDWR | os.O_EXCL)


def test_create_without_o_excl_opens_what_is_there(vol):
    vol.put("f", b"abc")
    fh = vol.create("f", os.O_RDWR)

    assert vol.read(fh, 0, 10) == b"abc"
    vol.close(fh)


def test_o_trunc_empties(vol):
    vol.put("f", b"abc")
    vol.close(vol.open("f", os.O_WRONLY | os.O_TRUNC))

    assert vol.attr("f").size == 0
    assert vol.get("f") == b""


def test_a_handle_for_reading_does_not_write(vol):
    vol.put("f", b"abc")
    fh = vol.open("f")

    refuses(errno.EBADF, vol.write, fh, 0, b"x")
    vol.close(fh)


def test_a_closed_handle_is_refused(vol):
    vol.put("f", b"abc")
    fh = vol.open("f")
    vol.close(fh)

    refuses(errno.EBADF, vol.read, fh, 0, 1)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000, 20_000])
def test_truncate(vol, size):
    vol.put("f", b"a" * 10_000)

    assert vol.set("f", size=size).size == size
    assert vol.get("f") == (b"a" * 10_000 + bytes(10_000))[:size]


def test_truncate_down_and_up_again_shows_zeros(vol):
    vol.put("f", b"a" * 10_000)
    vol.set("f", size=5_000)
    vol.set("f", size=9_000)

    assert vol.get("f") == b"a" * 5_000 + bytes(4_000)


def test_truncate_of_a_directory_is_refused(vol):
    vol.mkdir("d")

    refuses(errno.EISDIR, vol.set, "d", size=0)


def test_sizes_have_an_end(vol):
    fh = vol.create("f")

    refuses(errno.EFBIG, vol.write, fh, 1 << 50, b"x")
    refuses(errno.EFBIG, vol.set, "f", size=1 << 50)
    vol.close(fh)


def test_o_direct_is_checked(vol):
    """On tmpfs it means nothing."""
    vol.put("f", bytes(8192))
    if not vol.volume.store.bypasses:
        fh = vol.open("f", os.O_RDWR | os.O_DIRECT)
        assert vol.read(fh, 7, 100) == bytes(100)
        vol.close(fh)
        return
    fh = vol.open("f", os.O_RDWR | os.O_DIRECT)

    refuses(errno.EINVAL, vol.read, fh, 0, 100)
    refuses(errno.EINVAL, vol.read, fh, 7, 512)
    refuses(errno.EINVAL, vol.write, fh, 0, b"x")
    assert len(vol.read(fh, 512, 512)) == 512
    vol.close(fh)


def test_o_direct_and_the_others_see_the_same(vol):
    """Over what is dirty, in the middle of a page, and behind the end."""
    data = bytearray(os.urandom(40_000))
    vol.put("f", bytes(data))
    direct, other = vol.open("f", os.O_RDWR | os.O_DIRECT), vol.open("f", os.O_RDWR)
    for off, n in ((512, 1024), (8192, 8192), (39_936, 4096)):
        new = os.urandom(n)
        assert vol.read(direct, off, n) == bytes(data[off : off + n])
        assert vol.write(direct, off, new) == n
        data[off : off + n] = new
        assert vol.read(other, 0, 100_000) == bytes(data)
        data[off + 100 : off + 200] = b"y" * 100
        vol.write(other, off + 100, b"y" * 100)
        assert vol.read(direct, off, n) == bytes(data[off : off + n])
    assert vol.attr("f").size == len(data)
    vol.close(direct)
    vol.close(other)


# Times


def test_times_are_kept_to_the_nanosecond(vol):
    vol.put("f", b"abc")
    vol.set("f", atime_ns=1_000_000_001, mtime_ns=2_000_000_003)

    attr = vol.attr("f")
    assert (attr.atime_ns, attr.mtime_ns) == (1_000_000_001, 2_000_000_003)


def test_writing_changes_the_times_and_reading_does_not(vol):
    vol.put("f", b"abc")
    vol.set("f", mtime_ns=5)
    fh = vol.open("f", os.O_RDWR)
    vol.read(fh, 0, 3)
    assert vol.attr("f").mtime_ns == 5
    vol.write(fh, 0, b"x")
    assert vol.attr("f").mtime_ns > 5
    vol.close(fh)


def test_size_with_times_leaves_the_times(vol):
    vol.put("f", b"abc")

    assert vol.set("f", size=1, mtime_ns=7).mtime_ns == 7


def test_relatime(vol):
    vol.put("f", b"abc")
    vol.get("f")
    first = vol.attr("f").atime_ns
    vol.get("f")

    assert vol.attr("f").atime_ns == first
    vol.set("f", atime_ns=1, mtime_ns=2)
    vol.get("f")
    assert vol.attr("f").atime_ns >= first


def test_who_asks_for_it_leaves_access_times_alone(vol):
    """O_NOATIME, and the option of the mount, which is for directories as well."""
    vol.put("f", b"abc")
    vol.mkdir("d")
    old = 1_000_000_000
    for noatime, flags in (False, os.O_NOATIME), (True, 0), (False, 0):
        vol.volume.noatime = noatime
        vol.set("f", atime_ns=old)
        vol.set("d", atime_ns=old)
        fh = vol.open("f", flags)
        vol.read(fh, 0, 3)
        vol.close(fh)
        vol.listing("d")

        assert (vol.attr("f").atime_ns == old) == (noatime or bool(flags))
        assert (vol.attr("d").atime_ns == old) == noatime


def test_changes_of_a_directory_change_its_times(vol):
    vol.mkdir("d")
    vol.set("d", mtime_ns=1)
    vol.put("d/f", b"")

    assert vol.attr("d").mtime_ns > 1


# Owners and modes


def test_modes(vol):
    vol.put("f", b"", mode=0o640)
    assert vol.attr("f").mode == stat.S_IFREG | 0o640
    vol.set("f", mode=0o4711)
    assert vol.attr("f").mode == stat.S_IFREG | 0o4711


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_new_things_belong_to_the_caller(vol):
    caller = Caller(1, 1234, 2345)
    vol.close(vol.create("f", caller=caller))
    vol.mkdir("d", caller=caller)

    for name in "f", "d":
        assert (vol.attr(name).uid, vol.attr(name).gid) == (1234, 2345)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_set_group_id_directory_passes_its_group_on(vol):
    vol.mkdir("d")
    vol.set("d", gid=4321)
    vol.set("d", mode=0o2755)
    vol.mkdir("d/sub", caller=Caller(1, 1234, 2345))
    vol.close(vol.create("d/f", caller=Caller(1, 1234, 2345)))

    assert vol.attr("d/sub").gid == vol.attr("d/f").gid == 4321
    assert vol.attr("d/sub").mode & 0o7777 == 0o2755


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_chown(vol):
    vol.put("f", b"")
    vol.symlink(b"f", "l")
    vol.set("f", uid=11)
    vol.set("l", gid=12)

    assert vol.attr("f").uid == 11
    assert (vol.attr("f").gid, vol.attr("l").gid) == (os.getgid(), 12)


def test_writing_takes_set_id_bits_away(vol):
    """As long as the writer is not root."""
    for uid, expected in (1, 0o755), (0, 0o6755):
        vol.put("f", b"")
        vol.set("f", mode=0o6755)
        fh = vol.open("f", os.O_WRONLY, caller=Caller(1, uid, 0))
        vol.write(fh, 0, b"x")
        vol.close(fh)
        assert vol.attr("f").mode & 0o7777 == expected


@pytest.mark.parametrize(("kills", "expected"), [(True, 0o755), (False, 0o6755)])
def test_who_writes_decides_about_set_id_bits(vol, kills, expected):
    """Not who opened the file, where the adapter knows; it hears of the change."""
    stale = []
    vol.volume.stale = stale.append
    vol.put("f", b"")
    vol.set("f", mode=0o6755)
    fh = vol.open("f", os.O_WRONLY, caller=Caller(1, int(not kills), 0))
    vol.run(vol.volume.write(fh, 0, b"x", False, kills))
    vol.close(fh)
    assert vol.attr("f").mode & 0o7777 == expected
    assert stale == [vol.ino("f")] * kills


def test_o_trunc_takes_set_id_bits_away(vol):
    for uid, expected in (1, 0o755), (0, 0o6755):
        vol.put("f", b"x")
        vol.set("f", mode=0o6755)
        vol.close(vol.open("f", os.O_WRONLY | os.O_TRUNC, caller=Caller(1, uid, 0)))
        assert vol.attr("f").mode & 0o7777 == expected


# Names


@pytest.mark.parametrize("name", [b"x" * 255, b"\xff\xfe", b"a\nb", b" ", b"..."])
def test_any_bytes_make_a_name(vol, name):
    vol.put(os.fsdecode(name), b"abc")

    assert sorted(vol.listing()) == sorted([b".", b"..", name])
    assert vol.get(os.fsdecode(name)) == b"abc"


def test_impossible_names(vol):
    lookup = vol.volume.lookup
    refuses(errno.ENAMETOOLONG, vol.create, "x" * 256)
    refuses(errno.EINVAL, lambda: vol.run(lookup(1, b"a/b")))
    refuses(errno.EINVAL, lambda: vol.run(lookup(1, b"a\0")))
    refuses(errno.EEXIST, vol.mkdir, ".")


def test_directories(vol):
    vol.mkdir("a")
    vol.mkdir("a/b")
    vol.put("a/b/f", b"deep")

    assert vol.get("a/b/f") == b"deep"
    assert vol.attr("a").nlink == 3
    refuses(errno.ENOTEMPTY, vol.rmdir, "a")
    refuses(errno.EISDIR, vol.unlink, "a")
    vol.unlink("a/b/f")
    vol.rmdir("a/b")
    vol.rmdir("a")
    assert vol.listing() == [b".", b".."]


def test_a_removed_directory_takes_nothing(vol):
    vol.mkdir("d")
    ino, _ = vol.run(vol.volume.lookup(1, b"d"))
    vol.rmdir("d")

    refuses(
        errno.ENOENT,
        lambda: vol.run(vol.volume.mkdir(ino, b"x", 0o755, Caller(1, 0, 0))),
    )
    refuses(errno.ENOENT, lambda: vol.run(vol.volume.lookup(ino, b"x")))
    assert vol.volume.getattr(ino).nlink == 0
    vol.volume.forget(ino, 1)


def test_file_is_no_directory(vol):
    vol.put("f", b"")

    refuses(errno.ENOTDIR, vol.create, "f/x")
    refuses(errno.ENOTDIR, vol.rmdir, "f")


def test_symlinks(vol):
    vol.symlink(b"some/where", "l")

    assert vol.run(vol.volume.readlink(vol.ino("l"))) == b"some/where"
    assert vol.attr("l").mode == stat.S_IFLNK | 0o777
    assert vol.attr("l").size == 10
    refuses(errno.EEXIST, vol.symlink, b"x", "l")
    vol.put("f", b"")
    refuses(errno.EINVAL, lambda: vol.run(vol.volume.readlink(vol.ino("f"))))


def test_fifos(vol):
    vol.mknod("p", stat.S_IFIFO | 0o600)

    assert vol.attr("p").mode == stat.S_IFIFO | 0o600


def test_mknod_of_a_file(vol):
    vol.mknod("f", stat.S_IFREG | 0o600)

    assert vol.get("f") == b""


def test_hard_links_are_one_file(vol):
    vol.put("a", b"abc")
    vol.link("a", "b")

    assert vol.ino("a") == vol.ino("b")
    assert vol.attr("a").nlink == 2
    fh = vol.open("a", os.O_WRONLY)
    vol.write(fh, 0, b"xyz")
    vol.close(fh)
    assert vol.get("b") == b"xyz"
    vol.unlink("a")
    assert vol.attr("b").nlink == 1
    assert vol.get("b") == b"xyz"


def test_links_of_directories_are_refused(vol):
    vol.mkdir("d")

    refuses(errno.EPERM, vol.link, "d", "e")


def test_link_to_a_taken_name(vol):
    vol.put("a", b"")
    vol.put("b", b"")

    refuses(errno.EEXIST, vol.link, "a", "b")


# Removing what is open


def test_unlinked_while_open(vol):
    fh = vol.create("f")
    vol.write(fh, 0, b"a" * 9_000)
    vol.unlink("f")

    assert not vol.exists("f")
    assert vol.read(fh, 0, 10_000) == b"a" * 9_000
    vol.write(fh, 9_000, b"b")
    assert vol.read(fh, 8_999, 10) == b"ab"
    vol.fsync(fh)
    vol.close(fh)


def test_name_is_free_for_something_new_while_the_old_is_open(vol):
    fh = vol.create("f")
    vol.write(fh, 0, b"old")
    vol.unlink("f")
    vol.put("f", b"new")

    assert vol.read(fh, 0, 10) == b"old"
    assert vol.get("f") == b"new"
    vol.close(fh)
    assert vol.get("f") == b"new"


def test_a_removed_number_is_not_given_out_again_while_it_is_known(vol):
    fh = vol.create("f")
    vol.close(fh)
    ino, _ = vol.run(vol.volume.lookup(1, b"f"))
    vol.unlink("f")
    for i in range(10):
        vol.put(f"g{i}", b"")
        assert vol.ino(f"g{i}") != ino
    vol.volume.forget(ino, 1)


def test_opening_what_is_gone(vol):
    vol.put("f", b"")
    ino, _ = vol.run(vol.volume.lookup(1, b"f"))
    vol.unlink("f")

    refuses(errno.ESTALE, lambda: vol.run(vol.volume.open(ino, 0, Caller(1, 0, 0))))
    vol.volume.forget(ino, 1)
    refuses(errno.ESTALE, lambda: vol.volume.getattr(ino))


# Rename


def test_rename(vol):
    vol.put("a", b"abc")
    vol.mkdir("d")
    ino = vol.ino("a")
    vol.rename("a", "d/b")

    assert vol.ino("d/b") == ino
    assert not vol.exists("a")
    assert vol.get("d/b") == b"abc"


def test_rename_over_an_open_file(vol):
    vol.put("old", b"old")
    vol.put("new", b"new")
    fh = vol.open("old")
    vol.rename("new", "old")

    assert vol.get("old") == b"new"
    assert vol.read(fh, 0, 10) == b"old"
    assert not vol.exists("new")
    vol.close(fh)
    assert vol.get("old") == b"new"


def test_rename_over_a_link_of_itself_does_nothing(vol):
    vol.put("a", b"abc")
    vol.link("a", "b")
    vol.rename("a", "b")

    assert vol.exists("a")
    assert vol.attr("b").nlink == 2


def test_rename_of_directories(vol):
    vol.mkdir("a")
    vol.mkdir("a/sub")
    vol.mkdir("b")
    vol.put("a/sub/f", b"abc")
    vol.rename("a/sub", "b/sub")

    assert (vol.attr("a").nlink, vol.attr("b").nlink) == (2, 3)
    assert vol.get("b/sub/f") == b"abc"
    vol.mkdir("empty")
    vol.rename("b", "empty")
    assert vol.get("empty/sub/f") == b"abc"


def test_rename_refuses(vol):
    vol.mkdir("d")
    vol.mkdir("d/e")
    vol.mkdir("full")
    vol.put("full/f", b"")
    vol.put("f", b"")

    refuses(errno.EINVAL, vol.rename, "d", "d/e/x")
    refuses(errno.ENOTEMPTY, vol.rename, "d", "full")
    refuses(errno.EISDIR, vol.rename, "f", "d")
    refuses(errno.ENOTDIR, vol.rename, "d", "f")
    refuses(errno.ENOENT, vol.rename, "nothing", "x")
    refuses(errno.EEXIST, vol.rename, "d", "f", 1)
    refuses(errno.ENOENT, vol.rename, "d", "nothing", 2)
    refuses(errno.EINVAL, vol.rename, "d", "x", 4)


def test_rename_exchange(vol):
    vol.put("f", b"abc")
    vol.mkdir("d")
    vol.mkdir("d/sub")
    vol.put("d/sub/g", b"def")
    vol.rename("f", "d/sub", 2)

    assert vol.get("d/sub") == b"abc"
    assert vol.get("f/g") == b"def"
    assert vol.attr("d").nlink == 2


# Reading directories


def test_readdir_is_stable_under_change(vol):
    """Names there all the time come exactly once, whatever comes and goes."""
    stable = {b"s%05d" % i for i in range(1000)}
    for name in stable:
        vol.put(name.decode(), b"")
    seen, cookie, i = [], 0, 0
    while batch := vol.run(vol.volume.readdir(1, cookie)):
        cookie = batch[-1].cookie
        seen += [entry.name for entry in batch]
        vol.put(f"new{i}", b"")
        if i:
            vol.unlink(f"new{i - 1}")
        i += 1

    assert sorted(name for name in seen if name in stable) == sorted(stable)


def test_readdir_from_an_entry_in_the_middle_of_a_batch(vol):
    for i in range(50):
        vol.put(f"{i}", b"")
    batch = vol.run(vol.volume.readdir(1, 0))
    rest = vol.run(vol.volume.readdir(1, batch[10].cookie))

    assert [e.name for e in rest] == [e.name for e in batch[11:]]


def test_dots(vol):
    vol.mkdir("d")
    vol.mkdir("d/e")
    entries = vol.run(vol.volume.readdir(vol.ino("d/e"), 0))

    assert [e.name for e in entries] == [b".", b".."]
    assert [e.ino for e in entries] == [vol.ino("d/e"), vol.ino("d")]


def test_a_name_removed_before_readdir_gets_there_is_left_out(vol):
    for i in range(10):
        vol.put(f"{i}", b"")
    vol.listing()
    vol.unlink("5")
    vol.put("ten", b"")

    assert sorted(vol.listing()[2:]) == sorted(b"0 1 2 3 4 6 7 8 9 ten".split())


def test_what_is_sure_not_to_wait(vol):
    vol.put("f", b"abc")
    vol.volume.table.file(vol.ino("f")).pages.light = lambda: False
    vol.link("f", "g")
    at_once = vol.volume.at_once
    assert at_once("lookup", 1, b"f")
    assert not at_once("fsync", 1, False)
    fh = vol.open("f")
    vol.unlink("g")
    assert at_once("release", fh)
    vol.unlink("f")
    assert not at_once("release", fh)
    vol.close(fh)


@pytest.mark.parametrize("kind", ["data", "open", "linked", "symlink", "empty"])
@pytest.mark.parametrize("light", [False, True])
def test_what_is_unlinked_now(vol, kind, light):
    """It is what unlink() does, or nothing where that would wait for pages."""
    if kind == "symlink":
        vol.symlink("to", "f")
    elif kind == "empty":
        vol.close(vol.create("f"))
    else:
        vol.put("f", b"abc")
    inode = vol.volume.names.child(vol.volume.root, b"f")
    pages = getattr(inode, "pages", None)
    if pages is not None:
        drop = pages.drop

        def drop_now():
            for _ in drop():
                pass
            return True

        pages.light = lambda: light
        pages.drop_now = drop_now
    fh = vol.open("f") if kind == "open" else None
    if kind == "linked":
        vol.link("f", "g")
    waits = kind == "data" and not light
    assert vol.volume.unlink_now(1, b"f") != waits

    assert (b"f" in vol.listing()) == waits
    assert inode.nlink == (kind == "linked" or waits)
    if fh is not None:
        assert vol.read(fh, 0, 9) == b"abc"
        vol.close(fh)
    if kind == "linked":
        assert vol.get("g") == b"abc"


def test_what_cannot_be_unlinked_now_is_refused(vol):
    vol.mkdir("d")
    for name, code in ((b"d", errno.EISDIR), (b"none", errno.ENOENT)):
        with pytest.raises(TreeError) as refused:
            vol.volume.unlink_now(1, name)
        assert refused.value.errno == code
    assert vol.listing()[2:] == [b"d"]


# Holes


def test_punch_hole(vol):
    vol.put("f", b"a" * 20_000)
    fh = vol.open("f", os.O_RDWR)
    vol.run(vol.volume.fallocate(fh, 3, 5_000, 10_000))

    expected = b"a" * 5_000 + bytes(10_000) + b"a" * 5_000
    assert vol.read(fh, 0, 30_000) == expected
    vol.close(fh)
    assert vol.attr("f").blocks <= 8 * 5
    assert vol.attr("f").size == 20_000


def test_fallocate_extends(vol):
    fh = vol.create("f")
    vol.run(vol.volume.fallocate(fh, 1, 0, 40_960))
    assert vol.attr("f").size == 0
    vol.run(vol.volume.fallocate(fh, 0, 0, 40_960))

    assert vol.attr("f").size == 40_960
    assert vol.attr("f").blocks >= 80
    assert vol.read(fh, 0, 50_000) == bytes(40_960)
    refuses(errno.EOPNOTSUPP, lambda: vol.run(vol.volume.fallocate(fh, 8, 0, 4096)))
    refuses(errno.EINVAL, lambda: vol.run(vol.volume.fallocate(fh, 0, 0, 0)))
    vol.close(fh)


def test_seek_data_and_hole(vol):
    fh = vol.create("f")
    vol.write(fh, 40_960, b"x" * 4096)
    vol.run(vol.volume.setattr(vol.ino("f"), size=100_000))

    def seek(off, whence):
        return vol.run(vol.volume.lseek(fh, off, whence))

    assert seek(0, os.SEEK_HOLE) == 0
    assert seek(0, os.SEEK_DATA) == 40_960
    assert seek(40_970, os.SEEK_DATA) == 40_970
    assert seek(40_970, os.SEEK_HOLE) == 45_056
    refuses(errno.ENXIO, seek, 50_000, os.SEEK_DATA)
    refuses(errno.ENXIO, seek, 100_000, os.SEEK_HOLE)
    refuses(errno.EINVAL, seek, 0, 0)
    vol.close(fh)


# For modelled tasks


def test_walk(vol):
    vol.mkdir("d")
    vol.put("d/f", b"abc")
    vol.symlink(b"d", "l")

    assert vol.run(vol.volume.walk(b"d/f")) == vol.ino("d/f")
    refuses(errno.ELOOP, lambda: vol.run(vol.volume.walk(b"l/f")))
    refuses(errno.ELOOP, lambda: vol.run(vol.volume.walk(b"l")))
    refuses(errno.ENOTDIR, lambda: vol.run(vol.volume.walk(b"d/f/g")))
    fh = vol.open("d/f")
    assert vol.run(vol.volume.page_file(fh)).size == 3
    vol.close(fh)
