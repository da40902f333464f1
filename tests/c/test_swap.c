/*
 * test_swap.c - slots, the swap cache, and the way of a page out and back
 */
#include "swap.c"

#include "harness.h"

/* A slot as a tmpfs entry or PTE would hold it. */
static u32 take_slot(struct vm *vm)
{
	u32 slot = vm_swap_alloc(vm);

	if (slot != NONE)
		vm->swap.map[slot]++;
	return slot;
}

/*
 * 1024 slots. Slot 0 holds the header, so that the first run of 256 that is
 * free as a whole is the second; the first one is used when no other is left.
 *
 *	|h...........|256 ........|512 ........|768 ........|
 *	    last	 first
 *
 * Expect 256 to 1023 in order, then 1 to 255, each once, then none.
 */
static void test_slots_in_runs(void)
{
	struct vm_config conf = small_config(4096);
	struct vm *vm;
	u32 i;

	conf.swap_pages = 1024;
	vm = make_vm(&conf);
	for (i = 256; i < 1024; i++)
		CHECK_EQ(i, take_slot(vm));
	for (i = 1; i < 256; i++)
		CHECK_EQ(i, take_slot(vm));
	CHECK_EQ(NONE, vm_swap_alloc(vm));
	CHECK_EQ(1023, vm->swap.used);
	free_vm(vm);
}

/*
 * All in use, then two slots of different runs are given back.
 * Expect to get exactly these again.
 */
static void test_single_free_slots(void)
{
	struct vm_config conf = small_config(4096);
	struct vm *vm;
	u32 i, a, b;

	conf.swap_pages = 1024;
	vm = make_vm(&conf);
	for (i = 1; i < 1024; i++)
		CHECK(take_slot(vm) != NONE);
	vm_swap_free(vm, 700);
	vm_swap_free(vm, 3);
	CHECK_EQ(1021, vm->swap.used);
	a = take_slot(vm);
	b = take_slot(vm);
	CHECK((a == 700 && b == 3) || (a == 3 && b == 700));
	CHECK_EQ(NONE, vm_swap_alloc(vm));
	free_vm(vm);
}

/* Areas smaller than a run, and no area at all. */
static void test_small_areas(void)
{
	static const u32 sizes[] = { 0, 1, 2, 8, 255, 256, 257 };
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct vm_config conf = small_config(4096);
		struct vm *vm;
		u32 total, used, cached;

		conf.swap_pages = sizes[i];
		vm = make_vm(&conf);
		for (k = 1; k < sizes[i]; k++)
			CHECK(take_slot(vm) != NONE);
		CHECK_EQ(NONE, vm_swap_alloc(vm));
		vm_swap_stat(vm, &total, &used, &cached);
		CHECK_EQ(sizes[i] ? sizes[i] - 1 : 0, total);
		CHECK_EQ(total, used);
		CHECK_EQ(0, cached);
		free_vm(vm);
	}
}

