/*
 * test_mm.c - touching: faults, copies, stamps, what it costs; areas that go
 */
#include "mm.c"

#include "harness.h"

static u32 file_of(struct vm *vm, u32 pages)
{
	u32 file = vm_mapping_create(vm, VM_MAP_FILE);

	CHECK_EQ(0, vm_mapping_size(vm, file, (u64)pages * PAGE_SIZE));
	for (u32 i = 0; i < pages; i++)
		listed_page(vm, file, i, LRU_INACTIVE);
	return file;
}

/*
 * Eight pages of anonymous memory: four are read, then four are written, two
 * of them read before.
 *
 *	read    [z z z z . . . .]	no page: the zero page
 *	written [z z A A A A . .]
 *
 * Expect 4 pages, each with its own stamp, and one page table.
 */
static void test_anonymous(void)
{
	struct vm *vm = one_zone(4096);
	u32 area = anon_area(vm, 5, 8), i;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 4, 0));
	CHECK_EQ(0, vm->mms[0].rss);
	CHECK_EQ(0, item(vm, 1, NR_ANON));
	CHECK_EQ(VM_DONE, touch_area(vm, area, 2, 4, VM_TOUCH_WRITE));
	CHECK_EQ(4, vm->mms[0].rss);
	CHECK_EQ(4, vm->mms[0].anon_rss);
	CHECK_EQ(1, vm->mms[0].page_tables);
	CHECK_EQ(8, vm->mms[0].minflt);
	for (i = 2; i < 6; i++)
		CHECK_EQ(vm_stamp_of(5, 0x1000 + i),
			 vm->stamps[mapped_pfn(vm, area, i)]);
	CHECK_OK(vm);
	vm_drain_pagevecs(vm);
	/* Anonymous pages begin on the active list. */
	CHECK_EQ(4, item(vm, 1, NR_ACTIVE));
	CHECK_OK(vm);
	free_vm(vm);
}

/* A touch that finds its page counts nothing but its bits. */
static void test_touch_again(void)
{
	struct vm *vm = one_zone(4096);
	u32 area = anon_area(vm, 5, 8);

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	*pte_of(vm, area, 3) &= ~(PTE_ACCESSED | PTE_DIRTY);
	CHECK_EQ(VM_DONE, touch_area(vm, area, 3, 1, 0));
	CHECK_EQ(PTE_ACCESSED, *pte_of(vm, area, 3) & (PTE_ACCESSED | PTE_DIRTY));
	CHECK_EQ(VM_DONE, touch_area(vm, area, 3, 1, VM_TOUCH_WRITE));
	CHECK(*pte_of(vm, area, 3) & PTE_DIRTY);
	CHECK_EQ(8, vm->event[EV_PGFAULT]);
	CHECK_EQ(0, vm->event[EV_CORRUPT]);
	free_vm(vm);
}

/* Somebody else's page under a PTE is noticed by the next touch. */
static void test_wrong_contents_are_noticed(void)
{
	struct vm *vm = one_zone(4096);
	u32 area = anon_area(vm, 5, 8);

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, VM_TOUCH_WRITE));
	vm->stamps[mapped_pfn(vm, area, 6)] ^= 1;
	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 8, 0));
	CHECK_EQ(1, vm->event[EV_CORRUPT]);
	free_vm(vm);
}

/*
 * A shared and a private mapping of the same file, both written.
 *
 * Expect the shared one to write to the file's own pages, the private one to
 * have copies; the file's pages turn dirty when the PTE goes.
 */
static void test_shared_and_private(void)
{
	struct vm *vm = one_zone(4096);
	u32 file = file_of(vm, 4), a = vm_mm_create(vm, 1), b = vm_mm_create(vm, 2);
	u32 shared = vm_mmap(vm, a, VM_VMA_WRITE | VM_VMA_SHARED, file, 0, 0, 4);
	u32 private = vm_mmap(vm, b, VM_VMA_WRITE, file, 0, 0, 4), own;

	CHECK_EQ(VM_DONE, touch_area(vm, private, 0, 4, 0));
	own = mapped_pfn(vm, private, 1);
	CHECK_EQ(VM_DONE, touch_area(vm, shared, 1, 1, VM_TOUCH_WRITE));
	CHECK_EQ(own, mapped_pfn(vm, shared, 1));
	CHECK_EQ(VM_DONE, touch_area(vm, private, 1, 1, VM_TOUCH_WRITE));
	CHECK(mapped_pfn(vm, private, 1) != own);
	CHECK_EQ(1, vm->event[EV_PGCOW]);
	CHECK_EQ(1, vm->mms[b].anon_rss);
	CHECK_EQ(0, vm->mappings[file].nr_dirty);
	CHECK_OK(vm);
	CHECK_EQ(VM_DONE, vm_munmap(vm, shared, 100));
	CHECK_EQ(1, vm->mappings[file].nr_dirty);
	CHECK_EQ(1, vm->mappings[file].nr_vmas);
	CHECK_OK(vm);
	free_vm(vm);
}

