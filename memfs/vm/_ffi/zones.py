"""Zones, their lists and the allocator: boot.c, stat.c, buddy.c, pcp.c."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memfs.vm._ffi.lib import Handle, as_tuple, check, ffi, lib
from memfs.vm._ffi.records import (
    EVENT_NAMES,
    NR_ITEMS,
    REASON_NAMES,
    Need,
    PageInfo,
    ZoneStat,
)
from memfs.vm._ffi.walks import Inuse


class ZoneCalls(Handle):
    """Calls about zones, pages and the allocator."""

    def __init__(self, **config: int) -> None:
        super().__init__(**config)
        self._stat = ffi.new("struct vm_zone_stat *")
        self._stat_bytes = ffi.buffer(self._stat)
        # What zone_stats() saw last, as it came and as it was given out.
        self._seen: dict[int, tuple[bytes, ZoneStat]] = {}
        self._counts = ffi.new("uint32_t[]", config["nr_cpus"])
        self._events = ffi.new("uint64_t[]", len(EVENT_NAMES))
        self._cpu = 0

    # -- boot.c ------------------------------------------------------------

    def zone_plug(
        self,
        zid: int,
        nid: int,
        kind: int,
        start: int,
        spanned: int,
        present: int,
        reserved: int,
    ) -> None:
        """A zone's memory comes: gate closed, marks 0."""
        rc = lib.vm_zone_plug(
            self.vm, zid, nid, kind, start, spanned, present, reserved
        )
        check(rc, f"zone {zid} at page {start}")

    def zone_unplug(self, zid: int) -> None:
        """A zone's memory goes; every managed page is free."""
        check(lib.vm_zone_unplug(self.vm, zid), f"zone {zid} is in use")

    def zone_marks(self, zid: int, low_marks: tuple[int, int, int]) -> None:
        """Watermarks min, low, high; pages."""
        check(lib.vm_zone_marks(self.vm, zid, *low_marks), f"marks of zone {zid}")

    def zone_pcp(self, zid: int, marks: tuple[int, int, int, int, int]) -> None:
        """Per-CPU marks: hot low, hot high, cold low, cold high, batch; pages."""
        check(lib.vm_zone_pcp(self.vm, zid, *marks), f"per-CPU lists of zone {zid}")

    def zone_gate(self, zid: int, is_open: bool) -> None:
        """Open or close the gate; the zonelists are the caller's."""
        check(lib.vm_zone_gate(self.vm, zid, is_open), f"gate of zone {zid}")

    def zone_unreclaimable(self, zid: int, value: bool) -> None:
        """Set all_unreclaimable."""
        lib.vm_zone_unreclaimable(self.vm, zid, value)

    def zonelist(self, nid: int, cls: int, zids: Sequence[int]) -> None:
        """Set the zonelist of a class on a node."""
        rc = lib.vm_zonelist(self.vm, nid, cls, len(zids), list(zids))
        check(rc, f"zonelist {cls} of node {nid}")

    def zonelist_reserve(self, nid: int, cls: int, pages: Sequence[int]) -> None:
        """Set what each zone of a zonelist keeps from its class, pages."""
        rc = lib.vm_zonelist_reserve(self.vm, nid, cls, len(pages), list(pages))
        check(rc, f"reserve of zonelist {cls} of node {nid}")

    def cpu_node(self, cpu: int, nid: int) -> None:
        """Say on which node a CPU is."""
        check(lib.vm_cpu_node(self.vm, cpu, nid), f"CPU {cpu} on node {nid}")

    def distance(self, a: int, b: int, distance: int) -> None:
        """Set one cell of the distance table."""
        check(lib.vm_distance(self.vm, a, b, distance), f"distance {a} to {b}")

    def set_cpu(self, cpu: int) -> None:
        """The CPU on which the next calls run."""
        if cpu != self._cpu:
            self._cpu = cpu
            lib.vm_set_cpu(self.vm, cpu)

    def set_closed_rules(self, rules: int) -> None:
        """RULE_SHRINK_UNREF, RULE_REFILL_UNREF for closed zones."""
        lib.vm_set_closed_rules(self.vm, rules)

    def needed(self) -> Need:
        """What the last NOMEM, READ or WAIT was about."""
        need: Need = as_tuple(Need, lib.vm_needed(self.vm))
        return need

    def wakeups(self) -> int:
        """Bits of the nodes (mod 64) that an allocation found low; clears them."""
        return int(lib.vm_wakeups(self.vm))

    # -- stat.c ------------------------------------------------------------

    def zone_stat(self, zid: int) -> ZoneStat:
        """Everything about one zone.

        Raises:
            VmError: ENODEV, no such zone is plugged.
        """
        s = self._stat
        check(lib.vm_zone_stat(self.vm, zid, s), f"there is no zone {zid}")
        return self._made(zid)

    def zone_stats(self, zids: Iterable[int]) -> dict[int, ZoneStat]:
        """The figures of zones; of one that has not changed, the object of last time.

        Raises:
            VmError: ENODEV, no such zone is plugged.
        """
        seen: dict[int, tuple[bytes, ZoneStat]] = {}
        for zid in zids:
            rc = lib.vm_zone_stat(self.vm, zid, self._stat)
            check(rc, f"there is no zone {zid}")
            raw = self._stat_bytes[:]
            last = self._seen.get(zid)
            if last is None or last[0] != raw:
                last = raw, self._made(zid)
            seen[zid] = last
        self._seen = seen
        return {zid: stat for zid, (_, stat) in seen.items()}

    def _made(self, zid: int) -> ZoneStat:
        s = self._stat
        return ZoneStat(
            zid,
            s.nid,
            s.type,
            s.start_pfn,
            s.spanned,
            s.present,
            s.managed,
            s.pages_min,
            s.pages_low,
            s.pages_high,
            bool(s.open),
            bool(s.all_unreclaimable),
            bool(s.populated),
            s.pages_scanned,
            tuple(s.item[0:NR_ITEMS]),
            tuple(s.numa),
            tuple(s.free_area),
            s.pcp_hot_low,
            s.pcp_hot_high,
            s.pcp_cold_low,
            s.pcp_cold_high,
            s.pcp_batch,
        )

    def pcp_counts(self, zid: int) -> tuple[int, ...]:
        """Pages on the per-CPU lists of a zone, by CPU."""
        rc = lib.vm_pcp_counts(self.vm, zid, self._counts)
        check(rc, f"there is no zone {zid}")
        return tuple(self._counts)

    def slab_stat(self, kind: int) -> tuple[int, int]:
        """Slabs of index nodes of a kind (a page each), and nodes in use in them."""
        out = ffi.new("uint32_t[2]")
        lib.vm_slab_stat(self.vm, kind, out, out + 1)
        return out[0], out[1]

    def events(self) -> dict[str, int]:
        """Event counters by lower-case name; they only grow."""
        lib.vm_events(self.vm, self._events)
        return dict(zip(EVENT_NAMES, self._events, strict=True))

    def page_info(self, pfn: int) -> PageInfo:
        """Everything about one page; for tests and reports, not for loops.

        Raises:
            VmError: EINVAL, no such page.
        """
        info = ffi.new("struct vm_page_info *")
        check(lib.vm_page_info(self.vm, pfn, info), f"there is no page {pfn}")
        result: PageInfo = as_tuple(PageInfo, info)
        return result

    def why(self, zid: int, cursor: int, budget: int) -> tuple[int, int, list[int]]:
        """Why pages stay. Returns: return code, new cursor, pages by reason."""
        at = ffi.new("uint32_t *", cursor)
        reasons = ffi.new("uint64_t[]", len(REASON_NAMES))
        rc = lib.vm_why(self.vm, zid, at, budget, reasons)
        return check(rc, f"there is no zone {zid}"), at[0], list(reasons)

    def inuse(self, zid: int, active: bool) -> Inuse:
        """A walk over the pages of a zone that are in use."""
        return Inuse(self, zid, active)

    def state_hash(self) -> int:
        """64 bits over the whole state."""
        return int(lib.vm_state_hash(self.vm))

    def class_hash(self) -> int:
        """The same without orders, events and the clock: see vm_class_hash()."""
        return int(lib.vm_class_hash(self.vm))

    # -- pcp.c, buddy.c ----------------------------------------------------

    def alloc(self, cls: int, order: int, kind: int, flags: int = 0) -> int:
        """A block of kernel memory. Returns: first pfn, or NO_PFN."""
        return int(lib.vm_alloc(self.vm, cls, order, flags, kind))

    def alloc_in(self, zid: int, kind: int) -> int:
        """A kernel page of a given zone. Returns: pfn, or NO_PFN."""
        return int(lib.vm_alloc_in(self.vm, zid, kind))

    def free(self, pfn: int, order: int) -> None:
        """Give a block of kernel memory back."""
        check(lib.vm_free(self.vm, pfn, order), f"page {pfn}")

    def drain_pcp(self, zid: int) -> None:
        """Every CPU's lists of the zone go back to the buddy lists."""
        lib.vm_drain_pcp(self.vm, zid)

    def drain_pagevecs(self) -> None:
        """Pages on their way to the LRU get there."""
        lib.vm_drain_pagevecs(self.vm)

    def lru_list(self, zid: int, active: bool, nr: int) -> list[int]:
        """Up to `nr` pfns of a list, oldest first; for tests."""
        pfns = ffi.new("uint32_t[]", nr)
        return list(pfns[0 : lib.vm_lru_list(self.vm, zid, active, nr, pfns)])
