/*
 * hugetlb.c - huge pages: a pool of blocks, areas that map them, and their migration
 *
 * A huge page is a block of order 9 or 10 that was taken from the buddy lists for
 * the pool; it is on no LRU list. A touch of an area takes one from the pool, for
 * good. Its contents are a stamp for each of its small pages.
 *
 * A zone is emptied of huge pages before the others move: free ones go back to the
 * buddy lists, used ones to a free one elsewhere or to a new block. Such a copy takes
 * many steps; who touches the page meanwhile waits.
 *
 * Departure: the prototype gave up the whole remap at the first huge page that had
 * nowhere to go; here it is counted, and the others move.
 *
 * Models: mm/hugetlb.c alloc_fresh_huge_page(), 2.6.7; remap_hugetlb_pages() of the hot
 * removal patches for hugetlbfs, Takahashi, 2004.
 */
#include <errno.h>
#include <stdlib.h>

#include "migrate.h"

enum { HUGE_NONE = 0, HUGE_FREE, HUGE_USED, HUGE_MOVING };

/* 128 KiB are copied in one go. */
#define PIECE 32u

static bool order_ok(u32 order)
{
	return order == 9 || order == 10;
}

static struct zone *huge_zone(struct vm *vm, const struct huge *h)
{
	return page_zone(vm, h->pfn);
}

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

static void huge_free(struct vm *vm, u32 id)
{
	vm->huges[id] = (struct huge){ .state = HUGE_NONE, .next = vm->free_huge };
	vm->free_huge = id;
}

/* ---- blocks ---- */

/* A block of the buddy lists becomes a huge page. */
static void make_block(struct vm *vm, u32 pfn, u32 order, u32 id)
{
	u32 i;

	vm->pages[pfn] =
		(struct page){ .flags = VM_T_HUGE | order << EXTRA_SHIFT, .index = id };
	for (i = 1; i < 1u << order; i++)
		vm->pages[pfn + i] = (struct page){ .flags = VM_T_TAIL, .rmap = pfn };
	page_zone(vm, pfn)->item[NR_HUGE] += 1u << order;
}

static void free_block(struct vm *vm, u32 pfn, u32 order)
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

/* A block of given zones, or NONE with vm->need set. */
static u32 take_block(struct vm *vm, u32 order, u32 nr, const u32 *zids)
{
	struct zonelist zl = { .nr = 0 };
	u32 i, pfn;

	for (i = 0; i < nr && zl.nr < ZONELIST_MAX; i++)
		if (zone_ok(vm, zids[i]))
			zl.zid[zl.nr++] = zids[i];
	pfn = vm_alloc_zonelist(vm, &zl, order, 0);
	if (pfn == NONE) {
		vm->need.cls = VM_CLASS_HOTREMOVABLE;
		vm->need.order = order;
	}
	return pfn;
}

/* ---- the pool ---- */

/*
 * vm_huge_grow - one huge page more
 * @zids: where it may lie, in order
 *
 * Return: VM_DONE, VM_NOMEM (no such block), -EINVAL.
 */
int vm_huge_grow(struct vm *vm, uint32_t order, uint32_t nr, const uint32_t *zids)
{
	u32 id, pfn;

	if (!order_ok(order))
		return -EINVAL;
	id = huge_alloc(vm);
	if (id == NONE)
		return -ENOMEM;
	pfn = take_block(vm, order, nr, zids);
	if (pfn == NONE) {
		huge_free(vm, id);
		return VM_NOMEM;
	}
	make_block(vm, pfn, order, id);
	vm->huges[id] = (struct huge){
		.pfn = pfn, .order = order, .area = NONE, .state = HUGE_FREE
	};
	return VM_DONE;
}

static bool in_zone(struct vm *vm, const struct huge *h, u32 zid)
{
	return h->state != HUGE_NONE &&
	       (zid == VM_NO_ID || huge_zone(vm, h)->zid == zid);
}

static u32 find_free(struct vm *vm, u32 order, u32 zid)
{
	u32 id;

	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (h->state == HUGE_FREE && h->order == order && in_zone(vm, h, zid))
			return id;
	}
	return NONE;
}

/* One free huge page of a zone goes back to the buddy lists; -ENOENT: none is free. */
int vm_huge_shrink(struct vm *vm, uint32_t order, uint32_t zid)
{
	u32 id = order_ok(order) ? find_free(vm, order, zid) : NONE;

	if (id == NONE)
		return -ENOENT;
	free_block(vm, vm->huges[id].pfn, order);
	huge_free(vm, id);
	return 0;
}

