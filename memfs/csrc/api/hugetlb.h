/*
 * hugetlb.h - huge pages
 */
#ifndef API_HUGETLB_H
#define API_HUGETLB_H

#include <stdint.h>

/* cdef-begin */
/* Huge pages; reserved: free ones that areas were promised, of the whole machine. */
struct vm_huge_stat {
	uint32_t free, total, surplus, reserved;
};

/* Memory that is emptied of huge pages; the caller keeps it between steps. */
struct vm_huge_move {
	/* in */
	uint32_t zid;
	uint32_t first, end; /* pages; all of the zone: 0, VM_NO_PFN */
	uint32_t keep_free;  /* those that nobody uses are left alone */
	uint32_t nr_targets;
	uint32_t target[64]; /* zones to move to, in order */
	/* state */
	uint32_t cursor;
	uint32_t moving; /* huge page that is being copied, or VM_NO_ID */
	uint32_t new_pfn, from_pool, copied;
	/* out, added to; huge pages */
	uint64_t moved, dissolved, failed;
};

/* hugetlb.c: the pool; orders are 9 and 10, VM_NO_ID leaves an order or a zone open */
int vm_huge_grow(struct vm *vm, uint32_t order, uint32_t surplus, uint32_t nr,
		 const uint32_t *zids);
int vm_huge_shrink(struct vm *vm, uint32_t order, uint32_t zid);
int vm_huge_dissolve(struct vm *vm, uint32_t first, uint32_t end);
int vm_huge_surplus(struct vm *vm, uint32_t order, uint32_t zid, uint32_t surplus);
void vm_huge_stat(struct vm *vm, uint32_t order, uint32_t zid,
		  struct vm_huge_stat *out);

/* hugemap.c: areas */
uint32_t vm_huge_map(struct vm *vm, uint32_t order, uint32_t nr, uint32_t stamp,
		     uint64_t vpn);
int vm_huge_reserve(struct vm *vm, uint32_t area);
int vm_huge_unmap(struct vm *vm, uint32_t area);
int vm_huge_touch(struct vm *vm, uint32_t area, uint32_t first, uint32_t nr,
		  uint32_t *pos);

/* hugemove.c: migration */
int vm_huge_migrate(struct vm *vm, struct vm_huge_move *hm, uint32_t budget);
void vm_huge_pass(struct vm *vm, struct vm_huge_move *hm);
void vm_huge_cancel(struct vm *vm, struct vm_huge_move *hm);
/* cdef-end */

#endif
