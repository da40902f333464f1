/*
 * zone.c - a zone's memory comes and goes; its gate, its marks, its per-CPU lists
 *
 * Models: mm/page_alloc.c free_area_init_core(), zone_pcp_init(), 2.6.0, and the gates
 * of the memory hotplug prototype.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vm_int.h"

/* The zone's first pages; those at the end are reserved. */
static int fill(struct vm *vm, struct zone *z, u32 first, u32 present, u32 reserved)
{
	u32 end = first + present, pfn;

	z->start = z->end = first;
	z->reserved = (struct range){ end - reserved, end };
	if (present)
		vm_range_take(vm, z, first, end);
	for (pfn = end - reserved; pfn < end; pfn++)
		vm->pages[pfn].flags = VM_T_RESERVED;
	z->item[NR_RESERVED] = reserved;
	return vm_buddy_fill(vm, z, first, end - reserved);
}

/*
 * vm_zone_plug - a zone's memory comes, gate closed, marks 0
 * @spanned:  pages from start_pfn, holes included
 * @present:  pages that are there, from start_pfn on; 0: blocks come later
 * @reserved: of them, at the end, never given to the allocator
 *
 * Return: 0, -EEXIST if the slot is taken, -EINVAL for a range that does not
 * start on a block of the highest order or overlaps another zone, -ENOMEM.
 */
int vm_zone_plug(struct vm *vm, u32 zid, u32 nid, u32 type, u32 start_pfn, u32 spanned,
		 u32 present, u32 reserved)
{
	struct zone *z;
	u32 i;

	if (zid >= vm->nr_zones || nid >= vm->nr_nodes || present > spanned ||
	    reserved > present || start_pfn & ((1u << (VM_MAX_ORDER - 1)) - 1) ||
	    start_pfn >= vm->max_pfn || spanned > vm->max_pfn - start_pfn)
		return -EINVAL;
	z = &vm->zones[zid];
	if (z->populated)
		return -EEXIST;
	if (vm_range_taken(vm, start_pfn, start_pfn + present))
		return -EINVAL;
	memset(z, 0, sizeof(*z));
	z->pcp = calloc(vm->nr_cpus * 2, sizeof(*z->pcp));
	if (!z->pcp)
		return -ENOMEM;
	z->zid = zid;
	z->nid = nid;
	z->type = type;
	z->spanned = spanned;
	for (i = 0; i < 2; i++)
		z->lru[i].head = z->lru[i].tail = NONE;
	z->populated = 1;
	vm_buddy_init(z);
	return fill(vm, z, start_pfn, present, reserved) ?
		       -ENOMEM :
		       vm_zone_pcp(vm, zid, 0, 0, 0, 0, 1);
}

/* Give the host memory of a range of an array back: it reads as zero again. */
static void arena_clear(void *base, size_t from, size_t to)
{
	u8 *start = (u8 *)(((uintptr_t)base + from + PAGE_SIZE - 1) &
			   ~(uintptr_t)(PAGE_SIZE - 1));
	u8 *end = (u8 *)(((uintptr_t)base + to) & ~(uintptr_t)(PAGE_SIZE - 1));

	if (start >= end) {
		memset((u8 *)base + from, 0, to - from);
		return;
	}
	memset((u8 *)base + from, 0, (size_t)(start - ((u8 *)base + from)));
	memset(end, 0, (size_t)((u8 *)base + to - end));
	madvise(start, (size_t)(end - start), MADV_DONTNEED);
}

/* What the pages of a range were is forgotten, and costs no host memory any more. */
void vm_forget_range(struct vm *vm, u32 first, u32 nr)
{
	u32 pfn;

	arena_clear(vm->pages, first * sizeof(struct page),
		    (first + (size_t)nr) * sizeof(struct page));
	arena_clear(vm->stamps, first * sizeof(u32),
		    (first + (size_t)nr) * sizeof(u32));
	arena_clear(vm->free_map, first / 8, (first + (size_t)nr + 7) / 8);
	arena_clear(vm->free_counted, first / 8, (first + (size_t)nr + 7) / 8);
	memset(&vm->pageblock[first >> PAGEBLOCK_ORDER], 0, nr >> PAGEBLOCK_ORDER);
	for (pfn = first; pfn < first + nr; pfn++) {
		vm->nr_resident -= bit_test(vm->resident, pfn);
		bit_clear(vm->resident, pfn);
	}
	madvise(vm->frames + (size_t)first * PAGE_SIZE, (size_t)nr * PAGE_SIZE,
		MADV_DONTNEED);
}

