/*
 * cache.h - a clean page leaves its cache for good
 *
 * By one who frees it next and knows its zone. The zone's counters of what leaves are
 * the caller's, who adds them up; of the page's record nothing need be put right.
 */
#ifndef CACHE_H
#define CACHE_H

#include "swap_slots.h"

/* Of a file. False: its index node goes with it, which is vm_cache_remove()'s. */
static inline bool file_uncache(struct vm *vm, const struct page *p)
{
	struct rnode *n = &vm->rnodes[p->index >> RN_SHIFT];

	if (n->count == 1)
		return false;
	n->count--;
	n->slot[p->index & (RN_SLOTS - 1)] = 0;
	vm->mappings[n->mapping].nrpages--;
	return true;
}

/* Out of the swap cache; its slot is free where nobody else refers to it. */
static inline void swap_uncache(struct vm *vm, const struct page *p)
{
	struct swap_area *s = &vm->swap;
	const u32 slot = p->index;

	swap_cache_clear(s, slot);
	if (!s->map[slot])
		vm_swap_release(vm, slot);
}

#endif
