"""Fixtures that several files of tests share."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import settings
from mounting import mounted

# An example of 60 ms takes half a second where others want the CPU, too.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path_factory, monkeypatch):
    """Locks and logs of daemons that tests start lie apart from the user's."""
    path = tmp_path_factory.getbasetemp() / "runtime"
    monkeypatch.setenv("MEMFS_RUNTIME_DIR", str(path))
    return path


@pytest.fixture
def tmpfs_host(tmp_path):
    """A function that makes ``tmp_path/host`` a tmpfs with these options, for one test
    of root."""
    host = tmp_path / "host"

    def make(options):
        host.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", host], check=True
        )
        return host

    yield make
    if host.is_mount():
        subprocess.run(["umount", "-l", host], check=True)


@pytest.fixture
def fake_mount_point(tmp_path):
    """A mount of tests/fakedaemon.py, for one test."""
    with mounted(tmp_path) as mount:
        yield mount


@pytest.fixture
def mount_with(tmp_path):
    """A function that mounts; what it mounted ends with the test.

    Keyword arguments are those of ``mounting.start``.
    """
    import contextlib

    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def make(**more):
            directory = tmp_path / f"mount{next(count)}"
            directory.mkdir()
            return stack.enter_context(mounted(directory, **more))

        yield make