/* What a task may not do, and what does not exist. */
static void test_refused(void)
{
	struct vm *vm = one_zone(4096);
	u32 file = file_of(vm, 2), mm = vm_mm_create(vm, 1);
	u32 area = vm_mmap(vm, mm, VM_VMA_SHARED, file, 0, 0, 4);
	struct vm_touch t = { .mm = mm, .vma = area, .nr = 1, .next = VM_NO_ID };

	CHECK_EQ(-EACCES, touch_area(vm, area, 0, 1, VM_TOUCH_WRITE));
	CHECK_EQ(-EFAULT, touch_area(vm, area, 2, 1, 0));
	CHECK_EQ(-EINVAL, touch_area(vm, area, 4, 1, 0));
	CHECK_EQ(-EINVAL, touch_area(vm, area, 1, 4, 0));
	CHECK_EQ(-EINVAL, touch_area(vm, area, 0, 0, 0));
	t.mm = 77;
	CHECK_EQ(-EINVAL, vm_touch(vm, &t, 1));
	t.mm = mm;
	t.vma = NONE;
	CHECK_EQ(-EINVAL, vm_touch(vm, &t, 1));
	CHECK_EQ(VM_NO_ID, vm_mmap(vm, 77, 0, VM_NO_ID, 0, 0, 1));
	CHECK_EQ(VM_NO_ID, vm_mmap(vm, mm, 0, 12345, 0, 0, 1));
	CHECK_EQ(VM_NO_ID, vm_mmap(vm, mm, 0, VM_NO_ID, 0, 0, 0));
	CHECK_EQ(VM_NO_ID, vm_mmap(vm, mm, 0, file, NONE, 0, 2));
	CHECK_EQ(-EINVAL, vm_munmap(vm, area + 1, 1));
	CHECK_EQ(-EINVAL, vm_mm_destroy(vm, mm + 1, 1));
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * No memory for the page table, then none for the page.
 * Expect VM_NOMEM, nothing half done, and success when there is memory.
 */
static void test_no_memory(void)
{
	struct vm *vm = one_zone(4096);
	u32 area = anon_area(vm, 5, 8);

	for (u32 i = 0; i < 2; i++) {
		fail_alloc_after(i);
		CHECK_EQ(VM_NOMEM, touch_area(vm, area, 0, 1, VM_TOUCH_WRITE));
		CHECK_EQ(i ? VM_CLASS_HOTREMOVABLE : VM_CLASS_NORMAL,
			 vm_needed(vm)->cls);
		CHECK_EQ(i, vm->mms[0].page_tables);
		CHECK_EQ(0, vm->mms[0].rss);
		CHECK_OK(vm);
		vm_drain_pcp(vm, 1);
	}
	fail_alloc_never();
	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 1, VM_TOUCH_WRITE));
	CHECK_EQ(1, vm->mms[0].minflt);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * A node twice as far costs twice as much: 100 ns x distance / 10.
 */
static void test_cost(void)
{
	struct vm_config conf = small_config(8192);
	struct vm *vm = make_vm(&conf);
	struct vm_touch t = { .nr = 4, .flags = VM_TOUCH_WRITE, .next = VM_NO_ID };

	add_zone(vm, 5, 1, 1, 4096, 4096, 0);
	set_zonelist(vm, 1, (const u32[]){ 5 });
	CHECK_EQ(0, vm_distance(vm, 0, 1, 20));
	t.vma = anon_area(vm, 5, 8);
	CHECK_EQ(VM_DONE, vm_touch(vm, &t, 10));
	CHECK_EQ(4 * 200, t.cost_ns);
	vm_set_touch_cost(vm, 50);
	t.pos = 0;
	CHECK_EQ(VM_DONE, vm_touch(vm, &t, 10));
	CHECK_EQ(4 * 200 + 4 * 100, t.cost_ns);
	CHECK(vm_cpu_node(vm, 0, 1) == 0);
	CHECK(vm_cpu_node(vm, 1, 0) < 0);
	CHECK(vm_distance(vm, 0, 2, 10) < 0);
	free_vm(vm);
}

