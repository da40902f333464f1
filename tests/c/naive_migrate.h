/*
 * naive_migrate.h - a zone is emptied as the kernel would: lists, descents, one page
 * at a time
 *
 * What it is: the plain version of migrate.c, over the linked lists of naive_lru.h.
 * A page's slot is found by a walk from the root of its file's index, every PTE by
 * asking for the n-th; counters are undone and done again. What it is not: another
 * allocator, another tree.
 */
#ifndef NAIVE_MIGRATE_H
#define NAIVE_MIGRATE_H

#include "naive_lru.h"

struct naive_mig {
	struct vm *vm;
	struct vm_migrate *mig;
	struct naive_lru *lru; /* [zid] */
};

enum naive_move { NAIVE_MOVED, NAIVE_GONE, NAIVE_REFUSED, NAIVE_NOWHERE };

/* ---- why not ---- */

static inline bool naive_wanted(struct vm *vm, const struct page *p)
{
	if (page_mapped(p) || p->flags & (PG_CACHED | PG_LOCKED | PG_WRITEBACK))
		return true;
	return p->flags & PG_SWAPCACHE && vm->swap.map[p->index] > 0;
}

static inline u32 naive_blocked(const struct page *p, u32 held)
{
	if (p->flags & PG_LOCKED)
		return WHY_LOCKED;
	if (p->flags & PG_WRITEBACK)
		return WHY_WRITEBACK;
	return page_extra(p) > held ? WHY_PINNED : WHY_NONE;
}

static inline u32 naive_write_first(struct naive_mig *nm, u32 pfn, u32 held)
{
	struct page *p = &nm->vm->pages[pfn];
	u32 pte;

	for (u32 n = 0; (pte = vm_rmap_pte(nm->vm, p, n)) != NONE; n++)
		if (nm->vm->ptes[pte] & PTE_DIRTY) {
			nm->vm->ptes[pte] &= ~PTE_DIRTY;
			vm_set_dirty(nm->vm, pfn);
		}
	if (!(p->flags & PG_DIRTY))
		return WHY_NONE;
	if (p->flags & PG_ERROR && (held || nm->mig->flags & VM_MIG_NOWAIT))
		return WHY_IO_ERROR;
	if (vm_writepage(nm->vm, pfn, false))
		return WHY_CONGESTED;
	nm->mig->written++;
	return WHY_WRITEBACK;
}

/* ---- the move ---- */

/* The slot of a file's page, down from the root. */
static inline u32 *naive_slot(struct vm *vm, struct mapping *m, u32 index)
{
	u32 node = m->root - 1;

	for (u32 level = m->height - 1; level; level--)
		node = vm->rnodes[node]
			       .slot[index >> level * RN_SHIFT & (RN_SLOTS - 1)] -
		       1;
	return &vm->rnodes[node].slot[index & (RN_SLOTS - 1)];
}

static inline void naive_count_page(struct zone *z, const struct page *p, u32 one)
{
	bool anon = p->flags & PG_ANON, cached = p->flags & PG_CACHED;

	if (cached)
		z->item[NR_FILE] += one;
	if (cached && p->flags & PG_SWAPBACKED)
		z->item[NR_SHMEM] += one;
	if (cached && !(p->flags & PG_SWAPBACKED) && p->flags & PG_DIRTY)
		z->item[NR_DIRTY] += one;
	if (anon)
		z->item[NR_ANON] += one;
	if (page_mapped(p))
		z->item[anon ? NR_ANON_MAPPED : NR_MAPPED] += one;
	if (p->flags & PG_SWAPCACHE)
		z->item[NR_SWAPCACHE] += one;
	if (p->flags & PG_PRIVATE)
		z->item[NR_BUFFERS] += one;
	if (p->flags & PG_MLOCKED)
		z->item[NR_MLOCKED] += one;
	if (p->flags & PG_CLIENTMAPPED)
		z->item[NR_CLIENT] += one;
}

static inline void naive_unmap(struct naive_mig *nm, u32 pfn)
{
	struct vm *vm = nm->vm;
	struct page *p = &vm->pages[pfn];
	u32 n = 0, pte;

	while (page_cached(p) && (pte = vm_rmap_pte(vm, p, n)) != NONE) {
		const struct vma *v = &vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma];

		if (v->flags & VM_VMA_LOCKED) {
			n++;
		} else if (p->flags & PG_SWAPCACHE) {
			vm->swap.map[p->index]++;
			vm->mms[v->mm].swap++;
			vm_pte_clear(vm, pte, PTE_SWAP | p->index);
			nm->mig->unmapped++;
		} else {
			vm_pte_clear(vm, pte, PTE_NONE);
			nm->mig->unmapped++;
		}
	}
}

