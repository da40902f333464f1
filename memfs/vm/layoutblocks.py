"""Memory blocks in a machine file: reading them, checking them, giving them places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

from memfs.vm.addresses import AddressMap, Range, fit
from memfs.vm.errors import LayoutError
from memfs.vm.layoutspec import NO_ZONE, BlockRun, NodeSpec
from memfs.vm.layoutvalues import (
    MAX_PAGES,
    MIN_BLOCK_PAGES,
    Value,
    as_bool,
    as_number,
    as_pages,
    as_text,
)

MAX_BLOCK: Final = (1 << 32) - 1
STATES: Final = ("online", "offline", "going-offline")
RUN_KEYS: Final = ("first", "last", "state", "zones", "removable", "parts")

Wrong = Callable[[str, str], LayoutError]
WrongAt = Callable[[int, str, str], LayoutError]


def _below(value: Value, key: str) -> Value:
    return Value(value.value[key], value.line, f"{value.key}.{key}")


def as_pages_by_zone(value: Value) -> tuple[tuple[str, int], ...]:
    """``{ DMA = 4096, DMA32 = 28672 }``: pages by zone."""
    if not isinstance(value.value, dict):
        raise value.wrong(f"a table of pages by zone, not {value.value!r}")
    number = as_number(0, MAX_PAGES)
    return tuple((zone, number(_below(value, zone))) for zone in value.value)


def as_managed(value: Value) -> tuple[tuple[str, int], ...]:
    """A size for the whole node, or pages by zone."""
    if isinstance(value.value, dict):
        return as_pages_by_zone(value)
    return (("", as_pages()(value)),)


def as_run(value: Value) -> BlockRun:
    """``{ first = 8, last = 15, state = "online", zones = "Normal" }``."""
    table = value.value
    if not isinstance(table, dict):
        raise value.wrong(f"a table, not {table!r}")
    unknown = set(table) - set(RUN_KEYS)
    if unknown:
        known = ", ".join(RUN_KEYS)
        raise value.wrong(f"unknown key {min(unknown)!r}; there are {known}")
    if "first" not in table:
        raise value.wrong("first is missing")
    number = as_number(0, MAX_BLOCK)
    found: dict[str, Any] = {"first": number(_below(value, "first"))}
    found["last"] = number(_below(value, "last")) if "last" in table else found["first"]
    if found["last"] < found["first"]:
        raise value.wrong(f"last {found['last']} is below first {found['first']}")
    for key, reader in (("state", as_text), ("zones", as_text), ("removable", as_bool)):
        if key in table:
            found[key] = reader(_below(value, key))
    if found.get("state", "online") not in STATES:
        raise value.wrong(f"states are {', '.join(STATES)}, not {found['state']!r}")
    if "parts" in table:
        found["parts"] = as_pages_by_zone(_below(value, "parts"))
    return BlockRun(**found)


def check_runs(node: NodeSpec, types: Sequence[str], size: int, wrong: Wrong) -> None:
    """What must hold of the blocks of one node.

    Raises:
        LayoutError: of `wrong`, which takes the key and the message.
    """
    known = f"zone types are {', '.join(types)}"
    for run in node.runs:
        names = run.zones.split() if run.zones != NO_ZONE else []
        for name in (*names, *(zone for zone, _ in run.parts)):
            if name not in types:
                raise wrong("blocks", f"block {run.first}: no zone {name!r}; {known}")
        _check_parts(run, size, wrong)
    for zone, _ in node.managed:
        if zone and zone not in types:
            raise wrong("managed", f"no zone {zone!r}; {known}")


def _check_parts(run: BlockRun, size: int, wrong: Wrong) -> None:
    if not run.parts:
        return
    what = f"block {run.first}: parts"
    if run.nr != 1 or not run.online:
        raise wrong("blocks", f"{what} are of one block that is online")
    total = sum(pages for _, pages in run.parts)
    if not 0 < total <= size:
        raise wrong("blocks", f"{what} are {total} pages of {size}")
    if any(pages % MIN_BLOCK_PAGES for _, pages in run.parts):
        raise wrong("blocks", f"{what} are no multiples of {MIN_BLOCK_PAGES} pages")


def ranges_of(node: NodeSpec, size: int) -> list[Range]:
    """Blocks that a node has, or has pages in."""
    if node.runs:
        return [Range(run.first, run.last, run.online) for run in node.runs]
    if not node.pages:
        return []
    return [Range(node.start_pfn // size, (node.end_pfn - 1) // size)]


def place(
    nodes: Sequence[NodeSpec], size: int, wrong: WrongAt
) -> tuple[tuple[NodeSpec, ...], AddressMap]:
    """Give the nodes their places in the model.

    Args:
        nodes: with physical addresses.
        size: pages of a block.
        wrong: makes the error from the node's index, the key and the message.
    """
    check_overlaps(nodes, size, wrong)
    ranges = [one for node in nodes for one in ranges_of(node, size)]
    addresses = fit(size, ranges, MAX_PAGES)
    if isinstance(addresses, int):
        last = max(i for i, node in enumerate(nodes) if node.pages)
        key = "blocks" if nodes[last].runs else "size"
        gib = -(-addresses >> 18)
        raise wrong(last, key, f"{gib} GiB are online, of which 1024 can be modelled")
    return tuple(_placed(node, addresses) for node in nodes), addresses


def _placed(node: NodeSpec, addresses: AddressMap) -> NodeSpec:
    if not node.runs:
        return node._replace(start_pfn=addresses.model(node.start_pfn))
    places = [
        (start, addresses.end(run.first, run.last))
        for run in node.runs
        if (start := addresses.pfn(run.first)) is not None
    ]
    start = min((first for first, _ in places), default=0)
    end = max((last for _, last in places), default=0)
    return node._replace(start_pfn=start, span=end - start)


def check_overlaps(nodes: Sequence[NodeSpec], size: int, wrong: WrongAt) -> None:
    """No page is on two nodes, no block is said twice."""
    parts = []
    for index, node in enumerate(nodes):
        if node.runs:
            parts += [
                (run.first * size, (run.last + 1) * size, index) for run in node.runs
            ]
        elif node.pages:
            parts.append((node.start_pfn, node.end_pfn, index))
    for before, after in itertools.pairwise(sorted(parts)):
        if after[0] < before[1]:
            index = max(before[2], after[2])
            key = "blocks" if nodes[index].runs else "start"
            where = f"pages {after[0]} to {min(before[1], after[1])}"
            raise wrong(index, key, f"{where} are there twice")
