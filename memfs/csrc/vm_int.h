/*
 * vm_int.h - the machine as the C core sees it
 *
 * Arrays without pointers: links are 32-bit pfns and indexes, so that a state
 * can be compared and hashed. All-zero memory means "free, never touched":
 * boot touches nothing that is not used.
 *
 *	page	what a frame is, 16 bytes
 *	zone	buddy lists, per-CPU lists, two LRU rings, counters
 *	seg	1024 places of an LRU ring
 *	rnode	64 slots of a page-cache index, with dirty and writeback tags
 *	mapping	an inode's page cache
 *	ptb	a page table of 1024 entries that knows its area
 *	vma, mm	areas and address spaces of modelled tasks
 *	req, dev transfers and the devices that do them
 */
#ifndef VM_INT_H
#define VM_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memfs.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define NONE 0xffffffffu
#define POISON 0x5a5aa5a5u
#define POISON_BYTE 0x5a

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))

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

static inline bool page_cached(const struct page *p)
{
	return (p->flags & (PG_CACHED | PG_SWAPCACHE)) != 0;
}

/* ---- LRU rings ---- */
#define SEG_SHIFT 10
#define SEG_SIZE (1u << SEG_SHIFT)

struct seg {
	u32 next;   /* towards the head */
	u32 prev;   /* towards the tail */
	u32 lo, hi; /* used places: lo <= place < hi */
	u32 live;
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

/* ---- page-cache index ---- */
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
	int fd;
	u64 size; /* bytes */
};

/* ---- tasks ---- */
#define PTE_PRESENT 0x80000000u
#define PTE_ACCESSED 0x40000000u
#define PTE_DIRTY 0x20000000u
#define PTE_WRITE 0x10000000u
#define PTE_PFN 0x0fffffffu
#define PTE_TYPE 0x70000000u /* not present: what the value means */
#define PTE_NONE 0u
#define PTE_SWAP 0x10000000u
#define PTE_ZERO 0x40000000u /* reads of anonymous memory never written */

#define PTB_SHIFT 10
#define PTB_SIZE (1u << PTB_SHIFT)

struct ptb {
	u32 vma;
	u32 base; /* first page of the area that it covers */
	u32 pfn;  /* the kernel page that it occupies */
	u32 live; /* entries that are not PTE_NONE */
};

enum { VMA_FREE = 0, VMA_USED, VMA_DYING };

struct vma {
	u32 used, mm, flags, mapping, pgoff, nr;
	u32 next;   /* of the same mm */
	u32 cursor; /* munmap: pages done */
	u64 vpn;
	u32 nr_ptb;
	u32 *ptb; /* page tables, NONE where there is none */
};

struct mm {
	u32 used, stamp, vmas;
	u32 rss, anon_rss, swap, page_tables, nr_vmas;
	u64 total_vm, minflt, majflt;
};

#define CHAIN_PTES 6u
struct chain {
	u32 next;
	u32 nr; /* head block: PTEs of the whole chain */
	u32 pte[CHAIN_PTES];
};

/* ---- pins ---- */
#define PIN_HASH 4096u

/* A reference of somebody who says who he is. All of a page are one of its extras. */
struct pin {
	u32 pfn; /* NONE: free */
	u32 next;
	u32 holder;
	u64 since; /* ns */
};

/* ---- huge pages ---- */
struct huge {
	u32 pfn, order;
	u32 area, idx; /* who uses it, and where; NONE: nobody */
	u32 next;      /* list of free records */
	u32 state;
};

struct huge_area {
	u32 nr, order, stamp;
	u64 vpn;
	u32 *huge; /* NONE where nothing was touched; NULL: no such area */
};

/* ---- swap ---- */
#define SWAP_CLUSTER 256u
struct swap_area {
	u32 nr; /* slots; slot 0 is never given out */
	u32 used, cached;
	u32 hint, cluster_left;
	u16 *map;   /* references by PTEs and tmpfs slots */
	u32 *cache; /* pfn + 1 of the swap cache page, or 0 */
	u32 *stamp;
	u16 *cluster; /* used slots of each cluster */
	u8 *bytes;
	u8 *has_bytes; /* the slot holds 4 KiB of tmpfs, not a stamp */
	int fd;
};

