/*
 * test_disk.c - requests, merging, timing, congestion
 */
#include "disk.c"

#include "disk_bench.h"

/* ---- merging ---- */

/*
 * 70 pages in a row are asked for in one instant.
 *
 *	|32 pages|32 pages|6|
 *
 * Expect three requests; and a page further on, or one in front, its own.
 */
static void test_adjacent_pages_merge(void)
{
	struct bench b = with_file(200);

	read_ahead(&b, 10, 70);
	CHECK_EQ(3, disk(&b)->count[0]);
	CHECK_EQ(67, disk(&b)->stat.merged);
	read_ahead(&b, 100, 1);
	read_ahead(&b, 9, 1);
	CHECK_EQ(5, disk(&b)->count[0]);
	CHECK_EQ(72, item(b.vm, 1, NR_LOCKED));
	CHECK_OK(b.vm);
	vm_advance(b.vm, 100 * MS);
	CHECK_EQ(0, disk(&b)->count[0]);
	CHECK_EQ(0, item(b.vm, 1, NR_LOCKED));
	CHECK_EQ(5, disk(&b)->stat.reads);
	CHECK_EQ(72, disk(&b)->stat.read_pages);
	CHECK_EQ(4 * 72, b.vm->event[EV_PGPGIN]);
	CHECK_OK(b.vm);
	done(&b);
}

/* Reads and writes do not merge with each other, nor do two files. */
static void test_what_does_not_merge(void)
{
	struct bench b = with_file(20);
	u32 other = vm_mapping_create(b.vm, VM_MAP_FILE), submitted;

	make_dirty(&b, 0, 1, 1);
	write_back(&b, 1);
	read_ahead(&b, 1, 1);
	CHECK_EQ(0, vm_mapping_size(b.vm, other, 10 * PAGE_SIZE));
	CHECK_EQ(VM_DONE, vm_file_submit_read(b.vm, other, 2, 1, &submitted));
	CHECK_EQ(0, disk(&b)->stat.merged);
	CHECK_EQ(2, disk(&b)->count[0]);
	CHECK_EQ(1, disk(&b)->count[1]);
	CHECK_OK(b.vm);
	vm_advance(b.vm, 100 * MS);
	CHECK_OK(b.vm);
	done(&b);
}

/* A request that has begun does not grow. */
static void test_no_merge_after_begin(void)
{
	struct bench b = with_file(20);

	read_ahead(&b, 0, 2);
	vm_advance(b.vm, 0);
	read_ahead(&b, 2, 2);
	CHECK_EQ(2, disk(&b)->count[0]);
	CHECK_OK(b.vm);
	done(&b);
}

/* ---- timing ---- */

/*
 * One page, then 32, at 1 GB/s and 1 ms.
 *
 *	0    4096                          135168
 *	|page|-------------- 32 ----------|
 *	     +1 ms -> done                 +1 ms -> done
 *
 * Expect completions at 1004096 and 1135168 ns, and nothing before.
 */
static void test_timing(void)
{
	struct bench b = with_file(100);

	read_ahead(&b, 0, 1);
	read_ahead(&b, 50, 32);
	CHECK_EQ(0, vm_next_event(b.vm));
	vm_advance(b.vm, 0);
	CHECK_EQ(PAGE_NS, vm_next_event(b.vm));
	CHECK_EQ(0, vm_advance(b.vm, MS + PAGE_NS - 1));
	CHECK_EQ(1, vm_advance(b.vm, MS + PAGE_NS));
	CHECK_EQ(MS + 33 * PAGE_NS, vm_next_event(b.vm));
	CHECK_EQ(1, vm_advance(b.vm, MS + 33 * PAGE_NS - 1));
	CHECK_EQ(2, vm_advance(b.vm, MS + 33 * PAGE_NS));
	CHECK_EQ(UINT64_MAX, vm_next_event(b.vm));
	CHECK_EQ(MS + 33 * PAGE_NS, vm_now(b.vm));
	CHECK_OK(b.vm);
	done(&b);
}

/* The two devices work side by side; the clock never goes back. */
static void test_clock(void)
{
	struct bench b = with_file(4);

	CHECK_EQ(UINT64_MAX, vm_next_event(b.vm));
	vm_advance(b.vm, 5 * MS);
	vm_advance(b.vm, 3 * MS);
	CHECK_EQ(5 * MS, vm_now(b.vm));
	read_ahead(&b, 0, 1);
	CHECK_EQ(5 * MS, vm_next_event(b.vm));
	vm_advance(b.vm, UINT64_MAX - 1);
	CHECK_EQ(1, vm_completions(b.vm));
	CHECK_OK(b.vm);
	done(&b);
}

