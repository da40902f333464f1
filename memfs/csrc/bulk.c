/*
 * bulk.c - pages by the dozen, taken from the allocator and given back
 *
 * What is done is what as many calls for a page each would do, to the order of every
 * list; what need not be asked for each page is asked once.
 */
#include "freemap.h"
#include "pcp.h"

/* More than the per-CPU lists take at once (chosen here). */
#define PLENTY 256u

/* The first zone by `more` pages above its low mark, as alloc_pass() finds it, or NULL. */
static struct zone *above_low(struct vm *vm, const struct zonelist *zl, u32 more)
{
	u32 min = 1, i;

	if (vm->knobs.reclaim_local)
		return NULL;
	for (i = 0; i < zl->nr; i++) {
		struct zone *z = &vm->zones[zl->zid[i]];

		if (!(vm->rules & VM_RULE_CUMULATIVE_MIN))
			min = 1;
		min += z->pages_low + zl->reserve[i];
		if (z->item[NR_FREE] >= min + more)
			return z;
	}
	return NULL;
}

/*
 * Whether so many pages of a class can be had without anybody being woken; what the
 * per-CPU lists take beside them has room.
 */
bool vm_plenty(struct vm *vm, u32 cls, u32 nr)
{
	const u32 list = vm->cpu_node[vm->cpu] * VM_NR_CLASSES + cls;

	return above_low(vm, &vm->zonelists[list], nr + PLENTY);
}

/*
 * Pages of a zone's hot list as long as nobody would decide otherwise: up to the
 * next time that it has to be filled up, and the first page after that.
 */
static u32 pop_some(struct vm *vm, struct zone *z, u32 *pfns, u32 nr)
{
	u32 which = pcp_which(vm, false), i;
	struct pcp *pcp = &z->pcp[which];

	if (pcp->count <= pcp->low) {
		vm_pcp_refill(vm, z, pcp, which);
		nr = min_t(u32, 1, pcp->count);
	} else {
		nr = min_t(u32, nr, pcp->count - pcp->low);
	}
	for (i = 0; i < nr; i++)
		pfns[i] = pcp_pop_head(pcp);
	z->item[NR_PCP] -= nr;
	return nr;
}

/*
 * vm_alloc_many - order-0 pages, as many calls of vm_alloc_zonelist() would give them
 * @zone: the zone that all of them are of
 *
 * Return: how many, at most nr; fewer where the next one would be of another zone,
 * 0 if there is none.
 */
u32 vm_alloc_many(struct vm *vm, const struct zonelist *zl, u32 *pfns, u32 nr,
		  struct zone **zone)
{
	u32 done = 0, some = 1;

	*zone = above_low(vm, zl, 0);
	while (*zone && some && done < nr && above_low(vm, zl, 0) == *zone) {
		some = pop_some(vm, *zone, pfns + done, nr - done);
		done += some;
	}
	if (done) {
		zone_statistics(vm, zl, *zone, done, done);
		return done;
	}
	*pfns = vm_alloc_zonelist(vm, zl, 0, 0);
	if (*pfns == NONE)
		return 0;
	*zone = page_zone(vm, *pfns);
	return 1;
}

/* Behind a closed gate the newest page stays on the list, the others go on. */
static void free_closed(struct vm *vm, struct zone *z, const u32 *pfns, u32 nr)
{
	u32 which = pcp_which(vm, true), i;
	struct pcp *pcp = &z->pcp[which];

	zone_hopeful(z);
	if (pcp->count)
		vm_buddy_free(vm, z, pcp->ring[pcp->head], 0);
	z->item[NR_PCP] += !pcp->count;
	if (z->mapped)
		freemap_add(vm, z, pfns, nr - 1);
	for (i = 0; !z->mapped && i + 1 < nr; i++)
		vm_buddy_free(vm, z, pfns[i], 0);
	pcp->head = (pcp->head + nr - 1) & pcp->mask;
	pcp->count = 0;
	pcp_push_head(vm, pcp, pfns[nr - 1], which);
}

/*
 * vm_free_many - cold pages of one zone, as many calls of vm_free_page_in() would
 *
 * What they held has been poisoned.
 */
void vm_free_many(struct vm *vm, struct zone *z, const u32 *pfns, u32 nr)
{
	const struct pcp *pcp = &z->pcp[pcp_which(vm, true)];
	u32 i;

	if (!nr)
		return;
	if (!pcp->high && pcp->count <= 1 && !vm->nr_isolated) {
		vm->event[EV_PGFREE] += nr;
		free_closed(vm, z, pfns, nr);
		return;
	}
	for (i = 0; i < nr; i++)
		vm_free_page_in(vm, z, pfns[i], true);
}
