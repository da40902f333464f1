/*
 * verify_lru.c - the rings of the LRU lists and the pool of their segments
 *
 * Invariant 2: a place names a page that names the place; counters equal
 * recounts; every segment is in one ring or free.
 */
#include "verify.h"

static bool place_ok(struct vm *vm, const struct zone *z, u32 pfn, u32 pos, u32 active)
{
	const struct page *p;

	if (!vm_manages(vm, z, pfn))
		return false;
	p = &vm->pages[pfn];
	return page_type(p) == VM_T_USER && p->flags & PG_LRU && p->pos == pos &&
	       !(p->flags & PG_ACTIVE) == !active;
}

static void check_seg(struct vm *vm, struct report *r, const struct zone *z, u32 s,
		      u32 active)
{
	const struct seg *seg = &vm->segs[s];
	u32 i, live = 0;

	if (seg->lo > seg->hi || seg->hi > SEG_SIZE) {
		vm_violation(r, "segment %u: places %u to %u", s, seg->lo, seg->hi);
		return;
	}
	for (i = seg->lo; i < seg->hi; i++) {
		if (seg->slot[i] == NONE)
			continue;
		live++;
		if (!place_ok(vm, z, seg->slot[i], s << SEG_SHIFT | i, active))
			vm_violation(r, "zone %u %s list: page %u is not its own",
				     z->zid, active ? "active" : "inactive",
				     seg->slot[i]);
	}
	vm_same(r, live, seg->live, "live places of segment", s);
	r->s->walk.live += live;
	if (!live)
		vm_violation(r, "segment %u: empty, but in a ring", s);
}

static void ring_end(struct report *r, const struct zone *z, u32 active)
{
	const struct lru *lru = &z->lru[active];
	const struct walk *w = &r->s->walk;

	if (lru->head != w->prev)
		vm_violation(r, "zone %u list %u: head %u, last segment %u", z->zid,
			     active, lru->head, w->prev);
	vm_same(r, w->live, lru->nr,
		active ? "active ring of zone" : "inactive ring of zone", z->zid);
	vm_same(r, lru->nr, z->item[active ? NR_ACTIVE : NR_INACTIVE],
		active ? "nr_active of zone" : "nr_inactive of zone", z->zid);
}

/* One segment of one ring, from the tail to the head. */
bool vm_verify_lru(struct vm *vm, struct report *r)
{
	struct walk *w = &r->s->walk;
	u32 zid = r->v->cursor / 2, active = r->v->cursor % 2;
	const struct zone *z = &vm->zones[zid];

	if (zid >= vm->nr_zones)
		return false;
	if (z->populated && !w->running)
		*w = (struct walk){ .running = 1,
				    .prev = NONE,
				    .at = z->lru[active].tail };
	if (w->running && w->at != NONE && w->at < vm->nr_segs &&
	    w->seen < vm->nr_segs && vm->segs[w->at].prev == w->prev) {
		check_seg(vm, r, z, w->at, active);
		r->s->total.segs++;
		w->seen++;
		w->prev = w->at;
		w->at = vm->segs[w->at].next;
		return true;
	}
	if (w->running && w->at == NONE)
		ring_end(r, z, active);
	else if (w->running)
		vm_violation(r, "zone %u list %u: bad link %u after segment %u", zid,
			     active, w->at, w->prev);
	w->running = 0;
	r->v->cursor++;
	return true;
}

/* One link of the list of free segments. */
bool vm_verify_segs(struct vm *vm, struct report *r)
{
	struct walk *w = &r->s->walk;

	if (!w->running)
		*w = (struct walk){ .running = 1, .at = vm->free_seg };
	if (w->at == NONE) {
		vm_same(r, r->s->total.segs + w->seen, vm->nr_segs, "segments", 0);
		return false;
	}
	if (w->at >= vm->nr_segs || w->seen == vm->nr_segs) {
		vm_violation(r, "free segments: bad link %u", w->at);
		return false;
	}
	w->seen++;
	w->at = vm->segs[w->at].next;
	return true;
}
