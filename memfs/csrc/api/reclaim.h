/*
 * reclaim.h - ageing and reclaim
 */
#ifndef API_RECLAIM_H
#define API_RECLAIM_H

#include <stdint.h>

/* cdef-begin */
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

/* lru_scan.c, refill.c: reclaim */
int vm_refill(struct vm *vm, struct vm_reclaim *rc, uint32_t *nr, uint32_t budget);
int vm_shrink(struct vm *vm, struct vm_reclaim *rc, uint32_t budget);
void vm_reclaim_cancel(struct vm *vm, struct vm_reclaim *rc);
uint32_t vm_lru_list(struct vm *vm, uint32_t zid, uint32_t active, uint32_t max,
		     uint32_t *pfns);
/* cdef-end */

#endif
