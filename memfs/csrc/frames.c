/*
 * frames.c - the real bytes of page-cache and tmpfs pages
 *
 * One sparse region of the host's memory, a frame for each pfn. Frames of
 * freed pages go back to the host in batches. Above the limit the bytes of
 * clean file pages are dropped, to be read again on demand; others are spilled
 * to a host file. None of it is part of the machine's state.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stream.h"
#include "vm_int.h"

#define TRIM_IDLE 16384u /* frames of freed pages that may stay resident */
#define TRIM_STEP 1024u	 /* looked at in one go: more than one call brings in */

static u8 *frame_at(struct vm *vm, u32 pfn)
{
	return vm->frames + (size_t)pfn * PAGE_SIZE;
}

static void make_resident(struct vm *vm, u32 pfn)
{
	if (bit_test(vm->resident, pfn))
		return;
	bit_set(vm->resident, pfn);
	vm->nr_resident++;
}

static bool read_whole(int fd, u8 *buf, u64 off)
{
	size_t done = 0;

	while (done < PAGE_SIZE) {
		ssize_t n =
			pread(fd, buf + done, PAGE_SIZE - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	memset(buf + done, 0, PAGE_SIZE - done);
	return true;
}

static bool fetch(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u8 *frame = frame_at(vm, pfn);

	if (bit_test(vm->spilled, pfn)) {
		if (!read_whole(vm->spill_fd, frame, (u64)pfn * PAGE_SIZE))
			return false;
		bit_clear(vm->spilled, pfn);
		vm->nr_spilled--;
		return true;
	}
	if (p->flags & PG_CACHED && p->flags & PG_UPTODATE &&
	    !(p->flags & PG_SWAPBACKED)) {
		struct mapping *m = vm_handle_mapping(vm, p->index);

		return m->fd >= 0 &&
		       read_whole(m->fd, frame,
				  (u64)vm_handle_index(vm, p->index) * PAGE_SIZE);
	}
	return true;
}

/* Bytes of a page that has some, fetched again if they were put away. */
u8 *vm_frame(struct vm *vm, u32 pfn)
{
	if (!bit_test(vm->resident, pfn)) {
		if (!fetch(vm, pfn))
			return NULL;
		make_resident(vm, pfn);
	}
	return frame_at(vm, pfn);
}

static void forget_spill(struct vm *vm, u32 pfn)
{
	if (!bit_test(vm->spilled, pfn))
		return;
	bit_clear(vm->spilled, pfn);
	vm->nr_spilled--;
}

u8 *vm_frame_new(struct vm *vm, u32 pfn)
{
	forget_spill(vm, pfn);
	make_resident(vm, pfn);
	return frame_at(vm, pfn);
}

u8 *vm_frame_zero(struct vm *vm, u32 pfn)
{
	bool fresh = !bit_test(vm->resident, pfn);
	u8 *frame = vm_frame_new(vm, pfn);

	/* A frame that the host has taken back reads as zero. */
	if (!fresh)
		memset(frame, 0, PAGE_SIZE);
	return frame;
}

void vm_frame_freed(struct vm *vm, u32 pfn)
{
	forget_spill(vm, pfn);
	if (!bit_test(vm->resident, pfn))
		return;
	if (vm->conf.paranoid)
		memset(frame_at(vm, pfn), POISON_BYTE, PAGE_SIZE);
	vm->nr_idle++;
}

/* Before a page moves: bytes that were spilled are fetched, which can fail. */
bool vm_frame_at_hand(struct vm *vm, u32 pfn)
{
	return !bit_test(vm->spilled, pfn) || vm_frame(vm, pfn);
}

/* Neighbours whose bytes are gone: one call to the host for all of them. */
struct run {
	u32 first, nr;
};

static void run_end(struct vm *vm, struct run *run)
{
	if (run->nr)
		madvise(frame_at(vm, run->first), (size_t)run->nr * PAGE_SIZE,
			MADV_DONTNEED);
	run->nr = 0;
}

static void run_add(struct vm *vm, struct run *run, u32 pfn)
{
	if (pfn != run->first + run->nr)
		run_end(vm, run);
	if (!run->nr)
		run->first = pfn;
	run->nr++;
	bit_clear(vm->resident, pfn);
	vm->nr_resident--;
}

static void release(struct vm *vm, u32 pfn)
{
	struct run run = { pfn, 0 };

	run_add(vm, &run, pfn);
	run_end(vm, &run);
}

/*
 * The bytes of a page that moves. Those of a clean one may have been dropped, to be
 * read again: then the frame that it gets must not look as if it had any. Return:
 * whether there were any to copy; stream_end() is to follow.
 */
bool vm_frame_move(struct vm *vm, u32 from, u32 to)
{
	vm_twin_move(vm, from, to);
	if (bit_test(vm->resident, from)) {
		stream_page(vm_frame_new(vm, to), frame_at(vm, from));
		return true;
	}
	if (bit_test(vm->resident, to))
		release(vm, to);
	return false;
}

/*
 * vm_host_limit - bound the bytes kept in memory
 * @frames:   at most so many resident, 0: no bound
 * @spill_fd: an unlinked host file for bytes that are nowhere else, or -1
 */
int vm_host_limit(struct vm *vm, uint64_t frames, int spill_fd)
{
	vm->host_limit = frames;
	vm->spill_fd = spill_fd;
	return 0;
}

/* Bytes that are nobody's: of a free page, or of one whose contents are a stamp. */
static bool is_idle(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	return bit_test(vm->resident, pfn) &&
	       (page_type(p) != VM_T_USER || p->flags & PG_ANON);
}

/* Give frames of freed pages back, however many there are. */
static u32 trim_idle(struct vm *vm, struct run *run, u32 pfn)
{
	while (pfn < vm->max_pfn && is_idle(vm, pfn)) {
		run_add(vm, run, pfn++);
		vm->nr_returned++;
	}
	return pfn;
}

static bool spill(struct vm *vm, u32 pfn)
{
	if (vm->spill_fd < 0 || pwrite(vm->spill_fd, frame_at(vm, pfn), PAGE_SIZE,
				       (off_t)pfn * PAGE_SIZE) != PAGE_SIZE)
		return false;
	bit_set(vm->spilled, pfn);
	vm->nr_spilled++;
	return true;
}

/* Put the bytes of one page away; a page in transfer keeps them. */
static void evict(struct vm *vm, struct run *run, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	const u32 busy = PG_LOCKED | PG_WRITEBACK;
	bool clean = p->flags & PG_CACHED && p->flags & PG_UPTODATE &&
		     !(p->flags & (PG_DIRTY | PG_SWAPBACKED)) &&
		     vm_handle_mapping(vm, p->index)->fd >= 0;

	if (p->flags & busy)
		return;
	if (clean)
		vm->nr_dropped++;
	else if (!spill(vm, pfn))
		return;
	run_add(vm, run, pfn);
}

static bool over_limit(struct vm *vm)
{
	return vm->host_limit && vm->nr_resident > vm->host_limit;
}

/*
 * vm_host_trim - frames back to the host
 * @budget: frames to look at
 *
 * Return: VM_MORE while there is reason to go on, else VM_DONE.
 */
int vm_host_trim(struct vm *vm, uint32_t budget)
{
	struct run run = { 0, 0 };

	while (budget-- && (vm->nr_idle > TRIM_IDLE || over_limit(vm))) {
		u32 pfn = vm->trim_hand;

		if ((pfn & 63) == 0 && vm->resident[pfn >> 6] == 0) {
			pfn += 64;
		} else if (is_idle(vm, pfn)) {
			pfn = trim_idle(vm, &run, pfn);
		} else {
			if (over_limit(vm) && bit_test(vm->resident, pfn))
				evict(vm, &run, pfn);
			pfn++;
		}
		if (pfn >= vm->max_pfn) {
			pfn = 0;
			vm->nr_idle = 0;
		}
		vm->trim_hand = pfn;
	}
	run_end(vm, &run);
	return vm->nr_idle > TRIM_IDLE || over_limit(vm) ? VM_MORE : VM_DONE;
}

/*
 * After every call that brings bytes in: what is above the limit goes at once.
 * Frames of freed pages can wait for vm_host_trim(); unmapping them costs the
 * host more than freeing the pages costs the model.
 */
void vm_frames_settle(struct vm *vm)
{
	if (over_limit(vm))
		vm_host_trim(vm, TRIM_STEP);
}

void vm_host_stat(struct vm *vm, struct vm_host_stat *out)
{
	out->resident = vm->nr_resident;
	out->dropped = vm->nr_dropped;
	out->spilled = vm->nr_spilled;
	out->returned = vm->nr_returned;
	out->limit = vm->host_limit;
}