/* ---- devices ---- */
#define REQ_PAGES 32u
#define REQ_HASH 1024u

#define NO_MAPPING 0xfffffffdu /* a request without pages: its time is all there is */

struct req {
	u32 dev, write, nr, mapping;
	u32 index; /* file index or swap slot of the first page */
	u32 next;
	u64 due;
	u32 error;
	u32 pfn[REQ_PAGES];
};

struct fifo {
	u32 head, tail;
};

struct dev {
	struct vm_dev_conf conf;
	struct vm_dev_stat stat;
	struct fifo queued, started;
	u64 busy_until;
	u64 submitted, ended;  /* requests since boot; they end in order */
	u32 count[2], full[2]; /* [write] */
	u32 congested;
	u32 fault[2];
	u32 last[2];	       /* [write] request + 1 that grew last, or 0 */
	u32 hash[2][REQ_HASH]; /* by end, request + 1: the others */
};

/* ---- the machine ---- */
struct arena { /* a sparse array of the host's memory */
	void *mem;
	size_t bytes;
};

struct vm {
	struct vm_config conf;
	u32 max_pfn, nr_zones, nr_nodes, nr_cpus;
	u32 cpu, batch, rules, closed_rules;
	u64 now, horizon, completions, wakeups, touch_ns;
	struct vm_need need;
	u64 event[NR_EVENTS];

	struct page *pages;
	u32 *stamps;
	u8 *frames;
	u64 *resident, *spilled;
	u64 nr_resident, nr_spilled, nr_dropped, nr_returned, host_limit;
	u32 host_hand, trim_hand;
	u64 nr_idle; /* resident frames that were freed, at most */
	int spill_fd;

	u16 *sect_zid; /* per section; NO_ZONE: none, or cut by a zone's edge */
	u8 *pageblock; /* per 512 pages: 0 movable, else what it is, plus 1 */
	struct vm_knobs knobs;
	u32 *local_misses; /* by node, while they are counted */
	u64 *isolated;	   /* a bit a section: nothing is allocated from it */
	u32 nr_isolated;
	struct zone *zones;
	struct zonelist *zonelists; /* [nid * VM_NR_CLASSES + class] */
	u32 cpu_node[MAX_CPUS];
	u32 *distance;
	struct pagevec pv[MAX_CPUS][2];

	struct seg *segs;
	u32 max_segs, nr_segs, free_seg;

	struct rnode *rnodes;
	struct slab *slabs;
	u32 max_slabs, nr_slabs, free_slab;
	u32 partial[VM_NR_KERNEL_KINDS];
	struct node_pool pool[VM_NR_KERNEL_KINDS];

	struct mapping *mappings;
	u32 max_mappings, nr_mappings, free_mapping;

	struct ptb *ptbs;
	u32 *ptes;
	u32 max_ptbs, nr_ptbs, free_ptb;
	struct vma *vmas;
	u32 max_vmas, nr_vmas;
	struct mm *mms;
	u32 max_mms, nr_mms;
	struct chain *chains;
	u32 max_chains, nr_chains, free_chain, used_chains;

	struct huge *huges;
	u32 max_huges, nr_huges, free_huge;
	struct huge_area *huge_areas;
	u32 max_huge_areas, nr_huge_areas;

	struct pin *pins;
	u32 max_pins, nr_pins, free_pin;
	u32 pin_hash[PIN_HASH]; /* pin + 1 */

	u32 faults[VM_NR_FAULTS]; /* how often each is to happen still */

	struct swap_area swap;
	struct dev dev[VM_NR_DEVS];
	struct req *reqs;
	u32 max_reqs, nr_reqs, free_req;

	/* Pages to be asked back: one each until they are taken. */
	struct vm_revoke *revoke;
	u32 nr_revoke, nr_revoking;

