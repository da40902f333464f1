/*
 * memfs.h - the face of the C core towards Python
 *
 * The text between the two cdef marks is also the cffi declaration: plain C
 * declarations only, no preprocessor conditions. One thread owns a machine;
 * there is no lock. Nothing here sleeps, prints or calls back: a function that
 * cannot go on says why in its return code and is called again.
 *
 * Return codes of every stepping function:
 *   VM_DONE   finished; out parameters say what was done
 *   VM_MORE   the budget (pages) is used up, call again
 *   VM_NOMEM  no page above the minimum marks: reclaim, then call again
 *             (vm_need() says for which zonelist class and order)
 *   VM_WAIT   waits for I/O in flight: a locked page, a page under writeback
 *             or a full device queue; advance the clock, call again
 *   VM_READ   the page vm_need()->index of file vm_need()->mapping (or swap
 *             slot, mapping == VM_SWAP_MAPPING) must be read first
 *   < 0       -errno; nothing was changed by the part that failed
 */
#ifndef MEMFS_H
#define MEMFS_H

#include <stddef.h>
#include <stdint.h>

/* cdef-begin */
enum vm_rc { VM_DONE = 0, VM_MORE, VM_NOMEM, VM_WAIT, VM_READ };

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

/* Type of a page: exactly one each (invariant 1). */
enum vm_type {
	VM_T_FREE = 0, /* free and not the head of a block, or never touched */
	VM_T_BUDDY,    /* head of a free block */
	VM_T_PCP,      /* on a per-CPU list */
	VM_T_USER,     /* LRU, pagevec, held: page cache, tmpfs, anonymous */
	VM_T_KERNEL,
	VM_T_RESERVED, /* present but never managed */
	VM_T_HUGE,
	VM_T_TAIL,
	VM_T_HWPOISON,
	VM_T_OFFLINE,
	VM_NR_TYPES
};

/* What kernel memory is for. */
enum vm_kernel_kind {
	VM_K_OTHER = 0,
	VM_K_RADIX,    /* slab of page-cache index nodes */
	VM_K_SHMEMDIR, /* slab of tmpfs index nodes */
	VM_K_PAGETABLE,
	VM_NR_KERNEL_KINDS
};

enum vm_page_flags {
	PG_LOCKED = 1 << 4,
	PG_ERROR = 1 << 5,
	PG_REFERENCED = 1 << 6,
	PG_UPTODATE = 1 << 7,
	PG_DIRTY = 1 << 8,
	PG_LRU = 1 << 9,
	PG_ACTIVE = 1 << 10,
	PG_PRIVATE = 1 << 11, /* has buffers: one reference */
	PG_WRITEBACK = 1 << 12,
	PG_SWAPCACHE = 1 << 13,
	PG_ANON = 1 << 14,
	PG_SWAPBACKED = 1 << 15, /* anonymous or tmpfs */
	PG_MLOCKED = 1 << 16,
	PG_RECLAIM = 1 << 17, /* rotate to the inactive tail after writeback */
	PG_MAPPEDTODISK = 1 << 18,
	PG_ISOLATED = 1 << 19,
	PG_PAGEVEC = 1 << 20,
	PG_AGAIN = 1 << 21,
	PG_CLIENTMAPPED = 1 << 22 /* the real kernel may have a copy: revoke.c */
};

/* Counters of a zone; pages now, never negative. */
enum vm_zone_item {
	NR_FREE = 0, /* in the buddy lists */
	NR_PCP,
	NR_PAGEVEC,
	NR_ACTIVE,
	NR_INACTIVE,
	NR_ISOLATED,
	NR_ACTIVE_ANON,	  /* of NR_ACTIVE: anonymous and tmpfs */
	NR_INACTIVE_ANON, /* of NR_INACTIVE: anonymous and tmpfs */
	NR_MLOCKED,
	NR_FILE,      /* page cache with tmpfs, without the swap cache */
	NR_SHMEM,     /* of NR_FILE: tmpfs */
	NR_ANON,      /* anonymous pages */
	NR_SWAPCACHE, /* pages in the swap cache */
	NR_MAPPED,    /* file pages mapped by a task */
	NR_ANON_MAPPED,
	NR_DIRTY,
	NR_WRITEBACK,
	NR_BUFFERS, /* pages with PG_PRIVATE */
	NR_LOCKED,
	NR_KERNEL_OTHER,
	NR_RADIX,
	NR_SHMEMDIR,
	NR_PAGETABLE,
	NR_RESERVED,
	NR_CLIENT,   /* pages with PG_CLIENTMAPPED */
	NR_FREE_ISO, /* free pages of isolated blocks: in no other list */
	NR_HUGE,     /* pages of huge pages, used or in the pool */
	NR_ZONE_ITEMS
};

