/*
 * shrink_group.h - what becomes of most pages, at once
 *
 * For the common kinds of page shrink_list()'s table comes down to a few questions
 * and the same few steps: clean ones are freed, used ones go to the active list,
 * plain anonymous ones to swap, dirty ones of a file to the disk, those on their way
 * there stay. What all of these change of the counters is added up for a group of
 * neighbours. Whatever has anything else about it goes the long way (shrink_page.h).
 */
#ifndef SHRINK_GROUP_H
#define SHRINK_GROUP_H

#include "cache.h"
#include "lru_ring.h"
#include "pcp.h"
#include "shrink_page.h"
#include "swap_out.h"

/* Pages of the inactive list's tail, and what is looked up once for them. */
struct group {
	struct vm *vm;
	struct zone *z;
	struct vm_reclaim *rc;
	struct seg *head[2];	    /* of the two lists; NULL: no place there */
	bool swap;		    /* a page may go to swap, */
	bool together;		    /* freed pages are given back at the end, */
	u32 freed[GROUP], nr_freed; /* these */
	bool disk;		    /* one of a file to the disk */
	bool forgets_young;
	/* since the counters were brought up to date */
	u32 taken;		     /* off the ring */
	u32 taken_backed;	     /* of them: anonymous and tmpfs */
	u32 dropped;		     /* of a file, freed; */
	u32 left_file, left_buffers; /* of them, what is not counted out yet */
	u32 uncached;		     /* out of the swap cache, freed, */
	u32 uncached_anon;
	u32 stayed; /* under writeback, */
	u32 young;  /* or dirty and used since */
	u32 activated;
	u32 activated_backed;
	u32 swapped; /* begun to be written: to swap, */
	u32 written; /* to the disk */
	u32 mapped;  /* for rc->nr_mapped, beside those of swap */
};

static inline struct seg *seg_with_place(struct vm *vm, const struct lru *lru)
{
	return ring_has_place(vm, lru) ? &vm->segs[lru->head] : NULL;
}

/* As shrink_page() has it: without a wait, and whoever runs. */
static inline bool disk_takes(const struct vm *vm, const struct vm_reclaim *rc)
{
	const struct dev *d = &vm->dev[VM_DEV_DISK];

	return rc->may_fs && !d->full[1] && (rc->kswapd || !d->congested);
}

static inline void group_tally_anew(struct group *g)
{
	g->nr_freed = 0;
	g->taken = g->taken_backed = 0;
	g->dropped = g->left_file = g->left_buffers = 0;
	g->uncached = g->uncached_anon = 0;
	g->stayed = g->young = g->activated = g->activated_backed = 0;
	g->swapped = g->written = g->mapped = 0;
}

/* Anew after each page that went the long way: that may have changed all of it. */
static __always_inline void group_begin(struct group *g)
{
	struct vm *vm = g->vm;
	struct zone *z = g->z;

	g->head[LRU_INACTIVE] = seg_with_place(vm, &z->lru[LRU_INACTIVE]);
	g->head[LRU_ACTIVE] = seg_with_place(vm, &z->lru[LRU_ACTIVE]);
	g->swap = swap_takes(vm, g->rc);
	g->together = pcp_takes_turns(vm, &z->pcp[pcp_which(vm, true)]);
	g->disk = disk_takes(vm, g->rc);
	g->forgets_young = !z->open && vm->closed_rules & VM_RULE_SHRINK_UNREF;
	group_tally_anew(g);
}

static __always_inline bool has_place(const struct group *g, u32 list)
{
	return g->head[list] && g->head[list]->hi < SEG_SIZE;
}

static __always_inline void put(struct group *g, u32 list, struct page *p, u32 pfn)
{
	ring_put(&g->z->lru[list], g->head[list], p, pfn);
}

/* ---- clean and unmapped: freed, or used since ---- */

/* Of what a page that can be freed at once has nothing. */
#define HINDERED                                                              \
	(PG_LOCKED | PG_WRITEBACK | PG_CLIENTMAPPED | PG_DIRTY | PG_MLOCKED | \
	 RMAP_MASK | EXTRA_MASK)

/* The order in which pages come back shows: those of a group before anything else. */
static inline void give_back(struct group *g)
{
	vm_free_many(g->vm, g->z, g->freed, g->nr_freed);
	g->nr_freed = 0;
}

static __always_inline bool free_it(struct group *g, u32 pfn)
{
	if (g->together) {
		forget_contents(g->vm, pfn);
		g->freed[g->nr_freed++] = pfn;
	} else {
		vm_free_page_in(g->vm, g->z, pfn, true);
	}
	return true;
}

static __always_inline bool to_active(struct group *g, struct page *p, u32 pfn)
{
	if (!has_place(g, LRU_ACTIVE))
		return false;
	g->activated++;
	g->activated_backed += (p->flags & PG_SWAPBACKED) != 0;
	g->mapped += (p->flags & (RMAP_MASK | PG_SWAPCACHE)) != 0;
	p->flags = (p->flags & ~(u32)PG_REFERENCED) | PG_ACTIVE;
	put(g, LRU_ACTIVE, p, pfn);
	return true;
}

