/*
 * migrate.c - a zone is emptied: its pages move while their users keep running
 *
 * A page is looked at first (every reason not to) and then moved by steps that
 * cannot fail, all within one call: nobody sees it half moved, so that there is
 * nothing to roll back. The slot of the index and the page tables are changed
 * in place; dirty and writeback tags belong to the slot and stay.
 *
 * The quick pass takes the inactive list, then the active one, from the tail,
 * until both are empty or 100 pages are on hold: those that refused. The slow one
 * tries them again, as often as the caller likes, and what still refuses is put
 * back. With VM_MIG_NOWAIT nothing is held: each page is looked at once.
 *
 * The 2004 ways can be chosen: dirty file pages are written first, anonymous
 * pages take a swap slot, page tables are left to the faults.
 *
 * Departure: in 2004 the new page stood in the index, locked, while the old one
 * lost its references; here a page with references is refused and tried again.
 *
 * Models: mm/memhotplug.c remap_onepage(), try_to_remap_pages() of the hot
 * removal prototype, 2.6.7; mm/migrate.c migrate_page_copy(), 2.6.18.
 */
#include <errno.h>
#include <string.h>

#include "lru_walk.h"
#include "migrate_page.h"
#include "migrate_plain.h"

static bool start(struct run *r, struct vm *vm, struct vm_migrate *mig)
{
	u32 i;

	if (!zone_ok(vm, mig->zid) || mig->nr_targets > TARGETS)
		return false;
	*r = (struct run){ .vm = vm, .mig = mig, .zone = &vm->zones[mig->zid] };
	r->targets.nr = mig->nr_targets;
	for (i = 0; i < mig->nr_targets; i++) {
		if (!zone_ok(vm, mig->target[i]) ||
		    (mig->target[i] == mig->zid && !(mig->flags & VM_MIG_BLOCK)))
			return false;
		r->targets.zid[i] = mig->target[i];
	}
	vm_frames_settle(vm);
	return true;
}

/* ---- pages on hold ---- */

/* The list that it is on, or was taken from, has a page less. */
static void count_off(struct zone *z, const struct page *p)
{
	count_on(z, p, p->flags & PG_ACTIVE, (u32)-1);
}

static void hold(struct run *r, u32 pfn, enum vm_reason why)
{
	struct page *p = &r->vm->pages[pfn];
	struct vm_migrate *mig = r->mig;

	count_off(r->zone, p);
	count_isolated(r->zone, p, 1);
	p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
	mig->hold[mig->nr_hold] = pfn;
	mig->hold_why[mig->nr_hold++] = (u8)why;
}

static void unhold(struct run *r, u32 pfn)
{
	struct page *p = &r->vm->pages[pfn];

	p->flags = (p->flags & ~(u32)PG_ISOLATED) - EXTRA_ONE;
	count_isolated(r->zone, p, (u32)-1);
}

static void count_failed(struct run *r, enum vm_reason why)
{
	r->mig->failed++;
	r->mig->reason[why]++;
	r->vm->event[EV_PGMIGRATE_FAIL]++;
}

/* Nobody has a use for a page that is on no list and in no hold any more. */
static void let_go(struct run *r, u32 pfn)
{
	struct page *p = &r->vm->pages[pfn];

	p->flags &= ~(u32)(PG_LRU | PG_ACTIVE);
	if (p->flags & PG_SWAPCACHE)
		vm_swap_cache_del(r->vm, pfn);
	vm_put_page(r->vm, pfn, true);
	r->mig->gone++;
}

/* To the head of the list that it was taken from. */
static void putback(struct run *r, u32 pfn, enum vm_reason why)
{
	struct page *p = &r->vm->pages[pfn];
	u32 active = (p->flags & PG_ACTIVE) != 0;

	unhold(r, pfn);
	if (!page_extra(p) && !wanted(r->vm, p)) {
		let_go(r, pfn);
		return;
	}
	vm_lru_add(r->vm, r->zone, pfn, active);
	count_failed(r, why);
}

/* ---- the quick pass ---- */

/* What was taken off a ring and refuses: on hold, or back at once. */
static void keep(struct run *r, u32 pfn, u32 active, enum outcome out,
		 enum vm_reason why)
{
	if (out == GONE) {
		count_off(r->zone, &r->vm->pages[pfn]);
		let_go(r, pfn);
		return;
	}
	if (!(r->mig->flags & VM_MIG_NOWAIT)) {
		hold(r, pfn, why);
		return;
	}
	ring_push(r->vm, &r->zone->lru[active], pfn);
	count_failed(r, why);
}

