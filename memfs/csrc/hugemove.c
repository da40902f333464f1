/*
 * hugemove.c - a zone, or a range of it, is emptied of huge pages
 *
 * Free ones go back to the buddy lists unless areas were promised them, used ones to a
 * free one elsewhere or to a new block. A copy takes many steps; who touches the page meanwhile waits.
 *
 * Departure: the prototype gave up the whole remap at the first huge page that had
 * nowhere to go; here it is counted, and the others move.
 *
 * Models: remap_hugetlb_pages() of the hot removal patches for hugetlbfs, Takahashi,
 * 2004; mm/hugetlb.c alloc_huge_page_nodemask(), move_hugetlb_state(), 6.1.
 */
#include <errno.h>

#include "huge.h"

/* 128 KiB are copied in one go. */
#define PIECE 32u

static void begin_move(struct vm *vm, struct vm_huge_move *hm, u32 id, u32 pfn,
		       u32 from)
{
	vm->huges[id].state = HUGE_MOVING;
	hm->moving = id;
	hm->new_pfn = pfn;
	hm->from_pool = from;
	hm->copied = 0;
}

/* A free huge page elsewhere, that no area was promised. */
static u32 find_in_pool(struct vm *vm, const struct vm_huge_move *hm, u32 order)
{
	u32 i, id;

	if (!vm_huge_free_ones(vm, order))
		return NONE;
	for (i = 0; i < hm->nr_targets; i++) {
		id = vm_huge_find_free(vm, order, hm->target[i]);
		if (id != NONE)
			return id;
	}
	return NONE;
}

/* A free huge page elsewhere, else a block that becomes one. */
static int find_target(struct vm *vm, struct vm_huge_move *hm, u32 id)
{
	const u32 order = vm->huges[id].order;
	u32 other = find_in_pool(vm, hm, order), pfn;

	if (other != NONE) {
		vm->huges[other].state = HUGE_MOVING;
		begin_move(vm, hm, id, vm->huges[other].pfn, other);
		return VM_DONE;
	}
	if (vm->faults[FAULT_TARGET]) {
		vm->faults[FAULT_TARGET]--;
		pfn = NONE;
		vm->need.order = order;
	} else {
		pfn = vm_huge_take_block(vm, order, hm->nr_targets, hm->target);
	}
	if (pfn == NONE)
		return VM_NOMEM;
	vm_huge_make(vm, pfn, order, id);
	begin_move(vm, hm, id, pfn, NONE);
	return VM_DONE;
}

/* The huge page lies elsewhere; where it lay is free. */
static void end_move(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h = &vm->huges[hm->moving];

	vm_huge_free_block(vm, h->pfn, h->order);
	h->pfn = hm->new_pfn;
	h->state = HUGE_USED;
	if (hm->from_pool != NONE) {
		h->surplus = vm->huges[hm->from_pool].surplus;
		vm_huge_forget(vm, hm->from_pool);
	}
	vm->pages[h->pfn].index = hm->moving;
	vm->event[EV_PGMIGRATE_SUCCESS] += 1u << h->order;
	hm->moved++;
	hm->moving = NONE;
	hm->cursor++;
}

/* The next piece; the last one ends the move. */
static void copy_piece(struct vm *vm, struct vm_huge_move *hm)
{
	const struct huge *h = &vm->huges[hm->moving];
	u32 i, nr = 1u << h->order;

	for (i = 0; i < PIECE && hm->copied < nr; i++, hm->copied++)
		vm->stamps[hm->new_pfn + hm->copied] = vm->stamps[h->pfn + hm->copied];
	if (hm->copied == nr)
		end_move(vm, hm);
}

static bool concerns(struct vm *vm, const struct vm_huge_move *hm, const struct huge *h)
{
	return huge_in_zone(vm, h, hm->zid) && h->pfn < hm->end &&
	       h->pfn + (1u << h->order) > hm->first;
}

/* A free one that was promised to an area is to be another block. */
static int replace(struct vm *vm, struct vm_huge_move *hm, u32 id)
{
	struct huge *h = &vm->huges[id];
	u32 pfn = vm_huge_take_block(vm, h->order, hm->nr_targets, hm->target);

	if (pfn == NONE)
		return VM_NOMEM;
	vm_huge_free_block(vm, h->pfn, h->order);
	vm_huge_make(vm, pfn, h->order, id);
	h->pfn = pfn;
	hm->moved++;
	hm->cursor++;
	return VM_DONE;
}

/* The next huge page of the range: given back, begun to move, or passed over. */
static int next_huge(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h = &vm->huges[hm->cursor];

	if (!concerns(vm, hm, h) || h->state == HUGE_MOVING ||
	    (h->state == HUGE_FREE && hm->keep_free)) {
		hm->cursor++;
	} else if (h->state == HUGE_FREE && !vm_huge_free_ones(vm, h->order)) {
		return replace(vm, hm, hm->cursor);
	} else if (h->state == HUGE_FREE) {
		vm_huge_free_block(vm, h->pfn, h->order);
		vm_huge_forget(vm, hm->cursor++);
		hm->dissolved++;
	} else {
		return find_target(vm, hm, hm->cursor);
	}
	return VM_DONE;
}

/*
 * vm_huge_migrate - empty a range of huge pages
 * @hm:     zid, range, targets; moving starts as VM_NO_ID, all else as 0
 * @budget: pieces and huge pages in this call
 *
 * Return: VM_DONE, VM_MORE, VM_NOMEM (no block of vm_needed()->order: make one, or
 * vm_huge_pass()), -ENODEV.
 */
int vm_huge_migrate(struct vm *vm, struct vm_huge_move *hm, uint32_t budget)
{
	int rc;

	if (!zone_ok(vm, hm->zid) || hm->nr_targets > ARRAY_SIZE(hm->target))
		return -ENODEV;
	for (; budget; budget--) {
		if (hm->moving != NONE) {
			copy_piece(vm, hm);
			continue;
		}
		if (hm->cursor >= vm->nr_huges)
			return VM_DONE;
		rc = next_huge(vm, hm);
		if (rc)
			return rc;
	}
	return VM_MORE;
}

/* The huge page that has nowhere to go stays; on to the next one. */
void vm_huge_pass(struct vm *vm, struct vm_huge_move *hm)
{
	vm->event[EV_PGMIGRATE_FAIL]++;
	hm->failed++;
	hm->cursor++;
}

/* The page that is being moved is where it was, as it was. */
void vm_huge_cancel(struct vm *vm, struct vm_huge_move *hm)
{
	struct huge *h;

	if (hm->moving == NONE)
		return;
	h = &vm->huges[hm->moving];
	h->state = HUGE_USED;
	if (hm->from_pool != NONE)
		vm->huges[hm->from_pool].state = HUGE_FREE;
	else
		vm_huge_free_block(vm, hm->new_pfn, h->order);
	hm->moving = NONE;
}
