/*
 * lane.c - the short way: reads and writes that need nobody's decision
 *
 * What is resident can be read, and what is dirty already can be overwritten,
 * without a page allocated, a device asked or a limit looked at. A file can have some
 * pages granted: so many more may become dirty before somebody looks at the limits,
 * which 2.6 does every so many pages as well. Such a request is answered here, in one
 * call; of any other one nothing is done, and it goes the long way. The end state is
 * the same on both.
 *
 * Read-ahead is decided here as in memfs/vm/readahead.py, which says what it models:
 * as long as all that it asks for is resident, too.
 */
#include <errno.h>
#include <string.h>

#include "filemap.h"

/* ---- read-ahead ---- */

static bool is_sequential(const struct vm_ra *ra, int64_t first)
{
	return first == ra->prev || first == ra->prev + 1 ||
	       (ra->size && first == ra->asked);
}

static bool window_resident(struct vm *vm, struct mapping *m, u32 first, u32 nr)
{
	u32 slot;

	for (; nr; nr--, first++) {
		const struct page *p = vm_tree_page(vm, m, first, &slot);

		if (!p || !(p->flags & (PG_UPTODATE | PG_LOCKED)))
			return false;
	}
	return true;
}

/*
 * An access to pages first..last; false: it asks for a page that is not there, and
 * nothing is noted.
 */
static bool ra_access(struct vm *vm, struct mapping *m, struct vm_ra *ra, u32 first,
		      u32 last)
{
	u32 max = vm->readahead, pages = (u32)((m->size + PAGE_SIZE - 1) >> PAGE_SHIFT);
	struct vm_ra next = *ra;

	if (!max || !is_sequential(ra, first)) {
		*ra = (struct vm_ra){ .prev = last };
		return true;
	}
	if (!next.size) {
		next.size = max_t(u32, 1, max / 2);
		next.mark = next.asked = first;
	}
	while (next.mark <= last && next.asked < pages) {
		u32 nr = min_t(u32, next.size, pages - next.asked);

		if (!window_resident(vm, m, next.asked, nr))
			return false;
		/* The first window is entered as soon as it is asked for. */
		next.mark = next.asked == first && !ra->size ? first : next.asked;
		next.asked += nr;
		next.size = min_t(u32, max, 2 * next.size);
	}
	next.prev = last;
	*ra = next;
	return true;
}

/* ---- pages that can be had at once ---- */

/* A page whose bytes are in memory and that no transfer changes; or NONE. */
static u32 ready_page(struct vm *vm, struct mapping *m, u32 index)
{
	u32 slot;
	const struct page *p = vm_tree_page(vm, m, index, &slot);

	if (!p || (p->flags & (PG_UPTODATE | PG_LOCKED)) != PG_UPTODATE ||
	    !bit_test(vm->resident, slot - 1))
		return NONE;
	return slot - 1;
}

static bool request_ok(struct vm *vm, u32 id, u32 len)
{
	return mapping_ok(vm, id) && len && len <= VM_LANE_BYTES;
}

/*
 * vm_lane_read - where the bytes of a range are, if all of it is resident
 * @off, @len: range in bytes, at most VM_LANE_BYTES; cut at the end of the file
 * @client:    the real kernel keeps a copy of the pages
 * @ra:        of the descriptor
 * @out:       room for VM_LANE_PIECES; good until the next call of the core
 * @nr:        pieces
 *
 * Return: bytes, or -EAGAIN: nothing was done.
 */
int vm_lane_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		 uint32_t client, struct vm_ra *ra, struct vm_piece *out, uint32_t *nr)
{
	u32 pfn[VM_LANE_PIECES], first, last, i;
	struct mapping *m;
	u64 end, at;

	if (!request_ok(vm, id, len) || off >= vm->mappings[id].size)
		return -EAGAIN;
	m = &vm->mappings[id];
	end = min_t(u64, off + len, m->size);
	first = (u32)(off >> PAGE_SHIFT);
	last = (u32)((end - 1) >> PAGE_SHIFT);
	for (i = 0; i <= last - first; i++) {
		pfn[i] = ready_page(vm, m, first + i);
		if (pfn[i] == NONE)
			return -EAGAIN;
	}
	if (!is_shm(m) && !ra_access(vm, m, ra, first, last))
		return -EAGAIN;
	*nr = 0;
	for (i = 0, at = off; at < end; i++) {
		u32 n = min_t(u32, PAGE_SIZE - at % PAGE_SIZE, end - at);
		u8 *base = vm_frame(vm, pfn[i]) + at % PAGE_SIZE;

		vm_mark_accessed(vm, pfn[i]);
		if (client)
			vm_client_mark(vm, pfn[i], true);
		if (*nr && (u8 *)out[*nr - 1].base + out[*nr - 1].len == base)
			out[*nr - 1].len += n;
		else
			out[(*nr)++] = (struct vm_piece){ base, n };
		at += n;
	}
	vm->lane_ops++;
	return (int)(end - off);
}

