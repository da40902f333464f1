/*
 * hwpoison.c - a page that is kept out of use
 *
 * It is free, belongs to nobody and is never given out again; it goes with its block
 * or its zone only.
 *
 * Models: mm/memory-failure.c page_handle_poison(), mm/page_alloc.c
 * take_page_off_buddy(), Linux 6.1.
 */
#include <errno.h>

#include "vm_int.h"

/* In the buddy lists, at the head of a block, within it or never touched. */
static bool is_free(const struct vm *vm, u32 pfn)
{
	const u32 type = page_type(&vm->pages[pfn]);

	return type == VM_T_BUDDY || type == VM_T_FREE;
}

/*
 * vm_poison - a free page is never used again
 *
 * Per-CPU lists must have been drained. Return: 0, -EINVAL for no page of a zone,
 * -EBUSY for one that is not free or is in a block that is to go.
 */
int vm_poison(struct vm *vm, uint32_t pfn)
{
	struct zone *z = pfn < vm->max_pfn ? page_zone(vm, pfn) : NULL;

	if (!z)
		return -EINVAL;
	if (!is_free(vm, pfn) || page_isolated(vm, pfn))
		return -EBUSY;
	vm_buddy_take(vm, z, pfn);
	vm->pages[pfn] = (struct page){ .flags = VM_T_HWPOISON };
	z->item[NR_HWPOISON]++;
	return 0;
}
