/*
 * test_storm.c - everything at once, in a random order, with failures
 *
 * Files are read, written, truncated and written back; tasks come, touch and
 * go; CPUs change; allocations and transfers fail; zones close, empty and are
 * unplugged; frames are dropped and spilled; reclaim is cancelled half-way.
 *
 * Expect no violation at any time, every byte as last written, every stamp its
 * task's, and at the end, when all is let go, every page free.
 */
#include "storm.h"

/* ---- kernel memory, zones ---- */

static void do_kernel(struct storm *st)
{
	u32 *block = &st->kernel[pick(st, ARRAY_SIZE(st->kernel))];

	if (*block != NONE)
		CHECK_EQ(0, vm_free(st->sc.vm, *block, 1));
	*block = *block != NONE ?
			 NONE :
			 vm_alloc(st->sc.vm, VM_CLASS_NORMAL, 1, 0, VM_K_OTHER);
}

static void zonelists(struct storm *st)
{
	for (u32 nid = 0; nid < 2; nid++)
		CHECK_EQ(0, vm_zonelist(st->sc.vm, nid, VM_CLASS_HOTREMOVABLE,
					st->gate_open ? 2 : 1,
					st->gate_open ? (const u32[]){ 5, 1 } :
							(const u32[]){ 1 }));
}

/* What a reclaim and a migration have on hold goes back. */
static void let_go(struct storm *st)
{
	vm_reclaim_cancel(st->sc.vm, &st->rc);
	vm_migrate_putback(st->sc.vm, &st->mig);
}

static void do_gate(struct storm *st)
{
	struct vm *vm = st->sc.vm;

	let_go(st);
	st->gate_open = !st->gate_open;
	zonelists(st);
	CHECK_EQ(0, vm_zone_marks(vm, 5, 40, 80, st->gate_open ? 120 : 4096));
	CHECK_EQ(0, vm_zone_gate(vm, 5, st->gate_open));
	if (st->gate_open)
		set_pcp(vm, 5, 8);
	else
		CHECK_EQ(0, vm_zone_pcp(vm, 5, 0, 0, 0, 0, 8));
}

/* Purge the closed zone for a while; unplug it when it is empty, and plug it. */
static void do_purge(struct storm *st)
{
	struct vm *vm = st->sc.vm;
	u32 i;

	if (st->gate_open)
		return;
	let_go(st);
	for (i = 0; i < 30 && item(vm, 5, NR_FREE) < 4096; i++) {
		vm_drain_pagevecs(vm);
		vm_drain_pcp(vm, 5);
		reclaim_some(st, 5, 4096);
		vm_advance(vm, vm->now + 50000000);
	}
	vm_drain_pagevecs(vm);
	vm_drain_pcp(vm, 5);
	if (vm_zone_unplug(vm, 5))
		return;
	CHECK_OK(vm);
	CHECK_EQ(0, vm_zone_plug(vm, 5, 1, 1, 4096, 4096, 4096, 0));
	CHECK_EQ(0, vm_zone_marks(vm, 5, 40, 80, 4096));
	do_gate(st);
}

/* ---- reclaim that is interrupted, failures ---- */

static void do_slow_reclaim(struct storm *st)
{
	struct vm_reclaim *rc = &st->rc;

	if (!rc->nr_hold && !rc->round_left)
		*rc = (struct vm_reclaim){ .zid = st->gate_open && pick(st, 2) ? 5 : 1,
					   .may_fs = pick(st, 4),
					   .may_io = 1,
					   .kswapd = 1,
					   .nr_pages = 300,
					   .max_scan = 600 };
	vm_shrink(st->sc.vm, rc, 1 + pick(st, 60));
	if (!pick(st, 6))
		vm_reclaim_cancel(st->sc.vm, rc);
}

