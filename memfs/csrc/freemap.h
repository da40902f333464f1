/*
 * freemap.h - free memory behind a closed gate: a bit a page
 *
 * While its gate is closed nobody takes a block of a zone, so lists of blocks serve
 * nobody; how many there are of each order is all that is seen. Pages come back in no
 * order: on lists, the links of a block's neighbours would be anywhere in memory, and
 * with how many buddies a page joins nobody could guess. In a map it is a bit; blocks
 * are counted when somebody asks, and vm->free_counted is the map as it was then.
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

/*
 * Single pages come back to a zone that has a map. Blocks are counted when somebody
 * wants to know (vm_freemap_settle()).
 */
static inline void freemap_add(struct vm *vm, struct zone *z, const u32 *pfns, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		vm->free_map[pfns[i] >> WORD_ORDER] |= 1ull << (pfns[i] & 63);
		vm->pages[pfns[i]] = (struct page){ 0 };
	}
	z->item[NR_FREE] += nr;
	z->unsettled = 1;
}

#endif
