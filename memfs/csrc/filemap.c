/*
 * filemap.c - the page cache of files and of tmpfs
 *
 * Reads and writes copy between the caller's buffer and the frames of cached
 * pages; what is missing is named to the caller, who has it read. A file's
 * pages go to the disk, a tmpfs page to swap: its slot of the index then
 * holds the swap entry.
 *
 * Models: mm/filemap.c do_generic_mapping_read(), generic_file_aio_write();
 * mm/shmem.c shmem_getpage(), shmem_writepage(); mm/truncate.c, 2.6.0.
 */
#include <errno.h>
#include <string.h>

#include "vm_int.h"

static bool mapping_ok(struct vm *vm, u32 id)
{
	return id < vm->nr_mappings && vm->mappings[id].used;
}

static bool is_shm(const struct mapping *m)
{
	return m->kind == VM_MAP_SHM;
}

static u32 mapping_id(struct vm *vm, const struct mapping *m)
{
	return (u32)(m - vm->mappings);
}

static u64 page_end(u64 at)
{
	return (at / PAGE_SIZE + 1) * PAGE_SIZE;
}

static int need(struct vm *vm, int rc, u32 mapping, u32 index)
{
	vm->need.mapping = mapping;
	vm->need.index = index;
	vm->need.failed = 0;
	return rc;
}

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

int vm_mapping_size(struct vm *vm, uint32_t id, uint64_t bytes)
{
	if (!mapping_ok(vm, id))
		return -EINVAL;
	if (bytes > (u64)NONE * PAGE_SIZE)
		return -EFBIG;
	vm->mappings[id].size = bytes;
	return 0;
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
	p->index = vm_tree_insert(vm, m, index, pfn + 1);
	m->nrpages++;
	z->item[NR_FILE]++;
	z->item[NR_SHMEM] += is_shm(m);
}

static void uncount(struct vm *vm, struct mapping *m, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z = page_zone(vm, pfn);

	if (p->flags & PG_PRIVATE) {
		p->flags &= ~(u32)PG_PRIVATE;
		z->item[NR_BUFFERS]--;
	}
	vm_client_clear(vm, pfn);
	p->flags &= ~(PG_CACHED | PG_MAPPEDTODISK);
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
	uncount(vm, m, pfn);
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
static int new_page(struct vm *vm, struct mapping *m, u32 index, u32 flags, u32 *pfn)
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

/* ---- tmpfs and swap ---- */

/* A hole of a tmpfs is filled with a page of zeros. */
int vm_shm_new_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn)
{
	int rc = new_page(vm, m, index, 0, pfn);

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
	u32 slot = vm_swap_alloc(vm);

	if (slot == NONE)
		return -ENOSPC;
	uncount(vm, m, pfn);
	*vm_slot(vm, handle) = SLOT_SWAP | slot;
	m->nr_swapped++;
	vm->swap.map[slot]++;
	vm_swap_cache_add(vm, pfn, slot);
	p->flags |= PG_DIRTY;
	return 0;
}

/* A tmpfs page comes back from the swap cache into its index. */
static int shm_from_swap(struct vm *vm, struct mapping *m, u32 index, u32 slot)
{
	u32 pfn = vm->swap.cache[slot];
	struct page *p;
	u32 handle;

	if (!pfn--)
		return need(vm, VM_READ, VM_SWAP_MAPPING, slot);
	p = &vm->pages[pfn];
	if (p->flags & (PG_LOCKED | PG_WRITEBACK))
		return need(vm, VM_WAIT, VM_SWAP_MAPPING, slot);
	if (!(p->flags & PG_UPTODATE))
		return -EIO;
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

/* ---- finding a page that can be used ---- */

/*
 * The page at index, uptodate: VM_DONE with *pfn, or with NONE for a hole of
 * a tmpfs; VM_READ or VM_WAIT. A page whose reading failed is to be read again:
 * need.failed tells who has tried that already to give up.
 */
int vm_find_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn)
{
	u32 id = mapping_id(vm, m);
	struct page *p;
	u32 slot;
	int rc;

	p = vm_tree_page(vm, m, index, &slot);
	if (slot & SLOT_SWAP) {
		rc = shm_from_swap(vm, m, index, slot & ~SLOT_SWAP);
		if (rc)
			return rc;
		p = vm_tree_page(vm, m, index, &slot);
	}
	*pfn = slot - 1;
	if (!p)
		return is_shm(m) ? VM_DONE : need(vm, VM_READ, id, index);
	if (p->flags & PG_LOCKED)
		return need(vm, VM_WAIT, id, index);
	if (p->flags & PG_UPTODATE)
		return VM_DONE;
	need(vm, VM_READ, id, index);
	vm->need.failed = (p->flags & PG_ERROR) != 0;
	return VM_READ;
}