/*
 * A random pass of 100 touches in steps of 1, 7 and 100.
 * Expect the same pages whatever the steps are.
 */
static void test_random_order(void)
{
	static const u32 budgets[] = { 1, 7, 100 };
	u64 hash[ARRAY_SIZE(budgets)];

	for (u32 i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct vm *vm = one_zone(4096);
		struct vm_touch t = { .nr = 100,
				      .rng = 9,
				      .next = VM_NO_ID,
				      .flags = VM_TOUCH_WRITE | VM_TOUCH_RANDOM };

		t.vma = anon_area(vm, 5, 1000);
		t.first = 500;
		while (vm_touch(vm, &t, budgets[i]) == VM_MORE)
			;
		CHECK_EQ(100, t.pos);
		CHECK(vm->mms[0].rss < 100);
		CHECK_EQ(0, vm->ptbs[vm->vmas[t.vma].ptb[0]].base);
		hash[i] = vm_state_hash(vm);
		CHECK_EQ(hash[0], hash[i]);
		CHECK_OK(vm);
		free_vm(vm);
	}
}

/*
 * An area of 3000 pages is unmapped 700 pages a step.
 *
 *	|1024|1024|952|	-> |.. 324|1024|952| -> ...
 *
 * Expect it to be sound between the steps, untouchable from the first one on,
 * and three page tables to come back.
 */
static void test_unmap_in_steps(void)
{
	struct vm *vm = one_zone(8192);
	u32 area = anon_area(vm, 5, 3000), steps = 0;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 3000, VM_TOUCH_WRITE));
	CHECK_EQ(3, item(vm, 1, NR_PAGETABLE));
	while (vm_munmap(vm, area, 700) == VM_MORE) {
		CHECK_EQ(-EINVAL, touch_area(vm, area, 2999, 1, 0));
		CHECK_OK(vm);
		steps++;
	}
	CHECK_EQ(4, steps);
	CHECK_EQ(0, vm->mms[0].rss);
	CHECK_EQ(0, vm->mms[0].total_vm);
	CHECK_EQ(0, item(vm, 1, NR_PAGETABLE));
	vm_drain_pagevecs(vm);
	vm_drain_pcp(vm, 1);
	CHECK_EQ(8192, item(vm, 1, NR_FREE));
	CHECK_OK(vm);
	free_vm(vm);
}

/* Numbers of what is gone are used again; a task's areas go with it. */
static void test_numbers_are_used_again(void)
{
	struct vm *vm = one_zone(4096);
	u32 first = anon_area(vm, 1, 8), second = anon_area(vm, 2, 8);

	CHECK_EQ(VM_DONE, touch_area(vm, first, 0, 8, VM_TOUCH_WRITE));
	CHECK_EQ(VM_DONE, touch_area(vm, second, 0, 8, VM_TOUCH_WRITE));
	CHECK_EQ(VM_DONE, vm_mm_destroy(vm, 0, 100));
	CHECK_OK(vm);
	CHECK_EQ(0, vm_mm_create(vm, 3));
	CHECK_EQ(first, vm_mmap(vm, 0, VM_VMA_WRITE, VM_NO_ID, 0, 0, 4));
	CHECK_EQ(VM_DONE, touch_area(vm, first, 0, 4, VM_TOUCH_WRITE));
	CHECK_EQ(2, vm->nr_mms);
	CHECK_EQ(2, vm->nr_ptbs);
	CHECK_OK(vm);
	free_vm(vm);
}

int main(void)
{
	RUN(test_anonymous);
	RUN(test_touch_again);
	RUN(test_wrong_contents_are_noticed);
	RUN(test_shared_and_private);
	RUN(test_refused);
	RUN(test_no_memory);
	RUN(test_cost);
	RUN(test_random_order);
	RUN(test_unmap_in_steps);
	RUN(test_numbers_are_used_again);
	return 0;
}
