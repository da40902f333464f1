"""The hooks in libfuse that pyfuse3 leaves out: loading, naming, calling them.

``load()`` must run before pyfuse3 is imported: the shared object beside this
module goes into the global scope of the process, where its names win over
libfuse's (memfs/csrc/fuse_shim.c says which and why). This is the one module that
may use ctypes: the object must be opened RTLD_GLOBAL, and stands apart from the
compiled core.

What it is not: it knows no node and no handler; ``memfs/fuse.py`` decides what is
watched and what an interruption does.

Concurrency: the thread that runs the session; ``invalidate`` may be called from
any thread, and must be where data of the file may be dirty.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LIBRARY = Path(__file__).with_name("_fuse_shim.so")

# Bits of memfs_shim_hooks(), in the order of the enum in fuse_shim.c.
HOOKS = (
    "interrupt",
    "mmap",
    "fallocate",
    "lseek",
    "inval",
    "noflush",
    "statfs",
    "background",
    "lane",
    "text",
    "direct",
)

# What the mount does without each: one row a hook, shown in status.
LESSER_FORM = {
    "interrupt": "a held writer's pending signals are looked at every 20 ms",
    "mmap": "shared mappings of files answer ENODEV",
    "fallocate": "fallocate answers EOPNOTSUPP",
    "lseek": "every byte of a file is data to SEEK_DATA and SEEK_HOLE",
    "inval": "pages that were read are revoked, mapped or not, a whole file at a time",
    "noflush": "each close of a file costs one request more",
    "statfs": "statfs shows the first volume everywhere",
    "background": "at most 12 background requests are in flight",
    "lane": "reads and writes of resident pages are answered in Python, too",
    "text": "generated files are opened, read and closed in Python, too",
    "direct": "names, attributes and opening are answered through pyfuse3, too",
}

PAGE_SIZE = 4096

# Closes of text files that are told of at once.
CLOSED_MOST = 256

# Longer texts are not kept: fuse_text.h.
TEXT_KEPT_MOST = 48

# Of the kernel's background requests (16 bits on the wire).
MAX_BACKGROUND = 8192

# What a direct answer may be beside bytes or a -errno: fuse_direct.h.
DIRECT_NOT = 1 << 20
DIRECT_NONE = DIRECT_NOT + 1
DIRECT_CHANGED = DIRECT_NOT + 2

DirectFn = Callable[[int, int, int, int], int]
FallocateFn = Callable[[int, int, int, int, int], None]
LseekFn = Callable[[int, int, int, int], None]

_FALLOCATE = ctypes.PYFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
)
_LSEEK = ctypes.PYFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64, ctypes.c_int
)
_DIRECT = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint32
)


class Shim:
    """The loaded shim, or with ``lib`` None its absence: same calls, no effect."""

    def __init__(self, lib: ctypes.PyDLL | None, nogil: ctypes.CDLL | None) -> None:
        self._lib = lib
        self._nogil = nogil
        self._callbacks: tuple[object, ...] = ()
        self.event_fd = -1
        self.arm: Callable[[], int] = lambda: -1
        self.disarm: Callable[[int], None] = lambda slot: None
        self.caller_pid: Callable[[], int] = lambda: 0
        self._cached: Callable[[], int] | None = None
        self._kills: Callable[[], int] | None = None
        self.served: Callable[[], int] = lambda: 0
        self.over: Callable[[], int] = lambda: 0
        self.readable: Callable[[int], int] = lambda spin_ns: 0
        # Till when (monotonic, ns) requests that are answered here have the turn.
        self.keep_turn: Callable[[int], None] = lambda until: None
        self._bind: Callable[[int, Any], int] = lambda fh, lane: 0
        # A handle is closed: its record is not looked at any more.
        self.unbind: Callable[[int], None] = lambda fh: None
        self.lane_served: Callable[[], int] = lambda: 0
        # Let an open text file take the short way, or not any more; how many closes
        # have to be asked for.
        self.text_bind: Callable[[int, bytes, int], int] = lambda fh, text, size: 0
        self.text_unbind: Callable[[int], None] = lambda fh: None
        # Keep what a small file shows until the next ``forget_texts``.
        self.text_keep: Callable[[int, bytes, int], None] = lambda ino, text, size: None
        self.forget_texts: Callable[[], None] = lambda: None
        # How often lists were forgotten.
        self.era = 0
        self._forget_lists: Callable[[], None] = lambda: None
        self._lists: dict[int, bytes] = {}
        self._closed = (ctypes.c_uint64 * CLOSED_MOST)()
        if lib is not None:
            self.arm = _function(lib, "memfs_shim_arm", ctypes.c_int)
            self.disarm = _function(lib, "memfs_shim_disarm", None, ctypes.c_int)
            self.caller_pid = _function(lib, "memfs_shim_pid", ctypes.c_int)
            self._cached = _function(lib, "memfs_shim_cached", ctypes.c_int)
            self._kills = _function(lib, "memfs_shim_kills", ctypes.c_int)
            self.served = _function(lib, "memfs_shim_served", ctypes.c_uint64)
            self.over = _function(lib, "memfs_shim_over", ctypes.c_int)
            bind = "memfs_shim_lane_bind"
            args = ctypes.c_uint64, ctypes.c_void_p
            self._bind = _function(lib, bind, ctypes.c_int, *args)
            self.unbind = _function(lib, "memfs_shim_lane_unbind", None, args[0])
            self.lane_served = _function(lib, "memfs_shim_lane_served", ctypes.c_uint64)
            text = "memfs_shim_text_"
            bind_args = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64
            self.text_bind = _function(lib, text + "bind", ctypes.c_int, *bind_args)
            self.text_unbind = _function(lib, text + "unbind", None, ctypes.c_uint64)
            keep_args = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint32
            self.text_keep = _function(lib, text + "keep", None, *keep_args)
            self.forget_texts = _function(lib, text + "forget", None)
            self._forget_lists = _function(lib, "memfs_shim_list_forget", None)
            self._list_keep = _function(
                lib, "memfs_shim_list_keep", None, *keep_args, ctypes.c_uint64
            )
            ino_at = ctypes.POINTER(ctypes.c_uint64)
            adopt_args = ctypes.c_uint64, ino_at, ctypes.c_char_p
            self._adopt = _function(lib, text + "adopt", ctypes.c_int, *adopt_args)
            closed_args = ino_at, ctypes.c_uint
            self._closed_now = _function(
                lib, text + "closed", ctypes.c_uint, *closed_args
            )
            self.keep_turn = _function(lib, "memfs_shim_turn", None, ctypes.c_int64)
            self.readable = _function(
                lib, "memfs_shim_readable", ctypes.c_int, ctypes.c_int64
            )

    @property
    def loaded(self) -> bool:
        return self._lib is not None

    def start(self, on_fallocate: FallocateFn, on_lseek: LseekFn) -> None:
        """Prepare the hooks; once a process, before pyfuse3.init().

        Raises:
            OSError: no eventfd could be made.
        """
        if self._lib is None:
            return
        calls = _FALLOCATE(on_fallocate), _LSEEK(on_lseek)
        self._callbacks = calls
        start = _function(
            self._lib,
            "memfs_shim_open",
            ctypes.c_int,
            ctypes.c_uint,
            _FALLOCATE,
            _LSEEK,
        )
        got = start(MAX_BACKGROUND, *calls)
        if got < 0:
            raise OSError(-got, os.strerror(-got), "eventfd")
        self.event_fd = got

    def hooks(self) -> dict[str, bool]:
        """Which hooks are in; ``mmap`` and ``background`` only after INIT."""
        bits = 0
        if self._lib is not None:
            bits = _function(self._lib, "memfs_shim_hooks", ctypes.c_uint)()
        return {name: bool(bits >> i & 1) for i, name in enumerate(HOOKS)}

    def bind(self, fh: int, lane: Any) -> None:
        """Let a handle take the short way; the caller keeps the record until unbind."""
        self._bind(fh, ctypes.byref(lane))

    def text_closed(self) -> list[int]:
        """Handles of text files that have been closed by the shim."""
        if self._lib is None:
            return []
        return self._closed[: self._closed_now(self._closed, CLOSED_MOST)]

    def text_adopt(self, fh: int) -> tuple[int, bytes] | None:
        """The inode of a file that the shim has opened, and what it has shown.

        From now on the file is the caller's. None: the shim knows no such file.
        """
        if self._lib is None:
            return None
        ino = ctypes.c_uint64()
        text = ctypes.create_string_buffer(TEXT_KEPT_MOST)
        length = self._adopt(fh, ctypes.byref(ino), text)
        return None if length < 0 else (ino.value, text.raw[:length])

    def list_keep(self, ino: int, listed: bytes, end: int) -> None:
        """Keep the list of a directory, up to cookie *end*, until ``forget_lists``."""
        if self._lib is None:
            return
        self._lists[ino] = listed
        self._list_keep(ino, listed, len(listed), end)

    def forget_lists(self) -> None:
        """The lists that are kept are not true any more."""
        self.era += 1
        self._forget_lists()
        self._lists.clear()

    def interrupted(self) -> Iterator[int]:
        """Slots whose callers got a signal since the last call."""
        if self._lib is None:
            return
        with contextlib.suppress(BlockingIOError):
            os.read(self.event_fd, 8)
        following = _function(self._lib, "memfs_shim_next_interrupted", ctypes.c_int)
        while (slot := following()) >= 0:
            yield slot

    def statfs_ino(self) -> int:
        """The inode that the statfs request in hand asks about, 0 if not known."""
        if self._lib is None:
            return 0
        return int(_function(self._lib, "memfs_shim_ino", ctypes.c_uint64)())

    def fills(self, off: int, size: int) -> bool | None:
        """Whether the READ in hand fills the kernel's page cache, for a fault mostly.

        Without the shim any of whole pages may: None.
        """
        if self._cached is None:
            return False if (off | size) % PAGE_SIZE else None
        return bool(self._cached())

    def empties(self) -> bool:
        """Whether the WRITE in hand comes out of the kernel's page cache.

        Without the shim there is no shared mapping, and none does.
        """
        return self._cached is not None and bool(self._cached())

    def kills(self) -> bool | None:
        """Whether the WRITE in hand takes set-ID bits away; None: not known."""
        return None if self._kills is None else bool(self._kills())

    def invalidate_ranges(self, ranges: Sequence[tuple[int, int, int]]) -> None:
        """``invalidate`` of many: inode, offset, length each.

        Raises:
            OSError: ENOSYS without the shim; what the kernel answers to one of them.
        """
        if self._nogil is None:
            raise OSError(errno.ENOSYS, "ranged invalidation needs the shim")
        flat = [number for one in ranges for number in one]
        call = self._nogil.memfs_shim_inval_ranges
        call.argtypes = [ctypes.POINTER(ctypes.c_int64), ctypes.c_uint]
        err = -call((ctypes.c_int64 * len(flat))(*flat), len(ranges))
        if err:
            raise OSError(err, os.strerror(err), f"invalidate {len(ranges)} ranges")

    def invalidate(self, ino: int, off: int, length: int) -> None:
        """Drop the kernel's copy of a range; waits for its dirty pages to be written.

        A negative offset drops the attributes alone, and waits for nothing.

        Raises:
            OSError: ENOSYS without the shim; what the kernel answers. An inode
                that the kernel does not know (ENOENT) is no error.
        """
        if self._nogil is None:
            raise OSError(errno.ENOSYS, "ranged invalidation needs the shim")
        call = self._nogil.memfs_shim_inval
        call.argtypes = [ctypes.c_uint64, ctypes.c_int64, ctypes.c_int64]
        err = -call(ino, off, length)
        if err not in (0, errno.ENOENT):
            raise OSError(err, os.strerror(err), f"invalidate inode {ino}")

    # The short way: see memfs/lanes.py.

    def attach_lane(self, read: int, write: int, vm: int) -> bool:
        """Have the core answer what it can; False: there is no shim.

        Args:
            read, write, vm: addresses: the core's functions, the machine.
        """
        if self._lib is None:
            return False
        args = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
        _function(self._lib, "memfs_shim_lane_attach", None, *args)(read, write, vm)
        return True

    # Requests that Python answers at once: see memfs/direct.py.

    def attach_direct(
        self,
        answer: DirectFn,
        room: Any,
        of_volumes: Iterable[int],
        of_nodes: Iterable[int],
    ) -> None:
        """Have *answer* asked first about these requests; without the shim: nobody."""
        if self._lib is None:
            return
        call = _DIRECT(answer)
        self._callbacks += call, room
        args = _DIRECT, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64
        attach = _function(self._lib, "memfs_shim_direct_attach", None, *args)
        masks = (sum(1 << op for op in opcodes) for opcodes in (of_volumes, of_nodes))
        attach(call, ctypes.addressof(room), *masks)

    def take(self, req: int) -> None:
        """What follows is done for this request, which was handed over before."""
        assert self._lib is not None
        _function(self._lib, "memfs_shim_take", None, ctypes.c_void_p)(req)

    def reply_err(self, req: int, err: int) -> None:
        assert self._lib is not None
        args = ctypes.c_void_p, ctypes.c_int
        _function(self._lib, "memfs_shim_reply_err", ctypes.c_int, *args)(req, err)

    def reply_lseek(self, req: int, off: int) -> None:
        assert self._lib is not None
        args = ctypes.c_void_p, ctypes.c_int64
        _function(self._lib, "memfs_shim_reply_lseek", ctypes.c_int, *args)(req, off)


_loaded: list[Shim] = []


def load() -> Shim:
    """Load the shim, once a process; a Shim without hooks where it is not built.

    ``MEMFS_SHIM=off`` leaves it out, for tests of the lesser form.
    """
    if not _loaded:
        _loaded.append(_open())
    return _loaded[0]


def hooks() -> dict[str, bool]:
    """Which hooks are in; see ``Shim.hooks``."""
    return load().hooks()


def missing() -> dict[str, str]:
    """The hooks that are not in, each with what the mount does instead."""
    return {name: LESSER_FORM[name] for name, there in hooks().items() if not there}


def _open() -> Shim:
    if os.environ.get("MEMFS_SHIM") == "off" or not LIBRARY.exists():
        return Shim(None, None)
    try:
        nogil = ctypes.CDLL(str(LIBRARY), ctypes.RTLD_GLOBAL)
        return Shim(ctypes.PyDLL(str(LIBRARY), ctypes.RTLD_GLOBAL), nogil)
    except OSError as exc:
        log.warning("the FUSE shim does not load: %s", exc)
        return Shim(None, None)


def _function(lib: ctypes.PyDLL, name: str, result: Any, *args: Any) -> Any:
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = list(args)
    return function
