/*
 * hugemap.c - areas of huge pages, and what tasks do to them
 *
 * A touch takes a huge page from the pool, for good. What an area was promised when
 * it was mapped nobody else gets. The contents of a huge page are a stamp for each of
 * its small pages.
 *
 * Models: mm/hugetlb.c hugetlb_fault(), 2.6.7; hugetlb_reserve_pages(),
 * dequeue_huge_page_vma(), 6.1.
 */
#include <errno.h>
#include <stdlib.h>

#include "huge.h"

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
	if (!huge_order_ok(order) || !nr || id == vm->max_huge_areas)
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

/*
 * vm_huge_reserve - promise an area all of its huge pages; it has none yet
 *
 * Return: 0; how many more the pool must have first, then nothing was promised;
 * -EINVAL.
 */
int vm_huge_reserve(struct vm *vm, uint32_t area)
{
	struct huge_area *a;
	u32 nr;

	if (!area_ok(vm, area) || vm->huge_areas[area].reserved)
		return -EINVAL;
	a = &vm->huge_areas[area];
	nr = vm_huge_free_ones(vm, a->order);
	if (nr < a->nr)
		return (int)(a->nr - nr);
	a->reserved = a->nr;
	vm->huge_reserved[a->order] += a->nr;
	return 0;
}

/* An area goes; its huge pages are let go. VM_WAIT: one of them is being moved. */
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
	vm->huge_reserved[a->order] -= a->reserved;
	for (i = 0; i < a->nr; i++)
		if (a->huge[i] != NONE)
			vm_huge_let_go(vm, a->huge[i]);
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
		    !huge_zone(vm, h)->open || page_isolated(vm, h->pfn))
			continue;
		if (huge_zone(vm, h)->nid == nid)
			return id;
		any = any == NONE ? id : any;
	}
	return any;
}

static int fault(struct vm *vm, struct huge_area *a, u32 area, u32 idx)
{
	u32 id = a->reserved || vm_huge_free_ones(vm, a->order) ? choose(vm, a->order) :
								  NONE;
	struct huge *h;
	u32 i;

	if (id == NONE)
		return -ENOMEM;
	if (a->reserved) {
		a->reserved--;
		vm->huge_reserved[a->order]--;
	}
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
