"""The short way on a real mount: requests that are answered without Python.

``status`` counts them. What they do must not differ from what the long way does.
"""

from __future__ import annotations

import mmap
import os
import re
import threading

import pytest
from test_mount_files import memfs

pytestmark = pytest.mark.mount

PAGE = 4096


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    mount = memfs(tmp_path_factory.mktemp("lane"), "-o", "allow_other")
    try:
        yield mount
        mount.finish()
    finally:
        mount.destroy()


@pytest.fixture(params=["files", "shm"])
def file(request, mount):
    """A file of 64 pages, all of them resident and dirty, open for both."""
    path = mount.path / request.param / "f"
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, bytes(range(256)) * (64 * PAGE // 256))
    yield fd
    os.close(fd)
    path.unlink()


def short_way(mount):
    """Requests so far."""
    return int(re.search(r"short_way=(\d+)", (mount / "status").read_text())[1])


def taken(mount, call):
    """How many requests of *call* took the short way."""
    before = short_way(mount)
    call()
    return short_way(mount) - before


def test_no_hook_is_missing(mount):
    assert "shim missing=none" in (mount / "status").read_text()


def test_resident_pages_are_read_the_short_way(mount, file):
    """All but the end of the file, of which there is nothing to read."""

    def read():
        for page in range(64):
            assert os.pread(file, 256, page * PAGE) == bytes(range(256))
        assert os.pread(file, 1000, 64 * PAGE - 256) == bytes(range(256))
        assert os.pread(file, 1000, 64 * PAGE) == b""

    assert taken(mount, read) == 65


def test_dirty_pages_are_overwritten_the_short_way(mount, file):
    def write():
        for page in range(64):
            os.pwrite(file, b"%04d" % page, page * PAGE + 100)

    assert taken(mount, write) == 64
    for page in range(64):
        assert os.pread(file, 6, page * PAGE + 99) == b"c%04dh" % page


@pytest.fixture
def growing(mount):
    """An empty file below files/, open for appending."""
    path = mount.path / "files" / "growing"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    yield fd
    os.close(fd)
    path.unlink()


def test_a_file_becomes_longer_the_short_way(mount, growing):
    """All but the first write, and those that ask for more pages; to the last block."""
    pieces = [b"%05d" % n * (n % 1600) for n in range(1, 1600)]

    def write():
        for piece in pieces:
            assert os.write(growing, piece) == len(piece)

    assert taken(mount, write) > len(pieces) - 50
    data = b"".join(pieces)
    seen = os.stat(f"/proc/self/fd/{growing}")
    assert seen.st_size == len(data)
    assert seen.st_blocks * 512 >= len(data)
    assert os.pread(growing, len(data), 0) == data


def test_pages_that_were_written_back_are_dirtied_the_short_way(mount, file):
    """Where their blocks are the host's: tmpfs has none that is clean."""
    os.fsync(file)

    def write():
        for page in range(64):
            os.pwrite(file, b"again", page * PAGE + 100)

    assert taken(mount, write) >= 63
    for page in range(64):
        assert os.pread(file, 7, page * PAGE + 99) == b"cagaini"


def test_a_file_is_cut_and_becomes_longer_again(mount, growing):
    for _ in range(3):
        for _ in range(40):
            os.write(growing, b"x" * 5000)
        assert os.fstat(growing).st_size == 200000
        os.ftruncate(growing, 1000)
        assert os.fstat(growing).st_size == 1000
        os.write(growing, b"y")
        assert os.pread(growing, PAGE, 0) == b"x" * 1000 + b"y"
        os.ftruncate(growing, 0)


def test_what_was_written_the_short_way_is_synced(mount, file):
    os.pwrite(file, b"short", 5 * PAGE)
    os.fsync(file)
    path = f"/proc/self/fd/{file}"
    if "/files/" in os.readlink(path):
        # O_DIRECT reads what the host has.
        direct = os.open(path, os.O_RDONLY | os.O_DIRECT)
        buffer = mmap.mmap(-1, PAGE)
        assert os.preadv(direct, [buffer], 5 * PAGE) == PAGE
        assert buffer[:5] == b"short"
        os.close(direct)


def test_times_move_on_the_short_way(mount, file):
    """A write moves mtime and ctime, the read after it the access time, once."""
    before = os.fstat(file)
    assert taken(mount, lambda: os.pwrite(file, b"x", 0)) == 1
    written = os.fstat(file)
    assert written.st_mtime_ns > before.st_mtime_ns
    assert written.st_mtime_ns == written.st_ctime_ns
    assert written.st_atime_ns == before.st_atime_ns
    assert taken(mount, lambda: os.pread(file, 1, 0)) == 1
    # The kernel keeps what stat said for a while; another name asks anew.
    os.pwrite(file, b"x", 0)
    os.pread(file, 1, 0)
    read = os.fstat(file)
    assert read.st_atime_ns > read.st_mtime_ns > written.st_mtime_ns


def test_o_noatime_reads_change_no_times(mount, file):
    os.pwrite(file, bytes(PAGE), 0)
    quiet = os.open(f"/proc/self/fd/{file}", os.O_RDONLY | os.O_NOATIME)
    os.utime(file, ns=(1, 2))
    for _ in range(4):
        os.pread(quiet, 100, 0)
    assert os.fstat(file).st_atime_ns == 1
    os.pread(file, 100, 0)
    assert os.fstat(file).st_atime_ns > 1
    os.close(quiet)


def test_times_that_are_set_stay(mount, file):
    os.pwrite(file, b"x", 0)
    os.utime(file, ns=(10**18, 2 * 10**18))
    seen = os.fstat(file)
    assert (seen.st_atime_ns, seen.st_mtime_ns) == (10**18, 2 * 10**18)


def test_the_host_has_the_times_of_the_short_way(tmp_path):
    """As every tool expects that copies or compares times."""
    mount = memfs(tmp_path)
    fd = os.open(mount / "files/f", os.O_RDWR | os.O_CREAT)
    os.write(fd, bytes(PAGE))
    assert taken(mount, lambda: os.pwrite(fd, b"x", 0)) == 1
    seen = os.fstat(fd).st_mtime_ns
    os.close(fd)
    mount.finish()
    assert (mount.host / "f").stat().st_mtime_ns == seen
    assert (mount.host / "f").read_bytes() == b"x" + bytes(PAGE - 1)


def test_set_id_bits_go_with_a_write_all_the_same(mount, file):
    """By whoever is not root."""
    os.pwrite(file, b"x", 0)
    os.fchown(file, 65534, 65534)
    os.fchmod(file, 0o4755)
    parent, name = os.path.split(os.readlink(f"/proc/self/fd/{file}"))
    directory = os.open(parent, os.O_PATH)
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            os.pwrite(os.open(name, os.O_WRONLY, dir_fd=directory), b"y", 0)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(directory)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.fstat(file).st_mode & 0o7777 == 0o755


def test_who_writes_decides_about_set_id_bits(mount, file):
    """The same descriptor, by root and by somebody else; the kernel sees it at once."""
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.fchmod(file, 0o4755)
        os.pwrite(file, b"x", 0)
        mode = os.fstat(file).st_mode & 0o7777
        os.seteuid(65534)
        os.pwrite(file, b"y", 0)
        os._exit((mode, os.fstat(file).st_mode & 0o7777) != (0o4755, 0o755))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_a_descriptor_may_not_do(mount, file):
    name = os.readlink(f"/proc/self/fd/{file}")
    reader = os.open(name, os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(reader, b"x", 0)
    os.close(reader)


def test_a_mapping_is_coherent_with_the_short_way(mount, file):
    """A write drops the mapped page; a store is seen by the next read."""
    mapped = mmap.mmap(file, 64 * PAGE)
    for page in range(64):
        assert mapped[page * PAGE] == 0
        os.pwrite(file, b"\x01", page * PAGE)
        assert mapped[page * PAGE] == 1
        mapped[page * PAGE] = 2
        assert os.pread(file, 1, page * PAGE) == b"\x02"
    mapped.close()


def test_clients_at_once_while_a_node_is_purged(mount, file):
    """Each has pages of its own; everything that it wrote, it reads."""
    errors = []

    def client(number):
        for turn in range(300):
            page = number * 8 + turn % 8
            word = b"%02d %05d" % (number, turn)
            os.pwrite(file, word, page * PAGE)
            if os.pread(file, len(word), page * PAGE) != word:
                errors.append(word)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
    before = short_way(mount)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for command in ("disable 1", "purge 5", "purge 6", "enable 1"):
            mount.write("memhotplug", command)
    for thread in threads:
        thread.join()
    assert errors == []
    assert short_way(mount) > before
