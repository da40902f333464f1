/*
 * lru_ring.h - what every scanned page goes through of an LRU ring, inline
 *
 * The rest of the rings is in lru.c.
 */
#ifndef LRU_RING_H
#define LRU_RING_H

#include "vm_int.h"

u32 vm_lru_new_head(struct vm *vm, struct lru *lru); /* a head with room; its segment */
u32 vm_lru_new_tail(struct vm *vm, struct lru *lru); /* the same at the other end */
void vm_lru_end_tail(struct vm *vm, struct lru *lru); /* the tail's segment is empty */
void vm_lru_thin(struct vm *vm, struct lru *lru, u32 s);

/* Joined segments hold at most half of what fits, so that joins stay rare. */
#define JOIN_LIVE (SEG_SIZE / 2)

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

/* How many pages can be pushed without a change of the segments. */
static inline u32 ring_places(struct vm *vm, const struct lru *lru)
{
	return lru->head == NONE ? 0 : SEG_SIZE - vm->segs[lru->head].hi;
}

static inline bool ring_has_place(struct vm *vm, const struct lru *lru)
{
	return ring_places(vm, lru) != 0;
}

/* To the end of the head's segment, where there is a place. */
static inline void ring_put(struct lru *lru, struct seg *seg, struct page *p, u32 pfn)
{
	const u32 hi = seg->hi;

	p->pos = seg->first | hi;
	seg->slot[hi] = pfn;
	seg->hi = hi + 1;
	seg->live++;
	lru->nr++;
}

/* The head's segment, a new one if there is no place in it. */
static inline struct seg *ring_head(struct vm *vm, struct lru *lru)
{
	return &vm->segs[ring_has_place(vm, lru) ? lru->head : vm_lru_new_head(vm, lru)];
}

static inline void ring_push(struct vm *vm, struct lru *lru, u32 pfn)
{
	ring_put(lru, ring_head(vm, lru), &vm->pages[pfn], pfn);
}

static inline void ring_add_tail(struct vm *vm, struct lru *lru, struct page *p,
				 u32 pfn)
{
	u32 s = lru->tail;
	struct seg *seg;

	if (s == NONE || vm->segs[s].lo == 0)
		s = vm_lru_new_tail(vm, lru);
	seg = &vm->segs[s];
	seg->slot[--seg->lo] = pfn;
	p->pos = seg->first | seg->lo;
	seg->live++;
	lru->nr++;
}

/* Out of the middle: its place is a tombstone. */
static inline void ring_del(struct vm *vm, struct lru *lru, const struct page *p)
{
	const u32 s = p->pos >> SEG_SHIFT;
	struct seg *seg = &vm->segs[s];

	seg->slot[p->pos & (SEG_SIZE - 1)] = NONE;
	lru->nr--;
	if (--seg->live % 64 == 0 && seg->live <= JOIN_LIVE)
		vm_lru_thin(vm, lru, s);
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
