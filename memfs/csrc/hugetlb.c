/*
 * hugetlb.c - the pool of huge pages
 *
 * A huge page is a block of order 9 or 10 that was taken from the buddy lists for
 * the pool; it is on no LRU list. One that is more than the pool is to have, because
 * areas were promised it or because it was in use when the pool shrank, is surplus:
 * of its node, one goes back when one is let go.
 *
 * Models: mm/hugetlb.c alloc_fresh_huge_page(), 2.6.7; free_huge_page(),
 * dissolve_free_huge_page(), 6.1.
 */
#include <errno.h>

#include "huge.h"

/* ---- records ---- */

static u32 huge_alloc(struct vm *vm)
{
	u32 id = vm->free_huge;

	if (id != NONE)
		vm->free_huge = vm->huges[id].next;
	else if (vm->nr_huges < vm->max_huges)
		id = vm->nr_huges++;
	return id;
}

void vm_huge_forget(struct vm *vm, u32 id)
{
	vm->huges[id] = (struct huge){ .state = HUGE_NONE, .next = vm->free_huge };
	vm->free_huge = id;
}

/* ---- blocks ---- */

/* A block of the buddy lists becomes a huge page. */
void vm_huge_make(struct vm *vm, u32 pfn, u32 order, u32 id)
{
	u32 i;

	vm->pages[pfn] =
		(struct page){ .flags = VM_T_HUGE | order << EXTRA_SHIFT, .index = id };
	for (i = 1; i < 1u << order; i++)
		vm->pages[pfn + i] = (struct page){ .flags = VM_T_TAIL, .rmap = pfn };
	page_zone(vm, pfn)->item[NR_HUGE] += 1u << order;
}

void vm_huge_free_block(struct vm *vm, u32 pfn, u32 order)
{
	struct zone *z = page_zone(vm, pfn);
	u32 i;

	z->item[NR_HUGE] -= 1u << order;
	for (i = 0; i < 1u << order; i++) {
		vm->pages[pfn + i] = (struct page){ 0 };
		vm->stamps[pfn + i] = POISON;
	}
	z->all_unreclaimable = 0;
	z->pages_scanned = 0;
	vm_buddy_free(vm, z, pfn, order);
	vm->event[EV_PGFREE] += 1u << order;
}

/* What a zone keeps from pages of users, as its own node's zonelist has it. */
static u32 reserve_of(const struct vm *vm, u32 zid)
{
	const u32 nid = vm->zones[zid].nid;
	const struct zonelist *zl =
		&vm->zonelists[nid * VM_NR_CLASSES + VM_CLASS_HOTREMOVABLE];
	u32 i;

	for (i = 0; i < zl->nr; i++)
		if (zl->zid[i] == zid)
			return zl->reserve[i];
	return 0;
}

/* A block of given zones, or NONE with vm->need set. */
u32 vm_huge_take_block(struct vm *vm, u32 order, u32 nr, const u32 *zids)
{
	struct zonelist zl = { .nr = 0 };
	u32 i, pfn;

	for (i = 0; i < nr && zl.nr < ZONELIST_MAX; i++) {
		if (!zone_ok(vm, zids[i]))
			continue;
		zl.reserve[zl.nr] = reserve_of(vm, zids[i]);
		zl.zid[zl.nr++] = zids[i];
	}
	pfn = zl.nr ? vm_alloc_zonelist(vm, &zl, order, 0) : NONE;
	if (pfn == NONE) {
		vm->need.cls = VM_CLASS_HOTREMOVABLE;
		vm->need.order = order;
	}
	return pfn;
}

/* ---- the pool ---- */

/*
 * vm_huge_grow - one huge page more
 * @surplus: it is more than the pool is to have
 * @zids:    where it may lie, in order
 *
 * Return: VM_DONE, VM_NOMEM (no such block), -EINVAL.
 */
int vm_huge_grow(struct vm *vm, uint32_t order, uint32_t surplus, uint32_t nr,
		 const uint32_t *zids)
{
	u32 id, pfn;

	if (!huge_order_ok(order))
		return -EINVAL;
	id = huge_alloc(vm);
	if (id == NONE)
		return -ENOMEM;
	pfn = vm_huge_take_block(vm, order, nr, zids);
	if (pfn == NONE) {
		vm_huge_forget(vm, id);
		return VM_NOMEM;
	}
	vm_huge_make(vm, pfn, order, id);
	vm->huges[id] = (struct huge){ .pfn = pfn,
				       .order = order,
				       .area = NONE,
				       .state = HUGE_FREE,
				       .surplus = surplus };
	return VM_DONE;
}

