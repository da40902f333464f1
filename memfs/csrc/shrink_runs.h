/*
 * shrink_runs.h - what becomes of most pages, a run of one kind at a time
 *
 * Neighbours on a list are often of a kind. For the common kinds shrink_list()'s
 * table comes down to a few questions and the same few steps, so a loop for each
 * goes through the pages of its kind, adds up what they change of the counters, and
 * stops at the first page that is of another kind or has anything about it. What no
 * run takes goes the long way, through shrink_page.h.
 */
#ifndef SHRINK_RUNS_H
#define SHRINK_RUNS_H

#include "lru_ring.h"
#include "pcp.h"
#include "shrink_page.h"
#include "swap_out.h"

/* Places of one segment at the inactive list's tail. */
struct walk {
	struct vm *vm;
	struct zone *z;
	struct vm_reclaim *rc;
	const u32 *slot;
	u32 i, nr; /* places gone through, of so many */
	u32 taken; /* pages that went elsewhere */
	u32 gone;  /* of them: freed */
};

/* The segment at a list's head while it has a place, else NULL. */
static inline struct seg *seg_with_place(struct vm *vm, const struct lru *lru)
{
	return ring_has_place(vm, lru) ? &vm->segs[lru->head] : NULL;
}

/* Where a run is; by itself, so that it can lie in registers. */
struct spot {
	const u32 *slot, *end;
};

static inline struct spot run_begin(const struct walk *w)
{
	return (struct spot){ w->slot + w->i, w->slot + w->nr };
}

/* The next page, tombstones skipped; NONE at the walk's end. */
static __always_inline u32 run_next(struct spot *at)
{
	while (at->slot < at->end && *at->slot == NONE)
		at->slot++;
	return at->slot < at->end ? *at->slot : NONE;
}

/* It has taken so many pages. */
static inline void run_end(struct walk *w, const struct spot *at, u32 taken)
{
	w->i = (u32)(at->slot - w->slot);
	w->taken += taken;
}

/* ---- under writeback: they stay ---- */

static inline bool is_written(u32 flags)
{
	const u32 about = PG_LOCKED | PG_WRITEBACK | PG_CLIENTMAPPED | RMAP_CHAIN;

	return (flags & about) == PG_WRITEBACK;
}