static inline void naive_copy(struct vm *vm, u32 old, u32 new)
{
	struct page *p = &vm->pages[old], *n = &vm->pages[new];
	u32 pte;

	naive_count_page(page_zone(vm, old), p, (u32)-1);
	n->flags = p->flags & ~(u32)(PG_LRU | PG_ISOLATED | EXTRA_MASK);
	n->rmap = p->rmap;
	n->index = p->index;
	if (p->flags & PG_ANON)
		vm->stamps[new] = vm->stamps[old];
	else
		vm_frame_move(vm, old, new);
	if (p->flags & PG_CACHED)
		*naive_slot(vm, vm_handle_mapping(vm, p->index),
			    vm_handle_index(vm, p->index)) = new + 1;
	if (p->flags & PG_SWAPCACHE)
		vm->swap.cache[p->index] = new + 1;
	for (u32 i = 0; (pte = vm_rmap_pte(vm, p, i)) != NONE; i++)
		vm->ptes[pte] = (vm->ptes[pte] & ~PTE_PFN) | new;
	naive_count_page(page_zone(vm, new), n, 1);
}

/* A page that is on no list any more. */
static inline enum naive_move naive_try(struct naive_mig *nm, u32 old, u32 held,
					u32 *why)
{
	struct vm *vm = nm->vm;
	struct page *p = &vm->pages[old];
	struct zonelist zl = { .nr = nm->mig->nr_targets };
	u32 active = (p->flags & PG_ACTIVE) != 0, new;
	bool slot;

	*why = naive_blocked(p, held);
	if (*why)
		return NAIVE_REFUSED;
	if (!naive_wanted(vm, p))
		return NAIVE_GONE;
	if (nm->mig->flags & VM_MIG_WRITEOUT &&
	    (p->flags & (PG_CACHED | PG_SWAPBACKED)) == PG_CACHED)
		*why = naive_write_first(nm, old, held);
	slot = nm->mig->flags & VM_MIG_SWAPSLOT && p->flags & PG_ANON &&
	       !(p->flags & PG_SWAPCACHE);
	if (!*why && slot && vm->swap.used >= vm->swap.nr - 1)
		*why = WHY_NO_SWAP;
	if (!*why && !(p->flags & PG_ANON) && !vm_frame_at_hand(vm, old))
		*why = WHY_IO_ERROR;
	if (*why)
		return NAIVE_REFUSED;
	memcpy(zl.zid, nm->mig->target, zl.nr * sizeof(u32));
	new = vm_alloc_zonelist(vm, &zl, 0, 0);
	if (new == NONE)
		return NAIVE_NOWHERE;
	if (slot) {
		vm_swap_cache_add(vm, old, vm_swap_alloc(vm));
		p->flags |= PG_DIRTY | PG_UPTODATE;
		nm->mig->slots++;
	}
	if (nm->mig->flags & VM_MIG_LAZY)
		naive_unmap(nm, old);
	naive_copy(vm, old, new);
	vm->pages[new].flags |= active ? PG_LRU | PG_ACTIVE : PG_LRU;
	naive_count(page_zone(vm, new), &vm->pages[new], active, 1);
	naive_add_head(&nm->lru[page_zone(vm, new)->zid],
		       &nm->lru[page_zone(vm, new)->zid].list[active], new);
	nm->mig->moved++;
	vm->event[EV_PGMIGRATE_SUCCESS]++;
	return NAIVE_MOVED;
}

/* Its users have gone while it was held. */
static inline void naive_drop(struct naive_mig *nm, u32 pfn)
{
	struct page *p = &nm->vm->pages[pfn];

	p->flags &= ~(u32)(PG_LRU | PG_ACTIVE);
	if (p->flags & PG_SWAPCACHE)
		vm_swap_cache_del(nm->vm, pfn);
	vm_put_page(nm->vm, pfn, true);
	nm->mig->gone++;
}

/* ---- the passes ---- */

static inline void naive_fail(struct naive_mig *nm, u32 why)
{
	nm->mig->failed++;
	nm->mig->reason[why]++;
	nm->vm->event[EV_PGMIGRATE_FAIL]++;
}

static inline void naive_hold(struct naive_mig *nm, struct zone *z, u32 pfn, u32 why)
{
	struct page *p = &nm->vm->pages[pfn];
	struct vm_migrate *mig = nm->mig;

	naive_count(z, p, (p->flags & PG_ACTIVE) != 0, (u32)-1);
	naive_count_held(z, p, 1);
	p->flags = ((p->flags & ~(u32)PG_LRU) | PG_ISOLATED) + EXTRA_ONE;
	mig->hold[mig->nr_hold] = pfn;
	mig->hold_why[mig->nr_hold++] = (u8)why;
}

