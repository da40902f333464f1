/*
 * test_migrate.c - one page of each kind moves, or stays for a reason
 *
 * Zone 1 has the page, zone 5 behind it is empty:
 *
 *	zone 1 [. . . P . .] -> zone 5 [. . . . . P]
 */
#include <errno.h>

#include "pages.h"

struct row {
	const char *name;
	void (*make)(struct bench *b);
	u32 flags;	    /* enum vm_migrate_flags */
	enum vm_reason why; /* WHY_NONE: it moves */
};

/* A bench with an empty second zone to move to. */
static void roomy_init(struct bench *b, u32 swap_pages)
{
	bench_init_in(b, swap_pages, 8192);
	add_zone(b->vm, 5, 1, 1, 4096, 4096, 0);
}

static struct vm_migrate towards_5(u32 flags)
{
	struct vm_migrate mig = { .zid = 1, .flags = flags, .nr_targets = 1 };

	mig.target[0] = 5;
	return mig;
}

/* The page that is alone in zone 5, or NONE. */
static u32 arrived(struct vm *vm)
{
	u32 pfn;

	for (u32 active = 0; active < 2; active++)
		if (vm_lru_list(vm, 5, active, 1, &pfn))
			return pfn;
	return NONE;
}

static void active_file_page(struct bench *b)
{
	file_page(b);
	to_list(b, LRU_ACTIVE);
}

static void shared_anon_page(struct bench *b)
{
	u32 child, cursor = 0, mm = vm_mm_create(b->vm, 9);

	young_anon_page(b);
	child = vm_mmap(b->vm, mm, VM_VMA_WRITE, VM_NO_ID, 0, 0x1000, 1);
	CHECK_EQ(VM_DONE, vm_vma_copy(b->vm, b->area, child, &cursor, NONE));
	CHECK_EQ(2, vm_mapcount(b->vm, page_of(b)));
}

static void locked_anon_page(struct bench *b)
{
	b->area = vm_mmap(b->vm, vm_mm_create(b->vm, 9), VM_VMA_WRITE | VM_VMA_LOCKED,
			  VM_NO_ID, 0, 0x1000, 1);
	CHECK_EQ(VM_DONE, touch_area(b->vm, b->area, 0, 1, VM_TOUCH_WRITE));
	vm_drain_pagevecs(b->vm);
	b->pfn = mapped_pfn(b->vm, b->area, 0);
	CHECK_EQ(1, item(b->vm, 1, NR_MLOCKED));
}

static void ram_page(struct bench *b)
{
	u32 ram = vm_mapping_create(b->vm, VM_MAP_RAM), n = 0;
	u8 byte = 1;

	CHECK_EQ(0, vm_mapping_size(b->vm, ram, 4 * PAGE_SIZE));
	CHECK_EQ(VM_DONE, vm_file_write(b->vm, ram, 0, 1, &byte, &n));
	vm_drain_pagevecs(b->vm);
	CHECK_EQ(1, vm_lru_list(b->vm, 1, LRU_INACTIVE, 1, &b->pfn));
}

static void page_with_a_holder(struct bench *b)
{
	u32 id;

	file_page(b);
	CHECK_EQ(VM_DONE, vm_pin_file(b->vm, b->file, 0, 7, &id));
	CHECK_EQ(VM_DONE, vm_pin_file(b->vm, b->file, 0, 8, &id));
	CHECK_EQ(1, page_extra(page_of(b)));
}

static void page_of_a_process(struct bench *b)
{
	file_page(b);
	vm_client_mark(b->vm, b->pfn, true);
}

/* The file cannot move its pages itself: as the others, then. */
static void fallback_file(struct bench *b)
{
	CHECK_EQ(0, vm_mapping_fallback(b->vm, b->file));
	CHECK_EQ(-EINVAL, vm_mapping_fallback(b->vm, b->shm));
}

static void fallback_page(struct bench *b)
{
	fallback_file(b);
	file_page(b);
	page_of(b)->flags |= PG_FALLBACK;
	CHECK_EQ(-EBUSY, vm_mapping_fallback(b->vm, b->file));
}

