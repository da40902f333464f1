"""What a machine file says of a node: its memory, its blocks, its zones; no state."""

from __future__ import annotations

from memfs.records import NamedTuple
from memfs.vm.layoutvalues import ZoneSpec

NO_ZONE = "none"


class BlockRun(NamedTuple):
    """Memory blocks `first` to `last` of a node, all alike, as they are at boot.

    Attributes:
        first, last: their numbers.
        state: ``online``, ``offline`` or ``going-offline``.
        zones: as ``valid_zones`` shows them; of an online block the first is its
            own. Empty: by the kernel's rule.
        removable: as ``removable`` shows it until the block changes; None: by the
            kernel's rule.
        parts: (zone, pages) of the one block that a zone's edge cuts or that has a
            hole at its end; empty: all of it is in its zone.
    """

    first: int
    last: int
    state: str = "online"
    zones: str = ""
    removable: bool | None = None
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def nr(self) -> int:
        """How many blocks."""
        return self.last - self.first + 1

    @property
    def online(self) -> bool:
        """Whether they are in a zone."""
        return self.state != "offline"

    @property
    def zone(self) -> str:
        """The zone of an online block; empty: by the rule."""
        return "" if self.zones == NO_ZONE else self.zones.partition(" ")[0]

    def pages(self, size: int) -> int:
        """Pages of them that are there, blocks having `size`."""
        if self.parts:
            return sum(pages for _, pages in self.parts)
        return self.nr * size


class NodeSpec(NamedTuple):
    """A node slot: where its memory lies and what is so at boot; pages.

    Attributes:
        pages: of its memory, the blocks that are offline included.
        span: of a node with runs, from its first to behind its last page.
        managed: (zone, pages) that the allocator has, the zone empty for the whole
            node; what is missing to all of them is reserved.
        runs: its blocks, where they are said outright.
    """

    nid: int
    start_pfn: int
    pages: int
    mem_map: int = 0
    removable: bool = True
    plugged: bool = True
    enabled: bool = True
    cpus: tuple[int, ...] = ()
    zones: tuple[ZoneSpec, ...] = ()
    runs: tuple[BlockRun, ...] = ()
    managed: tuple[tuple[str, int], ...] = ()
    span: int = 0

    @property
    def end_pfn(self) -> int:
        """First pfn behind the slot, its own memory map included."""
        return self.start_pfn + (self.span if self.runs else self.pages)

    def online_pages(self, size: int) -> int:
        """Pages that are in a zone at boot, the memory map's included."""
        if not self.runs:
            return self.pages
        return sum(run.pages(size) for run in self.runs if run.online)
