"""Fixtures of the model's tests: machines that are valid when a test has ended."""

from __future__ import annotations

import pytest
from vmkit import HostFile, assert_valid, small

from memfs.vm import Layout, Machine


@pytest.fixture
def machine():
    """The machine of 2004; must be valid at the end of the test."""
    with Machine(Layout.builtin("2004")) as m:
        yield m
        assert_valid(m)
        assert m.events()["corrupt"] == 0


@pytest.fixture
def little():
    """A machine of 28 MiB; must be valid at the end of the test."""
    with small() as m:
        yield m
        assert_valid(m)
        assert m.events()["corrupt"] == 0


@pytest.fixture
def host_file(tmp_path):
    """Makes owners of files, each with its own host file."""
    owners = []

    def make(size=0):
        owners.append(HostFile(tmp_path / f"file{len(owners)}", size))
        return owners[-1]

    yield make
    for owner in owners:
        owner.io_idle()