/* Events of the machine; they only grow. */
enum vm_event {
	EV_PGPGIN = 0, /* kB */
	EV_PGPGOUT,    /* kB */
	EV_PSWPIN,
	EV_PSWPOUT,
	EV_PGALLOC,
	EV_PGFREE,
	EV_PGACTIVATE,
	EV_PGDEACTIVATE,
	EV_PGFAULT,
	EV_PGMAJFAULT,
	EV_PGSCAN,
	EV_PGSCAN_KSWAPD,
	EV_PGSCAN_DIRECT,
	EV_PGREFILL,
	EV_PGSTEAL,
	EV_PGSTEAL_KSWAPD,
	EV_PGSTEAL_DIRECT,
	EV_PGROTATED,
	EV_PGREUSE,   /* write faults that kept their page */
	EV_PGCOW,     /* pages copied on write */
	EV_READAHEAD, /* pages read ahead */
	EV_CORRUPT,   /* a stamp that was not what had been written: a bug */
	EV_PGREVOKED, /* pages whose copy in the real kernel was taken away */
	EV_PGMIGRATE_SUCCESS,
	EV_PGMIGRATE_FAIL,
	EV_COMPACT_MIGRATE_SCANNED,
	EV_COMPACT_FREE_SCANNED,
	NR_EVENTS
};

enum vm_numa_item {
	NUMA_HIT = 0,
	NUMA_MISS,
	NUMA_FOREIGN,
	NUMA_INTERLEAVE,
	NUMA_LOCAL,
	NUMA_OTHER,
	NUMA_PGALLOC, /* pages */
	NR_NUMA_ITEMS
};

/* Why a page did not go; also what vm_why() counts. */
enum vm_reason {
	WHY_NONE = 0,
	WHY_LOCKED,
	WHY_WRITEBACK,
	WHY_DIRTY,	/* write-out just started or has to wait */
	WHY_REFERENCED, /* touched since it was last looked at */
	WHY_ACTIVE,	/* on the active list, not looked at */
	WHY_INACTIVE,	/* on the inactive list, not looked at or kept */
	WHY_MAPPED,
	WHY_MLOCKED,
	WHY_NO_SWAP,
	WHY_PINNED, /* extra references */
	WHY_BUFFERS,
	WHY_NO_WRITEPAGE, /* nowhere to be written: tmpfs without swap */
	WHY_IO_ERROR,
	WHY_CONGESTED,
	WHY_KERNEL,
	WHY_PAGEVEC,
	WHY_PCP,
	WHY_HELD,
	WHY_HWPOISON,
	WHY_REVOKING,  /* the real kernel gives its copy back first */
	WHY_NO_TARGET, /* no page to move to */
	NR_REASONS
};

/* What differs for a zone behind a closed gate: S0's five changes. */
enum vm_closed_rules {
	VM_RULE_SHRINK_UNREF = 1, /* 1 shrink_list() discards young bits */
	VM_RULE_REFILL_UNREF = 8  /* 4 refill discards young bits */
};

enum vm_rules {
	VM_RULE_CUMULATIVE_MIN = 1,	 /* marks add up along the zonelist */
	VM_RULE_UNMAP_REFUSES_YOUNG = 2, /* 2.6.7 try_to_unmap() */
	VM_RULE_ONE_PCP = 4		 /* no cold per-CPU list */
};

#define VM_NO_PFN 0xffffffffu
#define VM_NO_ID 0xffffffffu
#define VM_SWAP_MAPPING 0xfffffffeu
#define VM_MAX_ORDER 11
#define VM_HOLD_MAX 64
#define VM_MAX_CPUS 1024
#define VM_REVOKE_MAX 8192

