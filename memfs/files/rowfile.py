"""The file of a row: what its row says, for the numbers of the families around it.

Of some rows there are thousands of files (``memoryN/state``), so that one is no more
than its numbers; what is the same for all of them is in the row's ``Shape``.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from memfs.files.row import Row, blocks_version, family_of, never
from memfs.tree import (
    FOREVER,
    NEVER_SEEN,
    OWNER,
    Attr,
    ControlHandle,
    Handle,
    Manners,
    TextFile,
    TextHandle,
    writes,
)

if TYPE_CHECKING:
    from memfs.mount import Mount
    from memfs.tree import Caller, Interrupt


class Shape:
    """What all files of a row have in common.

    Attributes:
        attr: what stat shows of one whose size is fixed, else of an empty one.
        stores: it can be written to.
        steady: as Node.steady.
    """

    def __init__(self, row: Row, born_ns: int) -> None:
        self.row = row
        self.mode = row.mode
        self.size = row.size
        self.manners = row.manners
        self.stores = row.kind == "control"
        self.steady = row.version in (never, blocks_version)
        mode = stat.S_IFREG | row.mode
        self.attr = Attr(mode, row.size or 0, 1, *OWNER, born_ns, born_ns, born_ns)


class RowFile(TextFile):
    """A text or control file.

    Args:
        mount: whose it is.
        shape: of its row.
        ids: the numbers in its path.
    """

    def __init__(self, mount: Mount, shape: Shape, ids: tuple[int, ...]) -> None:
        # All that its base class keeps for one file is in the shape.
        self._mount = mount
        self._shape = shape
        self._ids = ids
        self._kept = b""
        self._kept_version = NEVER_SEEN
        self._attr = shape.attr

    @property
    def mode(self) -> int:  # type: ignore[override]
        """Permission bits."""
        return self._shape.mode

    @property
    def manners(self) -> Manners:  # type: ignore[override]
        """How it refuses."""
        return self._shape.manners

    @property
    def fresh_inode(self) -> bool:  # type: ignore[override]
        """Whether a command may hold its writer."""
        return self._shape.row.holds

    @property
    def steady(self) -> bool:  # type: ignore[override]
        """Whether it changes with nodes and blocks only."""
        return self._shape.steady

    @property
    def attr_timeout(self) -> float:  # type: ignore[override]
        """For ever where nothing of what stat shows follows the model."""
        return 0.0 if self._shape.size is None else FOREVER

    @property
    def _size(self) -> int | None:  # type: ignore[override]
        return self._shape.size

    def poll_key(self) -> object:
        """Differs when poll(2) has something to tell."""
        polls = self._shape.row.polls
        if polls is None:
            return None
        return polls(self._mount, self._ids[-1] if self._ids else 0)

    def _version(self) -> object:
        version = self._shape.row.version
        if version is None:
            # It may show the time, which nothing may have moved for seconds.
            self._mount.pump.tick()
            return object()
        return version(self._mount)

    def _render(self) -> bytes:
        return rendered(self._mount, self._shape.row, self._ids)

    def open(self, flags: int, caller: Caller) -> Handle:
        handle = super().open(flags, caller)
        if not self._shape.stores or not writes(flags):
            return handle
        assert isinstance(handle, TextHandle)
        return ControlHandle(self, handle.lend()[0], self._store, caller)

    async def _store(
        self, data: bytes, caller: Caller, interrupt: Interrupt
    ) -> int | None:
        told = self._mount.told(path_of(self._shape.row, self._ids), self._carry_out)
        taken: int | None = await told(data, caller, interrupt)
        return taken

    async def _carry_out(
        self, mount: Mount, data: bytes, caller: Caller, interrupt: Interrupt
    ) -> int | None:
        row = self._shape.row
        if row.store_in is not None:
            return await row.store_in(mount, self._ids, data, caller, interrupt)
        if row.store_at is not None:
            return await row.store_at(mount, self._ids[-1], data, caller, interrupt)
        assert row.store is not None
        return await row.store(mount, data, caller, interrupt)


def rendered(mount: Mount, row: Row, ids: tuple[int, ...]) -> bytes:
    """What a row's file says, for the numbers in its path."""
    if row.render_at is not None:
        return row.render_at(mount, ids[-1]).encode()
    if row.render_in is not None:
        return row.render_in(mount, ids).encode()
    return b"" if row.render is None else row.render(mount).encode()


def path_of(row: Row, ids: tuple[int, ...]) -> str:
    """The path of a file, its numbers filled in: for the kernel log."""
    numbers = iter(ids)
    names = []
    for name in row.path.split("/"):
        family = family_of(name)
        names.append(name if family is None else family.name(next(numbers)))
    return "/".join(names)
