"""What both tests of a remap beside something else begin with, and what happens to it.

A scene is a closed zone with pages of several kinds; the operations below are what
users and the administrator may do to it meanwhile.
"""

from __future__ import annotations

from pathlib import Path

from vmkit import PAGE, HostFile, pattern, write

from memfs.vm import Machine

ZID = 6


class Scene:
    """Zone 6, its gate closed: a dirty file, a clean one that a task maps, its memory.

    Args:
        m: machine, with the zone open.
        home: where the files lie.
        pages: of each.
    """

    def __init__(self, m: Machine, home: Path, pages: int) -> None:
        self.m = m
        self.home = home
        self.size = pages * PAGE
        self.data = pattern(self.size)
        self.file = m.files.create("file", HostFile(home / "file"))
        self.mapped = m.files.create("file", HostFile(home / "mapped"))
        for file in (self.file, self.mapped):
            write(m, file, 0, self.data)
        m.sched.run(self.mapped.fsync())
        self.more()
        self.task = m.tasks.create("hog", 1)
        self.anon = self.task.mmap_anon(self.size)
        self.area = self.task.mmap_file(self.mapped, self.size, shared=True, write=True)
        m.sched.run(self.task.touch(self.anon, passes=1))
        m.sched.run(self.task.touch(self.area, passes=1))
        m.sched.run(m.disable_zone(ZID))
        m.core.drain_pagevecs()
        m.core.drain_pcp(ZID)

    def more(self) -> None:
        """What else there is of files."""


def shorten(scene):
    return scene.file.truncate(PAGE * 10 + 5)


def unlink(scene):
    return scene.file.drop()


def munmap(scene):
    return scene.task.munmap(scene.area)


def leave(scene):
    return scene.task.exit()


def overwrite(scene):
    return scene.file.write(0, pattern(scene.size, seed=9))


def fsync(scene):
    return scene.file.fsync()


def touch(scene):
    return scene.task.touch(scene.anon, passes=1)


def fork(scene):
    return scene.task.fork(2)


def enable(scene):
    return scene.m.enable_zone(ZID)


def disable_target(scene):
    return scene.m.disable_zone(5)
