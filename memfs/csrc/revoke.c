/*
 * revoke.c - pages of which the real kernel has a copy
 *
 * A process that maps a file of the mount has its pages in the page cache of the
 * real kernel: filled by a READ, written back by a WRITE. To the model that copy
 * is what a TLB entry is to Linux. A page has PG_CLIENTMAPPED from the READ on,
 * PG_CLIENTYOUNG until page_referenced() asks. Before it goes the copy is asked
 * back: PG_REVOKING, and a place in a queue that the caller empties. What was
 * written comes back as a WRITE meanwhile. When the copy is gone vm_revoked()
 * takes the mark away, unless there was another READ since.
 *
 * The copy has the bytes of the page, so nothing goes wrong when a mark is missing
 * or a page is freed before; only its age is wrong then. A range that comes back
 * may belong to a page that went and came again in between, whose own range is
 * still out: that copy is taken away a moment after the mark.
 */
#include <stdlib.h>

#include "vm_int.h"

/* So many pages come back at once, at most (chosen here): 0.1 ms clean, 10 dirty. */
#define RANGE_MAX 256u

/* young: it was read for a fault, not only written back. */
void vm_client_mark(struct vm *vm, u32 pfn, bool young)
{
	struct page *p = &vm->pages[pfn];

	if (young || !(p->flags & PG_CLIENTMAPPED))
		vm_twin_drop(vm, pfn);
	if (!(p->flags & PG_CLIENTMAPPED))
		page_zone(vm, pfn)->item[NR_CLIENT]++;
	p->flags |= PG_CLIENTMAPPED;
	if (young)
		p->flags |= PG_CLIENTYOUNG;
}

void vm_client_clear(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (!(p->flags & PG_CLIENTMAPPED))
		return;
	vm_twin_drop(vm, pfn);
	vm->nr_revoking -= (p->flags & PG_REVOKING) != 0;
	page_zone(vm, pfn)->item[NR_CLIENT]--;
	p->flags &= ~((u32)PG_CLIENTMAPPED | PG_CLIENTYOUNG | PG_REVOKING);
}

/* With the queue full the page is asked back when it is looked at next. */
void vm_client_ask(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (p->flags & PG_REVOKING || vm->nr_revoke == VM_REVOKE_MAX)
		return;
	p->flags |= PG_REVOKING;
	vm->nr_revoking++;
	vm->revoke[vm->nr_revoke++] = (struct vm_revoke){
		.mapping = vm->rnodes[p->index >> RN_SHIFT].mapping,
		.index = vm_handle_index(vm, p->index),
		.nr = 1,
	};
}

uint32_t vm_revoke_queued(struct vm *vm)
{
	return vm->nr_revoke;
}

static int by_place(const void *a, const void *b)
{
	const struct vm_revoke *x = a, *y = b;

	if (x->mapping != y->mapping)
		return x->mapping < y->mapping ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * vm_revoke_take - empty the queue
 * @out: room for VM_REVOKE_MAX ranges, in the order of files and pages
 *
 * Each range is given back with vm_revoked(). Return: ranges.
 */
uint32_t vm_revoke_take(struct vm *vm, struct vm_revoke *out)
{
	u32 i, n = 0;

	qsort(vm->revoke, vm->nr_revoke, sizeof(*vm->revoke), by_place);
	for (i = 0; i < vm->nr_revoke; i++) {
		const struct vm_revoke *page = &vm->revoke[i];
		struct vm_revoke *last = n ? &out[n - 1] : NULL;

		if (last && last->mapping == page->mapping && last->nr < RANGE_MAX &&
		    last->index + last->nr == page->index)
			last->nr++;
		else
			out[n++] = *page;
	}
	vm->nr_revoke = 0;
	return n;
}

/* The next one to be looked at, as after write-out. */
static void rotate(struct vm *vm, struct zone *z, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (p->flags & (PG_LOCKED | PG_WRITEBACK | PG_ACTIVE) || !(p->flags & PG_LRU))
		return;
	vm_lru_del(vm, z, pfn);
	vm_lru_add_tail(vm, z, pfn, LRU_INACTIVE);
}

static u32 come_back(struct vm *vm, u32 pfn, bool kept)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z = page_zone(vm, pfn);

	if (!(p->flags & PG_REVOKING))
		return 0;
	p->flags &= ~(u32)PG_REVOKING;
	vm->nr_revoking--;
	/* What can be reclaimed again is no failure of reclaim. */
	z->pages_scanned = 0;
	z->all_unreclaimable = 0;
	if (kept || p->flags & PG_CLIENTYOUNG)
		return 0;
	vm_client_clear(vm, pfn);
	rotate(vm, z, pfn);
	vm->event[EV_PGREVOKED]++;
	return 1;
}

/*
 * vm_revoked - the real kernel's copies of a range are gone
 * @kept: they are not: they could not be taken away
 *
 * Pages that were read for a fault since they were asked back stay marked. Return:
 * pages that may go now.
 */
uint32_t vm_revoked(struct vm *vm, const struct vm_revoke *range, uint32_t kept)
{
	u32 i, slot, gone = 0;

	if (range->mapping >= vm->nr_mappings || !vm->mappings[range->mapping].used)
		return 0;
	/* Backwards: the first page of the range is to be looked at first. */
	for (i = range->nr; i-- > 0;)
		if (vm_tree_page(vm, &vm->mappings[range->mapping], range->index + i,
				 &slot))
			gone += come_back(vm, slot - 1, kept);
	return gone;
}
