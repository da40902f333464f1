/*
 * machine.h - the machine, and what finds its parts
 */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "device.h"
#include "index.h"
#include "task.h"
#include "zone.h"

struct arena { /* a sparse array of the host's memory */
	void *mem;
	size_t bytes;
};

struct vm {
	struct vm_config conf;
	u32 max_pfn, nr_zones, nr_nodes, nr_cpus;
	u32 cpu, batch, rules, closed_rules;
	u64 now, horizon, completions, wakeups, touch_ns;
	struct vm_need need;
	u64 event[NR_EVENTS];

	struct page *pages;
	u32 *stamps;
	u8 *frames;
	u64 *resident, *spilled;
	u64 nr_resident, nr_spilled, nr_dropped, nr_returned, host_limit;
	u32 host_hand, trim_hand;
	u64 nr_idle; /* resident frames that were freed, at most */
	int spill_fd;

	u16 *sect_zid; /* per section; NO_ZONE: none, or cut by a zone's edge */
	u8 *pageblock; /* per 512 pages: 0 movable, else what it is, plus 1 */
	struct vm_knobs knobs;
	u32 *local_misses; /* by node, while they are counted */
	u64 *free_map;	   /* a bit a page: of zones that are mapped, freemap.h */
	u64 *free_counted; /* of them, those that the zones' counts have */
	u64 *isolated;	   /* a bit a section: nothing is allocated from it */
	u32 nr_isolated;
	struct zone *zones;
	struct zonelist *zonelists; /* [nid * VM_NR_CLASSES + class] */
	u32 cpu_node[MAX_CPUS];
	u32 *distance;
	struct pagevec pv[MAX_CPUS][2];

	struct seg *segs;
	u32 max_segs, nr_segs, free_seg;

	struct rnode *rnodes;
	struct slab *slabs;
	u32 max_slabs, nr_slabs, free_slab;
	u32 partial[VM_NR_KERNEL_KINDS];
	struct node_pool pool[VM_NR_KERNEL_KINDS];

	struct mapping *mappings;
	u32 max_mappings, nr_mappings, free_mapping;

	struct ptb *ptbs;
	u32 *ptes;
	u32 max_ptbs, nr_ptbs, free_ptb;
	struct vma *vmas;
	u32 max_vmas, nr_vmas;
	struct mm *mms;
	u32 max_mms, nr_mms;
	struct chain *chains;
	u32 max_chains, nr_chains, free_chain, used_chains;

	struct huge *huges;
	u32 max_huges, nr_huges, free_huge;
	struct huge_area *huge_areas;
	u32 max_huge_areas, nr_huge_areas;
	u32 huge_reserved[VM_MAX_ORDER]; /* by order: what areas were promised */

	struct pin *pins;
	u32 max_pins, nr_pins, free_pin;
	u32 pin_hash[PIN_HASH]; /* pin + 1 */

	u32 faults[VM_NR_FAULTS]; /* how often each is to happen still */

	struct swap_area swap;
	struct dev dev[VM_NR_DEVS];
	struct req *reqs;
	u32 max_reqs, nr_reqs, free_req;

	/* Pages to be asked back: one each until they are taken. */
	struct vm_revoke *revoke;
	u32 nr_revoke, nr_revoking;

	/* Twins of pages, and of which page each is, plus one: twin.c. */
	u8 *twins;
	u32 *twin_pfn;

	u64 lane_ops;
	u32 readahead;

	struct arena arenas[48];
	u32 nr_arenas;
};

struct zone *vm_zone_slow(struct vm *vm, u32 pfn); /* range.c */

static inline struct zone *page_zone(struct vm *vm, u32 pfn)
{
	u16 zid = vm->sect_zid[pfn >> SECTION_SHIFT];

	return zid == NO_ZONE ? vm_zone_slow(vm, pfn) : &vm->zones[zid];
}

static inline bool zone_ok(struct vm *vm, u32 zid)
{
	return zid < vm->nr_zones && vm->zones[zid].populated;
}

static inline u32 *vm_slot(struct vm *vm, u32 handle)
{
	return &vm->rnodes[handle >> RN_SHIFT].slot[handle & (RN_SLOTS - 1)];
}

static inline u32 vm_handle_index(struct vm *vm, u32 handle)
{
	return vm->rnodes[handle >> RN_SHIFT].base << RN_SHIFT |
	       (handle & (RN_SLOTS - 1));
}

static inline struct mapping *vm_handle_mapping(struct vm *vm, u32 handle)
{
	return &vm->mappings[vm->rnodes[handle >> RN_SHIFT].mapping];
}

/* Nothing is allocated from the page's block. */
static inline bool page_isolated(const struct vm *vm, u32 pfn)
{
	return vm->nr_isolated && bit_test(vm->isolated, pfn >> SECTION_SHIFT);
}

#define PAGEBLOCK_ORDER 9u

/* A free block this large has nothing of what its pages were used for. */
static inline void pageblock_forget(struct vm *vm, u32 pfn, u32 order)
{
	u32 i, pb = pfn >> PAGEBLOCK_ORDER;

	if (order < PAGEBLOCK_ORDER)
		return;
	for (i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
		vm->pageblock[pb + i] = 0;
}

#endif
