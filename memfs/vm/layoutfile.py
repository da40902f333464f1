"""Reads a machine file: its keys, and what must hold between them.

What a key's value may be is layoutvalues.py's; blocks and their places are
layoutblocks.py's. Everything in the file is physical; page numbers of the model come
out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from memfs.vm.errors import LayoutError
from memfs.vm.keylines import KeyLines
from memfs.vm.layoutblocks import as_managed, as_run, check_runs, place
from memfs.vm.layoutspec import NodeSpec
from memfs.vm.layoutvalues import (
    MAX_ADDRESS,
    MAX_CPUS,
    MAX_NODES,
    MAX_ORDER_PAGES,
    MAX_PAGES,
    Value,
    as_block_size,
    as_bool,
    as_cpus,
    as_kernel,
    as_list,
    as_number,
    as_pages,
    as_rule,
    as_text,
    as_zone,
)
from memfs.vm.rules import DEFAULT_COLUMN, RULES

MAX_TABLES: Final = 64  # zonelists of the core hold 256 zones, four per node

Cpus = tuple[tuple[int, ...], ...]

# The keys of a machine file, and of one of its nodes: one row each.
TOP_KEYS: Final[dict[str, Callable[[Value], Any]]] = {
    "name": as_text,
    "kernel": as_kernel,
    "lowmem": as_pages(MAX_ORDER_PAGES, MAX_ORDER_PAGES),
    "block": as_block_size,
    "cpus": as_number(1, MAX_CPUS),
    "packages": as_list(as_cpus),
    "dies": as_list(as_cpus),
    "cores": as_list(as_cpus),
    "min_free_kbytes": as_number(0, 1 << 22),
    "swap": as_pages(),
    "distances": as_list(as_list(as_number(1, 255))),
    "rules_off": as_list(as_rule),
}
NODE_KEYS: Final[dict[str, Callable[[Value], Any]]] = {
    "number": as_number(0, MAX_NODES - 1),
    "size": as_pages(MAX_ORDER_PAGES),
    "start": as_pages(MAX_ORDER_PAGES, 0, MAX_ADDRESS),
    "removable": as_bool,
    "plugged": as_bool,
    "enabled": as_bool,
    "mem_map": as_pages(),
    "cpus": as_cpus,
    "zones": as_list(as_zone),
    "blocks": as_list(as_run),
    "managed": as_managed,
}
# What a node whose blocks are said outright has by them.
NOT_WITH_BLOCKS: Final = ("size", "start", "mem_map", "zones")


def read_machine(text: str) -> dict[str, Any]:
    """The values of a Layout.

    Raises:
        LayoutError: what is wrong, with its line and key.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = KeyLines.of_syntax_error(str(error), text)
        raise LayoutError(*where) from None
    except RecursionError:
        line = KeyLines.of_deepest(text)
        raise LayoutError(line, "", "brackets within brackets, too many") from None
    return _Reader(data, KeyLines(text)).machine()


