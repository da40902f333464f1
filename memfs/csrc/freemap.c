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

/* A block that is counted, too. */
static void fill_counted(struct vm *vm, u32 pfn, u32 order, bool on)
{
	fill_block(vm->free_map, pfn, order, on);
	fill_block(vm->free_counted, pfn, order, on);
}

/* ---- how many there are of each order ---- */

/* The blocks of a word are added to the counts, or taken from them. */
static void count_word(struct zone *z, u64 word, bool add)
{
	/* Where aligned blocks of an order would begin. */
	static const u64 begins[] = { 0x5555555555555555, 0x1111111111111111,
				      0x0101010101010101, 0x0001000100010001,
				      0x0000000100000001, 0x0000000000000001 };
	u32 order, nr = (u32)__builtin_popcountll(word), pairs;

	for (order = 0; order < WORD_ORDER; order++, nr = pairs) {
		word &= word >> (1u << order) & begins[order];
		pairs = (u32)__builtin_popcountll(word);
		z->area[order].nr += add ? nr - 2 * pairs : 2 * pairs - nr;
	}
	z->area[WORD_ORDER].nr += add ? nr : 0 - nr;
}

/* A block that is counted joins its buddies. */
static void join(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	for (; order < TOP && is_full(vm->free_counted, pfn ^ 1u << order, order);
	     order++) {
		pfn &= ~(1u << order);
		z->area[order].nr -= 2;
		z->area[order + 1].nr++;
	}
	pageblock_forget(vm, pfn, order);
}

static void settle_word(struct vm *vm, struct zone *z, u32 pfn)
{
	const u64 now = vm->free_map[pfn >> WORD_ORDER];
	u64 *counted = &vm->free_counted[pfn >> WORD_ORDER];

	if (now == *counted)
		return;
	count_word(z, *counted, false);
	count_word(z, now, true);
	*counted = now;
	if (now == ~0ull)
		join(vm, z, pfn, WORD_ORDER);
}

/* The counts become what the map has. */
void vm_freemap_settle(struct vm *vm, struct zone *z)
{
	u32 pfn, end;

	if (!z->unsettled)
		return;
	z->unsettled = 0;
	for (pfn = vm_zone_next(vm, z, z->start); pfn != NONE;
	     pfn = vm_zone_next(vm, z, pfn))
		for (end = (pfn | (SECTION - 1)) + 1; pfn < end && pfn < z->end;
		     pfn += 1u << WORD_ORDER)
			settle_word(vm, z, pfn);
}

/* A block comes back to a zone that has a map. */
void vm_freemap_free(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	if (!order) {
		freemap_add(vm, z, &pfn, 1);
		return;
	}
	vm_freemap_settle(vm, z);
	vm->pages[pfn] = (struct page){ 0 };
	fill_counted(vm, pfn, order, true);
	z->item[NR_FREE] += 1u << order;
	z->area[order].nr++;
	join(vm, z, pfn, order);
}

/* ---- from lists to the map, and back ---- */

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
			fill_counted(vm, pfn, order, true);
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
	vm_freemap_settle(vm, z);
	for (order = 0; order < VM_MAX_ORDER; order++) {
		left += z->area[order].nr;
		z->area[order].nr = 0;
	}
	for (; left; left--) {
		order = vm_freemap_next(vm, z, &pfn);
		fill_counted(vm, pfn, order, false);
		area_push(vm, &z->area[order], pfn, order);
		pfn += 1u << order;
	}
	z->mapped = 0;
}
