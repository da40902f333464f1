/*
 * buddy.h - links of the lists of free blocks
 *
 * They run through the heads of the blocks: pos is next, rmap is previous.
 */
#ifndef BUDDY_H
#define BUDDY_H

#include "vm_int.h"

static inline void area_push(struct vm *vm, struct free_area *area, u32 pfn, u32 order)
{
	struct page *p = &vm->pages[pfn];

	p->flags = VM_T_BUDDY | order << EXTRA_SHIFT;
	p->pos = area->head;
	p->rmap = NONE;
	p->index = 0;
	if (area->head != NONE)
		vm->pages[area->head].rmap = pfn;
	area->head = pfn;
	area->nr++;
}

static inline void area_remove(struct vm *vm, struct free_area *area, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (p->rmap == NONE)
		area->head = p->pos;
	else
		vm->pages[p->rmap].pos = p->pos;
	if (p->pos != NONE)
		vm->pages[p->pos].rmap = p->rmap;
	area->nr--;
	*p = (struct page){ 0 };
}

#endif
