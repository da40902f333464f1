/*
 * test_freemap.c - what is free behind a closed gate: a map counts as lists do
 */
#include "freemap.c"

#include "harness.h"

#define PAGES 4096u
#define FREE_TYPES (VM_NR_PB * VM_MAX_ORDER)

/* Zone 1, all of it taken for users, one page at a time; its gate is closed. */
struct side {
	struct vm *vm;
	struct zone *z;
	u32 nr;
	u32 pfn[PAGES];
};

static void close_gate(struct vm *vm)
{
	u32 list;

	for (list = 0; list < vm->nr_nodes * VM_NR_CLASSES; list++)
		CHECK_EQ(0, vm_zonelist(vm, list / VM_NR_CLASSES, list % VM_NR_CLASSES,
					0, NULL));
	CHECK_EQ(0, vm_zone_marks(vm, 1, 4, 8, PAGES));
	CHECK_EQ(0, vm_zone_gate(vm, 1, 0));
}

static void side_init(struct side *s, bool lists)
{
	u32 i;

	s->vm = one_zone(PAGES);
	s->z = &s->vm->zones[1];
	for (s->nr = 0; s->nr < PAGES - 600; s->nr++)
		s->pfn[s->nr] = vm_rmqueue(s->vm, s->z, 0);
	/* Some of it is free when the gate is closed, in pieces. */
	for (i = 0; i < 200; i++)
		vm_buddy_free(s->vm, s->z, s->pfn[--s->nr], 0);
	for (i = 0; i < s->nr; i++)
		s->vm->pages[s->pfn[i]].flags = VM_T_RESERVED;
	close_gate(s->vm);
	if (lists)
		vm_freemap_end(s->vm, s->z);
	CHECK_EQ(!lists, s->z->mapped);
}

static void expect_same(struct side *a, struct side *b)
{
	u32 order, types[2][FREE_TYPES];

	for (order = 0; order < VM_MAX_ORDER; order++)
		CHECK_EQ(vm_area_nr(a->vm, a->z, order),
			 vm_area_nr(b->vm, b->z, order));
	CHECK_EQ(a->z->item[NR_FREE], b->z->item[NR_FREE]);
	CHECK_EQ(0, vm_free_by_type(a->vm, 1, types[0]));
	CHECK_EQ(0, vm_free_by_type(b->vm, 1, types[1]));
	CHECK_EQ(0, memcmp(types[0], types[1], sizeof(types[0])));
}

/* kpageflags: a block's first page says so. */
static void expect_same_heads(struct side *a, struct side *b)
{
	static u64 flags[2][PAGES];

	CHECK_EQ(0, vm_kpage(a->vm, 0, PAGES, 0, flags[0]));
	CHECK_EQ(0, vm_kpage(b->vm, 0, PAGES, 0, flags[1]));
	CHECK_EQ(0, memcmp(flags[0], flags[1], sizeof(flags[0])));
}

static void give(struct side *s, u32 i)
{
	u32 pfn = s->pfn[i];

	s->vm->pages[pfn] = (struct page){ 0 };
	vm_buddy_free(s->vm, s->z, pfn, 0);
	s->pfn[i] = s->pfn[--s->nr];
}

/* All pages come back in random order, on one side to lists, on the other to a map. */
static void test_counts_as_lists_do(void)
{
	static struct side map, list;
	u64 seed = 3;

	side_init(&map, false);
	side_init(&list, true);
	while (map.nr) {
		u32 i = rnd(&seed) % map.nr;

		give(&map, i);
		give(&list, i);
		if (map.nr % 64 == 0) {
			expect_same(&map, &list);
			expect_same_heads(&map, &list);
		}
	}
	CHECK_EQ(4, vm_area_nr(map.vm, map.z, TOP));
	CHECK_OK(map.vm);
	CHECK_OK(list.vm);
	free_vm(map.vm);
	free_vm(list.vm);
}

/*
 * Half of the pages come back, then the gate opens: blocks are on lists, the highest
 * at the head. What stays is taken as from a zone that was never closed.
 */
static void test_lists_when_the_gate_opens(void)
{
	static struct side s;
	u64 seed = 4;
	u32 order, pfn, last;

	side_init(&s, false);
	while (s.nr > PAGES / 2)
		give(&s, rnd(&seed) % s.nr);
	CHECK_EQ(0, vm_zone_gate(s.vm, 1, 1));
	CHECK(!s.z->mapped);
	for (order = 0; order < VM_MAX_ORDER; order++) {
		last = NONE;
		for (pfn = s.z->area[order].head; pfn != NONE;
		     pfn = s.vm->pages[pfn].pos) {
			CHECK(pfn < last);
			last = pfn;
		}
	}
	for (pfn = 0; pfn < PAGES / 64; pfn++)
		CHECK_EQ(0, s.vm->free_map[pfn]);
	while (s.nr)
		give(&s, s.nr - 1);
	CHECK_OK(s.vm);
	CHECK_EQ(4, vm_area_nr(s.vm, s.z, TOP));
	free_vm(s.vm);
}

/* Blocks of every order come back, and join what is there. */
static void test_blocks_of_every_order(void)
{
	struct vm *vm = one_zone(PAGES);
	struct zone *z = &vm->zones[1];
	u32 order, pfn[VM_MAX_ORDER];

	for (order = 0; order < VM_MAX_ORDER; order++)
		pfn[order] = vm_alloc(vm, VM_CLASS_NORMAL, order, VM_ALLOC_MEMALLOC,
				      VM_K_OTHER);
	vm_drain_pcp(vm, 1);
	close_gate(vm);
	for (order = VM_MAX_ORDER; order--;) {
		CHECK_EQ(0, vm_free(vm, pfn[order], order));
		vm_drain_pcp(vm, 1);
		CHECK_OK(vm);
	}
	CHECK(z->mapped);
	CHECK_EQ(4, vm_area_nr(vm, z, TOP));
	CHECK_EQ(PAGES, z->item[NR_FREE]);
	free_vm(vm);
}

/* Who takes a page behind a closed gate, or isolates a block, has the lists made. */
static void test_lists_for_who_wants_blocks(void)
{
	struct vm *vm = one_zone(PAGES);
	struct zone *z = &vm->zones[1];
	u32 pfn;

	close_gate(vm);
	pfn = vm_alloc_in(vm, 1, VM_K_OTHER);
	CHECK(pfn != VM_NO_PFN);
	CHECK(!z->mapped);
	CHECK_EQ(0, vm_free(vm, pfn, 0));
	CHECK_EQ(0, vm_zone_gate(vm, 1, 0));
	CHECK(z->mapped);
	CHECK_EQ(0, vm_block_isolate(vm, 0, SECTION));
	CHECK(!z->mapped);
	CHECK_OK(vm);
	CHECK_EQ(0, vm_zone_gate(vm, 1, 0));
	vm_block_restore(vm, 0, SECTION);
	vm_drain_pcp(vm, 1);
	CHECK_OK(vm);
	CHECK_EQ(PAGES, z->item[NR_FREE]);
	CHECK_EQ(0, vm_zone_gate(vm, 1, 0));
	CHECK_EQ(0, vm_zone_unplug(vm, 1));
	CHECK_EQ(0, vm->free_map[0]);
	CHECK_EQ(0, vm->free_counted[0]);
	free_vm(vm);
}

int main(void)
{
	RUN(test_counts_as_lists_do);
	RUN(test_lists_when_the_gate_opens);
	RUN(test_blocks_of_every_order);
	RUN(test_lists_for_who_wants_blocks);
	return 0;
}
