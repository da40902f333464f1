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

/* Places that are gone through together: what is looked up once, once for as many. */
#define GROUP 64u

/*
 * A loop fetches ahead itself, evenly: the host bears only so many misses at once, and a
 * burst of them would wait while the loop could work.
 */
struct ahead {
	const u32 *far;	 /* of place i of the group: fetch the page of far[i], */
	const u32 *near; /* and what lies behind the page of near[i] */
};

/* Places from the `from`th after the tail on: at most *nr, as many as lie together. */
static inline const u32 *span_ahead(struct vm *vm, const struct lru *lru, u32 from,
				    const u32 *here, u32 *nr)
{
	u32 n = *nr;
	const u32 *slot = ring_span(vm, lru, from, &n);

	if (!n || !vm->conf.prefetch)
		return here;
	*nr = n;
	return slot;
}

/* Return: how many places the group has, at most nr. */
static inline u32 group_ahead(struct vm *vm, const struct lru *lru, u32 nr,
			      struct ahead *a)
{
	const struct seg *seg = &vm->segs[lru->tail];
	const u32 *here = &seg->slot[seg->lo];

	nr = min_t(u32, nr, min_t(u32, seg->hi - seg->lo, GROUP));
	a->far = span_ahead(vm, lru, 2 * vm->batch, here, &nr);
	a->near = span_ahead(vm, lru, vm->batch, here, &nr);
	return nr;
}

/* Whether places *at to end are still the next ones. */
static inline bool group_stays(struct vm *vm, const struct lru *lru, u32 s, u32 at,
			       u32 end)
{
	return lru->tail == s && vm->segs[s].lo == at && vm->segs[s].hi >= end;
}

#endif
