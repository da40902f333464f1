"""``control/tasks``: modelled processes.

An open descriptor is the process: opening the file for writing starts one with the
pid of who opens it, what is written to the descriptor is what it does
(memfs/files/taskgrammar.py), reading it shows its own state, and it ends at the
last close or when that pid ends, whichever comes first. Opened for reading alone,
the file is the list of all of them.

What it is not: no real process is watched at work here or sent a signal. A victim
of the modelled out-of-memory killer gets ESRCH at its next write.

Concurrency: one thread. A walk is a job of the scheduler; whoever unmaps its area,
and the process's end, cancel it and wait until it has put back what it held.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from memfs.files import taskgrammar
from memfs.files.taskgrammar import (
    MapAnon,
    MapFile,
    TaskCommand,
    Touch,
    Unmap,
    Wait,
)
from memfs.records import NamedTuple
from memfs.tree import PollHandle, TextFile, TreeError
from memfs.vm.errors import VmError
from memfs.vm.sched import Job, Park

if TYPE_CHECKING:
    from memfs.mount import Mount, OpenFile
    from memfs.tree import Caller, Handle, Interrupt
    from memfs.vm import Task

# A process whose pid cannot be seen from here gets one above every real pid.
FIRST_UNSEEN_PID = 4194304


class Area(NamedTuple):
    """A mapping of a process: its number there, what was asked, the file behind."""

    number: int
    asked: MapAnon | MapFile
    file: OpenFile | None

    def __str__(self) -> str:
        asked = self.asked
        if isinstance(asked, MapAnon):
            return f"area={self.number} kind=anon size={asked.nbytes}"
        share = "shared" if asked.shared else "private"
        access = "rw" if asked.write else "ro"
        return (
            f"area={self.number} kind=file size={asked.nbytes}"
            f" share={share} access={access} path={asked.path}"
        )


class Process:
    """A modelled process and what it is doing."""

    def __init__(self, mount: Mount, pid: int) -> None:
        self.mount = mount
        self.pid = pid
        self._task: Task | None = None
        self.areas: dict[int, Area] = {}
        self.walks: list[tuple[int, Job]] = []  # area and job of each walk
        self.ended = False  # nothing more is done for it
        self._gone = False  # the model has forgotten it
        self._key = ("task", pid, id(self))
        if mount.machine.tasks.get(pid) is None:
            self._start()
        self._unwatch = mount.watch_pid(pid, self.end)

    def _start(self) -> None:
        self.mount.pump.tick()
        self._task = self.mount.machine.tasks.create(str(self.pid), self.pid)

    @property
    def task(self) -> Task:
        """The model's task.

        Raises:
            TreeError: ESRCH there is none yet; the first command makes it.
        """
        if self._task is None:
            raise TreeError(errno.ESRCH, f"process {self.pid} has not begun")
        return self._task

    @property
    def over(self) -> bool:
        """Whether it is no more: its pid ended, or it was chosen for want of memory."""
        return self.ended or (self._task is not None and self._task.killed)

    def check(self) -> None:
        """Refuse what is asked of a process that is no more."""
        if self.over:
            raise TreeError(errno.ESRCH, f"process {self.pid} has ended")

    def text(self) -> str:
        """Its own state."""
        if self._task is None or self.ended:
            state = "ended" if self.ended else "starting"
            return f"pid={self.pid} state={state}\n"
        lines = [describe(self.task), *map(str, self.areas.values())]
        lines += [f"walk area={area} op={job.id}" for area, job in self.walks]
        return "".join(f"{line}\n" for line in lines)

    async def command(self, data: bytes, interrupt: Interrupt) -> None:
        """Do what one write says."""
        self.check()
        asked = taskgrammar.parse(data)
        if self._task is None:
            await self._run(self._begin(), "begin", interrupt)
        await self._do(asked, interrupt)

    def _begin(self) -> Generator[Any, None, None]:
        # The one before, of the same pid, is still being torn down.
        tasks = self.mount.machine.tasks
        while tasks.get(self.pid) is not None:
            yield Park(("exit", self.pid))
        if self._task is None:
            self._start()

    async def _run(self, op: Generator[Any, None, Any], what: str, i: Interrupt) -> Any:
        return await self.mount.run(op, f"task {self.pid}: {what}", i)

    async def _do(self, asked: TaskCommand, interrupt: Interrupt) -> None:
        match asked:
            case MapAnon():
                number = self.task.mmap_anon(asked.nbytes)
                self.areas[number] = Area(number, asked, None)
            case MapFile():
                await self._map_file(asked)
            case Touch():
                await self._touch(self._area(asked.area), asked, interrupt)
            case Unmap():
                await self._munmap(self._area(asked.area), interrupt)
            case Wait():
                await self._run(self._no_walk(), "wait", interrupt)
                self.check()

    async def _map_file(self, asked: MapFile) -> None:
        file = await self.mount.resolve_file(asked.path, asked.write and asked.shared)
        try:
            self.check()
            number = self.task.mmap_file(
                file.page_file, asked.nbytes, asked.shared, asked.write
            )
        except BaseException:
            await file.close()
            raise
        self.areas[number] = Area(number, asked, file)

    async def _touch(self, area: Area, asked: Touch, interrupt: Interrupt) -> None:
        walk = self._walk(area, asked)
        name = f"task {self.pid}: touch {area.number}"
        if asked.passes is None:
            self.mount.spawn(_quietly(walk), name)
        else:
            await self.mount.run(walk, name, interrupt)

    async def _munmap(self, area: Area, interrupt: Interrupt) -> None:
        await self._run(self._unmap(area), f"munmap {area.number}", interrupt)
        if area.file is not None:
            await area.file.close()

    def _area(self, number: int) -> Area:
        if number not in self.areas:
            there = ", ".join(map(str, self.areas)) or "none"
            raise TreeError(errno.EINVAL, f"no area {number}; there are {there}")
        return self.areas[number]

    # Operations.

    def _walk(self, area: Area, asked: Touch) -> Generator[Any, None, None]:
        sched = self.mount.machine.sched
        assert sched.current is not None
        walk = (area.number, sched.current)
        self.walks.append(walk)
        try:
            yield from self.task.touch(
                area.number,
                asked.write,
                asked.order,
                asked.passes,
                asked.first,
                asked.nr,
            )
        finally:
            self.walks.remove(walk)
            sched.wake(self._key)

    def _no_walk(self, area: int | None = None) -> Generator[Any, None, None]:
        while any(area is None or number == area for number, _ in self.walks):
            yield Park(self._key)

    def _stop(self, area: int | None = None) -> Generator[Any, None, None]:
        for number, job in self.walks:
            if area is None or number == area:
                self.mount.cancel(job)
        yield from self._no_walk(area)

    def _unmap(self, area: Area) -> Generator[Any, None, None]:
        yield from self._stop(area.number)
        if self.areas.get(area.number) is area:
            yield from self.task.munmap(area.number)
            del self.areas[area.number]

    def _exit(self) -> Generator[Any, None, None]:
        yield from self._stop()
        if self._task is not None:
            yield from self._task.exit()
        self._gone = True
        self.mount.machine.sched.wake(("exit", self.pid))
        self.mount.machine.sched.wake(self._key)

    def _until_gone(self) -> Generator[Any, None, None]:
        while not self._gone:
            yield Park(self._key)

    # The end.

    def end(self) -> None:
        """It ends: its descriptor was closed or its pid is gone."""
        if self.ended:
            return
        self.ended = True
        self._unwatch()
        if self.mount.processes.get(self.pid) is self:
            del self.mount.processes[self.pid]
        self.mount.spawn(self._exit(), f"task {self.pid}: exit")

    async def release(self) -> None:
        """Its descriptor was closed: end it, and give back the files it had mapped."""
        self.end()
        await self.mount.run(self._until_gone(), f"task {self.pid}: last close")
        areas, self.areas = self.areas, {}
        for area in areas.values():
            if area.file is not None:
                await area.file.close()


def _quietly(walk: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """A walk that nobody waits for: its process's end is no error of the machine."""
    try:
        yield from walk
    except VmError:
        return


