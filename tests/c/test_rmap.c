/*
 * test_rmap.c - who maps a page: single handles, chains, unmapping
 */
#include "rmap.c"

#include "harness.h"

#define MANY 40u

/* A file of one page that up to MANY tasks map, shared or not. */
struct shared {
	struct vm *vm;
	u32 file, pfn;
	u32 area[MANY];
};

static void shared_init(struct shared *s, u32 nr, u32 flags)
{
	s->vm = one_zone(4096);
	s->file = vm_mapping_create(s->vm, VM_MAP_FILE);
	CHECK_EQ(0, vm_mapping_size(s->vm, s->file, PAGE_SIZE));
	s->pfn = listed_page(s->vm, s->file, 0, LRU_INACTIVE);
	for (u32 i = 0; i < nr; i++) {
		u32 mm = vm_mm_create(s->vm, i + 1);

		s->area[i] = vm_mmap(s->vm, mm, flags, s->file, 0, 0x100, 1);
		CHECK_EQ(VM_DONE, touch_area(s->vm, s->area[i], 0, 1, 0));
	}
}

static struct page *page_of(struct shared *s) { return &s->vm->pages[s->pfn]; }

static u32 handle_of(struct shared *s, u32 i)
{
	return (u32)(pte_of(s->vm, s->area[i], 0) - s->vm->ptes);
}

/*
 * One task, two, six, seven.
 *
 *	page -> PTE 0
 *	page -> [0 1 . . . .]
 *	page -> [0 1 2 3 4 5]
 *	page -> [6 . . . . .] -> [0 1 2 3 4 5]
 *
 * Expect 0, 1, 1, 2 blocks, and the PTEs newest first.
 */
static void test_chain_grows(void)
{
	static const struct {
		u32 tasks, blocks;
	} rows[] = { { 1, 0 }, { 2, 1 }, { 6, 1 }, { 7, 2 }, { 12, 2 }, { 13, 3 } };
	struct shared s;
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		shared_init(&s, rows[i].tasks, VM_VMA_SHARED);
		CHECK_EQ(rows[i].tasks, vm_mapcount(s.vm, page_of(&s)));
		CHECK_EQ(rows[i].blocks, s.vm->used_chains);
		for (k = 0; k < rows[i].tasks; k++)
			CHECK_EQ(handle_of(&s, rows[i].tasks - 1 - k),
				 vm_rmap_pte(s.vm, page_of(&s), k));
		CHECK_EQ(NONE, vm_rmap_pte(s.vm, page_of(&s), k));
		CHECK_EQ(1, item(s.vm, 1, NR_MAPPED));
		CHECK_OK(s.vm);
		free_vm(s.vm);
	}
}

/*
 * Eight tasks end, one in the middle of the old block first.
 *
 *	[6 7 . . . .] -> [0 1 2 3 4 5]	task 2 ends
 *	[6 . . . . .] -> [0 1 7 3 4 5]	the newest takes its place
 *
 * Expect the count to fall by one each time, one block to go with the sixth
 * from the end, and the page to know the last task by its handle alone.
 */
static void test_chain_shrinks(void)
{
	static const u32 order[] = { 2, 6, 0, 7, 5, 1, 4 };
	struct shared s;
	u32 i;

	shared_init(&s, 8, VM_VMA_SHARED);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		CHECK_EQ(VM_DONE, vm_munmap(s.vm, s.area[order[i]], 10));
		CHECK_EQ(7 - i, vm_mapcount(s.vm, page_of(&s)));
		CHECK_EQ(i == 6 ? 0 : i >= 1 ? 1 : 2, s.vm->used_chains);
		CHECK_OK(s.vm);
	}
	CHECK_EQ(RMAP_SINGLE, page_of(&s)->flags & RMAP_MASK);
	CHECK_EQ(handle_of(&s, 3), page_of(&s)->rmap);
	CHECK_EQ(VM_DONE, vm_munmap(s.vm, s.area[3], 10));
	CHECK_EQ(0, vm_mapcount(s.vm, page_of(&s)));
	CHECK_EQ(0, item(s.vm, 1, NR_MAPPED));
	CHECK_EQ(0, item(s.vm, 1, NR_PAGETABLE));
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

