/*
 * range.c - which pages a zone has
 *
 * The table of sections is the truth: 2048 pages each, a zone or none. Memory
 * blocks are whole sections, so that they come and go by the section, and the
 * pages of two zones may lie in turns. What a zone has of a section that its edge
 * cuts, two pieces at most, is beside the table; such a block cannot go.
 */
#include "vm_int.h"

/* The zone of a page in a section that some zone's edge cuts. */
struct zone *vm_zone_slow(struct vm *vm, u32 pfn)
{
	u32 i, e;

	for (i = 0; i < vm->nr_zones; i++) {
		struct zone *z = &vm->zones[i];

		for (e = 0; z->populated && e < ARRAY_SIZE(z->edge); e++)
			if (pfn >= z->edge[e].first && pfn < z->edge[e].end)
				return z;
	}
	return NULL;
}

static void cut(struct zone *z, u32 e, u32 first, u32 end)
{
	z->edge[e] = (struct range){ first, end > first ? end : first };
}

/* Pages first to end become the zone's: whole sections, and an edge on each side. */
void vm_range_take(struct vm *vm, struct zone *z, u32 first, u32 end)
{
	u32 from = (first + SECTION - 1) >> SECTION_SHIFT, to = end >> SECTION_SHIFT;
	u32 s;

	if (from > to) {
		cut(z, 0, first, end);
	} else {
		if (first < from << SECTION_SHIFT)
			cut(z, 0, first, from << SECTION_SHIFT);
		if (to << SECTION_SHIFT < end)
			cut(z, 1, to << SECTION_SHIFT, end);
		for (s = from; s < to; s++)
			vm->sect_zid[s] = (u16)z->zid;
	}
	z->start = z->present ? min_t(u32, z->start, first) : first;
	z->end = z->present ? max_t(u32, z->end, end) : end;
	z->present += end - first;
}

/* Whole sections are nobody's from now on. */
void vm_range_drop(struct vm *vm, struct zone *z, u32 first, u32 end)
{
	u32 s;

	for (s = first >> SECTION_SHIFT; s < end >> SECTION_SHIFT; s++)
		vm->sect_zid[s] = NO_ZONE;
	z->present -= end - first;
	if (!z->present)
		return;
	while (page_zone(vm, z->start) != z)
		z->start = (z->start & ~(SECTION - 1)) + SECTION;
	while (page_zone(vm, z->end - 1) != z)
		z->end = (z->end - 1) & ~(SECTION - 1);
}

/* The first page at or behind pfn, in its section, that the zone's edges have. */
static u32 next_in_edges(const struct zone *z, u32 pfn)
{
	u32 e;

	for (e = 0; e < ARRAY_SIZE(z->edge); e++) {
		const struct range *edge = &z->edge[e];

		if (pfn < edge->end && (pfn ^ edge->first) >> SECTION_SHIFT == 0)
			return max_t(u32, pfn, edge->first);
	}
	return NONE;
}

/* The first page of the zone at or behind pfn, or NONE. */
u32 vm_zone_next(struct vm *vm, const struct zone *z, u32 pfn)
{
	u32 found;

	pfn = max_t(u32, pfn, z->start);
	while (pfn < z->end) {
		u32 zid = vm->sect_zid[pfn >> SECTION_SHIFT];

		found = zid == NO_ZONE ? next_in_edges(z, pfn) : NONE;
		if (zid == z->zid || found != NONE)
			return found == NONE ? pfn : found;
		pfn = (pfn | (SECTION - 1)) + 1;
	}
	return NONE;
}

/* Whether some page from first to end has a zone. */
bool vm_range_taken(struct vm *vm, u32 first, u32 end)
{
	u32 s, i, e;

	for (s = first >> SECTION_SHIFT; s << SECTION_SHIFT < end; s++)
		if (vm->sect_zid[s] != NO_ZONE)
			return true;
	for (i = 0; i < vm->nr_zones; i++) {
		const struct zone *z = &vm->zones[i];

		for (e = 0; z->populated && e < ARRAY_SIZE(z->edge); e++)
			if (z->edge[e].first < end && first < z->edge[e].end &&
			    z->edge[e].first < z->edge[e].end)
				return true;
	}
	return false;
}
