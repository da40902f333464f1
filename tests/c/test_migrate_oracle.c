/*
 * test_migrate_oracle.c - migration with rings against migration with linked lists
 *
 * The same busy machine, then its zone 5 is closed and emptied: a quick pass, some
 * time for I/O to end, the slow pass, the rest put back, a last look at all. From one
 * seed, both must leave the same machine, whatever the ways, the size of the batches,
 * the prefetch and the size of a step.
 */
#include "harness.h"
#include "naive_migrate.h"
#include "scene.h"

struct outcome {
	u64 hash[4];
	struct vm_migrate mig;
	int rc[4];
};

struct way {
	u32 batch, prefetch, budget;
	bool naive;
};

static void close_zone(struct vm *vm, u32 flags, struct vm_migrate *mig)
{
	vm_drain_pagevecs(vm);
	CHECK_EQ(0, vm_zone_marks(vm, 5, 40, 80, 4096));
	CHECK_EQ(0, vm_zone_gate(vm, 5, 0));
	CHECK_EQ(0, vm_zone_pcp(vm, 5, 0, 0, 0, 0, 8));
	vm_drain_pcp(vm, 5);
	for (u32 nid = 0; nid < 2; nid++)
		CHECK_EQ(0, vm_zonelist(vm, nid, VM_CLASS_HOTREMOVABLE, 1,
					(const u32[]){ 1 }));
	*mig = (struct vm_migrate){ .zid = 5, .flags = flags, .nr_targets = 1 };
	mig->target[0] = 1;
}

/* Some pages are held by somebody, here and there. */
static void pin_some(struct scene *sc)
{
	for (u32 i = 0; i < 60; i++) {
		u32 pin, index = rnd(&sc->seed) % FILE_PAGES;

		vm_pin_file(sc->vm, sc->file[rnd(&sc->seed) % NR_FILES], index, 7,
			    &pin);
	}
}

static int quick(struct vm *vm, struct vm_migrate *mig, const struct way *w)
{
	struct naive_lru lru[8] = { 0 };
	struct naive_mig nm = { vm, mig, lru };
	int rc;

	if (!w->naive) {
		while ((rc = vm_migrate(vm, mig, w->budget)) == VM_MORE)
			;
		return rc;
	}
	for (u32 zid = 1; zid < 8; zid += 4) {
		CHECK_EQ(0, naive_init(&lru[zid], vm->max_pfn));
		naive_load(&lru[zid], vm, zid);
	}
	rc = naive_migrate(&nm);
	for (u32 zid = 1; zid < 8; zid += 4) {
		naive_store(&lru[zid], vm, zid);
		naive_exit(&lru[zid]);
	}
	return rc;
}

/* The slow pass; what refuses is put back. */
static int slow(struct vm *vm, struct vm_migrate *mig, bool naive)
{
	struct naive_lru lru[8] = { 0 };
	struct naive_mig nm = { vm, mig, lru };
	int rc;

	if (!naive) {
		rc = vm_migrate_retry(vm, mig);
		vm_migrate_putback(vm, mig);
		return rc;
	}
	for (u32 zid = 1; zid < 8; zid += 4) {
		CHECK_EQ(0, naive_init(&lru[zid], vm->max_pfn));
		naive_load(&lru[zid], vm, zid);
	}
	rc = naive_retry(&nm);
	naive_putback_held(&nm);
	for (u32 zid = 1; zid < 8; zid += 4) {
		naive_store(&lru[zid], vm, zid);
		naive_exit(&lru[zid]);
	}
	return rc;
}

