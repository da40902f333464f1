/*
 * filemap.c - reading and writing files of the page cache
 *
 * Reads and writes copy between the caller's buffer and the frames of cached
 * pages; what is missing is named to the caller, who has it read.
 *
 * Models: mm/filemap.c do_generic_mapping_read(), generic_file_aio_write();
 * mm/shmem.c shmem_getpage(), 2.6.0.
 */
#include <errno.h>
#include <string.h>

#include "filemap.h"

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
		rc = vm_shm_from_swap(vm, m, index, slot & ~SLOT_SWAP);
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
	rc = vm_cache_new_page(vm, m, index, VM_ALLOC_COLD, &pfn);
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

/* Nothing of a page but what is written next, n bytes, is known. */
static void fresh_frame(struct vm *vm, u32 pfn, u32 n)
{
	if (n == PAGE_SIZE)
		vm_frame_new(vm, pfn);
	else
		vm_frame_zero(vm, pfn);
}

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
			fresh_frame(vm, *pfn, n);
			rc = VM_DONE;
		}
		if (rc || *pfn != NONE)
			return rc;
	}
	rc = vm_cache_new_page(vm, m, index, 0, pfn);
	if (rc)
		return rc;
	fresh_frame(vm, *pfn, n);
	return VM_DONE;
}

static void copy_in(struct vm *vm, u32 pfn, u8 *frame, u32 at, u32 n, const u8 *buf,
		    u32 how)
{
	if (how & WRITE_CLIENT) {
		if (vm_twin_merge(vm, pfn, at, n, frame, buf))
			return;
	} else {
		vm_twin_keep(vm, pfn, frame);
	}
	if (how & WRITE_LARGE && n == PAGE_SIZE)
		stream_page(frame, buf);
	else
		memcpy(frame + at, buf, n);
}

/* Bytes into a page, which is uptodate, or overwritten whole, and dirty then. */
int vm_write_into(struct vm *vm, struct mapping *m, u32 pfn, u32 at, u32 n,
		  const u8 *buf, u32 how)
{
	struct page *p = &vm->pages[pfn];
	u8 *frame = vm_frame(vm, pfn);

	if (!frame)
		return -EIO;
	copy_in(vm, pfn, frame, at, n, buf, how);
	p->flags |= PG_UPTODATE;
	p->flags &= ~(u32)PG_ERROR;
	if (!is_shm(m) && !(p->flags & PG_PRIVATE)) {
		p->flags |= PG_PRIVATE;
		page_zone(vm, pfn)->item[NR_BUFFERS]++;
	}
	vm_set_dirty(vm, pfn);
	/* To write a dirty PTE's page out is no use of it. */
	if (how & WRITE_CLIENT)
		vm_client_mark(vm, pfn, false);
	else
		vm_mark_accessed(vm, pfn);
	return VM_DONE;
}

static int write_page(struct vm *vm, struct mapping *m, u64 at, u32 n, const u8 *buf,
		      u32 how)
{
	u32 pfn;
	int rc;

	rc = page_for_write(vm, m, at, n, &pfn);
	if (rc)
		return rc;
	return vm_write_into(vm, m, pfn, (u32)(at % PAGE_SIZE), n, buf, how);
}

static int file_write(struct vm *vm, u32 id, u64 off, u32 len, const void *buf,
		      u32 *done, bool client)
{
	u32 how = write_how(client, len);
	struct mapping *m;
	int rc = VM_DONE;

	if (!mapping_ok(vm, id))
		return -EINVAL;
	m = &vm->mappings[id];
	if (off + len > (u64)NONE * PAGE_SIZE || off + len < off)
		return -EFBIG;
	vm_frames_settle(vm);
	while (*done < len) {
		u64 at = off + *done;
		u32 n = min_t(u32, PAGE_SIZE - at % PAGE_SIZE, len - *done);

		rc = write_page(vm, m, at, n, (const u8 *)buf + *done, how);
		if (rc)
			break;
		*done += n;
		m->size = max_t(u64, m->size, at + n);
	}
	stream_end();
	return rc;
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
