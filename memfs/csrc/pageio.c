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

static u32 host_file_io(struct vm *vm, struct req *rq)
{
	struct mapping *m = &vm->mappings[rq->mapping];
	u64 off = (u64)rq->index * PAGE_SIZE;
	u64 len = (u64)rq->nr * PAGE_SIZE;
	struct iovec iov[REQ_PAGES];
	ssize_t n;
	u32 i;

	if (m->fd < 0)
		return EIO;
	for (i = 0; i < rq->nr; i++) {
		iov[i].iov_base = rq->write ? vm_frame(vm, rq->pfn[i]) :
					      vm_frame_new(vm, rq->pfn[i]);
		iov[i].iov_len = PAGE_SIZE;
		if (!iov[i].iov_base)
			return EIO;
	}
	if (!rq->write) {
		n = preadv(m->fd, iov, (int)rq->nr, (off_t)off);
		if (n < 0)
			return (u32)errno;
		for (i = (u32)n / PAGE_SIZE; i < rq->nr; i++) {
			size_t have = (size_t)n > (size_t)i * PAGE_SIZE ?
					      (size_t)n - (size_t)i * PAGE_SIZE :
					      0;

			memset((u8 *)iov[i].iov_base + have, 0, PAGE_SIZE - have);
		}
		return 0;
	}
	if (off >= m->size)
		return 0;
	if (off + len > m->size) {
		u64 last = (m->size - off - 1) / PAGE_SIZE;

		iov[last].iov_len = (size_t)(m->size - off - last * PAGE_SIZE);
		len = m->size - off;
		i = (u32)last + 1;
	} else {
		i = rq->nr;
	}
	/* One page is written at half the cost without a vector. */
	n = i == 1 ? pwrite(m->fd, iov[0].iov_base, iov[0].iov_len, (off_t)off) :
		     pwritev(m->fd, iov, (int)i, (off_t)off);
	if (n < 0)
		return (u32)errno;
	return (u64)n == len ? 0 : ENOSPC;
}

static void swap_page_io(struct vm *vm, u32 pfn, u32 slot, bool write)
{
	struct swap_area *s = &vm->swap;
	bool bytes = !(vm->pages[pfn].flags & PG_ANON);
	u8 *disk = s->bytes + (size_t)slot * PAGE_SIZE;
	u8 *frame;

	if (write) {
		s->stamp[slot] = vm->stamps[pfn];
		s->has_bytes[slot] = bytes;
		frame = bytes ? vm_frame(vm, pfn) : NULL;
		if (frame)
			memcpy(disk, frame, PAGE_SIZE);
		return;
	}
	vm->stamps[pfn] = s->stamp[slot];
	if (s->has_bytes[slot])
		memcpy(vm_frame_new(vm, pfn), disk, PAGE_SIZE);
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
	for (i = 0; i < rq->nr; i++)
		swap_page_io(vm, rq->pfn[i], rq->index + i, rq->write);
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
static void end_write(struct vm *vm, struct req *rq, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	p->flags &= ~(u32)PG_WRITEBACK;
	page_zone(vm, pfn)->item[NR_WRITEBACK]--;
	if (rq->mapping != VM_SWAP_MAPPING) {
		vm->mappings[rq->mapping].nr_writeback--;
		vm_tree_tag(vm, p->index, 1, false);
	}
	if (rq->error) {
		p->flags |= PG_ERROR;
		vm_set_dirty(vm, pfn);
		if (rq->mapping != VM_SWAP_MAPPING)
			vm->mappings[rq->mapping].error = rq->error;
	}
	if (p->flags & PG_RECLAIM) {
		p->flags &= ~(u32)PG_RECLAIM;
		vm_rotate_reclaimable(vm, pfn);
	}
}

/* The pages of a transfer, and their places on the lists. */
static void prefetch_request(struct vm *vm, const struct req *rq)
{
	u32 i;

	for (i = 0; i < rq->nr; i++)
		prefetchw(&vm->pages[rq->pfn[i]]);
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
	for (i = 0; i < rq->nr; i++) {
		if (rq->write)
			end_write(vm, rq, rq->pfn[i]);
		else
			end_read(vm, rq, rq->pfn[i]);
	}
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
	if (!swap) {
		vm->mappings[mapping].nr_writeback++;
		vm_tree_tag(vm, p->index, 1, true);
	}
	return VM_DONE;
}