static __attribute__((noinline)) void run_written(struct walk *w)
{
	struct vm *vm = w->vm;
	struct lru *lru = &w->z->lru[LRU_INACTIVE];
	struct seg *seg = seg_with_place(vm, lru);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0, mapped = 0;

	while (seg && (pfn = run_next(&at)) != NONE) {
		struct page *p = &vm->pages[pfn];

		if (!is_written(p->flags) || seg->hi == SEG_SIZE)
			break;
		mapped += (p->flags & (RMAP_SINGLE | PG_SWAPCACHE)) != 0;
		ring_put(vm, lru, seg, p, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	w->rc->nr_mapped += mapped;
	w->rc->reason[WHY_WRITEBACK] += nr;
}

/* ---- used since last looked at: to the active list ---- */

static inline void go_active(struct vm *vm, struct lru *active, struct seg *seg,
			     struct page *p, u32 pfn)
{
	p->flags = (p->flags & ~(u32)PG_REFERENCED) | PG_ACTIVE;
	ring_put(vm, active, seg, p, pfn);
}

static inline void count_activated(struct vm *vm, struct zone *z, struct vm_reclaim *rc,
				   u32 nr, u32 backed)
{
	z->item[NR_INACTIVE] -= nr;
	z->item[NR_ACTIVE] += nr;
	z->item[NR_INACTIVE_ANON] -= backed;
	z->item[NR_ACTIVE_ANON] += backed;
	vm->event[EV_PGACTIVATE] += nr;
	rc->activated += nr;
	rc->reason[WHY_REFERENCED] += nr;
}

/* ---- anonymous, mapped by one PTE ---- */

/* Is a young page of this zone to be taken for one that was not used? */
static inline bool forgets_young(const struct vm *vm, const struct zone *z)
{
	return !z->open && vm->closed_rules & VM_RULE_SHRINK_UNREF;
}

static __attribute__((noinline)) void run_swapped(struct walk *w)
{
	struct vm *vm = w->vm;
	struct zone *z = w->z;
	struct lru *lru = &z->lru[LRU_INACTIVE];
	struct seg *seg = seg_with_place(vm, lru);
	struct req *rq = swap_request(vm, w->rc);
	const bool forgets = forgets_young(vm, z);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0;

	while (rq && seg && (pfn = run_next(&at)) != NONE) {
		struct page *p = &vm->pages[pfn];

		if (!is_plain_anon(p->flags) || seg->hi == SEG_SIZE)
			break;
		if (!forgets &&
		    (p->flags & PG_REFERENCED || vm->ptes[p->rmap] & PTE_ACCESSED))
			break;
		if (!swap_out(vm, rq, p, pfn))
			break;
		ring_put(vm, lru, seg, p, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	z->item[NR_SWAPCACHE] += nr;
	z->item[NR_ANON_MAPPED] -= nr;
	z->item[NR_WRITEBACK] += nr;
	vm->swap.cached += nr;
	w->rc->nr_mapped += nr;
	w->rc->written += nr;
	w->rc->reason[WHY_WRITEBACK] += nr;
}

static __attribute__((noinline)) void run_young(struct walk *w)
{
	struct vm *vm = w->vm;
	struct zone *z = w->z;
	struct lru *lru = &z->lru[LRU_ACTIVE];
	struct seg *seg = seg_with_place(vm, lru);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0;

	while (seg && !forgets_young(vm, z) && (pfn = run_next(&at)) != NONE) {
		struct page *p = &vm->pages[pfn];
		u32 *pte = &vm->ptes[p->rmap];

		if (!is_plain_anon(p->flags) || seg->hi == SEG_SIZE ||
		    !(p->flags & PG_REFERENCED || *pte & PTE_ACCESSED))
			break;
		*pte &= ~PTE_ACCESSED;
		go_active(vm, lru, seg, p, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	w->rc->nr_mapped += nr;
	count_activated(vm, z, w->rc, nr, nr);
}

/* ---- freed ---- */

struct freeing {
	struct pcp *pcp; /* in turn, or NULL */
	u32 which;
};

static inline struct freeing freeing_now(struct vm *vm, struct zone *z)
{
	const u32 which = pcp_which(vm, true);
	struct pcp *pcp = &z->pcp[which];

	return (struct freeing){ pcp_takes_turns(vm, pcp) ? pcp : NULL, which };
}

static inline void free_one_of_run(struct vm *vm, struct zone *z,
				   const struct freeing *f, u32 pfn)
{
	if (f->pcp)
		free_in_turn(vm, z, f->pcp, pfn, f->which);
	else
		vm_free_page_in(vm, z, pfn, true);
}

/* In the swap cache, unmapped and clean; some used since by who faulted on them. */
static inline bool is_clean_cache(u32 flags)
{
	const u32 about = PG_LOCKED | PG_WRITEBACK | PG_CLIENTMAPPED | PG_DIRTY |
			  PG_MLOCKED | PG_SWAPCACHE | RMAP_MASK | EXTRA_MASK;

	return (flags & about) == PG_SWAPCACHE;
}

static __attribute__((noinline)) void run_uncached(struct walk *w)
{
	struct vm *vm = w->vm;
	struct zone *z = w->z;
	const struct freeing f = freeing_now(vm, z);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0, anon = 0;

	while ((pfn = run_next(&at)) != NONE) {
		const u32 flags = vm->pages[pfn].flags;

		if (!is_clean_cache(flags) || flags & PG_REFERENCED)
			break;
		anon += (flags & PG_ANON) != 0;
		vm_swap_cache_del(vm, pfn);
		free_one_of_run(vm, z, &f, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	w->gone += nr;
	z->item[NR_INACTIVE] -= nr;
	z->item[NR_INACTIVE_ANON] -= nr;
	z->item[NR_ANON] -= anon;
	w->rc->nr_mapped += nr;
}

static __attribute__((noinline)) void run_cache_used(struct walk *w)
{
	struct vm *vm = w->vm;
	struct lru *lru = &w->z->lru[LRU_ACTIVE];
	struct seg *seg = seg_with_place(vm, lru);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0;

	while (seg && (pfn = run_next(&at)) != NONE) {
		struct page *p = &vm->pages[pfn];

		if (!is_clean_cache(p->flags) || !(p->flags & PG_REFERENCED) ||
		    seg->hi == SEG_SIZE)
			break;
		go_active(vm, lru, seg, p, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	w->rc->nr_mapped += nr;
	count_activated(vm, w->z, w->rc, nr, nr);
}

/* Of a file, unmapped and clean. */
static inline bool is_clean_file(u32 flags)
{
	const u32 about = PG_LOCKED | PG_WRITEBACK | PG_CLIENTMAPPED | PG_DIRTY |
			  PG_MLOCKED | PG_SWAPCACHE | PG_SWAPBACKED | PG_CACHED |
			  RMAP_MASK | EXTRA_MASK;

	return (flags & about) == PG_CACHED;
}

static __attribute__((noinline)) void run_dropped(struct walk *w)
{
	struct vm *vm = w->vm;
	struct zone *z = w->z;
	const struct freeing f = freeing_now(vm, z);
	struct spot at = run_begin(w);
	u32 pfn, nr = 0;

	while ((pfn = run_next(&at)) != NONE) {
		const struct page *p = &vm->pages[pfn];

		if (!is_clean_file(p->flags) ||
		    (p->flags & PG_REFERENCED && mapping_inuse(vm, p)))
			break;
		vm_cache_remove(vm, pfn);
		free_one_of_run(vm, z, &f, pfn);
		nr++;
		at.slot++;
	}
	run_end(w, &at, nr);
	w->gone += nr;
	z->item[NR_INACTIVE] -= nr;
}

/* The run that a page of these flags may begin. */
static inline void run_from(struct walk *w, u32 flags)
{
	if (is_written(flags)) {
		run_written(w);
	} else if (is_plain_anon(flags)) {
		run_swapped(w);
		if (!w->taken)
			run_young(w);
	} else if (is_clean_cache(flags)) {
		if (flags & PG_REFERENCED)
			run_cache_used(w);
		else
			run_uncached(w);
	} else if (is_clean_file(flags)) {
		run_dropped(w);
	}
}

#endif
