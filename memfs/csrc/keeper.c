/*
 * keeper.c - who has the pages of a zone: by reason, kind and holder
 *
 * What keeps memory from going is counted in groups: pages that have the same
 * reason not to move, are of one kind, and are the same file's, task's or pin
 * holder's. Nothing here changes the machine.
 */
#include <errno.h>

#include "migrate.h"

static enum vm_reason why_stays(const struct page *p)
{
	if (page_type(p) == VM_T_HUGE || page_type(p) == VM_T_TAIL)
		return WHY_NONE;
	if (p->flags & PG_ISOLATED)
		return WHY_HELD;
	return vm_move_blocked(p, (p->flags & PG_PAGEVEC) != 0);
}

static u32 mapping_of(struct vm *vm, const struct page *p)
{
	return p->flags & PG_CACHED ? vm->rnodes[p->index >> RN_SHIFT].mapping :
				      VM_NO_ID;
}

/* The task that maps an anonymous page; of several, the one that came last. */
static u32 task_of(struct vm *vm, const struct page *p)
{
	u32 pte = p->flags & PG_ANON ? vm_rmap_pte(vm, p, 0) : NONE;

	return pte == NONE ? VM_NO_ID : vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma].mm;
}

static struct vm_keeper keeper_of(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	struct vm_keeper k = { .kind = vm_page_kind(p),
			       .mapping = VM_NO_ID,
			       .mm = VM_NO_ID,
			       .holder = VM_NO_ID,
			       .first_pfn = pfn,
			       .pages = 1 };
	struct vm_pin_info pin;

	k.why = why_stays(p);
	if (page_type(p) != VM_T_USER)
		return k;
	k.mapping = mapping_of(vm, p);
	k.mm = task_of(vm, p);
	if (k.why == WHY_PINNED && vm_pins_of(vm, pfn, &pin)) {
		k.holder = pin.holder;
		k.since = pin.since;
	}
	return k;
}

static bool same(const struct vm_keeper *a, const struct vm_keeper *b)
{
	return a->why == b->why && a->kind == b->kind && a->mapping == b->mapping &&
	       a->mm == b->mm && a->holder == b->holder;
}

/* Pages of one group lie together more often than not: the last one is asked first. */
static struct vm_keeper *group_of(struct vm_keepers *ks, const struct vm_keeper *k)
{
	u32 i;

	if (ks->last < ks->nr && same(&ks->group[ks->last], k))
		return &ks->group[ks->last];
	for (i = 0; i < ks->nr; i++)
		if (same(&ks->group[i], k)) {
			ks->last = i;
			return &ks->group[i];
		}
	return NULL;
}

static void count(struct vm *vm, struct vm_keepers *ks, u32 pfn)
{
	struct vm_keeper k = keeper_of(vm, pfn);
	struct vm_keeper *group = group_of(ks, &k);

	/* No room for one more: it belongs to nobody in particular. */
	if (!group && ks->nr == ARRAY_SIZE(ks->group)) {
		ks->others++;
	} else if (!group) {
		ks->last = ks->nr;
		ks->group[ks->nr++] = k;
	} else {
		group->pages++;
	}
}

/*
 * vm_keepers - count the pages in use of a range of a zone by who keeps them
 * @ks:     zid; pfn and end: the range, pfn counts up; groups are added to
 * @budget: pages in this call
 *
 * Return: VM_DONE, VM_MORE, -ENODEV.
 */
int vm_keepers(struct vm *vm, struct vm_keepers *ks, uint32_t budget)
{
	const struct zone *z;
	u32 pfn;

	if (!zone_ok(vm, ks->zid))
		return -ENODEV;
	z = &vm->zones[ks->zid];
	pfn = vm_zone_next(vm, z, ks->pfn);
	for (; budget && pfn != NONE && pfn < ks->end; budget--) {
		u32 type = page_type(&vm->pages[pfn]);

		if (type == VM_T_USER || type == VM_T_KERNEL || type == VM_T_HUGE ||
		    type == VM_T_TAIL || type == VM_T_HWPOISON)
			count(vm, ks, pfn);
		pfn = vm_zone_next(vm, z, pfn + 1);
	}
	ks->pfn = pfn;
	return pfn == NONE || pfn >= ks->end ? VM_DONE : VM_MORE;
}