struct vm_config {
	uint32_t max_pfn;  /* pages, <= 2^28 */
	uint32_t nr_zones; /* slots of the zone table */
	uint32_t nr_nodes;
	uint32_t nr_cpus;
	uint32_t swap_pages; /* slots, < 2^28 */
	uint32_t batch;	     /* pages per pipelined batch, 1..64; no effect on state */
	uint32_t prefetch;   /* 0 or 1; no effect on state */
	uint32_t paranoid;   /* poison the bytes of freed frames */
	uint32_t rules;	     /* enum vm_rules */
	uint32_t closed_rules; /* enum vm_closed_rules */
	uint64_t seed;
};

struct vm_zone_stat {
	uint32_t nid, type, start_pfn, spanned, present, managed;
	uint32_t pages_min, pages_low, pages_high;
	uint32_t open, all_unreclaimable, populated;
	uint64_t pages_scanned;
	uint32_t item[32];	/* enum vm_zone_item */
	uint64_t numa[7];	/* enum vm_numa_item */
	uint32_t free_area[11]; /* blocks of each order */
	uint32_t pcp_hot_low, pcp_hot_high, pcp_cold_low, pcp_cold_high, pcp_batch;
};

struct vm_need {
	uint32_t cls, order;	 /* VM_NOMEM */
	uint32_t mapping, index; /* VM_READ, VM_WAIT on a page */
	uint32_t dev;		 /* VM_WAIT on a device queue */
	uint32_t failed;	 /* VM_READ of a file: the last reading failed */
};

struct vm_mapping_stat {
	uint32_t nrpages, nr_dirty, nr_writeback, nr_locked, nr_swapped, nr_vmas;
	uint32_t error; /* errno of a failed host write or read since last cleared, or 0 */
	uint32_t nr_exceptional; /* index nodes in use */
};

struct vm_mm_stat {
	uint32_t rss, anon_rss, swap, page_tables, nr_vmas;
	uint64_t total_vm, minflt, majflt;
};

/* One reclaim run over one zone; the caller keeps it between steps. */
struct vm_reclaim {
	/* in */
	uint32_t zid;
	uint32_t kswapd;	 /* runs as kswapd: writes to congested queues */
	uint32_t may_fs, may_io; /* __GFP_FS, __GFP_IO */
	uint32_t reclaim_mapped;
	uint32_t last_resort; /* frees what the real kernel has a copy of, too */
	uint32_t nr_pages;    /* pages wanted; vm_shrink() counts it down */
	int64_t max_scan;     /* pages to look at; counts down */
	/* state */
	uint32_t round;	     /* pages of a round of shrink_cache(); 0: not begun */
	uint32_t round_left; /* of the pages of this round */
	uint32_t drained;    /* the refill has drained the pagevecs */
	uint32_t held;	     /* the page that waits for a device, valid while nr_hold */
	uint32_t nr_hold;    /* 1 while there is one */
	/* out, added to */
	uint64_t scanned, freed, activated, refilled, deactivated, written, nr_mapped;
	uint64_t reason[22]; /* enum vm_reason */
};

/* A pin: who holds a page, and since when (ns). */
struct vm_pin_info {
	uint32_t holder;
	uint64_t since;
};

/* What can be made to go wrong, so many times. */
enum vm_fault {
	FAULT_TARGET = 0, /* a migration finds no page to move to */
	FAULT_REFERENCE,  /* somebody takes a reference to a page that is to move */
	FAULT_BYTES,	  /* the bytes of a page that is to move cannot be had */
	FAULT_SLOT,	  /* no swap slot for a page that is to move */
	FAULT_WRITEPAGE,  /* a page that is to move cannot be written first */
	VM_NR_FAULTS
};

/* Pages of one reason, kind and holder: who keeps memory from going. */
struct vm_keeper {
	uint32_t why;	      /* enum vm_reason; WHY_NONE: it can move */
	uint32_t kind;	      /* as vm_inuse() counts */
	uint32_t mapping, mm; /* whose it is, or VM_NO_ID */
	uint32_t holder;      /* of a pin, or VM_NO_ID */
	uint32_t first_pfn;
	uint64_t pages, since; /* ns, of a pin */
};

struct vm_keepers {
	uint32_t zid, pfn, end;
	uint32_t nr, last;
	uint64_t others; /* pages of more groups than there is room for */
	struct vm_keeper group[256];
};

