/*
 * lru_scan.c - reclaim: the scan of the inactive list of 2.6
 *
 * shrink_cache() takes pages from the tail of the inactive list and frees what it
 * can. The kernel isolates a batch, looks at it, and puts back what stays, in the
 * order of the scan; taking one page at a time gives the same lists. The ring is
 * read ahead (lru_walk.h). What becomes of a page is decided in shrink_page.h, of
 * the common kinds in shrink_group.h. Ageing is in refill.c.
 *
 * Models: mm/vmscan.c shrink_list(), shrink_cache(), 2.6.0, with the changes of the
 * November 2003 prototype for zones behind a closed gate.
 */
#include <errno.h>

#include "putback.h"
#include "shrink_group.h"

static void hold(struct zone *z, struct vm_reclaim *rc, struct page *p, u32 pfn)
{
	count_on(z, p, LRU_INACTIVE, (u32)-1);
	count_isolated(z, p, 1);
	p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
	rc->held = pfn;
	rc->nr_hold = 1;
}

static u32 unhold(struct vm *vm, struct zone *z, struct vm_reclaim *rc)
{
	struct page *p = &vm->pages[rc->held];

	rc->nr_hold = 0;
	p->flags = ((p->flags & ~(u32)PG_ISOLATED) | PG_LRU) - EXTRA_ONE;
	count_isolated(z, p, (u32)-1);
	count_on(z, p, LRU_INACTIVE, 1);
	return rc->held;
}

/* ---- shrink_cache ---- */

/* Pages that were looked at, and those of them that were freed. */
struct seen {
	u32 nr, backed; /* of it, anonymous and tmpfs */
	u32 gone, gone_backed;
};

static void count_freed(struct vm *vm, struct vm_reclaim *rc, u32 nr, u32 backed)
{
	rc->freed += nr;
	rc->nr_pages -= min_t(u32, rc->nr_pages, nr);
	vm->event[EV_PGSTEAL] += nr;
	vm->event[rc->kswapd ? EV_PGSTEAL_KSWAPD : EV_PGSTEAL_DIRECT] += nr;
	vm->event[EV_PGSTEAL_ANON] += backed;
	vm->event[EV_PGSTEAL_FILE] += nr - backed;
}

static void count_scanned(struct vm *vm, struct vm_reclaim *rc, u32 nr, u32 backed)
{
	rc->round_left -= nr;
	rc->max_scan -= nr;
	rc->scanned += nr;
	vm->event[EV_PGSCAN] += nr;
	vm->event[rc->kswapd ? EV_PGSCAN_KSWAPD : EV_PGSCAN_DIRECT] += nr;
	vm->event[EV_PGSCAN_ANON] += backed;
	vm->event[EV_PGSCAN_FILE] += nr - backed;
}

static void activate(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	count_activated(vm, z, rc, 1, (p->flags & PG_SWAPBACKED) != 0);
	if (p->flags & PG_MLOCKED) {
		z->item[mlocked_item(p->flags, LRU_INACTIVE)]--;
		z->item[mlocked_item(p->flags, LRU_ACTIVE)]++;
	}
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

/* Up to here, place `at`, all is as if each page had gone alone. */
static __always_inline void settle(struct group *g, u32 at, struct seen *seen)
{
	seen->nr += g->taken;
	seen->backed += g->taken_backed;
	seen->gone += g->dropped + g->uncached;
	seen->gone_backed += g->uncached;
	group_settle(g, at);
}

/* A page goes the long way. */
static void shrink_slowly(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 pfn,
			  struct seen *seen)
{
	const u32 backed = (vm->pages[pfn].flags & PG_SWAPBACKED) != 0;
	const u32 gone = shrink_one(vm, z, rc, pfn);

	seen->gone += gone;
	seen->gone_backed += gone & backed;
}

/*
 * Up to nr pages of the tail's next group. What leaves the ring leaves it together, but
 * before a page goes the long way, which may move pages about.
 */
static void shrink_group(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr,
			 struct seen *seen)
{
	struct lru *lru = &z->lru[LRU_INACTIVE];
	const u32 s = lru->tail, lo = vm->segs[s].lo;
	const u32 *slot = &vm->segs[s].slot[lo];
	struct page *const pages = vm->pages;
	struct group g;
	struct ahead ahead;
	u32 i;

	g.vm = vm;
	g.z = z;
	g.rc = rc;
	group_begin(&g);
	nr = group_ahead(vm, lru, nr, &ahead);
	for (i = 0; i < nr; i++) {
		const u32 pfn = slot[i];

		prefetch_ahead(vm, pages, &ahead, i);
		if (pfn == NONE)
			continue;
		g.taken++;
		g.taken_backed += (pages[pfn].flags & PG_SWAPBACKED) != 0;
		if (shrink_at_once(&g, &pages[pfn], pfn))
			continue;
		settle(&g, lo + i + 1, seen);
		shrink_slowly(vm, z, rc, pfn, seen);
		if (rc->nr_hold || !group_stays(vm, lru, s, lo + i + 1, lo + nr))
			return;
		group_begin(&g);
	}
	settle(&g, lo + nr, seen);
}

/* Up to nr pages of a round. Return: how many were looked at. */
static u32 shrink_some(struct vm *vm, struct zone *z, struct vm_reclaim *rc, u32 nr)
{
	const struct lru *lru = &z->lru[LRU_INACTIVE];
	struct seen seen = { 0 };

	while (seen.nr < nr && lru->nr && !rc->nr_hold)
		shrink_group(vm, z, rc, nr - seen.nr, &seen);
	count_scanned(vm, rc, seen.nr, seen.backed);
	count_freed(vm, rc, seen.gone, seen.gone_backed);
	return seen.nr;
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
			struct seen seen = { 0 };

			budget--;
			shrink_slowly(vm, z, rc, unhold(vm, z, rc), &seen);
			count_freed(vm, rc, seen.gone, seen.gone_backed);
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
