/*
 * test_buddy.c - splitting, joining and the order in which blocks are taken
 */
#include "buddy.c"

#include "harness.h"

#define TOP_PAGES (1u << TOP)

/* A block for a user of kernel memory, as vm_alloc() gives it. */
static u32 take(struct vm *vm, u32 order)
{
	return vm_alloc(vm, VM_CLASS_NORMAL, order, VM_ALLOC_MEMALLOC, VM_K_OTHER);
}

static void give(struct vm *vm, u32 pfn, u32 order)
{
	CHECK_EQ(0, vm_free(vm, pfn, order));
	vm_drain_pcp(vm, 1);
}

static void expect_areas(struct vm *vm, const u32 *blocks)
{
	for (u32 order = 0; order < VM_MAX_ORDER; order++)
		CHECK_EQ(blocks[order], vm_area_nr(vm, &vm->zones[1], order));
}

/*
 * One block of 1024 pages; one page is taken. At each split the lower half
 * goes to its list and the upper half is split on.
 *
 *	|........................................|	order 10
 *	|...... 9 ......|... 8 ...|.. 7 ..|6|...0X|	page 1023 is taken
 *
 * Expect page 1023, and one block in each of the lists 0 to 9. The next page
 * is 1022, the one of order 0; the one after that is 1021, the upper half of
 * the block of order 1.
 */