def describe(task: Task) -> str:
    """One task in one line; sizes in pages, cpu_ns of modelled time."""
    facts = task.stat()._asdict()
    state = "killed" if facts.pop("killed") else "running"
    head = f"pid={facts.pop('pid')} name={facts.pop('name')} state={state}"
    return " ".join([head, *(f"{key}={value}" for key, value in facts.items())])


class TaskHandle(PollHandle):
    """An open descriptor of ``control/tasks``: the process itself."""

    __slots__ = ("_data", "_opener", "_process", "_store")
    needs_release = True

    def __init__(self, process: Process, store: Any, opener: int) -> None:
        self._process = process
        self._store = store
        self._opener = opener
        self._data = b""

    @property
    def pid(self) -> int:
        """The thread that opened it; it may be held by a touch."""
        return self._opener

    def read(self, off: int, size: int) -> bytes:
        """Its own state, as it was when offset 0 was last read."""
        if off == 0:
            self._data = self._process.text().encode()
        return self._data[off : off + size]

    def changed(self) -> bool:
        """Told from the process's end on, whatever is read."""
        return self._process.over

    async def write(self, off: int, data: bytes, interrupt: Interrupt) -> int:
        if data:
            await self._store(self._process, data, interrupt)
        return len(data)

    async def release(self) -> None:
        await self._process.release()


class TaskFile(TextFile):
    """``control/tasks``: a list to who reads, a new process to who writes."""

    fresh_inode = True

    def __init__(self, mount: Mount, path: str, mode: int) -> None:
        super().__init__(self._list, mode)
        self._mount = mount
        self._path = path

    @classmethod
    def of_row(cls, mount: Mount, row: Any) -> TaskFile:
        return cls(mount, row.path, row.mode)

    def _list(self) -> bytes:
        tasks = self._mount.machine.tasks.all()
        return "".join(f"{describe(task)}\n" for task in tasks).encode()

    def open(self, flags: int, caller: Caller) -> Handle:
        """Start a process, or open the list.

        Raises:
            TreeError: EEXIST this pid is one already.
        """
        if flags & os.O_ACCMODE == os.O_RDONLY:
            return super().open(flags, caller)
        mount = self._mount
        pid = mount.process_id(caller.pid)
        try:
            process = self._started(pid)
        except (TreeError, VmError) as error:
            message = mount.tell(self._path, f"open by {pid}", error)
            raise TreeError(error.errno, message) from None
        return TaskHandle(process, mount.told(self._path, _command), caller.pid)

    def _started(self, pid: int) -> Process:
        processes = self._mount.processes
        if pid in processes:
            raise TreeError(errno.EEXIST, f"process {pid} is there already")
        processes[pid] = process = Process(self._mount, pid)
        return process


async def _command(
    mount: Mount, process: Process, data: bytes, interrupt: Interrupt
) -> None:
    await process.command(data, interrupt)
