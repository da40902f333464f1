/*
 * truncate.c - pages that go because their part of the file does
 *
 * Models: mm/truncate.c truncate_inode_pages(), mm/shmem.c shmem_truncate(), 2.6.0;
 * holes are as shmem_fallocate() of 6.1 makes them.
 */
#include <errno.h>
#include <string.h>

#include "filemap.h"

static u64 page_end(u64 at)
{
	return (at / PAGE_SIZE + 1) * PAGE_SIZE;
}

static int drop_slot(struct vm *vm, struct mapping *m, u32 index, u32 handle)
{
	u32 slot = *vm_slot(vm, handle);
	u32 pfn = slot - 1;

	if (slot & SLOT_SWAP) {
		m->nr_swapped--;
		vm_tree_delete(vm, handle);
		vm_swap_free(vm, slot & ~SLOT_SWAP);
		return VM_DONE;
	}
	if (vm->pages[pfn].flags & (PG_LOCKED | PG_WRITEBACK))
		return need(vm, VM_WAIT, mapping_id(vm, m), index);
	vm_unmap_file_page(vm, pfn);
	vm_cache_remove(vm, pfn);
	vm_put_page(vm, pfn, false);
	return VM_DONE;
}

/* Bytes from `at` up to `end`, of one page, read as zero from now on. */
static int zero_part(struct vm *vm, struct mapping *m, u64 at, u64 end)
{
	u32 index = (u32)(at >> PAGE_SHIFT);
	u32 pfn, slot;
	u8 *frame;
	int rc;

	if (!vm_tree_page(vm, m, index, &slot) && !(slot & SLOT_SWAP))
		return VM_DONE;
	rc = vm_find_page(vm, m, index, &pfn);
	if (rc == VM_READ && !(slot & SLOT_SWAP))
		return VM_DONE;
	if (rc || pfn == NONE)
		return rc;
	frame = vm_frame(vm, pfn);
	if (!frame)
		return -EIO;
	memset(frame + at % PAGE_SIZE, 0, end - at);
	return VM_DONE;
}

/* Drop up to `budget` pages of [*index, end); *index says where to go on. */
static int drop_range(struct vm *vm, struct mapping *m, u32 *index, u32 end, u32 budget)
{
	u32 handle;
	int rc;

	while (budget--) {
		if (!vm_tree_next(vm, m, index, &handle) || *index >= end)
			return VM_DONE;
		rc = drop_slot(vm, m, *index, handle);
		if (rc)
			return rc;
	}
	return VM_MORE;
}

/*
 * vm_file_truncate - set the size and forget the pages above it
 * @bytes:  new size; the same in every call of one truncation
 * @budget: pages to drop in this call
 *
 * Return: VM_DONE, VM_MORE, VM_WAIT, VM_READ (a tmpfs tail in swap), -errno.
 */
int vm_file_truncate(struct vm *vm, uint32_t id, uint64_t bytes, uint32_t budget)
{
	u32 index = (u32)((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
	struct mapping *m;
	int rc;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	if (bytes > (u64)NONE * PAGE_SIZE)
		return -EFBIG;
	m = &vm->mappings[id];
	if (bytes < m->size && bytes % PAGE_SIZE) {
		rc = zero_part(vm, m, bytes, page_end(bytes));
		if (rc)
			return rc;
	}
	m->size = bytes;
	return drop_range(vm, m, &index, NONE, budget);
}

/*
 * vm_file_light - whether vm_file_forget() would do it
 * @budget: pages at most
 */
int vm_file_light(struct vm *vm, uint32_t id, uint32_t budget)
{
	const struct mapping *m;

	if (!mapping_ok(vm, id))
		return 0;
	m = &vm->mappings[id];
	return !m->nr_vmas && !m->nr_writeback && !m->nr_locked &&
	       m->nrpages + m->nr_swapped <= budget;
}

/*
 * vm_file_forget - drop every page and the file itself, if that is done at once
 * @budget: pages at most
 *
 * Return: whether it is done; if not, nothing is: the file is large, mapped, or a
 * transfer is on its way.
 */
int vm_file_forget(struct vm *vm, uint32_t id, uint32_t budget)
{
	struct mapping *m;
	u32 index = 0;

	if (!vm_file_light(vm, id, budget))
		return 0;
	m = &vm->mappings[id];
	m->size = 0;
	/* Nothing is locked or on its way, so there is nothing to wait for. */
	return drop_range(vm, m, &index, NONE, budget + 1) == VM_DONE &&
	       !vm_mapping_destroy(vm, id);
}

/* The parts of a range that are not whole pages: its head, and its tail. */
static int zero_ends(struct vm *vm, struct mapping *m, u64 off, u64 end)
{
	int rc;

	if (off % PAGE_SIZE) {
		rc = zero_part(vm, m, off, min_t(u64, end, page_end(off)));
		if (rc)
			return rc;
	}
	if (end % PAGE_SIZE && end - end % PAGE_SIZE >= off)
		return zero_part(vm, m, end - end % PAGE_SIZE, end);
	return VM_DONE;
}

/*
 * vm_file_punch - forget the whole pages of a range, zero the rest of it
 * @off, @len: range in bytes; the same in every call of one punch
 * @index:     0 in the first call; where to go on
 * @budget:    pages to drop in this call
 *
 * The size stays, and what the host has is the caller's. Pages that come in
 * behind *index meanwhile stay. Return: as vm_file_truncate(), -EFBIG.
 */
int vm_file_punch(struct vm *vm, uint32_t id, uint64_t off, uint64_t len,
		  uint32_t *index, uint32_t budget)
{
	struct mapping *m;
	int rc;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	if (off + len > (u64)NONE * PAGE_SIZE || off + len < off)
		return -EFBIG;
	m = &vm->mappings[id];
	rc = zero_ends(vm, m, off, off + len);
	if (rc)
		return rc;
	*index = max_t(u32, *index, (u32)((off + PAGE_SIZE - 1) >> PAGE_SHIFT));
	return drop_range(vm, m, index, (u32)((off + len) >> PAGE_SHIFT), budget);
}