/* 2000 random arrivals and departures among 40 handles; a set is the model. */
static void test_chain_against_a_set(void)
{
	struct shared s;
	bool in[MANY];
	u64 seed = 11;
	u32 i, k, n;

	shared_init(&s, MANY, VM_VMA_SHARED);
	memset(in, 1, sizeof(in));
	for (i = 0; i < 2000; i++) {
		k = rnd(&seed) % MANY;
		if (in[k])
			vm_pte_clear(s.vm, handle_of(&s, k), PTE_NONE);
		else
			CHECK_EQ(VM_DONE, touch_area(s.vm, s.area[k], 0, 1, 0));
		in[k] = !in[k];
		for (k = n = 0; k < MANY; k++)
			n += in[k];
		CHECK_EQ(n, vm_mapcount(s.vm, page_of(&s)));
		if (i % 100 == 0)
			CHECK_OK(s.vm);
	}
	free_vm(s.vm);
}

/*
 * Three tasks map a page; two have used it since it was last asked, and the
 * page itself is marked.
 *
 * Expect 3, then 0: the question clears what it counts.
 */
static void test_referenced_clears(void)
{
	struct shared s;

	shared_init(&s, 3, VM_VMA_SHARED);
	vm_page_referenced(s.vm, s.pfn);
	*pte_of(s.vm, s.area[0], 0) |= PTE_ACCESSED;
	*pte_of(s.vm, s.area[2], 0) |= PTE_ACCESSED;
	page_of(&s)->flags |= PG_REFERENCED;
	CHECK_EQ(3, vm_page_referenced(s.vm, s.pfn));
	CHECK_EQ(0, vm_page_referenced(s.vm, s.pfn));
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

/* A page that one task maps, and one that nobody maps. */
static void test_referenced_single(void)
{
	struct shared s;

	shared_init(&s, 1, VM_VMA_SHARED);
	page_of(&s)->flags &= ~(u32)PG_REFERENCED;
	CHECK_EQ(1, vm_page_referenced(s.vm, s.pfn));
	CHECK_EQ(0, vm_page_referenced(s.vm, s.pfn));
	vm_unmap_file_page(s.vm, s.pfn);
	page_of(&s)->flags |= PG_REFERENCED;
	CHECK_EQ(1, vm_page_referenced(s.vm, s.pfn));
	CHECK_EQ(0, vm_page_referenced(s.vm, s.pfn));
	free_vm(s.vm);
}

/*
 * Two tasks map a page of a file; one of them has written to it.
 *
 * Expect both PTEs to be empty, the page to be dirty by what the PTE said,
 * and both tasks to be a page smaller.
 */
static void test_unmap_file_page(void)
{
	struct shared s;

	shared_init(&s, 2, VM_VMA_SHARED | VM_VMA_WRITE);
	CHECK_EQ(VM_DONE, touch_area(s.vm, s.area[1], 0, 1, VM_TOUCH_WRITE));
	CHECK(!(page_of(&s)->flags & PG_DIRTY));
	vm_page_referenced(s.vm, s.pfn);
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(s.vm, s.pfn));
	CHECK(page_of(&s)->flags & PG_DIRTY);
	CHECK_EQ(1, s.vm->mappings[s.file].nr_dirty);
	CHECK_EQ(0, vm_mapcount(s.vm, page_of(&s)));
	CHECK_EQ(0, s.vm->mms[0].rss);
	CHECK_EQ(0, s.vm->mms[1].rss);
	CHECK_EQ(PTE_NONE, *pte_of(s.vm, s.area[0], 0));
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

/*
 * 2.6.7 refuses a page with a young PTE, and takes the young bit away; 2.6.0
 * does not ask.
 */
static void test_unmap_young(void)
{
	struct shared s;

	shared_init(&s, 1, VM_VMA_SHARED);
	CHECK(*pte_of(s.vm, s.area[0], 0) & PTE_ACCESSED);
	CHECK_EQ(UNMAP_FAIL, vm_try_to_unmap(s.vm, s.pfn));
	CHECK_EQ(1, vm_mapcount(s.vm, page_of(&s)));
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(s.vm, s.pfn));
	CHECK_OK(s.vm);
	CHECK_EQ(VM_DONE, touch_area(s.vm, s.area[0], 0, 1, 0));
	s.vm->rules &= ~(u32)VM_RULE_UNMAP_REFUSES_YOUNG;
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(s.vm, s.pfn));
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

