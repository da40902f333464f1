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

#include "lru_ring.h"

enum verdict { KEEP, ACTIVATE, FREED, AGAIN };

/* ---- prefetch ---- */

/* Places that are prefetched together: so many misses the host's CPU bears at once. */
#define GROUP 8u

static void prefetch_pages(const struct page *pages, const u32 *slot, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (slot[i] != NONE)
			prefetchw(&pages[slot[i]]);
}

/* What the decision about a page, or its end, looks at. */
static void prefetch_behind(struct vm *vm, const u32 *slot, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		const struct page *p = &vm->pages[slot[i]];

		if (slot[i] == NONE)
			continue;
		if (p->flags & RMAP_SINGLE) {
			prefetchw(&vm->ptes[p->rmap]);
			continue;
		}
		if (p->flags & PG_ANON)
			prefetchw(&vm->stamps[slot[i]]);
		if (p->flags & PG_CACHED)
			prefetchw(vm_slot(vm, p->index));
		else if (p->flags & PG_SWAPCACHE)
			prefetchw(&vm->swap.map[p->index]);
	}
}

/*
 * The next group of places at a list's tail. For each of them a page two batches
 * ahead is fetched, and what lies behind one that is a batch ahead. Return:
 * where the group ends.
 */
static u32 next_group(struct vm *vm, const struct lru *lru, u32 nr)
{
	const struct seg *seg = &vm->segs[lru->tail];
	const u32 *slot;
	u32 n;

	nr = min_t(u32, nr, min_t(u32, seg->hi - seg->lo, GROUP));
	if (vm->conf.prefetch) {
		n = nr;
		slot = ring_span(vm, lru, 2 * vm->batch, &n);
		prefetch_pages(vm->pages, slot, n);
		n = nr;
		slot = ring_span(vm, lru, vm->batch, &n);
		prefetch_behind(vm, slot, n);
	}
	return seg->lo + nr;
}

/* Whether places *at to end are still the next ones. */
static bool group_stays(struct vm *vm, const struct lru *lru, u32 s, u32 at, u32 end)
{
	return lru->tail == s && vm->segs[s].lo == at && vm->segs[s].hi >= end;
}

/* ---- one page ---- */

/* Was it used since last looked at? As vm_page_referenced(), most pages inline. */
static inline u32 referenced(struct vm *vm, struct page *p, u32 pfn)
{
	u32 nr = (p->flags & (PG_REFERENCED | PG_CLIENTYOUNG)) != 0;

	if (p->flags & RMAP_CHAIN)
		return vm_page_referenced(vm, pfn);
	p->flags &= ~(PG_REFERENCED | PG_CLIENTYOUNG);
	if (p->flags & RMAP_SINGLE) {
		nr += (vm->ptes[p->rmap] & PTE_ACCESSED) != 0;
		vm->ptes[p->rmap] &= ~PTE_ACCESSED;
	}
	return nr;
}

/* The same for a mapped page; a rule of closed gates has it forgotten instead. */
static inline u32 mapped_referenced(struct vm *vm, const struct zone *z, struct page *p,
				    u32 pfn, u32 rule)
{
	u32 nr = referenced(vm, p, pfn);

	return !z->open && vm->closed_rules & rule ? 0 : nr;
}

/* By a task's PTE, or, for what the model knows, by a real process. */
#define MAPPED (RMAP_MASK | PG_CLIENTMAPPED)

