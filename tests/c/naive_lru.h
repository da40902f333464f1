/*
 * naive_lru.h - the two LRU lists as the kernel keeps them: linked lists
 *
 * What it is: the plain version of lru.c and lru_scan.c, a page at a time, no
 * rings, no prefetch, a whole batch isolated before it is looked at: the oracle
 * for the lists' order. What it is not: a second set of rules for a single
 * page; unmapping, swap and devices are the core's.
 *
 * An oracle run takes the order of the rings (naive_load), works on the
 * links, and puts the result back (naive_store), so that the whole machine
 * can be compared.
 */
#ifndef NAIVE_LRU_H
#define NAIVE_LRU_H

#include <stdlib.h>

#include "vm_int.h"

struct naive_page {
	u32 next; /* towards the head */
	u32 prev; /* towards the tail */
};

struct naive_list {
	u32 head, tail, nr;
};

struct naive_lru {
	struct naive_page *page;
	struct naive_list list[2]; /* LRU_INACTIVE, LRU_ACTIVE */
};

static inline int naive_init(struct naive_lru *lru, u32 max_pfn)
{
	lru->page = calloc(max_pfn, sizeof(*lru->page));
	for (u32 i = 0; i < 2; i++)
		lru->list[i] = (struct naive_list){ NONE, NONE, 0 };
	return lru->page ? 0 : -1;
}

static inline void naive_exit(struct naive_lru *lru)
{
	free(lru->page);
	lru->page = NULL;
}

/* ---- lists ---- */

static inline void naive_add_head(struct naive_lru *lru, struct naive_list *l, u32 pfn)
{
	lru->page[pfn].next = NONE;
	lru->page[pfn].prev = l->head;
	if (l->head == NONE)
		l->tail = pfn;
	else
		lru->page[l->head].next = pfn;
	l->head = pfn;
	l->nr++;
}

static inline void naive_add_tail(struct naive_lru *lru, struct naive_list *l, u32 pfn)
{
	lru->page[pfn].prev = NONE;
	lru->page[pfn].next = l->tail;
	if (l->tail == NONE)
		l->head = pfn;
	else
		lru->page[l->tail].prev = pfn;
	l->tail = pfn;
	l->nr++;
}

static inline void naive_del(struct naive_lru *lru, struct naive_list *l, u32 pfn)
{
	const struct naive_page *p = &lru->page[pfn];

	if (p->next == NONE)
		l->head = p->prev;
	else
		lru->page[p->next].prev = p->prev;
	if (p->prev == NONE)
		l->tail = p->next;
	else
		lru->page[p->prev].next = p->next;
	l->nr--;
}

static inline u32 naive_pop(struct naive_lru *lru, struct naive_list *l)
{
	u32 pfn = l->tail;

	if (pfn != NONE)
		naive_del(lru, l, pfn);
	return pfn;
}

/* ---- from and to the rings ---- */

static inline void naive_load(struct naive_lru *lru, struct vm *vm, u32 zid)
{
	u32 *pfns = malloc((vm->max_pfn + 1) * sizeof(*pfns));

	for (u32 active = 0; active < 2; active++) {
		u32 nr = vm_lru_list(vm, zid, active, vm->max_pfn, pfns);

		lru->list[active] = (struct naive_list){ NONE, NONE, 0 };
		for (u32 i = 0; i < nr; i++)
			naive_add_head(lru, &lru->list[active], pfns[i]);
	}
	free(pfns);
}

/* Whether a ring and its list name the same pages in the same order. */
static inline bool naive_same(const struct naive_lru *lru, struct vm *vm, u32 zid,
			      u32 active)
{
	u32 *pfns = malloc((vm->max_pfn + 1) * sizeof(*pfns));
	u32 nr = vm_lru_list(vm, zid, active, vm->max_pfn, pfns);
	u32 pfn = lru->list[active].tail, i;

	for (i = 0; i < nr && pfn == pfns[i]; i++)
		pfn = lru->page[pfn].next;
	free(pfns);
	return i == nr && pfn == NONE && nr == lru->list[active].nr;
}

/* Both rings anew, in the order of the lists; the counters stay. */
static inline void naive_store(struct naive_lru *lru, struct vm *vm, u32 zid)
{
	struct zone *z = &vm->zones[zid];
	u32 item[NR_ZONE_ITEMS], i;

	for (i = 0; i < NR_ZONE_ITEMS; i++)
		item[i] = z->item[i];
	for (u32 active = 0; active < 2; active++) {
		while (z->lru[active].nr)
			vm_lru_pop(vm, &z->lru[active]);
		for (u32 pfn = lru->list[active].tail; pfn != NONE;
		     pfn = lru->page[pfn].next)
			vm_lru_add(vm, z, pfn, active);
	}
	for (i = 0; i < NR_ZONE_ITEMS; i++)
		z->item[i] = item[i];
}

/* ---- isolate and put back ---- */

