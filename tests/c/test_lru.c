/*
 * test_lru.c - the LRU rings: order, tombstones, segments
 */
#include "lru.c"

#include "harness.h"
#include "naive_lru.h"

static struct zone *zone_of(struct vm *vm) { return &vm->zones[1]; }

/* A list from its tail to its head is exactly these pages. */
static void expect_list(struct vm *vm, u32 active, u32 nr, const u32 *want)
{
	u32 seen[64] = { 0 }, i;

	CHECK_EQ(nr, vm_lru_list(vm, 1, active, ARRAY_SIZE(seen), seen));
	for (i = 0; i < nr; i++)
		CHECK_EQ(want[i], seen[i]);
}

/*
 * Five pages, the first at the tail; C goes, then A.
 *
 *	tail A B C D E head
 *	tail A B . D E head
 *	tail . B . D E head
 *
 * Expect B D E, and that popping finds them in that order.
 */
static void test_order_and_tombstones(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[5], i;
	struct lru *lru = &zone_of(vm)->lru[LRU_INACTIVE];

	for (i = 0; i < 5; i++)
		p[i] = listed_page(vm, m, i, LRU_INACTIVE);
	expect_list(vm, LRU_INACTIVE, 5, p);
	CHECK_OK(vm);
	vm_lru_del(vm, zone_of(vm), p[2]);
	vm_lru_del(vm, zone_of(vm), p[0]);
	expect_list(vm, LRU_INACTIVE, 3, (const u32[]){ p[1], p[3], p[4] });
	CHECK_EQ(3, item(vm, 1, NR_INACTIVE));
	CHECK_EQ(p[1], vm_lru_pop(vm, lru));
	CHECK_EQ(p[3], vm_lru_pop(vm, lru));
	CHECK_EQ(p[4], vm_lru_pop(vm, lru));
	CHECK_EQ(NONE, vm_lru_pop(vm, lru));
	CHECK_EQ(0, lru->nr);
	CHECK_EQ(NONE, lru->head);
	CHECK_EQ(NONE, lru->tail);
	free_vm(vm);
}

/*
 * Pages are put at both ends, and one is rotated to the tail.
 *
 *	tail D B A C head, then A to the tail: A D B C
 */
static void test_both_ends(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[4], i;

	for (i = 0; i < 4; i++)
		p[i] = cached_page(vm, m, i);
	vm_lru_add(vm, zone_of(vm), p[0], LRU_INACTIVE);
	vm_lru_add_tail(vm, zone_of(vm), p[1], LRU_INACTIVE);
	vm_lru_add(vm, zone_of(vm), p[2], LRU_INACTIVE);
	vm_lru_add_tail(vm, zone_of(vm), p[3], LRU_INACTIVE);
	expect_list(vm, LRU_INACTIVE, 4, (const u32[]){ p[3], p[1], p[0], p[2] });
	vm_rotate_reclaimable(vm, page_zone(vm, p[0]), p[0]);
	expect_list(vm, LRU_INACTIVE, 4, (const u32[]){ p[0], p[3], p[1], p[2] });
	CHECK_EQ(1, vm->event[EV_PGROTATED]);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * 3000 pages lie in three segments. Most of the first two go.
 *
 *	|1024|1024|952|  ->  |256|256|952|  ->  |512|952|
 *
 * Expect the sparse neighbours to have been joined in their order, one
 * segment to be free, and every page to know its new place.
 */
static void test_sparse_segments_join(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[3000], seen[3000], i, n = 0;

	for (i = 0; i < 3000; i++)
		p[i] = listed_page(vm, m, i, LRU_INACTIVE);
	CHECK_EQ(3, vm->nr_segs);
	for (i = 0; i < 2048; i++)
		if (i % 4) {
			vm_lru_del(vm, zone_of(vm), p[i]);
			vm_lru_add(vm, zone_of(vm), p[i], LRU_ACTIVE);
		}
	CHECK_EQ(952 + 512, item(vm, 1, NR_INACTIVE));
	CHECK_EQ(2, vm->segs[zone_of(vm)->lru[LRU_INACTIVE].tail].next != NONE ? 2 : 1);
	CHECK_EQ(zone_of(vm)->lru[LRU_INACTIVE].head,
		 vm->segs[zone_of(vm)->lru[LRU_INACTIVE].tail].next);
	CHECK_EQ(512, vm->segs[zone_of(vm)->lru[LRU_INACTIVE].tail].live);
	CHECK_EQ(952 + 512, vm_lru_list(vm, 1, LRU_INACTIVE, 3000, seen));
	for (i = 0; i < 3000; i++)
		if (i >= 2048 || i % 4 == 0)
			CHECK_EQ(p[i], seen[n++]);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * One page in a thousand stays, the others only pass through.
 *
 *	|s...........|s...........|s...........|	s stays, . passed
 *
 * Expect the pages that stay to share segments: the pool of a machine of 4096
 * pages must do for any order of coming and going.
 */
static void test_segments_are_bounded(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE);
	u32 passing = listed_page(vm, m, 0, LRU_INACTIVE), i, k;

	for (i = 1; i <= 400; i++) {
		listed_page(vm, m, i, LRU_INACTIVE);
		for (k = 0; k < 1100; k++) {
			vm_lru_del(vm, zone_of(vm), passing);
			vm_lru_add(vm, zone_of(vm), passing, LRU_INACTIVE);
		}
		CHECK(vm->nr_segs < 8);
	}
	CHECK_OK(vm);
	free_vm(vm);
}

/* The same at the other end of the list. */
static void test_segments_are_bounded_at_the_tail(void)
{
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE);
	u32 passing = listed_page(vm, m, 0, LRU_INACTIVE), i, k;

	for (i = 1; i <= 400; i++) {
		u32 pfn = cached_page(vm, m, i);

		vm_lru_add_tail(vm, zone_of(vm), pfn, LRU_INACTIVE);
		for (k = 0; k < 1100; k++)
			vm_rotate_reclaimable(vm, page_zone(vm, passing), passing);
		CHECK(vm->nr_segs < 8);
	}
	CHECK_OK(vm);
	free_vm(vm);
}

