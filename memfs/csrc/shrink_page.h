/*
 * shrink_page.h - what reclaim decides about one page: shrink_list()'s table
 *
 * A header, because the scan asks it of every page. The page is on no ring while
 * it is looked at; what becomes of it there is the scan's.
 *
 * Models: mm/vmscan.c shrink_list(), 2.6.0, with the changes of the November 2003
 * prototype for zones behind a closed gate.
 */
#ifndef SHRINK_PAGE_H
#define SHRINK_PAGE_H

#include "vm_int.h"

enum verdict { KEEP, ACTIVATE, FREED, AGAIN };

/* Was it used since last looked at? As vm_page_referenced(), most pages inline. */
static inline u32 referenced(struct vm *vm, struct page *p, u32 pfn)
{
	u32 nr = (p->flags & (PG_REFERENCED | PG_CLIENTYOUNG)) != 0;

	if (p->flags & RMAP_CHAIN)
		return vm_page_referenced(vm, pfn);
	p->flags &= ~(PG_REFERENCED | PG_CLIENTYOUNG);
	if (p->flags & RMAP_SINGLE) {
		nr += (vm->ptes[p->rmap] & PTE_ACCESSED) != 0;
		vm->ptes[p->rmap] &= ~PTE_ACCESSED;
	}
	return nr;
}

/* The same for a mapped page; a rule of closed gates has it forgotten instead. */
static inline u32 mapped_referenced(struct vm *vm, const struct zone *z, struct page *p,
				    u32 pfn, u32 rule)
{
	u32 nr = referenced(vm, p, pfn);

	return !z->open && vm->closed_rules & rule ? 0 : nr;
}

/* By a task's PTE, or, for what the model knows, by a real process. */
#define MAPPED (RMAP_MASK | PG_CLIENTMAPPED)

static bool mapping_inuse(struct vm *vm, const struct page *p)
{
	if (p->flags & (MAPPED | PG_SWAPCACHE))
		return true;
	return p->flags & PG_CACHED && vm_handle_mapping(vm, p->index)->nr_vmas;
}

static enum verdict verdict(struct vm_reclaim *rc, enum vm_reason why, enum verdict v)
{
	rc->reason[why]++;
	return v;
}

/* Step 5: an anonymous page gets a place in swap. */
static bool add_to_swap(struct vm *vm, u32 pfn)
{
	u32 slot = vm_swap_alloc(vm);

	if (slot == NONE)
		return false;
	vm_swap_cache_add(vm, pfn, slot);
	vm->pages[pfn].flags |= PG_DIRTY | PG_UPTODATE;
	return true;
}

static bool is_tmpfs(const struct page *p)
{
	return p->flags & PG_CACHED && p->flags & PG_SWAPBACKED;
}

static enum verdict write_tmpfs(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	switch (vm_shm_to_swap(vm, pfn)) {
	case -EOPNOTSUPP:
		return verdict(rc, WHY_NO_WRITEPAGE, ACTIVATE);
	case -ENOSPC:
		return verdict(rc, WHY_NO_SWAP, ACTIVATE);
	}
	return verdict(rc, WHY_DIRTY, KEEP);
}

/* Step 7: start to write a dirty page, if it may be written now. */
static enum verdict pageout(struct vm *vm, struct vm_reclaim *rc, u32 pfn,
			    u32 referenced)
{
	struct page *p = &vm->pages[pfn];
	u32 dev = p->flags & PG_SWAPCACHE ? VM_DEV_SWAP : VM_DEV_DISK;

	if (referenced)
		return verdict(rc, WHY_REFERENCED, KEEP);
	if (page_extra(p) || !page_cached(p))
		return verdict(rc, WHY_PINNED, KEEP);
	if (!rc->may_fs && !(p->flags & PG_SWAPCACHE && rc->may_io))
		return verdict(rc, WHY_DIRTY, KEEP);
	if (is_tmpfs(p))
		return write_tmpfs(vm, rc, pfn);
	if (vm->dev[dev].congested && !rc->kswapd)
		return verdict(rc, WHY_CONGESTED, KEEP);
	if (vm_wait_room(vm, dev, true) || vm_writepage(vm, pfn, true))
		return AGAIN;
	rc->written++;
	return verdict(rc, WHY_WRITEBACK, KEEP);
}

/* Steps 8 to 11: nobody uses the page, its contents are safe. */
static enum verdict free_one(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (page_extra(p))
		return verdict(rc, WHY_PINNED, KEEP);
	if (p->flags & PG_SWAPCACHE)
		vm_swap_cache_del(vm, pfn);
	else if (p->flags & PG_CACHED)
		vm_cache_remove(vm, pfn);
	return FREED;
}

static enum verdict unmap(struct vm *vm, struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (!page_cached(p) && !add_to_swap(vm, pfn))
		return verdict(rc, WHY_NO_SWAP, ACTIVATE);
	switch (vm_try_to_unmap(vm, pfn)) {
	case UNMAP_MLOCKED:
		return verdict(rc, WHY_MLOCKED, ACTIVATE);
	case UNMAP_FAIL:
		return verdict(rc, WHY_REFERENCED, ACTIVATE);
	}
	return FREED;
}

/* The decision table of shrink_list(); AGAIN: the device's queue is full. */
static inline enum verdict shrink_page(struct vm *vm, struct zone *z,
				       struct vm_reclaim *rc, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	const u32 flags = p->flags;
	u32 used;
	enum verdict v;

	if (flags & PG_LOCKED)
		return verdict(rc, WHY_LOCKED, KEEP);
	rc->nr_mapped += (flags & (RMAP_MASK | PG_SWAPCACHE)) != 0;
	if (flags & PG_WRITEBACK)
		return verdict(rc, WHY_WRITEBACK, KEEP);
	if (flags & MAPPED)
		used = mapped_referenced(vm, z, p, pfn, VM_RULE_SHRINK_UNREF);
	else
		used = referenced(vm, p, pfn);
	if (used && mapping_inuse(vm, p))
		return verdict(rc, WHY_REFERENCED, ACTIVATE);
	if (flags & RMAP_MASK) {
		v = unmap(vm, rc, pfn);
		if (v != FREED)
			return v;
	}
	if (flags & PG_CLIENTMAPPED) {
		vm_client_ask(vm, pfn);
		if (!rc->last_resort)
			return verdict(rc, WHY_REVOKING, KEEP);
	}
	if (p->flags & PG_DIRTY)
		return pageout(vm, rc, pfn, used);
	return free_one(vm, rc, pfn);
}

#endif
