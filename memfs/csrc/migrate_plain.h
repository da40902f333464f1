/*
 * migrate_plain.h - pages that move by the dozen
 *
 * Most pages of a zone are plain: nobody holds them, no real process maps them, no
 * swap slot, no way of 2004, no fault that was asked for. A run of them gets its new
 * pages together, moves, and is freed together; what the zones count of them is added
 * up by class. The outcome is that of a page at a time.
 */
#ifndef MIGRATE_PLAIN_H
#define MIGRATE_PLAIN_H

#include "lru_count.h"
#include "lru_walk.h"
#include "migrate_run.h"
#include "stream.h"

/*
 * What a page counts for is in these flags: the pages of a call are counted by them,
 * in a table with a place for each of the 256 subsets. The factor gathers the bits,
 * each subset to a place of its own.
 */
#define CLASS_FLAGS                                                                 \
	(PG_DIRTY | PG_PRIVATE | PG_ANON | PG_SWAPBACKED | PG_MLOCKED | PG_CACHED | \
	 RMAP_MASK)
#define CLASS_GATHER 0x80700812u
#define CLASSES 256u

static inline u32 class_of(u32 flags)
{
	return (flags & CLASS_FLAGS) * CLASS_GATHER >> 24;
}

/* Pages that have moved from a zone to another and are not counted there yet. */
struct tally {
	struct zone *to;
	u32 active;
	u32 nr;
	u32 class[CLASSES];
};

static void tally_end(struct run *r, struct tally *t)
{
	const u32 list = t->active ? NR_ACTIVE : NR_INACTIVE;
	const u32 anon = t->active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON;
	u32 flags = 0, nr;

	if (!t->nr)
		return;
	vm_move_item(r->zone, t->to, list, t->nr);
	do {
		nr = t->class[class_of(flags)];
		t->class[class_of(flags)] = 0;
		if (!nr)
			continue;
		vm_move_counts(r->zone, t->to, flags, nr);
		if (flags & PG_SWAPBACKED)
			vm_move_item(r->zone, t->to, anon, nr);
		if (flags & PG_MLOCKED)
			vm_move_item(r->zone, t->to, mlocked_item(flags, t->active),
				     nr);
	} while ((flags = (flags - CLASS_FLAGS) & CLASS_FLAGS));
	t->nr = 0;
}

/* ---- prefetch ---- */

/* What has to be changed when a page moves. */
static inline void prefetch_behind(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	prefetchw(&vm->free_map[pfn >> 6]);
	if (p->flags & PG_ANON)
		prefetchw(&vm->stamps[pfn]);
	else
		prefetchw(&vm->resident[pfn >> 6]);
	if (p->flags & RMAP_SINGLE)
		prefetchw(&vm->ptes[p->rmap]);
	if (p->flags & PG_CACHED)
		prefetchw(vm_slot(vm, p->index));
	else if (p->flags & PG_SWAPCACHE)
		prefetchw(&vm->swap.cache[p->index]);
}

/* The group of a list's pages that is gone through. */
struct group {
	const u32 *slot;
	u32 begin, at, end; /* places */
	struct ahead ahead;
};

static inline struct group group_at_tail(struct vm *vm, const struct lru *lru, u32 nr)
{
	const struct seg *seg = &vm->segs[lru->tail];
	struct group g = { .slot = seg->slot, .begin = seg->lo, .at = seg->lo };

	g.end = g.at + group_ahead(vm, lru, nr, &g.ahead);
	return g;
}

/* What lies ahead of a place is fetched while its page is looked at. */
static inline void look_ahead(struct vm *vm, const struct group *g)
{
	const u32 i = g->at - g->begin, near = g->ahead.near[i];

	/* A tombstone's address is of nothing. */
	prefetchw(&vm->pages[g->ahead.far[i]]);
	if (near != NONE)
		prefetch_behind(vm, near);
}

/* ---- one page ---- */

/* Whether this call moves plain pages the short way. */
static bool plain_ways(const struct run *r)
{
	u32 i, faults = 0;

	for (i = 0; i < VM_NR_FAULTS; i++)
		faults |= r->vm->faults[i];
	return !faults &&
	       !(r->mig->flags & (VM_MIG_WRITEOUT | VM_MIG_SWAPSLOT | VM_MIG_LAZY));
}

