"""Memory blocks: block.c."""

from __future__ import annotations

import errno
from typing import Final

from memfs.records import NamedTuple
from memfs.vm._ffi.lib import Handle, as_tuple, check, ffi, lib


class BlockStat(NamedTuple):
    """Pages of a range by place; `first_unmovable` is a pfn or NO_PFN."""

    free: int
    pcp: int
    user: int
    huge: int
    poisoned: int
    unmovable: int
    first_unmovable: int


PAGEBLOCK_TYPES: Final = (
    "Unmovable",
    "Movable",
    "Reclaimable",
    "HighAtomic",
    "Isolate",
)
FREE_MOST: Final[int] = lib.VM_FREE_MOST


class BlockCalls(Handle):
    """Calls about ranges of pages that leave a zone and come back."""

    def block_isolate(self, first: int, nr: int) -> None:
        """Have nothing allocated from a range any more."""
        check(lib.vm_block_isolate(self.vm, first, nr), f"pages from {first}")

    def block_restore(self, first: int, nr: int) -> None:
        """The range is an ordinary one again."""
        lib.vm_block_restore(self.vm, first, nr)

    def block_stat(self, first: int, nr: int) -> BlockStat:
        """What is in a range."""
        out = ffi.new("struct vm_block_stat *")
        check(lib.vm_block_stat(self.vm, first, nr, out), f"pages from {first}")
        stat: BlockStat = as_tuple(BlockStat, out)
        return stat

    def block_offline(self, first: int, nr: int) -> bool:
        """An isolated range leaves its zone; False while a page is in use."""
        rc = lib.vm_block_offline(self.vm, first, nr)
        return rc != -errno.EBUSY and not check(rc, f"pages from {first}")

    def block_online(self, zid: int, first: int, nr: int) -> None:
        """A range of free pages comes into a zone."""
        rc = lib.vm_block_online(self.vm, zid, first, nr)
        check(rc, f"pages from {first} into zone {zid}")

    def poison(self, pfn: int) -> bool:
        """A free page is never used again; False: it is not free, or is to go."""
        rc = lib.vm_poison(self.vm, pfn)
        return rc != -errno.EBUSY and not check(rc, f"page {pfn}")

    def kpage(self, first: int, nr: int, counts: bool) -> bytes:
        """64 bits for each page: its flags, or how often it is mapped."""
        out = ffi.new("uint64_t[]", nr)
        check(lib.vm_kpage(self.vm, first, nr, counts, out), f"pages from {first}")
        return bytes(ffi.buffer(out))

    def set_knobs(self, boost_factor: int, numa_off: bool, reclaim_local: bool) -> None:
        """Settings of the allocator; see struct vm_knobs."""
        knobs = ffi.new("struct vm_knobs *", (boost_factor, numa_off, reclaim_local))
        lib.vm_set_knobs(self.vm, knobs)

    def local_misses(self, nid: int) -> int:
        """Requests that found a CPU's own node low, since the last call."""
        return int(lib.vm_local_misses(self.vm, nid))

    def zone_boost(self, zid: int) -> int:
        """Pages by which a zone's marks are raised."""
        return int(lib.vm_zone_boost(self.vm, zid))

    def zone_boost_end(self, zid: int) -> None:
        """The zone's marks are raised no more."""
        lib.vm_zone_boost_end(self.vm, zid)

    def pageblocks(self, zid: int) -> list[int]:
        """Runs of 512 pages of a zone by type, in the order of PAGEBLOCK_TYPES."""
        out = ffi.new("uint32_t[]", len(PAGEBLOCK_TYPES))
        check(lib.vm_pageblocks(self.vm, zid, out), f"there is no zone {zid}")
        return list(out)

    def free_by_type(self, zid: int) -> list[list[int]]:
        """Free blocks of a zone by type and order; each count is cut at FREE_MOST."""
        orders = lib.VM_MAX_ORDER
        out = ffi.new("uint32_t[]", len(PAGEBLOCK_TYPES) * orders)
        check(lib.vm_free_by_type(self.vm, zid, out), f"there is no zone {zid}")
        flat = list(out)
        return [flat[i : i + orders] for i in range(0, len(flat), orders)]

    def zone_bounds(self, zid: int) -> tuple[int, int]:
        """The first page of a zone, and behind its last one."""
        out = ffi.new("uint32_t[2]")
        check(lib.vm_zone_bounds(self.vm, zid, out, out + 1), f"zone {zid}")
        return out[0], out[1]

    def zone_span(self, zid: int, spanned: int) -> None:
        """Set how many pages a zone spans, for show."""
        check(lib.vm_zone_span(self.vm, zid, spanned), f"zone {zid}")
