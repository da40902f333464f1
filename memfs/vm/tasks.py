"""Modelled tasks: address spaces that map files and memory and touch their pages.

A task is named by a pid but is no process: nothing real is ever signalled. Its
touches are operations that somebody runs; when it is killed they end with ESRCH.
Two touches of one task may run at once, as two threads would.

Source: mm/mmap.c, mm/memory.c, kernel/exit.c, 2.6.0; the core does the faults.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm import _ffi
from memfs.vm._ffi import HugeTouch, Touch
from memfs.vm.accounting import check_commit
from memfs.vm.alloc import BUDGET, drive
from memfs.vm.errors import VmError
from memfs.vm.filereading import pages_of
from memfs.vm.pagecache import PageFile
from memfs.vm.readahead import ReadAhead
from memfs.vm.sched import MORE, Op, Park, Until

if TYPE_CHECKING:
    from memfs.vm.machine import Machine

FIRST_VPN = 0x10000  # chosen here: areas lie one behind the other from 256 MiB on
GUARD_PAGES = 16
MAX_VPN = 1 << 35  # 2^47 bytes on every layout
MAX_AREA = (1 << 32) - 1
ORDERS = ("sequential", "random")


class Area(NamedTuple):
    """An area of a task; pages."""

    id: int
    vma: int
    vpn: int
    nr: int
    file: PageFile | None
    writable: bool
    shared: bool
    locked: bool
    ra: ReadAhead
    huge: int | None = None


def area_flags(write: bool, shared: bool = False, lock: bool = False) -> int:
    """The flags of an area for the core."""
    return (
        (write and _ffi.VMA_WRITE)
        | (shared and _ffi.VMA_SHARED)
        | (lock and _ffi.VMA_LOCKED)
    )


class TaskStat(NamedTuple):
    """A task's counters: pages, faults, and modelled CPU time in ns."""

    pid: int
    name: str
    rss: int
    anon_rss: int
    swap: int
    page_tables: int
    nr_vmas: int
    total_vm: int
    minflt: int
    majflt: int
    cpu_ns: int
    killed: bool


