/*
 * test_shrink.c - the decision table of shrink_list(), branch by branch
 *
 * Each row sets one page up at the tail of the inactive list, scans it once,
 * and says where it is then and which reason was counted.
 */
#include "lru_scan.c"

#include "pages.h"

/* ---- shrink_list ---- */

struct row {
	const char *name;
	void (*setup)(struct bench *b);
	enum place place;
	u32 why;	/* enum vm_reason, or WHY_NONE for a page that went */
	u32 set, clear; /* flags after it */
	bool pinned;
};

/* Exactly one reason was counted, or none for a page that went. */
static void expect_reason(const struct bench *b, const struct row *row)
{
	for (u32 i = 0; i < NR_REASONS; i++)
		if (b->rc.reason[i] != (i == row->why && i != WHY_NONE))
			FAIL("%s: reason %u counted %u times", row->name, i,
			     (u32)b->rc.reason[i]);
}

static void scan_once(struct bench *b, const struct row *row)
{
	int rc;

	b->rc.max_scan = 1;
	b->rc.nr_pages = 32;
	rc = vm_shrink(b->vm, &b->rc, 10);
	if (rc != VM_DONE)
		FAIL("%s: vm_shrink() returned %d", row->name, rc);
	if (place_of(b) != row->place)
		FAIL("%s: place %d, expected %d", row->name, place_of(b), row->place);
	if ((page_of(b)->flags & row->set) != row->set ||
	    page_of(b)->flags & row->clear)
		FAIL("%s: flags %#x", row->name, page_of(b)->flags);
	expect_reason(b, row);
	CHECK_EQ(1, b->rc.scanned);
	CHECK_EQ(row->place == GONE, b->rc.freed);
	CHECK_EQ(row->place == GONE, b->vm->event[EV_PGSTEAL]);
	CHECK_EQ(row->place == ON_ACTIVE, b->rc.activated);
	CHECK_EQ(0, item(b->vm, 1, NR_ISOLATED));
	if (row->pinned)
		page_of(b)->flags -= EXTRA_ONE;
	CHECK_OK(b->vm);
}

/*
 *	1 locked	    keep	7 dirty, referenced	  keep
 *	3 under writeback   keep	  dirty, pinned		  keep
 *	4 referenced, in use activate	  dirty		  write it, keep
 *	5 no swap slot	    activate	  tmpfs		  to the swap cache, keep
 *	6 mlocked	    activate	10 pinned		  keep
 *					11			  freed
 */
static void test_every_branch(void)
{
	static const struct row rows[] = {
		{ "locked", locked_page, ON_INACTIVE, WHY_LOCKED, PG_LOCKED, 0, false },
		{ "writeback", page_under_writeback, ON_INACTIVE, WHY_WRITEBACK,
		  PG_WRITEBACK, PG_RECLAIM, false },
		{ "young, mapped", young_mapped_page, ON_ACTIVE, WHY_REFERENCED, 0, 0,
		  false },
		{ "referenced, swap cache", referenced_swap_page, ON_ACTIVE,
		  WHY_REFERENCED, PG_SWAPCACHE, PG_REFERENCED, false },
		{ "referenced, file is mapped", page_of_mapped_file, ON_ACTIVE,
		  WHY_REFERENCED, 0, PG_REFERENCED, false },
		{ "referenced, clean, nobody maps", referenced_file_page, GONE,
		  WHY_NONE, 0, 0, false },
		{ "young, anonymous", young_anon_page, ON_ACTIVE, WHY_REFERENCED, 0,
		  PG_SWAPCACHE, false },
		{ "anonymous", anon_page, ON_INACTIVE, WHY_WRITEBACK,
		  PG_SWAPCACHE | PG_WRITEBACK | PG_RECLAIM, PG_DIRTY, false },
		{ "mlocked", locked_in_memory, ON_ACTIVE, WHY_MLOCKED, 0, 0, false },
		{ "mapped, clean", old_mapped_page, GONE, WHY_NONE, 0, 0, false },
		{ "mapped, PTE dirty", old_written_page, ON_INACTIVE, WHY_WRITEBACK,
		  PG_WRITEBACK | PG_RECLAIM, PG_DIRTY, false },
		{ "dirty, referenced", referenced_dirty_page, ON_INACTIVE,
		  WHY_REFERENCED, PG_DIRTY, PG_REFERENCED | PG_WRITEBACK, false },
		{ "dirty, referenced, file is mapped", dirty_page_of_mapped_file,
		  ON_ACTIVE, WHY_REFERENCED, PG_DIRTY, PG_REFERENCED, false },
		{ "dirty, pinned", pinned_dirty_page, ON_INACTIVE, WHY_PINNED, PG_DIRTY,
		  PG_WRITEBACK, true },
		{ "dirty", dirty_page, ON_INACTIVE, WHY_WRITEBACK,
		  PG_WRITEBACK | PG_RECLAIM, PG_DIRTY, false },
		{ "dirty, swap cache", dirty_swap_page, ON_INACTIVE, WHY_WRITEBACK,
		  PG_WRITEBACK | PG_RECLAIM, PG_DIRTY, false },
		{ "tmpfs", tmpfs_page, ON_INACTIVE, WHY_DIRTY, PG_SWAPCACHE | PG_DIRTY,
		  PG_WRITEBACK, false },
		{ "clean, buffers", clean_page_with_buffers, GONE, WHY_NONE, 0, 0,
		  false },
		{ "pinned", pinned_page, ON_INACTIVE, WHY_PINNED, 0, 0, true },
		{ "pinned, swap cache", pinned_swap_page, ON_INACTIVE, WHY_PINNED,
		  PG_SWAPCACHE, 0, true },
		{ "clean", file_page, GONE, WHY_NONE, 0, 0, false },
		{ "clean, swap cache", clean_swap_page, GONE, WHY_NONE, 0, 0, false },
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 1024);
		rows[i].setup(&b);
		scan_once(&b, &rows[i]);
		free_vm(b.vm);
	}
}

