"""Memory blocks: block.c."""

from __future__ import annotations

import errno
from typing import NamedTuple

from memfs.vm._ffi.lib import Handle, as_tuple, check, ffi, lib


class BlockStat(NamedTuple):
    """Pages of a range by place; `first_unmovable` is a pfn or NO_PFN."""

    free: int
    pcp: int
    user: int
    unmovable: int
    first_unmovable: int


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

    def zone_bounds(self, zid: int) -> tuple[int, int]:
        """The first page of a zone, and behind its last one."""
        out = ffi.new("uint32_t[2]")
        check(lib.vm_zone_bounds(self.vm, zid, out, out + 1), f"zone {zid}")
        return out[0], out[1]

    def zone_span(self, zid: int, spanned: int) -> None:
        """Set how many pages a zone spans, for show."""
        check(lib.vm_zone_span(self.vm, zid, spanned), f"zone {zid}")
