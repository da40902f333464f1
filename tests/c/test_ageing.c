/*
 * test_ageing.c - pagevecs, mark_page_accessed(), rotate_reclaimable_page()
 */
#include "lru.c"

#include "harness.h"

static struct zone *zone_of(struct vm *vm) { return &vm->zones[1]; }

/* A list from its tail to its head is exactly these pages. */
static void expect_list(struct vm *vm, u32 active, u32 nr, const u32 *want)
{
	u32 seen[64] = { 0 }, i;

	CHECK_EQ(nr, vm_lru_list(vm, 1, active, ARRAY_SIZE(seen), seen));
	for (i = 0; i < nr; i++)
		CHECK_EQ(want[i], seen[i]);
}

/* ---- pagevecs ---- */

/*
 * 16 pages fill a CPU's pagevec.
 *
 *	[0 1 2 ... 14 __]  15 pages: on no list, one reference more each
 *	[               ]  the 16th empties it to the list, in order
 */
static void test_pagevec(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[16], i;

	for (i = 0; i < 15; i++) {
		p[i] = cached_page(vm, m, i);
		vm_lru_cache_add(vm, p[i], LRU_INACTIVE);
	}
	CHECK_EQ(15, item(vm, 1, NR_PAGEVEC));
	CHECK_EQ(0, item(vm, 1, NR_INACTIVE));
	CHECK_EQ(1, page_extra(&vm->pages[p[3]]));
	CHECK_OK(vm);
	p[15] = cached_page(vm, m, 15);
	vm_lru_cache_add(vm, p[15], LRU_INACTIVE);
	CHECK_EQ(0, item(vm, 1, NR_PAGEVEC));
	CHECK_EQ(0, page_extra(&vm->pages[p[3]]));
	expect_list(vm, LRU_INACTIVE, 16, p);
	CHECK_OK(vm);
	free_vm(vm);
}

/* A page that nobody wants any more when its pagevec is emptied is freed. */
static void test_freed_in_pagevec(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), pfn;

	pfn = cached_page(vm, m, 0);
	vm_lru_cache_add(vm, pfn, LRU_ACTIVE);
	vm_cache_remove(vm, pfn);
	vm_put_page(vm, pfn, false);
	CHECK_EQ(VM_T_USER, page_type(&vm->pages[pfn]));
	CHECK_OK(vm);
	vm_drain_pagevecs(vm);
	CHECK_EQ(0, item(vm, 1, NR_PAGEVEC));
	CHECK_EQ(0, item(vm, 1, NR_ACTIVE));
	CHECK_EQ(VM_T_PCP, page_type(&vm->pages[pfn]));
	CHECK_OK(vm);
	free_vm(vm);
}

/* Each CPU has two pagevecs of its own; a drain empties all of them. */
static void test_drain_pagevecs(void)
{
	struct vm_config conf = small_config(4096);
	struct vm *vm;
	u32 m;

	conf.nr_cpus = 3;
	vm = make_vm(&conf);
	add_zone(vm, 1, 0, 1, 0, 4096, 0);
	set_zonelist(vm, 1, (const u32[]){ 1 });
	m = vm_mapping_create(vm, VM_MAP_FILE);
	for (u32 i = 0; i < 6; i++) {
		vm_set_cpu(vm, i / 2);
		vm_lru_cache_add(vm, cached_page(vm, m, i), i & 1);
	}
	CHECK_EQ(6, item(vm, 1, NR_PAGEVEC));
	CHECK_OK(vm);
	vm_drain_pagevecs(vm);
	CHECK_EQ(3, item(vm, 1, NR_ACTIVE));
	CHECK_EQ(3, item(vm, 1, NR_INACTIVE));
	CHECK_OK(vm);
	free_vm(vm);
}

/* ---- ageing ---- */

/*
 * mark_page_accessed(): what a page becomes when it is used once more.
 *
 *	inactive, unreferenced  ->  inactive, referenced
 *	inactive, referenced    ->  active, unreferenced
 *	active, unreferenced    ->  active, referenced
 *	active, referenced      ->  active, referenced
 */
static void test_mark_accessed(void)
{
	static const struct {
		u32 active, referenced, then_active, then_referenced;
	} rows[] = {
		{ 0, 0, 0, 1 },
		{ 0, 1, 1, 0 },
		{ 1, 0, 1, 1 },
		{ 1, 1, 1, 1 },
	};
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 pfn = listed_page(vm, m, i, rows[i].active);
		const struct page *p = &vm->pages[pfn];

		vm->pages[pfn].flags |= rows[i].referenced ? PG_REFERENCED : 0;
		vm_mark_accessed(vm, pfn);
		CHECK_EQ(rows[i].then_active, (p->flags & PG_ACTIVE) != 0);
		CHECK_EQ(rows[i].then_referenced, (p->flags & PG_REFERENCED) != 0);
	}
	CHECK_EQ(1, vm->event[EV_PGACTIVATE]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* In a pagevec a page can become referenced, but not active. */
static void test_mark_accessed_in_pagevec(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), pfn = cached_page(vm, m, 0);

	vm_lru_cache_add(vm, pfn, LRU_INACTIVE);
	vm_mark_accessed(vm, pfn);
	vm_mark_accessed(vm, pfn);
	vm_mark_accessed(vm, pfn);
	CHECK(vm->pages[pfn].flags & PG_REFERENCED);
	vm_drain_pagevecs(vm);
	CHECK_EQ(1, item(vm, 1, NR_INACTIVE));
	CHECK_EQ(0, vm->event[EV_PGACTIVATE]);
	CHECK_OK(vm);
	free_vm(vm);
}

/* A page is not rotated while it is locked, dirty, active or on no list. */
static void test_not_rotated(void)
{
	static const u32 flags[] = { PG_LOCKED, PG_DIRTY };
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[3], i;

	for (i = 0; i < 3; i++)
		p[i] = listed_page(vm, m, i, LRU_INACTIVE);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		vm->pages[p[2]].flags |= flags[i];
		vm_rotate_reclaimable(vm, page_zone(vm, p[2]), p[2]);
		vm->pages[p[2]].flags &= ~flags[i];
	}
	expect_list(vm, LRU_INACTIVE, 3, p);
	vm_lru_del(vm, zone_of(vm), p[2]);
	vm_rotate_reclaimable(vm, page_zone(vm, p[2]), p[2]);
	expect_list(vm, LRU_INACTIVE, 2, p);
	vm_lru_add(vm, zone_of(vm), p[2], LRU_ACTIVE);
	vm_rotate_reclaimable(vm, page_zone(vm, p[2]), p[2]);
	expect_list(vm, LRU_ACTIVE, 1, &p[2]);
	CHECK_EQ(0, vm->event[EV_PGROTATED]);
	CHECK_OK(vm);
	free_vm(vm);
}

int main(void)
{
	RUN(test_pagevec);
	RUN(test_freed_in_pagevec);
	RUN(test_drain_pagevecs);
	RUN(test_mark_accessed);
	RUN(test_mark_accessed_in_pagevec);
	RUN(test_not_rotated);
	return 0;
}
