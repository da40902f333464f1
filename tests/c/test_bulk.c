/*
 * test_bulk.c - pages by the dozen are as the same pages one at a time
 */
#include "bulk.c"

#include "harness.h"

#define PAGES 4096u

struct twin {
	struct vm *vm;
	struct zonelist zl;
	u32 nr;
	u32 pfn[2 * PAGES];
};

/* Two zones, both in the zonelist; batches of 4, marks. */
static void twin_init(struct twin *t, u32 rules)
{
	struct vm_config conf = small_config(2 * PAGES);
	u32 zid;

	conf.rules = rules;
	*t = (struct twin){ .vm = make_vm(&conf) };
	for (zid = 1; zid <= 5; zid += 4) {
		add_zone(t->vm, zid, zid / 5, 1, zid / 5 * PAGES, PAGES, 40);
		set_pcp(t->vm, zid, 4);
	}
	t->zl = (struct zonelist){ .nr = 2, .zid = { 5, 1 }, .reserve = { 0, 7 } };
	for (zid = 0; zid < VM_NR_CLASSES; zid++)
		vm_zonelist(t->vm, 0, zid, 2, t->zl.zid);
}

static void make_user(struct vm *vm, u32 pfn)
{
	vm->pages[pfn] = (struct page){ .flags = VM_T_USER };
}

static u32 take(struct twin *t, u32 nr, bool many)
{
	u32 *pfns = t->pfn + t->nr, got = 0, n, i;
	struct zone *z;

	while (got < nr) {
		if (many) {
			n = vm_alloc_many(t->vm, &t->zl, pfns + got, nr - got, &z);
			for (i = 0; i < n; i++)
				CHECK(page_zone(t->vm, pfns[got + i]) == z);
		} else {
			pfns[got] = vm_alloc_zonelist(t->vm, &t->zl, 0, 0);
			n = pfns[got] != NONE;
		}
		if (!n)
			break;
		for (i = 0; i < n; i++)
			make_user(t->vm, pfns[got + i]);
		got += n;
	}
	t->nr += got;
	return got;
}

/* The last nr pages, those of a zone each time. */
static void give(struct twin *t, u32 nr, bool many)
{
	u32 first = t->nr - nr, end, i;

	for (t->nr = first; nr; first = end) {
		struct zone *z = page_zone(t->vm, t->pfn[first]);

		for (end = first; nr && page_zone(t->vm, t->pfn[end]) == z; end++)
			nr--;
		if (many)
			vm_free_many(t->vm, z, t->pfn + first, end - first);
		for (i = first; !many && i < end; i++)
			vm_free_page_in(t->vm, z, t->pfn[i], true);
	}
}

static void shuffle(struct twin *t, u64 seed)
{
	for (u32 i = t->nr; i > 1; i--) {
		u32 j = rnd(&seed) % i, pfn = t->pfn[j];

		t->pfn[j] = t->pfn[i - 1];
		t->pfn[i - 1] = pfn;
	}
}

/* Zone 5 is closed: its pages come back, none is taken there. */
static void close_zone(struct twin *t)
{
	t->zl = (struct zonelist){ .nr = 1, .zid = { 1 }, .reserve = { 7 } };
	for (u32 cls = 0; cls < VM_NR_CLASSES; cls++)
		vm_zonelist(t->vm, 0, cls, 1, t->zl.zid);
	CHECK_EQ(0, vm_zone_marks(t->vm, 5, 40, 80, PAGES));
	CHECK_EQ(0, vm_zone_gate(t->vm, 5, 0));
	CHECK_EQ(0, vm_zone_pcp(t->vm, 5, 0, 0, 0, 0, 4));
	vm_drain_pcp(t->vm, 5);
}

/*
 * The same is done to twins, a page at a time to the one, by the dozen to the other:
 * pages are taken until there are none, come back in another order; in the middle of
 * it the gate of a zone is closed.
 *
 * Expect the same pages each time, and the same machine.
 */
static void run(u32 rules, u64 seed)
{
	static struct twin twin[2];
	u32 round, n, i, got[2];
	u64 order;

	for (i = 0; i < 2; i++)
		twin_init(&twin[i], rules);
	for (round = 0; round < 300; round++) {
		n = rnd(&seed) % 90 + 1;
		if (round == 200)
			n = 2 * PAGES;
		order = rnd(&seed);
		for (i = 0; i < 2; i++) {
			if (round == 250)
				close_zone(&twin[i]);
			got[i] = take(&twin[i], n, i);
			shuffle(&twin[i], order);
			give(&twin[i], twin[i].nr * (order >> 40 & 7) / 8, i);
		}
		CHECK_EQ(got[0], got[1]);
		CHECK_EQ(0, memcmp(twin[0].pfn, twin[1].pfn, twin[0].nr * sizeof(u32)));
		CHECK_EQ(vm_state_hash(twin[0].vm), vm_state_hash(twin[1].vm));
		CHECK_EQ(twin[0].vm->wakeups, twin[1].vm->wakeups);
	}
	for (i = 0; i < 2; i++) {
		give(&twin[i], twin[i].nr, i);
		CHECK_OK(twin[i].vm);
		free_vm(twin[i].vm);
	}
}

static void test_by_the_dozen(void)
{
	for (u64 seed = 1; seed <= 4; seed++) {
		run(0, seed);
		run(VM_RULE_CUMULATIVE_MIN, seed);
		run(VM_RULE_ONE_PCP, seed);
	}
}

int main(void)
{
	RUN(test_by_the_dozen);
	return 0;
}
