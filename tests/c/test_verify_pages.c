/*
 * test_verify_pages.c - vm_verify() names damage to zones, lists and pages
 *
 * One field is changed at a time; the machine is sound before and after.
 */
#include "damage.h"

/* ---- zones ---- */

BREAK(free_counter, POKE(zone()->item[NR_FREE], zone()->item[NR_FREE] + 1))
BREAK(negative, POKE(zone()->item[NR_DIRTY], -1))
BREAK(marks, POKE(zone()->pages_low, zone()->pages_min - 1))
BREAK(managed, POKE(zone()->managed, zone()->managed - 1))
BREAK(zid, POKE(zone()->zid, 4))
BREAK(section, POKE(vm->sect_zid[0], 5))
BREAK(no_zone, POKE(vm->zonelists[0].zid[0], 3))

static void d_closed_zone(void)
{
	POKE(zone()->open, 0);
	POKE(zone()->pages_high, zone()->present);
}

static void d_closed_marks(void)
{
	POKE(zone()->open, 0);
	for (u32 i = 0; i < 2; i++)
		POKE(vm->zonelists[i * VM_NR_CLASSES + VM_CLASS_HOTREMOVABLE].nr, 0);
}

BREAK(behind, POKE(zone()->spanned, SCENE_PAGES))
BREAK(unaligned, POKE(zone()->start, zone()->start + 1))
BREAK(present, POKE(zone()->present, 8000))
BREAK(virgin, POKE(zone()->virgin, 99))
BREAK(zonelist_nr, POKE(vm->zonelists[0].nr, ZONELIST_MAX + 1))

/* ---- buddy ---- */

BREAK(block_flags,
      POKE(page(free_block())->flags, page(free_block())->flags | PG_DIRTY))

static void d_area_counter(void)
{
	struct free_area *area = area_of(free_block());

	POKE(area->nr, area->nr + 1);
}

BREAK(area_prev, POKE(page(area_of(free_block())->head)->rmap, 1))

static void d_area_next(void)
{
	u32 head = area_of(free_block())->head;

	POKE(page(head)->pos, head);
}

static void d_block_order(void)
{
	u32 pfn = free_block();

	POKE(page(pfn)->flags, page(pfn)->flags + EXTRA_ONE);
}

BREAK(block_lost, POKE(page(free_block())->flags, VM_T_FREE))
BREAK(inside_flags, POKE(page(free_block() + 1)->flags, PG_DIRTY))
BREAK(inside_used, POKE(page(free_block() + 1)->flags, VM_T_USER | PG_LRU))
BREAK(inside_field, POKE(page(free_block() + 1)->index, 7))
BREAK(free_stamp, POKE(vm->stamps[free_block() + 1], 1234))
BREAK(free_map, POKE(vm->free_map[free_block() >> 6], 1ull << (free_block() & 63)))
BREAK(zone_map, POKE(zone()->mapped, 1))
BREAK(deep_field, POKE(page(deep_page())->index, 7))
BREAK(deep_stamp, POKE(vm->stamps[deep_page()], 1234))
BREAK(deep_map, POKE(vm->free_map[deep_page() / 64], 1ull << 63))
BREAK(deep_byte, POKE(vm->resident[deep_page() / 64], 1ull << 63))
BREAK(virgin_field, POKE(page(virgin_page())->rmap, 7))
BREAK(virgin_stamp, POKE(vm->stamps[virgin_page()], 1234))

static void d_free_byte(void)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (page_type(page(pfn)) <= VM_T_PCP && bit_test(vm->resident, pfn)) {
			POKE(vm->frames[(size_t)pfn * PAGE_SIZE + 77], 1);
			return;
		}
	FAIL("no free page with a frame");
}

/* A block becomes its two halves, both free, by the book but for that. */
static void d_buddies(void)
{
	u32 pfn = free_block(), order = page_extra(page(pfn)) - 1;
	u32 half = pfn + (1u << order), flags = VM_T_BUDDY | order << EXTRA_SHIFT;

	POKE(page(pfn)->flags, flags);
	POKE(page(half)->flags, flags);
}

/* ---- per-CPU lists, pagevecs ---- */

BREAK(pcp_counter, POKE(full_pcp()->count, full_pcp()->count - 1))
BREAK(pcp_length, POKE(full_pcp()->count, 2000))
BREAK(pcp_ring, POKE(full_pcp()->ring[full_pcp()->head], 0))
static void d_pcp_flags(void)
{
	POKE(page(full_pcp()->ring[full_pcp()->head])->flags, VM_T_PCP | PG_DIRTY);
}

