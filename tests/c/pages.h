/*
 * pages.h - a machine with one page in a given condition, for tests of reclaim
 *
 * bench_init() makes the machine; each function after it sets one page up at
 * the tail of the inactive list: bench->pfn.
 */
#ifndef PAGES_H
#define PAGES_H

#include "harness.h"

/* Where a page is after the scan. */
enum place { ON_INACTIVE, ON_ACTIVE, GONE };

struct bench {
	struct vm *vm;
	u32 file, shm, area, pfn;
	struct vm_reclaim rc;
};

static inline void bench_init_in(struct bench *b, u32 swap_pages, u32 max_pfn)
{
	struct vm_config conf = small_config(max_pfn);

	conf.swap_pages = swap_pages;
	*b = (struct bench){ .vm = make_vm(&conf), .pfn = NONE };
	add_zone(b->vm, 1, 0, 1, 0, 4096, 0);
	set_zonelist(b->vm, 1, (const u32[]){ 1 });
	b->file = vm_mapping_create(b->vm, VM_MAP_FILE);
	b->shm = vm_mapping_create(b->vm, VM_MAP_SHM);
	CHECK_EQ(0, vm_mapping_size(b->vm, b->file, 64 * PAGE_SIZE));
	CHECK_EQ(0, vm_mapping_size(b->vm, b->shm, 64 * PAGE_SIZE));
	b->area = VM_NO_ID;
	b->rc = (struct vm_reclaim){
		.zid = 1, .may_fs = 1, .may_io = 1, .nr_pages = 32, .max_scan = 1
	};
}

static inline void bench_init(struct bench *b, u32 swap_pages)
{
	bench_init_in(b, swap_pages, 4096);
}

static inline struct page *page_of(struct bench *b) { return &b->vm->pages[b->pfn]; }

/* ---- pages to look at ---- */

static inline void file_page(struct bench *b)
{
	b->pfn = listed_page(b->vm, b->file, 0, LRU_INACTIVE);
}

static inline void referenced_file_page(struct bench *b)
{
	file_page(b);
	page_of(b)->flags |= PG_REFERENCED;
}

static inline void locked_page(struct bench *b)
{
	u32 submitted;

	CHECK_EQ(VM_DONE, vm_file_submit_read(b->vm, b->file, 0, 1, &submitted));
	vm_drain_pagevecs(b->vm);
	CHECK_EQ(1, vm_lru_list(b->vm, 1, LRU_INACTIVE, 1, &b->pfn));
}

/* The first page of a file that is empty: nothing of it need be read. */
static inline void dirty_page(struct bench *b)
{
	u8 byte = 1;
	u32 n = 0;

	CHECK_EQ(0, vm_mapping_size(b->vm, b->file, 0));
	CHECK_EQ(VM_DONE, vm_file_write(b->vm, b->file, 0, 1, &byte, &n));
	vm_drain_pagevecs(b->vm);
	CHECK_EQ(1, vm_lru_list(b->vm, 1, LRU_INACTIVE, 1, &b->pfn));
	page_of(b)->flags &= ~(u32)PG_REFERENCED;
}

static inline void referenced_dirty_page(struct bench *b)
{
	dirty_page(b);
	page_of(b)->flags |= PG_REFERENCED;
}

static inline void page_under_writeback(struct bench *b)
{
	dirty_page(b);
	CHECK_EQ(VM_DONE, vm_writepage(b->vm, b->pfn, false));
}

static inline void clean_page_with_buffers(struct bench *b)
{
	dirty_page(b);
	vm_clear_dirty(b->vm, b->pfn);
}

static inline void map_file(struct bench *b, u32 flags)
{
	u32 mm = vm_mm_create(b->vm, 5);

	b->area = vm_mmap(b->vm, mm, flags, b->file, 0, 0x10, 4);
	CHECK_EQ(VM_DONE, touch_area(b->vm, b->area, 0, 1,
				     flags & VM_VMA_WRITE ? VM_TOUCH_WRITE : 0));
}

static inline void young_mapped_page(struct bench *b)
{
	file_page(b);
	map_file(b, VM_VMA_SHARED);
	page_of(b)->flags &= ~(u32)PG_REFERENCED;
}

static inline void old_mapped_page(struct bench *b)
{
	young_mapped_page(b);
	vm_page_referenced(b->vm, b->pfn);
}

