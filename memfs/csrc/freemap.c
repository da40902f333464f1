/*
 * freemap.c - free memory becomes a map when a gate closes, and lists when it opens
 *
 * What else wants blocks (an allocation, defragmentation, a memory block that is
 * isolated) has the lists made first; the zone keeps them until its gate is closed
 * anew.
 */
#include "buddy.h"
#include "freemap.h"

#define TOP (VM_MAX_ORDER - 1)

/* Whether all pages of an aligned block have a bit. */
static bool is_full(const u64 *map, u32 pfn, u32 order)
{
	const u64 *word = &map[pfn >> WORD_ORDER];
	u32 i;

	if (order < WORD_ORDER) {
		u64 mask = (1ull << (1u << order)) - 1;

		return (*word >> (pfn & 63) & mask) == mask;
	}
	for (i = 0; i < 1u << (order - WORD_ORDER); i++)
		if (word[i] != ~0ull)
			return false;
	return true;
}

static void fill_block(u64 *map, u32 pfn, u32 order, bool on)
{
	u64 *word = &map[pfn >> WORD_ORDER];
	u32 i;

	if (order < WORD_ORDER) {
		u64 mask = ((1ull << (1u << order)) - 1) << (pfn & 63);

		*word = on ? *word | mask : *word & ~mask;
		return;
	}
	for (i = 0; i < 1u << (order - WORD_ORDER); i++)
		word[i] = on ? ~0ull : 0;
}

/* A block that is counted joins its buddies. */
static void join(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	for (; order < TOP && is_full(vm->free_map, pfn ^ 1u << order, order);
	     order++) {
		pfn &= ~(1u << order);
		z->area[order].nr -= 2;
		z->area[order + 1].nr++;
	}
	pageblock_forget(vm, pfn, order);
}

/* The word of a page has become full. */
void vm_freemap_join(struct vm *vm, struct zone *z, u32 pfn)
{
	join(vm, z, pfn & ~63u, WORD_ORDER);
}

/* A block comes back to a zone that has a map. */
void vm_freemap_free(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	if (!order) {
		freemap_add(vm, z, &pfn, 1);
		return;
	}
	vm->pages[pfn] = (struct page){ 0 };
	fill_block(vm->free_map, pfn, order, true);
	z->item[NR_FREE] += 1u << order;
	z->area[order].nr++;
	join(vm, z, pfn, order);
}

/*
 * The first free block at or behind *pfn that is in a zone's map. Return: its order, or
 * NONE; *pfn is where it begins.
 */
u32 vm_freemap_next(struct vm *vm, const struct zone *z, u32 *pfn)
{
	const u64 *map = vm->free_map;
	u32 order = 0, at = *pfn;

	while (z->mapped && (at = vm_zone_next(vm, z, at)) != NONE) {
		u64 word = map[at >> WORD_ORDER] >> (at & 63);

		if (!(word & 1)) {
			at = word ? at + (u32)__builtin_ctzll(word) :
				    max_t(u32, vm_virgin_until(z, at), (at | 63) + 1);
			continue;
		}
		while (order < TOP && !(at & 1u << order) &&
		       is_full(map, at ^ 1u << order, order))
			order++;
		*pfn = at;
		return order;
	}
	return NONE;
}

/* The gate is closed: what is on lists goes into the map. */
void vm_freemap_begin(struct vm *vm, struct zone *z)
{
	u32 order, pfn, next;

	z->mapped = 1;
	for (order = 0; order < VM_MAX_ORDER; order++) {
		for (pfn = z->area[order].head; pfn != NONE; pfn = next) {
			next = vm->pages[pfn].pos;
			vm->pages[pfn] = (struct page){ 0 };
			fill_block(vm->free_map, pfn, order, true);
		}
		z->area[order].head = NONE;
	}
}

/* Somebody wants blocks: what is in the map goes onto lists, the highest at the head. */
void vm_freemap_end(struct vm *vm, struct zone *z)
{
	u32 order, pfn = z->start, left = 0;

	if (!z->mapped)
		return;
	for (order = 0; order < VM_MAX_ORDER; order++) {
		left += z->area[order].nr;
		z->area[order].nr = 0;
	}
	for (; left; left--) {
		order = vm_freemap_next(vm, z, &pfn);
		fill_block(vm->free_map, pfn, order, false);
		area_push(vm, &z->area[order], pfn, order);
		pfn += 1u << order;
	}
	z->mapped = 0;
}