struct model {
	struct vm *vm;
	struct naive_lru naive;
};

/* One random move of a page, in the rings and in the linked lists. */
static void random_move(struct model *md, u32 pfn, u32 what)
{
	struct zone *z = zone_of(md->vm);
	u32 from = (md->vm->pages[pfn].flags & PG_ACTIVE) != 0;
	u32 to = what & 1;
	bool tail = (what & 6) == 6;

	if ((what & 56) == 56) {
		/* The oldest one instead. */
		pfn = naive_pop(&md->naive, &md->naive.list[from]);
		vm_lru_del(md->vm, z, pfn);
	} else {
		naive_del(&md->naive, &md->naive.list[from], pfn);
		vm_lru_del(md->vm, z, pfn);
	}
	if (tail) {
		naive_add_tail(&md->naive, &md->naive.list[to], pfn);
		vm_lru_add_tail(md->vm, z, pfn, to);
	} else {
		naive_add_head(&md->naive, &md->naive.list[to], pfn);
		vm_lru_add(md->vm, z, pfn, to);
	}
}

/*
 * 3000 pages on two lists, 200000 random moves: to the head, to the tail, to
 * the other list; the same in linked lists.
 *
 * Expect the same order all the way.
 */
static void test_same_order_as_linked_lists(void)
{
	struct model md = { .vm = one_zone(4096) };
	u32 m = vm_mapping_create(md.vm, VM_MAP_FILE), p[3000], i;
	u64 seed = 7;

	CHECK_EQ(0, naive_init(&md.naive, 4096));
	for (i = 0; i < 3000; i++) {
		p[i] = listed_page(md.vm, m, i, i & 1);
		naive_add_head(&md.naive, &md.naive.list[i & 1], p[i]);
	}
	for (i = 0; i < 200000; i++) {
		random_move(&md, p[rnd(&seed) % 3000], rnd(&seed));
		if (i % 20000)
			continue;
		CHECK(naive_same(&md.naive, md.vm, 1, LRU_INACTIVE));
		CHECK(naive_same(&md.naive, md.vm, 1, LRU_ACTIVE));
		CHECK_OK(md.vm);
	}
	CHECK(md.vm->nr_segs < 40);
	naive_exit(&md.naive);
	free_vm(md.vm);
}

/*
 * What lies ahead of the tail, to be prefetched: 1500 pages are in a segment of
 * 1024 places and in the next.
 *
 *	span(100, 50)	places 100 .. 149
 *	span(1000, 50)	24 places: the segment ends
 *	span(1024, 50)	50 places of the next segment
 *	span(1480, 50)	20 places: the list ends
 */
static void test_span(void)
{
	static const u32 cases[][2] = { { 100, 50 },  { 1000, 24 }, { 1024, 50 },
					{ 1480, 20 }, { 1500, 0 },  { 100000, 0 } };
	struct vm *vm = one_zone(4096);
	u32 m = vm_mapping_create(vm, VM_MAP_FILE), p[1500], nr, i;
	const struct lru *lru = &zone_of(vm)->lru[LRU_INACTIVE];
	const u32 *slot;

	for (i = 0; i < 1500; i++)
		p[i] = listed_page(vm, m, i, LRU_INACTIVE);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		nr = 50;
		slot = ring_span(vm, lru, cases[i][0], &nr);
		CHECK_EQ(cases[i][1], nr);
		if (nr)
			CHECK_EQ(p[cases[i][0] + nr - 1], slot[nr - 1]);
	}
	vm_lru_del(vm, zone_of(vm), p[3]);
	nr = 1;
	CHECK_EQ(NONE, *ring_span(vm, lru, 3, &nr));
	free_vm(vm);
}

int main(void)
{
	RUN(test_order_and_tombstones);
	RUN(test_both_ends);
	RUN(test_sparse_segments_join);
	RUN(test_segments_are_bounded);
	RUN(test_segments_are_bounded_at_the_tail);
	RUN(test_same_order_as_linked_lists);
	RUN(test_span);
	return 0;
}