static inline void old_written_page(struct bench *b)
{
	file_page(b);
	map_file(b, VM_VMA_SHARED | VM_VMA_WRITE);
	vm_page_referenced(b->vm, b->pfn);
}

/* Nobody maps this page, but somebody maps its file. */
static inline void page_of_mapped_file(struct bench *b)
{
	referenced_file_page(b);
	vm_mmap(b->vm, vm_mm_create(b->vm, 5), VM_VMA_SHARED, b->file, 8, 0x10, 1);
}

static inline void dirty_page_of_mapped_file(struct bench *b)
{
	referenced_dirty_page(b);
	vm_mmap(b->vm, vm_mm_create(b->vm, 5), VM_VMA_SHARED, b->file, 8, 0x10, 1);
}

static inline void locked_in_memory(struct bench *b)
{
	file_page(b);
	map_file(b, VM_VMA_SHARED | VM_VMA_LOCKED);
	vm_page_referenced(b->vm, b->pfn);
}

static inline void to_list(struct bench *b, u32 active)
{
	struct zone *z = &b->vm->zones[1];

	vm_lru_del(b->vm, z, b->pfn);
	vm_lru_add(b->vm, z, b->pfn, active);
}

static inline void young_anon_page(struct bench *b)
{
	b->area = anon_area(b->vm, 9, 1);
	CHECK_EQ(VM_DONE, touch_area(b->vm, b->area, 0, 1, VM_TOUCH_WRITE));
	vm_drain_pagevecs(b->vm);
	b->pfn = mapped_pfn(b->vm, b->area, 0);
	to_list(b, LRU_INACTIVE);
	page_of(b)->flags &= ~(u32)PG_REFERENCED;
}

static inline void anon_page(struct bench *b)
{
	young_anon_page(b);
	vm_page_referenced(b->vm, b->pfn);
}

/* Not mapped, written, only in the swap cache. */
static inline void clean_swap_page(struct bench *b)
{
	anon_page(b);
	vm_swap_cache_add(b->vm, b->pfn, vm_swap_alloc(b->vm));
	CHECK_EQ(UNMAP_SUCCESS, vm_try_to_unmap(b->vm, b->pfn));
	vm_clear_dirty(b->vm, b->pfn);
}

static inline void dirty_swap_page(struct bench *b)
{
	clean_swap_page(b);
	page_of(b)->flags |= PG_DIRTY;
}

static inline void referenced_swap_page(struct bench *b)
{
	clean_swap_page(b);
	page_of(b)->flags |= PG_REFERENCED;
}

static inline void tmpfs_page(struct bench *b)
{
	u8 byte = 1;
	u32 n = 0;

	CHECK_EQ(VM_DONE, vm_file_write(b->vm, b->shm, 0, 1, &byte, &n));
	vm_drain_pagevecs(b->vm);
	CHECK_EQ(1, vm_lru_list(b->vm, 1, LRU_INACTIVE, 1, &b->pfn));
	page_of(b)->flags &= ~(u32)PG_REFERENCED;
}

/* Somebody holds the page beside its owner: a reader, a pipe, direct I/O. */
static inline void pin(struct bench *b) { page_of(b)->flags += EXTRA_ONE; }

static inline void pinned_page(struct bench *b)
{
	file_page(b);
	pin(b);
}

static inline void pinned_dirty_page(struct bench *b)
{
	dirty_page(b);
	pin(b);
}

static inline void pinned_swap_page(struct bench *b)
{
	clean_swap_page(b);
	pin(b);
}

static inline enum place place_of(struct bench *b)
{
	const struct page *p = page_of(b);

	if (page_type(p) != VM_T_USER)
		return GONE;
	CHECK(p->flags & PG_LRU);
	return p->flags & PG_ACTIVE ? ON_ACTIVE : ON_INACTIVE;
}

static inline void close_gate(struct vm *vm, u32 rules)
{
	CHECK_EQ(0, vm_zone_marks(vm, 1, 0, 0, 4096));
	CHECK_EQ(0, vm_zone_gate(vm, 1, 0));
	for (u32 nid = 0; nid < vm->nr_nodes; nid++)
		for (u32 cls = 0; cls < VM_NR_CLASSES; cls++)
			CHECK_EQ(0, vm_zonelist(vm, nid, cls, 0, NULL));
	vm_set_closed_rules(vm, rules);
}

#endif
