/*
 * purge_core.c - the C part of row "purge": fill a zone, close it, empty it
 *
 * What balance_pgdat() does of a closed zone, without the policy in Python and
 * without a mount: for counting instructions and finding what costs them. Time
 * is virtual; the file lies in memory. Prints pages freed, CPU time and a hash
 * of the end state, which no speed-up may change.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfs.h"
#include "scan.h"

#define ZONE 1u /* zone 0 holds the kernel's own pages */
#define STEP 4096u
#define BATCH 32u
#define PAGE 4096u
#define DEF_PRIORITY 12u

struct fill {
	struct vm *vm;
	uint32_t nr; /* pages of the zone that get a user */
	uint32_t nr_anon, nr_file;
	uint32_t junk, file; /* mappings */
	struct vm_touch touch;
	uint8_t buf[PAGE];
};

static void die(const char *what)
{
	fprintf(stderr, "purge_core: %s failed\n", what);
	exit(1);
}

static struct vm *machine(uint32_t nr)
{
	const struct vm_config conf = {
		.max_pfn = 2 * nr,
		.nr_zones = 2,
		.nr_nodes = 2,
		.nr_cpus = 1,
		.swap_pages = nr + 1,
		.batch = 32,
		.prefetch = 1,
		.rules = VM_RULE_CUMULATIVE_MIN,
		.closed_rules = VM_RULE_SHRINK_UNREF | VM_RULE_REFILL_UNREF,
	};
	const struct vm_dev_conf fast = { 1000, 100000000000ull, 128, 32 };
	struct vm *vm = vm_create(&conf);
	uint32_t zid, cls;

	if (!vm)
		die("vm_create");
	for (zid = 0; zid < 2; zid++) {
		if (vm_zone_plug(vm, zid, zid, 1, zid * nr, nr, nr, 0) ||
		    vm_zone_marks(vm, zid, 32, 64, 96) ||
		    vm_zone_pcp(vm, zid, 32, 96, 0, 32, 16) || vm_zone_gate(vm, zid, 1))
			die("vm_zone_plug");
	}
	for (cls = 0; cls < VM_NR_CLASSES; cls++) {
		zid = cls == VM_CLASS_HOTREMOVABLE ? ZONE : 0;
		vm_zonelist(vm, 0, cls, 1, &zid);
	}
	vm_dev_config(vm, VM_DEV_DISK, &fast);
	vm_dev_config(vm, VM_DEV_SWAP, &fast);
	return vm;
}

static uint32_t new_file(struct vm *vm, uint32_t pages)
{
	uint32_t id = vm_mapping_create(vm, VM_MAP_FILE);
	int fd = memfd_create("purge_core", 0);

	if (id == VM_NO_ID || fd < 0 || ftruncate(fd, (off_t)pages * PAGE))
		die("memfd_create");
	vm_mapping_fd(vm, id, fd);
	vm_mapping_size(vm, id, (uint64_t)pages * PAGE);
	return id;
}

/* A permutation of 0 .. nr - 1. */
static uint32_t nth(uint32_t i, uint32_t nr)
{
	uint32_t bits = 2;

	while (1u << bits < nr)
		bits++;
	do
		i = shuffled(i, bits);
	while (i >= nr);
	return i;
}

static void drain_devices(struct vm *vm)
{
	while (vm_next_event(vm) != UINT64_MAX)
		vm_advance(vm, vm_next_event(vm));
}

static void submit(struct vm *vm, uint32_t file, uint32_t index)
{
	uint32_t done;

	while (vm_file_submit_read(vm, file, index, 1, &done) == VM_WAIT)
		drain_devices(vm);
}

/*
 * A machine long in use: no order of the lists, the files or the page tables
 * is that of the page frames. A file read in random order takes all the frames;
 * cut short page by page, it hands them on in that order.
 */
static void scatter(struct fill *f)
{
	uint32_t i;

	for (i = 0; i < f->nr; i++)
		submit(f->vm, f->junk, nth(i, f->nr));
	drain_devices(f->vm);
}

static void add_anon(struct fill *f, uint32_t i)
{
	f->touch.first = nth(i, f->nr_anon);
	f->touch.nr = 1;
	f->touch.pos = 0;
	if (vm_touch(f->vm, &f->touch, 1) != VM_DONE)
		die("vm_touch");
}

static void add_file(struct fill *f, uint32_t i)
{
	uint32_t index = nth(i, f->nr_file), done = 0;

	if (i % 5)
		submit(f->vm, f->file, index);
	else if (vm_file_write(f->vm, f->file, (uint64_t)index * PAGE, PAGE, f->buf,
			       &done))
		die("vm_file_write");
}

static void read_file(struct fill *f, uint32_t i)
{
	uint32_t index = nth(i, f->nr_file), done = 0;

	if (i % 5 &&
	    vm_file_read(f->vm, f->file, (uint64_t)index * PAGE, PAGE, f->buf, &done))
		die("vm_file_read");
}

