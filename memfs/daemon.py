"""The life of a mount: checks, detaching, readiness, signals, the end.

``mount`` runs the whole daemon, ``umount`` ends one. What is mounted comes from a
factory, so nothing here knows the model: a ``Mount`` has a tree, a pump, and a
``shutdown`` that writes everything back.

One daemon a mount point and one a files directory: both are held by flock(2),
which the kernel lets go of however a daemon ends. A mount whose daemon was killed
is detached before a new one is made.

IMPORTANT: after the mount is there, this process must not look at anything below
it, nor have its working directory, its log or its core files there.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import functools
import gc
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import trio

from memfs import detach, locks, mountpoints
from memfs.locks import MountError
from memfs.tree import FOREVER, Dir

if TYPE_CHECKING:
    from memfs.background import Pump
    from memfs.fuse import Session
    from memfs.revoker import Revoker

log = logging.getLogger(__name__)

END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Requests that are still being answered when the mount ends get this long, s.
GRACE_S = 5.0


@dataclass
class DaemonOptions:
    """What the daemon needs to know.

    Attributes:
        mountpoint: a directory.
        files: the directory that nobody else may have; None: none.
        fuse: words for libfuse, as after -o.
        foreground: stay attached, log to stderr.
        ready_fd: READY and a newline are written here when the mount answers.
        word_fd: this process was made to be the daemon, without another fork; its
            word goes here.
        source: what /proc/mounts shows in its first column.
        settings: the factory's, not looked at here.
    """

    mountpoint: Path
    files: Path | None = None
    fuse: Sequence[str] = ()
    foreground: bool = False
    ready_fd: int | None = None
    word_fd: int | None = None
    source: str = "memfs"
    settings: dict[str, object] = field(default_factory=dict)


class Mount(Protocol):
    """What a factory makes.

    ``sync`` writes everything back while requests are still served. ``shutdown``
    does so when the mount is gone and nothing can come any more, and ends it.

    Attributes:
        private_files: the directory behind files/, if it ends with the mount.
        shim_missing: set by the daemon: what libfuse could not be made to do.
        watcher: set by the daemon: calls back when a process ends; what it
            returns takes that back.
        revoker: run by the daemon: takes back pages that processes map; or None.
        unwritten: after ``shutdown``: what could not be written, a line each.
    """

    root: Dir
    pump: Pump
    private_files: Path | None
    revoker: Revoker | None
    unwritten: list[str]
    name_timeout: float
    forget_names: Callable[[Sequence[tuple[Dir, bytes]]], Awaitable[None]] | None
    change_names: Callable[[int, Callable[[], bool]], AbstractAsyncContextManager[None]]
    forget_kept: Callable[[bool], None]
    shim_missing: tuple[str, ...]
    watcher: Callable[[int, Callable[[], None]], Callable[[], None]] | None

    async def sync(self) -> None: ...
    async def shutdown(self) -> None: ...


Factory = Callable[[DaemonOptions], Mount]


def mount(options: DaemonOptions, make_mount: Factory) -> int:
    """Mount and serve.

    Returns:
        0: detached, the mount answers; or, in the foreground, it has ended. The
        process that serves a detached mount never returns from here.

    Raises:
        MountError: one sentence: what was asked, what was found.
    """
    if options.ready_fd is not None:
        options = replace(options, ready_fd=_taken_over(options.ready_fd))
    detach.open_standard_streams()
    point = mountpoints.check(options.mountpoint)
    with contextlib.ExitStack() as held:
        keep = [held.enter_context(locks.lock_mountpoint(point))]
        if options.files is not None:
            lock = locks.lock_directory(options.files, point)
            keep.append(held.enter_context(lock))
        daemon = _Daemon(options, point, make_mount)
        if options.foreground:
            daemon.run()
            return 0
        if options.word_fd is not None:
            _become(daemon, options.word_fd, keep)
        return _detached(daemon, keep)


def _taken_over(fd: int) -> int:
    """See ``detach.take_over``. Raises MountError: it is not open."""
    try:
        return detach.take_over(fd)
    except (OSError, OverflowError):
        raise MountError(f"descriptor {fd} for READY: it is not open") from None


def umount(
    mountpoint: Path | str, lazy: bool = False, timeout_s: float = 600.0
) -> None:
    """Unmount and wait for the end of the daemon, which writes everything back.

    Raises:
        MountError: not a mount of memfs; busy, then with the pids that hold it; or
            the daemon did not end.
    """
    mountpoints.unmount(Path(mountpoint), lazy, timeout_s)


def _detached(daemon: _Daemon, keep: list[int]) -> int:
    """Fork, and wait for the child's word: READY, or a sentence.

    Args:
        keep: descriptors that the daemon must hold on to.
    """
    receive, send = os.pipe()
    detach.flush_standard_streams()
    if os.fork() == 0:
        _become(daemon, send, keep)
    os.close(send)
    why = detach.await_word(receive)
    if why is None:
        _see_answer(daemon.point)
        return 0
    raise MountError(why or f"{daemon.point}: the daemon ended before it was ready")


def _see_answer(point: Path) -> None:
    """Ask the mount something: what the kernel is told first may still be refused."""
    try:
        os.statvfs(point)
    except OSError as exc:
        log_path = locks.log_path(point)
        raise MountError(
            f"{point}: the mount does not answer: {exc.strerror}; the log is {log_path}"
        ) from None


def _become(daemon: _Daemon, send: int, keep: list[int]) -> NoReturn:
    """Be the daemon's process. Leaves by _exit: what is above is the parent's."""
    status = 1
    try:
        daemon.tell_fd = send
        ready = daemon.options.ready_fd
        kept = [*keep, send] if ready is None else [*keep, send, ready]
        detach.leave(locks.log_path(daemon.point), kept)
        _log_to_stderr()
        daemon.run()
        status = 0
    except MountError as exc:
        daemon.tell(str(exc).encode())
    except BaseException as exc:
        log.critical("the daemon of %s ends", daemon.point, exc_info=True)
        daemon.tell(f"{daemon.point}: {type(exc).__name__}: {exc}".encode())
    finally:
        logging.shutdown()
        os._exit(status)


# What pyfuse3 says of an answer for which there is no request any more.
TOO_LATE = "fuse_reply_* failed with " + os.strerror(errno.ENOENT)


def is_news(record: logging.LogRecord) -> bool:
    """Whether somebody may want to know.

    Nobody waits for an answer whose caller was killed, or for that of a close when
    the mount has ended meanwhile.
    """
    return not record.getMessage().endswith(TOO_LATE)


def _log_to_stderr() -> None:
    logging.getLogger("pyfuse3").addFilter(is_news)
    logging.basicConfig(
        level=os.environ.get("MEMFS_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


class _Daemon:
    """One mount, from the factory to the end of the process."""

    def __init__(self, options: DaemonOptions, point: Path, make: Factory) -> None:
        self.options = options
        self.point = point
        self.tell_fd: int | None = None
        self._make = make

    def run(self) -> None:
        if self.options.foreground:
            _log_to_stderr()
        locks.note_owner(self.point)
        # Modes of new files arrive with their callers' umask applied.
        os.umask(0)
        # For whoever asks what a daemon is doing: its stack, in the log.
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        trio.run(self._main)

    def tell(self, words: bytes) -> None:
        """To the parent, once."""
        if self.tell_fd is not None:
            os.write(self.tell_fd, words)
            os.close(self.tell_fd)
            self.tell_fd = None

    async def _main(self) -> None:
        with trio.open_signal_receiver(*END_SIGNALS) as signals:
            made = self._made()
            locks.note_owner(self.point, made.private_files)
            session = self._open(made)
            # From here on the kernel can be told of names that have gone.
            made.name_timeout, made.forget_names = FOREVER, session.forget_names
            made.change_names = session.listings.change
            made.forget_kept = session.forget_kept
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(made.pump.serve)
                    nursery.start_soon(self._end_on_signal, signals, session, made)
                    nursery.start_soon(self._note_hooks, session, made)
                    made.watcher = functools.partial(_watch_process, nursery)
                    if made.revoker is not None:
                        nursery.start_soon(made.revoker.serve, session.invalidate)
                    self._say_ready()
                    await session.serve()
                    if made.revoker is not None:
                        made.revoker.end()
                    made.pump.set_manual(True)
                    await made.shutdown()
                    if made.unwritten:
                        locks.note_unwritten(self.point)
                    nursery.cancel_scope.cancel()
            finally:
                session.close(unmount=True)
        log.info("the mount on %s has ended", self.point)

    def _made(self) -> Mount:
        """What is mounted; a mistake in what was asked for is one sentence."""
        try:
            return self._make(self.options)
        except Exception as exc:
            if getattr(exc, "errno", None) is None:
                raise
            raise MountError(str(exc)) from exc

    def _open(self, made: Mount) -> Session:
        # pyfuse3 is imported here, after the fork, and by nobody who only asks.
        from memfs.fuse import SHIM, TURNS, Session

        # libfuse is handed ASCII; a name that somebody gives replaces ours.
        source = self.options.source.encode("ascii", "replace").decode()
        words = [f"fsname={source}", "subtype=memfs", "default_permissions"]
        options = {
            word.partition("=")[0]: word for word in [*words, *self.options.fuse]
        }
        made.pump.served = SHIM.served
        TURNS.resting = made.pump.resting
        try:
            return Session(made.root, str(self.point), options.values())
        except RuntimeError as exc:
            stays = self.options.foreground
            log = "the log" if stays else str(locks.log_path(self.point))
            why = mountpoints.why_not(self.point, exc, options, log)
            raise MountError(why) from None

    def _say_ready(self) -> None:
        """The mount is there: a request that comes now waits for its answer."""
        log.info("mounted on %s, pid %d", self.point, os.getpid())
        self.tell(detach.READY)
        if self.options.ready_fd is not None:
            try:
                os.write(self.options.ready_fd, detach.READY)
            except OSError as exc:
                log.warning("nobody could be told that the mount is ready: %s", exc)
            os.close(self.options.ready_fd)
        # What is there now stays: it need not be looked through for garbage.
        gc.collect()
        gc.freeze()

    async def _note_hooks(self, session: Session, made: Mount) -> None:
        await session.initialised.wait()
        missing = session.missing()
        made.shim_missing = tuple(f"{name}: {form}" for name, form in missing.items())
        for line in made.shim_missing:
            log.info("no hook for %s", line)

    async def _end_on_signal(
        self, signals: AsyncIterator[int], session: Session, made: Mount
    ) -> None:
        number = await anext(signals)
        log.info("%s: writing back and unmounting", signal.Signals(number).name)
        session.interrupt_all()
        await self._collect_mapped()
        # What ends waits for no device that is only modelled.
        made.pump.set_manual(True)
        await made.sync()
        # From here on nobody is answered, so nothing that was answered is lost.
        session.stop()
        await trio.sleep(GRACE_S)
        session.abandon()

    async def _collect_mapped(self) -> None:
        """Have the kernel hand over what was written through shared mappings."""
        with trio.move_on_after(GRACE_S):
            command = ["sync", "-f", str(self.point)]
            await trio.run_process(command, check=False, stderr=subprocess.DEVNULL)


def _watch_process(
    nursery: trio.Nursery, pid: int, gone: Callable[[], None]
) -> Callable[[], None]:
    """Have *gone* called when a process ends; the result takes that back."""
    scope = trio.CancelScope()
    nursery.start_soon(_await_process, scope, pid, gone)
    return scope.cancel


async def _await_process(
    scope: trio.CancelScope, pid: int, gone: Callable[[], None]
) -> None:
    with scope:
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            gone()
            return
        try:
            await trio.lowlevel.wait_readable(fd)
        finally:
            os.close(fd)
        gone()