static void test_split_keeps_upper_half(void)
{
	struct vm *vm = one_zone(TOP_PAGES);
	u32 order;

	CHECK_EQ(1023, take(vm, 0));
	expect_areas(vm, (const u32[]){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0 });
	for (order = 0; order < TOP; order++)
		CHECK_EQ(TOP_PAGES - (2u << order), vm->zones[1].area[order].head);
	CHECK_EQ(1023, item(vm, 1, NR_FREE));
	CHECK_OK(vm);
	CHECK_EQ(1022, take(vm, 0));
	CHECK_EQ(1021, take(vm, 0));
	CHECK_EQ(1020, vm->zones[1].area[0].head);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * Three pages of one block come back, the last one joins everything.
 *
 *	|.... 9 ....|.. 8 ..|...|1020|X|X|X|
 *	|...............10.................|
 *
 * Expect one block of order 10, now on the list and not untouched any more.
 */
static void test_join(void)
{
	struct vm *vm = one_zone(TOP_PAGES);
	u32 pfn[3];

	for (u32 i = 0; i < 3; i++)
		pfn[i] = take(vm, 0);
	give(vm, pfn[0], 0);
	CHECK_EQ(1023, vm->zones[1].area[0].head);
	give(vm, pfn[2], 0);
	CHECK_OK(vm);
	/* 1020 and 1021 make a block of order 1; 1023 still stands alone. */
	expect_areas(vm, (const u32[]){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0 });
	give(vm, pfn[1], 0);
	expect_areas(vm, (const u32[]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 });
	CHECK_EQ(0, vm->zones[1].virgin);
	CHECK_EQ(0, vm->zones[1].area[TOP].head);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * Four blocks of order 3 that cannot join are given back: A, B, C, D.
 *
 *	|A|x|B|x|C|x|D|x|	x stays in use
 *
 * Expect them taken in the order D, C, B, A.
 */
static void test_last_in_first_out(void)
{
	struct vm *vm = one_zone(TOP_PAGES);
	u32 pfn[8], i;

	for (i = 0; i < 8; i++)
		pfn[i] = take(vm, 3);
	/* Highest first: pfn[7] is the lowest, at 960. */
	CHECK_EQ(960, pfn[7]);
	for (i = 0; i < 8; i += 2)
		give(vm, pfn[i], 3);
	for (i = 8; i > 0; i -= 2)
		CHECK_EQ(pfn[i - 2], take(vm, 3));
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * Four untouched blocks. They stand behind the list, the highest first, as
 * boot would have left them.
 *
 *	|0   |1024   |2048   |3072   |
 *
 * Expect 3072, then 2048; 3072 given back is taken again before 1024.
 */
static void test_untouched_blocks_highest_first(void)
{
	struct vm *vm = one_zone(4 * TOP_PAGES);

	CHECK_EQ(4, vm_area_nr(vm, &vm->zones[1], TOP));
	CHECK_EQ(3072, take(vm, TOP));
	CHECK_EQ(2048, take(vm, TOP));
	CHECK_EQ(2, vm->zones[1].virgin);
	give(vm, 3072, TOP);
	CHECK_EQ(3, vm_area_nr(vm, &vm->zones[1], TOP));
	CHECK_EQ(3072, take(vm, TOP));
	CHECK_EQ(1024, take(vm, TOP));
	CHECK_EQ(0, take(vm, TOP));
	CHECK_EQ(VM_NO_PFN, take(vm, 0));
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * 1024 + 512 + 128 + 1 pages are managed, 7 behind them are reserved.
 *
 *	|... 10 ...|... 9 ...|. 7 .|0|rrrrrrr|
 *
 * Expect those four blocks, and that page 1664 never joins page 1665.
 */
static void test_rest_and_reserved(void)
{
	struct vm_config conf = small_config(4096);
	struct vm *vm = make_vm(&conf);
	u32 managed = 1024 + 512 + 128 + 1;

	CHECK_EQ(0, vm_zone_plug(vm, 1, 0, 1, 0, 4096, managed + 7, 7));
	CHECK_EQ(0, vm_zone_gate(vm, 1, 1));
	set_zonelist(vm, 1, (const u32[]){ 1 });
	expect_areas(vm, (const u32[]){ 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1 });
	CHECK_EQ(managed, item(vm, 1, NR_FREE));
	CHECK_EQ(7, item(vm, 1, NR_RESERVED));
	CHECK_OK(vm);
	CHECK_EQ(1664, take(vm, 0));
	give(vm, 1664, 0);
	expect_areas(vm, (const u32[]){ 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1 });
	CHECK_OK(vm);
	free_vm(vm);
}

/* What is asked wrongly is refused, and nothing changes. */
static void test_refused(void)
{
	struct vm *vm = one_zone(2 * TOP_PAGES);
	u32 pfn = take(vm, 2);

	CHECK_EQ(VM_NO_PFN, take(vm, VM_MAX_ORDER));
	CHECK(vm_free(vm, pfn, VM_MAX_ORDER) < 0);
	CHECK(vm_free(vm, pfn + 1, 1) < 0);
	CHECK(vm_free(vm, pfn, 3) < 0);
	CHECK(vm_free(vm, 0, 0) < 0);
	CHECK(vm_free(vm, NONE, 0) < 0);
	CHECK(vm_zone_plug(vm, 1, 0, 1, 0, 1024, 1024, 0) < 0);
	CHECK(vm_zone_plug(vm, 2, 0, 1, 1024, 1024, 1024, 0) < 0);
	CHECK(vm_zone_plug(vm, 2, 0, 1, 512, 512, 512, 0) < 0);
	CHECK(vm_zone_plug(vm, 2, 0, 1, 2048, 1024, 1024, 0) < 0);
	CHECK_EQ(2 * TOP_PAGES - 4, item(vm, 1, NR_FREE));
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * Every order, filled to the last block and emptied in three ways: upwards,
 * downwards, every second block first.
 *
 * Expect 4096 >> order blocks, none twice (vm_alloc() writes each page), and
 * in the end four blocks of order 10.
 */
static void fill_and_empty(u32 order, u32 way)
{
	struct vm *vm = one_zone(4 * TOP_PAGES);
	u32 nr = 4 * TOP_PAGES >> order, i;

	for (i = 0; i < nr; i++)
		CHECK(take(vm, order) != VM_NO_PFN);
	CHECK_EQ(VM_NO_PFN, take(vm, 0));
	CHECK_EQ(0, item(vm, 1, NR_FREE));
	CHECK_EQ(4 * TOP_PAGES, item(vm, 1, NR_KERNEL_OTHER));
	CHECK_OK(vm);
	for (i = 0; i < nr; i++) {
		u32 at = way == 0	  ? i :
			 way == 1	  ? nr - 1 - i :
			 i < (nr + 1) / 2 ? 2 * i :
					    2 * (i - (nr + 1) / 2) + 1;

		give(vm, at << order, order);
	}
	expect_areas(vm, (const u32[]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4 });
	CHECK_EQ(4 * TOP_PAGES, item(vm, 1, NR_FREE));
	CHECK_OK(vm);
	free_vm(vm);
}

static void test_every_order(void)
{
	for (u32 order = 0; order < VM_MAX_ORDER; order++)
		for (u32 way = 0; way < 3; way++)
			fill_and_empty(order, way);
}

/*
 * 20000 blocks of mixed orders come and go in a random order that is the same
 * every time.
 *
 * Expect no violation on the way, and everything joined in the end.
 */
static void test_mixed(void)
{
	struct vm *vm = one_zone(4 * TOP_PAGES);
	u32 pfn[256], order[256], i;
	u64 seed = 42;

	memset(pfn, 0xff, sizeof(pfn));
	for (i = 0; i < 20000; i++) {
		u32 slot = rnd(&seed) % 256;

		if (pfn[slot] != NONE) {
			give(vm, pfn[slot], order[slot]);
			pfn[slot] = NONE;
		} else {
			order[slot] = rnd(&seed) % 7;
			pfn[slot] = take(vm, order[slot]);
		}
		if (i % 1000 == 0)
			CHECK_OK(vm);
	}
	for (i = 0; i < 256; i++)
		if (pfn[i] != NONE)
			give(vm, pfn[i], order[i]);
	expect_areas(vm, (const u32[]){ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4 });
	CHECK_OK(vm);
	free_vm(vm);
}

/* So many single pages; with `many` in one go. */
static void take_singles(struct vm *vm, u32 *pfns, u32 nr, bool many)
{
	struct zone *z = &vm->zones[1];
	u32 i;

	if (many) {
		CHECK_EQ(nr, vm_rmqueue_many(vm, z, pfns, nr));
		return;
	}
	for (i = 0; i < nr; i++)
		pfns[i] = vm_rmqueue(vm, z, 0);
}

/*
 * 400 times up to 70 pages are taken, one at a time on one machine, together on the
 * other, and some come back here and there.
 *
 * Expect the same pages in the same order, and the same lists, every time.
 */
static void test_many_are_as_many_single_ones(void)
{
	struct vm *vm[2] = { one_zone(4 * TOP_PAGES), one_zone(4 * TOP_PAGES) };
	u32 taken[2][4 * TOP_PAGES], nr = 0, n, i, j, m;
	u64 seed = 7;

	for (i = 0; i < 400; i++) {
		n = rnd(&seed) % 70 + 1;
		n = min_t(u32, n, item(vm[0], 1, NR_FREE));
		for (m = 0; m < 2; m++)
			take_singles(vm[m], taken[m] + nr, n, m);
		CHECK_EQ(0, memcmp(taken[0] + nr, taken[1] + nr, n * sizeof(u32)));
		for (nr += n, n = rnd(&seed) % 70; n && nr; n--) {
			j = rnd(&seed) % nr--;
			for (m = 0; m < 2; m++) {
				vm_buddy_free(vm[m], &vm[m]->zones[1], taken[m][j], 0);
				taken[m][j] = taken[m][nr];
			}
		}
		CHECK_EQ(vm_state_hash(vm[0]), vm_state_hash(vm[1]));
	}
	CHECK(nr > 300);
	for (m = 0; m < 2; m++) {
		for (i = 0; i < nr; i++)
			vm_buddy_free(vm[m], &vm[m]->zones[1], taken[m][i], 0);
		CHECK_OK(vm[m]);
	}
	CHECK_EQ(4 * TOP_PAGES,
		 vm_rmqueue_many(vm[0], &vm[0]->zones[1], taken[0], 4 * TOP_PAGES));
	CHECK_EQ(0, vm_rmqueue_many(vm[0], &vm[0]->zones[1], taken[0], 1));
	for (m = 0; m < 2; m++)
		free_vm(vm[m]);
}

/* The fault flag: the third block from the buddy lists is refused. */
static void test_fault(void)
{
	struct vm *vm = one_zone(TOP_PAGES);

	fail_alloc_after(2);
	CHECK(take(vm, 0) != VM_NO_PFN);
	CHECK(take(vm, 0) != VM_NO_PFN);
	CHECK_EQ(VM_NO_PFN, take(vm, 0));
	CHECK_EQ(VM_CLASS_NORMAL, vm->need.cls);
	CHECK_EQ(0, vm->need.order);
	fail_alloc_never();
	CHECK(take(vm, 0) != VM_NO_PFN);
	CHECK_OK(vm);
	free_vm(vm);
}

int main(void)
{
	RUN(test_split_keeps_upper_half);
	RUN(test_join);
	RUN(test_last_in_first_out);
	RUN(test_untouched_blocks_highest_first);
	RUN(test_rest_and_reserved);
	RUN(test_refused);
	RUN(test_every_order);
	RUN(test_mixed);
	RUN(test_many_are_as_many_single_ones);
	RUN(test_fault);
	return 0;
}