static inline bool is_plain(const struct vm *vm, u32 pfn)
{
	const u32 not = TYPE_MASK | PG_LOCKED | PG_WRITEBACK | EXTRA_MASK |
			PG_CLIENTMAPPED | PG_SWAPCACHE | PG_FALLBACK;
	const u32 flags = vm->pages[pfn].flags;

	return (flags & not ) == VM_T_USER && flags & (PG_CACHED | RMAP_MASK) &&
	       !(vm->nr_spilled && bit_test(vm->spilled, pfn));
}

/* As vm_move_page(), of a plain page; its new place is on a list already. */
static inline void move_plain(struct run *r, struct tally *t, struct page p, u32 old,
			      u32 new, u32 pos)
{
	struct vm *vm = r->vm;

	vm->pages[new] = (struct page){ p.flags, pos, p.rmap, p.index };
	t->class[class_of(p.flags)]++;
	if (p.flags & PG_ANON) {
		vm->stamps[new] = vm->stamps[old];
		vm->stamps[old] = POISON;
	} else {
		*vm_slot(vm, p.index) = new + 1;
		r->copied += vm_frame_move(vm, old, new);
		frame_freed(vm, old);
	}
	if (p.flags & RMAP_SINGLE)
		vm->ptes[p.rmap] = (vm->ptes[p.rmap] & ~PTE_PFN) | new;
	else if (p.flags & RMAP_CHAIN)
		vm_rmap_move(vm, &p, new);
}

/* ---- a run of pages ---- */

struct moving {
	u32 nr;
	u32 old[GROUP], new[GROUP];
	struct page was[GROUP];
};

/* nr of them, to the head of a list of the new zone. */
static void move_all(struct run *r, struct tally *t, const struct moving *m, u32 nr)
{
	struct vm *vm = r->vm;
	struct lru *lru = &t->to->lru[t->active];
	u32 i, done, room;

	for (done = 0; done < nr; done += room) {
		struct seg *seg = ring_head(vm, lru);
		const u32 hi = seg->hi;

		room = min_t(u32, nr - done, SEG_SIZE - hi);
		for (i = 0; i < room; i++) {
			if (r->copied && done + i + 1 < nr)
				stream_ahead(vm, m->old[done + i + 1]);
			seg->slot[hi + i] = m->new[done + i];
			move_plain(r, t, m->was[done + i], m->old[done + i],
				   m->new[done + i], seg->first | (hi + i));
		}
		seg->hi += room;
		seg->live += room;
		lru->nr += room;
	}
	t->nr += nr;
}

static void tally_for(struct run *r, struct tally *t, struct zone *to, u32 active)
{
	if (t->to == to && t->active == active)
		return;
	tally_end(r, t);
	t->to = to;
	t->active = active;
}

/* The plain pages in front of the group; it goes on at the first that is none. */
static void collect(struct vm *vm, struct group *g, struct moving *m)
{
	u32 nr = 0;

	for (; g->at < g->end; g->at++) {
		u32 pfn = g->slot[g->at];

		if (pfn != NONE && !is_plain(vm, pfn))
			break;
		look_ahead(vm, g);
		if (pfn == NONE)
			continue;
		m->old[nr] = pfn;
		m->was[nr++] = vm->pages[pfn];
	}
	m->nr = nr;
}

/*
 * The plain pages in front of the group. Return: how many have moved; the group goes
 * on at the first page that has not.
 */
static u32 move_run(struct run *r, struct tally *t, struct group *g, u32 active)
{
	struct moving m;
	struct zone *to;
	u32 got, i;

	collect(r->vm, g, &m);
	if (!m.nr)
		return 0;
	got = vm_alloc_many(r->vm, &r->targets, m.new, m.nr, &to);
	for (i = m.nr; i > got; i -= g->slot[g->at] != NONE)
		g->at--;
	if (!got)
		return 0;
	tally_for(r, t, to, active);
	move_all(r, t, &m, got);
	vm_free_many(r->vm, r->zone, m.old, got);
	return got;
}

#endif
