/*
 * page.h - a page as Python sees it
 */
#ifndef API_PAGE_H
#define API_PAGE_H

#include <stdint.h>

/* cdef-begin */
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
	PG_FALLBACK = 1 << 21, /* of a file that has no way of its own to move pages */
	PG_CLIENTMAPPED = 1 << 22 /* the real kernel may have a copy: revoke.c */
};

struct vm_page_info {
	uint32_t pfn, zid, type, flags, order, kind, mapcount, extra, pins, count;
	uint32_t pin_holder;	 /* the oldest, or VM_NO_ID */
	uint32_t mapping, index; /* of page cache; else VM_NO_ID */
	uint32_t swap;		 /* slot, else VM_NO_ID */
	uint32_t stamp;
	uint32_t mm, vpn; /* first mapper */
};

/* kpage.c */
int vm_kpage(struct vm *vm, uint32_t first, uint32_t nr, uint32_t counts,
	     uint64_t *out);
/* cdef-end */

#endif
