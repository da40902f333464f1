"""The mount as the kernel sees it: pyfuse3 on one side, the handlers on the other.

This is a protocol adapter only. What there is, and what a write to it means, is
said by the nodes of ``memfs/tree.py`` and by volumes; which node or volume answers
a request, by ``memfs/handlers``. Here are the forms on the wire, the errno, and
the session. It is the only importer of pyfuse3, and the shim is loaded before that.

IMPORTANT, concurrency: one trio thread. What waits (a command, a volume) is put on
the watch of ``callers`` when it first does, so that a signal to its caller reaches
it. Nothing in the daemon may touch its own mount: it would wait for itself.

Every handler is wrapped: an errno passes, anything else is logged and becomes
EIO, for what reaches pyfuse3 ends the mount.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import trio

from memfs import shim
from memfs.callers import POLL_S, errno_of, resume
from memfs.direct import NODES, VOLUMES, Direct
from memfs.handlers import Handlers
from memfs.inodes import Inode, number
from memfs.listings import Listings
from memfs.tree import FOREVER, PAGE_SIZE, Attr, Dir, StatFs, Volume
from memfs.turns import Gate, Turns
from memfs.vm.revoke import Revocation

SHIM = shim.load()

import pyfuse3  # noqa: E402

TURNS = Turns(trio, SHIM)
if SHIM.loaded:
    pyfuse3.trio = TURNS.module  # type: ignore[attr-defined]

# Requests that may wait at once. Without the shim, idle tasks above the minimum
# retire; with it none does, for the one that reads must not be among them.
MAX_TASKS = 6000
MIN_TASKS = MAX_TASKS if SHIM.loaded else 8

# How late whoever waits in poll(2) may hear of a change.
POLLERS_S = 0.005

# Attr's fields by the names they have on the wire.
_FIELDS = (
    "st_mode",
    "st_size",
    "st_nlink",
    "st_uid",
    "st_gid",
    "st_atime_ns",
    "st_mtime_ns",
    "st_ctime_ns",
    "st_blocks",
    "st_blksize",
    "st_rdev",
)

P = ParamSpec("P")
T = TypeVar("T")
Entry = pyfuse3.EntryAttributes


def _answer(
    handler: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Wrap a handler."""

    @functools.wraps(handler)
    async def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        work = handler(*args, **kwargs)
        try:
            trap = work.send(None)
            # It waits: meanwhile another task reads requests.
            TURNS.turn.pass_on()
            return await resume(work, trap)
        except StopIteration as stop:
            return cast(T, stop.value)
        except Exception as exc:
            raise pyfuse3.FUSEError(errno_of(exc, handler.__name__)) from None

    return answer


class PyfuseWire:
    """Implements ``memfs.handlers.Wire``.

    A reply is copied before the next handler runs, so one object of each kind is
    used over and over: to make one costs more than to answer a request.
    """

    def __init__(self) -> None:
        self._info = pyfuse3.FileInfo(direct_io=True, keep_cache=False)
        self._shown = Entry()
        self._shown_attr = Attr(self._shown.st_mode)
        self._absent = Entry()
        self._absent.entry_timeout = FOREVER

    def node_entry(self, inode: Inode) -> Entry:
        """The attributes of a generated node.

        Those that the kernel asks for again and again have an object of their own,
        filled in only when they changed.
        """
        node = inode.node
        attr = node.attr()
        if node.attr_timeout:
            timeout = 0.0 if inode.private else node.entry_timeout
            return self._show(inode.ino, attr, timeout, node.attr_timeout)
        entry = inode.entry
        if attr is inode.attr:
            return cast(Entry, entry)
        if not isinstance(entry, Entry):
            inode.entry = entry = Entry()
            entry.st_ino = inode.ino
            entry.entry_timeout = 0 if inode.private else node.entry_timeout
            entry.attr_timeout = 0
        for field, value in zip(_FIELDS, attr, strict=True):
            setattr(entry, field, value)
        inode.attr = attr
        return entry

    def volume_entry(self, volume: Volume, ino: int, attr: Attr) -> Entry:
        """The attributes of a volume's inode."""
        return self._show(ino, attr, volume.entry_timeout, volume.attr_timeout)

    def _show(
        self, ino: int, attr: Attr, entry_timeout: float, attr_timeout: float
    ) -> Entry:
        """The object that is used over and over. Setting a field is what costs."""
        entry = self._shown
        if attr is not self._shown_attr and attr != self._shown_attr:
            for field, new, old in zip(_FIELDS, attr, self._shown_attr, strict=True):
                if new != old:
                    setattr(entry, field, new)
        self._shown_attr = attr
        entry.st_ino = ino
        entry.entry_timeout = entry_timeout
        entry.attr_timeout = attr_timeout
        return entry

    def absent(self) -> Entry:
        """The number 0: the kernel may remember that the name is not there."""
        return self._absent

    def opened(self, fh: int) -> pyfuse3.FileInfo:
        self._info.fh = fh
        return self._info

    def statfs(self, seen: StatFs) -> pyfuse3.StatvfsData:
        data = pyfuse3.StatvfsData()
        for field, value in seen._asdict().items():
            setattr(data, "f_" + field, value)
        data.f_frsize = seen.bsize
        return data

    def listed(self, token: Any, name: bytes, entry: Entry, cookie: int) -> bool:
        return pyfuse3.readdir_reply(token, name, entry, cookie)


