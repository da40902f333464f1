/*
 * test_compact.c - used pages go to the end of their zone
 */
#include <errno.h>

#include "pages.h"

/*
 * Every second page of a file is punched out:
 *
 *	before [. . . . u . u . u . u .]
 *	after  [. . . . . . . . u u u u]
 */
static u32 chequered(struct bench *b, u32 pages)
{
	u32 i, index;

	CHECK_EQ(0, vm_mapping_size(b->vm, b->file, (u64)pages * PAGE_SIZE));
	for (i = 0; i < pages; i++)
		listed_page(b->vm, b->file, i, LRU_INACTIVE);
	for (i = 1; i < pages; i += 2) {
		index = 0;
		CHECK_EQ(VM_DONE, vm_file_punch(b->vm, b->file, (u64)i * PAGE_SIZE,
						PAGE_SIZE, &index, 10));
	}
	vm_drain_pcp(b->vm, 1);
	return pages / 2;
}

static u32 free_blocks(struct vm *vm, u32 order)
{
	struct vm_zone_stat stat;

	CHECK_EQ(0, vm_zone_stat(vm, 1, &stat));
	return stat.free_area[order];
}

static void test_free_pages_become_blocks(void)
{
	static const u32 budgets[] = { 1, 7, 100000 };
	u64 hash[3];

	for (u32 i = 0; i < 3; i++) {
		struct vm_compact c = { .zid = 1, .order = VM_MAX_ORDER };
		struct bench b;
		u32 used;

		bench_init(&b, 64);
		used = chequered(&b, 3000);
		CHECK_EQ(1, free_blocks(b.vm, 10));
		while (vm_compact(b.vm, &c, budgets[i]) == VM_MORE)
			;
		CHECK_OK(b.vm);
		/* One block is lost to the pages of the index, which stay. */
		CHECK(free_blocks(b.vm, 10) + 1 >= (4096 - used) / 1024);
		CHECK(free_blocks(b.vm, 9) + 2 * free_blocks(b.vm, 10) >= 3);
		CHECK_EQ(used, item(b.vm, 1, NR_FILE));
		CHECK(c.moved >= used / 2 - 5);
		c = (struct vm_compact){ .zid = 1, .order = VM_MAX_ORDER };
		CHECK_EQ(VM_DONE, vm_compact(b.vm, &c, 100000));
		CHECK_EQ(0, c.moved);
		hash[i] = vm_class_hash(b.vm);
		free_vm(b.vm);
	}
	CHECK_EQ(hash[0], hash[1]);
	CHECK_EQ(hash[0], hash[2]);
}

/* It stops at the first block of the order that was asked for. */
static void test_enough_is_enough(void)
{
	struct vm_compact c = { .zid = 1, .order = 8 };
	struct bench b;

	bench_init(&b, 64);
	chequered(&b, 4080);
	CHECK_EQ(0, free_blocks(b.vm, 8));
	CHECK_EQ(VM_DONE, vm_compact(b.vm, &c, 100000));
	CHECK_EQ(1, free_blocks(b.vm, 8));
	CHECK(c.moved <= 512);
	CHECK_OK(b.vm);
	c = (struct vm_compact){ .zid = 1, .order = 8 };
	CHECK_EQ(VM_DONE, vm_compact(b.vm, &c, 100000));
	CHECK_EQ(0, c.moved);
	free_vm(b.vm);
}

/* Pages that are held stay, and are counted; the others go round them. */
static void test_what_stays(void)
{
	struct vm_compact c = { .zid = 1, .order = VM_MAX_ORDER };
	struct bench b;
	u32 used, pfn;

	bench_init(&b, 64);
	used = chequered(&b, 3000);
	CHECK_EQ(VM_DONE, vm_find_page(b.vm, &b.vm->mappings[b.file], 2998, &pfn));
	CHECK(vm_pin(b.vm, pfn, 1) != VM_NO_ID);
	while (vm_compact(b.vm, &c, 50) == VM_MORE)
		;
	CHECK_EQ(1, c.reason[WHY_PINNED]);
	CHECK_EQ(c.failed, 1 + c.reason[WHY_KERNEL]);
	CHECK_EQ(used, item(b.vm, 1, NR_FILE));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

int main(void)
{
	RUN(test_free_pages_become_blocks);
	RUN(test_enough_is_enough);
	RUN(test_what_stays);
	return 0;
}