/* Three pages in five anonymous, two of a file, a fifth of these written. */
static void populate(struct fill *f)
{
	uint32_t anon = 0, file = 0, left = f->nr, i, seen;

	while (left) {
		uint32_t batch = left < BATCH ? left : BATCH;

		left -= batch;
		if (vm_file_truncate(f->vm, f->junk, (uint64_t)left * PAGE, STEP))
			die("vm_file_truncate");
		seen = file;
		for (i = 0; i < batch; i++) {
			if (file == f->nr_file ||
			    (anon < f->nr_anon && shuffled(left + i, 20) % 5 < 3))
				add_anon(f, anon++);
			else
				add_file(f, file++);
		}
		drain_devices(f->vm);
		for (; seen < file; seen++)
			read_file(f, seen);
	}
}

static void fill(struct fill *f)
{
	uint32_t mm = vm_mm_create(f->vm, 1);

	f->nr_anon = f->nr / 5 * 3;
	f->nr_file = f->nr - f->nr_anon;
	f->junk = new_file(f->vm, f->nr);
	f->file = new_file(f->vm, f->nr_file);
	f->touch.mm = mm;
	f->touch.flags = VM_TOUCH_WRITE;
	f->touch.next = VM_NO_ID;
	f->touch.vma = vm_mmap(f->vm, mm, VM_VMA_WRITE, VM_NO_ID, 0, 0, f->nr_anon);
	scatter(f);
	populate(f);
}

static uint32_t item(struct vm *vm, enum vm_zone_item which)
{
	struct vm_zone_stat stat;

	vm_zone_stat(vm, ZONE, &stat);
	return stat.item[which];
}

static void close_gate(struct vm *vm, uint32_t nr)
{
	uint32_t zid = 0, cls;

	for (cls = 0; cls < VM_NR_CLASSES; cls++)
		vm_zonelist(vm, 0, cls, 1, &zid);
	vm_zone_gate(vm, ZONE, 0);
	vm_zone_marks(vm, ZONE, 32, 64, nr);
	vm_zone_pcp(vm, ZONE, 0, 0, 0, 0, 16);
	vm_drain_pagevecs(vm);
	vm_drain_pcp(vm, ZONE);
}

/* As shrink_zone() of a closed gate: all of the active list, then the other. */
static void shrink_zone(struct vm *vm, uint32_t want, uint32_t max_scan,
			struct vm_reclaim *sum)
{
	struct vm_reclaim rc = { .zid = ZONE,
				 .kswapd = 1,
				 .may_fs = 1,
				 .may_io = 1,
				 .reclaim_mapped = 1,
				 .nr_pages = want,
				 .max_scan = max_scan };
	uint32_t nr = item(vm, NR_ACTIVE);
	int rc_code;

	while (vm_refill(vm, &rc, &nr, STEP) == VM_MORE)
		;
	while ((rc_code = vm_shrink(vm, &rc, STEP)) != VM_DONE)
		if (rc_code == VM_WAIT)
			vm_advance(vm, vm_next_event(vm));
	sum->scanned += rc.scanned;
	sum->freed += rc.freed;
	sum->written += rc.written;
}

static __attribute__((noinline)) void purge(struct vm *vm, uint32_t nr,
					    struct vm_reclaim *sum)
{
	uint32_t priority, want, max_scan, inactive;

	for (priority = DEF_PRIORITY; priority; priority--) {
		want = nr - item(vm, NR_FREE);
		if (!want)
			break;
		inactive = item(vm, NR_INACTIVE);
		max_scan = inactive >> priority > 2 * want ? inactive >> priority :
							     2 * want;
		shrink_zone(vm, want, max_scan, sum);
		drain_devices(vm);
	}
	vm_drain_pcp(vm, ZONE);
}

int main(int argc, char **argv)
{
	struct scan_args args = parse_args(argc, argv);
	struct vm *vm = machine(args.nr);
	struct fill f = { .vm = vm, .nr = args.nr - 256 };
	struct vm_reclaim sum = { 0 };
	struct outcome o = { 0 };
	uint32_t before;

	fill(&f);
	close_gate(vm, args.nr);
	before = item(vm, NR_FREE);
	vm_mapping_fd(vm, f.file, open("/dev/null", O_RDWR));
	vm_set_horizon(vm, UINT64_MAX - 1);
	o.cpu_ns = cpu_ns();
	if (!args.only_build)
		purge(vm, args.nr, &sum);
	o.cpu_ns = cpu_ns() - o.cpu_ns;
	o.freed = item(vm, NR_FREE) - before;
	o.rotated = sum.written;
	o.activated = sum.scanned;
	o.hash = vm_state_hash(vm);
	print_outcome(&o);
	return 0;
}
