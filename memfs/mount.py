"""One mount: a machine, its pump, its volumes, and the tree that shows them.

The files and the commands ask everything of a Mount: figures of this instant, an
operation to be run, a file of files/ to be mapped, a line for the kernel log. The
daemon makes one with ``make_mount`` and ends it with ``shutdown``.

What it is not: it speaks no FUSE and starts no task of trio; what waits is handed
to the pump (memfs/background.py).

Concurrency: one thread, that of the pump.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from memfs import shim
from memfs.background import Pump
from memfs.files import build_tree, grammar
from memfs.files.hostfs import HostDirectory
from memfs.files.paged import PagedVolume
from memfs.files.tasks import FIRST_UNSEEN_PID, Process
from memfs.files.volumes import files_volume, memory_volume
from memfs.lanes import Lanes
from memfs.records import NamedTuple
from memfs.revoker import Revoker
from memfs.tree import ROOT_CALLER, Caller, Dir, Interrupt, TreeError, Volume, now_ns
from memfs.vm import Layout, Machine
from memfs.vm.errors import VmError, errno_name
from memfs.vm.klog import KERN_ERR

if TYPE_CHECKING:
    from memfs.files.build import FamilyDir
    from memfs.vm.sched import Job, Op
    from memfs.vm.stats import NodeFigures

log = logging.getLogger(__name__)

T = TypeVar("T")
# Takes names out of the kernel's memory: each with the directory that it was in.
ForgetNames = Callable[[Sequence[tuple[Dir, bytes]]], Awaitable[None]]
ChangeNames = Callable[[int, Callable[[], bool]], AbstractAsyncContextManager[None]]


def nobody_looks(
    pid: int, given_up: Callable[[], bool]
) -> AbstractAsyncContextManager[None]:
    """For a mount without a daemon."""
    return nullcontext()


class Settings(NamedTuple):
    """What a mount is made of.

    Attributes:
        machine: a built-in layout or the path of a machine file.
        clock: "wall" or "manual".
        host_memory: bytes of real memory for the pages of files; None: half of
            what is available.
        shm_size: of shm/, as ``size=`` of tmpfs: bytes, ``N%`` of the machine's
            memory, 0 no limit; None: half of it.
        noatime: reading changes no access time in files/ and shm/.
        paranoid: validate after every command.
        swap_file: a host file for the swap area; None: memory.
        batch, prefetch: of the core's loops; no effect on what happens.
    """

    machine: str = "2004"
    clock: str = "wall"
    seed: int = 0
    host_memory: int | None = None
    shm_size: str | None = None
    noatime: bool = False
    paranoid: bool = False
    swap_file: str | None = None
    batch: int = 32
    prefetch: bool = True


class Asked(Protocol):
    """What the daemon was asked for, as far as a mount is made of it.

    ``settings`` are those of Settings by name; ``files`` is the directory behind
    files/, None for a private one.
    """

    @property
    def files(self) -> Path | None: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...


class FileVolume(Volume, Protocol):
    """A volume whose files a modelled process can map."""

    async def walk(self, path: bytes) -> int:
        """The inode of a path below its root; symbolic links are not followed."""

    async def page_file(self, fh: int) -> Any:
        """The page cache of an open file."""

    async def shutdown(self) -> list[str]:
        """Write everything, close it; what could not be written, a line each."""


class OpenFile:
    """A file of a volume, open as long as something maps it."""

    def __init__(self, page_file: Any, close: Callable[[], Awaitable[None]]) -> None:
        self.page_file = page_file
        self._close: Callable[[], Awaitable[None]] | None = close

    async def close(self) -> None:
        if self._close is not None:
            close, self._close = self._close, None
            await close()


class Mount:
    """Everything that belongs to one mount point.

    Attributes:
        violations: what the last validate found; None: it never ran.
        why: the answer of control/why to the last question.
        processes: the modelled processes with an open descriptor, by pid.
        shim_missing: what fuse_shim.c could not hook, for status; the daemon's.
        watcher: calls back when a real process ends; the daemon's.
        private_files: the directory behind files/, if it ends with the mount.
        unwritten: what could not be written when it ended, a line each.
        forget_names: has the kernel forget names; the daemon's.
        forget_kept: told when a node or a block is not as it was, and whether one
            has come or gone; the daemon's.
        change_names: what is done inside is seen whole or not at all by whoever
            lists names, mostly; given the thread that wants it; the daemon's.
        revoker: takes pages back that real processes map; run by the daemon.
    """

    def __init__(
        self,
        machine: Machine,
        pump: Pump,
        settings: Settings,
        volumes: dict[str, FileVolume] | None = None,
    ) -> None:
        self.machine = machine
        self.pump = pump
        self.settings = settings
        self.volumes = volumes or {}
        self.violations: list[str] | None = None
        self.why = ""
        self.processes: dict[int, Process] = {}
        self.shim_missing: tuple[str, ...] = ()
        self.watcher: Callable[[int, Callable[[], None]], Callable[[], None]] | None
        self.watcher = None
        self.revoker: Revoker | None = Revoker(pump, machine.revoke)
        self.private_files: Path | None = None
        self.unwritten: list[str] = []
        self._unseen = FIRST_UNSEEN_PID
        self._closed = False
        # Parts of files that are made again only when they have changed: what they
        # were made of, and they, by whoever made them.
        self.kept: dict[object, tuple[Any, str]] = {}
        # Settings that have no effect.
        self.idle_knobs: dict[str, int] = {}
        # When the machine booted, s since the epoch of the host's clock.
        self.boot_s = (now_ns() - machine.now) // 10**9
        # When the names were made that are always there, ns of the host's clock.
        self.born_ns = now_ns()
        # For how long the kernel may keep names that come and go, s; more than 0 only
        # where it can be told that they have gone.
        self.name_timeout = 0.0
        self.forget_names: ForgetNames | None = None
        self.change_names: ChangeNames = nobody_looks
        self.forget_kept: Callable[[bool], None] = lambda names: None
        self._names_seen = machine.blocks.names
        machine.blocks.on_change = self._tell_changed
        # Directories with such names.
        self.families: list[FamilyDir] = []
        self._unplugs_seen = 0
        self.root: Dir = build_tree(self)

    def node(self, nid: int) -> NodeFigures:
        """The figures of a plugged node.

        Raises:
            TreeError: ENODEV it is not plugged (any more).
        """
        figures = self.machine.snapshot().nodes.get(nid)
        if figures is None:
            raise TreeError(errno.ENODEV, f"node {nid} is not plugged")
        return figures

    # Operations.

    async def run(self, op: Op[T], name: str, interrupt: Interrupt | None = None) -> T:
        """Run *op* to its end for a caller who waits; status shows it as *name*.

        Raises:
            VmError: the operation's own.
            TreeError: EINTR: *interrupt* or control/cancel stopped it.
        """
        try:
            return await self.pump.run_job(op, name, interrupt)
        finally:
            if self.machine.blocks.unplugs != self._unplugs_seen:
                await self._tell_gone()

    def _tell_changed(self) -> None:
        """Have nothing kept that is not true any more."""
        names = self.machine.blocks.names
        self.forget_kept(names != self._names_seen)
        self._names_seen = names

    async def _tell_gone(self) -> None:
        """Have the kernel forget names that have gone; whoever asks finds none."""
        self._unplugs_seen = self.machine.blocks.unplugs
        if self.forget_names is not None:
            gone = [(at, name) for at in self.families for name in at.gone_names()]
            await self.forget_names(gone)

    def spawn(self, op: Op[None], name: str) -> None:
        """Start *op*, for which nobody waits; it must not raise."""
        self.machine.sched.spawn(op, name=name, background=True)
        self.pump.poke()

    def cancel(self, job: Job) -> None:
        """Stop *job* at its next step."""
        self.machine.sched.cancel(job)
        self.pump.poke()

    async def validate(self, interrupt: Interrupt | None = None) -> list[str]:
        """Check every invariant; what was found is kept for control/validate."""
        found = await self.run(self.machine.validate(), "validate", interrupt)
        self.violations = list(found)
        for line in self.violations:
            log.error("validate: %s", line)
            self.machine.klog.add(f"validate: {line}", KERN_ERR)
        return self.violations

    # Refusals.

    def told(self, path: str, store: Callable[..., Awaitable[int | None]]) -> Any:
        """*store* bound to this mount; a refusal gets its line in the kernel log."""

        async def bound(*args: Any) -> int | None:
            try:
                return await store(self, *args)
            except (TreeError, VmError) as error:
                data = next((arg for arg in args if isinstance(arg, bytes)), b"")
                message = self.tell(path, grammar.shown(data), error)
                raise TreeError(error.errno, message) from None

        return bound

    def tell(self, path: str, asked: str, error: TreeError | VmError) -> str:
        """Print why something was refused into the kernel log; return the reason."""
        message = error.message or str(error)
        if asked and not message.startswith(asked):
            message = f"{asked}: {message}"
        name = errno_name(error.errno)
        self.pump.tick()
        self.machine.klog.add(f"{path}: {message} ({name})")
        return message

    # Real files and real processes.

    async def resolve_file(
        self, path: str, write: bool, caller: Caller = ROOT_CALLER
    ) -> OpenFile:
        """Open a file of a volume by its path from the mount point, ``files/big``.

        Raises:
            TreeError: ENOENT, EISDIR, ELOOP a symbolic link, EINVAL no such volume.
        """
        name, _, below = path.partition("/")
        volume = self.volumes.get(name)
        if volume is None or not below:
            there = " or ".join(f"{name}/" for name in self.volumes)
            raise TreeError(errno.EINVAL, f"{path!a}: a file below {there} is expected")
        try:
            ino = await volume.walk(os.fsencode(below))
            flags = os.O_RDWR if write else os.O_RDONLY
            fh = await volume.open(ino, flags, caller)
        except (TreeError, VmError) as error:
            raise TreeError(error.errno, f"{path!a}: {error}") from None
        try:
            return OpenFile(await volume.page_file(fh), lambda: volume.release(fh))
        except BaseException:
            await volume.release(fh)
            raise

    def watch_pid(self, pid: int, gone: Callable[[], None]) -> Callable[[], None]:
        """Have *gone* called when the real process ends; the result stops that."""
        if self.watcher is None or pid >= FIRST_UNSEEN_PID:
            return lambda: None
        return self.watcher(pid, gone)

    def process_id(self, tid: int) -> int:
        """The process of thread *tid*, as FUSE names callers by thread.

        One that cannot be seen from here (another pid namespace) gets a number
        above all real pids.
        """
        try:
            status = Path(f"/proc/{tid}/status").read_text() if tid > 0 else ""
        except OSError:
            status = ""
        for line in status.splitlines():
            if line.startswith("Tgid:"):
                return int(line.split()[1])
        self._unseen += 1
        return self._unseen - 1

    # The end.

    async def sync(self) -> None:
        """Write everything back; requests are still served."""
        await self.run(self.machine.sync(), "sync")

    async def shutdown(self) -> None:
        """End every process, write everything back, close the volumes; once.

        Nothing can come any more. The pump still runs; ``close`` ends the machine.
        """
        if self._closed:
            return
        self._closed = True
        for process in list(self.processes.values()):
            await process.release()
        for volume in self.volumes.values():
            self.unwritten += await volume.shutdown()
        for line in self.unwritten:
            log.error("not written: %s", line)

    def close(self) -> None:
        """Give the machine's memory back; the pump does not run any more."""
        self.machine.close()