enum vm_migrate_flags {
	VM_MIG_WRITEOUT = 1, /* dirty file pages are written first, as in 2004 */
	VM_MIG_SWAPSLOT = 2, /* anonymous pages take a swap slot first, as in 2004 */
	VM_MIG_LAZY = 4,     /* page tables are left to the faults, as in 2004 */
	VM_MIG_NOWAIT = 8,   /* what refuses is put back at once */
	VM_MIG_FORCE = 16,   /* what a real process maps goes without being asked for */
	VM_MIG_BLOCK = 32    /* a block of the zone: the zone itself may be a target */
};

/* A zone that is being emptied; the caller keeps it between steps. */
struct vm_migrate {
	/* in */
	uint32_t zid;
	uint32_t flags; /* enum vm_migrate_flags */
	uint32_t nr_targets;
	uint32_t target[64]; /* zones to move to, in order */
	/* state */
	uint32_t left[2]; /* VM_MIG_NOWAIT: pages of each list not looked at yet */
	uint32_t nr_hold; /* pages that refused, on no list: */
	uint32_t hold[100];
	uint8_t hold_why[100]; /* enum vm_reason */
	/* out, added to: attempted = moved + gone + failed + nr_hold */
	uint64_t attempted;
	uint64_t moved;
	uint64_t gone;	     /* freed by their users meanwhile */
	uint64_t failed;     /* put back */
	uint64_t written;    /* write-outs started: VM_MIG_WRITEOUT */
	uint64_t slots;	     /* swap slots taken: VM_MIG_SWAPSLOT */
	uint64_t unmapped;   /* PTEs left to faults: VM_MIG_LAZY */
	uint64_t reason[22]; /* of failed; enum vm_reason */
};

/* A zone that is emptied of huge pages; the caller keeps it between steps. */
struct vm_huge_move {
	/* in */
	uint32_t zid;
	uint32_t nr_targets;
	uint32_t target[64]; /* zones to move to, in order */
	/* state */
	uint32_t cursor;
	uint32_t moving; /* huge page that is being copied, or VM_NO_ID */
	uint32_t new_pfn, from_pool, copied;
	/* out, added to; huge pages */
	uint64_t moved, dissolved, failed;
};

/* A zone that is defragmented; the caller keeps it between steps. */
struct vm_compact {
	/* in */
	uint32_t zid;
	uint32_t order; /* a block of it is enough; VM_MAX_ORDER: go to the end */
	/* state */
	uint32_t running;
	uint32_t migrate_pfn; /* pages below were looked at */
	uint32_t free_pfn;    /* no page from here on is free */
	/* out, added to */
	uint64_t migrate_scanned, free_scanned, moved, failed;
	uint64_t reason[22]; /* of failed; enum vm_reason */
};

/* Pages of a file that the real kernel has to give back. */
struct vm_revoke {
	uint32_t mapping, index, nr;
};

enum vm_touch_flags { VM_TOUCH_WRITE = 1, VM_TOUCH_RANDOM = 2 };

/* A walk of a task over one of its areas. */
struct vm_touch {
	uint32_t mm, vma;
	uint32_t flags;
	uint32_t first, nr; /* pages of the area */
	uint32_t pos;	    /* pages done in this pass */
	uint64_t rng;	    /* state of the random order */
	uint64_t cost_ns;   /* added to: modelled CPU time */
	uint32_t next;	    /* pending page of the random order, or VM_NO_ID */
	uint32_t major;	    /* the pending page already counted as a major fault */
};

enum vm_vma_flags { VM_VMA_WRITE = 1, VM_VMA_SHARED = 2, VM_VMA_LOCKED = 4 };

/* VM_MAP_RAM: as tmpfs, but with nowhere to go: a RAM disk. */
enum vm_mapping_kind { VM_MAP_FILE = 0, VM_MAP_SHM = 1, VM_MAP_RAM = 2 };

enum vm_dev { VM_DEV_DISK = 0, VM_DEV_SWAP = 1, VM_NR_DEVS = 2 };

struct vm_dev_conf {
	uint64_t latency_ns, bandwidth; /* bytes per second */
	uint32_t requests;		/* in flight at most */
	uint32_t merge_pages;		/* largest request, 1..32 pages */
};