static void fallback_dirty_page(struct bench *b)
{
	fallback_file(b);
	dirty_page(b);
}

static void fallback_page_with_buffers(struct bench *b)
{
	fallback_file(b);
	clean_page_with_buffers(b);
}

static const struct row rows[] = {
	{ "fallback, clean", fallback_page, 0, WHY_NONE },
	{ "fallback, dirty", fallback_dirty_page, 0, WHY_WRITEBACK },
	{ "fallback, clean with buffers", fallback_page_with_buffers, 0, WHY_NONE },
	{ "clean file", file_page, 0, WHY_NONE },
	{ "active file", active_file_page, 0, WHY_NONE },
	{ "referenced file", referenced_file_page, 0, WHY_NONE },
	{ "locked", locked_page, 0, WHY_LOCKED },
	{ "dirty", dirty_page, 0, WHY_NONE },
	{ "dirty, to be written", dirty_page, VM_MIG_WRITEOUT, WHY_WRITEBACK },
	{ "clean with buffers", clean_page_with_buffers, VM_MIG_WRITEOUT, WHY_NONE },
	{ "writeback", page_under_writeback, 0, WHY_WRITEBACK },
	{ "mapped, young", young_mapped_page, 0, WHY_NONE },
	{ "mapped, old", old_mapped_page, 0, WHY_NONE },
	{ "mapped, written", old_written_page, 0, WHY_NONE },
	{ "mapped, written, to be written", old_written_page, VM_MIG_WRITEOUT,
	  WHY_WRITEBACK },
	{ "mapped, left to faults", young_mapped_page, VM_MIG_LAZY, WHY_NONE },
	{ "referenced file, lazily", referenced_file_page, VM_MIG_LAZY, WHY_NONE },
	{ "dirty, lazily", dirty_page, VM_MIG_LAZY, WHY_NONE },
	{ "of a mapped file", page_of_mapped_file, 0, WHY_NONE },
	{ "mlocked file", locked_in_memory, 0, WHY_NONE },
	{ "mlocked file, lazily", locked_in_memory, VM_MIG_LAZY, WHY_NONE },
	{ "mlocked anonymous", locked_anon_page, 0, WHY_NONE },
	{ "anonymous, young", young_anon_page, 0, WHY_NONE },
	{ "anonymous", anon_page, 0, WHY_NONE },
	{ "anonymous, with a slot", anon_page, VM_MIG_SWAPSLOT, WHY_NONE },
	{ "anonymous, with a slot, lazily", anon_page, VM_MIG_SWAPSLOT | VM_MIG_LAZY,
	  WHY_NONE },
	{ "anonymous, lazily without", anon_page, VM_MIG_LAZY, WHY_NONE },
	{ "shared after fork", shared_anon_page, 0, WHY_NONE },
	{ "swap cache, clean", clean_swap_page, 0, WHY_NONE },
	{ "swap cache, dirty", dirty_swap_page, 0, WHY_NONE },
	{ "swap cache, referenced", referenced_swap_page, 0, WHY_NONE },
	{ "tmpfs", tmpfs_page, 0, WHY_NONE },
	{ "RAM disk", ram_page, 0, WHY_NONE },
	{ "pinned", page_with_a_holder, 0, WHY_PINNED },
	{ "of a real process", page_of_a_process, 0, WHY_REVOKING },
	{ "of a real process, not waiting", page_of_a_process, VM_MIG_NOWAIT,
	  WHY_MAPPED },
	{ "of a real process, all the same", page_of_a_process, VM_MIG_FORCE,
	  WHY_NONE },
};

/* What a page is, but for where it lies. */
struct looks {
	u32 flags, mapcount, stamp, index;
	u32 counts[NR_ZONE_ITEMS];
};

static struct looks look_at(struct vm *vm, u32 pfn, u32 zid)
{
	const struct page *p = &vm->pages[pfn];
	struct looks l = { .flags = p->flags & ~RMAP_MASK,
			   .mapcount = vm_mapcount(vm, p),
			   .stamp = vm->stamps[pfn],
			   .index = p->index };

	for (u32 i = NR_ACTIVE; i < NR_KERNEL_OTHER; i++)
		l.counts[i] = item(vm, zid, i);
	return l;
}