/* ---- read ---- */

static int read_page(struct vm *vm, struct mapping *m, u64 at, u32 n, u8 *buf,
		     bool client)
{
	u8 *frame;
	u32 pfn;
	int rc;

	rc = vm_find_page(vm, m, (u32)(at >> PAGE_SHIFT), &pfn);
	if (rc)
		return rc;
	if (pfn == NONE && client) {
		rc = vm_shm_new_page(vm, m, (u32)(at >> PAGE_SHIFT), &pfn);
		if (rc)
			return rc;
	}
	if (pfn == NONE) {
		memset(buf, 0, n);
		return VM_DONE;
	}
	frame = vm_frame(vm, pfn);
	if (!frame)
		return -EIO;
	vm_mark_accessed(vm, pfn);
	if (client)
		vm_client_mark(vm, pfn, true);
	memcpy(buf, frame + at % PAGE_SIZE, n);
	return VM_DONE;
}

static int file_read(struct vm *vm, u32 id, u64 off, u32 len, void *buf, u32 *done,
		     bool client)
{
	struct mapping *m;
	u64 end;
	int rc;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	end = min_t(u64, off + len, m->size);
	vm_frames_settle(vm);
	while (off + *done < end) {
		u64 at = off + *done;
		u32 n = min_t(u32, PAGE_SIZE - at % PAGE_SIZE, end - at);

		rc = read_page(vm, m, at, n, (u8 *)buf + *done, client);
		if (rc)
			return rc;
		*done += n;
	}
	return VM_DONE;
}

/*
 * vm_file_read - copy cached bytes out
 * @off, @len: range in bytes; cut at the end of the file
 * @done:      bytes copied so far; start with 0, call again with the same
 *
 * Return: VM_DONE, VM_READ, VM_WAIT, -EIO, -EINVAL.
 */
int vm_file_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		 uint32_t *done)
{
	return file_read(vm, id, off, len, buf, done, false);
}

/*
 * As vm_file_read(), into the page cache of the real kernel, which keeps it. A hole
 * of a tmpfs gets its page, as at any fault: VM_NOMEM, too.
 */
int vm_client_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		   uint32_t *done)
{
	return file_read(vm, id, off, len, buf, done, true);
}

/* A page without contents of its own: locked until the disk has brought it. */
static int start_read(struct vm *vm, struct mapping *m, u32 index, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 id = mapping_id(vm, m);
	int rc = vm_submit(vm, VM_DEV_DISK, false, id, index, pfn);

	if (rc)
		return need(vm, rc, id, index);
	p->flags |= PG_LOCKED;
	p->flags &= ~(u32)PG_ERROR;
	page_zone(vm, pfn)->item[NR_LOCKED]++;
	m->nr_locked++;
	return VM_DONE;
}

static int submit_one(struct vm *vm, struct mapping *m, u32 index, u32 *submitted)
{
	u32 pfn, slot;
	int rc;

	if (vm_tree_page(vm, m, index, &slot)) {
		const struct page *p = &vm->pages[slot - 1];

		if (p->flags & (PG_UPTODATE | PG_LOCKED))
			return VM_DONE;
		return start_read(vm, m, index, slot - 1);
	}
	if (!vm_dev_room(vm, VM_DEV_DISK, false))
		return need(vm, VM_WAIT, mapping_id(vm, m), index);
	rc = new_page(vm, m, index, VM_ALLOC_COLD, &pfn);
	if (rc)
		return rc;
	*submitted += 1;
	return start_read(vm, m, index, pfn);
}

