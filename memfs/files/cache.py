"""The page cache of a machine, as the volumes ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memfs.files.paged.contract import FileOwner
    from memfs.vm import Machine
    from memfs.vm.pagecache import PageFile
    from memfs.vm.readahead import ReadAhead


class MachineCache:
    """Page files and read-ahead state of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def create(self, kind: str, owner: FileOwner, size: int) -> PageFile:
        return self._machine.files.create(kind, owner, size)

    def readahead(self, state: Any = None) -> ReadAhead:
        """For one open file; `state`: where it is kept, None: of its own."""
        return self._machine.read_ahead(state)
