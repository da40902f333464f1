/*
 * zone.h - a zone: LRU rings, per-CPU lists, free blocks, counters
 */
#ifndef CORE_ZONE_H
#define CORE_ZONE_H

#include "page.h"

/* ---- LRU rings ---- */
#define SEG_SHIFT 10
#define SEG_SIZE (1u << SEG_SHIFT)

struct seg {
	u32 next;   /* towards the head */
	u32 prev;   /* towards the tail */
	u32 lo, hi; /* used places: lo <= place < hi */
	u32 live;
	u32 first;	    /* place of slot[0] as pages know it: segment << 10 */
	u32 slot[SEG_SIZE]; /* pfn or NONE, a tombstone */
};

struct lru {
	u32 head, tail; /* segments */
	u32 nr;
};

enum { LRU_INACTIVE = 0, LRU_ACTIVE = 1 };

/* ---- per-CPU lists ---- */
#define PCP_RING_MIN 1024u
#define PCP_RING_MAX 65536u
#define MAX_CPUS ((u32)VM_MAX_CPUS)
#define PAGEVEC 16u

struct pcp {
	u32 count, low, high, batch;
	u32 head; /* ring place of the newest */
	u32 mask; /* places of the ring, a power of two, less one */
	u32 *ring;
};

enum { PCP_HOT = 0, PCP_COLD = 1 };

/* The n-th page that the list gives out from now on; n < count. */
static inline u32 pcp_peek(const struct pcp *pcp, u32 n)
{
	return pcp->ring[(pcp->head - n) & pcp->mask];
}

struct pagevec {
	u32 nr;
	u32 pfn[PAGEVEC];
};

/* ---- zones ---- */
#define SECTION_SHIFT 11
#define SECTION (1u << SECTION_SHIFT)
#define NO_ZONE 0xffffu

/* Pages, from first to the one before end. */
struct range {
	u32 first, end;
};

/* Free blocks of the highest order that were never taken, nr from pfn on. */
struct virgin {
	u32 pfn, nr;
};

struct free_area {
	u32 head;
	u32 nr;
};

struct zone {
	u32 populated, open;
	u32 mapped;    /* what is free is in vm->free_map and on no list */
	u32 unsettled; /* pages came back that area[].nr does not have yet */
	u32 nid, type, zid;
	u32 start, end; /* of all its pages; others may lie between */
	u32 spanned, present, managed;
	u32 pages_min, pages_low, pages_high;
	u32 boost; /* pages, since a page of the kernel got among those of users */
	u32 all_unreclaimable;
	u64 pages_scanned;
	struct range edge[2];	  /* pieces of sections that the zone's edges cut */
	struct range reserved;	  /* present, but not managed */
	struct virgin *untouched; /* in the order of their pfns */
	u32 nr_untouched, max_untouched;
	u32 virgin; /* blocks in all of them */
	struct free_area area[VM_MAX_ORDER];
	struct free_area iso[VM_MAX_ORDER]; /* in isolated blocks */
	struct lru lru[2];
	u32 item[NR_ZONE_ITEMS];
	u64 numa[NR_NUMA_ITEMS];
	struct pcp *pcp; /* [cpu * 2 + PCP_HOT or PCP_COLD] */
	u32 *rings;	 /* of all of them */
};

#define ZONELIST_MAX 256u
struct zonelist {
	u32 nr;
	u32 zid[ZONELIST_MAX];
	u32 reserve[ZONELIST_MAX]; /* pages that the zone keeps from this class */
};

#endif
