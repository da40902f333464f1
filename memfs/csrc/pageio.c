/*
 * pageio.c - what a transfer does with its pages
 *
 * A page that is handed to its device is under writeback, one that is read is
 * locked. The host's file or the swap area is read or written when the transfer
 * begins; what that brought becomes visible when it ends.
 *
 * Models: mm/page_io.c, fs/mpage.c mpage_end_io_read(), mpage_end_io_write(), 2.6.0.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vm_int.h"

/* ---- the host's file ---- */

static u32 host_read(int fd, struct iovec *iov, u32 nr, u64 off)
{
	ssize_t n = preadv(fd, iov, (int)nr, (off_t)off);
	size_t have = (size_t)n;
	u32 i;

	if (n < 0)
		return (u32)errno;
	/* Behind the end of the host's file there is nothing yet. */
	for (i = 0; i < nr; i++) {
		size_t part = min_t(size_t, have, PAGE_SIZE);

		memset((u8 *)iov[i].iov_base + part, 0, PAGE_SIZE - part);
		have -= part;
	}
	return 0;
}

/* What a write has taken is taken off the front; how many pieces it finished. */
static u32 skip_written(struct iovec *iov, size_t n)
{
	u32 i = 0;

	for (; n && n >= iov[i].iov_len; i++)
		n -= iov[i].iov_len;
	if (n) {
		iov[i].iov_base = (u8 *)iov[i].iov_base + n;
		iov[i].iov_len -= n;
	}
	return i;
}

/* A write that is short is gone on with: the host then says why it was. */
static u32 host_write(int fd, struct iovec *iov, u32 nr, u64 off)
{
	while (nr) {
		/* One page is written at half the cost without a vector. */
		ssize_t n =
			nr == 1 ? pwrite(fd, iov->iov_base, iov->iov_len, (off_t)off) :
				  pwritev(fd, iov, (int)nr, (off_t)off);
		u32 done;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return (u32)errno;
		if (n == 0)
			return EIO;
		done = skip_written(iov, (size_t)n);
		iov += done;
		nr -= done;
		off += (u64)n;
	}
	return 0;
}

static u32 host_file_io(struct vm *vm, struct req *rq)
{
	struct mapping *m = &vm->mappings[rq->mapping];
	u64 off = (u64)rq->index * PAGE_SIZE;
	struct iovec iov[REQ_PAGES];
	u32 i, nr = rq->nr;

	if (m->fd < 0)
		return EIO;
	for (i = 0; i < nr; i++) {
		iov[i].iov_base = rq->write ? vm_frame(vm, rq->pfn[i]) :
					      vm_frame_new(vm, rq->pfn[i]);
		iov[i].iov_len = PAGE_SIZE;
		if (!iov[i].iov_base)
			return EIO;
	}
	if (!rq->write)
		return host_read(m->fd, iov, nr, off);
	if (off >= m->size)
		return 0;
	/* The last page is written up to the end of the file. */
	if (off + (u64)nr * PAGE_SIZE > m->size) {
		nr = (u32)((m->size - off - 1) / PAGE_SIZE) + 1;
		iov[nr - 1].iov_len =
			(size_t)(m->size - off - (u64)(nr - 1) * PAGE_SIZE);
	}
	return host_write(m->fd, iov, nr, off);
}

/* Of a task's page the stamp is all there is; tmpfs has bytes. */
static void swap_write(struct vm *vm, u32 pfn, u32 slot)
{
	struct swap_area *s = &vm->swap;
	const bool bytes = !(vm->pages[pfn].flags & PG_ANON);
	u8 *frame;

	s->stamp[slot] = vm->stamps[pfn];
	s->has_bytes[slot] = bytes;
	if (!bytes)
		return;
	frame = vm_frame(vm, pfn);
	if (frame)
		memcpy(s->bytes + (size_t)slot * PAGE_SIZE, frame, PAGE_SIZE);
}

static void swap_read(struct vm *vm, u32 pfn, u32 slot)
{
	const struct swap_area *s = &vm->swap;

	vm->stamps[pfn] = s->stamp[slot];
	if (s->has_bytes[slot])
		memcpy(vm_frame_new(vm, pfn), s->bytes + (size_t)slot * PAGE_SIZE,
		       PAGE_SIZE);
}

/* The transfer that follows in the same queue; the last one itself. */
static const struct req *next_transfer(const struct vm *vm, const struct req *rq)
{
	return rq->next == NONE ? rq : &vm->reqs[rq->next];
}

/* What the transfer that begins next will look at. */
static void prefetch_stamps(struct vm *vm, const struct req *rq)
{
	const struct req *next = next_transfer(vm, rq);
	u32 i;

	for (i = 0; i < next->nr; i++) {
		prefetchw(&vm->pages[next->pfn[i]]);
		prefetchw(&vm->stamps[next->pfn[i]]);
	}
}

/*
 * The bytes of a transfer that begins: between frames and what lies on the host.
 * Return: 0, or the errno.
 */