/*
 * vm_file_submit_read - start reading pages that are not cached
 * @index, @nr: pages; those beyond the end of the file are left out
 * @submitted:  pages whose reading was started by this call
 *
 * Return: VM_DONE, VM_NOMEM or VM_WAIT after some, -EINVAL.
 */
int vm_file_submit_read(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
			uint32_t *submitted)
{
	struct mapping *m;
	u64 end;
	int rc;

	*submitted = 0;
	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	if (is_shm(m))
		return -EINVAL;
	end = min_t(u64, (u64)index + nr, (m->size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	for (; index < end; index++) {
		rc = submit_one(vm, m, index, submitted);
		if (rc)
			return rc;
	}
	return VM_DONE;
}

/* ---- write ---- */

/* A page to write into: cached, or new where nothing of it need be read. */
static int page_for_write(struct vm *vm, struct mapping *m, u64 at, u32 n, u32 *pfn)
{
	u32 index = (u32)(at >> PAGE_SHIFT);
	bool whole = n == PAGE_SIZE || (u64)index << PAGE_SHIFT >= m->size;
	u32 slot;
	int rc;

	*pfn = NONE;
	if (!whole || is_shm(m) || vm_tree_page(vm, m, index, &slot)) {
		rc = vm_find_page(vm, m, index, pfn);
		if (rc == VM_READ && whole && vm_tree_page(vm, m, index, &slot)) {
			/* Not uptodate and overwritten whole. */
			*pfn = slot - 1;
			vm_frame_zero(vm, *pfn);
			rc = VM_DONE;
		}
		if (rc || *pfn != NONE)
			return rc;
	}
	rc = new_page(vm, m, index, 0, pfn);
	if (rc)
		return rc;
	vm_frame_zero(vm, *pfn);
	return VM_DONE;
}

static int write_page(struct vm *vm, struct mapping *m, u64 at, u32 n, const u8 *buf,
		      bool client)
{
	struct page *p;
	u8 *frame;
	u32 pfn;
	int rc;

	rc = page_for_write(vm, m, at, n, &pfn);
	if (rc)
		return rc;
	p = &vm->pages[pfn];
	frame = vm_frame(vm, pfn);
	if (!frame)
		return -EIO;
	memcpy(frame + at % PAGE_SIZE, buf, n);
	p->flags |= PG_UPTODATE;
	p->flags &= ~(u32)PG_ERROR;
	if (!is_shm(m) && !(p->flags & PG_PRIVATE)) {
		p->flags |= PG_PRIVATE;
		page_zone(vm, pfn)->item[NR_BUFFERS]++;
	}
	vm_set_dirty(vm, pfn);
	/* To write a dirty PTE's page out is no use of it. */
	if (client)
		vm_client_mark(vm, pfn, false);
	else
		vm_mark_accessed(vm, pfn);
	return VM_DONE;
}

static int file_write(struct vm *vm, u32 id, u64 off, u32 len, const void *buf,
		      u32 *done, bool client)
{
	struct mapping *m;
	int rc;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	if (off + len > (u64)NONE * PAGE_SIZE || off + len < off)
		return -EFBIG;
	vm_frames_settle(vm);
	while (*done < len) {
		u64 at = off + *done;
		u32 n = min_t(u32, PAGE_SIZE - at % PAGE_SIZE, len - *done);

		rc = write_page(vm, m, at, n, (const u8 *)buf + *done, client);
		if (rc)
			return rc;
		*done += n;
		m->size = max_t(u64, m->size, at + n);
	}
	return VM_DONE;
}

/*
 * vm_file_write - copy bytes into cached pages and make them dirty
 * @done: bytes written so far; start with 0, call again with the same
 *
 * The file grows with each page written. Return: VM_DONE, VM_READ (a page
 * that is written in part), VM_WAIT, VM_NOMEM, -EIO, -EFBIG, -EINVAL.
 */
int vm_file_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t *done)
{
	return file_write(vm, id, off, len, buf, done, false);
}

/* As vm_file_write(), out of a page cache of the real kernel, which may keep it. */
int vm_client_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		    const void *buf, uint32_t *done)
{
	return file_write(vm, id, off, len, buf, done, true);
}

/* ---- truncate, punch ---- */

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

/* ---- write-back ---- */

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
