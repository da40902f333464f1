/*
 * pageblock.c - what runs of 512 pages are used for, and the boost of watermarks
 *
 * A run is movable until a page of the kernel is allocated in it, and again when
 * all of it is free. Allocation does not look at it; what it costs to mix pages is
 * shown, and makes a zone's marks higher for a while, as in Linux.
 *
 * Models: mm/page_alloc.c steal_suitable_fallback(), boost_watermark(),
 * mm/vmstat.c pagetypeinfo_show(), Linux 6.1.
 */
#include <errno.h>
#include <string.h>

#include "vm_int.h"

#define RUN (1u << PAGEBLOCK_ORDER)

void vm_set_knobs(struct vm *vm, const struct vm_knobs *knobs)
{
	u32 i, j;

	if (knobs->numa_off && !vm->knobs.numa_off)
		for (i = 0; i < vm->nr_zones; i++)
			for (j = 0; j < NUMA_PGALLOC; j++)
				vm->zones[i].numa[j] = 0;
	vm->knobs = *knobs;
}

/* Requests that found a CPU's own node low and went elsewhere. */
uint32_t vm_local_misses(struct vm *vm, uint32_t nid)
{
	u32 nr = nid < vm->nr_nodes ? vm->local_misses[nid] : 0;

	if (nr)
		vm->local_misses[nid] = 0;
	return nr;
}

static bool has_users(struct vm *vm, u32 first)
{
	u32 pfn;

	for (pfn = first; pfn < first + RUN && pfn < vm->max_pfn; pfn++)
		if (page_type(&vm->pages[pfn]) == VM_T_USER)
			return true;
	return false;
}

/* Reclaim is to free what the mix may cost: a run, as far as the factor allows. */
static void boost(struct vm *vm, struct zone *z)
{
	u64 high = z->pages_high - z->boost, most;

	if (!vm->knobs.boost_factor || z->managed < 4 * RUN)
		return;
	most = high * vm->knobs.boost_factor / 10000;
	if (!most)
		return;
	most = max_t(u64, most, RUN);
	z->boost = (u32)min_t(u64, z->boost + RUN, most);
	vm->wakeups |= 1ull << (z->nid & 63);
}

/* The kernel has a page in the run. */
void vm_pageblock_claim(struct vm *vm, struct zone *z, u32 pfn, u32 kind)
{
	u8 *pb = &vm->pageblock[pfn >> PAGEBLOCK_ORDER];

	if (*pb)
		return;
	*pb = 1 + (kind == VM_K_RADIX || kind == VM_K_SHMEMDIR ? VM_PB_RECLAIMABLE :
								 VM_PB_UNMOVABLE);
	if (has_users(vm, pfn & ~(RUN - 1)))
		boost(vm, z);
}

uint32_t vm_zone_boost(struct vm *vm, uint32_t zid)
{
	return zone_ok(vm, zid) ? vm->zones[zid].boost : 0;
}

void vm_zone_boost_end(struct vm *vm, uint32_t zid)
{
	if (zone_ok(vm, zid))
		vm->zones[zid].boost = 0;
}

static u32 type_of(const struct vm *vm, u32 pfn)
{
	u8 pb = vm->pageblock[pfn >> PAGEBLOCK_ORDER];

	if (page_isolated(vm, pfn))
		return VM_PB_ISOLATE;
	return pb ? pb - 1u : VM_PB_MOVABLE;
}

/*
 * vm_pageblocks - runs of a zone by type
 * @out: VM_NR_PB counts
 *
 * Return: 0 or -ENODEV.
 */
int vm_pageblocks(struct vm *vm, uint32_t zid, uint32_t *out)
{
	struct zone *z;
	u32 pfn;

	memset(out, 0, VM_NR_PB * sizeof(*out));
	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	vm_freemap_settle(vm, z);
	for (pfn = vm_zone_next(vm, z, z->start); pfn != NONE;
	     pfn = vm_zone_next(vm, z, (pfn | (RUN - 1)) + 1))
		out[type_of(vm, pfn)]++;
	return 0;
}

/* Blocks of a zone that has a map instead of lists. */
static void count_mapped(struct vm *vm, const struct zone *z, u32 *out)
{
	u32 pfn = z->start, order, nr;

	for (nr = 0; nr < VM_FREE_MOST; nr++) {
		order = vm_freemap_next(vm, z, &pfn);
		if (order == NONE)
			break;
		out[type_of(vm, pfn) * VM_MAX_ORDER + order]++;
		pfn += 1u << order;
	}
}

static void count_list(struct vm *vm, const struct free_area *area, u32 order, u32 *out)
{
	u32 pfn, nr = 0;

	for (pfn = area->head; pfn != NONE && nr < VM_FREE_MOST;
	     pfn = vm->pages[pfn].pos) {
		out[type_of(vm, pfn) * VM_MAX_ORDER + order]++;
		nr++;
	}
}

/*
 * vm_free_by_type - free blocks of a zone by type and order
 * @out: VM_NR_PB rows of VM_MAX_ORDER counts; of each list VM_FREE_MOST blocks
 *       are looked at
 *
 * Return: 0 or -ENODEV.
 */
int vm_free_by_type(struct vm *vm, uint32_t zid, uint32_t *out)
{
	struct zone *z;
	u32 order;

	memset(out, 0, VM_NR_PB * VM_MAX_ORDER * sizeof(*out));
	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	vm_freemap_settle(vm, z);
	for (order = 0; order < VM_MAX_ORDER; order++) {
		count_list(vm, &z->area[order], order, out);
		count_list(vm, &z->iso[order], order, out);
	}
	count_mapped(vm, z, out);
	out[VM_PB_MOVABLE * VM_MAX_ORDER + VM_MAX_ORDER - 1] += z->virgin;
	return 0;
}
