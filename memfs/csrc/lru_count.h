/*
 * lru_count.h - what a zone counts of a page by the list that it is on
 *
 * Pages that are locked in memory stay on the two lists and are counted there; that
 * they are locked is counted beside it, by list and kind, so that they can be told
 * apart: later kernels have a list of their own for them.
 */
#ifndef LRU_COUNT_H
#define LRU_COUNT_H

#include "vm_int.h"

/* Where a page that is locked in memory is counted, of a list and kind. */
static inline u32 mlocked_item(u32 flags, u32 active)
{
	if (flags & PG_SWAPBACKED)
		return active ? NR_ACTIVE_ANON_MLOCKED : NR_INACTIVE_ANON_MLOCKED;
	return active ? NR_ACTIVE_FILE_MLOCKED : NR_INACTIVE_FILE_MLOCKED;
}

/* A page comes to a list (one is 1) or leaves it (-1). */
static inline void count_on(struct zone *z, const struct page *p, u32 active, u32 one)
{
	const u32 flags = p->flags;

	z->item[active ? NR_ACTIVE : NR_INACTIVE] += one;
	z->item[active ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] +=
		flags & PG_SWAPBACKED ? one : 0;
	if (flags & PG_MLOCKED)
		z->item[mlocked_item(flags, active)] += one;
}

/*
 * Whether the kernel that is modelled has the page on its list of those that cannot be
 * reclaimed, and so on no other.
 */
static inline bool unevictable(const struct vm *vm, u32 flags)
{
	const u32 apart = PG_MLOCKED | PG_LRU;

	return vm->rules & VM_RULE_UNEVICTABLE_LRU && (flags & apart) == apart;
}

/* A page is held, on no list, or is not any more. */
static inline void count_isolated(struct zone *z, const struct page *p, u32 one)
{
	z->item[NR_ISOLATED] += one;
	if (p->flags & PG_SWAPBACKED)
		z->item[NR_ISOLATED_ANON] += one;
}

#endif
