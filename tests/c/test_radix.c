/*
 * test_radix.c - the page-cache index: slots, tags, heights, its own memory
 */
#include "radix.c"

#include "harness.h"

static struct mapping *new_mapping(struct vm *vm, u32 kind)
{
	return &vm->mappings[vm_mapping_create(vm, kind)];
}

/* Slots hold made-up values here; the leaves' pages are not looked at. */
static u32 insert(struct vm *vm, struct mapping *m, u32 index, u32 value)
{
	CHECK_EQ(0, vm_tree_reserve(vm, m, index));
	return vm_tree_insert(vm, m, index, value);
}

static u32 lookup(struct vm *vm, struct mapping *m, u32 index)
{
	u32 slot;

	vm_tree_page(vm, m, index, &slot);
	return slot;
}

/*
 * One index after the other, each 64 times the last one and one.
 *
 *	0 | 63 | 64 | 4095 | 4096 | ... | 2^30 | 2^32 - 1
 *
 * Expect heights 1 1 2 2 3 ... 6 6, every slot to be found again with the
 * index that its handle gives, and its neighbours to be empty.
 */
static void test_heights(void)
{
	static const struct {
		u32 index, height;
	} rows[] = {
		{ 0, 1 },	   { 63, 1 },	      { 64, 2 },
		{ 4095, 2 },	   { 4096, 3 },	      { 262143, 3 },
		{ 262144, 4 },	   { 16777215, 4 },   { 16777216, 5 },
		{ 1073741823, 5 }, { 1073741824, 6 }, { 0xfffffffe, 6 },
	};
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 handle[ARRAY_SIZE(rows)], i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		handle[i] = insert(vm, m, rows[i].index, i + 1);
		CHECK_EQ(rows[i].height, m->height);
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_EQ(i + 1, lookup(vm, m, rows[i].index));
		CHECK_EQ(rows[i].index, vm_handle_index(vm, handle[i]));
		CHECK_EQ(i + 1, *vm_slot(vm, handle[i]));
		CHECK(vm_handle_mapping(vm, handle[i]) == m);
	}
	CHECK_EQ(0, lookup(vm, m, 1));
	CHECK_EQ(0, lookup(vm, m, 65));
	CHECK_EQ(0, lookup(vm, m, 0xffffffff));
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		vm_tree_delete(vm, handle[i]);
	CHECK_EQ(0, m->root);
	CHECK_EQ(0, m->nr_nodes);
	free_vm(vm);
}

/*
 * A tree of height 1 gets an index that needs height 6: 5 roots above, and 5
 * nodes down to the new leaf, all reserved before anything is changed.
 *
 * Expect no more than these, and none left over.
 */
static void test_reserve_the_longest_way(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);

	insert(vm, m, 0, 1);
	CHECK_EQ(1, m->nr_nodes);
	CHECK_EQ(0, vm_tree_reserve(vm, m, 1u << 30));
	CHECK_EQ(10, vm->pool[VM_K_RADIX].nr);
	CHECK(ARRAY_SIZE(vm->pool[0].id) >= 10);
	vm_tree_insert(vm, m, 1u << 30, 2);
	CHECK_EQ(0, vm->pool[VM_K_RADIX].nr);
	CHECK_EQ(11, m->nr_nodes);
	CHECK_EQ(1, lookup(vm, m, 0));
	CHECK_EQ(2, lookup(vm, m, 1u << 30));
	free_vm(vm);
}

/*
 * Nodes are memory: 14 to a page of the kernel, by kind.
 *
 *	[n n n n n n n n n n n n n n] [n . . . ]
 *
 * Expect the fifteenth leaf to take a second page, and both to go when the
 * last node of each goes.
 */
static void test_nodes_are_kernel_memory(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_SHM);
	u32 handle[14], i;

	for (i = 0; i < 14; i++)
		handle[i] = insert(vm, m, i * 64, 1);
	/* 14 leaves and a root. */
	CHECK_EQ(15, m->nr_nodes);
	CHECK_EQ(2, item(vm, 1, NR_SHMEMDIR));
	CHECK_EQ(0, item(vm, 1, NR_RADIX));
	for (i = 0; i < 14; i++)
		vm_tree_delete(vm, handle[i]);
	CHECK_EQ(0, item(vm, 1, NR_SHMEMDIR));
	CHECK_EQ(NONE, vm->partial[VM_K_SHMEMDIR]);
	CHECK_OK(vm);
	free_vm(vm);
}

