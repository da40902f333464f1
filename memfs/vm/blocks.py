"""Memory blocks: which there are, on which node, in which zone, in which state.

A block is a range of ``layout.block_pages`` pages that is there if a zone has pages
in it. What is stored is membership (online in a zone, or offline) and whether an
offline operation runs on it; with the gate of its zone that makes its state. Blocks
are looked at by number and made when they are: a machine of many thousands costs
nothing until somebody asks.

Source: drivers/base/memory.c, mm/memory_hotplug.c, Linux 6.1.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from memfs.records import NamedTuple
from memfs.vm.carving import kinds_of_run
from memfs.vm.errors import VmError
from memfs.vm.layoutspec import NO_ZONE

if TYPE_CHECKING:
    from memfs.vm.carving import Extent
    from memfs.vm.layoutspec import BlockRun, NodeSpec
    from memfs.vm.machine import Machine
    from memfs.vm.zones import Node, Zone

ONLINE, OFFLINE, GOING = "online", "offline", "going-offline"
# What an offline block can be asked to do, the default first.
HOMES = ("online", "online_kernel", "online_movable")


class Span(NamedTuple):
    """Blocks `first` to `last` of one plugged node, and its zones at boot.

    Attributes:
        run: what the layout says of them, if it says it outright.
    """

    first: int
    last: int
    nid: int
    extents: tuple[Extent, ...]
    run: BlockRun | None = None


class Block:
    """One memory block of a plugged node.

    Attributes:
        zids: zones that it has pages in; of one that is offline, none.
        pages: present pages.
        whole: it lies in one zone without holes, so it can go offline.
        isolating: an offline operation runs on it.
        imported: what the layout says of it; None once it has changed.
        parts: pages by zone of one that is not whole and that the layout names.
    """

    def __init__(self, m: Machine, number: int, nid: int) -> None:
        self._m = m
        self.number = number
        self.nid = nid
        self.isolating = False
        self.zids: tuple[int, ...] = ()
        self.pages = 0
        self.whole = True
        self.imported: BlockRun | None = None
        self.parts: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Block {self.number} {self.state}>"

    @property
    def start_pfn(self) -> int:
        """Its first page.

        Raises:
            VmError: ENOMEM, it has no place in the model.
        """
        pfn = self._m.layout.addresses.pfn(self.number)
        if pfn is None:
            what = f"memory{self.number}: the model has no room for it"
            raise VmError(errno.ENOMEM, what)
        return pfn

    @property
    def removable(self) -> bool:
        """As ``removable`` shows it.

        1 for every block since Linux 5.8; before, whether its node says so.
        """
        if self.imported is not None and self.imported.removable is not None:
            return self.imported.removable
        return self._m.rules.modern or self._m.nodes[self.nid].removable

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
        # Nodes that are not as the layout says any more.
        self._changed: set[int] = set()
        # How often a node has gone, and with it its name and those of its blocks.
        self.unplugs = 0
        # Grows whenever a node, a gate or a block is not as it was.
        self.version = 0
        # Grows whenever one has come or gone.
        self.names = 0
        self.on_change: Callable[[], None] = lambda: None

    def touch(self) -> None:
        """Something that is shown of nodes and blocks has changed."""
        self.version += 1
        self.on_change()

    def plug(self, spec: NodeSpec, extents: list[Extent]) -> None:
        """The blocks of a node come, online in the zones of `extents`."""
        self.names += 1
        if spec.runs:
            self._add(Span(run.first, run.last, spec.nid, (), run) for run in spec.runs)
        elif extents:
            number = self._m.layout.addresses.number
            first = min(extent.start_pfn for extent in extents)
            end = max(extent.start_pfn + extent.present for extent in extents)
            span = Span(number(first), number(end - 1), spec.nid, tuple(extents))
            self._add([span])

    def plug_empty(self, node: Node) -> None:
        """A node comes of which no block is there yet."""
        self.names += 1
        spec = node.spec
        if spec.runs:
            self._add(Span(run.first, run.last, spec.nid, ()) for run in spec.runs)
        else:
            first, last = self._bounds(node)
            self._add([Span(first, last, node.nid, ())])

    def _add(self, spans: Iterable[Span]) -> None:
        self._spans = sorted([*self._spans, *spans], key=lambda span: span[:3])

    def changed(self, block: Block) -> None:
        """A block is not as the layout says any more."""
        block.imported = None
        self._changed.add(block.nid)

    def found(self, number: int, nid: int) -> Block:
        """A block comes, offline."""
        block = Block(self._m, number, nid)
        block.pages = self._m.layout.block_pages
        self._blocks[number] = block
        self.names += 1
        self.touch()
        return block

    def slot_of(self, number: int) -> Node | None:
        """The node slot that has memory for all of a block, if one has."""
        for node in self._m.nodes.values():
            runs = node.spec.runs or (self._bounds(node),)
            if any(run[0] <= number <= run[1] for run in runs):
                return node
        return None

    def _bounds(self, node: Node) -> tuple[int, int]:
        # The first and the last block that lie in a slot whole.
        size, spec = self._m.layout.block_pages, node.spec
        if not spec.pages:
            return 0, -1
        start = self._m.layout.addresses.phys(spec.start_pfn)
        return -(-start // size), (start + spec.pages - spec.mem_map) // size - 1

    def unplug(self, nid: int) -> None:
        """The blocks of a node go."""
        self._spans = [span for span in self._spans if span.nid != nid]
        self._blocks = {n: b for n, b in self._blocks.items() if b.nid != nid}
        self._changed.discard(nid)
        self.names += 1
        self.unplugs += 1

    def get(self, number: int) -> Block | None:
        """A block by its number, None if there is none."""
        block = self._blocks.get(number)
        if block is not None:
            return block
        span = self._span(number)
        if span is None:
            return None
        block = self._made(number, span)
        if block.zids or span.run is not None:
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

    def on_node(self, nid: int) -> NodeBlocks:
        """The same, without a look at each."""
        return NodeBlocks(self, nid)

    def valid_zones(self, block: Block) -> list[str]:
        """Names: the zone of an online block; where an offline one can go.

        Source: drivers/base/memory.c valid_zones_show(),
        early_node_zone_for_memory_block(), Linux 6.1: holes do not matter.
        """
        said = self._said(block)
        if said:
            return said
        if block.online:
            return [block.zones[0].name if len(block.zids) == 1 else NO_ZONE]
        kinds = [self.home(block, way) for way in HOMES]
        names = [self._m.rules.zone_types[kind] for kind in kinds if kind is not None]
        return list(dict.fromkeys(names))

    def _said(self, block: Block) -> list[str]:
        """valid_zones of the layout, as long as it is true; else nothing."""
        if block.imported is None or (not block.online and block.nid in self._changed):
            return []
        return block.imported.zones.split()

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
        said = self._said(block)
        if way == "online" and said and said[0] in rules.zone_types:
            return rules.zone_types.index(said[0])
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
        start = block.number * layout.block_pages
        return next(kind for kind, end in enumerate(ends) if start < end)

    def _amid(self, block: Block, kind: int) -> bool:
        """Whether the block lies in the span of its node's zone of a type."""
        start = self._m.layout.addresses.pfn(block.number)
        if start is None:
            return False
        end = start + self._m.layout.block_pages
        return any(
            zone.type == kind
            and zone.start_pfn < end
            and start < zone.start_pfn + zone.spanned
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
        if span.run is not None:
            self._as_said(block, span.run)
            return block
        start = self._m.layout.addresses.pfn(number) or 0
        pages = self._cut(start, start + size)
        block.zids = tuple(pages)
        block.pages = sum(pages.values())
        block.whole = len(pages) == 1 and block.pages == size
        return block

    def _as_said(self, block: Block, run: BlockRun) -> None:
        m = self._m
        block.imported = run
        block.pages = run.pages(m.layout.block_pages) // run.nr
        if not run.online:
            return
        spec = m.nodes[block.nid].spec
        for kind, pages in kinds_of_run(run, spec, m.layout, m.rules):
            block.parts[m.rules.zid(block.nid, kind)] = pages // run.nr
        block.zids = tuple(sorted(block.parts))
        full = block.pages == m.layout.block_pages
        block.whole = len(block.zids) == 1 and full and run.zones != NO_ZONE

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
        if block.parts:
            return block.parts
        return self._cut(block.start_pfn, block.start_pfn + self._m.layout.block_pages)


class NodeBlocks(Collection[int]):
    """Numbers of the blocks of one node."""

    def __init__(self, blocks: Blocks, nid: int) -> None:
        self._blocks = blocks
        self._nid = nid

    def __contains__(self, number: object) -> bool:
        block = self._blocks.get(number) if isinstance(number, int) else None
        return block is not None and block.nid == self._nid

    def __iter__(self) -> Iterator[int]:
        return iter(self._blocks.of_node(self._nid))

    def __len__(self) -> int:
        return len(self._blocks.of_node(self._nid))
