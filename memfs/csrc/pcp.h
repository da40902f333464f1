/*
 * pcp.h - a page goes to its per-CPU list, or comes from it
 *
 * Models: mm/page_alloc.c free_hot_cold_page(), buffered_rmqueue(), 2.6.0.
 */
#ifndef PCP_H
#define PCP_H

#include "vm_int.h"

void vm_pcp_refill(struct vm *vm, struct zone *z, struct pcp *pcp, u32 which);

/* The list of this CPU that a page comes from or goes to. */
static inline u32 pcp_which(const struct vm *vm, bool cold)
{
	return vm->cpu * 2 +
	       (cold && !(vm->rules & VM_RULE_ONE_PCP) ? PCP_COLD : PCP_HOT);
}

static inline void pcp_push_head(struct vm *vm, struct pcp *pcp, u32 pfn, u32 which)
{
	pcp->head = (pcp->head + 1) & pcp->mask;
	pcp->ring[pcp->head] = pfn;
	pcp->count++;
	vm->pages[pfn] =
		(struct page){ .flags = VM_T_PCP, .pos = which << 16 | pcp->head };
}

static inline u32 pcp_pop_head(struct pcp *pcp)
{
	u32 pfn = pcp->ring[pcp->head];

	pcp->head = (pcp->head - 1) & pcp->mask;
	pcp->count--;
	return pfn;
}

/* numastat: on the node that was wanted, or missed there and foreign here. */
static inline void zone_statistics(struct vm *vm, const struct zonelist *zl,
				   struct zone *z, u32 nr, u32 pages)
{
	struct zone *wanted = &vm->zones[zl->zid[0]];

	z->numa[NUMA_PGALLOC] += pages;
	vm->event[EV_PGALLOC] += pages;
	if (vm->knobs.numa_off)
		return;
	if (z->nid == wanted->nid) {
		z->numa[NUMA_HIT] += nr;
	} else {
		z->numa[NUMA_MISS] += nr;
		wanted->numa[NUMA_FOREIGN] += nr;
	}
	if (z->nid == vm->cpu_node[vm->cpu])
		z->numa[NUMA_LOCAL] += nr;
	else
		z->numa[NUMA_OTHER] += nr;
}

/* A page came back: reclaim is worth another try. */
static inline void zone_hopeful(struct zone *z)
{
	z->all_unreclaimable = 0;
	z->pages_scanned = 0;
}

/* What the page held is poisoned; nobody else's contents are a stamp. */
static inline void forget_contents(struct vm *vm, u32 pfn)
{
	if (vm->pages[pfn].flags & PG_ANON)
		vm->stamps[pfn] = POISON;
	frame_freed(vm, pfn);
}

/* Behind a closed gate no page is kept but the last. */
static inline bool pcp_takes_turns(const struct vm *vm, const struct pcp *pcp)
{
	return !pcp->high && pcp->count == 1 && !vm->nr_isolated;
}

/* A page that nothing refers to sends the one before to the buddy lists. */
static inline void free_in_turn(struct vm *vm, struct zone *z, struct pcp *pcp, u32 pfn,
				u32 which)
{
	const u32 before = pcp->ring[pcp->head];

	forget_contents(vm, pfn);
	vm->event[EV_PGFREE]++;
	zone_hopeful(z);
	pcp->count = 0;
	pcp_push_head(vm, pcp, pfn, which);
	vm_buddy_free(vm, z, before, 0);
}

#endif