static void leave_list(struct run *r, u32 pfn)
{
	struct page *p = &r->vm->pages[pfn];

	count_off(r->zone, p);
	vm_free_page_in(r->vm, r->zone, pfn, true);
}

static bool hold_full(const struct vm_migrate *mig)
{
	return mig->nr_hold == ARRAY_SIZE(mig->hold);
}

/*
 * Up to nr pages of the tail's next group. Pages that have moved leave the ring
 * together; for one that refuses it is brought up to date first. Return: pages
 * taken; *nomem: the next one has nowhere to go.
 */
static u32 move_group(struct run *r, struct tally *t, u32 active, u32 nr, bool *nomem)
{
	struct vm *vm = r->vm;
	struct lru *lru = &r->zone->lru[active];
	const u32 s = lru->tail;
	struct group g = group_at_tail(vm, lru, nr);
	enum vm_reason why = WHY_NONE;
	enum outcome out;
	u32 n = 0, taken = 0;

	while (g.at < g.end) {
		u32 pfn, run = t ? move_run(r, t, &g, active) : 0;

		taken += run;
		if (run || g.at == g.end)
			continue;
		look_ahead(vm, &g);
		pfn = g.slot[g.at++];
		if (pfn == NONE)
			continue;
		out = try_page(r, pfn, 0, &why);
		if (out == MOVED) {
			leave_list(r, pfn);
			taken++;
			continue;
		}
		if (out == NO_TARGET) {
			*nomem = true;
			g.at--;
			break;
		}
		ring_taken(vm, lru, g.at, taken + 1);
		r->mig->moved += taken;
		n += taken + 1;
		taken = 0;
		keep(r, pfn, active, out, why);
		if (hold_full(r->mig) || !group_stays(vm, lru, s, g.at, g.end))
			return n;
	}
	ring_taken(vm, lru, g.at, taken);
	r->mig->moved += taken;
	return n + taken;
}

static u32 list_left(const struct run *r, u32 active)
{
	u32 nr = r->zone->lru[active].nr;

	if (r->mig->flags & VM_MIG_NOWAIT)
		return min_t(u32, nr, r->mig->left[active]);
	return nr;
}

/* How many pages may be moved together: if each is to be copied, within the budget. */
static u32 reach(const struct vm *vm, u32 left, u32 budget)
{
	u32 nr = min_t(u32, left, budget);

	if (!vm->nr_resident)
		return nr;
	return min_t(u32, nr, max_t(u32, budget / COPY_COST, GROUP));
}

static void count_taken(struct run *r, u32 active, u32 nr, u64 moved)
{
	struct vm_migrate *mig = r->mig;

	mig->attempted += nr;
	mig->left[active] -= min_t(u32, nr, mig->left[active]);
	r->vm->event[EV_PGMIGRATE_SUCCESS] += mig->moved - moved;
}

/*
 * vm_migrate - move pages off a zone's lists: inactive first, then active
 * @mig:    zid, flags, targets; counts are added to
 * @budget: pages in this call
 *
 * Return: VM_DONE (the lists are empty, or all on them was looked at, or the
 * hold is full), VM_MORE, VM_NOMEM (no page to move to), -ENODEV, -EINVAL.
 */
int vm_migrate(struct vm *vm, struct vm_migrate *mig, uint32_t budget)
{
	struct tally tally = { 0 }, *plain = NULL;
	bool nomem = false, done = false;
	struct run r;

	if (!zone_ok(vm, mig->zid))
		return -ENODEV;
	if (!start(&r, vm, mig))
		return -EINVAL;
	if (plain_ways(&r))
		plain = &tally;
	while (budget && !nomem) {
		u32 active = list_left(&r, LRU_INACTIVE) ? LRU_INACTIVE : LRU_ACTIVE;
		u32 left = list_left(&r, active), n;
		u64 moved = mig->moved;

		done = !left || hold_full(mig);
		if (done)
			break;
		n = move_group(&r, plain, active, reach(vm, left, budget), &nomem);
		count_taken(&r, active, n, moved);
		n += r.copied * COPY_COST;
		r.copied = 0;
		budget -= min_t(u32, n, budget);
	}
	tally_end(&r, &tally);
	stream_end();
	return done ? VM_DONE : nomem ? VM_NOMEM : VM_MORE;
}

/*
 * vm_migrate_sweep - from now on look at every page on the lists once
 *
 * Return: pages to look at, or -ENODEV.
 */
