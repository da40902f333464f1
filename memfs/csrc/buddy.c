/*
 * buddy.c - free blocks of 2^order pages
 *
 * Blocks of the highest order that were never taken are on no list: the zone has
 * ranges of untouched ones, which stand behind the list, the highest first, as
 * boot would have left them. Free blocks of isolated memory are on lists of their
 * own (block.c).
 *
 * Models: mm/page_alloc.c __rmqueue(), expand(), __free_pages_bulk(), 2.6.0.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buddy.h"

#define TOP (VM_MAX_ORDER - 1)

/* Blocks of an order that can be had, those included that were never taken. */
u32 vm_area_nr(struct vm *vm, struct zone *z, u32 order)
{
	vm_freemap_settle(vm, z);
	return z->area[order].nr + (order == TOP ? z->virgin : 0);
}

/* ---- untouched blocks ---- */

/* Room for one range more. */
int vm_virgin_room(struct zone *z)
{
	u32 most = max_t(u32, 4, 2 * z->max_untouched);
	struct virgin *more;

	if (z->nr_untouched < z->max_untouched)
		return 0;
	more = realloc(z->untouched, most * sizeof(*more));
	if (!more)
		return -ENOMEM;
	z->untouched = more;
	z->max_untouched = most;
	return 0;
}

/* Note nr blocks from pfn on as free and untouched. */
int vm_virgin_add(struct zone *z, u32 pfn, u32 nr)
{
	u32 at = z->nr_untouched;

	if (!nr)
		return 0;
	if (vm_virgin_room(z))
		return -ENOMEM;
	while (at && z->untouched[at - 1].pfn > pfn) {
		z->untouched[at] = z->untouched[at - 1];
		at--;
	}
	z->untouched[at] = (struct virgin){ pfn, nr };
	z->nr_untouched++;
	z->virgin += nr;
	return 0;
}

static inline u32 virgin_end(const struct virgin *v)
{
	return v->pfn + (v->nr << TOP);
}

/* Where the untouched blocks that pfn is in end; pfn itself if it is in none. */
u32 vm_virgin_until(const struct zone *z, u32 pfn)
{
	u32 i;

	for (i = 0; i < z->nr_untouched; i++)
		if (pfn >= z->untouched[i].pfn && pfn < virgin_end(&z->untouched[i]))
			return virgin_end(&z->untouched[i]);
	return pfn;
}

/* One block less, from the end of the last range. */
static u32 virgin_pop(struct zone *z)
{
	struct virgin *last = &z->untouched[z->nr_untouched - 1];
	u32 pfn = last->pfn + (--last->nr << TOP);

	if (!last->nr)
		z->nr_untouched--;
	z->virgin--;
	return pfn;
}

/* The part of a range that lies in [first, end) becomes ordinary blocks. */
static void end_part(struct vm *vm, struct zone *z, u32 i, u32 first, u32 end)
{
	struct virgin v = z->untouched[i];
	u32 from = max_t(u32, v.pfn, first & ~((1u << TOP) - 1));
	u32 to = min_t(u32, virgin_end(&v), end), pfn;

	memmove(&z->untouched[i], &z->untouched[i + 1],
		(z->nr_untouched - i - 1) * sizeof(v));
	z->nr_untouched--;
	z->virgin -= v.nr;
	for (pfn = to; pfn > from; pfn -= 1u << TOP)
		area_push(vm, &z->area[TOP], pfn - (1u << TOP), TOP);
	vm_virgin_add(z, v.pfn, (from - v.pfn) >> TOP);
	vm_virgin_add(z, to, (virgin_end(&v) - to) >> TOP);
}

/*
 * Untouched blocks in [first, end) become ordinary ones, the lowest at the head.
 * Who leaves pieces on both sides sees to it that there is room.
 */
void vm_virgin_end_range(struct vm *vm, struct zone *z, u32 first, u32 end)
{
	u32 i;

	for (i = z->nr_untouched; i--;)
		if (z->untouched[i].pfn < end && first < virgin_end(&z->untouched[i]))
			end_part(vm, z, i, first, end);
}

/* ---- the zone's memory ---- */

/* The rest of a zone that does not fill a block of the highest order. */
static void free_rest(struct vm *vm, struct zone *z, u32 pfn, u32 end)
{
	while (pfn < end) {
		u32 order = TOP;

		while (pfn & ((1u << order) - 1) || pfn + (1u << order) > end)
			order--;
		area_push(vm, &z->area[order], pfn, order);
		pfn += 1u << order;
	}
}

void vm_buddy_init(struct zone *z)
{
	u32 order;

	for (order = 0; order < VM_MAX_ORDER; order++)
		z->area[order] = z->iso[order] = (struct free_area){ NONE, 0 };
}

/* Pages that nobody ever touched come, all free; they start on a block. */
int vm_buddy_fill(struct vm *vm, struct zone *z, u32 first, u32 end)
{
	u32 blocks = (end - first) >> TOP;

	if (vm_virgin_add(z, first, blocks))
		return -ENOMEM;
	free_rest(vm, z, first + (blocks << TOP), end);
	z->managed += end - first;
	z->item[NR_FREE] += end - first;
	return 0;
}