static inline void naive_count(struct zone *z, const struct page *p, u32 active,
			       u32 one)
{
	bool anon = p->flags & PG_SWAPBACKED, mlocked = p->flags & PG_MLOCKED;

	z->item[active ? NR_ACTIVE : NR_INACTIVE] += one;
	if (anon)
		z->item[active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] += one;
	if (mlocked && anon)
		z->item[active ? NR_ACTIVE_ANON_MLOCKED : NR_INACTIVE_ANON_MLOCKED] +=
			one;
	if (mlocked && !anon)
		z->item[active ? NR_ACTIVE_FILE_MLOCKED : NR_INACTIVE_FILE_MLOCKED] +=
			one;
}

static inline void naive_count_held(struct zone *z, const struct page *p, u32 one)
{
	z->item[NR_ISOLATED] += one;
	if (p->flags & PG_SWAPBACKED)
		z->item[NR_ISOLATED_ANON] += one;
}

/* Up to nr pages off the tail of a list, the oldest at the tail of hold. */
static inline void naive_isolate(struct naive_lru *lru, struct vm *vm, struct zone *z,
				 u32 active, u32 nr, struct naive_list *hold)
{
	*hold = (struct naive_list){ NONE, NONE, 0 };
	while (hold->nr < nr && lru->list[active].nr) {
		u32 pfn = naive_pop(lru, &lru->list[active]);
		struct page *p = &vm->pages[pfn];

		naive_count(z, p, active, (u32)-1);
		naive_count_held(z, p, 1);
		p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
		naive_add_head(lru, hold, pfn);
	}
}

static inline bool naive_in_use(const struct page *p)
{
	return page_cached(p) || page_mapped(p) || page_extra(p);
}

/* Return: whether the page was freed. */
static inline bool naive_putback(struct naive_lru *lru, struct vm *vm, struct zone *z,
				 u32 active, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	naive_count_held(z, p, (u32)-1);
	p->flags = (p->flags & ~(u32)(PG_ISOLATED | PG_ACTIVE)) - EXTRA_ONE;
	if (!naive_in_use(p)) {
		vm_put_page(vm, pfn, true);
		return true;
	}
	p->flags |= active ? PG_LRU | PG_ACTIVE : PG_LRU;
	naive_count(z, p, active, 1);
	naive_add_head(lru, &lru->list[active], pfn);
	return false;
}

/* ---- refill_inactive_zone ---- */

static inline bool naive_stays_active(struct vm *vm, struct zone *z,
				      const struct vm_reclaim *rc, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (page_mapped(p)) {
		if (!z->open && vm->closed_rules & VM_RULE_REFILL_UNREF)
			vm_page_referenced(vm, pfn);
		if (vm_page_referenced(vm, pfn))
			return true;
		if (!rc->reclaim_mapped)
			return true;
	}
	return vm->swap.nr <= 1 && !page_cached(p) && !(p->flags & PG_PRIVATE);
}

/* One call of refill_inactive_zone(): nr pages from the active list's tail. */
static inline void naive_refill(struct naive_lru *lru, struct vm *vm,
				struct vm_reclaim *rc, u32 nr)
{
	struct zone *z = &vm->zones[rc->zid];
	struct naive_list hold, keep = { NONE, NONE, 0 }, down = { NONE, NONE, 0 };
	u32 pfn;

	naive_isolate(lru, vm, z, LRU_ACTIVE, nr, &hold);
	while ((pfn = naive_pop(lru, &hold)) != NONE) {
		bool stays = naive_stays_active(vm, z, rc, pfn);

		naive_add_head(lru, stays ? &keep : &down, pfn);
		rc->refilled++;
		rc->deactivated += !stays;
		vm->event[EV_PGREFILL]++;
		vm->event[EV_PGDEACTIVATE] += !stays;
	}
	while ((pfn = naive_pop(lru, &down)) != NONE)
		naive_putback(lru, vm, z, LRU_INACTIVE, pfn);
	while ((pfn = naive_pop(lru, &keep)) != NONE)
		naive_putback(lru, vm, z, LRU_ACTIVE, pfn);
}

/* ---- shrink_list ---- */

enum naive_verdict { NAIVE_KEEP, NAIVE_ACTIVATE, NAIVE_FREE };

static inline enum naive_verdict naive_say(struct vm_reclaim *rc, u32 why,
					   enum naive_verdict v)
{
	rc->reason[why]++;
	return v;
}

static inline enum naive_verdict naive_pageout(struct vm *vm, struct vm_reclaim *rc,
					       u32 pfn, u32 referenced)
{
	struct page *p = &vm->pages[pfn];
	bool swap = p->flags & PG_SWAPCACHE;

	if (referenced)
		return naive_say(rc, WHY_REFERENCED, NAIVE_KEEP);
	if (page_extra(p) != 1 || !page_cached(p))
		return naive_say(rc, WHY_PINNED, NAIVE_KEEP);
	if (!rc->may_fs && !(swap && rc->may_io))
		return naive_say(rc, WHY_DIRTY, NAIVE_KEEP);
	if (!swap && p->flags & PG_SWAPBACKED) {
		if (vm_shm_to_swap(vm, pfn))
			return naive_say(rc, WHY_NO_SWAP, NAIVE_ACTIVATE);
		return naive_say(rc, WHY_DIRTY, NAIVE_KEEP);
	}
	if (!rc->kswapd && vm->dev[swap ? VM_DEV_SWAP : VM_DEV_DISK].congested)
		return naive_say(rc, WHY_CONGESTED, NAIVE_KEEP);
	if (vm_writepage(vm, pfn, true))
		abort(); /* the oracle's devices have room for everything */
	rc->written++;
	return naive_say(rc, WHY_WRITEBACK, NAIVE_KEEP);
}