static inline void naive_unhold(struct naive_mig *nm, struct zone *z, u32 pfn)
{
	struct page *p = &nm->vm->pages[pfn];

	p->flags = (p->flags & ~(u32)PG_ISOLATED) - EXTRA_ONE;
	naive_count_held(z, p, (u32)-1);
}

static inline u32 naive_left(struct naive_mig *nm, u32 active)
{
	u32 nr = nm->lru[nm->mig->zid].list[active].nr;

	if (nm->mig->flags & VM_MIG_NOWAIT)
		return min_t(u32, nr, nm->mig->left[active]);
	return nr;
}

/* All of vm_migrate() in one go; with NOWAIT all that vm_migrate_sweep() counted. */
static inline int naive_migrate(struct naive_mig *nm)
{
	struct vm_migrate *mig = nm->mig;
	struct zone *z = &nm->vm->zones[mig->zid];
	struct naive_lru *lru = &nm->lru[mig->zid];

	while (mig->nr_hold < ARRAY_SIZE(mig->hold)) {
		u32 active = naive_left(nm, LRU_INACTIVE) ? LRU_INACTIVE : LRU_ACTIVE;
		u32 why = WHY_NONE, pfn;

		if (!naive_left(nm, active))
			return VM_DONE;
		pfn = naive_pop(lru, &lru->list[active]);
		switch (naive_try(nm, pfn, 0, &why)) {
		case NAIVE_MOVED:
			naive_count(z, &nm->vm->pages[pfn], active, (u32)-1);
			vm_free_page(nm->vm, pfn, true);
			break;
		case NAIVE_GONE:
			naive_count(z, &nm->vm->pages[pfn], active, (u32)-1);
			naive_drop(nm, pfn);
			break;
		case NAIVE_NOWHERE:
			naive_add_tail(lru, &lru->list[active], pfn);
			return VM_NOMEM;
		case NAIVE_REFUSED:
			if (mig->flags & VM_MIG_NOWAIT) {
				naive_add_head(lru, &lru->list[active], pfn);
				naive_fail(nm, why);
			} else {
				naive_hold(nm, z, pfn, why);
			}
		}
		mig->attempted++;
		mig->left[active] -= mig->left[active] != 0;
	}
	return VM_DONE;
}

static inline int naive_retry(struct naive_mig *nm)
{
	struct vm_migrate *mig = nm->mig;
	struct zone *z = &nm->vm->zones[mig->zid];
	u32 kept = 0;
	bool nowhere = false;

	for (u32 i = 0; i < mig->nr_hold; i++) {
		enum naive_move out = NAIVE_NOWHERE;
		u32 pfn = mig->hold[i], why = mig->hold_why[i];

		if (!nowhere)
			out = naive_try(nm, pfn, 1, &why);
		if (out == NAIVE_NOWHERE)
			why = WHY_NO_TARGET;
		nowhere |= out == NAIVE_NOWHERE;
		if (out == NAIVE_MOVED || out == NAIVE_GONE)
			naive_unhold(nm, z, pfn);
		if (out == NAIVE_MOVED) {
			vm_free_page(nm->vm, pfn, true);
		} else if (out == NAIVE_GONE) {
			naive_drop(nm, pfn);
		} else {
			mig->hold[kept] = pfn;
			mig->hold_why[kept++] = (u8)why;
		}
	}
	mig->nr_hold = kept;
	return nowhere ? VM_NOMEM : kept ? VM_WAIT : VM_DONE;
}

static inline void naive_putback_held(struct naive_mig *nm)
{
	struct vm_migrate *mig = nm->mig;
	struct zone *z = &nm->vm->zones[mig->zid];
	struct naive_lru *lru = &nm->lru[mig->zid];

	for (u32 i = 0; i < mig->nr_hold; i++) {
		struct page *p = &nm->vm->pages[mig->hold[i]];
		u32 active = (p->flags & PG_ACTIVE) != 0;

		naive_unhold(nm, z, mig->hold[i]);
		if (!page_extra(p) && !naive_wanted(nm->vm, p)) {
			naive_drop(nm, mig->hold[i]);
			continue;
		}
		p->flags |= PG_LRU;
		naive_count(z, p, active, 1);
		naive_add_head(lru, &lru->list[active], mig->hold[i]);
		naive_fail(nm, mig->hold_why[i]);
	}
	mig->nr_hold = 0;
}

#endif