/* Pages move from one zone to the other; some are held until later. */
static void do_migrate(struct storm *st)
{
	struct vm_migrate *mig = &st->mig;
	struct vm *vm = st->sc.vm;
	int left;

	if (!mig->nr_hold) {
		u32 from = st->gate_open && pick(st, 2) ? 1 : 5;

		*mig = (struct vm_migrate){ .zid = from, .nr_targets = 1 };
		mig->flags = pick(st, 2) ? 0 : pick(st, VM_MIG_FORCE);
		mig->target[0] = from == 1 ? 5 : 1;
		vm_drain_pagevecs(vm);
		if (mig->flags & VM_MIG_NOWAIT) {
			left = vm_migrate_sweep(vm, mig);
			CHECK(left >= 0);
		}
	}
	switch (pick(st, 4)) {
	case 0:
		vm_migrate_retry(vm, mig);
		break;
	case 1:
		vm_migrate_putback(vm, mig);
		break;
	default:
		vm_migrate(vm, mig, 1 + pick(st, 300));
	}
	CHECK_EQ(mig->attempted, mig->moved + mig->gone + mig->failed + mig->nr_hold);
}

static void do_compact(struct storm *st)
{
	struct vm_compact c = { .zid = pick(st, 2) ? 1 : 5,
				.order = pick(st, VM_MAX_ORDER + 1) };
	u32 steps = pick(st, 30);

	vm_drain_pcp(st->sc.vm, c.zid);
	while (steps-- && vm_compact(st->sc.vm, &c, 1 + pick(st, 300)) == VM_MORE)
		;
}

/* Somebody holds a page for a while. */
static void do_pin(struct storm *st)
{
	u32 *pin = &st->pin[pick(st, ARRAY_SIZE(st->pin))];
	u32 f = pick(st, NR_FILES), index = pick(st, FILE_PAGES);

	if (*pin != NONE) {
		CHECK_EQ(0, vm_unpin(st->sc.vm, *pin));
		*pin = NONE;
	} else if (vm_pin_file(st->sc.vm, st->sc.file[f], index, 1, pin)) {
		*pin = NONE;
	}
}

static void do_trouble(struct storm *st)
{
	static const struct vm_dev_conf confs[] = {
		{ 1000000, 1000000000, 128, 32 },
		{ 0, 4000000000, 4, 1 },
		{ 9000000, 10000000, 16, 7 },
		{ 1000000, 1000000000, 2048, 32 },
	};
	struct vm *vm = st->sc.vm;

	switch (pick(st, 6)) {
	case 0:
		fail_alloc_after(pick(st, 40));
		break;
	case 1:
		vm_dev_fault(vm, pick(st, 2), pick(st, 2), pick(st, 3) ? 0 : EIO);
		break;
	case 2:
		CHECK_EQ(0, vm_dev_config(vm, pick(st, 2), &confs[pick(st, 4)]));
		break;
	case 3:
		vm_set_horizon(vm, vm->now + pick(st, 3) * 1000000);
		break;
	case 4:
		vm_set_cpu(vm, pick(st, 2));
		break;
	default:
		CHECK_EQ(0, vm_host_limit(vm, pick(st, 3) * 700, fileno(st->spill)));
	}
}

static void one_thing(struct storm *st)
{
	static void (*const things[])(struct storm * st) = {
		check_read,   check_read, do_write,   do_write,	       do_write,
		do_truncate,  do_touch,	  do_touch,   do_touch,	       do_touch,
		do_writeback, do_kernel,  do_trouble, do_slow_reclaim, do_slow_reclaim,
		wait_one,     do_punch,	  do_flush,   do_transfer,     do_migrate,
		do_migrate,   do_migrate, do_pin,
	};
	u32 what = pick(st, 100);

	if (what < 94)
		things[what % ARRAY_SIZE(things)](st);
	else if (what < 95)
		do_gate(st);
	else if (what < 96)
		do_purge(st);
	else if (what < 97)
		do_compact(st);
	else if (what < 98)
		vm_host_trim(st->sc.vm, 500);
	else
		reclaim_some(st, 1, 1 + pick(st, 300));
}

/* ---- beginning and end ---- */

static void end_area(struct vm *vm, u32 area)
{
	CHECK_EQ(VM_DONE, vm_mm_destroy(vm, vm->vmas[area].mm, NONE));
}

