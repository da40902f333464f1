"""fsync of the host as a call that is made once, somewhere, or never."""

from __future__ import annotations

import errno
import os

import pytest

from memfs.files.hostfs.syncing import HostSync


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def fd(tmp_path):
    fd = os.open(tmp_path / "f", os.O_RDWR | os.O_CREAT)
    yield fd
    if is_open(fd):
        os.close(fd)


@pytest.mark.parametrize("datasync", [False, True])
def test_the_descriptor_ends_with_the_call(fd, datasync):
    call = HostSync(fd, datasync, named=True)
    call()
    assert not is_open(fd)
    # Whoever has the number now keeps it.
    other = os.open("/dev/null", os.O_RDONLY)
    call.drop()
    call()
    assert is_open(other)
    os.close(other)


def test_the_descriptor_ends_with_a_call_that_is_never_made(fd):
    HostSync(fd).drop()
    assert not is_open(fd)


def test_what_the_host_has_removed_is_stale(fd, tmp_path):
    (tmp_path / "f").unlink()
    with pytest.raises(OSError, match="removed beside the mount") as caught:
        HostSync(os.dup(fd), named=True)()
    assert caught.value.errno == errno.ESTALE
    HostSync(fd, named=False)()
    assert not is_open(fd)


def test_the_descriptor_ends_with_a_call_that_fails(tmp_path):
    """fsync of a FIFO is EINVAL."""
    read, write = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        HostSync(write)()
    assert not is_open(write)
    os.close(read)
