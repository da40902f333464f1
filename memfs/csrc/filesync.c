/*
 * filesync.c - dirty pages of a file to the disk
 *
 * Models: mm/page-writeback.c, fs/mpage.c mpage_writepages(); mm/filemap.c
 * filemap_write_and_wait(), mm/truncate.c invalidate_inode_pages2(), 2.6.0.
 */
#include <errno.h>

#include "filemap.h"

/* One page of a flush: written if it is dirty, then perhaps dropped. */
static int flush_page(struct vm *vm, struct mapping *m, u32 index, u32 pfn, bool drop)
{
	const struct page *p = &vm->pages[pfn];

	if (drop && !(p->flags & (PG_LOCKED | PG_WRITEBACK)))
		vm_unmap_file_page(vm, pfn); /* a dirty PTE makes the page dirty */
	if (p->flags & PG_DIRTY && !(p->flags & PG_WRITEBACK)) {
		int rc = vm_writepage(vm, pfn, false);

		if (rc)
			return rc;
	}
	if (p->flags & PG_WRITEBACK || (drop && p->flags & PG_LOCKED))
		return need(vm, VM_WAIT, mapping_id(vm, m), index);
	if (drop) {
		vm_cache_remove(vm, pfn);
		vm_put_page(vm, pfn, false);
	}
	return VM_DONE;
}

/*
 * vm_file_flush - the disk has what the cached pages of a range have
 * @index, @nr: pages
 * @drop:       and the pages are cached no more
 *
 * Call again until VM_DONE: then it is so, at this moment. Return: VM_DONE,
 * VM_WAIT (for a transfer), -EINVAL (tmpfs has no disk). A failed write-out
 * leaves its page dirty and its errno in the mapping: look there.
 */
int vm_file_flush(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		  uint32_t drop)
{
	int rc, result = VM_DONE;
	struct mapping *m;
	u32 handle;
	u64 end = (u64)index + nr;

	if (!mapping_ok(vm, id) || is_shm(&vm->mappings[id]))
		return -EINVAL;
	m = &vm->mappings[id];
	for (; vm_tree_next(vm, m, &index, &handle) && index < end; index++) {
		rc = flush_page(vm, m, index, *vm_slot(vm, handle) - 1, drop);
		if (rc)
			result = rc;
	}
	return result;
}

/*
 * vm_file_writeback - send dirty pages to the disk, in order of the file
 * @index:   where to begin; where to go on
 * @max:     pages to send
 * @written: added to
 *
 * Pages that are under writeback already are passed over. Return: VM_DONE
 * (nothing dirty behind *index), VM_MORE, VM_WAIT (queue full), -EINVAL.
 */
int vm_file_writeback(struct vm *vm, uint32_t id, uint32_t *index, uint32_t max,
		      uint32_t *written)
{
	struct mapping *m;
	u32 handle;
	int rc;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	while (max && vm_tree_next_dirty(vm, m, index, &handle)) {
		u32 pfn = *vm_slot(vm, handle) - 1;

		if (!(vm->pages[pfn].flags & PG_WRITEBACK)) {
			rc = vm_writepage(vm, pfn, false);
			if (rc)
				return rc;
			*written += 1;
			max--;
		}
		if (++*index == 0)
			return VM_DONE;
	}
	return max ? VM_DONE : VM_MORE;
}
