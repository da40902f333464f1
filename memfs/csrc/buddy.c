/*
 * buddy.c - free blocks of 2^order pages
 *
 * Lists of free blocks run through the free pages themselves (pos is next,
 * rmap is previous). Blocks of the highest order that were never taken are
 * not on a list: zone->virgin counts them, they lie at the zone's start and
 * stand behind the list, the highest first, as boot would have left them.
 *
 * Models: mm/page_alloc.c __rmqueue(), expand(), __free_pages_bulk(), 2.6.0.
 */
#include "vm_int.h"

#define TOP (VM_MAX_ORDER - 1)

static inline void area_push(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	struct free_area *area = &z->area[order];
	struct page *p = &vm->pages[pfn];

	p->flags = VM_T_BUDDY | order << EXTRA_SHIFT;
	p->pos = area->head;
	p->rmap = NONE;
	p->index = 0;
	if (area->head != NONE)
		vm->pages[area->head].rmap = pfn;
	area->head = pfn;
	area->nr++;
}

static inline void area_remove(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	struct free_area *area = &z->area[order];
	struct page *p = &vm->pages[pfn];

	if (p->rmap == NONE)
		area->head = p->pos;
	else
		vm->pages[p->rmap].pos = p->pos;
	if (p->pos != NONE)
		vm->pages[p->pos].rmap = p->rmap;
	area->nr--;
	*p = (struct page){ 0 };
}

/* Blocks of an order, those included that were never taken. */
u32 vm_area_nr(const struct zone *z, u32 order)
{
	return z->area[order].nr + (order == TOP ? z->virgin : 0);
}

/* The rest of a zone that does not fill a block of the highest order. */
static void free_rest(struct vm *vm, struct zone *z, u32 pfn, u32 end)
{
	while (pfn < end) {
		u32 order = TOP;

		while (pfn & ((1u << order) - 1) || pfn + (1u << order) > end)
			order--;
		area_push(vm, z, pfn, order);
		pfn += 1u << order;
	}
}

void vm_buddy_init(struct vm *vm, struct zone *z)
{
	u32 end = z->start + z->managed;
	u32 order, pfn;

	for (order = 0; order < VM_MAX_ORDER; order++)
		z->area[order] = (struct free_area){ NONE, 0 };
	z->virgin = z->managed >> TOP;
	free_rest(vm, z, z->start + (z->virgin << TOP), end);
	z->item[NR_FREE] = z->managed;
	for (pfn = end; pfn < z->start + z->present; pfn++)
		vm->pages[pfn].flags = VM_T_RESERVED;
	z->item[NR_RESERVED] = z->present - z->managed;
}

static u32 area_pop(struct vm *vm, struct zone *z, u32 order)
{
	u32 pfn = z->area[order].head;

	if (pfn != NONE) {
		area_remove(vm, z, pfn, order);
		return pfn;
	}
	if (order == TOP && z->virgin)
		return z->start + (--z->virgin << TOP);
	return NONE;
}

/*
 * vm_rmqueue - take a block; the upper half of each split is kept
 *
 * Return: first pfn, the pages zeroed, or NONE.
 */
u32 vm_rmqueue(struct vm *vm, struct zone *z, u32 order)
{
	u32 o, pfn = NONE;

	for (o = order; o < VM_MAX_ORDER; o++) {
		pfn = area_pop(vm, z, o);
		if (pfn != NONE)
			break;
	}
	if (pfn == NONE)
		return NONE;
	while (o > order) {
		o--;
		area_push(vm, z, pfn, o);
		pfn += 1u << o;
	}
	z->item[NR_FREE] -= 1u << order;
	return pfn;
}

/* A zone starts on a block of the highest order, so no buddy lies before it. */
static inline bool buddy_is_free(struct vm *vm, u32 end, u32 pfn, u32 order)
{
	const u32 head = VM_T_BUDDY | order << EXTRA_SHIFT;

	return pfn + (1u << order) <= end &&
	       (vm->pages[pfn].flags & (TYPE_MASK | EXTRA_MASK)) == head;
}

/* Give a block back and join it with its buddies; the pages are zeroed. */
void vm_buddy_free(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	const u32 end = z->start + z->managed;

	z->item[NR_FREE] += 1u << order;
	vm->pages[pfn] = (struct page){ 0 };
	while (order < TOP) {
		u32 buddy = pfn ^ 1u << order;

		if (!buddy_is_free(vm, end, buddy, order))
			break;
		area_remove(vm, z, buddy, order);
		pfn &= ~(1u << order);
		order++;
	}
	area_push(vm, z, pfn, order);
}

/* Virgin blocks from `first` on become ordinary ones, the highest last. */
static void end_virginity(struct vm *vm, struct zone *z, u32 first)
{
	while (z->virgin > first)
		area_push(vm, z, z->start + (--z->virgin << TOP), TOP);
}

/* The free block that a free page is in: its order. */
static u32 block_of(struct vm *vm, struct zone *z, u32 pfn)
{
	u32 order;

	if (pfn - z->start < z->virgin << TOP)
		end_virginity(vm, z, (pfn - z->start) >> TOP);
	for (order = 0; order < TOP; order++)
		if (vm->pages[pfn & ~((1u << order) - 1)].flags ==
		    (VM_T_BUDDY | order << EXTRA_SHIFT))
			break;
	return order;
}

/* Take one free page; the rest of its block stays free. */
void vm_buddy_take(struct vm *vm, struct zone *z, u32 pfn)
{
	u32 order = block_of(vm, z, pfn);
	u32 head = pfn & ~((1u << order) - 1);

	area_remove(vm, z, head, order);
	while (order--) {
		u32 upper = head + (1u << order);

		area_push(vm, z, pfn < upper ? upper : head, order);
		head = pfn < upper ? head : upper;
	}
	z->item[NR_FREE]--;
}