def make_mount(asked: Asked) -> Mount:
    """Make the machine, its pump and its volumes, and the tree that shows them.

    Raises:
        VmError: LayoutError, a mistake in the machine file; ENOMEM.
        TreeError: the files directory cannot be had.
    """
    settings = Settings(**{k: v for k, v in asked.settings.items() if k != "files"})
    machine = Machine(
        layout_of(settings.machine),
        seed=settings.seed,
        paranoid=settings.paranoid,
        swap_file=settings.swap_file,
        host_memory=settings.host_memory or half_of_available(),
        batch=settings.batch,
        prefetch=settings.prefetch,
    )
    try:
        pump = Pump(machine.sched, manual=settings.clock == "manual")
        lanes = Lanes(shim.load(), machine.core.lane_calls())
        # Whoever names a directory has locked it, for the sake of its own words.
        directory = HostDirectory(asked.files, locked=asked.files is not None)
        volumes: dict[str, PagedVolume] = {
            "files": files_volume(machine, pump, directory, lanes),
            "shm": memory_volume(machine, pump, settings.shm_size, lanes),
        }
        for volume in volumes.values():
            volume.noatime = settings.noatime
    except BaseException:
        machine.close()
        raise
    pump.on_idle = machine.trim_host
    mount = Mount(machine, pump, settings, {**volumes})
    mount.private_files = directory.path if directory.private else None
    return mount


def layout_of(name: str) -> Layout:
    """A built-in layout by its name, or the machine file of that path."""
    if name in Layout.builtin_names():
        return Layout.builtin(name)
    return Layout.load(name)


def half_of_available() -> int:
    """Half of the real memory that is available; bytes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 // 2
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
