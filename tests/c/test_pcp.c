/*
 * test_pcp.c - per-CPU lists
 */
#include "pcp.c"

#include "harness.h"

static u32 take(struct vm *vm, u32 flags)
{
	return vm_alloc(vm, VM_CLASS_NORMAL, 0, flags, VM_K_OTHER);
}

/* Batches of 4: hot 8 to 24, cold 0 to 8. */
static struct vm *zone_with_pcp(void)
{
	struct vm *vm = one_zone(4096);

	set_pcp(vm, 1, 4);
	return vm;
}

/*
 * Pages are taken from an empty hot list, low mark 8, batch 4. A list that
 * holds 8 or fewer gets 4 pages before one is taken.
 *
 *	0 -> 3 -> 6 -> 9 -> 8 -> 11 -> 10 -> 9 -> 8 -> 11
 *
 * Expect exactly these lengths, and free + pcp + taken to stay 4096.
 */
static void test_hot_list_refill(void)
{
	static const u32 lengths[] = { 3, 6, 9, 8, 11, 10, 9, 8, 11 };
	struct vm *vm = zone_with_pcp();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		CHECK(take(vm, 0) != VM_NO_PFN);
		CHECK_EQ(lengths[i], item(vm, 1, NR_PCP));
		CHECK_EQ(4096 - i - 1, item(vm, 1, NR_FREE) + item(vm, 1, NR_PCP));
	}
	CHECK_EQ(ARRAY_SIZE(lengths), vm->event[EV_PGALLOC]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* Expect the cold list, low mark 0, to be filled by 4 only when it is empty. */
static void test_cold_list_refill(void)
{
	static const u32 lengths[] = { 3, 2, 1, 0, 3 };
	struct vm *vm = zone_with_pcp();
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		CHECK(take(vm, VM_ALLOC_COLD) != VM_NO_PFN);
		CHECK_EQ(lengths[i], vm->zones[1].pcp[PCP_COLD].count);
	}
	CHECK_EQ(0, vm->zones[1].pcp[PCP_HOT].count);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * A batch comes from the buddy lists as they split: 4095, 4094, 4093, 4092.
 * The list keeps that order, and what is freed is taken again first.
 *
 *	head -> 4095 4094 4093 4092
 */
static void test_order_within_list(void)
{
	struct vm *vm = zone_with_pcp();

	for (u32 pfn = 4095; pfn > 4092; pfn--)
		CHECK_EQ(pfn, take(vm, VM_ALLOC_COLD));
	CHECK_EQ(0, vm_free(vm, 4094, 0));
	CHECK_EQ(0, vm_free(vm, 4095, 0));
	/* Freed pages are hot; the cold list still has its last one. */
	CHECK_EQ(4092, take(vm, VM_ALLOC_COLD));
	/* The hot list is below its low mark: a batch goes to its tail first. */
	CHECK_EQ(4095, take(vm, 0));
	CHECK_EQ(4094, take(vm, 0));
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * 30 pages are freed to a hot list with high mark 24.
 *
 *	1 .. 24, then 20 + 1 = 21, 22, 23, 24, 21, 22
 *
 * Expect batches of the oldest 4 to go back when the list holds 24.
 */
static void test_free_to_high_mark(void)
{
	struct vm *vm = one_zone(4096);
	u32 pfn[30], i;

	for (i = 0; i < 30; i++)
		pfn[i] = take(vm, 0);
	CHECK_EQ(0, item(vm, 1, NR_PCP));
	set_pcp(vm, 1, 4);
	for (i = 0; i < 30; i++) {
		u32 want = i < 24 ? i + 1 : 21 + (i - 24) % 4;

		CHECK_EQ(0, vm_free(vm, pfn[i], 0));
		CHECK_EQ(want, item(vm, 1, NR_PCP));
	}
	for (i = 0; i < 8; i++)
		CHECK(page_type(&vm->pages[pfn[i]]) != VM_T_PCP);
	CHECK_EQ(VM_T_PCP, page_type(&vm->pages[pfn[8]]));
	CHECK_EQ(30, vm->event[EV_PGFREE]);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * A zone behind a closed gate: low and high are 0. Each free first gives a
 * batch back, and still leaves its own page on the list.
 *
 *	24 -> 21 -> 18 -> ... -> 3 -> 1 -> 1
 *
 * Expect one page to stay until the drain, then none.
 */
static void test_closed_zone_leaves_one_page(void)
{
	struct vm *vm = one_zone(4096);
	u32 pfn[40], i;

	for (i = 0; i < 40; i++)
		pfn[i] = take(vm, 0);
	set_pcp(vm, 1, 4);
	for (i = 0; i < 24; i++)
		CHECK_EQ(0, vm_free(vm, pfn[i], 0));
	CHECK_EQ(0, vm_zone_pcp(vm, 1, 0, 0, 0, 0, 4));
	for (; i < 40; i++) {
		u32 before = item(vm, 1, NR_PCP);

		CHECK_EQ(0, vm_free(vm, pfn[i], 0));
		CHECK_EQ(before > 4 ? before - 3 : 1, item(vm, 1, NR_PCP));
	}
	CHECK_EQ(1, item(vm, 1, NR_PCP));
	CHECK_EQ(4095, item(vm, 1, NR_FREE));
	vm_drain_pcp(vm, 1);
	CHECK_EQ(0, item(vm, 1, NR_PCP));
	CHECK_EQ(4096, item(vm, 1, NR_FREE));
	CHECK_EQ(4, vm_area_nr(vm, &vm->zones[1], 10));
	CHECK_OK(vm);
	free_vm(vm);
}

/* Pages that come back make a zone hopeful again, as free_pages_bulk() did. */
static void test_bulk_free_clears_unreclaimable(void)
{
	struct vm *vm = one_zone(1024);
	u32 pfn = take(vm, 0);

	set_pcp(vm, 1, 4);
	vm_zone_unreclaimable(vm, 1, 1);
	vm->zones[1].pages_scanned = 99;
	CHECK_EQ(0, vm_free(vm, pfn, 0));
	CHECK_EQ(1, vm->zones[1].all_unreclaimable);
	vm_drain_pcp(vm, 1);
	CHECK_EQ(0, vm->zones[1].all_unreclaimable);
	CHECK_EQ(0, vm->zones[1].pages_scanned);
	free_vm(vm);
}

/* Two CPUs have lists of their own; a drain empties both. */
static void test_drain_all_cpus(void)
{
	struct vm_config conf = small_config(4096);
	struct vm *vm;

	conf.nr_cpus = 2;
	vm = make_vm(&conf);
	add_zone(vm, 1, 0, 1, 0, 4096, 0);
	set_zonelist(vm, 1, (const u32[]){ 1 });
	set_pcp(vm, 1, 4);
	CHECK(take(vm, 0) != VM_NO_PFN);
	vm_set_cpu(vm, 1);
	CHECK(take(vm, VM_ALLOC_COLD) != VM_NO_PFN);
	CHECK_EQ(3, vm->zones[1].pcp[PCP_HOT].count);
	CHECK_EQ(3, vm->zones[1].pcp[2 + PCP_COLD].count);
	CHECK_OK(vm);
	vm_drain_pcp(vm, 1);
	CHECK_EQ(0, item(vm, 1, NR_PCP));
	CHECK_OK(vm);
	free_vm(vm);
}

int main(void)
{
	RUN(test_hot_list_refill);
	RUN(test_cold_list_refill);
	RUN(test_order_within_list);
	RUN(test_free_to_high_mark);
	RUN(test_closed_zone_leaves_one_page);
	RUN(test_bulk_free_clears_unreclaimable);
	RUN(test_drain_all_cpus);
	return 0;
}