static inline bool naive_to_swap(struct vm *vm, u32 pfn)
{
	u32 slot = vm_swap_alloc(vm);

	if (slot == NONE)
		return false;
	vm_swap_cache_add(vm, pfn, slot);
	vm->pages[pfn].flags |= PG_DIRTY | PG_UPTODATE;
	return true;
}

static inline bool naive_inuse(struct vm *vm, const struct page *p)
{
	if (page_mapped(p) || p->flags & PG_SWAPCACHE)
		return true;
	return p->flags & PG_CACHED && vm_handle_mapping(vm, p->index)->nr_vmas;
}

static inline enum naive_verdict naive_look(struct vm *vm, struct zone *z,
					    struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 referenced;

	if (p->flags & PG_LOCKED)
		return naive_say(rc, WHY_LOCKED, NAIVE_KEEP);
	if (page_mapped(p) || p->flags & PG_SWAPCACHE)
		rc->nr_mapped++;
	if (p->flags & PG_WRITEBACK)
		return naive_say(rc, WHY_WRITEBACK, NAIVE_KEEP);
	if (!z->open && vm->closed_rules & VM_RULE_SHRINK_UNREF && page_mapped(p))
		vm_page_referenced(vm, pfn);
	referenced = vm_page_referenced(vm, pfn);
	if (referenced && naive_inuse(vm, p))
		return naive_say(rc, WHY_REFERENCED, NAIVE_ACTIVATE);
	if (page_mapped(p) && !page_cached(p) && !naive_to_swap(vm, pfn))
		return naive_say(rc, WHY_NO_SWAP, NAIVE_ACTIVATE);
	if (page_mapped(p)) {
		int rc2 = vm_try_to_unmap(vm, pfn);

		if (rc2 == UNMAP_MLOCKED)
			return naive_say(rc, WHY_MLOCKED, NAIVE_ACTIVATE);
		if (rc2 == UNMAP_FAIL)
			return naive_say(rc, WHY_REFERENCED, NAIVE_ACTIVATE);
	}
	if (p->flags & PG_DIRTY)
		return naive_pageout(vm, rc, pfn, referenced);
	if (page_extra(p) != 1)
		return naive_say(rc, WHY_PINNED, NAIVE_KEEP);
	if (p->flags & PG_SWAPCACHE)
		vm_swap_cache_del(vm, pfn);
	else if (p->flags & PG_CACHED)
		vm_cache_remove(vm, pfn);
	return NAIVE_FREE;
}

/* ---- shrink_cache ---- */

static inline void naive_account(struct vm *vm, struct zone *z, struct vm_reclaim *rc,
				 u32 nr)
{
	rc->scanned += nr;
	rc->max_scan -= nr;
	z->pages_scanned += nr;
	vm->event[EV_PGSCAN] += nr;
	vm->event[rc->kswapd ? EV_PGSCAN_KSWAPD : EV_PGSCAN_DIRECT] += nr;
}

static inline void naive_freed(struct vm *vm, struct vm_reclaim *rc, bool backed)
{
	vm->event[backed ? EV_PGSTEAL_ANON : EV_PGSTEAL_FILE]++;
	rc->freed++;
	if (rc->nr_pages)
		rc->nr_pages--;
	vm->event[EV_PGSTEAL]++;
	vm->event[rc->kswapd ? EV_PGSTEAL_KSWAPD : EV_PGSTEAL_DIRECT]++;
}

/* One call of shrink_cache(), as the comment of vm_shrink() says. */
static inline void naive_shrink(struct naive_lru *lru, struct vm *vm,
				struct vm_reclaim *rc)
{
	struct zone *z = &vm->zones[rc->zid];
	u32 round = max_t(u32, rc->nr_pages, 32);
	struct naive_list hold;
	u32 pfn;

	while (rc->max_scan > 0 && rc->nr_pages) {
		naive_isolate(lru, vm, z, LRU_INACTIVE, round, &hold);
		if (!hold.nr)
			return;
		naive_account(vm, z, rc, hold.nr);
		while ((pfn = naive_pop(lru, &hold)) != NONE) {
			bool backed = vm->pages[pfn].flags & PG_SWAPBACKED;
			enum naive_verdict v = naive_look(vm, z, rc, pfn);

			vm->event[backed ? EV_PGSCAN_ANON : EV_PGSCAN_FILE]++;
			rc->activated += v == NAIVE_ACTIVATE;
			vm->event[EV_PGACTIVATE] += v == NAIVE_ACTIVATE;
			if (naive_putback(lru, vm, z, v == NAIVE_ACTIVATE, pfn))
				naive_freed(vm, rc, backed);
		}
	}
}

#endif
