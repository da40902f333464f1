"""A remap beside another operation: every interleaving of their steps that there is.

The other one begins after the remap's first step, its second, and so on, and from then
on the scheduler gives both their turns; or it begins first, and the remap after each
of its steps. The machine ends as one on which only the other was done. One scheduler,
one clock, no thread: each of these runs is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from migratescene import (
    ZID,
    Scene,
    disable_target,
    enable,
    fork,
    fsync,
    leave,
    munmap,
    overwrite,
    shorten,
    touch,
    unlink,
)
from vmkit import PAGE, HostFile, assert_valid, pattern, read, small, write

from memfs.vm import Machine, VmError, passes
from memfs.vm._ffi import ZoneItem

PAGES = 160
SIZE = PAGES * PAGE
STEP = 64  # pages a step of a pass, so that there are several
MOST = 60  # steps after which the second begins, at most
# What ends a remap here: some stayed, no room there, its zone has gone.
ENDS = {None, "EBUSY", "ENOMEM", "ENODEV"}


class Shared(Scene):
    """With a tmpfs file, and half of the first one as it is on the disk."""

    def __init__(self, m: Machine, home: Path) -> None:
        home.mkdir()
        super().__init__(m, home, PAGES)

    def more(self) -> None:
        m = self.m
        self.shm = m.files.create("shm", HostFile(self.home / "shm"))
        write(m, self.shm, 0, self.data)
        m.sched.run(self.file.fsync())
        write(m, self.file, 0, self.data[: SIZE // 2])

    def seen(self) -> list[Any]:
        """What users can see: bytes of files and their sizes, the task's memory."""
        m = self.m
        found: list[Any] = []
        for file in (self.file, self.mapped, self.shm):
            found.append(None if file.dead else (file.size, read(m, file)))
        if not self.task.gone:
            m.sched.run(self.task.touch(self.anon, write=False, passes=1))
            stat = self.task.stat()
            found.append(stat.anon_rss + stat.swap)
        return found


def unlink_shm(scene):
    return scene.shm.drop()


def read_it(scene):
    return scene.file.read(0, SIZE, scene.m.read_ahead())


def direct_write(scene):
    return scene.file.direct_write(0, pattern(SIZE // 2, seed=5))


def direct_read(scene):
    return scene.file.direct_read(0, SIZE)


def remap_again(scene):
    return scene.m.remap(ZID)


def purge(scene):
    return scene.m.purge(ZID)


OTHERS = (
    *(shorten, unlink, unlink_shm, munmap, leave, overwrite, read_it, fsync),
    *(direct_write, direct_read, touch, fork, remap_again, purge),
    *(enable, disable_target),
)


def a_round(m: Machine) -> None:
    """Everybody who can gets a step; when nobody can, the clock goes on."""
    if not m.sched.round():
        due = m.sched.next_due()
        assert due is not None, "nobody will ever go on"
        m.sched.advance(due)


def together(m: Machine, first: Any, second: Any, steps: int) -> tuple[Any, Any, bool]:
    """Run two operations, the second from after `steps` rounds of the first on.

    Returns: both jobs, and whether the first was running still when the second began.
    """
    job = m.sched.spawn(first, name="first")
    for _ in range(steps):
        if not job.done:
            a_round(m)
    running = not job.done
    other = m.sched.spawn(second, name="second")
    for _ in range(100_000):
        if job.done and other.done:
            return job, other, running
        a_round(m)
    raise AssertionError("they wait for each other")


def alone(home: Path, other: Callable[..., Any]) -> list[Any]:
    """What users see where there was no remap."""
    with small() as m:
        scene = Shared(m, home)
        m.sched.run(other(scene))
        assert_valid(m)
        return scene.seen()


def check_end(scene: Shared, wanted: list[Any]) -> None:
    """Nothing on hold, nothing lost, nobody in the way of the next remap."""
    m = scene.m
    assert m.migrating is None
    assert m.zone_stat(ZID).item[ZoneItem.NR_ISOLATED] == 0
    assert_valid(m)
    assert scene.seen() == wanted
    assert m.events()["corrupt"] == 0
    m.sched.run(m.enable_zone(5))
    m.sched.run(m.disable_zone(ZID))
    m.sched.run(m.remap(ZID))
    assert not m.zones[ZID].in_use
    assert scene.seen() == wanted
    m.sched.run_until(m.now + 10**9)
    assert_valid(m)


def how(job: Any) -> str | None:
    """The errno's name that a job ended with; None: it was done."""
    if job.error is None:
        return None
    assert isinstance(job.error, VmError), job.error
    return job.error.name


@pytest.mark.parametrize(
    "remap_first", [True, False], ids=["remap-first", "remap-last"]
)
@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.__name__)
def test_whatever_begins_between_any_two_steps(
    tmp_path, monkeypatch, other: Callable[..., Any], remap_first
):
    """Both end, and users see what they would have seen without the remap."""
    monkeypatch.setattr(passes, "STEP", STEP)
    wanted = alone(tmp_path / "alone", other)
    for steps in range(MOST):
        with small() as m:
            scene = Shared(m, tmp_path / str(steps))
            # Some refuse at first, so that there is a slow pass with its waits.
            m.faults.set({"migrate_reference": 20})
            ops = [m.remap(ZID), other(scene)]
            first, second = ops if remap_first else reversed(ops)
            *jobs, running = together(m, first, second, steps)
            remap, beside = jobs if remap_first else reversed(jobs)
            assert how(remap) in ENDS
            # The second of two remaps, too, may find that not all could go.
            assert how(beside) in (ENDS if other is remap_again else {None})
            m.faults.set({"migrate_reference": 0})
            assert_valid(m)
            check_end(scene, wanted)
        if not running:
            break
    assert steps > 1 or not remap_first