/* A slot with three references is free after the third is dropped. */
static void test_references(void)
{
	struct vm *vm = one_zone(1024);
	u32 slot = take_slot(vm);

	vm->swap.map[slot] = 3;
	vm_swap_free(vm, slot);
	vm_swap_free(vm, slot);
	CHECK_EQ(1, vm->swap.used);
	vm_swap_free(vm, slot);
	CHECK_EQ(0, vm->swap.used);
	CHECK_EQ(0, vm->swap.cluster[slot / SWAP_CLUSTER]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* ---- the way out and back ---- */

static struct vm *with_devices(u32 pages)
{
	struct vm *vm = one_zone(pages);

	vm->rules &= ~(u32)VM_RULE_UNMAP_REFUSES_YOUNG;
	return vm;
}

/* An anonymous page goes out: slot, unmapped, written, freed. Return: the slot. */
static u32 swap_out(struct vm *vm, u32 area, u32 idx)
{
	u32 pfn = mapped_pfn(vm, area, idx);
	u32 slot = vm_swap_alloc(vm);

	CHECK(slot != NONE);
	vm_swap_cache_add(vm, pfn, slot);
	vm->pages[pfn].flags |= PG_DIRTY;
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(vm, pfn));
	CHECK_EQ(VM_DONE, vm_writepage(vm, pfn, false));
	CHECK(vm->pages[pfn].flags & PG_WRITEBACK);
	CHECK_OK(vm);
	vm_advance(vm, vm->now + 10000000);
	CHECK(!(vm->pages[pfn].flags & (PG_WRITEBACK | PG_DIRTY)));
	vm_swap_cache_del(vm, pfn);
	vm_put_page(vm, pfn, true);
	CHECK_OK(vm);
	return slot;
}

/*
 * A task's page is written to swap and freed, then touched again.
 *
 *	PTE -> page		slot 256 free
 *	PTE = entry 256		slot 256: stamp, one reference
 *	PTE -> another page	slot 256 cached
 *
 * Expect one major fault, the same stamp, pswpin and pswpout of one.
 */
static void test_out_and_back(void)
{
	struct vm *vm = with_devices(4096);
	u32 area = anon_area(vm, 77, 8), slot, stamp;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	stamp = vm->stamps[mapped_pfn(vm, area, 5)];
	slot = swap_out(vm, area, 5);
	CHECK_EQ(stamp, vm->swap.stamp[slot]);
	CHECK_EQ(1, vm->mms[0].swap);
	CHECK_EQ(VM_READ, touch_area(vm, area, 5, 1, 0));
	CHECK_EQ(VM_SWAP_MAPPING, vm_needed(vm)->mapping);
	CHECK_EQ(slot, vm_needed(vm)->index);
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	CHECK_EQ(VM_WAIT, touch_area(vm, area, 5, 1, 0));
	CHECK_OK(vm);
	vm_advance(vm, vm->now + 10000000);
	CHECK_EQ(VM_DONE, touch_area(vm, area, 5, 1, 0));
	CHECK_EQ(stamp, vm->stamps[mapped_pfn(vm, area, 5)]);
	CHECK_EQ(0, vm->mms[0].swap);
	CHECK_EQ(1, vm->mms[0].majflt);
	CHECK_EQ(1, vm->event[EV_PSWPIN]);
	CHECK_EQ(1, vm->event[EV_PSWPOUT]);
	CHECK_EQ(0, vm->event[EV_CORRUPT]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* A task that ends gives its slots back, cached or not. */
static void test_exit_frees_slots(void)
{
	struct vm *vm = with_devices(4096);
	u32 area = anon_area(vm, 77, 8), slot;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	swap_out(vm, area, 1);
	slot = swap_out(vm, area, 2);
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	vm_advance(vm, vm->now + 10000000);
	CHECK_EQ(2, vm->swap.used);
	CHECK_EQ(1, vm->swap.cached);
	CHECK_EQ(VM_DONE, vm_mm_destroy(vm, 0, 100));
	vm_drain_pagevecs(vm);
	CHECK_EQ(0, vm->swap.used);
	CHECK_EQ(0, vm->swap.cached);
	CHECK_EQ(0, item(vm, 1, NR_ANON));
	CHECK_OK(vm);
	free_vm(vm);
}

/* The task ends while its page is on the way in: the page is freed by reclaim. */
static void test_exit_during_read(void)
{
	struct vm *vm = with_devices(4096);
	u32 area = anon_area(vm, 77, 8), slot;
	struct vm_reclaim rc = {
		.zid = 1, .may_fs = 1, .may_io = 1, .nr_pages = 8, .max_scan = 64
	};
	u32 nr = 64;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	slot = swap_out(vm, area, 1);
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	CHECK_EQ(VM_DONE, vm_mm_destroy(vm, 0, 100));
	CHECK_OK(vm);
	vm_advance(vm, vm->now + 10000000);
	CHECK_EQ(1, vm->swap.used);
	CHECK_OK(vm);
	CHECK_EQ(VM_DONE, vm_refill(vm, &rc, &nr, 100));
	CHECK_EQ(VM_DONE, vm_shrink(vm, &rc, 100));
	CHECK_EQ(0, vm->swap.used);
	CHECK_EQ(0, item(vm, 1, NR_SWAPCACHE));
	CHECK_OK(vm);
	free_vm(vm);
}

/* No page to read into: nothing has changed, and it works when there is one. */
static void test_no_page_to_read_into(void)
{
	struct vm *vm = with_devices(4096);
	u32 area = anon_area(vm, 77, 8), slot;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	slot = swap_out(vm, area, 1);
	vm_drain_pcp(vm, 1);
	fail_alloc_after(0);
	CHECK_EQ(VM_NOMEM, vm_swap_submit_read(vm, slot));
	CHECK_EQ(0, vm->swap.cache[slot]);
	CHECK_OK(vm);
	fail_alloc_never();
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	CHECK(vm->swap.cache[slot]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* A read that fails: it is to be tried again, and who has tried can see that. */
static void test_read_error(void)
{
	struct vm *vm = with_devices(4096);
	u32 area = anon_area(vm, 77, 8), slot;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	slot = swap_out(vm, area, 1);
	vm_dev_fault(vm, VM_DEV_SWAP, 0, 5);
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	vm_advance(vm, vm->now + 10000000);
	CHECK_EQ(VM_READ, touch_area(vm, area, 1, 1, 0));
	CHECK_EQ(1, vm_needed(vm)->failed);
	CHECK_EQ(1, vm->swap.map[slot]);
	CHECK_OK(vm);
	vm_dev_fault(vm, VM_DEV_SWAP, 0, 0);
	CHECK_EQ(VM_DONE, vm_swap_submit_read(vm, slot));
	CHECK_EQ(VM_WAIT, touch_area(vm, area, 1, 1, 0));
	CHECK_OK(vm);
	vm_advance(vm, vm->now + 10000000);
	CHECK_EQ(VM_DONE, touch_area(vm, area, 1, 1, 0));
	CHECK_OK(vm);
	free_vm(vm);
}

static void test_refused(void)
{
	struct vm *vm = with_devices(1024);
	u32 slot = take_slot(vm);

	CHECK(vm_swap_submit_read(vm, 0) < 0);
	CHECK(vm_swap_submit_read(vm, slot + 1) < 0);
	CHECK(vm_swap_submit_read(vm, NONE) < 0);
	CHECK(vm_swap_size(vm, 2048, -1) < 0);
	vm_swap_free(vm, slot);
	CHECK(vm_swap_size(vm, 1u << 28, -1) < 0);
	CHECK_EQ(0, vm_swap_size(vm, 512, -1));
	CHECK_EQ(512, vm->swap.nr);
	free_vm(vm);
}

int main(void)
{
	RUN(test_slots_in_runs);
	RUN(test_single_free_slots);
	RUN(test_small_areas);
	RUN(test_references);
	RUN(test_out_and_back);
	RUN(test_exit_frees_slots);
	RUN(test_exit_during_read);
	RUN(test_no_page_to_read_into);
	RUN(test_read_error);
	RUN(test_refused);
	return 0;
}