class Task:
    """One modelled task."""

    def __init__(
        self, m: Machine, name: str, pid: int, number: int, stamp: int
    ) -> None:
        self.m = m
        self.name = name
        self.pid = pid
        # Which one of the machine's tasks it is, from 0: its pid is the computer's, and
        # another one in the next run, so nothing that happens may depend on that.
        self.number = number
        self.cpu = number % m.layout.cpus
        self.start_ns = m.now
        self.cpu_ns = 0
        self.killed = False
        self.dying = False
        self.gone = False
        self.areas: dict[int, Area] = {}
        self._next_area = 1
        self._next_vpn = FIRST_VPN
        self._passes = 0
        self._stamp = stamp
        self._mm = m.core.mm_create(stamp)

    def __repr__(self) -> str:
        return f"<Task {self.pid} {self.name}>"

    def stat(self) -> TaskStat:
        """Its counters; zeros when it is gone."""
        mm = _ffi.MmStat(*[0] * 8) if self.gone else self.m.core.mm_stat(self._mm)
        return TaskStat(
            self.pid,
            self.name,
            mm.rss,
            mm.anon_rss,
            mm.swap,
            mm.page_tables,
            mm.nr_vmas,
            mm.total_vm,
            mm.minflt,
            mm.majflt,
            self.cpu_ns,
            self.killed,
        )

    def has_mm(self, mm: int) -> bool:
        """Whether an address space of the core is this task's."""
        return not self.gone and self._mm == mm

    # -- areas -------------------------------------------------------------------

    def mmap_anon(self, nbytes: int, write: bool = True, lock: bool = False) -> int:
        """Map `nbytes` of anonymous memory. Returns: number of the area.

        Args:
            nbytes: size.
            write: it may be written.
            lock: what is touched stays in memory, as after mlockall().

        Raises:
            VmError: ESRCH the task was killed; EINVAL, ENOMEM.
        """
        return self._map(pages_of(nbytes), area_flags(write, lock=lock), None)

    def mmap_huge(self, nr: int, order: int = 0) -> int:
        """Map `nr` huge pages, which a touch takes from the pool. Returns: the area.

        Touches of the area count huge pages; a child does not inherit it. From 6.1 on
        they are promised to the area.

        Raises:
            VmError: ESRCH the task was killed; EINVAL, ENOMEM.
        """
        self._check_alive()
        order = order or self.m.hugetlb.order
        pages = nr << order
        if nr < 1 or self._next_vpn + pages > MAX_VPN:
            raise VmError(errno.EINVAL, f"an area of {nr} huge pages")
        huge = self.m.core.huge_map(order, nr, self._stamp, self._next_vpn)
        try:
            self.m.hugetlb.promise(huge, order)
        except VmError:
            self.m.core.huge_unmap(huge)
            raise
        area = Area(
            self._next_area,
            _ffi.NO_ID,
            self._next_vpn,
            nr,
            None,
            True,
            True,
            True,
            self.m.read_ahead(),
            huge,
        )
        self.areas[area.id] = area
        self._next_area += 1
        self._next_vpn += pages + GUARD_PAGES
        self.m.bump()
        return area.id

    def mmap_file(
        self,
        file: PageFile,
        nbytes: int,
        shared: bool = True,
        write: bool = False,
        lock: bool = False,
    ) -> int:
        """Map the first `nbytes` of a file. Returns: number of the area.

        Raises:
            VmError: ESRCH the task was killed; EINVAL, ENOMEM.
        """
        if file.dead:
            raise VmError(errno.ENODEV, "the file is gone")
        file.hold_fd()
        area = self._map(pages_of(nbytes), area_flags(write, shared, lock), file)
        if shared and write and file.kind == "file":
            self.m.writeback.dirtied(file, 0)
        return area

    def _map(self, nr: int, flags: int, file: PageFile | None) -> int:
        self._check_alive()
        if not 0 < nr <= MAX_AREA or self._next_vpn + nr > MAX_VPN:
            raise VmError(errno.EINVAL, f"an area of {nr} pages")
        mapping = _ffi.NO_ID if file is None else file.id
        if flags & _ffi.VMA_WRITE and not flags & _ffi.VMA_SHARED:
            check_commit(self.m, self, nr)
        if len(self.areas) >= self.m.tunables.max_map_count:
            raise VmError(errno.ENOMEM, f"{len(self.areas)} areas are too many")
        vma = self.m.core.mmap(self._mm, flags, mapping, 0, self._next_vpn, nr)
        area = Area(
            self._next_area,
            vma,
            self._next_vpn,
            nr,
            file,
            bool(flags & _ffi.VMA_WRITE),
            bool(flags & _ffi.VMA_SHARED),
            bool(flags & _ffi.VMA_LOCKED),
            self.m.read_ahead(),
        )
        self.areas[area.id] = area
        self._next_area += 1
        self._next_vpn += nr + GUARD_PAGES
        self.m.bump()
        return area.id

    def fork(self, pid: int) -> Op[Task]:
        """A child with the same areas; what is private is copied when written.

        Raises:
            VmError: ESRCH, EEXIST, EINVAL, ENOMEM.
        """
        self._check_alive()
        child = self.m.tasks.create(self.name, pid, self._stamp)
        try:
            for area in list(self.areas.values()):
                if area.huge is None:
                    yield from child._inherit(area)
        except BaseException:
            child.kill()
            self.m.tasks.forget(child)
            raise
        return child

    def _inherit(self, parent: Area) -> Op[None]:
        # The same pages at the same addresses, under the same number.
        self._next_area, self._next_vpn = parent.id, parent.vpn
        # A lock in memory is the parent's own: kernel/fork.c dup_mmap().
        flags = area_flags(parent.writable, parent.shared)
        area = self.areas[self._map(parent.nr, flags, parent.file)]
        cursor = 0

        def step() -> int:
            nonlocal cursor
            rc, cursor = self.m.core.vma_copy(parent.vma, area.vma, cursor, BUDGET)
            return rc

        yield from drive(self.m, step, what="fork", cpu=self.cpu)

    def area(self, area_id: int) -> Area:
        """An area by its number.

        Raises:
            VmError: ESRCH the task was killed; EINVAL, there is no such area.
        """
        self._check_alive()
        if area_id not in self.areas:
            raise VmError(errno.EINVAL, f"there is no area {area_id}")
        return self.areas[area_id]

    def munmap(self, area_id: int) -> Op[None]:
        """Take an area away.

        Raises:
            VmError: ESRCH the task was killed; EINVAL, there is no such area.
        """
        area = self.area(area_id)
        del self.areas[area_id]
        yield from self._zap(area)

    def _zap(self, area: Area) -> Op[None]:
        core = self.m.core
        if area.huge is not None:
            huge = area.huge
            yield from drive(self.m, lambda: core.huge_unmap(huge), what="munmap")
            return
        yield from drive(
            self.m, lambda: core.munmap(area.vma, BUDGET), what="munmap", cpu=self.cpu
        )
        if area.file is not None:
            yield from area.file.unmapped()

    # -- touching -----------------------------------------------------------------

    def touch(
        self,
        area_id: int,
        write: bool = True,
        order: str = "sequential",
        passes: int | None = None,
        first: int = 0,
        nr: int | None = None,
    ) -> Op[int]:
        """Touch pages of an area, pass after pass.

        Args:
            area_id: of this task.
            write: write them, else read.
            order: "sequential" or "random" (a page may come twice in a pass).
            passes: how many; None: without end.
            first: first page of the area.
            nr: pages; None: all from `first` on.

        Returns:
            Pages touched.

        Raises:
            VmError: ESRCH the task was killed; EINVAL; EACCES a write to a
                read-only area; EFAULT behind the end of a file; EIO.
        """
        area = self.area(area_id)
        nr = area.nr - first if nr is None else nr
        if order not in ORDERS or first < 0 or nr < 1 or first + nr > area.nr:
            raise VmError(errno.EINVAL, f"touch {order} of {nr} pages from {first}")
        if write and not area.writable:
            raise VmError(errno.EACCES, f"area {area_id} is read-only")
        flags = _ffi.TOUCH_WRITE if write else 0
        flags |= _ffi.TOUCH_RANDOM if order == "random" else 0
        walk: Touch | HugeTouch
        if area.huge is None:
            walk = Touch(self.m.core, self._mm, area.vma, flags, first, nr)
        else:
            walk = HugeTouch(self.m.core, area.huge, first, nr)
        done = 0
        while passes is None or done < passes:
            self._passes += 1
            walk.restart(self.m.seeds.of(self.number, self._passes))
            yield from self._pass(walk, area)
            done += 1
            self.m.report(passes=done)
        return done * nr

    def _pass(self, walk: Touch | HugeTouch, area: Area) -> Op[None]:
        guard = self._guard(area)
        try:
            yield from drive(
                self.m,
                lambda: walk.step(BUDGET),
                what="touch",
                guard=guard,
                ra=area.ra,
                cpu=self.cpu,
                step=lambda: self._spend(walk),
                place=lambda: walk.pos,
            )
        except VmError as error:
            if error.errno != errno.ENOMEM:
                raise
            # do_page_fault() kills who cannot have a page.
            self.m.klog.add(f"VM: killing process {self.name}", 4)
            self.kill()
            guard()

    def _spend(self, walk: Touch | HugeTouch) -> Op[None]:
        # The time that the touches took; a step is never free, so that a walk
        # without end lets the clock go on.
        cost = walk.take_cost()
        self.cpu_ns += cost
        self.m.cpu_ns[self.cpu] += cost
        if cost:
            with self.m.pressure.computing():
                yield Until(self.m.now + cost)
        else:
            yield MORE

    def _guard(self, area: Area) -> Callable[[], None]:
        def check() -> None:
            self._check_alive()
            if area.id not in self.areas:
                raise VmError(errno.EINVAL, f"area {area.id} was unmapped")

        return check

    def _check_alive(self) -> None:
        if self.killed:
            raise VmError(errno.ESRCH, f"task {self.pid} was killed")
        if self.gone or self.dying:
            raise VmError(errno.ESRCH, f"task {self.pid} has ended")

    # -- the end -------------------------------------------------------------------

    def kill(self) -> None:
        """Kill it: its pages go in the background, its touches end with ESRCH."""
        if self.killed or self.dying:
            return
        self.killed = True
        self.m.sched.spawn(self._exit(), name=f"exit {self.pid}", background=True)
        self.dying = True

    def exit(self) -> Op[None]:
        """End it: every area goes, and the pid is free again."""
        if self.dying:
            yield Park(("task", self.pid, "gone"))
        elif not self.gone:
            self.dying = True
            yield from self._exit()
        self.m.tasks.forget(self)

    def _exit(self) -> Op[None]:
        try:
            while self.areas:
                _, area = self.areas.popitem()
                yield from self._zap(area)
            core = self.m.core
            yield from drive(
                self.m, lambda: core.mm_destroy(self._mm, BUDGET), what="exit"
            )
            self.gone = True
        finally:
            self.dying = False
            self.m.sched.wake(("task", self.pid, "gone"))