	u64 lane_ops;
	u32 readahead;

	struct arena arenas[48];
	u32 nr_arenas;
};

/* boot.c */
void *vm_arena(struct vm *vm, size_t bytes);
void vm_forget_range(struct vm *vm, u32 first,
		     u32 nr); /* the pages are as they were never touched */

/* pageblock.c */
void vm_pageblock_claim(struct vm *vm, struct zone *z, u32 pfn, u32 kind);

/* range.c */
struct zone *vm_zone_slow(struct vm *vm, u32 pfn);
void vm_range_take(struct vm *vm, struct zone *z, u32 first, u32 end);
void vm_range_drop(struct vm *vm, struct zone *z, u32 first, u32 end);
u32 vm_zone_next(struct vm *vm, const struct zone *z, u32 pfn);
bool vm_range_taken(struct vm *vm, u32 first, u32 end);

static inline struct zone *page_zone(struct vm *vm, u32 pfn)
{
	u16 zid = vm->sect_zid[pfn >> SECTION_SHIFT];

	return zid == NO_ZONE ? vm_zone_slow(vm, pfn) : &vm->zones[zid];
}

static inline bool zone_ok(struct vm *vm, u32 zid)
{
	return zid < vm->nr_zones && vm->zones[zid].populated;
}

/* 2.6's count, derived: cache + buffers + PTEs + extra (page-layout.md). */
u32 vm_mapcount(struct vm *vm, const struct page *p);

/* buddy.c */
void vm_buddy_init(struct zone *z);
int vm_buddy_fill(struct vm *vm, struct zone *z, u32 first,
		  u32 end); /* free pages that were never touched come */
int vm_virgin_add(struct zone *z, u32 pfn, u32 nr);
int vm_virgin_room(struct zone *z);
void vm_virgin_end_range(struct vm *vm, struct zone *z, u32 first, u32 end);
u32 vm_virgin_until(const struct zone *z,
		    u32 pfn); /* where the untouched blocks around it end; pfn: none */
u32 vm_rmqueue(struct vm *vm, struct zone *z, u32 order);
void vm_buddy_free(struct vm *vm, struct zone *z, u32 pfn, u32 order);
u32 vm_area_nr(const struct zone *z, u32 order);
void vm_buddy_take(struct vm *vm, struct zone *z,
		   u32 pfn); /* this page out of the free block that it is in */

/* pcp.c */
u32 vm_alloc_page(struct vm *vm, u32 cls, u32 order,
		  u32 flags); /* type 0 pages; VM_NO_PFN: vm->need is set */
u32 vm_alloc_zonelist(struct vm *vm, const struct zonelist *zl, u32 order,
		      u32 flags); /* the same from given zones; need is not set */
u32 vm_alloc_user(struct vm *vm, u32 flags);		 /* type VM_T_USER */
u32 vm_alloc_kernel(struct vm *vm, u32 kind, u32 owner); /* type VM_T_KERNEL */
void vm_free_kernel(struct vm *vm, u32 pfn);
void vm_free_page(struct vm *vm, u32 pfn, bool cold); /* order 0, nothing left on it */
void vm_free_page_in(struct vm *vm, struct zone *z, u32 pfn, bool cold);

/* lru.c */
void vm_lru_add(struct vm *vm, struct zone *z, u32 pfn, u32 active);
void vm_lru_add_tail(struct vm *vm, struct zone *z, u32 pfn, u32 active);
void vm_lru_del(struct vm *vm, struct zone *z, u32 pfn);
u32 vm_lru_pop(struct vm *vm,
	       struct lru *lru); /* oldest pfn; the page is not touched */
void vm_lru_cache_add(struct vm *vm, u32 pfn, u32 active); /* through the pagevec */
void vm_lru_drain_cpu(struct vm *vm, u32 cpu);
void vm_mark_accessed(struct vm *vm, u32 pfn);
void vm_put_page(struct vm *vm, u32 pfn,
		 bool cold); /* frees it if nothing refers to it */