/* ---- taking and giving ---- */

static u32 area_pop(struct vm *vm, struct zone *z, u32 order)
{
	u32 pfn = z->area[order].head;

	if (pfn != NONE) {
		area_remove(vm, &z->area[order], pfn);
		return pfn;
	}
	if (order == TOP && z->virgin)
		return virgin_pop(z);
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

	vm_freemap_end(vm, z);
	for (o = order; o < VM_MAX_ORDER; o++) {
		pfn = area_pop(vm, z, o);
		if (pfn != NONE)
			break;
	}
	if (pfn == NONE)
		return NONE;
	while (o > order) {
		o--;
		area_push(vm, &z->area[o], pfn, o);
		pfn += 1u << o;
	}
	z->item[NR_FREE] -= 1u << order;
	return pfn;
}

/*
 * nr single pages of a block of 2^order that was taken off its list, from its end
 * downwards. Its first pages stay free, in the blocks that a split for each page would
 * have left: the orders below have none but these.
 */
static void take_part(struct vm *vm, struct zone *z, u32 pfn, u32 order, u32 *out,
		      u32 nr)
{
	u32 end = pfn + (1u << order), left = (1u << order) - nr, i;

	while (left) {
		order--;
		if (!(left & 1u << order))
			continue;
		area_push(vm, &z->area[order], pfn, order);
		pfn += 1u << order;
		left -= 1u << order;
	}
	for (i = 0; i < nr; i++)
		out[i] = end - 1 - i;
}

/* A free block of the lowest order that has one; *order, or NONE. */
static u32 pop_lowest(struct vm *vm, struct zone *z, u32 *order)
{
	u32 pfn = NONE;

	for (*order = 0; *order < VM_MAX_ORDER && pfn == NONE; ++*order)
		pfn = area_pop(vm, z, *order);
	--*order;
	return pfn;
}

/*
 * vm_rmqueue_many - single pages, as many calls of vm_rmqueue() would give them
 *
 * A block is taken apart in one go: while the orders below have none, the pages come
 * from its end downwards. Return: how many, at most nr.
 */
u32 vm_rmqueue_many(struct vm *vm, struct zone *z, u32 *pfns, u32 nr)
{
	u32 done = 0, order, pfn, part;

	vm_freemap_end(vm, z);
	while (done < nr) {
		pfn = pop_lowest(vm, z, &order);
		if (pfn == NONE)
			break;
		part = min_t(u32, nr - done, 1u << order);
		take_part(vm, z, pfn, order, pfns + done, part);
		done += part;
	}
	z->item[NR_FREE] -= done;
	return done;
}

/*
 * Give a block back and join it with its buddies; the pages are zeroed.
 *
 * A buddy lies in the same block of the highest order. Zones and memory blocks start
 * on one, so a free buddy is of the same zone, and isolated if the page is; the array
 * of pages ends on one.
 */
void vm_buddy_free(struct vm *vm, struct zone *z, u32 pfn, u32 order)
{
	const bool isolated = page_isolated(vm, pfn);
	struct free_area *area = (isolated ? z->iso : z->area) + order;
	struct page *const pages = vm->pages;
	u32 head = VM_T_BUDDY | order << EXTRA_SHIFT, bit = 1u << order;
	const u32 first = pfn;

	if (z->mapped && !isolated) {
		vm_freemap_free(vm, z, pfn, order);
		return;
	}
	z->item[isolated ? NR_FREE_ISO : NR_FREE] += bit;
	while (order < TOP &&
	       (pages[pfn ^ bit].flags & (TYPE_MASK | EXTRA_MASK)) == head) {
		area_remove(vm, area, pfn ^ bit);
		pfn &= ~bit;
		bit <<= 1;
		head += EXTRA_ONE;
		area++;
		order++;
	}
	if (pfn != first)
		pages[first] = (struct page){ 0 };
	pageblock_forget(vm, pfn, order);
	area_push(vm, area, pfn, order);
}

/* The free block that a free page is in: its order. */
static u32 block_of(struct vm *vm, struct zone *z, u32 pfn)
{
	u32 until = vm_virgin_until(z, pfn), order;

	if (until > pfn)
		vm_virgin_end_range(vm, z, pfn, until);
	for (order = 0; order < TOP; order++)
		if (vm->pages[pfn & ~((1u << order) - 1)].flags ==
		    (VM_T_BUDDY | order << EXTRA_SHIFT))
			break;
	return order;
}

/* Take one free page; the rest of its block stays free. */
void vm_buddy_take(struct vm *vm, struct zone *z, u32 pfn)
{
	u32 order, head;

	vm_freemap_end(vm, z);
	order = block_of(vm, z, pfn);
	head = pfn & ~((1u << order) - 1);
	area_remove(vm, &z->area[order], head);
	while (order--) {
		u32 upper = head + (1u << order);

		area_push(vm, &z->area[order], pfn < upper ? upper : head, order);
		head = pfn < upper ? head : upper;
	}
	z->item[NR_FREE]--;
}