static __always_inline bool shrink_clean(struct group *g, struct page *p, u32 pfn)
{
	const u32 flags = p->flags;

	if (flags & PG_REFERENCED && mapping_inuse(g->vm, p))
		return to_active(g, p, pfn);
	if (flags & PG_SWAPCACHE) {
		g->uncached++;
		g->uncached_anon += (flags & PG_ANON) != 0;
		swap_uncache(g->vm, p);
		return free_it(g, pfn);
	}
	if ((flags & (PG_CACHED | PG_SWAPBACKED)) != PG_CACHED)
		return false;
	g->dropped++;
	if (file_uncache(g->vm, p)) {
		g->left_file++;
		g->left_buffers += (flags & PG_PRIVATE) != 0;
	} else {
		give_back(g);
		vm_cache_remove(g->vm, pfn);
	}
	return free_it(g, pfn);
}

/* ---- under writeback: they stay; dirty ones of a file get there ---- */

static inline bool is_written(u32 flags)
{
	const u32 about = PG_LOCKED | PG_WRITEBACK | PG_CLIENTMAPPED | RMAP_CHAIN;

	return (flags & about) == PG_WRITEBACK;
}

static __always_inline bool shrink_written(struct group *g, struct page *p, u32 pfn)
{
	if (!has_place(g, LRU_INACTIVE))
		return false;
	g->stayed++;
	g->mapped += (p->flags & (RMAP_SINGLE | PG_SWAPCACHE)) != 0;
	put(g, LRU_INACTIVE, p, pfn);
	return true;
}

static inline bool is_dirty_file(u32 flags)
{
	const u32 about = HINDERED | PG_CACHED | PG_SWAPBACKED;

	return (flags & about) == (PG_CACHED | PG_DIRTY);
}

/* It is not written before it is old. */
static __always_inline bool shrink_young(struct group *g, struct page *p, u32 pfn)
{
	if (mapping_inuse(g->vm, p))
		return to_active(g, p, pfn);
	if (!has_place(g, LRU_INACTIVE))
		return false;
	g->young++;
	p->flags &= ~(u32)PG_REFERENCED;
	put(g, LRU_INACTIVE, p, pfn);
	return true;
}

static __always_inline bool shrink_dirty(struct group *g, struct page *p, u32 pfn)
{
	if (p->flags & PG_REFERENCED)
		return shrink_young(g, p, pfn);
	if (!g->disk || !has_place(g, LRU_INACTIVE) || vm_writepage(g->vm, pfn, true))
		return false;
	g->disk = disk_takes(g->vm, g->rc);
	g->written++;
	put(g, LRU_INACTIVE, p, pfn);
	return true;
}

/* ---- anonymous, mapped by one PTE ---- */

static __always_inline bool shrink_anon(struct group *g, struct page *p, u32 pfn)
{
	u32 *pte = &g->vm->ptes[p->rmap];

	if (!g->forgets_young && (p->flags & PG_REFERENCED || *pte & PTE_ACCESSED)) {
		if (!to_active(g, p, pfn))
			return false;
		*pte &= ~PTE_ACCESSED;
		return true;
	}
	if (!g->swap || !has_place(g, LRU_INACTIVE) || !swap_out(g->vm, p, pfn))
		return false;
	g->swap = swap_takes(g->vm, g->rc);
	g->swapped++;
	put(g, LRU_INACTIVE, p, pfn);
	return true;
}

/* ---- all of them ---- */

/* False: nothing was done, the page has to go the long way. */
static __always_inline bool shrink_at_once(struct group *g, struct page *p, u32 pfn)
{
	const u32 flags = p->flags;

	if (!(flags & HINDERED))
		return shrink_clean(g, p, pfn);
	if (is_written(flags))
		return shrink_written(g, p, pfn);
	if (is_plain_anon(flags))
		return shrink_anon(g, p, pfn);
	return is_dirty_file(flags) && shrink_dirty(g, p, pfn);
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
}

static inline void count_swapped(struct vm *vm, struct zone *z, u32 nr)
{
	z->item[NR_SWAPCACHE] += nr;
	z->item[NR_ANON_MAPPED] -= nr;
	z->item[NR_WRITEBACK] += nr;
	vm->swap.cached += nr;
}

/* The ring, read up to place `at`, and the counters are as if each page had gone alone. */
static __always_inline void group_settle(struct group *g, u32 at)
{
	struct zone *z = g->z;
	struct vm_reclaim *rc = g->rc;

	give_back(g);
	ring_taken(g->vm, &z->lru[LRU_INACTIVE], at, g->taken);
	z->item[NR_INACTIVE] -= g->dropped + g->uncached;
	z->item[NR_INACTIVE_ANON] -= g->uncached;
	z->item[NR_ANON] -= g->uncached_anon;
	z->item[NR_SWAPCACHE] -= g->uncached;
	z->item[NR_FILE] -= g->left_file;
	z->item[NR_BUFFERS] -= g->left_buffers;
	rc->nr_mapped += g->mapped + g->uncached + g->swapped;
	rc->written += g->swapped + g->written;
	rc->reason[WHY_WRITEBACK] += g->stayed + g->swapped + g->written;
	rc->reason[WHY_REFERENCED] += g->activated + g->young;
	count_activated(g->vm, z, rc, g->activated, g->activated_backed);
	count_swapped(g->vm, z, g->swapped);
}

#endif