BREAK(pagevec_nr, POKE(full_pagevec()->nr, PAGEVEC))
BREAK(pagevec, POKE(full_pagevec()->pfn[0], user_page(PG_LRU, 0)))
static void d_pagevec_flag(void)
{
	u32 pfn = full_pagevec()->pfn[0];

	POKE(page(pfn)->flags, page(pfn)->flags & ~(u32)PG_PAGEVEC);
}

/* ---- rings ---- */

BREAK(ring_place, POKE(*first_place(0), *first_place(1)))
BREAK(ring_tombstone, POKE(*first_place(1), NONE))
BREAK(seg_live, POKE(tail_seg(0)->live, tail_seg(0)->live + 1))
BREAK(seg_hi, POKE(tail_seg(0)->hi, SEG_SIZE + 1))
BREAK(seg_prev, POKE(tail_seg(1)->prev, zone()->lru[0].tail))
BREAK(seg_empty, POKE(tail_seg(1)->hi, tail_seg(1)->lo))
BREAK(free_segs_link, POKE(vm->free_seg, 0xffffff))
BREAK(ring_nr, POKE(zone()->lru[0].nr, zone()->lru[0].nr + 1))
BREAK(ring_head, POKE(zone()->lru[0].head, NONE))
static void d_ring_lost(void)
{
	POKE(zone()->lru[0].head, NONE);
	POKE(zone()->lru[0].tail, NONE);
}

static void d_free_segs(void)
{
	CHECK(vm->free_seg != NONE);
	POKE(vm->free_seg, NONE);
}

static void d_active_flag(void)
{
	u32 pfn = user_page(PG_LRU | PG_ACTIVE, 0);

	POKE(page(pfn)->flags, page(pfn)->flags & ~(u32)PG_ACTIVE);
}

/* ---- pages ---- */

static void add_flags(u32 pfn, u32 flags)
{
	POKE(page(pfn)->flags, page(pfn)->flags | flags);
}
static void del_flags(u32 pfn, u32 flags)
{
	POKE(page(pfn)->flags, page(pfn)->flags & ~flags);
}

BREAK(fallback, add_flags(user_page(PG_CACHED, PG_FALLBACK), PG_FALLBACK))
BREAK(type, POKE(page(user_page(PG_LRU, 0))->flags, VM_T_OFFLINE))
BREAK(reserved, POKE(page(typed_page(VM_T_KERNEL, VM_K_RADIX))->flags, VM_T_RESERVED))

static void d_extra(void)
{
	u32 pfn = user_page(PG_LRU, 0);

	POKE(page(pfn)->flags, page(pfn)->flags + EXTRA_ONE);
}

BREAK(two_places, add_flags(user_page(PG_LRU, 0), PG_ISOLATED))
BREAK(nobody, del_flags(mapped_page(RMAP_NONE, PG_LRU | PG_CACHED, 0), PG_CACHED))
BREAK(index, POKE(page(user_page(PG_CACHED, 0))->index, 0x7fffffff))
BREAK(swap_index, POKE(page(user_page(PG_SWAPCACHE, 0))->index, free_slot()))
BREAK(both_caches, add_flags(user_page(PG_CACHED, 0), PG_SWAPCACHE))
BREAK(dirty_flag, add_flags(user_page(PG_CACHED, PG_DIRTY | PG_SWAPBACKED), PG_DIRTY))
BREAK(clean_flag, del_flags(user_page(PG_CACHED | PG_DIRTY, PG_SWAPBACKED), PG_DIRTY))
BREAK(writeback_flag, del_flags(user_page(PG_CACHED | PG_WRITEBACK, 0), PG_WRITEBACK))
BREAK(locked_flag, add_flags(user_page(PG_CACHED, PG_LOCKED | PG_WRITEBACK), PG_LOCKED))
BREAK(anon_flag, del_flags(user_page(PG_ANON, 0), PG_SWAPBACKED))
BREAK(anon_in_tree, add_flags(user_page(PG_CACHED, 0), PG_ANON | PG_SWAPBACKED))
BREAK(no_transfer, add_flags(user_page(PG_ANON, PG_SWAPCACHE), PG_LOCKED))
BREAK(buffers, add_flags(user_page(PG_ANON, 0), PG_PRIVATE))
BREAK(mlocked_flag, add_flags(user_page(PG_LRU | PG_CACHED, PG_MLOCKED), PG_MLOCKED))
BREAK(unlocked_flag, del_flags(user_page(PG_LRU | PG_MLOCKED, 0), PG_MLOCKED))
BREAK(mlocked_item, POKE(zone()->item[NR_ACTIVE_FILE_MLOCKED],
			 zone()->item[NR_ACTIVE_FILE_MLOCKED] + 1))