struct vm_dev_stat {
	uint64_t reads, writes, read_pages, write_pages, merged, errors;
	uint32_t in_flight, congested;
};

struct vm_page_info {
	uint32_t pfn, zid, type, flags, order, kind, mapcount, extra, pins, count;
	uint32_t pin_holder;	 /* the oldest, or VM_NO_ID */
	uint32_t mapping, index; /* of page cache; else VM_NO_ID */
	uint32_t swap;		 /* slot, else VM_NO_ID */
	uint32_t stamp;
	uint32_t mm, vpn; /* first mapper */
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

/* Pages of a range by place. */
struct vm_block_stat {
	uint32_t free, pcp, user, unmovable, first_unmovable;
};

struct vm_host_stat {
	uint64_t resident, dropped, spilled, returned; /* frames */
	uint64_t limit;
};

/* What one descriptor has read, and what was read ahead of it; pages. */
struct vm_ra {
	int64_t prev;	/* the page read last, or -1 */
	uint32_t size;	/* of the next window; 0: not sequential */
	uint32_t mark;	/* where the next window is asked for */
	uint32_t asked; /* up to where has been asked for */
};

/* Bytes in memory; laid out as struct iovec is. */
struct vm_piece {
	void *base;
	uint64_t len;
};

#define VM_LANE_BYTES 1048576 /* of one request of the short way */
#define VM_LANE_PIECES 257

struct vm;

/* boot.c: machine, zones, zonelists */
struct vm *vm_create(const struct vm_config *conf);
void vm_destroy(struct vm *vm);
int vm_zone_plug(struct vm *vm, uint32_t zid, uint32_t nid, uint32_t type,
		 uint32_t start_pfn, uint32_t spanned, uint32_t present,
		 uint32_t reserved);
int vm_zone_unplug(struct vm *vm, uint32_t zid);
int vm_zone_marks(struct vm *vm, uint32_t zid, uint32_t min, uint32_t low,
		  uint32_t high);
int vm_zone_pcp(struct vm *vm, uint32_t zid, uint32_t hot_low, uint32_t hot_high,
		uint32_t cold_low, uint32_t cold_high, uint32_t batch);
int vm_zone_gate(struct vm *vm, uint32_t zid, uint32_t open);
void vm_zone_unreclaimable(struct vm *vm, uint32_t zid, uint32_t value);
int vm_zonelist(struct vm *vm, uint32_t nid, uint32_t cls, uint32_t nr,
		const uint32_t *zids);
int vm_zonelist_reserve(struct vm *vm, uint32_t nid, uint32_t cls, uint32_t nr,
			const uint32_t *pages);
int vm_cpu_node(struct vm *vm, uint32_t cpu, uint32_t nid);
int vm_distance(struct vm *vm, uint32_t from, uint32_t to, uint32_t distance);
void vm_set_cpu(struct vm *vm, uint32_t cpu);
void vm_set_closed_rules(struct vm *vm, uint32_t rules);
void vm_set_touch_cost(struct vm *vm, uint64_t ns);
const struct vm_need *vm_needed(struct vm *vm);
uint64_t vm_wakeups(
	struct vm *
		vm); /* bit mask of nodes (mod 64) that an allocation found low; cleared by the call */

/* stat.c */
int vm_zone_stat(struct vm *vm, uint32_t zid, struct vm_zone_stat *out);
int vm_pcp_counts(struct vm *vm, uint32_t zid, uint32_t *out); /* by CPU */
void vm_slab_stat(struct vm *vm, uint32_t kind, uint32_t *slabs, uint32_t *objects);
void vm_events(struct vm *vm, uint64_t *out);
int vm_page_info(struct vm *vm, uint32_t pfn, struct vm_page_info *out);
int vm_why(struct vm *vm, uint32_t zid, uint32_t *cursor, uint32_t budget,
	   uint64_t *reasons);
int vm_inuse(struct vm *vm, uint32_t zid, uint32_t active_only, uint32_t *cursor,
	     uint32_t budget, uint64_t *kinds, uint32_t *pfns, uint32_t *nr_pfns);
uint64_t vm_state_hash(struct vm *vm);
uint64_t vm_class_hash(struct vm *vm);

/* buddy.c, pcp.c: the allocator; pfn, or VM_NO_PFN */
uint32_t vm_alloc(struct vm *vm, uint32_t cls, uint32_t order, uint32_t flags,
		  uint32_t kind);
uint32_t vm_alloc_in(struct vm *vm, uint32_t zid, uint32_t kind);
int vm_free(struct vm *vm, uint32_t pfn, uint32_t order);
void vm_drain_pcp(struct vm *vm, uint32_t zid);
void vm_drain_pagevecs(struct vm *vm);

/* kpage.c */
int vm_kpage(struct vm *vm, uint32_t first, uint32_t nr, uint32_t counts,
	     uint64_t *out);

/* invalidate.c */
int vm_file_invalidate(struct vm *vm, uint32_t id, uint32_t *index, uint32_t budget,
		       uint32_t *dropped);

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

/* lru_scan.c: reclaim */
int vm_refill(struct vm *vm, struct vm_reclaim *rc, uint32_t *nr, uint32_t budget);
int vm_shrink(struct vm *vm, struct vm_reclaim *rc, uint32_t budget);
void vm_reclaim_cancel(struct vm *vm, struct vm_reclaim *rc);
uint32_t vm_lru_list(struct vm *vm, uint32_t zid, uint32_t active, uint32_t max,
		     uint32_t *pfns);

/* migrate.c: pages move */
int vm_migrate(struct vm *vm, struct vm_migrate *mig, uint32_t budget);
int vm_migrate_retry(struct vm *vm, struct vm_migrate *mig);
void vm_migrate_putback(struct vm *vm, struct vm_migrate *mig);
int vm_migrate_sweep(struct vm *vm, struct vm_migrate *mig);
int vm_migrate_block(struct vm *vm, struct vm_migrate *mig, uint32_t *pfn, uint32_t end,
		     uint32_t budget);
int vm_migrate_check(struct vm *vm, struct vm_migrate *mig, uint32_t *cursor,
		     uint32_t budget);

/* hugetlb.c: huge pages */
int vm_huge_grow(struct vm *vm, uint32_t order, uint32_t nr, const uint32_t *zids);
int vm_huge_shrink(struct vm *vm, uint32_t order, uint32_t zid);
void vm_huge_stat(struct vm *vm, uint32_t order, uint32_t zid, uint32_t *nr_free,
		  uint32_t *total);
uint32_t vm_huge_map(struct vm *vm, uint32_t order, uint32_t nr, uint32_t stamp,
		     uint64_t vpn);
int vm_huge_unmap(struct vm *vm, uint32_t area);
int vm_huge_touch(struct vm *vm, uint32_t area, uint32_t first, uint32_t nr,
		  uint32_t *pos);
int vm_huge_migrate(struct vm *vm, struct vm_huge_move *hm, uint32_t budget);
void vm_huge_pass(struct vm *vm, struct vm_huge_move *hm);
void vm_huge_cancel(struct vm *vm, struct vm_huge_move *hm);

/* pin.c: references with a holder */
uint32_t vm_pin(struct vm *vm, uint32_t pfn, uint32_t holder);
int vm_pin_file(struct vm *vm, uint32_t mapping, uint32_t index, uint32_t holder,
		uint32_t *pin);
int vm_pin_area(struct vm *vm, uint32_t vma, uint32_t index, uint32_t holder,
		uint32_t *pin);
int vm_unpin(struct vm *vm, uint32_t pin);

/* Make something go wrong the next `times` times it is tried. */
int vm_fault(struct vm *vm, uint32_t fault, uint32_t times);
uint32_t vm_fault_left(struct vm *vm, uint32_t fault);

/* keeper.c: who has a zone's pages */
int vm_keepers(struct vm *vm, struct vm_keepers *ks, uint32_t budget);

/* compact.c: free pages become large blocks */
int vm_compact(struct vm *vm, struct vm_compact *c, uint32_t budget);

/* mapping.c, filemap.c, truncate.c, filesync.c: page cache of files and tmpfs */
uint32_t vm_mapping_create(struct vm *vm, uint32_t kind);
int vm_mapping_destroy(struct vm *vm, uint32_t id);
int vm_mapping_fd(struct vm *vm, uint32_t id, int fd);
int vm_mapping_size(struct vm *vm, uint32_t id, uint64_t bytes);
int vm_mapping_stat(struct vm *vm, uint32_t id, struct vm_mapping_stat *out);
void vm_mapping_clear_error(struct vm *vm, uint32_t id);
int vm_file_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		 uint32_t *done);
int vm_file_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t *done);
int vm_client_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		   uint32_t *done);
int vm_client_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		    const void *buf, uint32_t *done);
int vm_file_submit_read(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
			uint32_t *submitted);
