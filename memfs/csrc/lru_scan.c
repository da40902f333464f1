/*
 * lru_scan.c - ageing and reclaim: the two scans of 2.6
 *
 * refill_inactive_zone() moves pages from the tail of the active list,
 * shrink_cache() takes pages from the tail of the inactive list and frees what
 * it can. The kernel isolates a batch, looks at it, and puts back what stays,
 * in the order of the scan; taking one page at a time gives the same lists.
 * The rings are read ahead: pages are prefetched two batches, what lies behind them (PTE, index slot)
 * one batch before they are looked at. The size of a batch changes no result.
 *
 * Models: mm/vmscan.c shrink_list(), shrink_cache(), refill_inactive_zone(),
 * 2.6.0, with the changes of the November 2003 prototype for zones behind a
 * closed gate.
 */
#include <errno.h>

#include "vm_int.h"

enum verdict { KEEP, ACTIVATE, FREED, AGAIN };

/* ---- prefetch ---- */

static void prefetch_pages(struct vm *vm, const struct lru *lru, u32 from, u32 nr)
{
	u32 i, pfn;

	for (i = from; i < from + nr; i++) {
		pfn = vm_lru_peek(vm, lru, i);
		if (pfn != NONE)
			prefetchw(&vm->pages[pfn]);
	}
}

static void prefetch_behind(struct vm *vm, const struct lru *lru, u32 nr)
{
	u32 i, pfn;

	for (i = 0; i < nr; i++) {
		const struct page *p;

		pfn = vm_lru_peek(vm, lru, i);
		if (pfn == NONE)
			continue;
		p = &vm->pages[pfn];
		prefetchw(&vm->stamps[pfn]);
		if ((p->flags & RMAP_MASK) == RMAP_SINGLE)
			prefetchw(&vm->ptes[p->rmap]);
		if (p->flags & PG_CACHED)
			prefetchw(vm_slot(vm, p->index));
		else if (p->flags & PG_SWAPCACHE)
			prefetchw(&vm->swap.map[p->index]);
	}
}

/* Called before each page; does something once a batch. */
static void run_ahead(struct vm *vm, const struct lru *lru, u32 nth)
{
	if (!vm->conf.prefetch || nth % vm->batch)
		return;
	if (nth == 0)
		prefetch_pages(vm, lru, 0, vm->batch);
	prefetch_pages(vm, lru, vm->batch, vm->batch);
	prefetch_behind(vm, lru, vm->batch);
}

/* ---- one page ---- */

static bool discards_young(const struct vm *vm, const struct zone *z, u32 rule)
{
	return !z->open && vm->closed_rules & rule;
}

static bool mapping_inuse(struct vm *vm, const struct page *p)
{
	if (page_mapped(p) || p->flags & PG_SWAPCACHE)
		return true;
	return p->flags & PG_CACHED && vm_handle_mapping(vm, p->index)->nr_vmas;
}

static enum verdict verdict(struct vm_reclaim *rc, enum vm_reason why, enum verdict v)
{
	rc->reason[why]++;
	return v;
}

/* Step 5: an anonymous page gets a place in swap. */
static bool add_to_swap(struct vm *vm, u32 pfn)
{
	u32 slot = vm_swap_alloc(vm);

	if (slot == NONE)
		return false;
	vm_swap_cache_add(vm, pfn, slot);
	vm->pages[pfn].flags |= PG_DIRTY | PG_UPTODATE;
	return true;
}

static bool is_tmpfs(const struct page *p)
{
	return p->flags & PG_CACHED && p->flags & PG_SWAPBACKED;
}

static enum verdict write_tmpfs(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	if (vm_shm_to_swap(vm, pfn))
		return verdict(rc, WHY_NO_SWAP, ACTIVATE);
	return verdict(rc, WHY_DIRTY, KEEP);
}

/* Step 7: start to write a dirty page, if it may be written now. */
static enum verdict pageout(struct vm *vm, struct vm_reclaim *rc, u32 pfn,
			    u32 referenced)
{
	struct page *p = &vm->pages[pfn];
	u32 dev = p->flags & PG_SWAPCACHE ? VM_DEV_SWAP : VM_DEV_DISK;

	if (referenced)
		return verdict(rc, WHY_REFERENCED, KEEP);
	if (page_extra(p) > 1 || !page_cached(p))
		return verdict(rc, WHY_PINNED, KEEP);
	if (!rc->may_fs && !(p->flags & PG_SWAPCACHE && rc->may_io))
		return verdict(rc, WHY_DIRTY, KEEP);
	if (is_tmpfs(p))
		return write_tmpfs(vm, rc, pfn);
	if (vm->dev[dev].congested && !rc->kswapd)
		return verdict(rc, WHY_CONGESTED, KEEP);
	if (vm_wait_room(vm, dev, true) || vm_writepage(vm, pfn, true))
		return AGAIN;
	rc->written++;
	return verdict(rc, WHY_WRITEBACK, KEEP);
}