BREAK(both_ways, add_flags(user_page(PG_WRITEBACK, 0), PG_LOCKED))
BREAK(rmap_kind, add_flags(user_page(PG_LRU, 0), RMAP_MASK))
BREAK(owner, POKE(page(typed_page(VM_T_KERNEL, VM_K_PAGETABLE))->index, 1000))
BREAK(kernel_kind, POKE(page(typed_page(VM_T_KERNEL, VM_K_RADIX))->rmap, 9))
BREAK(stamp, POKE(vm->stamps[mapped_page(RMAP_SINGLE, PG_ANON, 0)], 1234))
BREAK(mapped_item, POKE(zone()->item[NR_MAPPED], zone()->item[NR_MAPPED] + 1))

static const struct damage damages[] = {
	D(behind, "ends behind the machine"),
	D(unaligned, "is not aligned"),
	D(present, "spanned 4096, present 8000"),
	D(virgin, "untouched blocks of 99"),
	D(zonelist_nr, "length 257"),
	D(block_flags, "bad block"),
	D(pcp_length, "2000 pages, newest"),
	D(pagevec_nr, "16 pages"),
	D(seg_empty, "empty, but in a ring"),
	D(free_segs_link, "free segments: bad link"),
	D(anon_in_tree, "anonymous, but in a tree"),
	D(no_transfer, "in transfer, but cached nowhere"),
	D(buffers, "buffers on a page"),
	D(mlocked_flag, "locked in memory by its areas 0"),
	D(unlocked_flag, "locked in memory by its areas 1"),
	D(mlocked_item, "item 11: counter"),
	D(both_ways, "read and written at once"),
	D(rmap_kind, ": flags 0x"),
	D(free_counter, "places sum to"),
	D(negative, "item 20 is -1"),
	D(marks, "out of order"),
	D(managed, "managed"),
	D(zid, "calls itself 4"),
	D(section, "zone of section 0"),
	D(no_zone, "no zone 3"),
	D(closed_zone, "zone 5 is closed"),
	D(closed_marks, "closed, but pages_high"),
	D(area_counter, "found"),
	D(area_prev, "bad link"),
	D(area_next, "bad link"),
	D(block_order, "bad link"),
	D(block_lost, "in no block"),
	D(inside_flags, "free, but flags 0x100"),
	D(inside_used, "inside a free block"),
	D(inside_field, "fields 0 0 7"),
	D(free_stamp, "its stamp is 0x4d2"),
	D(free_map, "in the map of free pages"),
	D(zone_map, "a map and a list"),
	D(deep_field, "fields 0 0 7"),
	D(deep_stamp, "its stamp is 0x4d2"),
	D(deep_map, "in the map of free pages"),
	D(deep_byte, "free, but byte 0 is 0"),
	D(virgin_field, "fields 0 7 0"),
	D(virgin_stamp, "its stamp is 0x4d2"),
	D(free_byte, "free, but byte 77 is 0x1"),
	D(buddies, "is free too"),
	D(pcp_counter, "per-CPU pages of zone 5"),
	D(pcp_ring, "page 0 is not its own"),
	D(pcp_flags, "is not its own"),
	D(pagevec, "is not its own"),
	D(pagevec_flag, "in a pagevec 0, held 0"),
	D(ring_place, "inactive list: page"),
	D(ring_tombstone, "not at its place of a ring"),
	D(seg_live, "live places of segment"),
	D(seg_hi, "to 1025"),
	D(seg_prev, "bad link"),
	D(ring_nr, "inactive ring of zone 5"),
	D(ring_head, "last segment"),
	D(ring_lost, "segments 0"),
	D(free_segs, "segments 0"),
	D(active_flag, "active list: page"),
	D(type, "type 9"),
	D(reserved, "type 5, reserved from"),
	D(extra, "1 references, holders have 0"),
	D(two_places, "held 1"),
	D(nobody, "nobody refers to it"),
	D(index, "not at its place of a tree"),
	D(fallback, "moves another way than its file"),
	D(swap_index, "does not name it"),
	D(both_caches, "in a tree and in the swap cache"),
	D(dirty_flag, "dirty tag and flag differ"),
	D(clean_flag, "dirty tag and flag differ"),
	D(writeback_flag, "writeback tag and flag differ"),
	D(locked_flag, "pages in read requests"),
	D(anon_flag, "not backed by swap"),
	D(owner, "not of owner 1000"),
	D(kernel_kind, "kind 9"),
	D(stamp, "is not that of its task"),
	D(mapped_item, "item 18"),
};

static void test_every_damage_is_named(void)
{
	run_damages(damages, ARRAY_SIZE(damages));
}

int main(void)
{
	RUN(test_every_damage_is_named);
	return 0;
}