void vm_rotate_reclaimable(struct vm *vm, u32 pfn);

/* radix.c */
struct page *vm_tree_page(struct vm *vm, struct mapping *m, u32 index,
			  u32 *slot); /* NULL; *slot is the raw value */
int vm_tree_reserve(struct vm *vm, struct mapping *m, u32 index); /* 0 or VM_NOMEM */
u32 vm_tree_insert(struct vm *vm, struct mapping *m, u32 index,
		   u32 value); /* handle; after reserve */
void vm_tree_delete(struct vm *vm, u32 handle);
void vm_tree_tag(struct vm *vm, u32 handle, u32 wb, bool set);
bool vm_tree_next(struct vm *vm, struct mapping *m, u32 *index,
		  u32 *handle); /* next used slot at or after *index */
bool vm_tree_next_dirty(struct vm *vm, struct mapping *m, u32 *index, u32 *handle);

static inline u32 *vm_slot(struct vm *vm, u32 handle)
{
	return &vm->rnodes[handle >> RN_SHIFT].slot[handle & (RN_SLOTS - 1)];
}

static inline u32 vm_handle_index(struct vm *vm, u32 handle)
{
	return vm->rnodes[handle >> RN_SHIFT].base << RN_SHIFT |
	       (handle & (RN_SLOTS - 1));
}

static inline struct mapping *vm_handle_mapping(struct vm *vm, u32 handle)
{
	return &vm->mappings[vm->rnodes[handle >> RN_SHIFT].mapping];
}

/* mapping.c; what only files of the page cache share is in filemap.h */
void vm_cache_remove(struct vm *vm, u32 pfn); /* out of its tree; the page stays */
void vm_set_dirty(struct vm *vm, u32 pfn);
void vm_clear_dirty(struct vm *vm, u32 pfn);

/* filemap.c */
int vm_find_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn);

/* shmem.c */
int vm_shm_to_swap(struct vm *vm, u32 pfn);
int vm_shm_new_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn);

/* revoke.c */
void vm_client_mark(struct vm *vm, u32 pfn, bool young);
void vm_client_clear(struct vm *vm, u32 pfn);
void vm_client_ask(struct vm *vm, u32 pfn); /* the kernel is to give its copy back */

/* rmap.c */
int vm_rmap_add(struct vm *vm, u32 pfn, u32 pte); /* 0 or VM_NOMEM */
void vm_rmap_del(struct vm *vm, u32 pfn, u32 pte);
u32 vm_rmap_pte(struct vm *vm, const struct page *p,
		u32 n); /* n-th PTE handle or NONE */
void vm_mlock_page(struct vm *vm, u32 pfn);
u32 vm_page_referenced(struct vm *vm, u32 pfn);
enum { UNMAP_SUCCESS = 0, UNMAP_FAIL, UNMAP_MLOCKED };
int vm_try_to_unmap(struct vm *vm, u32 pfn);
void vm_pte_clear(struct vm *vm, u32 pte,
		  u32 value); /* a present PTE becomes value; the page stays */
void vm_unmap_file_page(struct vm *vm, u32 pfn); /* truncation: every PTE goes */
void vm_rmap_move(struct vm *vm, const struct page *p,
		  u32 pfn); /* every PTE of the chain leads to pfn */

/* stat.c */
u32 vm_page_kind(const struct page *p);

/* pin.c */
u32 vm_pins_of(const struct vm *vm, u32 pfn,
	       struct vm_pin_info *first); /* how many; first may be NULL */

/* mm.c */
u32 vm_ptb_alloc(struct vm *vm, u32 vma, u32 base);

/* swap.c */
u32 vm_swap_alloc(struct vm *vm);	       /* slot or NONE */
void vm_swap_free(struct vm *vm, u32 slot);    /* drops one reference */
void vm_swap_release(struct vm *vm, u32 slot); /* frees the slot if nobody has it */
int vm_swap_cache_add(struct vm *vm, u32 pfn, u32 slot);
void vm_swap_cache_del(struct vm *vm, u32 pfn);

