/*
 * test_refill.c - rounds of shrink_cache(), and refill_inactive_zone()
 */
#include "refill.c"

#include "pages.h"

/* ---- shrink_cache ---- */

/*
 * 100 clean pages, 10 wanted, 1000 may be looked at.
 *
 *	tail |32 looked at, 32 freed| 68 stay
 *
 * Expect whole rounds: 32 freed though 10 were wanted.
 */
static void test_a_round_is_32(void)
{
	struct bench b;

	bench_init(&b, 0);
	for (u32 i = 0; i < 100; i++)
		listed_page(b.vm, b.file, i, LRU_INACTIVE);
	b.rc.nr_pages = 10;
	b.rc.max_scan = 1000;
	CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 1000));
	CHECK_EQ(32, b.rc.freed);
	CHECK_EQ(32, b.rc.scanned);
	CHECK_EQ(68, item(b.vm, 1, NR_INACTIVE));
	CHECK_EQ(0, b.rc.nr_pages);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/*
 * 50 wanted, half of the pages are referenced and their file is mapped: a
 * round is 50 each time, not what is still wanted.
 */
static void test_a_round_is_what_was_wanted(void)
{
	struct bench b;
	u32 i, pfn;

	bench_init(&b, 0);
	vm_mmap(b.vm, vm_mm_create(b.vm, 5), VM_VMA_SHARED, b.file, 8, 0x10, 1);
	for (i = 0; i < 300; i++) {
		pfn = listed_page(b.vm, b.file, i, LRU_INACTIVE);
		b.vm->pages[pfn].flags |= i & 1 ? PG_REFERENCED : 0;
	}
	b.rc.nr_pages = 50;
	b.rc.max_scan = 1000;
	CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 1000));
	CHECK_EQ(100, b.rc.scanned);
	CHECK_EQ(50, b.rc.freed);
	CHECK_EQ(50, b.rc.activated);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/*
 * A B C D, where B and D are kept.
 *
 *	tail A B C D E F head	4 looked at	tail E F B D head
 *
 * Expect what is kept at the head in the order of the scan.
 */
static void test_kept_pages_in_order(void)
{
	struct bench b;
	u32 p[6], seen[4], i;

	bench_init(&b, 0);
	for (i = 0; i < 6; i++)
		p[i] = listed_page(b.vm, b.file, i, LRU_INACTIVE);
	b.vm->pages[p[1]].flags += EXTRA_ONE;
	b.vm->pages[p[3]].flags += EXTRA_ONE;
	for (i = 0; i < 4; i++)
		vm_shrink(b.vm, &b.rc, 1);
	CHECK_EQ(4, vm_lru_list(b.vm, 1, LRU_INACTIVE, 4, seen));
	CHECK_EQ(p[4], seen[0]);
	CHECK_EQ(p[5], seen[1]);
	CHECK_EQ(p[1], seen[2]);
	CHECK_EQ(p[3], seen[3]);
	b.vm->pages[p[1]].flags -= EXTRA_ONE;
	b.vm->pages[p[3]].flags -= EXTRA_ONE;
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* Pages in a pagevec are drained to the list before it is scanned. */
static void test_pagevec_is_drained(void)
{
	struct bench b;

	bench_init(&b, 0);
	vm_lru_cache_add(b.vm, cached_page(b.vm, b.file, 0), LRU_INACTIVE);
	b.rc.max_scan = 8;
	CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
	CHECK_EQ(1, b.rc.freed);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

static void test_refused(void)
{
	struct bench b;
	u32 nr = 5;

	bench_init(&b, 0);
	b.rc.zid = 7;
	CHECK_EQ(-ENODEV, vm_shrink(b.vm, &b.rc, 10));
	CHECK_EQ(-ENODEV, vm_refill(b.vm, &b.rc, &nr, 10));
	b.rc.zid = 1000;
	CHECK_EQ(-ENODEV, vm_shrink(b.vm, &b.rc, 10));
	vm_reclaim_cancel(b.vm, &b.rc);
	b.rc.zid = 1;
	CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
	CHECK_EQ(0, b.rc.scanned);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* ---- refill_inactive_zone ---- */

struct refill_row {
	const char *name;
	void (*setup)(struct bench *b);
	u32 reclaim_mapped, active;
};

static void refill_once(struct bench *b, const struct refill_row *row)
{
	u32 nr = 1;

	to_list(b, LRU_ACTIVE);
	b->rc.reclaim_mapped = row->reclaim_mapped;
	if (vm_refill(b->vm, &b->rc, &nr, 10) != VM_DONE || nr)
		FAIL("%s: %u pages left", row->name, nr);
	if (place_of(b) != (row->active ? ON_ACTIVE : ON_INACTIVE))
		FAIL("%s: place %d", row->name, place_of(b));
	CHECK_EQ(1, b->rc.refilled);
	CHECK_EQ(!row->active, b->rc.deactivated);
	CHECK_EQ(1, b->vm->event[EV_PGREFILL]);
	CHECK_EQ(!row->active, b->vm->event[EV_PGDEACTIVATE]);
	CHECK_OK(b->vm);
}

/*
 *	mapped, referenced			active
 *	mapped, not referenced			active, inactive if reclaim_mapped
 *	not mapped, referenced or not		inactive
 */
static void test_refill_branches(void)
{
	static const struct refill_row rows[] = {
		{ "young, mapped", young_mapped_page, 0, 1 },
		{ "young, mapped, distress", young_mapped_page, 1, 1 },
		{ "old, mapped", old_mapped_page, 0, 1 },
		{ "old, mapped, distress", old_mapped_page, 1, 0 },
		{ "young, anonymous, distress", young_anon_page, 1, 1 },
		{ "anonymous, distress", anon_page, 1, 0 },
		{ "not mapped", file_page, 0, 0 },
		{ "not mapped, referenced", referenced_file_page, 0, 0 },
		{ "tmpfs", tmpfs_page, 0, 0 },
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 1024);
		rows[i].setup(&b);
		refill_once(&b, &rows[i]);
		free_vm(b.vm);
	}
}

/* Without swap an anonymous page stays active whatever happens. */
static void test_refill_without_swap(void)
{
	static const struct refill_row rows[] = {
		{ "anonymous", anon_page, 1, 1 },
		{ "file", old_mapped_page, 1, 0 },
		{ "tmpfs", tmpfs_page, 1, 0 },
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 0);
		rows[i].setup(&b);
		refill_once(&b, &rows[i]);
		free_vm(b.vm);
	}
}

/* Two questions in a row: the young bit of a mapped page saves it only once. */
static void test_refill_twice(void)
{
	struct bench b;
	u32 nr = 1;

	bench_init(&b, 1024);
	young_mapped_page(&b);
	to_list(&b, LRU_ACTIVE);
	b.rc.reclaim_mapped = 1;
	CHECK_EQ(VM_DONE, vm_refill(b.vm, &b.rc, &nr, 10));
	CHECK_EQ(ON_ACTIVE, place_of(&b));
	nr = 1;
	CHECK_EQ(VM_DONE, vm_refill(b.vm, &b.rc, &nr, 10));
	CHECK_EQ(ON_INACTIVE, place_of(&b));
	free_vm(b.vm);
}

/* Behind a closed gate, with the rule and without it. */
static void test_refill_closed_gate(void)
{
	static const struct refill_row rows[] = {
		{ "rule off", young_mapped_page, 1, 1 },
		{ "rule on", young_mapped_page, 1, 0 },
		{ "rule on, no distress", young_mapped_page, 0, 1 },
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 1024);
		rows[i].setup(&b);
		close_gate(b.vm, i ? VM_RULE_REFILL_UNREF : VM_RULE_SHRINK_UNREF);
		refill_once(&b, &rows[i]);
		free_vm(b.vm);
	}
}

