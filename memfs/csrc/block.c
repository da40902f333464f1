/*
 * block.c - memory blocks leave a zone and come back
 *
 * A block that is to go is isolated first: its free pages move to lists of their
 * own, from which nothing is allocated, and what is freed in it goes there. When
 * all of it is free it leaves the zone. Blocks are whole sections.
 *
 * Models: mm/page_isolation.c start_isolate_page_range(), mm/memory_hotplug.c
 * offline_pages(), online_pages(), Linux 6.1.
 */
#include <errno.h>
#include <string.h>

#include "buddy.h"

/* The zone that a range of whole sections lies in, or NULL. */
static struct zone *zone_of_range(struct vm *vm, u32 first, u32 nr)
{
	struct zone *z;
	u32 s;

	if (!nr || (first | nr) & (SECTION - 1) || first >= vm->max_pfn ||
	    nr > vm->max_pfn - first)
		return NULL;
	if (vm->sect_zid[first >> SECTION_SHIFT] == NO_ZONE)
		return NULL;
	z = page_zone(vm, first);
	for (s = first >> SECTION_SHIFT; s < (first + nr) >> SECTION_SHIFT; s++)
		if (vm->sect_zid[s] != z->zid)
			return NULL;
	return z;
}

static void set_isolated(struct vm *vm, u32 first, u32 nr, bool on)
{
	u32 s;

	for (s = first >> SECTION_SHIFT; s < (first + nr) >> SECTION_SHIFT; s++) {
		if (on)
			bit_set(vm->isolated, s);
		else
			bit_clear(vm->isolated, s);
	}
	if (on)
		vm->nr_isolated += nr >> SECTION_SHIFT;
	else
		vm->nr_isolated -= nr >> SECTION_SHIFT;
}

/* Free blocks of a range change from one set of lists to the other. */
static void move_free(struct vm *vm, struct zone *z, u32 first, u32 nr, bool in)
{
	struct free_area *from = in ? z->area : z->iso, *to = in ? z->iso : z->area;
	u32 pfn = first, order;

	while (pfn < first + nr) {
		if (page_type(&vm->pages[pfn]) != VM_T_BUDDY) {
			pfn++;
			continue;
		}
		order = page_extra(&vm->pages[pfn]);
		area_remove(vm, &from[order], pfn);
		area_push(vm, &to[order], pfn, order);
		z->item[in ? NR_FREE : NR_FREE_ISO] -= 1u << order;
		z->item[in ? NR_FREE_ISO : NR_FREE] += 1u << order;
		pfn += 1u << order;
	}
}

/*
 * vm_block_isolate - have nothing allocated from a range any more
 *
 * Per-CPU lists are to be drained before and after. Return: 0, -EINVAL for what
 * is no range of whole sections of one zone, -EBUSY if some of it is isolated
 * already, -ENOMEM.
 */
int vm_block_isolate(struct vm *vm, uint32_t first, uint32_t nr)
{
	struct zone *z = zone_of_range(vm, first, nr);
	u32 s;

	if (!z)
		return -EINVAL;
	for (s = first >> SECTION_SHIFT; s < (first + nr) >> SECTION_SHIFT; s++)
		if (bit_test(vm->isolated, s))
			return -EBUSY;
	if (vm_virgin_room(z))
		return -ENOMEM;
	vm_freemap_end(vm, z);
	vm_virgin_end_range(vm, z, first, first + nr);
	set_isolated(vm, first, nr, true);
	move_free(vm, z, first, nr, true);
	return 0;
}

/* The range is an ordinary one again. */
void vm_block_restore(struct vm *vm, uint32_t first, uint32_t nr)
{
	struct zone *z = zone_of_range(vm, first, nr);

	if (!z || !bit_test(vm->isolated, first >> SECTION_SHIFT))
		return;
	vm_freemap_end(vm, z);
	set_isolated(vm, first, nr, false);
	move_free(vm, z, first, nr, false);
	z->all_unreclaimable = 0;
	z->pages_scanned = 0;
}

/*
 * vm_block_stat - what is in a range
 * @out: pages by place, and the first one that cannot move
 */