/* Steps 8 to 11: nobody uses the page, its contents are safe. */
static enum verdict free_one(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (page_extra(p) != 1)
		return verdict(rc, WHY_PINNED, KEEP);
	if (p->flags & PG_SWAPCACHE)
		vm_swap_cache_del(vm, pfn);
	else if (p->flags & PG_CACHED)
		vm_cache_remove(vm, pfn);
	return FREED;
}

static enum verdict unmap(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (!page_cached(p) && !add_to_swap(vm, pfn))
		return verdict(rc, WHY_NO_SWAP, ACTIVATE);
	switch (vm_try_to_unmap(vm, pfn)) {
	case UNMAP_MLOCKED:
		return verdict(rc, WHY_MLOCKED, ACTIVATE);
	case UNMAP_FAIL:
		return verdict(rc, WHY_REFERENCED, ACTIVATE);
	}
	return FREED;
}

/* The decision table of shrink_list(); AGAIN: the device's queue is full. */
static enum verdict shrink_page(struct vm *vm, struct zone *z, struct vm_reclaim *rc,
				u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 referenced;
	enum verdict v;

	if (p->flags & PG_LOCKED)
		return verdict(rc, WHY_LOCKED, KEEP);
	rc->nr_mapped += page_mapped(p) || p->flags & PG_SWAPCACHE;
	if (p->flags & PG_WRITEBACK)
		return verdict(rc, WHY_WRITEBACK, KEEP);
	if (page_mapped(p) && discards_young(vm, z, VM_RULE_SHRINK_UNREF))
		vm_page_referenced(vm, pfn);
	referenced = vm_page_referenced(vm, pfn);
	if (referenced && mapping_inuse(vm, p))
		return verdict(rc, WHY_REFERENCED, ACTIVATE);
	if (page_mapped(p)) {
		v = unmap(vm, rc, pfn);
		if (v != FREED)
			return v;
	}
	if (p->flags & PG_DIRTY)
		return pageout(vm, rc, pfn, referenced);
	return free_one(vm, rc, pfn);
}

/* ---- shrink_cache ---- */

static u32 isolate(struct vm *vm, struct zone *z, u32 active)
{
	u32 pfn = vm_lru_pop(vm, &z->lru[active]);
	struct page *p = &vm->pages[pfn];
	bool anon = p->flags & PG_SWAPBACKED;

	z->item[active ? NR_ACTIVE : NR_INACTIVE]--;
	z->item[active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] -= anon;
	z->item[NR_ISOLATED]++;
	p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
	return pfn;
}

/* Off our hands: freed if nothing refers to it, else on the list it belongs to. */
static void putback(struct vm *vm, struct zone *z, u32 pfn, u32 active)
{
	struct page *p = &vm->pages[pfn];

	z->item[NR_ISOLATED]--;
	p->flags = (p->flags & ~(u32)(PG_ISOLATED | PG_ACTIVE)) - EXTRA_ONE;
	if (page_cached(p) || page_mapped(p) || page_extra(p))
		vm_lru_add(vm, z, pfn, active);
	else
		vm_put_page(vm, pfn, true);
}

static void settle(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn,
		   enum verdict v)
{
	bool gone;

	if (v == ACTIVATE) {
		rc->activated++;
		vm->event[EV_PGACTIVATE]++;
	}
	gone = !page_cached(&vm->pages[pfn]) && !page_mapped(&vm->pages[pfn]) &&
	       page_extra(&vm->pages[pfn]) == 1;
	putback(vm, z, pfn, v == ACTIVATE);
	if (!gone)
		return;
	rc->freed++;
	rc->nr_pages -= rc->nr_pages != 0;
	vm->event[EV_PGSTEAL]++;
	vm->event[rc->kswapd ? EV_PGSTEAL_KSWAPD : EV_PGSTEAL_DIRECT]++;
}

static u32 take(struct vm *vm, struct zone *z, struct vm_reclaim *rc)
{
	if (rc->nr_hold) {
		rc->nr_hold = 0;
		return rc->held;
	}
	rc->round_left--;
	rc->max_scan--;
	rc->scanned++;
	vm->event[EV_PGSCAN]++;
	vm->event[rc->kswapd ? EV_PGSCAN_KSWAPD : EV_PGSCAN_DIRECT]++;
	return isolate(vm, z, LRU_INACTIVE);
}

