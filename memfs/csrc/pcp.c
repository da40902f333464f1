/*
 * pcp.c - the allocator in front of the buddy lists
 *
 * Per-CPU lists, zonelists and watermarks. Never waits: what cannot be had
 * above the minimum marks is VM_NO_PFN with vm->need saying what was wanted.
 *
 * Models: mm/page_alloc.c __alloc_pages(), buffered_rmqueue(),
 * free_hot_cold_page(), drain_local_pages(), 2.6.0.
 */
#include <errno.h>

#include "pcp.h"

#define REFILL 64u /* pages that come from the buddy lists together */

static void pcp_push_tail(struct vm *vm, struct pcp *pcp, u32 pfn, u32 which)
{
	u32 place = (pcp->head - pcp->count) & pcp->mask;

	pcp->ring[place] = pfn;
	pcp->count++;
	vm->pages[pfn] = (struct page){ .flags = VM_T_PCP, .pos = which << 16 | place };
}

static u32 pcp_pop_tail(struct pcp *pcp)
{
	u32 place = (pcp->head + 1 - pcp->count) & pcp->mask;

	pcp->count--;
	return pcp->ring[place];
}

/* The oldest pages go back. */
static void free_bulk(struct vm *vm, struct zone *z, struct pcp *pcp, u32 nr)
{
	nr = min_t(u32, nr, pcp->count);
	zone_hopeful(z);
	z->item[NR_PCP] -= nr;
	while (nr--)
		vm_buddy_free(vm, z, pcp_pop_tail(pcp), 0);
}

/* A block is taken from its end downwards: what comes next is most likely below. */
static void prefetch_below(struct vm *vm, u32 pfn, u32 nr)
{
	u32 i;

	if (!vm->conf.prefetch || pfn < nr)
		return;
	for (i = pfn - nr; i < pfn; i += 64 / sizeof(struct page))
		prefetchw(&vm->pages[i]);
	prefetchw(&vm->stamps[pfn - nr]);
}

/* The list gets a batch of pages from the buddy lists. */
void vm_pcp_refill(struct vm *vm, struct zone *z, struct pcp *pcp, u32 which)
{
	u32 pfn[REFILL], left = pcp->batch, nr, i;

	do {
		nr = vm_rmqueue_many(vm, z, pfn, min_t(u32, left, REFILL));
		for (i = 0; i < nr; i++)
			pcp_push_tail(vm, pcp, pfn[i], which);
		z->item[NR_PCP] += nr;
		left -= nr;
	} while (left && nr);
	if (nr)
		prefetch_below(vm, pfn[nr - 1], pcp->batch);
}

static u32 buffered_rmqueue(struct vm *vm, struct zone *z, u32 order, u32 flags)
{
	u32 which = pcp_which(vm, flags & VM_ALLOC_COLD);
	struct pcp *pcp = &z->pcp[which];

	if (order)
		return vm_rmqueue(vm, z, order);
	if (pcp->count <= pcp->low)
		vm_pcp_refill(vm, z, pcp, which);
	if (!pcp->count)
		return vm_rmqueue(vm, z, 0);
	z->item[NR_PCP]--;
	return pcp_pop_head(pcp);
}

enum mark { MARK_LOW, MARK_MIN, MARK_NONE };

/* One pass down the zonelist; with CUMULATIVE_MIN the marks add up. */
static u32 alloc_pass(struct vm *vm, const struct zonelist *zl, u32 order, u32 flags,
		      enum mark mark)
{
	u32 min = 1u << order;
	u32 i, pfn;

