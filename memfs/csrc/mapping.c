/*
 * mapping.c - mappings, and pages in and out of their index
 *
 * A mapping is the page cache of one file: an index of its pages, counters, and
 * the descriptor of the host's file while there is I/O to do. Whether a page is
 * dirty is said by the page, by its tag in the index and by two counters, which
 * change together here.
 *
 * Models: mm/filemap.c add_to_page_cache(), __remove_from_page_cache(); fs/buffer.c
 * __set_page_dirty_buffers(), 2.6.0.
 */
#include <errno.h>

#include "filemap.h"

/* ---- mappings ---- */

uint32_t vm_mapping_create(struct vm *vm, uint32_t kind)
{
	u32 id = vm->free_mapping;
	struct mapping *m;

	if (id != NONE)
		vm->free_mapping = vm->mappings[id].leaf;
	else if (vm->nr_mappings < vm->max_mappings)
		id = vm->nr_mappings++;
	else
		return VM_NO_ID;
	m = &vm->mappings[id];
	*m = (struct mapping){ .used = 1, .kind = kind, .leaf = NONE, .fd = -1 };
	return id;
}

int vm_mapping_destroy(struct vm *vm, uint32_t id)
{
	struct mapping *m;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	if (m->root || m->nr_vmas)
		return -EBUSY;
	m->used = 0;
	m->leaf = vm->free_mapping;
	vm->free_mapping = id;
	return 0;
}

int vm_mapping_fd(struct vm *vm, uint32_t id, int fd)
{
	if (!mapping_ok(vm, id))
		return -EINVAL;
	vm->mappings[id].fd = fd;
	return 0;
}

/*
 * vm_mapping_fallback - a file that has no way of its own to move its pages
 *
 * Its dirty pages are written and their buffers released before they move.
 *
 * Models: mm/migrate.c fallback_migrate_page(), 2.6.18. Return: 0, -EINVAL, or -EBUSY:
 * it has pages already.
 */
int vm_mapping_fallback(struct vm *vm, uint32_t id)
{
	if (!mapping_ok(vm, id) || is_shm(&vm->mappings[id]))
		return -EINVAL;
	if (vm->mappings[id].nrpages)
		return -EBUSY;
	vm->mappings[id].fallback = 1;
	return 0;
}

int vm_mapping_size(struct vm *vm, uint32_t id, uint64_t bytes)
{
	if (!mapping_ok(vm, id))
		return -EINVAL;
	if (bytes > (u64)NONE * PAGE_SIZE)
		return -EFBIG;
	vm->mappings[id].size = bytes;
	return 0;
}

/*
 * vm_mapping_grant - let the short way make pages dirty, at the end of the file too
 * @pages: that become dirty before somebody else looks at the limits
 *
 * Return: how many of those of the last time are left.
 */
uint32_t vm_mapping_grant(struct vm *vm, uint32_t id, uint32_t pages)
{
	u32 left;

	if (!mapping_ok(vm, id))
		return 0;
	left = vm->mappings[id].grant;
	vm->mappings[id].grant = pages;
	return left;
}

/* Bytes: as vm_mapping_size() or the last write behind it has set it. */
uint64_t vm_mapping_bytes(struct vm *vm, uint32_t id)
{
	return mapping_ok(vm, id) ? vm->mappings[id].size : 0;
}

int vm_mapping_stat(struct vm *vm, uint32_t id, struct vm_mapping_stat *out)
{
	const struct mapping *m;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	out->nrpages = m->nrpages;
	out->nr_dirty = m->nr_dirty;
	out->nr_writeback = m->nr_writeback;
	out->nr_locked = m->nr_locked;
	out->nr_swapped = m->nr_swapped;
	out->nr_vmas = m->nr_vmas;
	out->error = m->error;
	out->nr_exceptional = m->nr_nodes;
	return 0;
}

/* Pages that are dirty or on their way to the disk. */
uint32_t vm_mapping_unwritten(struct vm *vm, uint32_t id)
{
	if (!mapping_ok(vm, id))
		return 0;
	return vm->mappings[id].nr_dirty + vm->mappings[id].nr_writeback;
}