int vm_file_truncate(struct vm *vm, uint32_t id, uint64_t bytes, uint32_t budget);
int vm_file_punch(struct vm *vm, uint32_t id, uint64_t off, uint64_t len,
		  uint32_t *index, uint32_t budget);
int vm_file_flush(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		  uint32_t drop);
int vm_file_writeback(struct vm *vm, uint32_t id, uint32_t *index, uint32_t max,
		      uint32_t *written);
int vm_file_resident(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		     uint8_t *out);
int vm_file_next_dirty(struct vm *vm, uint32_t id, uint32_t *index);

/* lane.c: what is resident, in one call */
int vm_lane_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		 uint32_t client, struct vm_ra *ra, struct vm_piece *out, uint32_t *nr);
int vm_lane_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t client);
uint64_t vm_lane_ops(struct vm *vm);
void vm_set_readahead(struct vm *vm, uint32_t pages);

/* revoke.c: pages of which the real kernel has a copy */
uint32_t vm_revoke_queued(struct vm *vm);
uint32_t vm_revoke_take(struct vm *vm, struct vm_revoke *out);
uint32_t vm_revoked(struct vm *vm, const struct vm_revoke *range, uint32_t kept);

/* mm.c: tasks */
uint32_t vm_mm_create(struct vm *vm, uint32_t stamp);
int vm_mm_destroy(struct vm *vm, uint32_t mm, uint32_t budget);
int vm_mm_stat(struct vm *vm, uint32_t mm, struct vm_mm_stat *out);
uint32_t vm_mmap(struct vm *vm, uint32_t mm, uint32_t flags, uint32_t mapping,
		 uint32_t pgoff, uint64_t vpn, uint32_t nr);
