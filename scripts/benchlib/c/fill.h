/*
 * fill.h - a zone as a long life would have left it, for the C programs of the bench
 *
 * Three pages in five are anonymous, two belong to a file, a fifth of these was
 * written. No order has anything to do with another: of the lists, of the page
 * frames, of the file or of the page tables. The file lies in memory; time is
 * virtual.
 */
#ifndef BENCH_FILL_H
#define BENCH_FILL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scan.h"
#include "vm_int.h"

#define ZONE 1u /* zone 0 holds the kernel's own pages */
#define STEP 4096u
#define BATCH 32u
#define FORGET (1u << 17) /* pages: bytes that nobody wants go as often */

struct fill {
	struct vm *vm;
	uint32_t zid; /* of the zone that is filled: ZONE, where there is one */
	uint32_t nr;  /* pages of it that get a user */
	uint32_t nr_anon, nr_file;
	uint32_t file; /* mapping */
	uint32_t junk; /* area */
	bool stamps;   /* no page is to have bytes */
	bool fresh;    /* page frames in the order in which they are given out */
	struct vm_touch touch;
	uint8_t buf[PAGE_SIZE];
};

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s failed\n", program_invocation_short_name, what);
	exit(1);
}

/* Pages of users come from this zone. */
static inline void users_go_to(struct vm *vm, uint32_t zid)
{
	const uint32_t kernel = 0;
	uint32_t cls;

	for (cls = 0; cls < VM_NR_CLASSES; cls++)
		vm_zonelist(vm, 0, cls, 1,
			    cls == VM_CLASS_HOTREMOVABLE ? &zid : &kernel);
}

/*
 * A machine of `pages` pages: zones of nr pages each, of a node each, that lie one
 * after another; the kernel's pages go to the first, users' to the second.
 */
static inline struct vm *machine(uint32_t pages, uint32_t nr_zones, uint32_t nr)
{
	const struct vm_config conf = {
		.max_pfn = pages,
		.nr_zones = nr_zones,
		.nr_nodes = nr_zones,
		.nr_cpus = 1,
		.swap_pages = nr + 1,
		.batch = BATCH,
		.prefetch = 1,
		.rules = VM_RULE_CUMULATIVE_MIN,
		.closed_rules = VM_RULE_SHRINK_UNREF | VM_RULE_REFILL_UNREF,
	};
	const struct vm_dev_conf fast = { 1000, 100000000000ull, 128, 32 };
	struct vm *vm = vm_create(&conf);
	uint32_t zid;

	if (!vm)
		die("vm_create");
	for (zid = 0; zid < nr_zones; zid++) {
		if (vm_zone_plug(vm, zid, zid, 1, zid * nr, nr, nr, 0) ||
		    vm_zone_marks(vm, zid, 32, 64, 96) ||
		    vm_zone_pcp(vm, zid, 32, 96, 0, 32, 16) || vm_zone_gate(vm, zid, 1))
			die("vm_zone_plug");
	}
	users_go_to(vm, ZONE);
	vm_dev_config(vm, VM_DEV_DISK, &fast);
	vm_dev_config(vm, VM_DEV_SWAP, &fast);
	return vm;
}

static inline uint32_t new_file(struct vm *vm, uint32_t pages)
{
	uint32_t id = vm_mapping_create(vm, VM_MAP_FILE);
	int fd = memfd_create("bench", 0);

	if (id == VM_NO_ID || fd < 0 || ftruncate(fd, (off_t)pages * PAGE_SIZE))
		die("memfd_create");
	vm_mapping_fd(vm, id, fd);
	vm_mapping_size(vm, id, (uint64_t)pages * PAGE_SIZE);
	return id;
}

/* A permutation of 0 .. nr - 1. */
static inline uint32_t nth(uint32_t i, uint32_t nr)
{
	uint32_t bits = 2;

	while (1u << bits < nr)
		bits++;
	do
		i = shuffled(i, bits);
	while (i >= nr);
	return i;
}

static inline void drain_devices(struct vm *vm)
{
	while (vm_next_event(vm) != UINT64_MAX)
		vm_advance(vm, vm_next_event(vm));
}

static inline void submit(struct vm *vm, uint32_t file, uint32_t index)
{
	uint32_t done;

	while (vm_file_submit_read(vm, file, index, 1, &done) == VM_WAIT)
		drain_devices(vm);
}