/*
 * No page for a node: the reservation says so, and the tree is as it was.
 * Expect it to succeed when it is asked again with memory at hand.
 */
static void test_no_memory_for_nodes(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 i;

	fail_alloc_after(0);
	CHECK_EQ(VM_NOMEM, vm_tree_reserve(vm, m, 5));
	CHECK_EQ(0, m->root);
	fail_alloc_after(1);
	/* 13 leaves and a root fill the one page. */
	for (i = 0; i < 13; i++)
		insert(vm, m, i * 64, 1);
	CHECK_EQ(VM_NOMEM, vm_tree_reserve(vm, m, 13 * 64));
	CHECK_EQ(0, lookup(vm, m, 13 * 64));
	fail_alloc_never();
	insert(vm, m, 13 * 64, 7);
	CHECK_EQ(7, lookup(vm, m, 13 * 64));
	free_vm(vm);
}

static u64 root_tags(struct vm *vm, const struct mapping *m, u32 wb)
{
	const struct rnode *n = &vm->rnodes[m->root - 1];

	return wb ? n->wb : n->dirty;
}

/*
 * Tags rise to the root and fall when the last one below is cleared.
 *
 *	root    [.......D.......]
 *	leaf 7  [D..D...........]
 */
static void test_tags(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 a = insert(vm, m, 7 * 64, 1), b = insert(vm, m, 7 * 64 + 3, 2);
	u32 other = insert(vm, m, 9 * 64, 3);

	for (u32 wb = 0; wb < 2; wb++) {
		vm_tree_tag(vm, a, wb, true);
		CHECK_EQ(1ull << 7, root_tags(vm, m, wb));
		vm_tree_tag(vm, b, wb, true);
		vm_tree_tag(vm, other, wb, true);
		CHECK_EQ(1ull << 7 | 1ull << 9, root_tags(vm, m, wb));
		vm_tree_tag(vm, a, wb, false);
		CHECK_EQ(1ull << 7 | 1ull << 9, root_tags(vm, m, wb));
		vm_tree_tag(vm, b, wb, false);
		CHECK_EQ(1ull << 9, root_tags(vm, m, wb));
		vm_tree_tag(vm, b, wb, false);
		vm_tree_tag(vm, other, wb, false);
		CHECK_EQ(0, root_tags(vm, m, wb));
	}
	free_vm(vm);
}

/* A tag stays visible from the root when the tree grows above it. */
static void test_tags_when_the_tree_grows(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 a = insert(vm, m, 5, 1), index = 0, handle;

	vm_tree_tag(vm, a, 0, true);
	insert(vm, m, 1u << 20, 2);
	CHECK_EQ(4, m->height);
	CHECK_EQ(1, root_tags(vm, m, 0));
	CHECK(vm_tree_next_dirty(vm, m, &index, &handle));
	CHECK_EQ(5, index);
	CHECK_EQ(a, handle);
	index = 6;
	CHECK(!vm_tree_next_dirty(vm, m, &index, &handle));
	free_vm(vm);
}

/*
 * A page is replaced in its slot, as a migration does.
 * Expect the tags to stay: they belong to the slot.
 */
static void test_replace_keeps_tags(void)
{
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 a = insert(vm, m, 700, 11), index = 0, handle;

	vm_tree_tag(vm, a, 0, true);
	*vm_slot(vm, a) = 12;
	CHECK_EQ(12, lookup(vm, m, 700));
	CHECK(vm_tree_next_dirty(vm, m, &index, &handle));
	CHECK_EQ(700, index);
	free_vm(vm);
}

/* ---- walking ---- */

static void expect_walk(struct vm *vm, struct mapping *m, u32 from, u32 nr,
			const u32 *want)
{
	u32 index = from, handle, i;

	for (i = 0; i < nr; i++) {
		CHECK(vm_tree_next(vm, m, &index, &handle));
		CHECK_EQ(want[i], index);
		CHECK_EQ(want[i], vm_handle_index(vm, handle));
		index++;
	}
	CHECK(!index || !vm_tree_next(vm, m, &index, &handle));
}