/* disk.c */
int vm_submit(struct vm *vm, u32 dev, bool write, u32 mapping, u32 index,
	      u32 pfn); /* VM_DONE or VM_WAIT */
bool vm_dev_room(struct vm *vm, u32 dev, bool write);
int vm_wait_room(
	struct vm *vm, u32 dev,
	bool write); /* VM_DONE or VM_WAIT, moving the clock up to the horizon */

/* pageio.c */
u32 vm_transfer_bytes(struct vm *vm, struct req *rq); /* 0 or the errno */
void vm_transfer_end(struct vm *vm, struct req *rq);
int vm_writepage(struct vm *vm, u32 pfn,
		 bool reclaim); /* VM_DONE: under writeback; VM_WAIT: queue full */

/* frames.c */
u8 *vm_frame(struct vm *vm,
	     u32 pfn); /* bytes of a page that has some; NULL: host error */
u8 *vm_frame_new(struct vm *vm, u32 pfn); /* about to be written whole */
u8 *vm_frame_zero(struct vm *vm, u32 pfn);
void vm_frame_freed(struct vm *vm, u32 pfn);
bool vm_frame_at_hand(struct vm *vm, u32 pfn); /* false: its bytes cannot be had */
bool vm_frame_move(struct vm *vm, u32 from,
		   u32 to); /* of a page that is at hand; were there any? */
void vm_frames_settle(struct vm *vm);

static inline bool bit_test(const u64 *map, u32 n)
{
	return map[n >> 6] >> (n & 63) & 1;
}

/* Nothing is allocated from the page's block. */
static inline bool page_isolated(const struct vm *vm, u32 pfn)
{
	return vm->nr_isolated && bit_test(vm->isolated, pfn >> SECTION_SHIFT);
}

static inline void bit_set(u64 *map, u32 n)
{
	map[n >> 6] |= 1ull << (n & 63);
}

#define PAGEBLOCK_ORDER 9u

/* A free block this large has nothing of what its pages were used for. */
static inline void pageblock_forget(struct vm *vm, u32 pfn, u32 order)
{
	u32 i, pb = pfn >> PAGEBLOCK_ORDER;

	if (order < PAGEBLOCK_ORDER)
		return;
	for (i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
		vm->pageblock[pb + i] = 0;
}

static inline void bit_clear(u64 *map, u32 n)
{
	map[n >> 6] &= ~(1ull << (n & 63));
}

/* A page is freed: what its bytes took can be given back. Most pages have none. */
static inline void frame_freed(struct vm *vm, u32 pfn)
{
	if (bit_test(vm->resident, pfn) || bit_test(vm->spilled, pfn))
		vm_frame_freed(vm, pfn);
}

static inline void clear_dirty(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if ((p->flags & (PG_DIRTY | PG_CACHED)) == PG_DIRTY)
		p->flags &= ~(u32)PG_DIRTY;
	else if (p->flags & PG_DIRTY)
		vm_clear_dirty(vm, pfn);
}

static inline u64 vm_mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* What a task's page holds once it has been written. Never 0, never POISON. */
static inline u32 vm_stamp_of(u32 mm_stamp, u64 vpn)
{
	return (u32)vm_mix((u64)mm_stamp << 32 ^ vpn) | 1u << 31;
}

#ifdef CONFIG_DEBUG_VM
#define VM_BUG_ON(cond)                   \
	do {                              \
		if (cond)                 \
			__builtin_trap(); \
	} while (0)
#else
#define VM_BUG_ON(cond)             \
	do {                        \
		(void)sizeof(cond); \
	} while (0)
#endif

/*
 * The empty asm keeps gcc from taking a function that does nothing but prefetch
 * for one without effect, calls of which it drops.
 */
#define prefetchw(p)                        \
	do {                                \
		__builtin_prefetch((p), 1); \
		__asm__ volatile("");       \
	} while (0)

#endif