/* Every piece of memory that the zone has. */
static void drop_all(struct vm *vm, struct zone *z)
{
	u32 s, n, e;

	for (e = 0; e < ARRAY_SIZE(z->edge); e++)
		if (z->edge[e].end > z->edge[e].first)
			vm_forget_range(vm, z->edge[e].first,
					z->edge[e].end - z->edge[e].first);
	for (s = z->start >> SECTION_SHIFT; s <= z->end >> SECTION_SHIFT; s += n + 1) {
		for (n = 0; vm->sect_zid[s + n] == z->zid; n++)
			vm->sect_zid[s + n] = NO_ZONE;
		if (n)
			vm_forget_range(vm, s << SECTION_SHIFT, n << SECTION_SHIFT);
	}
}

/*
 * vm_zone_unplug - a zone's memory goes
 *
 * The per-CPU lists must have been drained. Return: 0, -ENODEV, or -EBUSY
 * while the gate is open, a managed page is neither in the buddy lists nor poisoned,
 * or a block is isolated.
 */
int vm_zone_unplug(struct vm *vm, u32 zid)
{
	struct zone *z;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	if ((z->open && z->present) ||
	    z->item[NR_FREE] + z->item[NR_HWPOISON] != z->managed)
		return -EBUSY;
	drop_all(vm, z);
	free(z->pcp);
	free(z->rings);
	free(z->untouched);
	memset(z, 0, sizeof(*z));
	return 0;
}

int vm_zone_marks(struct vm *vm, u32 zid, u32 min, u32 low, u32 high)
{
	struct zone *z;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	if (min > low || low > high)
		return -EINVAL;
	z = &vm->zones[zid];
	z->pages_min = min;
	z->pages_low = low;
	z->pages_high = high;
	return 0;
}

/* Rings for lists of so many pages. Pages are taken off rings that were too small. */
static int pcp_rings(struct vm *vm, struct zone *z, u32 pages)
{
	u32 size = PCP_RING_MIN, i;
	u32 *rings;

	while (size <= pages)
		size *= 2;
	if (size > PCP_RING_MAX)
		return -EINVAL;
	if (z->rings && z->pcp[0].mask + 1 >= size)
		return 0;
	rings = calloc((size_t)vm->nr_cpus * 2 * size, sizeof(*rings));
	if (!rings)
		return -ENOMEM;
	vm_drain_pcp(vm, z->zid);
	free(z->rings);
	z->rings = rings;
	for (i = 0; i < vm->nr_cpus * 2; i++) {
		z->pcp[i].ring = rings + (size_t)i * size;
		z->pcp[i].mask = size - 1;
		z->pcp[i].head = 0;
	}
	return 0;
}

/* Sizes of the per-CPU lists; pages that are on them stay until they move. */
int vm_zone_pcp(struct vm *vm, u32 zid, u32 hot_low, u32 hot_high, u32 cold_low,
		u32 cold_high, u32 batch)
{
	struct zone *z;
	u32 cpu, most;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	most = max_t(u32, max_t(u32, hot_low, hot_high),
		     max_t(u32, cold_low, cold_high));
	if (!batch || batch > PCP_RING_MAX || most > PCP_RING_MAX)
		return -EINVAL;
	if (pcp_rings(vm, z, most + batch))
		return most + batch < PCP_RING_MAX ? -ENOMEM : -EINVAL;
	for (cpu = 0; cpu < vm->nr_cpus; cpu++) {
		struct pcp *hot = &z->pcp[cpu * 2 + PCP_HOT];
		struct pcp *cold = &z->pcp[cpu * 2 + PCP_COLD];

		hot->low = hot_low;
		hot->high = hot_high;
		cold->low = cold_low;
		cold->high = cold_high;
		hot->batch = cold->batch = batch;
	}
	return 0;
}

int vm_zone_gate(struct vm *vm, u32 zid, u32 open)
{
	if (!zone_ok(vm, zid))
		return -ENODEV;
	vm->zones[zid].open = open != 0;
	if (open)
		vm_freemap_end(vm, &vm->zones[zid]);
	else
		vm_freemap_begin(vm, &vm->zones[zid]);
	return 0;
}

void vm_zone_unreclaimable(struct vm *vm, u32 zid, u32 value)
{
	if (zone_ok(vm, zid))
		vm->zones[zid].all_unreclaimable = value;
}