/* Huge pages of a zone, or of all (VM_NO_ID), of an order or of both (VM_NO_ID). */
void vm_huge_stat(struct vm *vm, uint32_t order, uint32_t zid, uint32_t *nr_free,
		  uint32_t *total)
{
	u32 id;

	*nr_free = *total = 0;
	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (!in_zone(vm, h, zid) || (order != VM_NO_ID && h->order != order))
			continue;
		*total += 1;
		*nr_free += h->state == HUGE_FREE;
	}
}

/* ---- areas ---- */

/*
 * vm_huge_map - an area of nr huge pages at page vpn
 * @stamp: says whose its contents are
 *
 * Return: the area, or VM_NO_ID.
 */
uint32_t vm_huge_map(struct vm *vm, uint32_t order, uint32_t nr, uint32_t stamp,
		     uint64_t vpn)
{
	struct huge_area *a;
	u32 id = 0, i;

	while (id < vm->nr_huge_areas && vm->huge_areas[id].huge)
		id++;
	if (!order_ok(order) || !nr || id == vm->max_huge_areas)
		return VM_NO_ID;
	a = &vm->huge_areas[id];
	*a = (struct huge_area){ .nr = nr, .order = order, .stamp = stamp, .vpn = vpn };
	a->huge = malloc((size_t)nr * sizeof(*a->huge));
	if (!a->huge)
		return VM_NO_ID;
	for (i = 0; i < nr; i++)
		a->huge[i] = NONE;
	vm->nr_huge_areas = max_t(u32, vm->nr_huge_areas, id + 1);
	return id;
}

static bool area_ok(struct vm *vm, u32 area)
{
	return area < vm->nr_huge_areas && vm->huge_areas[area].huge;
}

/* An area goes; its huge pages are free. VM_WAIT: one of them is being moved. */
int vm_huge_unmap(struct vm *vm, uint32_t area)
{
	struct huge_area *a;
	u32 i;

	if (!area_ok(vm, area))
		return -EINVAL;
	a = &vm->huge_areas[area];
	for (i = 0; i < a->nr; i++)
		if (a->huge[i] != NONE && vm->huges[a->huge[i]].state == HUGE_MOVING)
			return VM_WAIT;
	for (i = 0; i < a->nr; i++) {
		if (a->huge[i] == NONE)
			continue;
		vm->huges[a->huge[i]].state = HUGE_FREE;
		vm->huges[a->huge[i]].area = NONE;
	}
	free(a->huge);
	*a = (struct huge_area){ 0 };
	return VM_DONE;
}

static u32 stamp_of(const struct huge_area *a, u32 idx, u32 i)
{
	return vm_stamp_of(a->stamp, a->vpn + ((u64)idx << a->order) + i);
}

/* On the CPU's own node if one is free there. */
static u32 choose(struct vm *vm, u32 order)
{
	u32 nid = vm->cpu_node[vm->cpu], any = NONE, id;

	for (id = 0; id < vm->nr_huges; id++) {
		const struct huge *h = &vm->huges[id];

		if (h->state != HUGE_FREE || h->order != order ||
		    !huge_zone(vm, h)->open)
			continue;
		if (huge_zone(vm, h)->nid == nid)
			return id;
		any = any == NONE ? id : any;
	}
	return any;
}

static int fault(struct vm *vm, struct huge_area *a, u32 area, u32 idx)
{
	u32 id = choose(vm, a->order), i;
	struct huge *h;

	if (id == NONE)
		return -ENOMEM;
	h = &vm->huges[id];
	h->state = HUGE_USED;
	h->area = area;
	h->idx = idx;
	a->huge[idx] = id;
	for (i = 0; i < 1u << a->order; i++)
		vm->stamps[h->pfn + i] = stamp_of(a, idx, i);
	vm->event[EV_PGFAULT]++;
	return 0;
}

/* Every small page holds what it held. */
static void check(struct vm *vm, const struct huge_area *a, u32 idx)
{
	const struct huge *h = &vm->huges[a->huge[idx]];
	u32 i;

	for (i = 0; i < 1u << a->order; i++)
		vm->event[EV_CORRUPT] += vm->stamps[h->pfn + i] != stamp_of(a, idx, i);
}

/*
 * vm_huge_touch - a task walks over huge pages of an area
 * @first, @nr: huge pages
 * @pos:        of nr, done so far
 *
 * Return: VM_DONE, VM_WAIT (the page is being moved), -ENOMEM (none is free in the
 * pool: SIGBUS), -EINVAL.
 */
int vm_huge_touch(struct vm *vm, uint32_t area, uint32_t first, uint32_t nr,
		  uint32_t *pos)
{
	struct huge_area *a;
	int rc;

	if (!area_ok(vm, area) || first >= vm->huge_areas[area].nr ||
	    nr > vm->huge_areas[area].nr - first)
		return -EINVAL;
	a = &vm->huge_areas[area];
	for (; *pos < nr; ++*pos) {
		u32 idx = first + *pos;

		if (a->huge[idx] == NONE) {
			rc = fault(vm, a, area, idx);
			if (rc)
				return rc;
		}
		if (vm->huges[a->huge[idx]].state == HUGE_MOVING)
			return VM_WAIT;
		check(vm, a, idx);
	}
	return VM_DONE;
}

