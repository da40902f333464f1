/*
 * migrate_check.c - what would move, and what would not and why: nothing is changed
 *
 * And the switches of the points at which the migration can be made to fail.
 */
#include <errno.h>

#include "migrate.h"
#include "migrate_run.h"

/* Whether and why not, of any page that is not free. */
static void check_page(const struct run *r, u32 pfn)
{
	const struct page *p = &r->vm->pages[pfn];
	u32 type = page_type(p);
	enum vm_reason why;

	if (type == VM_T_HUGE || type == VM_T_TAIL) {
		r->mig->attempted++;
		r->mig->moved++;
		return;
	}
	if (type != VM_T_USER && type != VM_T_KERNEL && type != VM_T_HWPOISON)
		return;
	why = vm_move_blocked(p, (p->flags & PG_PAGEVEC) != 0);
	if (p->flags & PG_ISOLATED)
		why = WHY_HELD;
	if (!why && needs_slot(r, p) && swap_full(r->vm))
		why = WHY_NO_SWAP;
	if (!why && writes_first(r, p) && !(~p->flags & (PG_DIRTY | PG_ERROR)))
		why = WHY_IO_ERROR;
	r->mig->attempted++;
	r->mig->moved += why == WHY_NONE;
	r->mig->failed += why != WHY_NONE;
	if (why)
		r->mig->reason[why]++;
}

/*
 * vm_migrate_check - how many pages would move, and why the others would not
 * @mig:    as for vm_migrate(); `moved` counts pages that would
 * @cursor: 0 to begin
 * @budget: pages in this call
 *
 * Nothing is changed. Return: VM_DONE, VM_MORE, -ENODEV.
 */
int vm_migrate_check(struct vm *vm, struct vm_migrate *mig, uint32_t *cursor,
		     uint32_t budget)
{
	struct run r = { .vm = vm, .mig = mig };
	u32 pfn;

	if (!zone_ok(vm, mig->zid))
		return -ENODEV;
	r.zone = &vm->zones[mig->zid];
	pfn = vm_zone_next(vm, r.zone, *cursor);
	for (; budget && pfn != NONE; budget--, pfn = vm_zone_next(vm, r.zone, pfn + 1))
		check_page(&r, pfn);
	*cursor = pfn;
	return pfn == NONE ? VM_DONE : VM_MORE;
}

/* A fault point; times 0: it does not happen any more. */
int vm_fault(struct vm *vm, uint32_t fault, uint32_t times)
{
	if (fault >= VM_NR_FAULTS)
		return -EINVAL;
	vm->faults[fault] = times;
	return 0;
}

uint32_t vm_fault_left(struct vm *vm, uint32_t fault)
{
	return fault < VM_NR_FAULTS ? vm->faults[fault] : 0;
}
