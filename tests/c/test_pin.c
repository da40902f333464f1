/*
 * test_pin.c - references with a holder
 */
#include "pin.c"

#include "pages.h"

/* Pins of one page are one extra reference; the oldest says who and since when. */
static void test_several_holders(void)
{
	struct vm_pin_info first;
	struct bench b;
	u32 pins[3], i;

	bench_init(&b, 64);
	file_page(&b);
	for (i = 0; i < 3; i++) {
		vm_advance(b.vm, 1000 * (i + 1));
		pins[i] = vm_pin(b.vm, b.pfn, 10 + i);
		CHECK_EQ(1, page_extra(page_of(&b)));
	}
	CHECK_EQ(3, vm_pins_of(b.vm, b.pfn, &first));
	CHECK_EQ(10, first.holder);
	CHECK_EQ(1000, first.since);
	CHECK_OK(b.vm);
	CHECK_EQ(0, vm_unpin(b.vm, pins[0]));
	CHECK_EQ(2, vm_pins_of(b.vm, b.pfn, &first));
	CHECK_EQ(11, first.holder);
	CHECK_EQ(0, vm_unpin(b.vm, pins[2]));
	CHECK_EQ(0, vm_unpin(b.vm, pins[1]));
	CHECK_EQ(0, page_extra(page_of(&b)));
	CHECK_EQ(-EINVAL, vm_unpin(b.vm, pins[1]));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

/* A page that is truncated while it is pinned goes with the last pin. */
static void test_the_last_one_frees(void)
{
	struct bench b;
	u32 pin;

	bench_init(&b, 64);
	file_page(&b);
	pin = vm_pin(b.vm, b.pfn, 1);
	CHECK_EQ(VM_DONE, vm_file_truncate(b.vm, b.file, 0, 10));
	CHECK_EQ(VM_T_USER, page_type(page_of(&b)));
	CHECK_OK(b.vm);
	CHECK_EQ(0, vm_unpin(b.vm, pin));
	CHECK(page_type(page_of(&b)) != VM_T_USER);
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

static void test_what_cannot_be_pinned(void)
{
	struct bench b;
	u32 pin, area;

	bench_init(&b, 64);
	CHECK_EQ(VM_NO_ID, vm_pin(b.vm, 7, 1));
	CHECK_EQ(VM_NO_ID, vm_pin(b.vm, 1u << 30, 1));
	CHECK_EQ(-EINVAL, vm_pin_file(b.vm, 99, 0, 1, &pin));
	CHECK_EQ(VM_READ, vm_pin_file(b.vm, b.file, 0, 1, &pin));
	CHECK_EQ(-EFAULT, vm_pin_file(b.vm, b.file, 64, 1, &pin));
	CHECK_EQ(-ENOENT, vm_pin_file(b.vm, b.shm, 0, 1, &pin));
	area = anon_area(b.vm, 9, 4);
	CHECK_EQ(-EFAULT, vm_pin_area(b.vm, area, 0, 1, &pin));
	CHECK_EQ(-EINVAL, vm_pin_area(b.vm, area, 4, 1, &pin));
	CHECK_EQ(VM_DONE, touch_area(b.vm, area, 0, 1, VM_TOUCH_WRITE));
	CHECK_EQ(VM_DONE, vm_pin_area(b.vm, area, 0, 1, &pin));
	CHECK_OK(b.vm);
	free_vm(b.vm);
}

int main(void)
{
	RUN(test_several_holders);
	RUN(test_the_last_one_frees);
	RUN(test_what_cannot_be_pinned);
	return 0;
}
