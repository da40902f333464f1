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
    from memfs.vm.zones import Extent, Node, Zone

ONLINE, OFFLINE, GOING = "online", "offline", "going-offline"
NO_ZONE = "none"
# What an offline block can be asked to do, the default first.
HOMES = ("online", "online_kernel", "online_movable")


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
        first = min(extent.start_pfn for extent in extents)
        end = max(extent.start_pfn + extent.present for extent in extents)
        span = Span(first // size, (end - 1) // size, nid, tuple(extents))
        self._spans.append(span)
        self._spans.sort()

    def plug_empty(self, node: Node) -> None:
        """A node comes of which no block is there yet."""
        first, last = self._bounds(node)
        self._spans.append(Span(first, last, node.nid, ()))
        self._spans.sort()

    def found(self, number: int, nid: int) -> Block:
        """A block comes, offline."""
        block = Block(self._m, number, nid)
        block.pages = self._m.layout.block_pages
        self._blocks[number] = block
        return block

    def slot_of(self, number: int) -> Node | None:
        """The node slot that has memory for all of a block, if one has."""
        for node in self._m.nodes.values():
            first, last = self._bounds(node)
            if first <= number <= last:
                return node
        return None

    def _bounds(self, node: Node) -> tuple[int, int]:
        # The first and the last block that lie in a slot whole.
        size = self._m.layout.block_pages
        end = node.spec.end_pfn - node.spec.mem_map
        return -(-node.spec.start_pfn // size), end // size - 1

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

    def seen(self, nid: int) -> list[Block]:
        """Those of a node's blocks that somebody has looked at."""
        return [block for block in self._blocks.values() if block.nid == nid]

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
        if block.online:
            return [block.zones[0].name if block.whole else NO_ZONE]
        kinds = [self.home(block, way) for way in HOMES]
        names = [self._m.rules.zone_types[kind] for kind in kinds if kind is not None]
        return list(dict.fromkeys(names))

    def home(self, block: Block, way: str) -> int | None:
        """The zone type that an offline block goes to; None: there is no such zone.

        Args:
            block: offline.
            way: ``online``: Movable for a block amid Movable and not amid the
                kernel's zone, else the latter; ``online_kernel``, ``online_movable``.

        Source: mm/memory_hotplug.c zone_for_pfn_range(), Linux 6.1.
        """
        rules = self._m.rules
        movable = len(rules.zone_types) - 1 if rules.kernel_anywhere else None
        if way == "online_movable":
            return movable
        kernel = self._kernel_home(block)
        if way == "online" and movable is not None and self._amid(block, movable):
            return kernel if self._amid(block, kernel) else movable
        return kernel

    def _kernel_home(self, block: Block) -> int:
        rules, layout = self._m.rules, self._m.layout
        if rules.kernel_anywhere:
            amid = (k for k in range(rules.kernel_type) if self._amid(block, k))
            return next(amid, rules.kernel_type)
        # Before there was a choice: by where it lies.
        lowmem = layout.max_pfn if layout.lowmem is None else layout.lowmem
        ends = rules.zone_bounds(lowmem)
        return next(kind for kind, end in enumerate(ends) if block.start_pfn < end)

    def _amid(self, block: Block, kind: int) -> bool:
        """Whether the block lies in the span of its node's zone of a type."""
        end = block.start_pfn + self._m.layout.block_pages
        return any(
            zone.type == kind
            and zone.start_pfn < end
            and block.start_pfn < zone.start_pfn + zone.spanned
            for zone in self._m.nodes[block.nid].zones
        )

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
        pages = self._cut(start, end)
        block.zids = tuple(pages)
        block.pages = sum(pages.values())
        block.whole = len(pages) == 1 and block.pages == size
        return block

    def _cut(self, start: int, end: int) -> dict[int, int]:
        """Pages from start to end, as their nodes were plugged, by zone."""
        pages: dict[int, int] = {}
        for span in self._spans:
            for extent in span.extents:
                first = max(start, extent.start_pfn)
                last = min(end, extent.start_pfn + extent.present)
                if first < last:
                    pages[extent.zid] = last - first
        return pages

    def pages_by_zone(self, number: int) -> dict[int, int]:
        """Present pages of an online block, by zone; of an offline one, none."""
        block = self.get(number)
        if block is None or not block.online:
            return {}
        if block.whole:
            return {block.zids[0]: block.pages}
        return self._cut(block.start_pfn, block.start_pfn + self._m.layout.block_pages)
