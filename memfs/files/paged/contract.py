"""What a volume asks of the model: page files, read-ahead state, and the pump.

Protocols only, so that the volumes can be tested on page files made of plain
bytes. ``memfs.vm.PageFile`` and ``memfs.background.Pump`` fulfil them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Op = Generator[Any, None, T]
Buffer = bytes | bytearray | memoryview

# A page index of the model has 31 bits.
MAX_FILE_BYTES = 2**31 * 4096
PAGE_SIZE = 4096


class FileOwner(Protocol):
    """What the model asks of whoever a page file belongs to."""

    def need_fd(self) -> int:
        """Lend a descriptor of the host file, until ``io_idle``."""

    def io_idle(self) -> None:
        """The descriptor is given back: nothing is dirty or in flight any more."""

    def label(self) -> str:
        """Name the file in messages."""


class PagesStat(Protocol):
    """Pages of one file, by state."""

    @property
    def nrpages(self) -> int: ...
    @property
    def nr_dirty(self) -> int: ...
    @property
    def nr_writeback(self) -> int: ...
    @property
    def nr_locked(self) -> int: ...
    @property
    def nr_swapped(self) -> int: ...


class Pages(Protocol):
    """A file in the modelled page cache; sizes and offsets are bytes.

    ``*_now`` do their work inline or return None when they would have to wait;
    the others are operations. ``client``: the bytes go to, or come from, the real
    kernel's page cache.

    Attributes:
        holder: by which the volume finds the file again: itself and the inode.
    """

    holder: Any

    @property
    def id(self) -> int: ...
    @property
    def size(self) -> int: ...
    def stat(self) -> PagesStat: ...
    @property
    def granted(self) -> int:
        """Pages that may become dirty by the short way, 0: none."""

    def grant(self, pages: int) -> int:
        """Let as many become dirty from now on; how many that is more than before."""

    def unwritten(self) -> int:
        """Pages that are dirty or on their way to the disk."""

    def read_now(
        self, off: int, n: int, ra: Any, client: bool = False
    ) -> Buffer | None: ...
    def read(self, off: int, n: int, ra: Any, client: bool = False) -> Op[Buffer]: ...
    def write_now(
        self, off: int, data: Buffer, pid: int, client: bool = False
    ) -> int | None: ...
    def write(
        self, off: int, data: Buffer, pid: int, client: bool = False
    ) -> Op[int]: ...
    def settle(self) -> bool:
        """Give the descriptor back if nothing can need it."""

    def truncate(self, size: int) -> Op[None]: ...
    def punch(self, off: int, n: int) -> Op[None]: ...
    def flush(self, off: int, n: int, drop: bool) -> Op[None]: ...
    def direct_read(self, off: int, n: int) -> Op[Buffer]: ...
    def direct_write(self, off: int, data: Buffer) -> Op[int]: ...
    def wait_writeback(self) -> Op[None]: ...
    def fsync(self) -> Op[None]: ...
    def drop(self) -> Op[None]: ...
    def drop_now(self) -> bool: ...
    def light(self) -> bool:
        """Whether ``drop_now`` would do it."""


class PageCache(Protocol):
    """Where page files come from."""

    def create(self, kind: str, owner: FileOwner, size: int) -> Pages: ...
    def readahead(self, state: Any = None) -> Any:
        """Read-ahead state for one open file; `state`: where it is to be kept."""


class Lanes(Protocol):
    """Makes records of the short way; ``memfs.lanes.Lanes`` fulfils it.

    A file's has ``quiet_until``, ``read_ns``, ``wrote_ns``, ``mapping`` and
    ``allowed``; a descriptor's ``ra``, the state of its read-ahead, and ``noatime``.
    """

    def file(self) -> Any: ...
    def descriptor(self, file: Any, reads: bool, writes: bool) -> Any: ...


class Pump(Protocol):
    """Runs an operation of the model to its end while others go on."""

    async def run(self, op: Op[T], name: str) -> T: ...
    async def in_thread(self, call: Callable[[], T]) -> T:
        """Await a call of the host that may take long."""

    def tick(self) -> None:
        """Before an inline step: bring the clock up to date."""

    def poke(self) -> None:
        """After an inline step: the model may have something to do."""