class Operations(pyfuse3.Operations):
    """The handlers, wrapped, as pyfuse3 wants them."""

    supports_dot_lookup = False
    enable_writeback_cache = False

    def __init__(self, handlers: Handlers) -> None:
        for name in _HANDLED:
            setattr(self, name, _answer(getattr(handlers, name)))
        # No errno can be answered to this one, and it never waits.
        self.forget = handlers.forget  # type: ignore[method-assign]


# Every request that ``Handlers`` answers and pyfuse3 knows.
_HANDLED = sorted(
    name
    for name in vars(pyfuse3.Operations)
    if hasattr(Handlers, name) and not name.startswith("_")
)


def _forget(names: Sequence[tuple[int, bytes]]) -> None:
    for parent, name in names:
        # A name, or a directory, that the kernel has forgotten by itself.
        with contextlib.suppress(FileNotFoundError):
            pyfuse3.invalidate_entry(pyfuse3.InodeT(parent), pyfuse3.FileNameT(name))


class Session:
    """One mounted tree; one a process, for pyfuse3 keeps its session in globals.

    Args:
        root: what is mounted.
        mountpoint: an absolute path.
        options: words for libfuse.

    Attributes:
        initialised: the kernel has been spoken to, so it is known what is hooked.

    Raises:
        RuntimeError: libfuse could not mount; it said why on stderr.
    """

    def __init__(self, root: Dir, mountpoint: str, options: Iterable[str]) -> None:
        make_gate = functools.partial(Gate, trio)
        self.handlers = Handlers(root, PyfuseWire(), SHIM, make_gate)
        self.listings = self.handlers.listings = Listings(trio)
        self.initialised = trio.Event()
        self._nursery: trio.Nursery | None = None
        operations = Operations(self.handlers)
        operations.init = self.initialised.set  # type: ignore[method-assign]
        SHIM.start(self._on_fallocate, self._on_lseek)
        direct = Direct(self.handlers)
        SHIM.attach_direct(direct.answer, direct.room, VOLUMES, NODES)
        words = set(options)
        if not SHIM.loaded:
            # libfuse ends a session that does not say it again, which pyfuse3 cannot.
            words = {word for word in words if not word.startswith("max_read=")}
        pyfuse3.init(operations, mountpoint, words)

    async def serve(self) -> None:
        """Answer requests until the mount is gone or ``stop`` is called."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._poll_callers)
            nursery.start_soon(self._tell_pollers)
            if SHIM.event_fd >= 0:
                nursery.start_soon(self._watch_events)
            await pyfuse3.main(min_tasks=MIN_TASKS, max_tasks=MAX_TASKS)
            nursery.cancel_scope.cancel()

    def missing(self) -> dict[str, str]:
        """The hooks that are not in, and what the mount does instead."""
        return shim.missing()

    def interrupt_all(self) -> None:
        """End every waiting request, and take no more commands."""
        self.handlers.closing = True
        self.handlers.callers.interrupt_all()

    def stop(self) -> None:
        """Have ``serve`` return when the requests in hand are answered."""
        pyfuse3.terminate()
        TURNS.turn.end()

    def abandon(self) -> None:
        """Have ``serve`` return now; requests in hand get no answer."""
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def close(self, unmount: bool = True) -> None:
        pyfuse3.close(unmount=unmount)

    async def revoke(self, volume: Volume, ino: int, off: int, length: int) -> None:
        """Drop the kernel's copy of a range of a volume's file.

        Dirty pages come back as writes first, while this waits: hold nothing that
        a read or a write may wait for.

        Raises:
            OSError: ENOSYS without the shim; what the kernel answers.
        """
        inode = number(self.handlers.volumes.index(volume), ino)
        await trio.to_thread.run_sync(SHIM.invalidate, inode, off, length)

    def invalidate(self, ranges: Iterable[Revocation]) -> None:
        """Drop the kernel's copies of ranges of volumes' files; for a thread.

        Without the shim it is the whole of each file.

        Raises:
            OSError: what the kernel answers.
        """
        volumes = self.handlers.volumes
        numbered = [
            (number(volumes.index(file.holder[0]), file.holder[1]), first, nr)
            for file, first, nr in ranges
        ]
        if SHIM.loaded:
            SHIM.invalidate_ranges(
                [
                    (ino, first * PAGE_SIZE, nr * PAGE_SIZE)
                    for ino, first, nr in numbered
                ]
            )
            return
        for ino in sorted({ino for ino, _, _ in numbered}):
            try:
                pyfuse3.invalidate_inode(pyfuse3.InodeT(ino))
            except FileNotFoundError:
                continue

    def forget_kept(self, names: bool) -> None:
        """What steady files showed is not true any more, nor with *names* any list."""
        SHIM.forget_texts()
        if names:
            SHIM.forget_lists()

    async def forget_names(self, names: Sequence[tuple[Dir, bytes]]) -> None:
        """Have the kernel look names up again; whoever walks a path from now on asks.

        In a thread: the kernel may first wait for an answer from this one.
        """
        known = [(node.ino, name) for node, name in names if node.ino]
        if known:
            await trio.to_thread.run_sync(_forget, known)

    async def _watch_events(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(SHIM.event_fd)
            self.handlers.callers.events()
            if SHIM.over():
                TURNS.turn.end()

    async def _tell_pollers(self) -> None:
        """Look now and then, while somebody waits in poll(2), what has changed."""
        handlers = self.handlers
        while True:
            somebody = trio.Event()
            handlers.on_poller = somebody.set
            if not handlers.pollers:
                await somebody.wait()
            await trio.sleep(POLLERS_S)
            handlers.tell_pollers()

    async def _poll_callers(self) -> None:
        callers = self.handlers.callers
        while True:
            somebody = trio.Event()
            callers.on_polled = somebody.set
            if not callers.polling:
                await somebody.wait()
            await trio.sleep(POLL_S)
            callers.poll()

    # Requests that only the shim hands over, and that are answered through it.

    def _on_fallocate(
        self, req: int, fh: int, mode: int, off: int, length: int
    ) -> None:
        work = self.handlers.fallocate(fh, mode, off, length)
        self._soon(req, work, SHIM.reply_err)

    def _on_lseek(self, req: int, fh: int, off: int, whence: int) -> None:
        self._soon(req, self.handlers.lseek(fh, off, whence), SHIM.reply_lseek)

    def _soon(
        self, req: int, work: Awaitable[int | None], reply: Callable[[int, int], None]
    ) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._reply, req, work, reply)

    async def _reply(
        self, req: int, work: Awaitable[int | None], reply: Callable[[int, int], None]
    ) -> None:
        # Other requests may have come since this one was handed over.
        SHIM.take(req)
        try:
            reply(req, await work or 0)
        except Exception as exc:
            SHIM.reply_err(req, errno_of(exc, "fallocate or lseek"))