/* ---- writing ---- */

/* Bytes into pages that are ready and dirty. It cannot fail: they are in memory. */
static void overwrite(struct vm *vm, struct mapping *m, const u32 *pfn, u64 off,
		      u32 len, const u8 *buf, u32 how)
{
	u32 i, done = 0;

	for (i = 0; done < len; i++) {
		u32 n = min_t(u32, PAGE_SIZE - (off + done) % PAGE_SIZE, len - done);

		(void)vm_write_into(vm, m, pfn[i], (u32)((off + done) % PAGE_SIZE), n,
				    buf + done, how);
		done += n;
	}
	stream_end();
}

/*
 * The pages of a range, NONE for those behind the end of the file. Return: how many of
 * them are not dirty yet, or NONE: one is not ready.
 */
static u32 pages_to_write(struct vm *vm, struct mapping *m, u64 off, u32 len, u32 *pfn)
{
	const u32 first = (u32)(off >> PAGE_SHIFT);
	const u32 last = (u32)((off + len - 1) >> PAGE_SHIFT);
	const u64 pages = (m->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	u32 i, slot, clean = 0;

	for (i = 0; i <= last - first; i++) {
		if (first + i < pages)
			pfn[i] = ready_page(vm, m, first + i);
		else
			pfn[i] = NONE;
		if (pfn[i] != NONE)
			clean += !(vm->pages[pfn[i]].flags & PG_DIRTY);
		else if (first + i < pages || vm_tree_page(vm, m, first + i, &slot) ||
			 slot)
			return NONE;
		else
			clean++;
	}
	return clean;
}

/* Whether so many pages may become dirty, and the file grow, without a word. */
static bool may_dirty(struct vm *vm, const struct mapping *m, u32 nr)
{
	return m->grant && nr <= m->grant && vm_plenty(vm, VM_CLASS_HOTREMOVABLE, nr) &&
	       vm_plenty(vm, VM_CLASS_NORMAL, nr);
}

/*
 * vm_lane_write - overwrite pages that are resident and dirty, or as many as were granted
 * @client: out of the real kernel's copy of the pages
 *
 * Up to vm_mapping_grant() pages that are clean, or behind the end of the file, become
 * dirty as well: where memory is plenty, so that nobody need be woken, and not out of
 * the kernel's copy, of which not all belongs to the file. Return: bytes, all of them,
 * or -EAGAIN: nothing was done, or, at the end of the file, a part that is to be written
 * again.
 */
int vm_lane_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t client)
{
	u32 pfn[VM_LANE_PIECES], clean, done = 0;
	struct mapping *m;

	if (!request_ok(vm, id, len) || off > vm->mappings[id].size)
		return -EAGAIN;
	m = &vm->mappings[id];
	clean = pages_to_write(vm, m, off, len, pfn);
	if (clean == NONE)
		return -EAGAIN;
	if (!clean && off + len <= m->size) {
		overwrite(vm, m, pfn, off, len, buf, write_how(client, len));
	} else {
		if (client || !may_dirty(vm, m, clean) ||
		    vm_file_write(vm, id, off, len, buf, &done))
			return -EAGAIN;
		m->grant -= clean;
	}
	vm->lane_ops++;
	return (int)len;
}

/* Requests answered here since boot. */
uint64_t vm_lane_ops(struct vm *vm)
{
	return vm->lane_ops;
}

/* The largest window that is read ahead, pages; 0: none. */
void vm_set_readahead(struct vm *vm, uint32_t pages)
{
	vm->readahead = pages;
}
