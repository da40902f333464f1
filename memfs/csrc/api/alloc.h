/*
 * alloc.h - the allocator, page blocks, memory blocks
 */
#ifndef API_ALLOC_H
#define API_ALLOC_H

#include <stdint.h>

/* cdef-begin */
/* Zonelist classes: 2.6's zone bits of a gfp mask. */
enum vm_class {
	VM_CLASS_NORMAL = 0, /* GFP_KERNEL, GFP_USER without highmem */
	VM_CLASS_DMA = 1,
	VM_CLASS_HIGHMEM = 2,
	VM_CLASS_HOTREMOVABLE = 3, /* every page of users and of the page cache */
	VM_NR_CLASSES = 4
};

enum vm_alloc_flags {
	VM_ALLOC_COLD = 1,     /* the cold per-CPU list */
	VM_ALLOC_MEMALLOC = 2, /* PF_MEMALLOC: ignore all marks */
	VM_ALLOC_NOWAIT = 4    /* cannot wait */
};

/* What kernel memory is for. */
enum vm_kernel_kind {
	VM_K_OTHER = 0,
	VM_K_RADIX,    /* slab of page-cache index nodes */
	VM_K_SHMEMDIR, /* slab of tmpfs index nodes */
	VM_K_PAGETABLE,
	VM_NR_KERNEL_KINDS
};

/* What a run of 512 pages is used for. */
enum vm_pageblock {
	VM_PB_UNMOVABLE = 0,
	VM_PB_MOVABLE,
	VM_PB_RECLAIMABLE,
	VM_PB_HIGHATOMIC, /* none is set aside */
	VM_PB_ISOLATE,
	VM_NR_PB
};
#define VM_FREE_MOST 100000 /* free blocks that are counted at most */

/* Settings of the allocator. */
struct vm_knobs {
	uint32_t boost_factor;	/* 1/10000 of the high mark; 0: no boost */
	uint32_t numa_off;	/* numastat is not counted */
	uint32_t reclaim_local; /* misses of a CPU's own node are counted */
};

/* Pages of a range by place; huge: in use or in the pool. */
struct vm_block_stat {
	uint32_t free, pcp, user, huge, poisoned, unmovable, first_unmovable;
};

/* buddy.c, pcp.c: the allocator; pfn, or VM_NO_PFN */
uint32_t vm_alloc(struct vm *vm, uint32_t cls, uint32_t order, uint32_t flags,
		  uint32_t kind);
uint32_t vm_alloc_in(struct vm *vm, uint32_t zid, uint32_t kind);
int vm_free(struct vm *vm, uint32_t pfn, uint32_t order);
void vm_drain_pcp(struct vm *vm, uint32_t zid);
void vm_drain_pagevecs(struct vm *vm);

/* pageblock.c: what runs of 512 pages are used for; what follows from a knob */
void vm_set_knobs(struct vm *vm, const struct vm_knobs *knobs);
uint32_t vm_local_misses(struct vm *vm, uint32_t nid); /* since the last call */
uint32_t vm_zone_boost(struct vm *vm, uint32_t zid);
void vm_zone_boost_end(struct vm *vm, uint32_t zid);
int vm_pageblocks(struct vm *vm, uint32_t zid, uint32_t *out);
int vm_free_by_type(struct vm *vm, uint32_t zid, uint32_t *out);

/* block.c: memory blocks */
int vm_block_isolate(struct vm *vm, uint32_t first, uint32_t nr);
void vm_block_restore(struct vm *vm, uint32_t first, uint32_t nr);
int vm_block_stat(struct vm *vm, uint32_t first, uint32_t nr,
		  struct vm_block_stat *out);
int vm_block_offline(struct vm *vm, uint32_t first, uint32_t nr);
int vm_block_online(struct vm *vm, uint32_t zid, uint32_t first, uint32_t nr);
int vm_zone_bounds(struct vm *vm, uint32_t zid, uint32_t *first, uint32_t *end);
int vm_zone_span(struct vm *vm, uint32_t zid, uint32_t spanned);

/* hwpoison.c: pages that are kept out of use for ever */
int vm_poison(struct vm *vm, uint32_t pfn);
/* cdef-end */

#endif
