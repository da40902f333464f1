/*
 * lru_walk.h - a list is gone through from its tail, in groups, and read ahead
 *
 * The page of a place two batches ahead is fetched into the host's cache, and what
 * lies behind the page (PTE, index slot) one batch ahead. The size of a batch
 * changes no result.
 */
#ifndef LRU_WALK_H
#define LRU_WALK_H

#include "lru_ring.h"

/* Places that are prefetched together: so many misses the host's CPU bears at once. */
#define GROUP 16u

/* A tombstone's address is of nothing, which does no harm. */
static inline void prefetch_pages(const struct page *pages, const u32 *slot, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		prefetchw(&pages[slot[i]]);
}

/*
 * The next group of places at a list's tail, of at most nr. Return: where it ends.
 * @behind: fetches what is needed of a page that is a batch ahead
 */
static __always_inline u32 next_group(struct vm *vm, const struct lru *lru, u32 nr,
				      void (*behind)(struct vm *vm, u32 pfn))
{
	const struct seg *seg = &vm->segs[lru->tail];
	const u32 *slot;
	u32 n, i;

	nr = min_t(u32, nr, min_t(u32, seg->hi - seg->lo, GROUP));
	if (vm->conf.prefetch) {
		n = nr;
		slot = ring_span(vm, lru, 2 * vm->batch, &n);
		prefetch_pages(vm->pages, slot, n);
		n = nr;
		slot = ring_span(vm, lru, vm->batch, &n);
		for (i = 0; i < n; i++)
			if (slot[i] != NONE)
				behind(vm, slot[i]);
	}
	return seg->lo + nr;
}

/*
 * The same for a loop that fetches ahead itself, evenly: the host bears only so many
 * misses at once, and a burst of them would wait while the loop could work.
 */
struct ahead {
	const u32 *far;	 /* of place i of the group: fetch the page of far[i], */
	const u32 *near; /* and what lies behind the page of near[i] */
};

/* A span that the end of its segment cuts short is left out: the places at hand. */
static inline const u32 *span_ahead(struct vm *vm, const struct lru *lru, u32 from,
				    u32 nr, const u32 *here)
{
	u32 n = nr;
	const u32 *slot = ring_span(vm, lru, from, &n);

	return n == nr && vm->conf.prefetch ? slot : here;
}

/* Return: how many places the group has, at most nr. */
static inline u32 group_ahead(struct vm *vm, const struct lru *lru, u32 nr,
			      struct ahead *a)
{
	const struct seg *seg = &vm->segs[lru->tail];
	const u32 *here = &seg->slot[seg->lo];

	nr = min_t(u32, nr, min_t(u32, seg->hi - seg->lo, GROUP));
	a->far = span_ahead(vm, lru, 2 * vm->batch, nr, here);
	a->near = span_ahead(vm, lru, vm->batch, nr, here);
	return nr;
}

/* Whether places *at to end are still the next ones. */
static inline bool group_stays(struct vm *vm, const struct lru *lru, u32 s, u32 at,
			       u32 end)
{
	return lru->tail == s && vm->segs[s].lo == at && vm->segs[s].hi >= end;
}

#endif
