/*
 * invalidate.c - clean pages of files that nobody uses are dropped
 *
 * Models: mm/truncate.c invalidate_mapping_pages(), Linux 6.1.
 */
#include <errno.h>

#include "vm_int.h"

static bool droppable(const struct page *p)
{
	const u32 busy = PG_LOCKED | PG_WRITEBACK | PG_DIRTY | PG_PAGEVEC |
			 PG_ISOLATED | PG_CLIENTMAPPED | EXTRA_MASK;

	return page_type(p) == VM_T_USER && !(p->flags & busy) && !page_mapped(p);
}

/*
 * vm_file_invalidate - drop what is clean, unmapped and not in use
 * @index:   where to begin; where to go on
 * @budget:  pages in this call
 * @dropped: added to
 *
 * Return: VM_DONE, VM_MORE, -EINVAL (tmpfs has its pages nowhere else).
 */
int vm_file_invalidate(struct vm *vm, uint32_t id, uint32_t *index, uint32_t budget,
		       uint32_t *dropped)
{
	struct mapping *m;
	u32 handle, pfn;

	if (id >= vm->nr_mappings || !vm->mappings[id].used ||
	    vm->mappings[id].kind == VM_MAP_SHM)
		return -EINVAL;
	m = &vm->mappings[id];
	for (; budget && vm_tree_next(vm, m, index, &handle); budget--, ++*index) {
		pfn = *vm_slot(vm, handle) - 1;
		if (!droppable(&vm->pages[pfn]))
			continue;
		vm_cache_remove(vm, pfn);
		vm_put_page(vm, pfn, false);
		++*dropped;
	}
	return budget ? VM_DONE : VM_MORE;
}