/* Without swap: anonymous and tmpfs pages have nowhere to go. */
static void test_without_swap(void)
{
	static const struct row rows[] = {
		{ "anonymous", anon_page, ON_ACTIVE, WHY_NO_SWAP, 0, PG_SWAPCACHE,
		  false },
		{ "tmpfs", tmpfs_page, ON_ACTIVE, WHY_NO_SWAP, PG_CACHED, PG_SWAPCACHE,
		  false },
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 0);
		rows[i].setup(&b);
		scan_once(&b, &rows[i]);
		free_vm(b.vm);
	}
}

/*
 * Not __GFP_FS: a file's page is not written; a swap page is if __GFP_IO.
 */
static void test_may_enter_fs(void)
{
	static const struct row file = { "no fs",  dirty_page,	 ON_INACTIVE, WHY_DIRTY,
					 PG_DIRTY, PG_WRITEBACK, false };
	static const struct row swap = { "io only",	dirty_swap_page, ON_INACTIVE,
					 WHY_WRITEBACK, PG_WRITEBACK,	 PG_DIRTY,
					 false };
	static const struct row none = { "no io",   dirty_swap_page, ON_INACTIVE,
					 WHY_DIRTY, PG_DIRTY,	     PG_WRITEBACK,
					 false };
	struct bench b;

	bench_init(&b, 1024);
	file.setup(&b);
	b.rc.may_fs = 0;
	scan_once(&b, &file);
	free_vm(b.vm);
	for (u32 io = 0; io < 2; io++) {
		bench_init(&b, 1024);
		swap.setup(&b);
		b.rc.may_fs = 0;
		b.rc.may_io = io;
		scan_once(&b, io ? &swap : &none);
		free_vm(b.vm);
	}
}

/* To a congested device kswapd writes, a direct reclaimer does not. */
static void test_congested(void)
{
	static const struct row keep = { "congested",	dirty_page, ON_INACTIVE,
					 WHY_CONGESTED, PG_DIRTY,   PG_WRITEBACK,
					 false };
	static const struct row write = { "kswapd",	 dirty_page,   ON_INACTIVE,
					  WHY_WRITEBACK, PG_WRITEBACK, PG_DIRTY,
					  false };
	struct bench b;

	for (u32 kswapd = 0; kswapd < 2; kswapd++) {
		bench_init(&b, 1024);
		keep.setup(&b);
		b.vm->dev[VM_DEV_DISK].congested = 1;
		b.rc.kswapd = kswapd;
		scan_once(&b, kswapd ? &write : &keep);
		CHECK_EQ(kswapd, b.vm->event[EV_PGSCAN_KSWAPD]);
		CHECK_EQ(!kswapd, b.vm->event[EV_PGSCAN_DIRECT]);
		free_vm(b.vm);
	}
}

/*
 * The queue is full. The page is held, locked by nobody, on no list; the scan
 * goes on with it when there is room, or puts it back when it is cancelled.
 */
static void test_full_queue(void)
{
	struct bench b;

	for (u32 cancel = 0; cancel < 2; cancel++) {
		bench_init(&b, 1024);
		dirty_page(&b);
		b.vm->dev[VM_DEV_DISK].full[1] = 1;
		CHECK_EQ(VM_WAIT, vm_shrink(b.vm, &b.rc, 10));
		CHECK_EQ(VM_DEV_DISK, vm_needed(b.vm)->dev);
		CHECK_EQ(1, b.rc.nr_hold);
		CHECK_EQ(1, item(b.vm, 1, NR_ISOLATED));
		CHECK_OK(b.vm);
		CHECK_EQ(VM_WAIT, vm_shrink(b.vm, &b.rc, 10));
		CHECK_EQ(1, b.rc.scanned);
		b.vm->dev[VM_DEV_DISK].full[1] = 0;
		if (cancel)
			vm_reclaim_cancel(b.vm, &b.rc);
		else
			CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
		CHECK_EQ(0, b.rc.nr_hold);
		CHECK_EQ(0, item(b.vm, 1, NR_ISOLATED));
		CHECK_EQ(ON_INACTIVE, place_of(&b));
		CHECK_EQ(cancel ? PG_DIRTY : PG_WRITEBACK,
			 page_of(&b)->flags & (PG_DIRTY | PG_WRITEBACK));
		CHECK_OK(b.vm);
		vm_reclaim_cancel(b.vm, &b.rc);
		CHECK_OK(b.vm);
		free_vm(b.vm);
	}
}