u32 vm_transfer_bytes(struct vm *vm, struct req *rq)
{
	struct dev *d = &vm->dev[rq->dev];
	u32 i;

	if (rq->mapping == NO_MAPPING)
		return 0;
	if (d->fault[rq->write])
		return d->fault[rq->write];
	if (rq->mapping != VM_SWAP_MAPPING)
		return host_file_io(vm, rq);
	prefetch_stamps(vm, rq);
	for (i = 0; i < rq->nr; i++) {
		if (rq->write)
			swap_write(vm, rq->pfn[i], rq->index + i);
		else
			swap_read(vm, rq->pfn[i], rq->index + i);
	}
	return 0;
}

/* ---- completion ---- */

static void end_read(struct vm *vm, struct req *rq, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	p->flags &= ~(u32)PG_LOCKED;
	page_zone(vm, pfn)->item[NR_LOCKED]--;
	if (rq->mapping != VM_SWAP_MAPPING)
		vm->mappings[rq->mapping].nr_locked--;
	if (rq->error)
		p->flags |= PG_ERROR;
	else
		p->flags |= PG_UPTODATE;
	vm_put_page(vm, pfn, false);
}

/* A page that could not be written stays dirty, to be tried again. */
static void write_failed(struct vm *vm, const struct req *rq, u32 pfn)
{
	vm->pages[pfn].flags |= PG_ERROR;
	vm_set_dirty(vm, pfn);
	if (rq->mapping != VM_SWAP_MAPPING)
		vm->mappings[rq->mapping].error = rq->error;
}

/* What its end does to a page; counted it is by end_writes(). */
static inline void end_write(struct vm *vm, struct zone *z, const struct req *rq,
			     u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	const bool reclaim = p->flags & PG_RECLAIM;

	p->flags &= ~(u32)(PG_WRITEBACK | PG_RECLAIM);
	if (rq->mapping != VM_SWAP_MAPPING)
		vm_tree_tag(vm, p->index, 1, false);
	if (rq->error)
		write_failed(vm, rq, pfn);
	if (reclaim)
		vm_rotate_reclaimable(vm, z, pfn);
}

/* Those of one zone that follow each other are counted together. */
static void end_writes(struct vm *vm, const struct req *rq)
{
	u32 i, from;

	for (from = 0; from < rq->nr; from = i) {
		struct zone *z = page_zone(vm, rq->pfn[from]);

		for (i = from; i < rq->nr && page_zone(vm, rq->pfn[i]) == z; i++)
			end_write(vm, z, rq, rq->pfn[i]);
		z->item[NR_WRITEBACK] -= i - from;
		z->numa[NUMA_WRITTEN] += rq->error ? 0 : i - from;
	}
	if (rq->mapping != VM_SWAP_MAPPING)
		vm->mappings[rq->mapping].nr_writeback -= rq->nr;
}

/*
 * The places on the lists of a transfer's pages, and the pages of the one that ends
 * next: to know a place, the page has to be there.
 */
static void prefetch_request(struct vm *vm, const struct req *rq)
{
	const struct req *next = next_transfer(vm, rq);
	u32 i;

	for (i = 0; i < next->nr; i++)
		prefetchw(&vm->pages[next->pfn[i]]);
	for (i = 0; i < rq->nr; i++) {
		u32 pos = vm->pages[rq->pfn[i]].pos;

		prefetchw(&vm->segs[pos >> SEG_SHIFT].slot[pos & (SEG_SIZE - 1)]);
	}
}

/* A transfer is complete: its pages are what it has made of them. */
void vm_transfer_end(struct vm *vm, struct req *rq)
{
	u32 i;

	prefetch_request(vm, rq);
	if (rq->write)
		end_writes(vm, rq);
	else
		for (i = 0; i < rq->nr; i++)
			end_read(vm, rq, rq->pfn[i]);
}

/* ---- pages to devices ---- */

/* Hand a dirty page of a file or of the swap cache to its device. */
int vm_writepage(struct vm *vm, u32 pfn, bool reclaim)
{
	struct page *p = &vm->pages[pfn];
	bool swap = p->flags & PG_SWAPCACHE;
	u32 dev = swap ? VM_DEV_SWAP : VM_DEV_DISK;
	u32 mapping = swap ? VM_SWAP_MAPPING : vm->rnodes[p->index >> RN_SHIFT].mapping;
	u32 index = swap ? p->index : vm_handle_index(vm, p->index);
	int rc = vm_submit(vm, dev, true, mapping, index, pfn);

	if (rc)
		return rc;
	clear_dirty(vm, pfn);
	p->flags |= reclaim ? PG_WRITEBACK | PG_RECLAIM : PG_WRITEBACK;
	page_zone(vm, pfn)->item[NR_WRITEBACK]++;
	page_zone(vm, pfn)->numa[NUMA_VMSCAN_WRITE] += reclaim;
	if (!swap) {
		vm->mappings[mapping].nr_writeback++;
		vm_tree_tag(vm, p->index, 1, true);
	}
	return VM_DONE;
}
