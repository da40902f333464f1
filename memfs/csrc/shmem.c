/*
 * shmem.c - tmpfs: pages of zeros for holes, and the way to swap and back
 *
 * A tmpfs page leaves its index when it goes to swap; its slot then holds the swap
 * entry, so that a page's index never has two meanings at once.
 *
 * Models: mm/shmem.c shmem_getpage(), shmem_writepage(), 2.6.0.
 */
#include <errno.h>

#include "filemap.h"
#include "swap_slots.h"

/* A hole of a tmpfs is filled with a page of zeros. */
int vm_shm_new_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn)
{
	int rc = vm_cache_new_page(vm, m, index, 0, pfn);

	if (rc)
		return rc;
	vm_frame_zero(vm, *pfn);
	vm->pages[*pfn].flags |= PG_UPTODATE | PG_DIRTY;
	return VM_DONE;
}

/* As shmem_writepage(): the page moves to the swap cache, still dirty. */
int vm_shm_to_swap(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 handle = p->index;
	struct mapping *m = vm_handle_mapping(vm, handle);
	u32 slot;

	if (m->kind == VM_MAP_RAM)
		return -EOPNOTSUPP;
	slot = vm_swap_alloc(vm);
	if (slot == NONE)
		return -ENOSPC;
	vm_cache_uncount(vm, m, pfn);
	*vm_slot(vm, handle) = SLOT_SWAP | slot;
	m->nr_swapped++;
	vm->swap.map[slot]++;
	vm_swap_cache_add(vm, pfn, slot);
	p->flags |= PG_DIRTY;
	return 0;
}

/* A tmpfs page comes back from the swap cache into its index. */
int vm_shm_from_swap(struct vm *vm, struct mapping *m, u32 index, u32 slot)
{
	u32 pfn = swap_cache_wanted(vm, slot);
	struct page *p;
	u32 handle;

	if (!pfn--)
		return need(vm, VM_READ, VM_SWAP_MAPPING, slot);
	p = &vm->pages[pfn];
	if (p->flags & (PG_LOCKED | PG_WRITEBACK))
		return need(vm, VM_WAIT, VM_SWAP_MAPPING, slot);
	if (!(p->flags & PG_UPTODATE)) {
		/* Its reading failed: who wants it tries again, once. */
		need(vm, VM_READ, VM_SWAP_MAPPING, slot);
		vm->need.failed = 1;
		return VM_READ;
	}
	vm_tree_page(vm, m, index, NULL);
	handle = m->leaf << RN_SHIFT | (index & (RN_SLOTS - 1));
	m->nr_swapped--;
	vm->swap.map[slot]--;
	vm_swap_cache_del(vm, pfn);
	*vm_slot(vm, handle) = pfn + 1;
	p->flags |= PG_CACHED | PG_SWAPBACKED | PG_DIRTY;
	p->index = handle;
	m->nrpages++;
	page_zone(vm, pfn)->item[NR_FILE]++;
	page_zone(vm, pfn)->item[NR_SHMEM]++;
	return VM_DONE;
}
