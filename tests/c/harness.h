/*
 * harness.h - what every test of the C rung shares
 *
 * A test is one program: it includes the .c files it looks into, so that their
 * static functions are reachable, and is linked with the others. It is silent
 * on success; the first thing that is not as expected is printed and ends it.
 *
 *	CHECK(cond)		the condition holds
 *	CHECK_EQ(want, seen)	two unsigned numbers are equal
 *	CHECK_OK(vm)		vm_verify() finds nothing
 *	CHECK_BAD(vm, text)	vm_verify() finds something that says so
 *	fail_alloc_after(n)	n more blocks from the buddy lists, then none
 *	RUN(test)		one test, with its name for the failure message
 *
 * Every machine comes from make_vm() and goes with free_vm(); leaving one
 * behind is a failure.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_int.h"

static const char *test_name = "";
static u32 live_vms;

#define FAIL(...)                                                              \
	do {                                                                   \
		fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, test_name); \
		fprintf(stderr, __VA_ARGS__);                                  \
		fprintf(stderr, "\n");                                         \
		exit(1);                                                       \
	} while (0)

#define CHECK(cond)                                 \
	do {                                        \
		if (!(cond))                        \
			FAIL("expected %s", #cond); \
	} while (0)

#define CHECK_EQ(want, seen)                                                        \
	do {                                                                        \
		unsigned long long w_ = (unsigned long long)(want);                 \
		unsigned long long s_ = (unsigned long long)(seen);                 \
                                                                                    \
		if (w_ != s_)                                                       \
			FAIL("%s: expected %llu (%#llx), seen %llu (%#llx)", #seen, \
			     w_, w_, s_, s_);                                       \
	} while (0)

#define RUN(test)                      \
	do {                           \
		test_name = #test;     \
		alloc_budget = NONE;   \
		test();                \
		CHECK_EQ(0, live_vms); \
	} while (0)

/* ---- the fault flag ---- */
static u32 alloc_budget = NONE;

u32 __real_vm_rmqueue(struct vm *vm, struct zone *z, u32 order);
u32 __wrap_vm_rmqueue(struct vm *vm, struct zone *z, u32 order);

/* Linked with --wrap: every call from another file comes through here. */
u32 __wrap_vm_rmqueue(struct vm *vm, struct zone *z, u32 order)
{
	if (!alloc_budget)
		return NONE;
	if (alloc_budget != NONE)
		alloc_budget--;
	return __real_vm_rmqueue(vm, z, order);
}

u32 __real_vm_rmqueue_many(struct vm *vm, struct zone *z, u32 *pfns, u32 nr);
u32 __wrap_vm_rmqueue_many(struct vm *vm, struct zone *z, u32 *pfns, u32 nr);

u32 __wrap_vm_rmqueue_many(struct vm *vm, struct zone *z, u32 *pfns, u32 nr)
{
	nr = __real_vm_rmqueue_many(vm, z, pfns, min_t(u32, nr, alloc_budget));
	if (alloc_budget != NONE)
		alloc_budget -= nr;
	return nr;
}

static inline void fail_alloc_after(u32 nr) { alloc_budget = nr; }

static inline void fail_alloc_never(void) { alloc_budget = NONE; }

/* ---- violations ---- */
static char verify_text[65536];

/* Every invariant, in one go. Return: violations; verify_text says which. */
static inline u32 verify(struct vm *vm)
{
	struct vm_verify v = { 0 };
	int rc = vm_verify(vm, &v, NONE, verify_text, sizeof(verify_text));

	if (rc != VM_DONE)
		FAIL("vm_verify() with no limit returned %d", rc);
	return v.violations;
}

#define CHECK_OK(vm)                                          \
	do {                                                  \
		if (verify(vm))                               \
			FAIL("violations:\n%s", verify_text); \
	} while (0)

#define CHECK_BAD(vm, what)                                                 \
	do {                                                                \
		if (!verify(vm))                                            \
			FAIL("no violation, expected: %s", what);           \
		if (!strstr(verify_text, what))                             \
			FAIL("expected: %s, seen:\n%s", what, verify_text); \
	} while (0)

/* ---- machines ---- */
static inline struct vm_config small_config(u32 max_pfn)
{
	struct vm_config conf = {
		.max_pfn = max_pfn,
		.nr_zones = 8,
		.nr_nodes = 2,
		.nr_cpus = 1,
		.swap_pages = 4096,
		.batch = 32,
		.prefetch = 1,
		.paranoid = 1,
		.rules = VM_RULE_CUMULATIVE_MIN | VM_RULE_UNMAP_REFUSES_YOUNG,
		.seed = 1,
	};

	return conf;
}

static inline struct vm *make_vm(const struct vm_config *conf)
{
	struct vm *vm = vm_create(conf);

	CHECK(vm);
	live_vms++;
	return vm;
}