int vm_migrate_sweep(struct vm *vm, struct vm_migrate *mig)
{
	u32 i;

	if (!zone_ok(vm, mig->zid))
		return -ENODEV;
	mig->flags |= VM_MIG_NOWAIT;
	for (i = 0; i < 2; i++)
		mig->left[i] = vm->zones[mig->zid].lru[i].nr;
	return (int)(mig->left[0] + mig->left[1]);
}

/* ---- the slow pass ---- */

static void end_hold(struct run *r, u32 pfn, enum outcome out)
{
	if (out == GONE) {
		let_go(r, pfn);
		return;
	}
	r->mig->moved++;
	r->vm->event[EV_PGMIGRATE_SUCCESS]++;
	vm_free_page_in(r->vm, r->zone, pfn, true);
}

/*
 * vm_migrate_retry - try the pages on hold once more
 *
 * Return: VM_DONE (none is left), VM_WAIT (some refuse), VM_NOMEM, -ENODEV, -EINVAL.
 */
int vm_migrate_retry(struct vm *vm, struct vm_migrate *mig)
{
	u32 i, kept = 0;
	bool nomem = false;
	struct run r;

	if (!zone_ok(vm, mig->zid))
		return -ENODEV;
	if (!start(&r, vm, mig))
		return -EINVAL;
	for (i = 0; i < mig->nr_hold; i++) {
		enum vm_reason why = (enum vm_reason)mig->hold_why[i];
		u32 pfn = mig->hold[i];
		enum outcome out = nomem ? NO_TARGET : try_page(&r, pfn, 1, &why);

		if (out == MOVED || out == GONE) {
			unhold(&r, pfn);
			end_hold(&r, pfn, out);
			continue;
		}
		nomem |= out == NO_TARGET;
		mig->hold[kept] = pfn;
		mig->hold_why[kept++] = (u8)(out == NO_TARGET ? WHY_NO_TARGET : why);
	}
	mig->nr_hold = kept;
	stream_end();
	return nomem ? VM_NOMEM : kept ? VM_WAIT : VM_DONE;
}

/* The pages on hold go back where they were taken from, each with its reason. */
void vm_migrate_putback(struct vm *vm, struct vm_migrate *mig)
{
	struct run r = { .vm = vm, .mig = mig };
	u32 i;

	if (!zone_ok(vm, mig->zid))
		return;
	r.zone = &vm->zones[mig->zid];
	for (i = 0; i < mig->nr_hold; i++)
		putback(&r, mig->hold[i], (enum vm_reason)mig->hold_why[i]);
	mig->nr_hold = 0;
}

/* ---- a block ---- */

/* A page of the block, wherever it is on its list; one that refuses stays there. */
static enum outcome take_page(struct run *r, u32 pfn)
{
	struct vm_migrate *mig = r->mig;
	enum vm_reason why = WHY_PAGEVEC;
	enum outcome out = REFUSED;

	if (r->vm->pages[pfn].flags & PG_LRU)
		out = try_page(r, pfn, 0, &why);
	switch (out) {
	case MOVED:
		vm_lru_del(r->vm, r->zone, pfn);
		vm_free_page_in(r->vm, r->zone, pfn, true);
		mig->moved++;
		r->vm->event[EV_PGMIGRATE_SUCCESS]++;
		break;
	case GONE:
		vm_lru_del(r->vm, r->zone, pfn);
		let_go(r, pfn);
		break;
	case REFUSED:
		count_failed(r, why);
		break;
	case NO_TARGET:
		break;
	}
	return out;
}

/*
 * vm_migrate_block - move pages off a range of a zone, once over
 * @mig:    zid, flags, targets, its own zone may be one; counts are added to
 * @pfn:    where to go on; the range's first page to begin
 * @end:    behind the range
 * @budget: pages in this call
 *
 * Return: VM_DONE (the range was looked at), VM_MORE, VM_NOMEM, -ENODEV, -EINVAL.
 */
int vm_migrate_block(struct vm *vm, struct vm_migrate *mig, uint32_t *pfn, uint32_t end,
		     uint32_t budget)
{
	struct run r;

	if (!zone_ok(vm, mig->zid))
		return -ENODEV;
	if (!start(&r, vm, mig) || end > vm->max_pfn)
		return -EINVAL;
	for (; budget && *pfn < end; ++*pfn) {
		budget--;
		if (page_type(&vm->pages[*pfn]) != VM_T_USER)
			continue;
		mig->attempted++;
		if (take_page(&r, *pfn) == NO_TARGET) {
			stream_end();
			return VM_NOMEM;
		}
		budget -= min_t(u32, r.copied * COPY_COST, budget);
		r.copied = 0;
	}
	stream_end();
	return *pfn < end ? VM_MORE : VM_DONE;
}