class Tasks:
    """Every task of a machine, by its pid."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self._by_pid: dict[int, Task] = {}
        self.created = 0

    def create(self, name: str, pid: int, stamp: int | None = None) -> Task:
        """A task without areas; CPUs are given out in turn.

        `stamp` says whose pages its pages look like: None its own, or a parent's.

        Raises:
            VmError: EEXIST the pid is there; EINVAL; ENOMEM.
        """
        if pid in self._by_pid:
            raise VmError(errno.EEXIST, f"there is a task {pid}")
        if pid < 1:
            raise VmError(errno.EINVAL, f"pid {pid}")
        stamp = stamp or self.m.seeds.stamp()
        task = Task(self.m, name, pid, self.created, stamp)
        self.created += 1
        self._by_pid[pid] = task
        self.m.bump()
        return task

    def get(self, pid: int) -> Task | None:
        """The task of a pid, if there is one."""
        return self._by_pid.get(pid)

    def of_mm(self, mm: int) -> Task | None:
        """The task of an address space of the core."""
        for task in self._by_pid.values():
            if task.has_mm(mm):
                return task
        return None

    def all(self) -> list[Task]:
        """Every task, killed ones that have not been reaped too, by pid."""
        return [task for _, task in sorted(self._by_pid.items())]

    def forget(self, task: Task) -> None:
        """The task has ended."""
        if self._by_pid.get(task.pid) is task:
            del self._by_pid[task.pid]
        self.m.bump()