static void run(struct outcome *o, u64 seed, u32 flags, const struct way *w)
{
	struct vm_config conf = small_config(SCENE_PAGES);
	struct scene sc;
	u32 written = 0, index = 0;

	conf.batch = w->batch;
	conf.prefetch = w->prefetch;
	conf.paranoid = 0;
	memset(o, 0, sizeof(*o));
	scene_init(&sc, conf, seed);
	scene_run(&sc, 300);
	pin_some(&sc);
	vm_file_writeback(sc.vm, sc.file[0], &index, 120, &written);
	close_zone(sc.vm, flags, &o->mig);
	o->rc[0] = quick(sc.vm, &o->mig, w);
	o->hash[0] = vm_state_hash(sc.vm);
	CHECK_OK(sc.vm);
	/* While they are held, some of their users go, and some I/O ends. */
	scene_idle(&sc);
	for (u32 i = 0; i < 2; i++)
		CHECK_EQ(VM_DONE,
			 vm_mm_destroy(sc.vm, sc.vm->vmas[sc.area[i]].mm, NONE));
	while (vm_file_truncate(sc.vm, sc.file[1], 100 * PAGE_SIZE, NONE) == VM_WAIT)
		scene_idle(&sc);
	CHECK_OK(sc.vm);
	o->rc[1] = slow(sc.vm, &o->mig, w->naive);
	o->hash[1] = vm_state_hash(sc.vm);
	CHECK_OK(sc.vm);
	vm_migrate_sweep(sc.vm, &o->mig);
	o->rc[2] = quick(sc.vm, &o->mig, w);
	o->hash[2] = vm_state_hash(sc.vm);
	CHECK_OK(sc.vm);
	CHECK_EQ(o->mig.attempted,
		 o->mig.moved + o->mig.gone + o->mig.failed + o->mig.nr_hold);
	scene_run(&sc, 0);
	CHECK_EQ(0, sc.vm->event[EV_CORRUPT]);
	o->hash[3] = vm_class_hash(sc.vm);
	scene_exit(&sc);
}

static void expect_same(const struct outcome *want, const struct outcome *seen,
			const struct way *w)
{
	for (u32 i = 0; i < 3; i++)
		CHECK_EQ(want->rc[i], seen->rc[i]);
	for (u32 i = 0; i < 4; i++)
		if (want->hash[i] != seen->hash[i])
			FAIL("batch %u, prefetch %u, budget %u: another machine after "
			     "part %u",
			     w->batch, w->prefetch, w->budget, i);
	CHECK_EQ(want->mig.attempted, seen->mig.attempted);
	CHECK_EQ(want->mig.moved, seen->mig.moved);
	CHECK_EQ(want->mig.gone, seen->mig.gone);
	CHECK_EQ(want->mig.written, seen->mig.written);
	CHECK_EQ(want->mig.slots, seen->mig.slots);
	CHECK_EQ(want->mig.unmapped, seen->mig.unmapped);
	CHECK_EQ(0,
		 memcmp(want->mig.reason, seen->mig.reason, sizeof(want->mig.reason)));
}

/* One seed and one choice of ways: linked lists first, then the rings in every way. */
static void compare_all(u64 seed, u32 flags, struct vm_migrate *sum)
{
	static const struct way ways[] = {
		{ 1, 0, NONE, false }, { 7, 1, 100, false }, { 32, 1, 4096, false },
		{ 32, 0, 1, false },   { 64, 1, 33, false },
	};
	const struct way plain = { 32, 1, NONE, true };
	struct outcome want, seen;

	run(&want, seed, flags, &plain);
	for (u32 i = 0; i < ARRAY_SIZE(ways); i++) {
		run(&seen, seed, flags, &ways[i]);
		expect_same(&want, &seen, &ways[i]);
	}
	sum->moved += want.mig.moved;
	sum->gone += want.mig.gone;
	sum->written += want.mig.written;
	sum->slots += want.mig.slots;
	sum->unmapped += want.mig.unmapped;
	for (u32 i = 0; i < NR_REASONS; i++)
		sum->reason[i] += want.mig.reason[i];
}

static void test_rings_and_lists_agree(void)
{
	struct vm_migrate sum = { 0 };

	for (u64 seed = 1; seed <= 6; seed++)
		compare_all(seed, 0, &sum);
	for (u64 seed = 7; seed <= 14; seed++)
		compare_all(seed, (u32)seed & 7, &sum);
	/* Every branch must have been taken, or equality says nothing. */
	CHECK(sum.moved > 10000);
	CHECK(sum.gone > 20);
	CHECK(sum.written > 100);
	CHECK(sum.slots > 500);
	CHECK(sum.unmapped > 500);
	CHECK(sum.reason[WHY_PINNED] > 50);
	CHECK(sum.reason[WHY_WRITEBACK]);
}

int main(void)
{
	RUN(test_rings_and_lists_agree);
	return 0;
}
