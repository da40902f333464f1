"""Memory blocks: which there are, on which node, in which zone, in which state.

A block is a range of ``layout.block_pages`` pages that is there if a zone has pages
in it. What is stored is membership (online in a zone, or offline) and whether an
offline operation runs on it; with the gate of its zone that makes its state. Blocks
are looked at by number and made when they are: a machine of many thousands costs
nothing until somebody asks.

Source: drivers/base/memory.c, mm/memory_hotplug.c, Linux 6.1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Extent, Zone

ONLINE, OFFLINE, GOING = "online", "offline", "going-offline"
NO_ZONE = "none"


class Span(NamedTuple):
    """The blocks of one plugged node, `first` to `last`, and its zones at boot."""

    first: int
    last: int
    nid: int
    extents: tuple[Extent, ...]


class Block:
    """One memory block of a plugged node.

    Attributes:
        zids: zones that it has pages in; of one that is offline, none.
        pages: present pages.
        whole: it lies in one zone without holes, so it can go offline.
        isolating: an offline operation runs on it.
    """

    def __init__(self, m: Machine, number: int, nid: int) -> None:
        self._m = m
        self.number = number
        self.nid = nid
        self.isolating = False
        self.zids: tuple[int, ...] = ()
        self.pages = 0
        self.whole = True

    def __repr__(self) -> str:
        return f"<Block {self.number} {self.state}>"

    @property
    def start_pfn(self) -> int:
        """Its first page."""
        return self.number * self._m.layout.block_pages

    @property
    def online(self) -> bool:
        """Whether it is in a zone."""
        return bool(self.zids)

    @property
    def zones(self) -> list[Zone]:
        """The zones that it has pages in, lowest first."""
        return [self._m.zones[zid] for zid in self.zids]

    @property
    def state(self) -> str:
        """``online``, ``offline`` or ``going-offline``."""
        if not self.zids:
            return OFFLINE
        if self.isolating or not any(zone.gate_open for zone in self.zones):
            return GOING
        return ONLINE


class Blocks:
    """Every block of the nodes that are plugged, by number."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        self._spans: list[Span] = []
        self._blocks: dict[int, Block] = {}

    def plug(self, nid: int, extents: list[Extent]) -> None:
        """The blocks of a node come, online in the zones of `extents`."""
        size = self._m.layout.block_pages
        first = min(extent.start_pfn for extent in extents) // size
        last = (
            max(extent.start_pfn + extent.present for extent in extents) - 1
        ) // size
        self._spans.append(Span(first, last, nid, tuple(extents)))
        self._spans.sort()

    def unplug(self, nid: int) -> None:
        """The blocks of a node go."""
        self._spans = [span for span in self._spans if span.nid != nid]
        self._blocks = {n: b for n, b in self._blocks.items() if b.nid != nid}

    def get(self, number: int) -> Block | None:
        """A block by its number, None if there is none."""
        block = self._blocks.get(number)
        if block is not None:
            return block
        span = self._span(number)
        if span is None:
            return None
        block = self._made(number, span)
        if block.zids:
            self._blocks[number] = block
            return block
        return None

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.get(number) is not None

    def __iter__(self) -> Iterator[int]:
        """Their numbers, in order."""
        seen = -1
        for span in self._spans:
            for number in range(max(span.first, seen + 1), span.last + 1):
                if self.get(number) is not None:
                    yield number
            seen = max(seen, span.last)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def of_node(self, nid: int) -> list[int]:
        """Numbers of the blocks of a node."""
        return [
            number
            for span in self._spans
            if span.nid == nid
            for number in range(span.first, span.last + 1)
            if (block := self.get(number)) is not None and block.nid == nid
        ]

    def valid_zones(self, block: Block) -> list[str]:
        """Names: the zone of an online block; where an offline one can go.

        Source: drivers/base/memory.c valid_zones_show(), Linux 6.1.
        """
        if not block.online:
            return self.homes(block)
        if not block.whole:
            return [NO_ZONE]
        return [block.zones[0].name]

    def homes(self, block: Block) -> list[str]:
        """Where an offline block can go, the default first."""
        rules, layout = self._m.rules, self._m.layout
        lowmem = layout.max_pfn if layout.lowmem is None else layout.lowmem
        bounds = rules.zone_bounds(lowmem)
        kind = next(k for k, end in enumerate(bounds) if block.start_pfn < end)
        names = [
            rules.zone_types[min(kind, rules.kernel_type)]
            if rules.modern
            else rules.zone_types[kind]
        ]
        if rules.modern:
            names.append(rules.zone_types[-1])
        return names

    def _span(self, number: int) -> Span | None:
        at = bisect_right(self._spans, number, key=lambda span: span.first) - 1
        # A block that two nodes share is the lower one's.
        while at > 0 and self._spans[at - 1].last >= number:
            at -= 1
        if at < 0 or number > self._spans[at].last:
            return None
        return self._spans[at]

    def _made(self, number: int, span: Span) -> Block:
        """A block as its node was plugged."""
        block = Block(self._m, number, span.nid)
        size = self._m.layout.block_pages
        start, end = number * size, (number + 1) * size
        zids = []
        for other in self._spans:
            for extent in other.extents:
                first = max(start, extent.start_pfn)
                last = min(end, extent.start_pfn + extent.present)
                if first < last:
                    zids.append(extent.zid)
                    block.pages += last - first
        block.zids = tuple(zids)
        block.whole = len(zids) == 1 and block.pages == size
        return block