static void storm_init(struct storm *st, u64 seed)
{
	struct vm_config conf = small_config(SCENE_PAGES);

	memset(st, 0, sizeof(*st));
	memset(st->kernel, 0xff, sizeof(st->kernel));
	memset(st->pin, 0xff, sizeof(st->pin));
	conf.nr_cpus = 2;
	conf.swap_pages = 6000;
	conf.paranoid = 0;
	scene_init(&st->sc, conf, seed);
	st->gate_open = 1;
	st->spill = tmpfile();
	CHECK(st->spill);
	for (u32 i = 0; i < NR_FILES; i++) {
		st->bytes[i] = calloc(1, MAX_BYTES);
		st->size[i] = MAX_BYTES;
	}
	for (u32 i = 0; i < NR_AREAS; i++)
		end_area(st->sc.vm, st->sc.area[i]);
	for (u32 i = 0; i < ARRAY_SIZE(st->sc.locked); i++)
		end_area(st->sc.vm, st->sc.locked[i]);
	for (u32 i = 0; i < MAX_TASKS; i++)
		st->task[i].mm = NONE;
}

static void calm_down(struct storm *st)
{
	struct vm *vm = st->sc.vm;

	fail_alloc_never();
	for (u32 dev = 0; dev < VM_NR_DEVS; dev++)
		for (u32 write = 0; write < 2; write++)
			vm_dev_fault(vm, dev, write, 0);
	let_go(st);
	scene_idle(&st->sc);
}

/* Everything is let go: what is not free now has been lost. */
static void storm_exit(struct storm *st)
{
	struct vm *vm = st->sc.vm;
	u32 i;

	calm_down(st);
	for (i = 0; i < ARRAY_SIZE(st->pin); i++)
		if (st->pin[i] != NONE)
			CHECK_EQ(0, vm_unpin(vm, st->pin[i]));
	for (i = 0; i < MAX_TASKS; i++)
		task_end(st, &st->task[i]);
	for (i = 0; i < NR_FILES; i++) {
		while (vm_file_truncate(vm, st->sc.file[i], 0, 1000) == VM_MORE)
			;
		CHECK_EQ(0, vm_mapping_destroy(vm, st->sc.file[i]));
		free(st->bytes[i]);
	}
	for (i = 0; i < ARRAY_SIZE(st->kernel); i++)
		if (st->kernel[i] != NONE)
			CHECK_EQ(0, vm_free(vm, st->kernel[i], 1));
	vm_drain_pagevecs(vm);
	/* Pages of tasks that ended during a transfer are only in the swap cache. */
	for (i = 0; i < 100 && vm->swap.used; i++) {
		reclaim_some(st, 1, 1000);
		reclaim_some(st, 5, 1000);
		scene_idle(&st->sc);
	}
	vm_drain_pcp(vm, 1);
	vm_drain_pcp(vm, 5);
	CHECK_OK(vm);
	CHECK_EQ(4096, item(vm, 5, NR_FREE));
	/* Nodes that were reserved and not used stay with their pools. */
	CHECK_EQ(4096, item(vm, 1, NR_FREE) + item(vm, 1, NR_RADIX) +
			       item(vm, 1, NR_SHMEMDIR));
	CHECK_EQ(0, vm->swap.used);
	CHECK_EQ(0, vm->used_chains);
	CHECK_EQ(0, vm->nr_spilled);
	fclose(st->spill);
	scene_exit(&st->sc);
}

static void storm(u64 seed, u32 things)
{
	struct storm *st = malloc(sizeof(*st));

	storm_init(st, seed);
	for (u32 i = 0; i < things; i++) {
		one_thing(st);
		if (i % 50)
			continue;
		if (verify(st->sc.vm))
			FAIL("seed %llu, thing %u:\n%.3000s", (unsigned long long)seed,
			     i, verify_text);
		CHECK_EQ(0, st->sc.vm->event[EV_CORRUPT]);
	}
	storm_exit(st);
	free(st);
}

static void test_storm(void)
{
	for (u64 seed = 1; seed <= 6; seed++)
		storm(seed, 1500);
}

int main(int argc, char **argv)
{
	/* A seed and a length to look for more. */
	if (argc == 3) {
		storm(strtoull(argv[1], NULL, 10), (u32)strtoul(argv[2], NULL, 10));
		return 0;
	}
	RUN(test_storm);
	return 0;
}