/* ---- migration ---- */

static void begin_move(struct vm *vm, struct vm_huge_move *hm, u32 id, u32 pfn,
		       u32 from)
{
	vm->huges[id].state = HUGE_MOVING;
	hm->moving = id;
	hm->new_pfn = pfn;
	hm->from_pool = from;
	hm->copied = 0;
}

/* A free huge page elsewhere, else a block that becomes one. */
static int find_target(struct vm *vm, struct vm_huge_move *hm, u32 id)
{
	const u32 order = vm->huges[id].order;
	u32 i, other, pfn;

	for (i = 0; i < hm->nr_targets; i++) {
		other = find_free(vm, order, hm->target[i]);
		if (other != NONE) {
			vm->huges[other].state = HUGE_MOVING;
			begin_move(vm, hm, id, vm->huges[other].pfn, other);
			return VM_DONE;
		}
	}
	if (vm->faults[FAULT_TARGET]) {
		vm->faults[FAULT_TARGET]--;
		pfn = NONE;
		vm->need.order = order;
	} else {
		pfn = take_block(vm, order, hm->nr_targets, hm->target);
	}
	if (pfn == NONE)
		return VM_NOMEM;
	make_block(vm, pfn, order, id);
	begin_move(vm, hm, id, pfn, NONE);
	return VM_DONE;
}

/* The huge page lies elsewhere; where it lay is free. */
static void end_move(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h = &vm->huges[hm->moving];

	free_block(vm, h->pfn, h->order);
	h->pfn = hm->new_pfn;
	h->state = HUGE_USED;
	if (hm->from_pool != NONE)
		huge_free(vm, hm->from_pool);
	vm->pages[h->pfn].index = hm->moving;
	vm->event[EV_PGMIGRATE_SUCCESS] += 1u << h->order;
	hm->moved++;
	hm->moving = NONE;
	hm->cursor++;
}

/* The next piece; the last one ends the move. */
static void copy_piece(struct vm *vm, struct vm_huge_move *hm)
{
	const struct huge *h = &vm->huges[hm->moving];
	u32 i, nr = 1u << h->order;

	for (i = 0; i < PIECE && hm->copied < nr; i++, hm->copied++)
		vm->stamps[hm->new_pfn + hm->copied] = vm->stamps[h->pfn + hm->copied];
	if (hm->copied == nr)
		end_move(vm, hm);
}

/* The next huge page of the zone: given back, begun to move, or passed over. */
static int next_huge(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h = &vm->huges[hm->cursor];

	if (!in_zone(vm, h, hm->zid) || h->state == HUGE_MOVING) {
		hm->cursor++;
	} else if (h->state == HUGE_FREE) {
		free_block(vm, h->pfn, h->order);
		huge_free(vm, hm->cursor++);
		hm->dissolved++;
	} else {
		return find_target(vm, hm, hm->cursor);
	}
	return VM_DONE;
}

/*
 * vm_huge_migrate - empty a zone of huge pages
 * @hm:     zid, targets; moving starts as VM_NO_ID, all else as 0
 * @budget: pieces and huge pages in this call
 *
 * Return: VM_DONE, VM_MORE, VM_NOMEM (no block of vm_needed()->order: make one, or
 * vm_huge_pass()), -ENODEV.
 */
int vm_huge_migrate(struct vm *vm, struct vm_huge_move *hm, uint32_t budget)
{
	int rc;

	if (!zone_ok(vm, hm->zid) || hm->nr_targets > ARRAY_SIZE(hm->target))
		return -ENODEV;
	for (; budget; budget--) {
		if (hm->moving != NONE) {
			copy_piece(vm, hm);
			continue;
		}
		if (hm->cursor >= vm->nr_huges)
			return VM_DONE;
		rc = next_huge(vm, hm);
		if (rc)
			return rc;
	}
	return VM_MORE;
}

/* The huge page that has nowhere to go stays; on to the next one. */
void vm_huge_pass(struct vm *vm, struct vm_huge_move *hm)
{
	vm->event[EV_PGMIGRATE_FAIL]++;
	hm->failed++;
	hm->cursor++;
}

/* The page that is being moved is where it was, as it was. */
void vm_huge_cancel(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h;

	if (hm->moving == NONE)
		return;
	h = &vm->huges[hm->moving];
	h->state = HUGE_USED;
	if (hm->from_pool != NONE)
		vm->huges[hm->from_pool].state = HUGE_FREE;
	else
		free_block(vm, hm->new_pfn, h->order);
	hm->moving = NONE;
}
