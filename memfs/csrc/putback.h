/*
 * putback.h - what both scans do with a page on its way from one list to another
 */
#ifndef PUTBACK_H
#define PUTBACK_H

#include "lru_count.h"
#include "lru_walk.h"

/*
 * What the decision about a page, or its end, looks at. Of an unmapped page that is in
 * no file's index this is the address of something else, which does no harm; to ask
 * would cost more, for who lies beside whom on a list cannot be foreseen.
 */
static __always_inline void prefetch_behind(struct vm *vm, const struct page *p)
{
	const void *leaf = &vm->rnodes[p->index >> RN_SHIFT].dirty;

	prefetchw(p->flags & RMAP_SINGLE ? (void *)&vm->ptes[p->rmap] : leaf);
}

/* Nor does that of a tombstone. */
static __always_inline void prefetch_ahead(struct vm *vm, struct page *pages,
					   const struct ahead *a, u32 i)
{
	const u32 near = a->near[i];

	prefetchw(&pages[a->far[i]]);
	prefetch_behind(vm, &pages[near == NONE ? 0 : near]);
}

/*
 * A page that was taken is on no ring, but until its end is known its flags and
 * the counters still have it on the list that it came from.
 */
static inline bool in_use(const struct page *p)
{
	return p->flags & (PG_CACHED | PG_SWAPCACHE | RMAP_MASK | EXTRA_MASK);
}

/* From one list to one; a page that nobody uses any more is freed. */
static inline void putback(struct vm *vm, struct zone *z, u32 pfn, u32 from, u32 to)
{
	struct page *p = &vm->pages[pfn];

	if (!in_use(p)) {
		count_on(z, p, from, (u32)-1);
		p->flags &= ~(u32)(PG_LRU | PG_ACTIVE);
		vm_put_page(vm, pfn, true);
		return;
	}
	if (from != to) {
		count_on(z, p, from, (u32)-1);
		count_on(z, p, to, 1);
		p->flags ^= PG_ACTIVE;
	}
	ring_push(vm, &z->lru[to], pfn);
}

#endif