	for (i = 0; i < zl->nr; i++) {
		struct zone *z = &vm->zones[zl->zid[i]];
		u32 local = mark == MARK_LOW ? z->pages_low :
			    mark == MARK_MIN ? z->pages_min :
					       0;

		if (!(vm->rules & VM_RULE_CUMULATIVE_MIN))
			min = 1u << order;
		min += local + zl->reserve[i];
		if (mark != MARK_NONE && z->item[NR_FREE] < min &&
		    !(flags & VM_ALLOC_NOWAIT && z->item[NR_FREE] >= z->pages_high)) {
			if (mark == MARK_LOW && vm->knobs.reclaim_local &&
			    z->nid == vm->cpu_node[vm->cpu])
				vm->local_misses[z->nid]++;
			continue;
		}
		pfn = buffered_rmqueue(vm, z, order, flags);
		if (pfn == NONE)
			continue;
		zone_statistics(vm, zl, z, 1, 1u << order);
		return pfn;
	}
	return NONE;
}

static void wake_kswapds(struct vm *vm, const struct zonelist *zl)
{
	u32 i;

	for (i = 0; i < zl->nr; i++) {
		struct zone *z = &vm->zones[zl->zid[i]];

		if (z->item[NR_FREE] <= z->pages_low)
			vm->wakeups |= 1ull << (z->nid & 63);
	}
}

/* Steps 1 to 6 of __alloc_pages(); the waiting rest is the caller's. */
u32 vm_alloc_zonelist(struct vm *vm, const struct zonelist *zl, u32 order, u32 flags)
{
	u32 pfn = alloc_pass(vm, zl, order, flags, MARK_LOW);

	if (pfn != NONE)
		return pfn;
	wake_kswapds(vm, zl);
	pfn = alloc_pass(vm, zl, order, flags, MARK_MIN);
	if (pfn == NONE && flags & VM_ALLOC_MEMALLOC)
		pfn = alloc_pass(vm, zl, order, flags, MARK_NONE);
	return pfn;
}

u32 vm_alloc_page(struct vm *vm, u32 cls, u32 order, u32 flags)
{
	u32 nid = vm->cpu_node[vm->cpu];
	const struct zonelist *zl = &vm->zonelists[nid * VM_NR_CLASSES + cls];
	u32 pfn = vm_alloc_zonelist(vm, zl, order, flags);

	if (pfn == NONE) {
		vm->need.cls = cls;
		vm->need.order = order;
	}
	return pfn;
}

u32 vm_alloc_user(struct vm *vm, u32 flags)
{
	u32 pfn = vm_alloc_page(vm, VM_CLASS_HOTREMOVABLE, 0, flags);

	if (pfn != NONE)
		vm->pages[pfn] = (struct page){ .flags = VM_T_USER };
	return pfn;
}

static u32 kind_item(u32 kind)
{
	static const u32 item[VM_NR_KERNEL_KINDS] = {
		NR_KERNEL_OTHER,
		NR_RADIX,
		NR_SHMEMDIR,
		NR_PAGETABLE,
	};

	return item[kind];
}

static void make_kernel(struct vm *vm, u32 pfn, u32 order, u32 kind, u32 owner)
{
	struct zone *z = page_zone(vm, pfn);
	u32 i;

	for (i = 0; i < 1u << order; i++)
		vm->pages[pfn + i] = (struct page){ .flags = VM_T_KERNEL,
						    .rmap = kind,
						    .index = owner };
	z->item[kind_item(kind)] += 1u << order;
	vm_pageblock_claim(vm, z, pfn, kind);
}

u32 vm_alloc_kernel(struct vm *vm, u32 kind, u32 owner)
{
	u32 pfn = vm_alloc_page(vm, VM_CLASS_NORMAL, 0, 0);

	if (pfn != NONE)
		make_kernel(vm, pfn, 0, kind, owner);
	return pfn;
}

void vm_free_kernel(struct vm *vm, u32 pfn)
{
	page_zone(vm, pfn)->item[kind_item(vm->pages[pfn].rmap)]--;
	vm_free_page(vm, pfn, false);
}

/* Nothing refers to the page any more. */
void vm_free_page(struct vm *vm, u32 pfn, bool cold)
{
	vm_free_page_in(vm, page_zone(vm, pfn), pfn, cold);
}