/* Another device: 10 ms, 4096000 bytes a second, 2 pages to a request. */
static void test_configured_device(void)
{
	const struct vm_dev_conf slow = { 10 * MS, 4096000, 8, 2 };
	struct bench b = with_file(8);

	CHECK_EQ(0, vm_dev_config(b.vm, VM_DEV_DISK, &slow));
	read_ahead(&b, 0, 4);
	CHECK_EQ(2, disk(&b)->count[0]);
	CHECK_EQ(1, vm_advance(b.vm, 12 * MS));
	CHECK_EQ(1, vm_advance(b.vm, 14 * MS - 1));
	CHECK_EQ(2, vm_advance(b.vm, 14 * MS));
	done(&b);
}

static void test_config_refused(void)
{
	static const struct vm_dev_conf bad[] = {
		{ 1, 0, 1, 1 }, { 1, 1, 0, 1 },	 { 1, 1, 4096, 1 },
		{ 1, 1, 1, 0 }, { 1, 1, 1, 33 },
	};
	struct bench b = with_file(1);

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(vm_dev_config(b.vm, VM_DEV_DISK, &bad[i]) < 0);
	CHECK(vm_dev_config(b.vm, VM_NR_DEVS, &bad[0]) < 0);
	done(&b);
}

/* ---- congestion ---- */

/*
 * Every second page is written, so that nothing merges: 128 requests.
 *
 *	0 ........ 112 | 113 ....... 127 | 128
 *	    free	   congested	   full
 *
 * Expect congestion from the 113th on, a refusal of the 129th, room again
 * when 96 are left, and no congestion when 102 are left.
 */
static void test_congestion(void)
{
	struct bench b = with_file(400);
	u32 index = 0, written = 0, i;

	for (i = 0; i < 140; i++)
		make_dirty(&b, 2 * i, 1, 1);
	for (i = 1; i <= 128; i++) {
		CHECK(vm_dev_room(b.vm, VM_DEV_DISK, true));
		vm_file_writeback(b.vm, b.file, &index, 1, &written);
		CHECK_EQ(i, disk(&b)->count[1]);
		CHECK_EQ(i >= 113, disk(&b)->congested);
	}
	CHECK(!vm_dev_room(b.vm, VM_DEV_DISK, true));
	CHECK(vm_dev_room(b.vm, VM_DEV_DISK, false));
	CHECK_EQ(VM_WAIT, vm_file_writeback(b.vm, b.file, &index, 1, &written));
	CHECK_EQ(VM_DEV_DISK, vm_needed(b.vm)->dev);
	CHECK_EQ(128, written);
	CHECK_OK(b.vm);
	while (disk(&b)->count[1]) {
		vm_advance(b.vm, vm_next_event(b.vm));
		CHECK_EQ(disk(&b)->count[1] >= 103, disk(&b)->congested);
		CHECK_EQ(disk(&b)->count[1] <= 96,
			 vm_dev_room(b.vm, VM_DEV_DISK, true));
	}
	CHECK_EQ(12, b.vm->mappings[b.file].nr_dirty);
	CHECK_OK(b.vm);
	done(&b);
}

/*
 * A full queue and a call that may move the clock itself, up to a horizon.
 * Expect a wait while the horizon is now, and room once it is far enough.
 */
static void test_horizon(void)
{
	struct bench b = with_file(400);
	u32 index = 0, written = 0, i;

	for (i = 0; i < 128; i++)
		make_dirty(&b, 2 * i, 1, 1);
	while (disk(&b)->count[1] < 128)
		vm_file_writeback(b.vm, b.file, &index, 1, &written);
	vm_advance(b.vm, 0);
	CHECK_EQ(VM_WAIT, vm_wait_room(b.vm, VM_DEV_DISK, true));
	CHECK_EQ(0, vm_now(b.vm));
	vm_set_horizon(b.vm, 10 * MS);
	CHECK_EQ(VM_DONE, vm_wait_room(b.vm, VM_DEV_DISK, true));
	/* 32 requests of one page each are complete. */
	CHECK_EQ(MS + 32 * PAGE_NS, vm_now(b.vm));
	CHECK_EQ(96, disk(&b)->count[1]);
	CHECK_OK(b.vm);
	done(&b);
}

int main(void)
{
	RUN(test_adjacent_pages_merge);
	RUN(test_what_does_not_merge);
	RUN(test_no_merge_after_begin);
	RUN(test_timing);
	RUN(test_clock);
	RUN(test_configured_device);
	RUN(test_config_refused);
	RUN(test_congestion);
	RUN(test_horizon);
	return 0;
}