void vm_mapping_clear_error(struct vm *vm, uint32_t id)
{
	if (mapping_ok(vm, id))
		vm->mappings[id].error = 0;
}

/* ---- pages in and out of the index ---- */

static void cache_insert(struct vm *vm, struct mapping *m, u32 index, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z = page_zone(vm, pfn);

	p->flags |= is_shm(m) ? PG_CACHED | PG_SWAPBACKED : PG_CACHED;
	p->flags |= m->fallback ? (u32)PG_FALLBACK : 0;
	p->index = vm_tree_insert(vm, m, index, pfn + 1);
	m->nrpages++;
	z->item[NR_FILE]++;
	z->item[NR_SHMEM] += is_shm(m);
}

void vm_release_buffers(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (!(p->flags & PG_PRIVATE))
		return;
	p->flags &= ~(u32)PG_PRIVATE;
	page_zone(vm, pfn)->item[NR_BUFFERS]--;
}

void vm_cache_uncount(struct vm *vm, struct mapping *m, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z = page_zone(vm, pfn);

	vm_release_buffers(vm, pfn);
	vm_client_clear(vm, pfn);
	p->flags &= ~(PG_CACHED | PG_MAPPEDTODISK | PG_FALLBACK);
	p->index = 0;
	m->nrpages--;
	z->item[NR_FILE]--;
	z->item[NR_SHMEM] -= is_shm(m);
}

void vm_cache_remove(struct vm *vm, u32 pfn)
{
	u32 handle = vm->pages[pfn].index;
	struct mapping *m = vm_handle_mapping(vm, handle);

	clear_dirty(vm, pfn);
	vm_tree_delete(vm, handle);
	vm_cache_uncount(vm, m, pfn);
}

void vm_set_dirty(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (p->flags & PG_DIRTY)
		return;
	p->flags |= PG_DIRTY;
	if (!(p->flags & PG_CACHED) || p->flags & PG_SWAPBACKED)
		return;
	vm_tree_tag(vm, p->index, 0, true);
	vm_handle_mapping(vm, p->index)->nr_dirty++;
	page_zone(vm, pfn)->item[NR_DIRTY]++;
	page_zone(vm, pfn)->numa[NUMA_DIRTIED]++;
}

void vm_clear_dirty(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (!(p->flags & PG_DIRTY))
		return;
	p->flags &= ~(u32)PG_DIRTY;
	if (!(p->flags & PG_CACHED) || p->flags & PG_SWAPBACKED)
		return;
	vm_tree_tag(vm, p->index, 0, false);
	vm_handle_mapping(vm, p->index)->nr_dirty--;
	page_zone(vm, pfn)->item[NR_DIRTY]--;
}

/* Memory for the slot of `index`, then for the page itself. */
int vm_cache_new_page(struct vm *vm, struct mapping *m, u32 index, u32 flags, u32 *pfn)
{
	if (vm_tree_reserve(vm, m, index))
		return VM_NOMEM;
	*pfn = vm_alloc_user(vm, flags);
	if (*pfn == NONE)
		return VM_NOMEM;
	cache_insert(vm, m, index, *pfn);
	vm_lru_cache_add(vm, *pfn, LRU_INACTIVE);
	return VM_DONE;
}

/* ---- looking ---- */

int vm_file_next_dirty(struct vm *vm, uint32_t id, uint32_t *index)
{
	u32 handle;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	return vm_tree_next_dirty(vm, &vm->mappings[id], index, &handle);
}

/* One byte a page, as mincore(2): 1 cached and uptodate, 2 swapped, 0 not. */
int vm_file_resident(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		     uint8_t *out)
{
	u32 i, slot;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		const struct page *p =
			vm_tree_page(vm, &vm->mappings[id], index + i, &slot);

		out[i] = slot & SLOT_SWAP ? 2 : p && p->flags & PG_UPTODATE;
	}
	return 0;
}
