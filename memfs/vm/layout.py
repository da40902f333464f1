"""Machine files: what memory a modelled machine has and which kernel runs on it.

A :class:`Layout` is what the file says, with the defaults filled in, in pages; it
is frozen and holds no state. It does not decide how a node is cut into zones: that
is the kernel's rule (zones.py). A mistake is a :class:`LayoutError` that names the
line and the key.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from memfs.vm.errors import LayoutError
from memfs.vm.keylines import KeyLines
from memfs.vm.layoutvalues import (
    MAX_ORDER_PAGES,
    MAX_PAGES,
    Value,
    ZoneSpec,
    as_block_size,
    as_bool,
    as_kernel,
    as_list,
    as_number,
    as_pages,
    as_rule,
    as_text,
    as_zone,
)
from memfs.vm.rules import DEFAULT_COLUMN, RULES

MAX_NODES: Final = 64  # zonelists of the core hold 256 zones, four per node
MAX_CPUS: Final = 64
BUILTIN: Final = Path(__file__).with_name("layouts")


@dataclass(frozen=True)
class NodeSpec:
    """A node slot: where its memory lies and what is so at boot; pages."""

    nid: int
    start_pfn: int
    pages: int
    mem_map: int = 0
    removable: bool = True
    plugged: bool = True
    enabled: bool = True
    cpus: tuple[int, ...] = ()
    zones: tuple[ZoneSpec, ...] = ()

    @property
    def end_pfn(self) -> int:
        """First pfn behind the slot, its own memory map included."""
        return self.start_pfn + self.pages


class BlockSpec(NamedTuple):
    """A memory block as imported from a real machine."""

    number: int
    state: str
    removable: bool
    valid_zones: str
    node: int


@dataclass(frozen=True)
class Layout:
    """A machine file with its defaults filled in; sizes in pages."""

    name: str
    kernel: str
    nodes: tuple[NodeSpec, ...]
    lowmem: int | None = None
    block_pages: int = 2048
    cpus: int = 1
    min_free_kbytes: int | None = None
    swap_pages: int = 0
    distances: tuple[tuple[int, ...], ...] = ()
    rules_off: tuple[str, ...] = ()
    blocks: tuple[BlockSpec, ...] = ()
    text: str = field(default="", repr=False, compare=False)

    @property
    def max_pfn(self) -> int:
        """First pfn behind every slot, the empty ones included."""
        return max(node.end_pfn for node in self.nodes)

    @property
    def pages(self) -> int:
        """Pages of the nodes that are plugged at boot."""
        return sum(node.pages for node in self.nodes if node.plugged)

    @classmethod
    def builtin(cls, name: str) -> Layout:
        """A layout that comes with the package, by name.

        Raises:
            LayoutError: there is none of that name.
        """
        if name not in cls.builtin_names():
            known = ", ".join(cls.builtin_names())
            raise LayoutError(0, "", f"no machine '{name}'; built in: {known}")
        path = BUILTIN / f"{name}.toml"
        return cls.parse(path.read_text(encoding="utf-8"), name)

    @classmethod
    def builtin_names(cls) -> list[str]:
        """Names of the built-in layouts, sorted."""
        return sorted(path.stem for path in BUILTIN.glob("*.toml"))

    @classmethod
    def load(cls, path: str | Path) -> Layout:
        """Read the machine file at `path`.

        Raises:
            LayoutError: it cannot be read, or what is wrong in it.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise LayoutError(0, "", f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise LayoutError(0, "", f"{path}: not a text in UTF-8") from None
        return cls.parse(text, path.stem)

    @classmethod
    def parse(cls, text: str, name: str = "machine") -> Layout:
        """Read a machine file's text; `name` is used when the file has none.

        Raises:
            LayoutError: what is wrong, with its line and key.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line, what = KeyLines.of_syntax_error(str(error), text)
            raise LayoutError(line, "", what) from None
        return _Reader(data, KeyLines(text)).layout(name, text)


# The keys of a machine file, and of one of its nodes: one row each.
TOP_KEYS: Final[dict[str, Callable[[Value], Any]]] = {
    "name": as_text,
    "kernel": as_kernel,
    "lowmem": as_pages(MAX_ORDER_PAGES, MAX_ORDER_PAGES),
    "block": as_block_size,
    "cpus": as_number(1, MAX_CPUS),
    "min_free_kbytes": as_number(0, 1 << 22),
    "swap": as_pages(),
    "distances": as_list(as_list(as_number(1, 255))),
    "rules_off": as_list(as_rule),
}
NODE_KEYS: Final[dict[str, Callable[[Value], Any]]] = {
    "size": as_pages(MAX_ORDER_PAGES, MAX_ORDER_PAGES),
    "start": as_pages(MAX_ORDER_PAGES),
    "removable": as_bool,
    "plugged": as_bool,
    "enabled": as_bool,
    "mem_map": as_pages(),
    "cpus": as_list(as_number(0, MAX_CPUS - 1)),
    "zones": as_list(as_zone),
}
BLOCK_KEYS: Final[dict[str, Callable[[Value], Any]]] = {
    "number": as_number(0, MAX_PAGES),
    "state": as_text,
    "removable": as_bool,
    "valid_zones": as_text,
    "node": as_number(0, MAX_NODES - 1),
}


class _Reader:
    """Turns the parsed TOML into a Layout, complaining by line and key."""

    def __init__(self, data: dict[str, Any], lines: KeyLines) -> None:
        self.data = data
        self.lines = lines

    def layout(self, name: str, text: str) -> Layout:
        """The whole file."""
        blocks: tuple[BlockSpec, ...] = ()
        top = dict(self.data)
        tables = top.pop("node", None)
        if isinstance(top.get("block"), list):
            blocks = self.blocks(top.pop("block"))
        values = self.table(top, TOP_KEYS, "", 0)
        cpus = values.get("cpus", 1)
        nodes = self.nodes(tables, cpus)
        kernel = values.get("kernel", DEFAULT_COLUMN)
        for node in nodes:
            self.check_zones(node, RULES["zone_types"].cells[kernel])
        pages = sum(node.pages for node in nodes if node.plugged)
        return Layout(
            name=values.get("name", name),
            kernel=kernel,
            nodes=nodes,
            lowmem=values.get("lowmem"),
            block_pages=values.get("block", RULES["block_pages"].cells[kernel]),
            cpus=cpus,
            min_free_kbytes=values.get("min_free_kbytes"),
            swap_pages=min(values.get("swap", pages), MAX_PAGES - 1),
            distances=self.distances(values.get("distances"), len(nodes)),
            rules_off=values.get("rules_off", ()),
            blocks=blocks,
            text=text,
        )

    def table(
        self,
        table: dict[str, Any],
        keys: dict[str, Callable[[Value], Any]],
        name: str,
        index: int,
    ) -> dict[str, Any]:
        """Every value of one table, read by its row of `keys`."""
        found = {}
        for key, raw in table.items():
            value = Value(raw, self.lines.find(name, index, key), key)
            if key not in keys:
                raise value.wrong(f"unknown key; there are {', '.join(keys)}")
            found[key] = keys[key](value)
        return found

    def wrong(self, name: str, index: int, key: str, message: str) -> LayoutError:
        """The error to raise about a key that may be missing."""
        return LayoutError(self.lines.find(name, index, key), key or name, message)

    def nodes(self, tables: Any, cpus: int) -> tuple[NodeSpec, ...]:
        """The ``[[node]]`` tables, each behind the one before."""
        if not isinstance(tables, list) or not tables:
            raise self.wrong("", 0, "node", "at least one [[node]] is needed")
        if len(tables) > MAX_NODES:
            raise self.wrong("node", MAX_NODES, "", f"at most {MAX_NODES} nodes")
        nodes: list[NodeSpec] = []
        for nid, table in enumerate(tables):
            start = nodes[-1].end_pfn if nodes else 0
            nodes.append(self.node(nid, table, start))
        self.check_nodes(nodes)
        return self.place_cpus(nodes, cpus)

    def node(self, nid: int, table: Any, start: int) -> NodeSpec:
        """One ``[[node]]``; `start` is where it lies unless it says so."""
        if not isinstance(table, dict):
            raise self.wrong("node", nid, "", "[[node]] is a table")
        values = self.table(table, NODE_KEYS, "node", nid)
        zones = values.get("zones", ())
        if "size" not in values and not zones:
            raise self.wrong("node", nid, "size", f"node {nid} has no size")
        pages = values.get("size", 0) or _whole(sum(zone.spanned for zone in zones))
        mem_map = values.get("mem_map", 0)
        if mem_map >= pages:
            raise self.wrong("node", nid, "mem_map", "no page of the node is left")
        return NodeSpec(
            nid=nid,
            start_pfn=values.get("start", start),
            pages=pages,
            mem_map=mem_map,
            removable=values.get("removable", nid != 0),
            plugged=values.get("plugged", True),
            enabled=values.get("enabled", True),
            cpus=values.get("cpus", ()),
            zones=zones,
        )

    def check_nodes(self, nodes: list[NodeSpec]) -> None:
        """What must hold between the nodes."""
        first = nodes[0]
        for key in ("plugged", "enabled"):
            if not getattr(first, key):
                raise self.wrong("node", 0, key, "node 0 must be there at boot")
        if first.removable:
            raise self.wrong("node", 0, "removable", "node 0 holds the kernel's data")
        for before, node in itertools.pairwise(nodes):
            if node.start_pfn < before.end_pfn:
                raise self.wrong(
                    "node", node.nid, "start", "overlaps the node before it"
                )
        if nodes[-1].end_pfn > MAX_PAGES:
            raise self.wrong(
                "node", nodes[-1].nid, "size", f"ends above {MAX_PAGES} pages (1 TiB)"
            )

    def check_zones(self, node: NodeSpec, types: tuple[str, ...]) -> None:
        """Zones said outright: known types, lowest first, inside the node."""
        names = [zone.type for zone in node.zones]
        if any(name not in types for name in names):
            message = f"zone types are {', '.join(types)}"
            raise self.wrong("node", node.nid, "zones", message)
        if sorted(set(names), key=types.index) != names:
            message = "each type once, lowest first"
            raise self.wrong("node", node.nid, "zones", message)
        if any(not zone.present for zone in node.zones):
            raise self.wrong("node", node.nid, "zones", "a zone without pages")
        start = 0
        for zone in node.zones:
            if start + zone.spanned > node.pages:
                raise self.wrong("node", node.nid, "zones", "the node is too small")
            start += _whole(zone.present)

    def place_cpus(self, nodes: list[NodeSpec], cpus: int) -> tuple[NodeSpec, ...]:
        """Give every CPU to one node: node 0 has those that no node claims."""
        owner: dict[int, int] = {}
        for node in nodes:
            for cpu in node.cpus:
                if cpu >= cpus:
                    message = f"CPU {cpu} of {cpus}"
                    raise self.wrong("node", node.nid, "cpus", message)
                if owner.setdefault(cpu, node.nid) != node.nid:
                    message = f"CPU {cpu} is on node {owner[cpu]} too"
                    raise self.wrong("node", node.nid, "cpus", message)
        for cpu in range(cpus):
            owner.setdefault(cpu, 0)
        return tuple(
            _with_cpus(node, (cpu for cpu in range(cpus) if owner[cpu] == node.nid))
            for node in nodes
        )

    def distances(
        self, given: tuple[tuple[int, ...], ...] | None, nr: int
    ) -> tuple[tuple[int, ...], ...]:
        """The distance table, nr x nr; 10 on the diagonal, 20 else by default."""
        rows = given or ()
        if any(len(row) != len(rows) for row in rows) or len(rows) > nr:
            message = f"a square table of at most {nr} rows is needed"
            raise self.wrong("", 0, "distances", message)
        if any(row[i] != 10 for i, row in enumerate(rows)):
            raise self.wrong("", 0, "distances", "a node's distance to itself is 10")

        def one(i: int, j: int) -> int:
            if i < len(rows) and j < len(rows):
                return rows[i][j]
            return 10 if i == j else 20

        return tuple(tuple(one(i, j) for j in range(nr)) for i in range(nr))

    def blocks(self, tables: list[Any]) -> tuple[BlockSpec, ...]:
        """The ``[[block]]`` tables of an imported machine."""
        found = []
        for index, table in enumerate(tables):
            if not isinstance(table, dict):
                raise self.wrong("block", index, "", "[[block]] is a table")
            values = self.table(table, BLOCK_KEYS, "block", index)
            for key in BLOCK_KEYS:
                if key not in values:
                    raise self.wrong("block", index, key, "is missing")
            found.append(BlockSpec(**values))
        return tuple(found)


def _whole(pages: int) -> int:
    """`pages` rounded up to blocks of the highest order."""
    return -(-pages // MAX_ORDER_PAGES) * MAX_ORDER_PAGES


def _with_cpus(node: NodeSpec, cpus: Iterable[int]) -> NodeSpec:
    values = {**node.__dict__, "cpus": tuple(cpus)}
    return NodeSpec(**values)
