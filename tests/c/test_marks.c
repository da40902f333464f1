/*
 * test_marks.c - zonelists and cumulative watermarks, on the machine of 2004
 */
#include "pcp.c"

#include "harness.h"

/* ---- the machine of the April 2004 announcement ---- */

/*
 *	DMA[0] 4096 | Normal[1] 126976 | Normal[5] 83968 | HighMem[6] 45056 | hole
 *	   4/8/12	151/302/453	   99/198/297	      44/88/132
 *
 * Zonelist 3 is HighMem[6], Normal[5], Normal[1], DMA[0].
 */
static struct vm *announced(u32 rules)
{
	struct vm_config conf = small_config(262144);
	struct vm *vm;

	conf.rules = rules;
	vm = make_vm(&conf);
	add_zone(vm, 0, 0, 0, 0, 4096, 4);
	add_zone(vm, 1, 0, 1, 4096, 126976, 151);
	add_zone(vm, 5, 1, 1, 131072, 83968, 99);
	add_zone(vm, 6, 1, 2, 215040, 45056, 44);
	set_pcp(vm, 0, 1);
	set_pcp(vm, 1, 16);
	set_pcp(vm, 5, 16);
	set_pcp(vm, 6, 11);
	for (u32 nid = 0; nid < 2; nid++) {
		CHECK_EQ(0, vm_zonelist(vm, nid, VM_CLASS_HOTREMOVABLE, 4,
					(const u32[]){ 6, 5, 1, 0 }));
		CHECK_EQ(0, vm_zonelist(vm, nid, VM_CLASS_NORMAL, 2,
					(const u32[]){ 1, 0 }));
		CHECK_EQ(0, vm_zonelist(vm, nid, VM_CLASS_HIGHMEM, 2,
					(const u32[]){ 1, 0 }));
		CHECK_EQ(0, vm_zonelist(vm, nid, VM_CLASS_DMA, 1, (const u32[]){ 0 }));
	}
	return vm;
}

/* What a pass of the allocator sees is changed, not the buddy lists. */
static void pretend_free(struct vm *vm, u32 f0, u32 f1, u32 f5, u32 f6)
{
	vm->zones[0].item[NR_FREE] = f0;
	vm->zones[1].item[NR_FREE] = f1;
	vm->zones[5].item[NR_FREE] = f5;
	vm->zones[6].item[NR_FREE] = f6;
}

/* Zone of the page that an order-0 request gets, or NONE. */
static u32 zone_of(struct vm *vm, u32 cls, u32 order, u32 flags)
{
	u32 pfn = vm_alloc_page(vm, cls, order, flags);

	return pfn == NONE ? NONE : page_zone(vm, pfn)->zid;
}

struct threshold {
	u32 cls, zid, free;
};

/* The zone is taken at its threshold and not one page below it. */
static void check_threshold(u32 rules, const struct threshold *t)
{
	struct vm *vm = announced(rules);
	u32 f[8] = { 0 };

	f[t->zid] = t->free;
	pretend_free(vm, f[0], f[1], f[5], f[6]);
	CHECK_EQ(t->zid, zone_of(vm, t->cls, 0, 0));
	free_vm(vm);
}

/*
 * Pass 1 adds up pages_low down the list, starting with 1 << order:
 *
 *	HighMem[6] 1+88 = 89, Normal[5] +198 = 287, Normal[1] +302 = 589, DMA +8 = 597
 *	GFP_KERNEL: Normal[1] 303, DMA 311; GFP_DMA: 9
 *
 * Pass 2 does the same with pages_min: 45, 144, 295, 299; 152, 156; 5.
 * Expect a page at each of the second row's figures, none one page below, and
 * at each of the first row's without waking kswapd of a node that is well.
 */
static void test_cumulative_marks(void)
{
	static const struct threshold low[] = {
		{ 3, 6, 89 },  { 3, 5, 287 }, { 3, 1, 589 }, { 3, 0, 597 },
		{ 0, 1, 303 }, { 0, 0, 311 }, { 1, 0, 9 },
	};
	static const struct threshold min[] = {
		{ 3, 6, 45 },  { 3, 5, 144 }, { 3, 1, 295 }, { 3, 0, 299 },
		{ 0, 1, 152 }, { 0, 0, 156 }, { 1, 0, 5 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(low); i++) {
		struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);
		u32 f[8] = { 0 };

		check_threshold(VM_RULE_CUMULATIVE_MIN, &low[i]);
		f[low[i].zid] = low[i].free;
		pretend_free(vm, f[0], f[1], f[5], f[6]);
		CHECK(vm_alloc_page(vm, low[i].cls, 0, 0) != NONE);
		CHECK_EQ(0, vm_wakeups(vm));
		f[low[i].zid]--;
		pretend_free(vm, f[0], f[1], f[5], f[6]);
		vm_drain_pcp(vm, low[i].zid);
		pretend_free(vm, f[0], f[1], f[5], f[6]);
		CHECK(vm_alloc_page(vm, low[i].cls, 0, 0) != NONE);
		CHECK(vm_wakeups(vm) != 0);
		free_vm(vm);
	}
	for (i = 0; i < ARRAY_SIZE(min); i++) {
		struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);
		u32 f[8] = { 0 };

		check_threshold(VM_RULE_CUMULATIVE_MIN, &min[i]);
		f[min[i].zid] = min[i].free - 1;
		pretend_free(vm, f[0], f[1], f[5], f[6]);
		CHECK_EQ(NONE, zone_of(vm, min[i].cls, 0, 0));
		CHECK_EQ(min[i].cls, vm->need.cls);
		free_vm(vm);
	}
}