/* An area that is locked in memory keeps its pages, used or not. */
static void test_unmap_locked_area(void)
{
	struct shared s;

	shared_init(&s, 1, VM_VMA_SHARED | VM_VMA_LOCKED);
	vm_page_referenced(s.vm, s.pfn);
	CHECK_EQ(UNMAP_MLOCKED, vm_try_to_unmap(s.vm, s.pfn));
	CHECK_EQ(1, vm_mapcount(s.vm, page_of(&s)));
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

/*
 * An anonymous page in the swap cache is unmapped.
 *
 *	PTE -> page, slot 256	becomes		PTE = swap entry 256
 *
 * Expect the slot to have one reference, and the task a page in swap.
 */
static void test_unmap_anonymous(void)
{
	struct vm *vm = one_zone(4096);
	u32 area = anon_area(vm, 1, 4), slot, pfn;

	CHECK_EQ(VM_DONE, touch_area(vm, area, 0, 4, VM_TOUCH_WRITE));
	vm_drain_pagevecs(vm);
	pfn = mapped_pfn(vm, area, 2);
	slot = vm_swap_alloc(vm);
	vm_swap_cache_add(vm, pfn, slot);
	vm_page_referenced(vm, pfn);
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(vm, pfn));
	CHECK_EQ(PTE_SWAP | slot, *pte_of(vm, area, 2));
	CHECK_EQ(1, vm->swap.map[slot]);
	CHECK_EQ(3, vm->mms[0].rss);
	CHECK_EQ(3, vm->mms[0].anon_rss);
	CHECK_EQ(1, vm->mms[0].swap);
	CHECK_EQ(3, item(vm, 1, NR_ANON_MAPPED));
	CHECK_OK(vm);
	/* Its owner comes back before it is written: no I/O, the same page. */
	CHECK_EQ(VM_DONE, touch_area(vm, area, 2, 1, VM_TOUCH_WRITE));
	CHECK_EQ(pfn, mapped_pfn(vm, area, 2));
	CHECK_EQ(0, vm->swap.map[slot]);
	CHECK_EQ(0, vm->mms[0].majflt);
	CHECK_OK(vm);
	free_vm(vm);
}

/* A write through a private mapping copies, and leaves the file's page alone. */
static void test_copy_on_write(void)
{
	struct shared s;

	shared_init(&s, 3, VM_VMA_WRITE);
	vm_drain_pagevecs(s.vm);
	CHECK_EQ(3, vm_mapcount(s.vm, page_of(&s)));
	CHECK_EQ(VM_DONE, touch_area(s.vm, s.area[1], 0, 1, VM_TOUCH_WRITE));
	CHECK_EQ(2, vm_mapcount(s.vm, page_of(&s)));
	CHECK(!(page_of(&s)->flags & PG_DIRTY));
	CHECK(mapped_pfn(s.vm, s.area[1], 0) != s.pfn);
	CHECK_EQ(1, s.vm->event[EV_PGCOW]);
	CHECK_EQ(1, s.vm->mms[1].anon_rss);
	CHECK_OK(s.vm);
	free_vm(s.vm);
}

int main(void)
{
	RUN(test_chain_grows);
	RUN(test_chain_shrinks);
	RUN(test_chain_against_a_set);
	RUN(test_referenced_clears);
	RUN(test_referenced_single);
	RUN(test_unmap_file_page);
	RUN(test_unmap_young);
	RUN(test_unmap_locked_area);
	RUN(test_unmap_anonymous);
	RUN(test_copy_on_write);
	return 0;
}
