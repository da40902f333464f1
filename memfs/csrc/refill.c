/*
 * refill.c - ageing: pages move from the tail of the active list to the inactive one
 *
 * The ring is read ahead (lru_walk.h), as in lru_scan.c.
 *
 * Models: mm/vmscan.c refill_inactive_zone(), 2.6.0.
 */
#include <errno.h>

#include "putback.h"
#include "shrink_page.h"

static inline bool stays_active(struct vm *vm, const struct zone *z,
				const struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (p->flags & MAPPED &&
	    (mapped_referenced(vm, z, p, pfn, VM_RULE_REFILL_UNREF) ||
	     !rc->reclaim_mapped))
		return true;
	return vm->swap.nr <= 1 && !page_cached(p) && !(p->flags & PG_PRIVATE);
}

/* What a group of pages changes of the counters. */
struct refilled {
	u32 seen, inactive;
	u32 moved, backed; /* of the inactive ones, what is not counted yet */
};

static void count_refilled(struct vm *vm, struct zone *z, struct vm_reclaim *rc,
			   const struct refilled *r)
{
	z->item[NR_ACTIVE] -= r->moved;
	z->item[NR_INACTIVE] += r->moved;
	z->item[NR_ACTIVE_ANON] -= r->backed;
	z->item[NR_INACTIVE_ANON] += r->backed;
	rc->refilled += r->seen;
	rc->deactivated += r->inactive;
	vm->event[EV_PGREFILL] += r->seen;
	vm->event[EV_PGDEACTIVATE] += r->inactive;
}

/*
 * A page goes inactive, if anybody has it still. Of one that is locked in memory more is
 * counted than of the others.
 */
static inline void deactivate(struct vm *vm, struct zone *z, struct refilled *r,
			      u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	r->inactive++;
	if (!in_use(p) || p->flags & PG_MLOCKED) {
		putback(vm, z, pfn, LRU_ACTIVE, LRU_INACTIVE);
		return;
	}
	r->moved++;
	r->backed += (p->flags & PG_SWAPBACKED) != 0;
	p->flags &= ~(u32)PG_ACTIVE;
	ring_push(vm, &z->lru[LRU_INACTIVE], pfn);
}

/* One page, with the rings up to date. */
static void refill_one(struct vm *vm, struct zone *z, struct vm_reclaim *rc,
		       struct refilled *r)
{
	const u32 pfn = ring_pop(vm, &z->lru[LRU_ACTIVE]);

	r->seen++;
	if (stays_active(vm, z, rc, pfn))
		putback(vm, z, pfn, LRU_ACTIVE, LRU_ACTIVE);
	else
		deactivate(vm, z, r, pfn);
}

/*
 * Up to nr pages of the tail's next group, for all of which there are places on the
 * inactive list. One that stays and finds none on its own ends the group.
 */
static void refill_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr,
			 struct refilled *r)
{
	struct lru *lru = &z->lru[LRU_ACTIVE];
	const u32 lo = vm->segs[lru->tail].lo;
	const u32 *slot = &vm->segs[lru->tail].slot[lo];
	struct page *const pages = vm->pages;
	struct ahead ahead;
	u32 i;

	nr = group_ahead(vm, lru, nr, &ahead);
	for (i = 0; i < nr; i++) {
		const u32 pfn = slot[i];

		prefetch_ahead(vm, pages, &ahead, i);
		if (pfn == NONE)
			continue;
		r->seen++;
		if (!stays_active(vm, z, rc, pfn)) {
			deactivate(vm, z, r, pfn);
			continue;
		}
		if (!ring_has_place(vm, lru)) {
			ring_taken(vm, lru, lo + i + 1, r->seen);
			putback(vm, z, pfn, LRU_ACTIVE, LRU_ACTIVE);
			return;
		}
		putback(vm, z, pfn, LRU_ACTIVE, LRU_ACTIVE);
	}
	ring_taken(vm, lru, lo + nr, r->seen);
}

/* Up to nr pages. Return: pages looked at. */
static u32 refill_some(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr)
{
	const u32 places = ring_places(vm, &z->lru[LRU_INACTIVE]);
	struct refilled r = { 0 };

	if (places)
		refill_group(vm, z, rc, min_t(u32, nr, places), &r);
	else
		refill_one(vm, z, rc, &r);
	count_refilled(vm, z, rc, &r);
	return r.seen;
}

/*
 * vm_refill - refill_inactive_zone(): the active list's tail is looked at
 * @rc:     zid, reclaim_mapped; refilled and deactivated are added to
 * @nr:     pages to look at; counts down
 * @budget: pages in this call
 *
 * Return: VM_DONE, VM_MORE, -ENODEV.
 */
int vm_refill(struct vm *vm, struct vm_reclaim *rc, uint32_t *nr, uint32_t budget)
{
	struct zone *z;
	u32 n;

	if (!zone_ok(vm, rc->zid))
		return -ENODEV;
	z = &vm->zones[rc->zid];
	if (!rc->drained)
		vm_lru_drain_cpu(vm, vm->cpu);
	rc->drained = 1;
	*nr = min_t(u32, *nr, z->lru[LRU_ACTIVE].nr);
	for (; budget && *nr; budget -= n, *nr -= n)
		n = refill_some(vm, z, rc, min_t(u32, budget, *nr));
	if (*nr)
		return VM_MORE;
	rc->drained = 0;
	return VM_DONE;
}
