/*
 * freemap.h - free memory behind a closed gate: a bit a page
 *
 * While its gate is closed nobody takes a block of a zone, so lists of blocks serve
 * nobody; how many there are of each order is all that is seen. Pages come back in no
 * order: on lists, the links of a block's neighbours would be anywhere in memory, and
 * with how many buddies a page joins nobody could guess. In a map both is bits of one
 * word, most times.
 *
 * Only pages that came back have a bit, and those that were on a list when the gate was
 * closed; blocks that nobody ever took (buddy.c) have none. The records of free pages
 * are all zero.
 *
 * Departure: when the gate opens the blocks come onto their lists in order of address,
 * the highest first as after boot, and not the one first that came back last.
 */
#ifndef FREEMAP_H
#define FREEMAP_H

#include "vm_int.h"

#define WORD_ORDER 6u /* pages of a word of the map, log2 */

/* The block that a page is in, as far as its word tells: log2 pages. */
static inline u32 freemap_order(u64 word, u32 bit)
{
	u64 w = word & word >> 1; /* bits that begin a pair, if they are even */
	u32 order = w >> (bit & 62) & 1;

	w &= w >> 2;
	order += w >> (bit & 60) & 1;
	w &= w >> 4;
	order += w >> (bit & 56) & 1;
	w &= w >> 8;
	order += w >> (bit & 48) & 1;
	w &= w >> 16;
	order += w >> (bit & 32) & 1;
	return order + (word == ~0ull);
}

void vm_freemap_join(struct vm *vm, struct zone *z, u32 pfn);

/* Single pages come back to a zone that has a map. */
static inline void freemap_add(struct vm *vm, struct zone *z, const u32 *pfns, u32 nr)
{
	u32 joined[WORD_ORDER + 1] = { 0 }, i, order, sum = 0;

	for (i = 0; i < nr; i++) {
		u64 *word = &vm->free_map[pfns[i] >> WORD_ORDER];

		*word |= 1ull << (pfns[i] & 63);
		order = freemap_order(*word, pfns[i] & 63);
		vm->pages[pfns[i]] = (struct page){ 0 };
		joined[order]++;
		if (order == WORD_ORDER)
			vm_freemap_join(vm, z, pfns[i]);
	}
	z->item[NR_FREE] += nr;
	/* Each join of an order took a block of it away. */
	for (order = WORD_ORDER + 1; order--;) {
		z->area[order].nr += joined[order] - sum;
		sum += joined[order];
	}
}

#endif
