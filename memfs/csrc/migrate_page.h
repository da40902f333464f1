/*
 * migrate_page.h - one page that is to move: whether it may, and what goes before
 *
 * A header, because the passes ask it of every page. The 2004 ways stand here:
 * dirty file pages are written first, anonymous pages take a swap slot, page tables
 * are left to the faults. The first is today's, too, of files that have no way of
 * their own to move. So do the points at which a page can be made to refuse.
 *
 * Models: mm/memhotplug.c remap_onepage() of the hot removal prototype, 2.6.7.
 */
#ifndef MIGRATE_PAGE_H
#define MIGRATE_PAGE_H

#include "migrate.h"
#include "migrate_run.h"

/* ---- faults that were asked for ---- */

static bool goes_wrong(const struct run *r, enum vm_fault fault)
{
	u32 *left = &r->vm->faults[fault];

	if (!*left)
		return false;
	--*left;
	return true;
}

/* ---- the ways of 2004 ---- */

/* The dirty bits of page tables become the page's. */
static void gather_dirty(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u32 n, pte;

	for (n = 0; (pte = vm_rmap_pte(vm, p, n)) != NONE; n++) {
		if (!(vm->ptes[pte] & PTE_DIRTY))
			continue;
		vm->ptes[pte] &= ~PTE_DIRTY;
		vm_set_dirty(vm, pfn);
	}
}

/*
 * A dirty file page is written; it can move when it has been. If that failed it stays
 * until somebody else's write-out succeeds.
 */
static enum vm_reason write_out(const struct run *r, u32 pfn, u32 held)
{
	struct vm *vm = r->vm;

	gather_dirty(vm, pfn);
	if (!(vm->pages[pfn].flags & PG_DIRTY))
		return WHY_NONE;
	if (vm->pages[pfn].flags & PG_ERROR && (held || r->mig->flags & VM_MIG_NOWAIT))
		return WHY_IO_ERROR;
	if (goes_wrong(r, FAULT_WRITEPAGE) || vm_writepage(vm, pfn, false))
		return WHY_CONGESTED;
	r->mig->written++;
	return WHY_WRITEBACK;
}

static void take_slot(const struct run *r, u32 pfn)
{
	struct vm *vm = r->vm;

	vm_swap_cache_add(vm, pfn, vm_swap_alloc(vm));
	vm->pages[pfn].flags |= PG_DIRTY | PG_UPTODATE;
	r->mig->slots++;
}

static bool pte_locked(struct vm *vm, u32 pte)
{
	return vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma].flags & VM_VMA_LOCKED;
}

static void leave_to_fault(struct vm *vm, u32 pfn, u32 pte)
{
	const struct page *p = &vm->pages[pfn];
	u32 value = PTE_NONE;

	if (p->flags & PG_SWAPCACHE) {
		vm->swap.map[p->index]++;
		vm->mms[vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma].mm].swap++;
		value = PTE_SWAP | p->index;
	}
	vm_pte_clear(vm, pte, value);
}

/*
 * Every page table forgets the page, but those of areas locked in memory, which
 * 2004 filled in again. A page that a fault could not find keeps them all.
 */
static void unmap_lazily(const struct run *r, u32 pfn)
{
	struct vm *vm = r->vm;
	const struct page *p = &vm->pages[pfn];
	u32 n = 0, pte;

	while (page_cached(p) && (pte = vm_rmap_pte(vm, p, n)) != NONE) {
		if (pte_locked(vm, pte)) {
			n++;
			continue;
		}
		leave_to_fault(vm, pfn, pte);
		r->mig->unmapped++;
	}
}

/* ---- one page ---- */

enum outcome { MOVED, GONE, REFUSED, NO_TARGET };

static enum outcome refuse(enum vm_reason *why, enum vm_reason reason)
{
	*why = reason;
	return REFUSED;
}

/* A real process has it mapped: it is asked for, once. */
static enum vm_reason ask_back(const struct run *r, u32 pfn)
{
	if (r->mig->flags & VM_MIG_FORCE)
		return WHY_NONE;
	if (r->mig->flags & VM_MIG_NOWAIT)
		return WHY_MAPPED;
	vm_client_ask(r->vm, pfn);
	return WHY_REVOKING;
}

static bool at_hand(struct vm *vm, u32 pfn)
{
	return vm->pages[pfn].flags & PG_ANON || vm_frame_at_hand(vm, pfn);
}

/* Every reason that the page itself does not tell; some of them begin something. */
static enum vm_reason prepare(const struct run *r, u32 pfn, u32 held)
{
	const struct page *p = &r->vm->pages[pfn];
	enum vm_reason why;

	if (p->flags & PG_CLIENTMAPPED) {
		why = ask_back(r, pfn);
		if (why)
			return why;
	}
	if (writes_first(r, p)) {
		why = write_out(r, pfn, held);
		if (why)
			return why;
	}
	if (needs_slot(r, p) && (goes_wrong(r, FAULT_SLOT) || swap_full(r->vm)))
		return WHY_NO_SWAP;
	if (goes_wrong(r, FAULT_BYTES) || !at_hand(r->vm, pfn))
		return WHY_IO_ERROR;
	return goes_wrong(r, FAULT_REFERENCE) ? WHY_PINNED : WHY_NONE;
}

/*
 * Whether anybody has a use for it. A page that was held when its last user went may
 * be in the swap cache still, for a slot that nobody wants; in transfer, it has to
 * be there until the end.
 */
static bool wanted(const struct vm *vm, const struct page *p)
{
	if (p->flags & PG_SWAPCACHE && !page_mapped(p))
		return vm->swap.map[p->index] || p->flags & (PG_LOCKED | PG_WRITEBACK);
	return page_cached(p) || page_mapped(p);
}

/*
 * Try one page that is on no list. Moved, its place is at the head of the same list
 * of the new zone; the old page still has its flags.
 */
static inline enum outcome try_page(struct run *r, u32 old, u32 held,
				    enum vm_reason *why)
{
	const u32 slow = VM_MIG_WRITEOUT | VM_MIG_SWAPSLOT | VM_MIG_LAZY;
	struct vm *vm = r->vm;
	const struct page *p = &vm->pages[old];
	enum vm_reason reason = vm_move_blocked(p, held);
	struct zone *to;
	u32 new;

	if (reason)
		return refuse(why, reason);
	if (!wanted(vm, p))
		return GONE;
	reason = prepare(r, old, held);
	if (reason)
		return refuse(why, reason);
	if (goes_wrong(r, FAULT_TARGET))
		return NO_TARGET;
	new = vm_alloc_zonelist(vm, &r->targets, 0, 0);
	if (new == NONE)
		return NO_TARGET;
	if (p->flags & PG_FALLBACK)
		vm_release_buffers(vm, old);
	if (r->mig->flags & slow) {
		if (needs_slot(r, p))
			take_slot(r, old);
		if (r->mig->flags & VM_MIG_LAZY)
			unmap_lazily(r, old);
	}
	to = page_zone(vm, new);
	r->copied += vm_move_page(vm, r->zone, to, old, new);
	vm_lru_add(vm, to, new, (p->flags & PG_ACTIVE) != 0);
	return MOVED;
}

#endif