static inline void free_vm(struct vm *vm)
{
	vm_destroy(vm);
	live_vms--;
}

/* One zone: number @zid of node @nid, marks as 2.6.0 gives them for @min. */
static inline void add_zone(struct vm *vm, u32 zid, u32 nid, u32 type, u32 start,
			    u32 pages, u32 min)
{
	CHECK_EQ(0, vm_zone_plug(vm, zid, nid, type, start, pages, pages, 0));
	CHECK_EQ(0, vm_zone_marks(vm, zid, min, 2 * min, 3 * min));
	CHECK_EQ(0, vm_zone_gate(vm, zid, 1));
}

/* Per-CPU lists as 2.6.0 sizes them: hot 2 to 6 batches, cold 0 to 2. */
static inline void set_pcp(struct vm *vm, u32 zid, u32 batch)
{
	CHECK_EQ(0, vm_zone_pcp(vm, zid, 2 * batch, 6 * batch, 0, 2 * batch, batch));
}

/* The same zonelist for every class of every node. */
static inline void set_zonelist(struct vm *vm, u32 nr, const u32 *zids)
{
	for (u32 nid = 0; nid < vm->nr_nodes; nid++)
		for (u32 cls = 0; cls < VM_NR_CLASSES; cls++)
			CHECK_EQ(0, vm_zonelist(vm, nid, cls, nr, zids));
}

/*
 * A machine with one zone, number 1 of node 0, at pfn 0, open; no marks, no
 * per-CPU lists: what is freed is in the buddy lists at once.
 */
static inline struct vm *one_zone(u32 pages)
{
	struct vm_config conf = small_config(pages);
	struct vm *vm = make_vm(&conf);

	add_zone(vm, 1, 0, 1, 0, pages, 0);
	set_zonelist(vm, 1, (const u32[]){ 1 });
	return vm;
}

/*
 * A clean page of a file, in its tree and nowhere else yet: the caller puts it
 * on a list.
 */
static inline u32 cached_page(struct vm *vm, u32 mapping, u32 index)
{
	struct mapping *m = &vm->mappings[mapping];
	u32 pfn;

	CHECK_EQ(0, vm_tree_reserve(vm, m, index));
	pfn = vm_alloc_user(vm, 0);
	CHECK(pfn != NONE);
	vm->pages[pfn].flags |= PG_CACHED | PG_UPTODATE;
	vm->pages[pfn].index = vm_tree_insert(vm, m, index, pfn + 1);
	m->nrpages++;
	page_zone(vm, pfn)->item[NR_FILE]++;
	return pfn;
}

/* The same, at the head of the inactive or active list. */
static inline u32 listed_page(struct vm *vm, u32 mapping, u32 index, u32 active)
{
	u32 pfn = cached_page(vm, mapping, index);

	vm_lru_add(vm, page_zone(vm, pfn), pfn, active);
	return pfn;
}

/* A task with one anonymous area of nr pages. Return: the area. */
static inline u32 anon_area(struct vm *vm, u32 stamp, u32 nr)
{
	u32 mm = vm_mm_create(vm, stamp);

	CHECK(mm != VM_NO_ID);
	return vm_mmap(vm, mm, VM_VMA_WRITE, VM_NO_ID, 0, 0x1000, nr);
}

/* The task touches nr pages of its area from first on. Return: vm_touch()'s. */
static inline int touch_area(struct vm *vm, u32 vma, u32 first, u32 nr, u32 flags)
{
	struct vm_touch t = {
		.mm = vm->vmas[vma].mm,
		.vma = vma,
		.flags = flags,
		.first = first,
		.nr = nr,
		.next = VM_NO_ID,
	};

	return vm_touch(vm, &t, NONE);
}

/* The page that an area's page is mapped to. */
static inline u32 mapped_pfn(struct vm *vm, u32 vma, u32 idx)
{
	u32 t = vm->vmas[vma].ptb[idx >> PTB_SHIFT];

	CHECK(t != NONE);
	CHECK(vm->ptes[t << PTB_SHIFT | (idx & (PTB_SIZE - 1))] & PTE_PRESENT);
	return vm->ptes[t << PTB_SHIFT | (idx & (PTB_SIZE - 1))] & PTE_PFN;
}

static inline u32 *pte_of(struct vm *vm, u32 vma, u32 idx)
{
	u32 t = vm->vmas[vma].ptb[idx >> PTB_SHIFT];

	CHECK(t != NONE);
	return &vm->ptes[t << PTB_SHIFT | (idx & (PTB_SIZE - 1))];
}

static inline u32 item(struct vm *vm, u32 zid, u32 what)
{
	return vm->zones[zid].item[what];
}

/* xorshift64*: the same numbers on every machine. */
static inline u32 rnd(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (u32)(*state * 0x2545f4914f6cdd1dull >> 32);
}

#endif