/*
 * Invariant 7: a page keeps everything but what its way takes. A swap slot makes it a
 * dirty page of the swap cache; who cannot move buffers releases them; page tables that
 * are left to the faults hand the page their dirty bit.
 */
static struct looks kept(const struct row *row, struct looks l)
{
	if (row->flags & VM_MIG_SWAPSLOT && l.flags & PG_ANON) {
		l.flags |= PG_SWAPCACHE | PG_DIRTY | PG_UPTODATE;
		l.counts[NR_SWAPCACHE] = 1;
	}
	if (l.flags & PG_FALLBACK) {
		l.flags &= ~(u32)PG_PRIVATE;
		l.counts[NR_BUFFERS] = 0;
	}
	if (row->flags & VM_MIG_LAZY && !(l.flags & PG_MLOCKED) &&
	    l.flags & (PG_CACHED | PG_SWAPCACHE)) {
		l.mapcount = 0;
		l.counts[NR_MAPPED] = l.counts[NR_ANON_MAPPED] = 0;
	}
	return l;
}

static void check_looks(const struct row *row, const struct looks *before,
			const struct looks *b)
{
	const struct looks want = kept(row, *before), *a = &want;

	CHECK_EQ(a->flags, b->flags);
	CHECK_EQ(a->mapcount, b->mapcount);
	CHECK_EQ(a->stamp, b->stamp);
	if (!(row->flags & VM_MIG_SWAPSLOT))
		CHECK_EQ(a->index, b->index);
	for (u32 i = NR_ACTIVE; i < NR_KERNEL_OTHER; i++)
		if (a->counts[i] != b->counts[i])
			FAIL("%s: item %u was %u, is %u", row->name, i, a->counts[i],
			     b->counts[i]);
}

static void check_stays(struct bench *b, const struct row *row, struct vm_migrate *mig)
{
	const u32 held = !(row->flags & VM_MIG_NOWAIT);

	CHECK_EQ(0, mig->moved);
	CHECK_EQ(held, mig->nr_hold);
	if (held) {
		CHECK_EQ(row->why, mig->hold_why[0]);
		CHECK_EQ(1, item(b->vm, 1, NR_ISOLATED));
		CHECK_OK(b->vm);
		vm_migrate_putback(b->vm, mig);
	}
	CHECK_EQ(1, mig->failed);
	CHECK_EQ(1, mig->reason[row->why]);
	CHECK_EQ(0, item(b->vm, 1, NR_ISOLATED));
	CHECK(page_of(b)->flags & PG_LRU);
}

static void one_row(const struct row *row)
{
	struct vm_migrate mig = towards_5(row->flags);
	struct looks before;
	struct bench b;

	test_name = row->name;
	roomy_init(&b, 64);
	row->make(&b);
	before = look_at(b.vm, b.pfn, 1);
	if (row->flags & VM_MIG_NOWAIT)
		CHECK_EQ(1, vm_migrate_sweep(b.vm, &mig));
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 100));
	CHECK_EQ(1, mig.attempted);
	if (row->why) {
		check_stays(&b, row, &mig);
		CHECK_EQ(NONE, arrived(b.vm));
	} else {
		struct looks after;

		CHECK_EQ(1, mig.moved);
		CHECK(arrived(b.vm) != NONE);
		after = look_at(b.vm, arrived(b.vm), 5);
		check_looks(row, &before, &after);
		CHECK(page_type(page_of(&b)) != VM_T_USER);
		CHECK(!b.vm->stamps[b.pfn] || b.vm->stamps[b.pfn] == POISON);
	}
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

static void test_every_kind(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		one_row(&rows[i]);
}

/* The bytes of a page, and of one whose bytes were put away. */
static void test_bytes_move(void)
{
	struct vm_migrate mig = towards_5(0);
	u8 data[PAGE_SIZE], seen[PAGE_SIZE];
	struct bench b;
	u32 n = 0;

	memset(data, 0xab, sizeof(data));
	roomy_init(&b, 64);
	CHECK_EQ(VM_DONE, vm_file_write(b.vm, b.shm, 0, PAGE_SIZE, data, &n));
	vm_drain_pagevecs(b.vm);
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 100));
	CHECK_EQ(1, mig.moved);
	n = 0;
	CHECK_EQ(VM_DONE, vm_file_read(b.vm, b.shm, 0, PAGE_SIZE, seen, &n));
	CHECK_EQ(0, memcmp(data, seen, PAGE_SIZE));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/*
 * A clean page whose bytes the host has taken back goes to a frame that somebody
 * else has left full: it must not be taken for its own.
 */