class _Reader:
    """Turns the parsed TOML into values, complaining by line and key."""

    def __init__(self, data: dict[str, Any], lines: KeyLines) -> None:
        self.data = data
        self.lines = lines

    def machine(self) -> dict[str, Any]:
        """The whole file."""
        top = dict(self.data)
        if isinstance(top.get("block"), list):
            what = "the blocks of a node are its key: blocks = [...]"
            raise self.wrong("", 0, "block", what)
        tables = top.pop("node", None)
        values = self.table(top, TOP_KEYS, "", 0)
        kernel = values.setdefault("kernel", DEFAULT_COLUMN)
        size = values.pop("block", RULES["block_pages"].cells[kernel])
        cpus = values.setdefault("cpus", 1)
        nodes = self.nodes(tables, cpus, size)
        types = RULES["zone_types"].cells[kernel]
        for index, node in enumerate(nodes):
            self.check_zones(index, node, types)
            check_runs(node, types, size, partial(self.at, index))
        nodes, addresses = place(nodes, size, self.at)
        self.check_boot(nodes, size)
        pages = sum(node.online_pages(size) for node in nodes if node.plugged)
        values["distances"] = self.distances(values.get("distances"), nodes)
        values["swap_pages"] = min(values.pop("swap", pages), MAX_PAGES - 1)
        owned = tuple(node.cpus for node in nodes if node.cpus)
        packages = self.shared(values, "packages", cpus, owned)
        self.shared(values, "dies", cpus, packages)
        self.shared(values, "cores", cpus, tuple((cpu,) for cpu in range(cpus)))
        return {**values, "nodes": nodes, "block_pages": size, "addresses": addresses}

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

    def at(self, index: int, key: str, message: str) -> LayoutError:
        """The same of a key of a node."""
        return self.wrong("node", index, key, message)

    def nodes(self, tables: Any, cpus: int, size: int) -> tuple[NodeSpec, ...]:
        """The ``[[node]]`` tables, each behind the one before."""
        if isinstance(tables, dict):
            raise self.wrong("", 0, "node", "it is written [[node]]")
        if not isinstance(tables, list) or not tables:
            raise self.wrong("", 0, "node", "at least one [[node]] is needed")
        if len(tables) > MAX_TABLES:
            raise self.at(MAX_TABLES, "", f"at most {MAX_TABLES} nodes")
        nodes: list[NodeSpec] = []
        start, memory = 0, False
        for index, table in enumerate(tables):
            nid = nodes[-1].nid + 1 if nodes else 0
            node = self.node(index, nid, table, start, not memory, size)
            if nodes and node.nid < nid:
                raise self.at(index, "number", f"is not above {nodes[-1].nid}")
            nodes.append(node)
            memory = memory or bool(node.pages)
            ends = [node.end_pfn, *((run.last + 1) * size for run in node.runs)]
            start = max(ends) if node.pages else start
        return self.place_cpus(nodes, cpus)

    def node(
        self, index: int, nid: int, table: Any, start: int, first: bool, size: int
    ) -> NodeSpec:
        """One ``[[node]]``; `nid` and `start` are its unless it says others."""
        if not isinstance(table, dict):
            raise self.wrong("", 0, "node", "[[node]] is a table")
        values = self.table(table, NODE_KEYS, "node", index)
        runs, zones = values.get("blocks", ()), values.get("zones", ())
        nid = values.get("number", nid)
        if "size" not in values and not zones and "blocks" not in values:
            raise self.at(index, "size", f"node {nid} has no size")
        if "blocks" in values:
            for key in NOT_WITH_BLOCKS:
                if key in values:
                    raise self.at(index, key, "is said by the node's blocks")
        pages = values.get("size", 0) or whole(sum(zone.spanned for zone in zones))
        pages = pages or sum(run.nr * size for run in runs)
        mem_map = values.get("mem_map", 0)
        if mem_map and mem_map >= pages:
            raise self.at(index, "mem_map", "no page of the node is left")
        return NodeSpec(
            nid=nid,
            start_pfn=values.get("start", start),
            pages=pages,
            mem_map=mem_map,
            removable=values.get("removable", not first),
            plugged=values.get("plugged", True),
            enabled=values.get("enabled", True),
            cpus=values.get("cpus", ()),
            zones=zones,
            runs=runs,
            managed=values.get("managed", ()),
        )

    def check_boot(self, nodes: tuple[NodeSpec, ...], size: int) -> None:
        """The first node, and the first with memory, hold what boot needs."""
        memory = [i for i, node in enumerate(nodes) if node.online_pages(size)]
        if not memory:
            raise self.at(0, "size", "no node has memory at boot")
        for index in (0, memory[0]):
            node = nodes[index]
            for key in ("plugged", "enabled"):
                if not getattr(node, key):
                    what = f"node {node.nid} must be there at boot"
                    raise self.at(index, key, what)
        if nodes[memory[0]].removable:
            what = f"node {nodes[memory[0]].nid} holds the kernel's data"
            raise self.at(memory[0], "removable", what)

    def check_zones(self, index: int, node: NodeSpec, types: tuple[str, ...]) -> None:
        """Zones said outright: known types, lowest first, inside the node."""
        names = [zone.type for zone in node.zones]
        if any(name not in types for name in names):
            raise self.at(index, "zones", f"zone types are {', '.join(types)}")
        if sorted(set(names), key=types.index) != names:
            raise self.at(index, "zones", "each type once, lowest first")
        if any(not zone.present for zone in node.zones):
            raise self.at(index, "zones", "a zone without pages")
        start = 0
        for zone in node.zones:
            if start + zone.spanned > node.pages:
                raise self.at(index, "zones", "the node is too small")
            start += whole(zone.present)

    def place_cpus(self, nodes: list[NodeSpec], cpus: int) -> tuple[NodeSpec, ...]:
        """Give every CPU to one node: the first has those that no node claims."""
        owner: dict[int, int] = {}
        for index, node in enumerate(nodes):
            if len(set(node.cpus)) < len(node.cpus):
                raise self.at(index, "cpus", "a CPU is there twice")
            for cpu in node.cpus:
                if cpu >= cpus:
                    raise self.at(index, "cpus", f"CPU {cpu} of {cpus}")
                if owner.setdefault(cpu, node.nid) != node.nid:
                    what = f"CPU {cpu} is on node {owner[cpu]} too"
                    raise self.at(index, "cpus", what)
        of_node: dict[int, list[int]] = {}
        for cpu in range(cpus):
            of_node.setdefault(owner.get(cpu, nodes[0].nid), []).append(cpu)
        return tuple(
            node._replace(cpus=tuple(of_node.get(node.nid, ()))) for node in nodes
        )

    def shared(
        self, values: dict[str, Any], key: str, cpus: int, default: Cpus
    ) -> Cpus:
        """Which CPUs share a package, a die, a core: each is in one."""
        given: Cpus = values.setdefault(key, default)
        if sorted(cpu for group in given for cpu in group) != list(range(cpus)):
            raise self.wrong("", 0, key, f"each of {cpus} CPUs once")
        return given

    def distances(
        self, given: Cpus | None, nodes: Iterable[NodeSpec]
    ) -> tuple[tuple[int, ...], ...]:
        """The distance table by node number; 10 on the diagonal, 20 by default.

        What is given is in the order of the nodes.
        """
        rows = given or ()
        numbers = [node.nid for node in nodes]
        if any(len(row) != len(rows) for row in rows) or len(rows) > len(numbers):
            message = f"a square table of at most {len(numbers)} rows is needed"
            raise self.wrong("", 0, "distances", message)
        if any(row[i] != 10 for i, row in enumerate(rows)):
            raise self.wrong("", 0, "distances", "a node's distance to itself is 10")
        nr = numbers[-1] + 1
        table = [[10 if i == j else 20 for j in range(nr)] for i in range(nr)]
        for i, row in zip(numbers, rows, strict=False):
            for j, distance in zip(numbers, row, strict=False):
                table[i][j] = distance
        return tuple(tuple(row) for row in table)


def whole(pages: int) -> int:
    """`pages` rounded up to blocks of the highest order."""
    return -(-pages // MAX_ORDER_PAGES) * MAX_ORDER_PAGES