static bool mapping_inuse(struct vm *vm, const struct page *p)
{
	if (p->flags & (MAPPED | PG_SWAPCACHE))
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
	switch (vm_shm_to_swap(vm, pfn)) {
	case -EOPNOTSUPP:
		return verdict(rc, WHY_NO_WRITEPAGE, ACTIVATE);
	case -ENOSPC:
		return verdict(rc, WHY_NO_SWAP, ACTIVATE);
	}
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
	if (page_extra(p) || !page_cached(p))
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

	if (page_extra(p))
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
static inline enum verdict shrink_page(struct vm *vm, struct zone *z,
				       struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	const u32 flags = p->flags;
	u32 used;
	enum verdict v;

	if (flags & PG_LOCKED)
		return verdict(rc, WHY_LOCKED, KEEP);
	rc->nr_mapped += (flags & (RMAP_MASK | PG_SWAPCACHE)) != 0;
	if (flags & PG_WRITEBACK)
		return verdict(rc, WHY_WRITEBACK, KEEP);
	if (flags & MAPPED)
		used = mapped_referenced(vm, z, p, pfn, VM_RULE_SHRINK_UNREF);
	else
		used = referenced(vm, p, pfn);
	if (used && mapping_inuse(vm, p))
		return verdict(rc, WHY_REFERENCED, ACTIVATE);
	if (flags & RMAP_MASK) {
		v = unmap(vm, rc, pfn);
		if (v != FREED)
			return v;
	}
	if (flags & PG_CLIENTMAPPED) {
		vm_client_ask(vm, pfn);
		if (!rc->last_resort)
			return verdict(rc, WHY_REVOKING, KEEP);
	}
	if (p->flags & PG_DIRTY)
		return pageout(vm, rc, pfn, used);
	return free_one(vm, rc, pfn);
}

/* ---- pages on their way ---- */

/*
 * A page that was taken is on no ring, but until its end is known its flags and
 * the counters still have it on the list that it came from.
 */
static bool in_use(const struct page *p)
{
	return p->flags & (PG_CACHED | PG_SWAPCACHE | RMAP_MASK | EXTRA_MASK);
}

static void count_on(struct zone *z, const struct page *p, u32 active, u32 one)
{
	z->item[active ? NR_ACTIVE : NR_INACTIVE] += one;
	z->item[active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] +=
		p->flags & PG_SWAPBACKED ? one : 0;
}

/* From one list to one; a page that nobody uses any more is freed. */
static inline void putback(struct vm *vm, struct zone *z, u32 pfn, u32 from, u32 to)
{
	struct page *p = &vm->pages[pfn];

	if (!in_use(p)) {
		count_on(z, p, from, (u32)-1);
		p->flags &= ~(u32)(PG_LRU | PG_ACTIVE);
		vm_put_page(vm, pfn, true);
		return;
	}
	if (from != to) {
		count_on(z, p, from, (u32)-1);
		count_on(z, p, to, 1);
		p->flags ^= PG_ACTIVE;
	}
	ring_push(vm, &z->lru[to], pfn);
}

static void hold(struct zone *z, struct vm_reclaim *rc, struct page *p, u32 pfn)
{
	count_on(z, p, LRU_INACTIVE, (u32)-1);
	z->item[NR_ISOLATED]++;
	p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
	rc->held = pfn;
	rc->nr_hold = 1;
}

static u32 unhold(struct vm *vm, struct zone *z, struct vm_reclaim *rc)
{
	struct page *p = &vm->pages[rc->held];

	rc->nr_hold = 0;
	p->flags = ((p->flags & ~(u32)PG_ISOLATED) | PG_LRU) - EXTRA_ONE;
	z->item[NR_ISOLATED]--;
	count_on(z, p, LRU_INACTIVE, 1);
	return rc->held;
}

/* ---- shrink_cache ---- */

static void count_freed(struct vm *vm, struct vm_reclaim *rc, u32 nr)
{
	rc->freed += nr;
	rc->nr_pages -= min_t(u32, rc->nr_pages, nr);
	vm->event[EV_PGSTEAL] += nr;
	vm->event[rc->kswapd ? EV_PGSTEAL_KSWAPD : EV_PGSTEAL_DIRECT] += nr;
}

static void count_scanned(struct vm *vm, struct vm_reclaim *rc, u32 nr)
{
	rc->round_left -= nr;
	rc->max_scan -= nr;
	rc->scanned += nr;
	vm->event[EV_PGSCAN] += nr;
	vm->event[rc->kswapd ? EV_PGSCAN_KSWAPD : EV_PGSCAN_DIRECT] += nr;
}

/* All the questions of shrink_page() at once: clean, and nobody's. */
static bool is_idle(struct vm *vm, const struct page *p)
{
	const u32 busy = PG_LOCKED | PG_DIRTY | PG_PRIVATE | PG_WRITEBACK | PG_MLOCKED |
			 MAPPED | EXTRA_MASK;

	return !(p->flags & busy) && p->flags & (PG_CACHED | PG_SWAPCACHE) &&
	       !(p->flags & PG_REFERENCED && mapping_inuse(vm, p));
}

static void drop_idle(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	z->item[NR_INACTIVE_ANON] -= (p->flags & PG_SWAPBACKED) != 0;
	if (p->flags & PG_SWAPCACHE) {
		rc->nr_mapped++;
		z->item[NR_ANON] -= (p->flags & PG_ANON) != 0;
		vm_swap_cache_del(vm, pfn);
	} else {
		vm_cache_remove(vm, pfn);
	}
	vm_free_page_in(vm, z, pfn, true);
}

/* One page off the list and to where it belongs. Return: whether it was freed. */
static bool shrink_one(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	enum verdict v = shrink_page(vm, z, rc, pfn);
	bool gone = !in_use(p);

	if (v == AGAIN) {
		hold(z, rc, p, pfn);
		return false;
	}
	if (v == ACTIVATE) {
		rc->activated++;
		vm->event[EV_PGACTIVATE]++;
		putback(vm, z, pfn, LRU_INACTIVE, LRU_ACTIVE);
	} else {
		putback(vm, z, pfn, LRU_INACTIVE, LRU_INACTIVE);
	}
	return gone;
}

/*
 * Up to nr pages of the tail's next group. Pages that are dropped leave the ring
 * together; before another page is looked at the ring is brought up to date,
 * for that may move pages about. Return: pages looked at.
 */
static u32 shrink_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr,
			u32 *gone)
{
	struct lru *lru = &z->lru[LRU_INACTIVE];
	const u32 s = lru->tail;
	const u32 *slot = vm->segs[s].slot;
	u32 at = vm->segs[s].lo, end = next_group(vm, lru, nr);
	u32 n = 0, dropped = 0;

	while (at < end) {
		u32 pfn = slot[at++];

		if (pfn == NONE)
			continue;
		n++;
		if (is_idle(vm, &vm->pages[pfn])) {
			drop_idle(vm, z, rc, pfn);
			dropped++;
			continue;
		}
		*gone += dropped;
		z->item[NR_INACTIVE] -= dropped;
		ring_taken(vm, lru, at, dropped + 1);
		dropped = 0;
		*gone += shrink_one(vm, z, rc, pfn);
		if (rc->nr_hold || !group_stays(vm, lru, s, at, end))
			return n;
	}
	*gone += dropped;
	z->item[NR_INACTIVE] -= dropped;
	ring_taken(vm, lru, at, dropped);
	return n;
}

