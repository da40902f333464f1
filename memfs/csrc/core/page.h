/*
 * page.h - what a frame is, 16 bytes
 */
#ifndef CORE_PAGE_H
#define CORE_PAGE_H

#include "base.h"

/*
 * flags: type 0-3, PG_* 4-23, extra references (or a block's order) 24-27,
 * rmap kind 28-29, of a client-mapped page PG_* 30-31.
 */
struct page {
	u32 flags;
	u32 pos;   /* LRU: segment << 10 | place; buddy: next; pcp, pagevec: place */
	u32 rmap;  /* PTE handle or chain; buddy: prev; kernel: kind */
	u32 index; /* page cache: node << 6 | slot; swap cache: slot; kernel: owner */
};

_Static_assert(sizeof(struct page) == 16, "a page is 16 bytes");

#define TYPE_MASK 15u
#define EXTRA_SHIFT 24
#define EXTRA_ONE (1u << EXTRA_SHIFT)
#define EXTRA_MASK (15u << EXTRA_SHIFT)
#define RMAP_SHIFT 28
#define RMAP_MASK (3u << RMAP_SHIFT)
#define RMAP_NONE 0u
#define RMAP_SINGLE (1u << RMAP_SHIFT)
#define RMAP_CHAIN (2u << RMAP_SHIFT)

static inline u32 page_type(const struct page *p)
{
	return p->flags & TYPE_MASK;
}

static inline u32 page_extra(const struct page *p)
{
	return (p->flags & EXTRA_MASK) >> EXTRA_SHIFT;
}

static inline bool page_mapped(const struct page *p)
{
	return (p->flags & RMAP_MASK) != RMAP_NONE;
}

/* In a tree or in the swap cache: what 2.6 calls page->mapping != NULL. */
#define PG_CACHED (1u << 23)

/* Of a page with PG_CLIENTMAPPED: revoke.c. */
#define PG_CLIENTYOUNG (1u << 30) /* read for a fault since it was last looked at */
#define PG_REVOKING (1u << 31)	  /* asked back, not come back */

/* More than the pages of the writes that are on their way at once (chosen here). */
#define NR_TWINS 2048u

static inline bool page_cached(const struct page *p)
{
	return (p->flags & (PG_CACHED | PG_SWAPCACHE)) != 0;
}

#endif