/* The same, by one who knows the page's zone. */
void vm_free_page_in(struct vm *vm, struct zone *z, u32 pfn, bool cold)
{
	const u32 which = pcp_which(vm, cold);
	struct pcp *pcp = &z->pcp[which];

	if (pcp_takes_turns(vm, pcp)) {
		free_in_turn(vm, z, pcp, pfn, which);
		return;
	}
	forget_contents(vm, pfn);
	vm->event[EV_PGFREE]++;
	if (page_isolated(vm, pfn)) {
		/* Not where the next one who asks would get it from. */
		vm_buddy_free(vm, z, pfn, 0);
		return;
	}
	if (pcp->count >= pcp->high)
		free_bulk(vm, z, pcp, pcp->batch);
	z->item[NR_PCP]++;
	pcp_push_head(vm, pcp, pfn, which);
}

/*
 * vm_alloc - kernel memory by the block
 * @cls:   enum vm_class
 * @order: log2 pages, < VM_MAX_ORDER
 * @flags: enum vm_alloc_flags
 * @kind:  enum vm_kernel_kind
 *
 * Return: first pfn, or VM_NO_PFN.
 */
uint32_t vm_alloc(struct vm *vm, uint32_t cls, uint32_t order, uint32_t flags,
		  uint32_t kind)
{
	u32 pfn;

	if (cls >= VM_NR_CLASSES || order >= VM_MAX_ORDER || kind >= VM_NR_KERNEL_KINDS)
		return VM_NO_PFN;
	pfn = vm_alloc_page(vm, cls, order, flags);
	if (pfn != NONE)
		make_kernel(vm, pfn, order, kind, 0);
	return pfn;
}

/* A kernel page of this zone, wherever it ought to lie; for a fault. */
uint32_t vm_alloc_in(struct vm *vm, uint32_t zid, uint32_t kind)
{
	const struct zonelist zl = { .nr = 1, .zid = { zid } };
	u32 pfn;

	if (!zone_ok(vm, zid) || kind >= VM_NR_KERNEL_KINDS)
		return VM_NO_PFN;
	pfn = vm_alloc_zonelist(vm, &zl, 0, VM_ALLOC_MEMALLOC);
	if (pfn != NONE)
		make_kernel(vm, pfn, 0, kind, 0);
	return pfn;
}

static bool is_kernel_block(struct vm *vm, u32 pfn, u32 order)
{
	u32 i;

	if (order >= VM_MAX_ORDER || pfn >= vm->max_pfn ||
	    pfn + (1u << order) > vm->max_pfn || pfn & ((1u << order) - 1))
		return false;
	for (i = 0; i < 1u << order; i++)
		if (page_type(&vm->pages[pfn + i]) != VM_T_KERNEL)
			return false;
	return true;
}

int vm_free(struct vm *vm, uint32_t pfn, uint32_t order)
{
	struct zone *z;
	u32 i;

	if (!is_kernel_block(vm, pfn, order))
		return -EINVAL;
	z = page_zone(vm, pfn);
	z->item[kind_item(vm->pages[pfn].rmap)] -= (1u << order) - (order == 0);
	if (order == 0) {
		vm_free_kernel(vm, pfn);
		return 0;
	}
	for (i = 0; i < 1u << order; i++) {
		vm->pages[pfn + i] = (struct page){ 0 };
		vm->stamps[pfn + i] = POISON;
	}
	zone_hopeful(z);
	vm_buddy_free(vm, z, pfn, order);
	vm->event[EV_PGFREE] += 1u << order;
	return 0;
}

/* Every CPU's lists of the zone go back to the buddy lists. */
void vm_drain_pcp(struct vm *vm, uint32_t zid)
{
	struct zone *z;
	u32 i;

	if (!zone_ok(vm, zid))
		return;
	z = &vm->zones[zid];
	for (i = 0; i < vm->nr_cpus * 2; i++)
		if (z->pcp[i].count)
			free_bulk(vm, z, &z->pcp[i], z->pcp[i].count);
}