/* A round is what the kernel isolates in one go. False: there is no more to do. */
static bool next_round(struct vm *vm, struct zone *z, struct vm_reclaim *rc)
{
	if (!rc->round) {
		rc->round = max_t(u32, rc->nr_pages, 32);
		vm_lru_drain_cpu(vm, vm->cpu);
	}
	if (rc->max_scan > 0 && rc->nr_pages)
		rc->round_left = min_t(u32, rc->round, z->lru[LRU_INACTIVE].nr);
	if (!rc->round_left)
		rc->round = 0;
	/* As the kernel, at once: a page freed in this round makes it 0 again. */
	z->pages_scanned += rc->round_left;
	return rc->round_left != 0;
}

/*
 * vm_shrink - shrink_cache() of one zone
 * @rc:     zid, kswapd, may_fs, may_io, nr_pages (wanted), max_scan (to look at);
 *          counts are added to
 * @budget: pages to look at in this call
 *
 * Return: VM_DONE (enough freed, or enough looked at, or nothing left),
 * VM_MORE, VM_WAIT (a device's queue is full; one page is held), -ENODEV.
 */
int vm_shrink(struct vm *vm, struct vm_reclaim *rc, uint32_t budget)
{
	struct zone *z;
	enum verdict v;
	u32 nth, pfn;

	if (!zone_ok(vm, rc->zid))
		return -ENODEV;
	z = &vm->zones[rc->zid];
	for (nth = 0; nth < budget; nth++) {
		if (rc->round_left && !z->lru[LRU_INACTIVE].nr)
			rc->round_left = 0;
		if (!rc->nr_hold && !rc->round_left && !next_round(vm, z, rc))
			return VM_DONE;
		run_ahead(vm, &z->lru[LRU_INACTIVE], nth);
		pfn = take(vm, z, rc);
		v = shrink_page(vm, z, rc, pfn);
		if (v == AGAIN) {
			rc->held = pfn;
			rc->nr_hold = 1;
			return VM_WAIT;
		}
		settle(vm, z, rc, pfn, v);
	}
	return VM_MORE;
}

/* The page that waits for a device goes back where a keeper goes. */
void vm_reclaim_cancel(struct vm *vm, struct vm_reclaim *rc)
{
	if (rc->nr_hold && zone_ok(vm, rc->zid))
		putback(vm, &vm->zones[rc->zid], rc->held, 0);
	rc->nr_hold = 0;
	rc->round = 0;
	rc->round_left = 0;
	rc->drained = 0;
}

/* ---- refill_inactive_zone ---- */

static bool stays_active(struct vm *vm, const struct zone *z,
			 const struct vm_reclaim *rc, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (page_mapped(p)) {
		if (discards_young(vm, z, VM_RULE_REFILL_UNREF))
			vm_page_referenced(vm, pfn);
		if (vm_page_referenced(vm, pfn) || !rc->reclaim_mapped)
			return true;
	}
	return vm->swap.nr <= 1 && !page_cached(p) && !(p->flags & PG_PRIVATE);
}

static void refill_one(struct vm *vm, struct zone *z, struct vm_reclaim *rc)
{
	u32 pfn = isolate(vm, z, LRU_ACTIVE);
	u32 active = stays_active(vm, z, rc, pfn);

	putback(vm, z, pfn, active);
	rc->refilled++;
	rc->deactivated += !active;
	vm->event[EV_PGREFILL]++;
	vm->event[EV_PGDEACTIVATE] += !active;
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
	u32 nth;

	if (!zone_ok(vm, rc->zid))
		return -ENODEV;
	z = &vm->zones[rc->zid];
	if (!rc->drained)
		vm_lru_drain_cpu(vm, vm->cpu);
	rc->drained = 1;
	*nr = min_t(u32, *nr, z->lru[LRU_ACTIVE].nr);
	for (nth = 0; nth < budget && *nr; nth++, --*nr) {
		run_ahead(vm, &z->lru[LRU_ACTIVE], nth);
		refill_one(vm, z, rc);
	}
	if (*nr)
		return VM_MORE;
	rc->drained = 0;
	return VM_DONE;
}

/* The first pages of a list, oldest first. Return: how many. */
uint32_t vm_lru_list(struct vm *vm, uint32_t zid, uint32_t active, uint32_t max,
		     uint32_t *pfns)
{
	const struct lru *lru;
	u32 s, i, n = 0;

	if (!zone_ok(vm, zid))
		return 0;
	lru = &vm->zones[zid].lru[active != 0];
	for (s = lru->tail; s != NONE; s = vm->segs[s].next)
		for (i = vm->segs[s].lo; i < vm->segs[s].hi && n < max; i++)
			if (vm->segs[s].slot[i] != NONE)
				pfns[n++] = vm->segs[s].slot[i];
	return n;
}
