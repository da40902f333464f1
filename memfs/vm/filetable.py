"""Every file of a machine's page cache, and who holds a descriptor.

A file's own pages are pagecache.py's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memfs.vm import cutting
from memfs.vm.pagecache import FileOwner, PageFile

if TYPE_CHECKING:
    from memfs.vm.machine import Machine


class Files:
    """Every PageFile of a machine, by its mapping."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        # Files whose descriptor is held, in the order in which it was taken.
        self.held: dict[int, PageFile] = {}
        self._by_id: dict[int, PageFile] = {}

    def create(
        self, kind: str, owner: FileOwner, size: int = 0, moves: str = ""
    ) -> PageFile:
        """A file of `size` bytes of which no page is in memory.

        Args:
            kind: "file", of a host's file, "shm", of tmpfs, or "ram", of a RAM disk,
                whose pages have nowhere to go.
            owner: of the file.
            size: bytes that it has already.
            moves: how its dirty pages move, a row of MOVES; "": the kind's way.

        Raises:
            VmError: ENOMEM, there are too many; EFBIG; EINVAL, no such way.
        """
        cutting.check_size(owner, size)
        file = PageFile(self.m, kind, owner, size, moves)
        self._by_id[file.id] = file
        return file

    def by_id(self, mapping: int) -> PageFile:
        """The file of a mapping of the core."""
        return self._by_id[mapping]

    def get(self, mapping: int) -> PageFile | None:
        """The file of a mapping of the core, if it is still there."""
        return self._by_id.get(mapping)

    def all(self) -> list[PageFile]:
        """Every file, oldest first."""
        return list(self._by_id.values())

    def forget(self, file: PageFile) -> None:
        """The file is going."""
        self._by_id.pop(file.id, None)
        self.m.writeback.dirty.pop(file.id, None)

    def settle(self, nr: int = 16) -> None:
        """Give back the descriptors of up to `nr` files that need none any more."""
        for _ in range(min(nr, len(self.held))):
            file = next(iter(self.held.values()))
            if not file.settle():
                # Busy: look at the others first next time.
                del self.held[file.id]
                self.held[file.id] = file