/* Up to nr pages of a round. Return: how many were looked at. */
static u32 shrink_some(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr)
{
	const struct lru *lru = &z->lru[LRU_INACTIVE];
	u32 n = 0, gone = 0;

	while (n < nr && lru->nr && !rc->nr_hold)
		n += shrink_group(vm, z, rc, nr - n, &gone);
	count_scanned(vm, rc, n);
	count_freed(vm, rc, gone);
	return n;
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

	if (!zone_ok(vm, rc->zid))
		return -ENODEV;
	z = &vm->zones[rc->zid];
	while (budget) {
		if (rc->nr_hold) {
			budget--;
			count_freed(vm, rc, shrink_one(vm, z, rc, unhold(vm, z, rc)));
		} else {
			if (!z->lru[LRU_INACTIVE].nr)
				rc->round_left = 0;
			if (!rc->round_left && !next_round(vm, z, rc))
				return VM_DONE;
			budget -= shrink_some(vm, z, rc,
					      min_t(u32, budget, rc->round_left));
		}
		if (rc->nr_hold)
			return VM_WAIT;
	}
	return VM_MORE;
}

/* The page that waits for a device goes back where a keeper goes. */
void vm_reclaim_cancel(struct vm *vm, struct vm_reclaim *rc)
{
	struct zone *z = &vm->zones[rc->zid];

	if (rc->nr_hold && zone_ok(vm, rc->zid))
		putback(vm, z, unhold(vm, z, rc), LRU_INACTIVE, LRU_INACTIVE);
	rc->nr_hold = 0;
	rc->round = 0;
	rc->round_left = 0;
	rc->drained = 0;
}

/* ---- refill_inactive_zone ---- */

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

static void count_refilled(struct vm *vm, struct vm_reclaim *rc, u32 nr, u32 inactive)
{
	rc->refilled += nr;
	rc->deactivated += inactive;
	vm->event[EV_PGREFILL] += nr;
	vm->event[EV_PGDEACTIVATE] += inactive;
}

/* Up to nr pages of the tail's next group. Return: pages looked at. */
static u32 refill_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr)
{
	struct lru *lru = &z->lru[LRU_ACTIVE];
	const u32 s = lru->tail;
	const u32 *slot = vm->segs[s].slot;
	u32 at = vm->segs[s].lo, end = next_group(vm, lru, nr);
	u32 n = 0, inactive = 0;
	bool stays = true;

	while (stays && at < end) {
		u32 pfn = slot[at++];

		if (pfn == NONE)
			continue;
		n++;
		ring_taken(vm, lru, at, 1);
		if (stays_active(vm, z, rc, pfn)) {
			putback(vm, z, pfn, LRU_ACTIVE, LRU_ACTIVE);
		} else {
			putback(vm, z, pfn, LRU_ACTIVE, LRU_INACTIVE);
			inactive++;
		}
		stays = group_stays(vm, lru, s, at, end);
	}
	if (stays)
		ring_taken(vm, lru, at, 0);
	count_refilled(vm, rc, n, inactive);
	return n;
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
		n = refill_group(vm, z, rc, min_t(u32, budget, *nr));
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