static void test_a_dropped_frame_is_not_mistaken(void)
{
	struct vm_migrate mig = towards_5(0);
	struct bench b;
	u32 i;

	roomy_init(&b, 64);
	file_page(&b);
	bit_clear(b.vm->resident, b.pfn);
	for (i = 4096; i < 8192; i++) {
		bit_set(b.vm->resident, i);
		b.vm->nr_resident++;
	}
	b.vm->conf.paranoid = 0;
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 100));
	CHECK(!bit_test(b.vm->resident, arrived(b.vm)));
	CHECK_EQ(4095, b.vm->nr_resident);
	free_vm(b.vm);
}

/* With no page to go to, the page is where it was, on its very place. */
static void test_no_target(void)
{
	struct vm_migrate mig = towards_5(0);
	struct bench b;
	u64 hash;

	roomy_init(&b, 64);
	file_page(&b);
	CHECK_EQ(0, vm_zone_marks(b.vm, 5, 5000, 5000, 5000));
	hash = vm_state_hash(b.vm);
	CHECK_EQ(VM_NOMEM, vm_migrate(b.vm, &mig, 100));
	CHECK_EQ(hash, vm_state_hash(b.vm));
	CHECK_EQ(0, mig.attempted);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* More pages refuse than are held: the rest is not looked at. */
static void test_a_hundred_failures(void)
{
	struct vm_migrate mig = towards_5(0);
	struct bench b;
	u32 i;

	roomy_init(&b, 64);
	CHECK_EQ(0, vm_mapping_size(b.vm, b.file, 400 * PAGE_SIZE));
	for (i = 0; i < 300; i++) {
		u32 pfn = listed_page(b.vm, b.file, i, LRU_INACTIVE);

		if (i % 2 == 0)
			CHECK(vm_pin(b.vm, pfn, 1) != VM_NO_ID);
	}
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 1000));
	CHECK_EQ(100, mig.nr_hold);
	CHECK_EQ(99, mig.moved);
	CHECK_EQ(VM_WAIT, vm_migrate_retry(b.vm, &mig));
	vm_migrate_putback(b.vm, &mig);
	CHECK_OK(b.vm);
	CHECK_EQ(201, vm_migrate_sweep(b.vm, &mig));
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 1000));
	CHECK_EQ(150, mig.moved);
	CHECK_EQ(250, mig.reason[WHY_PINNED]);
	CHECK_EQ(150, item(b.vm, 1, NR_INACTIVE));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* The last user of a page goes while it is held: it is freed, not moved. */
static void test_gone_while_held(void)
{
	struct vm_migrate mig = towards_5(0);
	struct bench b;
	u32 id;

	roomy_init(&b, 64);
	file_page(&b);
	id = vm_pin(b.vm, b.pfn, 1);
	CHECK_EQ(VM_DONE, vm_migrate(b.vm, &mig, 100));
	CHECK_EQ(VM_DONE, vm_file_truncate(b.vm, b.file, 0, 100));
	CHECK_EQ(VM_WAIT, vm_migrate_retry(b.vm, &mig));
	CHECK_EQ(0, vm_unpin(b.vm, id));
	CHECK_OK(b.vm);
	CHECK_EQ(VM_DONE, vm_migrate_retry(b.vm, &mig));
	CHECK_EQ(1, mig.gone);
	CHECK_EQ(0, item(b.vm, 1, NR_ISOLATED));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

int main(void)
{
	RUN(test_every_kind);
	RUN(test_bytes_move);
	RUN(test_a_dropped_frame_is_not_mistaken);
	RUN(test_no_target);
	RUN(test_a_hundred_failures);
	RUN(test_gone_while_held);
	return 0;
}
