"""Zones of an imported machine: which blocks they cut, and what they manage."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from memfs.machines.description import SECTION
from memfs.machines.sysfsfiles import text
from memfs.vm.layoutspec import NO_ZONE, BlockRun

DMA_PAGES: Final = 4096  # below 16 MiB on PCs
ZONE: Final = re.compile(r"^Node +([0-9]+), zone +([A-Za-z0-9]+)$", re.M)


def split_blocks(blocks: list[BlockRun], kernel: str, size: int) -> list[BlockRun]:
    """Blocks that no zone has whole get their parts.

    Which they are is not in sysfs: the first block of a PC has zone DMA and the
    next one, another right between two zones half of each, and one between equals
    or at an end is the zone's beside it, with a hole that nobody sees.

    Args:
        blocks: of one node, in order.
        kernel: the column of RULES.
        size: pages of a block.
    """
    zones = {block.first: block.zone for block in blocks if block.online}
    found = []
    for block in blocks:
        if block.online and block.zones == NO_ZONE:
            before = zones.get(block.first - 1, "")
            after = zones.get(block.first + 1, "")
            block = block._replace(parts=parts_of(block, before, after, kernel, size))
        found.append(block)
    return found


def parts_of(
    block: BlockRun, before: str, after: str, kernel: str, size: int
) -> tuple[tuple[str, int], ...]:
    """Zones and pages of one block, by the zones of its neighbours."""
    if block.first == 0 and size > DMA_PAGES and after != "DMA":
        rest = after or ("DMA32" if kernel == "6.1" else "Normal")
        return ("DMA", DMA_PAGES), (rest, size - DMA_PAGES)
    if before and after and before != after and size >= 2 * SECTION:
        return (before, size // 2), (after, size // 2)
    zone = before or after
    return ((zone, size),) if zone else ()


def find_holes(
    root: Path, nid: int, blocks: list[BlockRun], size: int
) -> list[BlockRun]:
    """Take the pages that proc/zoneinfo misses out of blocks that have a hole.

    Whole sections alone, and of the last such block of the zone.
    """
    told = zoneinfo(root, nid, "present")
    there = pages_by_zone(blocks, size)
    found = list(blocks)
    for zone, pages in told.items():
        missing = (there.get(zone, 0) - pages) // SECTION * SECTION
        for at in range(len(found) - 1, -1, -1):
            last = found[at].parts[-1:]
            if last and last[0][0] == zone and 0 < missing < last[0][1]:
                parts = (*found[at].parts[:-1], (zone, last[0][1] - missing))
                found[at] = found[at]._replace(parts=parts)
                break
    return found


def zone_pages(
    root: Path, nid: int, blocks: list[BlockRun], block: int, notes: list[str]
) -> dict[str, int]:
    """Pages that a node's zones manage, or the node as a whole.

    From proc/zoneinfo, if it counts pages of 4 KiB; else from the node's meminfo,
    which does not know zones.

    Args:
        root: the directory that contains sys/ and perhaps proc/.
        nid: the node.
        blocks: of the node.
        block: bytes of one.
        notes: gets one more if the figures cannot be true.
    """
    size = block >> 12
    present = pages_by_zone(blocks, size)
    if not present:
        return {}
    told = zoneinfo(root, nid, "managed")
    if told and sum(told.values()) * 2 > sum(present.values()) and "" not in present:
        told = {zone: pages for zone, pages in told.items() if zone in present}
        if all(pages <= present[zone] for zone, pages in told.items()):
            return {z: n for z, n in told.items() if n != present[z]}
    path = root / f"sys/devices/system/node/node{nid}/meminfo"
    found = re.search(r"MemTotal: *([0-9]+) kB", text(path, missing=""))
    if not found:
        return {}
    pages, there = int(found[1]) // 4, sum(present.values())
    if not pages or pages > there:
        what = f"{pages} managed pages of node {nid}, whose blocks have {there}"
        notes.append(f"Left out: {what}.")
        return {}
    return {"": pages} if pages != there else {}


def pages_by_zone(blocks: list[BlockRun], size: int) -> dict[str, int]:
    """Pages of the blocks that are online."""
    pages: dict[str, int] = {}
    for block in blocks:
        if block.online:
            for zone, nr in block.parts or ((block.zone, size),):
                pages[zone] = pages.get(zone, 0) + nr
    return pages


def zoneinfo(root: Path, nid: int, key: str) -> dict[str, int]:
    """A figure of a node's zones, as proc/zoneinfo has it; empty if it has not."""
    parts = ZONE.split(text(root / "proc/zoneinfo", missing=""))
    found = {}
    for at in range(1, len(parts) - 2, 3):
        pages = re.search(rf"^ +{key} +([0-9]+)$", parts[at + 2], re.M)
        if int(parts[at]) == nid and pages and int(pages[1]):
            found[parts[at + 1]] = int(pages[1])
    return found