/*
 * Slots far from each other, the last index included.
 * Expect them in order, from the beginning and from the middle.
 */
static void test_walk(void)
{
	static const u32 at[] = { 3, 63, 64, 200, 4096, 300000, 1u << 30, 0xfffffffe };
	struct vm *vm = one_zone(4096);
	struct mapping *m = new_mapping(vm, VM_MAP_FILE);
	u32 index = 0, handle, i;

	CHECK(!vm_tree_next(vm, m, &index, &handle));
	for (i = ARRAY_SIZE(at); i > 0; i--)
		insert(vm, m, at[i - 1], i);
	expect_walk(vm, m, 0, ARRAY_SIZE(at), at);
	for (i = 1; i < ARRAY_SIZE(at); i++)
		expect_walk(vm, m, at[i - 1] + 1, ARRAY_SIZE(at) - i, at + i);
	free_vm(vm);
}

/* ---- against a plain array ---- */

#define SPACE 20000u

struct model {
	struct vm *vm;
	struct mapping *m;
	u32 value[SPACE], handle[SPACE];
	bool dirty[SPACE];
};

static void random_change(struct model *md, u32 at, u32 what)
{
	if (!md->value[at]) {
		md->value[at] = 1 + what % 1000;
		md->handle[at] = insert(md->vm, md->m, at, md->value[at]);
	} else if (what & 1) {
		md->dirty[at] = !md->dirty[at];
		vm_tree_tag(md->vm, md->handle[at], 0, md->dirty[at]);
	} else {
		vm_tree_tag(md->vm, md->handle[at], 0, false);
		vm_tree_delete(md->vm, md->handle[at]);
		md->value[at] = 0;
		md->dirty[at] = false;
	}
}

static void compare(struct model *md)
{
	u32 index = 0, next = 0, handle, at;

	for (at = 0; at < SPACE; at++)
		CHECK_EQ(md->value[at], lookup(md->vm, md->m, at));
	for (at = 0; at < SPACE; at++) {
		if (md->dirty[at]) {
			CHECK(vm_tree_next_dirty(md->vm, md->m, &index, &handle));
			CHECK_EQ(at, index++);
		}
		if (md->value[at]) {
			CHECK(vm_tree_next(md->vm, md->m, &next, &handle));
			CHECK_EQ(at, next);
			CHECK_EQ(md->handle[at], handle);
			next++;
		}
	}
	CHECK(!vm_tree_next_dirty(md->vm, md->m, &index, &handle));
	CHECK(!vm_tree_next(md->vm, md->m, &next, &handle));
}

/*
 * 60000 random insertions, deletions and tags, and the same in an array.
 * Expect the same slots, dirty tags and walks; in the end no memory in use.
 */
static void test_against_an_array(void)
{
	struct vm *vm = one_zone(4096);
	struct model *md = calloc(1, sizeof(*md));
	u64 seed = 3;
	u32 i, at;

	md->vm = vm;
	md->m = new_mapping(vm, VM_MAP_FILE);
	for (i = 0; i < 60000; i++) {
		/* Half of it in one corner, so that leaves fill and empty. */
		at = rnd(&seed);
		at = i & 1 ? at % SPACE : at % 200;
		random_change(md, at, rnd(&seed) >> 3);
		if (i % 15000 == 0)
			compare(md);
	}
	compare(md);
	for (at = 0; at < SPACE; at++) {
		if (!md->value[at])
			continue;
		vm_tree_tag(vm, md->handle[at], 0, false);
		vm_tree_delete(vm, md->handle[at]);
	}
	CHECK_EQ(0, md->m->root);
	CHECK_EQ(0, md->m->nr_nodes);
	CHECK_EQ(vm->pool[VM_K_RADIX].nr != 0, item(vm, 1, NR_RADIX));
	CHECK_OK(vm);
	free(md);
	free_vm(vm);
}

int main(void)
{
	RUN(test_heights);
	RUN(test_reserve_the_longest_way);
	RUN(test_nodes_are_kernel_memory);
	RUN(test_no_memory_for_nodes);
	RUN(test_tags);
	RUN(test_tags_when_the_tree_grows);
	RUN(test_replace_keeps_tags);
	RUN(test_walk);
	RUN(test_against_an_array);
	return 0;
}
