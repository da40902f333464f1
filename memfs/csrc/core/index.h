/*
 * index.h - the page-cache index: 64 slots a node, with tags
 */
#ifndef CORE_INDEX_H
#define CORE_INDEX_H

#include "base.h"

#define RN_SHIFT 6
#define RN_SLOTS 64u
#define RN_PER_SLAB 14u
#define SLOT_SWAP 0x80000000u /* the rest is a swap slot */

struct rnode {
	u32 slot[RN_SLOTS]; /* 0, pfn + 1, SLOT_SWAP | slot; inner: node + 1 */
	u64 dirty, wb;
	u32 parent; /* node << 6 | slot, or NONE */
	u32 mapping;
	u32 base; /* index of its first page >> 6 (leaves); inner: of its first leaf */
	u16 count;
	u8 height; /* 0: leaf */
	u8 kind;   /* enum vm_kernel_kind */
};

/* A page of 14 index nodes. */
struct slab {
	u32 pfn;
	u32 next, prev; /* list of slabs with room */
	u16 used;	/* bit mask of nodes in use */
	u8 kind;
	u8 live;
};

struct node_pool {
	u32 nr;
	u32 id[2 * 6]; /* a root of height 1 that grows to 6 needs 10 */
};

struct mapping {
	u32 used, kind;
	u32 root;	     /* node + 1, or 0 */
	u32 height;	     /* of the root */
	u32 leaf, leaf_base; /* the leaf used last, or NONE */
	u32 nrpages, nr_dirty, nr_writeback, nr_locked, nr_swapped, nr_vmas, nr_nodes;
	u32 error;
	u32 fallback; /* its pages have PG_FALLBACK */
	u32 grant;    /* pages that the short way may make dirty still */
	int fd;
	u64 size; /* bytes */
};

#endif