/* Without the rule each zone stands for itself: 1 + pages_min. */
static void test_marks_not_cumulative(void)
{
	static const struct threshold min[] = {
		{ 3, 6, 45 },
		{ 3, 5, 100 },
		{ 3, 1, 152 },
		{ 3, 0, 5 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(min); i++) {
		struct vm *vm = announced(0);
		u32 f[8] = { 0 };

		check_threshold(0, &min[i]);
		f[min[i].zid] = min[i].free - 1;
		pretend_free(vm, f[0], f[1], f[5], f[6]);
		CHECK_EQ(NONE, zone_of(vm, min[i].cls, 0, 0));
		free_vm(vm);
	}
}

/* A block of order 3 wants 8 + 44 pages of HighMem[6]. */
static void test_order_counts(void)
{
	struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);

	pretend_free(vm, 0, 0, 0, 51);
	CHECK_EQ(NONE, zone_of(vm, 3, 3, 0));
	CHECK_EQ(3, vm->need.order);
	pretend_free(vm, 0, 0, 0, 52);
	CHECK_EQ(6, zone_of(vm, 3, 3, 0));
	CHECK_EQ(44, item(vm, 6, NR_FREE));
	free_vm(vm);
}

/*
 * Who cannot wait may take from a zone at pages_high though the sum is not
 * reached: Normal[1] at 453 of 589. PF_MEMALLOC ignores every mark.
 */
static void test_nowait_and_memalloc(void)
{
	struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);

	pretend_free(vm, 0, 453, 0, 0);
	CHECK_EQ(1, zone_of(vm, 3, 0, VM_ALLOC_NOWAIT));
	CHECK_EQ(0, vm_wakeups(vm));
	vm_drain_pcp(vm, 1);
	pretend_free(vm, 1, 0, 0, 0);
	CHECK_EQ(NONE, zone_of(vm, 3, 0, 0));
	CHECK_EQ(6, zone_of(vm, 3, 0, VM_ALLOC_MEMALLOC));
	free_vm(vm);
}

/* kswapd is woken for the nodes of the list whose zones are at or below low. */
static void test_wakeups_name_nodes(void)
{
	struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);

	pretend_free(vm, 596, 588, 198, 0);
	CHECK_EQ(5, zone_of(vm, 3, 0, 0));
	CHECK_EQ(1 << 1, vm_wakeups(vm));
	CHECK_EQ(0, vm_wakeups(vm));
	pretend_free(vm, 8, 302, 0, 0);
	CHECK_EQ(1, zone_of(vm, 0, 0, 0));
	CHECK_EQ(1 << 0, vm_wakeups(vm));
	free_vm(vm);
}

/*
 * An empty machine of zonelists: no zone at all, then only a full one.
 * Expect a refusal that names what was wanted, and no change.
 */
static void test_nothing_to_have(void)
{
	struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);

	CHECK_EQ(0, vm_zonelist(vm, 0, VM_CLASS_DMA, 0, NULL));
	CHECK_EQ(NONE, vm_alloc_page(vm, VM_CLASS_DMA, 0, VM_ALLOC_MEMALLOC));
	CHECK(vm_zonelist(vm, 0, VM_CLASS_DMA, 1, (const u32[]){ 3 }) < 0);
	CHECK(vm_zonelist(vm, 9, VM_CLASS_DMA, 0, NULL) < 0);
	CHECK_OK(vm);
	free_vm(vm);
}

/* Hits and misses are counted where the page came from and where it was wanted. */
static void test_numa_counters(void)
{
	struct vm *vm = announced(VM_RULE_CUMULATIVE_MIN);

	CHECK_EQ(6, zone_of(vm, 3, 0, 0));
	CHECK_EQ(1, vm->zones[6].numa[NUMA_HIT]);
	CHECK_EQ(1, vm->zones[6].numa[NUMA_OTHER]);
	vm_drain_pcp(vm, 6);
	pretend_free(vm, 4096, 126976, 0, 0);
	CHECK_EQ(1, zone_of(vm, 3, 0, 0));
	CHECK_EQ(1, vm->zones[1].numa[NUMA_MISS]);
	CHECK_EQ(1, vm->zones[1].numa[NUMA_LOCAL]);
	CHECK_EQ(1, vm->zones[6].numa[NUMA_FOREIGN]);
	free_vm(vm);
}

int main(void)
{
	RUN(test_cumulative_marks);
	RUN(test_marks_not_cumulative);
	RUN(test_order_counts);
	RUN(test_nowait_and_memalloc);
	RUN(test_wakeups_name_nodes);
	RUN(test_nothing_to_have);
	RUN(test_numa_counters);
	return 0;
}
