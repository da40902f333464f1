/*
 * zone.h - counters of zones and of the machine
 */
#ifndef API_ZONE_H
#define API_ZONE_H

#include <stdint.h>

/* cdef-begin */
/* Counters of a zone; pages now, never negative. */
enum vm_zone_item {
	NR_FREE = 0, /* in the buddy lists */
	NR_PCP,
	NR_PAGEVEC,
	NR_ACTIVE,
	NR_INACTIVE,
	NR_ISOLATED,	  /* on no list, held by an operation */
	NR_ISOLATED_ANON, /* of NR_ISOLATED: anonymous and tmpfs */
	NR_ACTIVE_ANON,	  /* of NR_ACTIVE: anonymous and tmpfs */
	NR_INACTIVE_ANON, /* of NR_INACTIVE: anonymous and tmpfs */
	NR_MLOCKED,	  /* locked in memory; of them on a list, by list and kind: */
	NR_INACTIVE_FILE_MLOCKED,
	NR_ACTIVE_FILE_MLOCKED,
	NR_INACTIVE_ANON_MLOCKED,
	NR_ACTIVE_ANON_MLOCKED,
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
	NR_HWPOISON, /* pages that are kept out of use for ever */
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
	EV_PGSCAN_ANON, /* of them, anonymous and tmpfs */
	EV_PGSCAN_FILE,
	EV_PGREFILL,
	EV_PGSTEAL,
	EV_PGSTEAL_KSWAPD,
	EV_PGSTEAL_DIRECT,
	EV_PGSTEAL_ANON, /* of them, anonymous and tmpfs */
	EV_PGSTEAL_FILE,
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
	EV_UNEVICTABLE_PGS_MLOCKED,
	EV_UNEVICTABLE_PGS_MUNLOCKED,
	EV_COMPACT_ISOLATED, /* pages to be moved, and pages to move them to */
	EV_SWAP_RA,	     /* pages read ahead from swap */
	EV_SWAP_RA_HIT,	     /* of them, those that somebody wanted then */
	NR_EVENTS
};

/* Events of a zone; they only grow. */
enum vm_numa_item {
	NUMA_HIT = 0,
	NUMA_MISS,
	NUMA_FOREIGN,
	NUMA_INTERLEAVE,
	NUMA_LOCAL,
	NUMA_OTHER,
	NUMA_PGALLOC,	   /* pages */
	NUMA_DIRTIED,	   /* pages of files */
	NUMA_WRITTEN,	   /* to the disk or to swap */
	NUMA_VMSCAN_WRITE, /* begun by reclaim */
	NUMA_PIN_ACQUIRED,
	NUMA_PIN_RELEASED,
	NR_NUMA_ITEMS
};

struct vm_zone_stat {
	uint32_t nid, type, start_pfn, spanned, present, managed;
	uint32_t pages_min, pages_low, pages_high;
	uint32_t open, all_unreclaimable, populated;
	uint64_t pages_scanned;
	uint32_t item[40];	/* enum vm_zone_item */
	uint64_t numa[12];	/* enum vm_numa_item */
	uint32_t free_area[11]; /* blocks of each order */
	uint32_t pcp_hot_low, pcp_hot_high, pcp_cold_low, pcp_cold_high, pcp_batch;
};
/* cdef-end */

#endif
