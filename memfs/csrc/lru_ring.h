/*
 * lru_ring.h - what every scanned page goes through of an LRU ring, inline
 *
 * The rest of the rings is in lru.c.
 */
#ifndef LRU_RING_H
#define LRU_RING_H

#include "vm_int.h"

u32 vm_lru_new_head(struct vm *vm, struct lru *lru); /* a head with room; its segment */
void vm_lru_end_tail(struct vm *vm, struct lru *lru); /* the tail's segment is empty */

/* Take the oldest page off a ring that has one. */
static inline u32 ring_pop(struct vm *vm, struct lru *lru)
{
	struct seg *seg = &vm->segs[lru->tail];
	u32 lo = seg->lo;
	u32 pfn;

	do
		pfn = seg->slot[lo++];
	while (pfn == NONE);
	seg->lo = lo;
	lru->nr--;
	if (--seg->live == 0)
		vm_lru_end_tail(vm, lru);
	return pfn;
}

static inline void ring_push(struct vm *vm, struct lru *lru, u32 pfn)
{
	u32 s = lru->head;
	struct seg *seg;

	if (s == NONE || vm->segs[s].hi == SEG_SIZE)
		s = vm_lru_new_head(vm, lru);
	seg = &vm->segs[s];
	vm->pages[pfn].pos = s << SEG_SHIFT | seg->hi;
	seg->slot[seg->hi++] = pfn;
	seg->live++;
	lru->nr++;
}

/* The tail's segment was read up to place `at`; nr pages are taken. */
static inline void ring_taken(struct vm *vm, struct lru *lru, u32 at, u32 nr)
{
	struct seg *seg = &vm->segs[lru->tail];

	seg->lo = at;
	seg->live -= nr;
	lru->nr -= nr;
	if (!seg->live)
		vm_lru_end_tail(vm, lru);
}

/* Up to *nr places from the `from`th after the tail on, as lie in one segment. */
static inline const u32 *ring_span(struct vm *vm, const struct lru *lru, u32 from,
				   u32 *nr)
{
	const struct seg *seg = &vm->segs[lru->tail];
	u32 at = seg->lo + from;

	if (at >= seg->hi && seg->next != NONE) {
		from = at - seg->hi;
		seg = &vm->segs[seg->next];
		at = seg->lo + from;
	}
	*nr = at < seg->hi ? min_t(u32, *nr, seg->hi - at) : 0;
	return &seg->slot[at];
}

#endif
