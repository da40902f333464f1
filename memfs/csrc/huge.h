/*
 * huge.h - what the files about huge pages share
 */
#ifndef HUGE_H
#define HUGE_H

#include "vm_int.h"

enum { HUGE_NONE = 0, HUGE_FREE, HUGE_USED, HUGE_MOVING };

static inline bool huge_order_ok(u32 order)
{
	return order == 9 || order == 10;
}

static inline struct zone *huge_zone(struct vm *vm, const struct huge *h)
{
	return page_zone(vm, h->pfn);
}

static inline bool huge_in_zone(struct vm *vm, const struct huge *h, u32 zid)
{
	return h->state != HUGE_NONE &&
	       (zid == VM_NO_ID || huge_zone(vm, h)->zid == zid);
}

/* hugetlb.c */
u32 vm_huge_free_ones(struct vm *vm, u32 order); /* promised to no area */
u32 vm_huge_find_free(struct vm *vm, u32 order, u32 zid);
u32 vm_huge_take_block(struct vm *vm, u32 order, u32 nr, const u32 *zids);
void vm_huge_make(struct vm *vm, u32 pfn, u32 order, u32 id);
void vm_huge_free_block(struct vm *vm, u32 pfn, u32 order);
void vm_huge_forget(struct vm *vm, u32 id);
void vm_huge_let_go(struct vm *vm, u32 id); /* its user does not want it any more */

#endif
