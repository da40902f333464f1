/*
 * test_verify.c - how vm_verify() goes about it: steps, text, what it leaves alone
 *
 * What it finds is the matter of test_verify_pages.c and test_verify_tables.c.
 */
#include "damage.h"

/* A counter, a stamp and a tag are wrong. */
static void three_damages(void)
{
	u32 dirty = user_page(PG_CACHED, PG_DIRTY | PG_SWAPBACKED);

	POKE(zone()->item[NR_FREE], zone()->item[NR_FREE] + 1);
	POKE(vm->stamps[mapped_page(RMAP_SINGLE, PG_ANON, 0)], 1234);
	POKE(page(dirty)->flags, page(dirty)->flags | PG_DIRTY);
}

/*
 * The same machine, damaged in three places, in steps of every size.
 * Expect the same violations in the same order, and VM_MORE until the end.
 */
static void test_steps_change_nothing(void)
{
	static char all[sizeof(verify_text)], part[sizeof(verify_text)];
	u32 want, budget;

	busy_machine();
	three_damages();
	want = verify(vm);
	CHECK(want >= 4);
	for (budget = 1; budget < 100000; budget = budget * 7 + 1) {
		struct vm_verify v = { 0 };
		u32 calls = 0;
		int rc;

		all[0] = '\0';
		do {
			rc = vm_verify(vm, &v, budget, part, sizeof(part));
			CHECK(rc == VM_MORE || rc == VM_DONE);
			strcat(all, part);
			calls++;
		} while (rc == VM_MORE);
		CHECK(calls > 1);
		CHECK_EQ(want, v.violations);
		CHECK_EQ(0, strcmp(all, verify_text));
	}
	undo();
	scene_exit(&sc);
}

/* Text that does not fit is cut at a line; the count is of all. */
static void test_text_is_cut(void)
{
	char small[100];
	struct vm_verify v = { 0 };
	u32 want;

	busy_machine();
	three_damages();
	want = verify(vm);
	memset(small, 'x', sizeof(small));
	CHECK_EQ(VM_DONE, vm_verify(vm, &v, NONE, small, 80));
	CHECK_EQ(want, v.violations);
	CHECK_EQ(0, strncmp(small, verify_text, strlen(small)));
	CHECK_EQ('\n', small[strlen(small) - 1]);
	CHECK(strlen(small) < 80);
	CHECK_EQ('x', small[80]);
	v = (struct vm_verify){ 0 };
	CHECK_EQ(VM_DONE, vm_verify(vm, &v, NONE, NULL, 0));
	CHECK_EQ(want, v.violations);
	undo();
	scene_exit(&sc);
}

/* Looking changes nothing. */
static void test_machine_is_not_changed(void)
{
	u64 before;

	busy_machine();
	before = vm_state_hash(vm);
	CHECK_OK(vm);
	CHECK_EQ(before, vm_state_hash(vm));
	scene_exit(&sc);
}

/* A machine without a zone, and one that nobody has used. */
static void test_empty_machines(void)
{
	struct vm_config conf = small_config(100000);
	struct vm *empty = make_vm(&conf);

	CHECK_OK(empty);
	add_zone(empty, 0, 0, 0, 0, 4096, 4);
	add_zone(empty, 1, 0, 1, 4096, 50000 - 4096, 10);
	CHECK_EQ(0, vm_zone_plug(empty, 4, 1, 0, 51200, 40000, 39999, 777));
	CHECK_EQ(0, vm_zone_marks(empty, 4, 0, 0, 39999));
	CHECK_OK(empty);
	CHECK_EQ(0, vm_zone_unplug(empty, 4));
	CHECK_OK(empty);
	free_vm(empty);
}

int main(void)
{
	RUN(test_empty_machines);
	RUN(test_steps_change_nothing);
	RUN(test_text_is_cut);
	RUN(test_machine_is_not_changed);
	return 0;
}