int vm_munmap(struct vm *vm, uint32_t vma, uint32_t budget);
int vm_vma_copy(struct vm *vm, uint32_t from, uint32_t to, uint32_t *cursor,
		uint32_t budget);

/* fault.c: what tasks do to their pages */
int vm_touch(struct vm *vm, struct vm_touch *touch, uint32_t budget);

/* swap.c */
int vm_swap_size(struct vm *vm, uint32_t pages, int fd);
void vm_swap_stat(struct vm *vm, uint32_t *total, uint32_t *used, uint32_t *cached);
int vm_swap_submit_read(struct vm *vm, uint32_t slot);

/* disk.c: devices and the clock */
int vm_dev_config(struct vm *vm, uint32_t dev, const struct vm_dev_conf *conf);
void vm_dev_stat(struct vm *vm, uint32_t dev, struct vm_dev_stat *out);
int vm_dev_transfer(struct vm *vm, uint32_t dev, uint32_t write, uint32_t nr,
		    uint64_t *ticket);
uint64_t vm_dev_ended(struct vm *vm, uint32_t dev); /* requests since boot */
uint64_t vm_now(struct vm *vm);
uint64_t vm_next_event(struct vm *vm);		 /* ns, or UINT64_MAX */
uint64_t vm_advance(struct vm *vm, uint64_t to); /* completions so far */
void vm_set_horizon(struct vm *vm,
		    uint64_t ns); /* how far a stepping call may move the clock itself */
uint64_t vm_completions(struct vm *vm);
void vm_dev_fault(struct vm *vm, uint32_t dev, uint32_t write,
		  uint32_t err); /* every transfer fails with err; 0: none */

/* frames.c: real bytes */
int vm_host_limit(struct vm *vm, uint64_t frames, int spill_fd);
int vm_host_trim(struct vm *vm, uint32_t budget);
void vm_host_stat(struct vm *vm, struct vm_host_stat *out);

/* verify.c: invariants; text of violations, one a line */
struct vm_verify {
	uint32_t phase, cursor, violations;
	uint64_t scratch[64];
};
int vm_verify(struct vm *vm, struct vm_verify *v, uint32_t budget, char *text,
	      uint32_t size);
/* cdef-end */

#endif
