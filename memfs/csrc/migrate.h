/*
 * migrate.h - what everything that moves pages shares
 *
 * vm_move_blocked() says why a page cannot move now and changes nothing;
 * vm_move_page() moves it and cannot fail. Between the two nobody else runs.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include "lru_ring.h"

/* What copying the bytes of a page takes, as pages of the budget (about 1 us). */
#define COPY_COST 16u

/*
 * Why a page of a user cannot move now. @held: references that are the caller's
 * own, 1 for a page on hold.
 */
static inline enum vm_reason vm_move_blocked(const struct page *p, u32 held)
{
	const u32 busy = TYPE_MASK | PG_LOCKED | PG_WRITEBACK | EXTRA_MASK;

	if ((p->flags & busy) == (VM_T_USER | held << EXTRA_SHIFT))
		return WHY_NONE;
	switch (page_type(p)) {
	case VM_T_USER:
		break;
	case VM_T_KERNEL:
		return WHY_KERNEL;
	case VM_T_HWPOISON:
		return WHY_HWPOISON;
	default:
		return WHY_HELD;
	}
	if (p->flags & PG_LOCKED)
		return WHY_LOCKED;
	return p->flags & PG_WRITEBACK ? WHY_WRITEBACK : WHY_PINNED;
}

static inline void vm_move_item(struct zone *from, struct zone *to, u32 item, u32 nr)
{
	from->item[item] -= nr;
	to->item[item] += nr;
}

/* What the zones count of nr pages with these flags, but for the lists. */
static inline void vm_move_counts(struct zone *from, struct zone *to, u32 flags, u32 nr)
{
	const u32 cached = nr * ((flags & PG_CACHED) != 0);
	const u32 anon = nr * ((flags & PG_ANON) != 0);
	const u32 backed = flags & PG_SWAPBACKED ? NONE : 0;
	const u32 mapped = nr * ((flags & RMAP_MASK) != RMAP_NONE);

	vm_move_item(from, to, NR_FILE, cached);
	vm_move_item(from, to, NR_SHMEM, cached & backed);
	vm_move_item(from, to, NR_ANON, anon);
	vm_move_item(from, to, NR_SWAPCACHE, nr * ((flags & PG_SWAPCACHE) != 0));
	vm_move_item(from, to, anon ? NR_ANON_MAPPED : NR_MAPPED, mapped);
	vm_move_item(from, to, NR_DIRTY, flags & PG_DIRTY ? cached & ~backed : 0);
	vm_move_item(from, to, NR_BUFFERS, nr * ((flags & PG_PRIVATE) != 0));
	vm_move_item(from, to, NR_MLOCKED, nr * ((flags & PG_MLOCKED) != 0));
	vm_move_item(from, to, NR_CLIENT, nr * ((flags & PG_CLIENTMAPPED) != 0));
}

/*
 * Everything that is known of a page is known of @new from now on: contents,
 * flags, place in the index with its tags, page tables. The new page is on no list
 * yet; the old one is nobody's, but keeps its flags for the caller to undo.
 * Return: whether bytes were copied.
 */
static inline bool vm_move_page(struct vm *vm, struct zone *from, struct zone *to,
				u32 old, u32 new)
{
	struct page *p = &vm->pages[old], *n = &vm->pages[new];
	const u32 own = PG_ISOLATED | PG_LRU | EXTRA_MASK;
	const u32 flags = p->flags;

	vm_move_counts(from, to, flags, 1);
	*n = (struct page){ flags & ~own, 0, p->rmap, p->index };
	if (flags & PG_CACHED)
		*vm_slot(vm, p->index) = new + 1;
	else if (flags & PG_SWAPCACHE)
		vm->swap.cache[p->index] = new + 1;
	if (flags & RMAP_CHAIN)
		vm_rmap_move(vm, n, new);
	else if (flags & RMAP_SINGLE)
		vm->ptes[p->rmap] = (vm->ptes[p->rmap] & ~PTE_PFN) | new;
	if (!(flags & PG_ANON))
		return vm_frame_move(vm, old, new);
	vm->stamps[new] = vm->stamps[old];
	return false;
}

#endif
