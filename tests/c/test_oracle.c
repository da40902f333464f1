/*
 * test_oracle.c - reclaim with rings against reclaim with linked lists
 *
 * The naive version isolates a whole batch, looks at it and puts it back, as
 * the kernel does. From one seed, both must leave the same machine: lists in
 * their order, counters, page tables, swap, events. Neither the size of the
 * batches of the ring version nor its prefetch may change anything.
 */
#include "harness.h"
#include "naive_lru.h"
#include "scene.h"

#define ROUNDS 12u
#define STEPS 100u

struct trace {
	u64 hash[ROUNDS];
	struct vm_reclaim sum;
	u64 event[NR_EVENTS];
};

/* What all runs of this scene did together. */
static void add_up(struct vm_reclaim *sum, const struct vm_reclaim *rc)
{
	sum->scanned += rc->scanned;
	sum->freed += rc->freed;
	sum->activated += rc->activated;
	sum->refilled += rc->refilled;
	sum->deactivated += rc->deactivated;
	sum->written += rc->written;
	sum->nr_mapped += rc->nr_mapped;
	for (u32 i = 0; i < NR_REASONS; i++)
		sum->reason[i] += rc->reason[i];
}

static void reclaim_rings(struct scene *sc, struct vm_reclaim *rc, u32 nr_refill)
{
	struct trace *t = sc->arg;

	scene_reclaim(sc, rc, nr_refill);
	add_up(&t->sum, rc);
}

static void reclaim_naive(struct scene *sc, struct vm_reclaim *rc, u32 nr_refill)
{
	struct trace *t = sc->arg;
	struct naive_lru lru;

	CHECK_EQ(0, naive_init(&lru, sc->vm->max_pfn));
	vm_lru_drain_cpu(sc->vm, sc->vm->cpu);
	naive_load(&lru, sc->vm, rc->zid);
	naive_refill(&lru, sc->vm, rc, nr_refill);
	naive_shrink(&lru, sc->vm, rc);
	naive_store(&lru, sc->vm, rc->zid);
	naive_exit(&lru);
	add_up(&t->sum, rc);
}

static void run(struct trace *t, u32 batch, u32 pf, u64 seed, bool naive)
{
	struct vm_config conf = small_config(SCENE_PAGES);
	struct scene sc;

	conf.batch = batch;
	conf.prefetch = pf;
	conf.paranoid = 0;
	*t = (struct trace){ 0 };
	scene_init(&sc, conf, seed);
	sc.arg = t;
	sc.reclaim = naive ? reclaim_naive : reclaim_rings;
	for (u32 i = 0; i < ROUNDS; i++) {
		/* The second half runs behind a closed gate. */
		if (i == ROUNDS / 2) {
			CHECK_EQ(0, vm_zone_marks(sc.vm, 5, 40, 80, 4096));
			CHECK_EQ(0, vm_zone_gate(sc.vm, 5, 0));
			for (u32 nid = 0; nid < 2; nid++)
				CHECK_EQ(0,
					 vm_zonelist(sc.vm, nid, VM_CLASS_HOTREMOVABLE,
						     1, (const u32[]){ 1 }));
		}
		scene_run(&sc, STEPS);
		t->hash[i] = vm_state_hash(sc.vm);
		CHECK_OK(sc.vm);
	}
	memcpy(t->event, sc.vm->event, sizeof(t->event));
	CHECK_EQ(0, t->event[EV_CORRUPT]);
	scene_exit(&sc);
}

static void expect_same(const struct trace *want, const struct trace *seen,
			const char *who)
{
	for (u32 i = 0; i < NR_EVENTS; i++)
		if (want->event[i] != seen->event[i])
			FAIL("%s: event %u is %llu, not %llu", who, i,
			     (unsigned long long)seen->event[i],
			     (unsigned long long)want->event[i]);
	for (u32 i = 0; i < ROUNDS; i++)
		if (want->hash[i] != seen->hash[i])
			FAIL("%s: another machine after round %u", who, i);
	CHECK_EQ(0, memcmp(&want->sum, &seen->sum, sizeof(want->sum)));
}

/* Every branch must have been taken, or equality says nothing. */
static void expect_busy(const struct trace *t)
{
	static const u32 events[] = {
		EV_PSWPIN,     EV_PSWPOUT,    EV_PGSCAN,       EV_PGREFILL,
		EV_PGSTEAL,    EV_PGROTATED,  EV_PGCOW,	       EV_PGREUSE,
		EV_PGMAJFAULT, EV_PGACTIVATE, EV_PGDEACTIVATE,
	};

	for (u32 i = 0; i < ARRAY_SIZE(events); i++)
		if (t->event[events[i]] < 100 && events[i] != EV_PGREUSE)
			FAIL("event %u came only %llu times", events[i],
			     (unsigned long long)t->event[events[i]]);
	CHECK(t->sum.freed > 2000);
	CHECK(t->sum.written > 500);
	CHECK(t->sum.reason[WHY_REFERENCED] && t->sum.reason[WHY_WRITEBACK]);
}

/* One seed: linked lists first, then the rings in every way. */
static void compare_all(struct trace *want, u64 seed)
{
	static const u32 batches[] = { 1, 7, 32 };
	struct trace seen;
	char who[64];

	run(want, 32, 0, seed, true);
	expect_busy(want);
	for (u32 i = 0; i < 2 * ARRAY_SIZE(batches); i++) {
		snprintf(who, sizeof(who), "seed %u batch %u prefetch %u", (u32)seed,
			 batches[i / 2], i & 1);
		run(&seen, batches[i / 2], i & 1, seed, false);
		expect_same(want, &seen, who);
	}
}

/*
 *	seed -> linked lists          -> hashes
 *	seed -> rings, batch 1, 7, 32 -> the same hashes
 *	        prefetch 0, 1
 *
 * Expect other hashes from another seed, or the comparison is blind.
 */
static void test_rings_against_lists(void)
{
	struct trace first, second;

	compare_all(&first, 1);
	compare_all(&second, 2);
	CHECK(first.hash[ROUNDS - 1] != second.hash[ROUNDS - 1]);
}

int main(void)
{
	RUN(test_rings_against_lists);
	return 0;
}