int vm_block_stat(struct vm *vm, uint32_t first, uint32_t nr, struct vm_block_stat *out)
{
	u32 pfn;

	memset(out, 0, sizeof(*out));
	out->first_unmovable = VM_NO_PFN;
	if (!nr || first >= vm->max_pfn || nr > vm->max_pfn - first)
		return -EINVAL;
	for (pfn = first; pfn < first + nr; pfn++) {
		const struct page *p = &vm->pages[pfn];

		switch (page_type(p)) {
		case VM_T_FREE:
		case VM_T_BUDDY:
			out->free++;
			break;
		case VM_T_PCP:
			out->pcp++;
			break;
		case VM_T_USER:
			out->user++;
			break;
		case VM_T_HUGE:
		case VM_T_TAIL:
			out->huge++;
			break;
		case VM_T_HWPOISON:
			out->poisoned++;
			break;
		default:
			out->unmovable++;
			if (out->first_unmovable == VM_NO_PFN)
				out->first_unmovable = pfn;
		}
	}
	return 0;
}

/* Pages from pfn on that are one free block; 1: a poisoned page; 0: it is in use. */
static u32 free_run(const struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (page_type(p) == VM_T_HWPOISON)
		return 1;
	return page_type(p) == VM_T_BUDDY ? 1u << page_extra(p) : 0;
}

static bool all_free(const struct vm *vm, u32 first, u32 nr)
{
	u32 pfn, run;

	for (pfn = first; pfn < first + nr; pfn += run) {
		run = free_run(vm, pfn);
		if (!run)
			return false;
	}
	return true;
}

static void take_out(struct vm *vm, struct zone *z, u32 pfn)
{
	const u32 order = page_extra(&vm->pages[pfn]);

	if (page_type(&vm->pages[pfn]) == VM_T_HWPOISON) {
		z->item[NR_HWPOISON]--;
		return;
	}
	area_remove(vm, &z->iso[order], pfn);
	z->item[NR_FREE_ISO] -= 1u << order;
}

/*
 * vm_block_offline - an isolated range of free pages leaves its zone
 *
 * Poisoned pages go with it, and are forgotten. Return: 0, -EINVAL, or -EBUSY while a
 * page of it is in use.
 */
int vm_block_offline(struct vm *vm, uint32_t first, uint32_t nr)
{
	struct zone *z = zone_of_range(vm, first, nr);
	u32 pfn, run;

	if (!z || !bit_test(vm->isolated, first >> SECTION_SHIFT))
		return -EINVAL;
	if (!all_free(vm, first, nr))
		return -EBUSY;
	for (pfn = first; pfn < first + nr; pfn += run) {
		run = free_run(vm, pfn);
		take_out(vm, z, pfn);
	}
	z->managed -= nr;
	set_isolated(vm, first, nr, false);
	vm_range_drop(vm, z, first, first + nr);
	vm_forget_range(vm, first, nr);
	return 0;
}

/*
 * vm_block_online - a range of pages comes into a zone, all free
 *
 * Return: 0, -ENODEV, -EINVAL for no whole sections, -EBUSY if they have a zone,
 * -ENOMEM.
 */
int vm_block_online(struct vm *vm, uint32_t zid, uint32_t first, uint32_t nr)
{
	struct zone *z;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	if (!nr || (first | nr) & (SECTION - 1) || first >= vm->max_pfn ||
	    nr > vm->max_pfn - first)
		return -EINVAL;
	if (vm_range_taken(vm, first, first + nr))
		return -EBUSY;
	z = &vm->zones[zid];
	if (vm_buddy_fill(vm, z, first, first + nr))
		return -ENOMEM;
	vm_range_take(vm, z, first, first + nr);
	z->all_unreclaimable = 0;
	z->pages_scanned = 0;
	return 0;
}

/* How much of its node a zone spans, as Linux counts it; for show. */
int vm_zone_span(struct vm *vm, uint32_t zid, uint32_t spanned)
{
	if (!zone_ok(vm, zid))
		return -ENODEV;
	if (spanned < vm->zones[zid].present)
		return -EINVAL;
	vm->zones[zid].spanned = spanned;
	return 0;
}

/* The first page that the zone has, and behind its last one. */
int vm_zone_bounds(struct vm *vm, uint32_t zid, uint32_t *first, uint32_t *end)
{
	if (!zone_ok(vm, zid))
		return -ENODEV;
	*first = vm->zones[zid].start;
	*end = vm->zones[zid].end;
	return 0;
}