static inline void touch(struct fill *f, uint32_t vma, uint32_t index)
{
	f->touch.vma = vma;
	f->touch.first = index;
	f->touch.nr = 1;
	f->touch.pos = 0;
	if (vm_touch(f->vm, &f->touch, 1) != VM_DONE)
		die("vm_touch");
}

/*
 * The pages are as if their bytes were put away for want of real memory; those that
 * were written are what the file holds, which is zeros.
 */
static inline void forget_bytes(struct vm *vm, uint32_t zid)
{
	const struct zone *z = &vm->zones[zid];

	memset(vm->resident + z->start / 64, 0, z->present / 8);
	vm->nr_resident = 0;
	madvise(vm->frames + (size_t)z->start * PAGE_SIZE,
		(size_t)z->present * PAGE_SIZE, MADV_DONTNEED);
}

/*
 * No order of the lists, the files or the page tables is that of the page frames:
 * an area touched in random order takes all of them; unmapped page by page, it hands
 * them on in that order.
 */
static inline void scatter(struct fill *f)
{
	uint32_t i;

	f->junk = vm_mmap(f->vm, f->touch.mm, VM_VMA_WRITE, VM_NO_ID, 0, 0, f->nr);
	for (i = 0; i < f->nr; i++)
		touch(f, f->junk, nth(i, f->nr));
	vm_drain_pagevecs(f->vm);
}

static inline void add_file(struct fill *f, uint32_t i)
{
	uint32_t index = nth(i, f->nr_file), done = 0;

	if (i % 5)
		submit(f->vm, f->file, index);
	else if (vm_file_write(f->vm, f->file, (uint64_t)index * PAGE_SIZE, PAGE_SIZE,
			       f->buf, &done))
		die("vm_file_write");
}

static inline void read_file(struct fill *f, uint32_t i)
{
	uint32_t index = nth(i, f->nr_file), done = 0;

	if (i % 5 && vm_file_read(f->vm, f->file, (uint64_t)index * PAGE_SIZE,
				  PAGE_SIZE, f->buf, &done))
		die("vm_file_read");
}

/* So many pages, each of a user. */
static inline void populate(struct fill *f, uint32_t area)
{
	uint32_t anon = 0, file = 0, left = f->nr, batch, i, seen;
	int rc;

	for (; left; left -= batch) {
		batch = left < BATCH ? left : BATCH;
		rc = f->fresh ? VM_DONE : vm_munmap(f->vm, f->junk, batch);
		if (rc != VM_MORE && rc != VM_DONE)
			die("vm_munmap");
		seen = file;
		for (i = 0; i < batch; i++) {
			if (file == f->nr_file ||
			    (anon < f->nr_anon && shuffled(left - i, 20) % 5 < 3))
				touch(f, area, nth(anon++, f->nr_anon));
			else
				add_file(f, file++);
		}
		drain_devices(f->vm);
		for (; seen < file; seen++)
			read_file(f, seen);
		if (f->stamps && left / FORGET != (left - batch) / FORGET)
			forget_bytes(f->vm, f->zid);
	}
	if (f->stamps)
		forget_bytes(f->vm, f->zid);
}

/* Fill a zone of a machine of machine(); users' pages have to come from there. */
static inline void fill(struct fill *f)
{
	uint32_t area;

	f->touch.mm = vm_mm_create(f->vm, 1);
	f->touch.flags = VM_TOUCH_WRITE;
	f->touch.next = VM_NO_ID;
	f->nr_anon = f->nr / 5 * 3;
	f->nr_file = f->nr - f->nr_anon;
	f->file = new_file(f->vm, f->nr_file);
	if (!f->fresh)
		scatter(f);
	area = vm_mmap(f->vm, f->touch.mm, VM_VMA_WRITE, VM_NO_ID, 0, 1u << 28,
		       f->nr_anon);
	populate(f, area);
}

static inline uint32_t item(struct vm *vm, enum vm_zone_item which)
{
	return vm->zones[ZONE].item[which];
}

/* Nothing is allocated in the zone any more; users' pages are zone `other`'s now. */
static inline void close_gate(struct vm *vm, uint32_t zid, uint32_t other)
{
	users_go_to(vm, other);
	vm_zone_gate(vm, zid, 0);
	vm_zone_marks(vm, zid, 32, 64, vm->zones[zid].present);
	vm_zone_pcp(vm, zid, 0, 0, 0, 0, 16);
	vm_drain_pagevecs(vm);
	vm_drain_pcp(vm, zid);
}

#endif