/*
 * Six active pages, B and D mapped and young; four are looked at, two a step.
 *
 *	active    tail A B C D E F head  ->  E F B D
 *	inactive                         ->  A C
 */
static void test_refill_order(void)
{
	struct bench b;
	u32 p[6], seen[6], nr = 4, i;

	bench_init(&b, 1024);
	for (i = 0; i < 6; i++)
		p[i] = listed_page(b.vm, b.file, i, LRU_ACTIVE);
	b.area =
		vm_mmap(b.vm, vm_mm_create(b.vm, 5), VM_VMA_SHARED, b.file, 0, 0x10, 6);
	CHECK_EQ(VM_DONE, touch_area(b.vm, b.area, 1, 1, 0));
	CHECK_EQ(VM_DONE, touch_area(b.vm, b.area, 3, 1, 0));
	CHECK_EQ(VM_MORE, vm_refill(b.vm, &b.rc, &nr, 2));
	CHECK_EQ(2, nr);
	CHECK_EQ(VM_DONE, vm_refill(b.vm, &b.rc, &nr, 2));
	CHECK_EQ(4, vm_lru_list(b.vm, 1, LRU_ACTIVE, 6, seen));
	CHECK_EQ(p[4], seen[0]);
	CHECK_EQ(p[5], seen[1]);
	CHECK_EQ(p[1], seen[2]);
	CHECK_EQ(p[3], seen[3]);
	CHECK_EQ(2, vm_lru_list(b.vm, 1, LRU_INACTIVE, 6, seen));
	CHECK_EQ(p[0], seen[0]);
	CHECK_EQ(p[2], seen[1]);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* More asked for than there is: every page is looked at once. */
static void test_refill_more_than_there_is(void)
{
	struct bench b;
	u32 nr = 1000;

	bench_init(&b, 1024);
	for (u32 i = 0; i < 5; i++)
		listed_page(b.vm, b.file, i, LRU_ACTIVE);
	CHECK_EQ(VM_DONE, vm_refill(b.vm, &b.rc, &nr, 3000));
	CHECK_EQ(5, b.rc.refilled);
	CHECK_EQ(0, nr);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

int main(void)
{
	RUN(test_a_round_is_32);
	RUN(test_a_round_is_what_was_wanted);
	RUN(test_kept_pages_in_order);
	RUN(test_pagevec_is_drained);
	RUN(test_refused);
	RUN(test_refill_branches);
	RUN(test_refill_without_swap);
	RUN(test_refill_twice);
	RUN(test_refill_closed_gate);
	RUN(test_refill_order);
	RUN(test_refill_more_than_there_is);
	return 0;
}