u32 vm_huge_find_free(struct vm *vm, u32 order, u32 zid)
{
	u32 id;

	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (h->state == HUGE_FREE && h->order == order &&
		    huge_in_zone(vm, h, zid) && !page_isolated(vm, h->pfn))
			return id;
	}
	return NONE;
}

/* Free ones that no area was promised. */
u32 vm_huge_free_ones(struct vm *vm, u32 order)
{
	struct vm_huge_stat stat;

	vm_huge_stat(vm, order, VM_NO_ID, &stat);
	return stat.free > stat.reserved ? stat.free - stat.reserved : 0;
}

/* A free huge page is one no more. */
static void dissolve(struct vm *vm, u32 id)
{
	vm_huge_free_block(vm, vm->huges[id].pfn, vm->huges[id].order);
	vm_huge_forget(vm, id);
}

/*
 * One free huge page of a zone goes back to the buddy lists; -ENOENT: none is free.
 * Whether areas were promised it is for the caller to know.
 */
int vm_huge_shrink(struct vm *vm, uint32_t order, uint32_t zid)
{
	u32 id = huge_order_ok(order) ? vm_huge_find_free(vm, order, zid) : NONE;

	if (id == NONE)
		return -ENOENT;
	dissolve(vm, id);
	return 0;
}

/*
 * vm_huge_dissolve - free huge pages with pages of a range go back
 *
 * Return: VM_DONE; VM_WAIT, one of them is in use; -EBUSY, one was promised to an area.
 * Those before it have gone.
 */
int vm_huge_dissolve(struct vm *vm, uint32_t first, uint32_t end)
{
	u32 id;

	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (h->state == HUGE_NONE || h->pfn >= end ||
		    h->pfn + (1u << h->order) <= first)
			continue;
		if (h->state != HUGE_FREE)
			return VM_WAIT;
		if (!vm_huge_free_ones(vm, h->order))
			return -EBUSY;
		dissolve(vm, id);
	}
	return VM_DONE;
}

static u32 find_surplus(struct vm *vm, u32 order, u32 zid, u32 surplus)
{
	u32 id;

	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (h->order == order && h->surplus == surplus &&
		    huge_in_zone(vm, h, zid))
			return id;
	}
	return NONE;
}

/* One huge page of a zone is surplus from now on, or not; -ENOENT: there is none. */
int vm_huge_surplus(struct vm *vm, uint32_t order, uint32_t zid, uint32_t surplus)
{
	u32 id = find_surplus(vm, order, zid, !surplus);

	if (id == NONE)
		return -ENOENT;
	vm->huges[id].surplus = surplus != 0;
	return 0;
}

/* Whether one of the node is surplus; it is not any more. */
static bool take_surplus(struct vm *vm, struct huge *freed)
{
	const u32 nid = huge_zone(vm, freed)->nid;
	u32 id;

	for (id = 0; id < vm->nr_huges; id++) {
		struct huge *h = &vm->huges[id];

		if (h->state != HUGE_NONE && h->surplus && h->order == freed->order &&
		    huge_zone(vm, h)->nid == nid) {
			h->surplus = 0;
			return true;
		}
	}
	return false;
}

void vm_huge_let_go(struct vm *vm, u32 id)
{
	struct huge *h = &vm->huges[id];

	h->state = HUGE_FREE;
	h->area = NONE;
	if (take_surplus(vm, h))
		dissolve(vm, id);
}

/*
 * vm_huge_stat - huge pages of a zone, or of all; of an order, or of both
 */
void vm_huge_stat(struct vm *vm, uint32_t order, uint32_t zid, struct vm_huge_stat *out)
{
	u32 id;

	*out = (struct vm_huge_stat){ 0 };
	for (id = 0; id < VM_MAX_ORDER; id++)
		if (order == VM_NO_ID || order == id)
			out->reserved += vm->huge_reserved[id];
	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (!huge_in_zone(vm, h, zid) ||
		    (order != VM_NO_ID && h->order != order))
			continue;
		out->total++;
		out->free += h->state == HUGE_FREE;
		out->surplus += h->surplus;
	}
}