/*
 * A dirty page needs two visits.
 *
 *	visit 1: written, kept	I/O ends: to the tail	visit 2: freed
 */
static void test_two_visits(void)
{
	static void (*const setups[])(struct bench * b) = {
		dirty_swap_page,
		anon_page,
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(setups); i++) {
		bench_init(&b, 1024);
		setups[i](&b);
		CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
		CHECK_EQ(1, b.rc.written);
		vm_advance(b.vm, 1000000000);
		CHECK_EQ(1, b.vm->event[EV_PGROTATED]);
		b.rc.max_scan = 1;
		CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
		CHECK_EQ(GONE, place_of(&b));
		CHECK_EQ(1, b.rc.freed);
		CHECK_EQ(1, b.vm->event[EV_PSWPOUT]);
		CHECK_OK(b.vm);
		free_vm(b.vm);
	}
}

/* A tmpfs page needs three: into the swap cache, to the device, away; and back. */
static void test_tmpfs_to_swap_and_back(void)
{
	struct bench b;
	u8 byte = 0;
	u32 n = 0;

	bench_init(&b, 1024);
	tmpfs_page(&b);
	for (u32 visit = 0; visit < 3; visit++) {
		b.rc.max_scan = 1;
		CHECK_EQ(VM_DONE, vm_shrink(b.vm, &b.rc, 10));
		CHECK_OK(b.vm);
		vm_advance(b.vm, b.vm->now + 1000000000);
	}
	CHECK_EQ(GONE, place_of(&b));
	CHECK_EQ(1, b.vm->mappings[b.shm].nr_swapped);
	CHECK_EQ(VM_READ, vm_file_read(b.vm, b.shm, 0, 1, &byte, &n));
	CHECK_EQ(VM_DONE, vm_swap_submit_read(b.vm, vm_needed(b.vm)->index));
	CHECK_EQ(VM_WAIT, vm_file_read(b.vm, b.shm, 0, 1, &byte, &n));
	CHECK_OK(b.vm);
	vm_advance(b.vm, b.vm->now + 1000000000);
	CHECK_EQ(VM_DONE, vm_file_read(b.vm, b.shm, 0, 1, &byte, &n));
	CHECK_EQ(1, byte);
	CHECK_EQ(0, b.vm->mappings[b.shm].nr_swapped);
	CHECK_EQ(0, b.vm->swap.used);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/*
 * Behind a closed gate a mapped page's young bits are thrown away first; what
 * mark_page_accessed() said of an unmapped page still counts.
 */
static void test_closed_gate_discards_young(void)
{
	static const struct row rows[] = {
		{ "young, mapped", young_mapped_page, GONE, WHY_NONE, 0, 0, false },
		{ "young, anonymous", young_anon_page, ON_INACTIVE, WHY_WRITEBACK,
		  PG_SWAPCACHE | PG_WRITEBACK, 0, false },
		{ "dirty, referenced", referenced_dirty_page, ON_INACTIVE,
		  WHY_REFERENCED, PG_DIRTY, 0, false },
		{ "referenced, file is mapped", page_of_mapped_file, ON_ACTIVE,
		  WHY_REFERENCED, 0, 0, false },
	};
	static const struct row without = {
		"rule off", young_mapped_page, ON_ACTIVE, WHY_REFERENCED, 0, 0, false
	};
	struct bench b;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_init(&b, 1024);
		rows[i].setup(&b);
		close_gate(b.vm, VM_RULE_SHRINK_UNREF);
		scan_once(&b, &rows[i]);
		free_vm(b.vm);
	}
	bench_init(&b, 1024);
	without.setup(&b);
	close_gate(b.vm, VM_RULE_REFILL_UNREF);
	scan_once(&b, &without);
	free_vm(b.vm);
}

int main(void)
{
	RUN(test_every_branch);
	RUN(test_without_swap);
	RUN(test_may_enter_fs);
	RUN(test_congested);
	RUN(test_full_queue);
	RUN(test_two_visits);
	RUN(test_tmpfs_to_swap_and_back);
	RUN(test_closed_gate_discards_young);
	return 0;
}
