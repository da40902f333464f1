/*
 * lru_scan.c - ageing and reclaim: the two scans of 2.6
 *
 * refill_inactive_zone() moves pages from the tail of the active list,
 * shrink_cache() takes pages from the tail of the inactive list and frees what
 * it can. The kernel isolates a batch, looks at it, and puts back what stays,
 * in the order of the scan; taking one page at a time gives the same lists.
 * The rings are read ahead (lru_walk.h). What becomes of a page is decided in
 * shrink_page.h.
 *
 * Models: mm/vmscan.c shrink_list(), shrink_cache(), refill_inactive_zone(),
 * 2.6.0, with the changes of the November 2003 prototype for zones behind a
 * closed gate.
 */
#include <errno.h>

#include "lru_walk.h"
#include "shrink_group.h"

/* ---- prefetch ---- */

/*
 * What the decision about a page, or its end, looks at. Of an unmapped page that is in
 * no file's index this is the address of something else, which does no harm; to ask
 * would cost more, for who lies beside whom on a list cannot be foreseen.
 */
static __always_inline void prefetch_behind(struct vm *vm, const struct page *p)
{
	const void *leaf = &vm->rnodes[p->index >> RN_SHIFT].dirty;

	prefetchw(p->flags & RMAP_SINGLE ? (void *)&vm->ptes[p->rmap] : leaf);
}

/* Nor does that of a tombstone. */
static __always_inline void prefetch_ahead(struct vm *vm, struct page *pages,
					   const struct ahead *a, u32 i)
{
	const u32 near = a->near[i];

	prefetchw(&pages[a->far[i]]);
	prefetch_behind(vm, &pages[near == NONE ? 0 : near]);
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

static void activate(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	count_activated(vm, z, rc, 1, (p->flags & PG_SWAPBACKED) != 0);
	p->flags |= PG_ACTIVE;
	ring_push(vm, &z->lru[LRU_ACTIVE], pfn);
}

/* The long way, with everything up to date. Return: whether the page was freed. */
static bool shrink_one(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	enum verdict v = shrink_page(vm, z, rc, pfn);

	if (v == AGAIN) {
		hold(z, rc, p, pfn);
		return false;
	}
	if (!in_use(p)) {
		putback(vm, z, pfn, LRU_INACTIVE, LRU_INACTIVE);
		return true;
	}
	if (v == ACTIVATE)
		activate(vm, z, rc, pfn);
	else
		ring_push(vm, &z->lru[LRU_INACTIVE], pfn);
	return false;
}

/*
 * Up to nr pages of the tail's next group. What leaves the ring leaves it together, but
 * before a page goes the long way, which may move pages about. Return: pages looked at.
 */
static u32 shrink_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr,
			u32 *gone)
{
	struct lru *lru = &z->lru[LRU_INACTIVE];
	const u32 s = lru->tail, lo = vm->segs[s].lo;
	const u32 *slot = &vm->segs[s].slot[lo];
	struct page *const pages = vm->pages;
	struct group g = group_begin(vm, z, rc);
	struct ahead ahead;
	u32 i, seen = 0;

	nr = group_ahead(vm, lru, nr, &ahead);
	for (i = 0; i < nr; i++) {
		const u32 pfn = slot[i];

		prefetch_ahead(vm, pages, &ahead, i);
		if (pfn == NONE)
			continue;
		g.taken++;
		if (shrink_at_once(&g, &pages[pfn], pfn))
			continue;
		seen += g.taken;
		*gone += group_settle(&g, lo + i + 1);
		*gone += shrink_one(vm, z, rc, pfn);
		if (rc->nr_hold || !group_stays(vm, lru, s, lo + i + 1, lo + nr))
			return seen;
		g = group_begin(vm, z, rc);
	}
	seen += g.taken;
	*gone += group_settle(&g, lo + nr);
	return seen;
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

/* What a group of pages changes of the counters. */
struct refilled {
	u32 seen, inactive;
	u32 moved, backed; /* of the inactive ones: all but those that nobody had */
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

/* A page goes inactive, if anybody has it still. */
static inline void deactivate(struct vm *vm, struct zone *z, struct refilled *r,
			      u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	r->inactive++;
	if (!in_use(p)) {
		putback(vm, z, pfn, LRU_ACTIVE, LRU_INACTIVE);
		return;
	}
	r->moved++;
	r->backed += (p->flags & PG_SWAPBACKED) != 0;
	p->flags &= ~(u32)PG_ACTIVE;
	ring_push(vm, &z->lru[LRU_INACTIVE], pfn);
}

/*
 * Up to nr pages of the tail's next group. The ring is brought up to date before a
 * page is put where there is no place. Return: pages looked at.
 */
static u32 refill_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr)
{
	struct lru *lru = &z->lru[LRU_ACTIVE];
	const u32 lo = vm->segs[lru->tail].lo;
	const u32 *slot = &vm->segs[lru->tail].slot[lo];
	struct page *const pages = vm->pages;
	struct refilled r = { 0 };
	struct ahead ahead;
	u32 i, taken = 0;
	bool places = true;

	nr = group_ahead(vm, lru, nr, &ahead);
	for (i = 0; places && i < nr; i++) {
		const u32 pfn = slot[i];

		prefetch_ahead(vm, pages, &ahead, i);
		if (pfn == NONE)
			continue;
		r.seen++;
		taken++;
		places = ring_has_place(vm, &z->lru[LRU_INACTIVE]) &&
			 ring_has_place(vm, lru);
		if (!places) {
			ring_taken(vm, lru, lo + i + 1, taken);
			taken = 0;
		}
		if (stays_active(vm, z, rc, pfn))
			putback(vm, z, pfn, LRU_ACTIVE, LRU_ACTIVE);
		else
			deactivate(vm, z, &r, pfn);
	}
	if (places)
		ring_taken(vm, lru, lo + nr, taken);
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
