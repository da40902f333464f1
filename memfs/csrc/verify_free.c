/*
 * verify_free.c - free pages, and the blocks that they are in
 *
 * Most pages of most machines are free and have nothing: they are compared side by
 * side. A page that is not as its neighbours is looked at by itself, and that says
 * what is wrong.
 */
#include <string.h>

#include "verify.h"

void vm_check_poison(struct vm *vm, struct report *r, u32 pfn)
{
	const u8 *frame = vm->frames + (size_t)pfn * PAGE_SIZE;
	u32 i;

	if (vm->stamps[pfn] && vm->stamps[pfn] != POISON)
		vm_violation(r, "page %u: free, but its stamp is %#x", pfn,
			     vm->stamps[pfn]);
	if (!vm->conf.paranoid || !bit_test(vm->resident, pfn))
		return;
	/* Every byte is the next one's, and the first is right. */
	if (frame[0] == POISON_BYTE && !memcmp(frame, frame + 1, PAGE_SIZE - 1))
		return;
	for (i = 0; frame[i] == POISON_BYTE; i++)
		;
	vm_violation(r, "page %u: free, but byte %u is %#x", pfn, i, frame[i]);
}

static void check_inside(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (pfn >= r->s->tally.free_until)
		vm_violation(r, "page %u: free, but in no block", pfn);
	if (p->flags || p->pos || p->rmap || p->index)
		vm_violation(r, "page %u: free, but flags %#x, fields %u %u %u", pfn,
			     p->flags, p->pos, p->rmap, p->index);
}

static void check_block(struct vm *vm, struct report *r, const struct zone *z, u32 pfn)
{
	struct tally *t = &r->s->tally;
	const struct page *p = &vm->pages[pfn];
	u32 order = page_extra(p);
	u32 buddy = pfn ^ 1u << order;

	if (order >= VM_MAX_ORDER || pfn & ((1u << order) - 1) ||
	    p->flags != (VM_T_BUDDY | order << EXTRA_SHIFT) || p->index ||
	    !vm_manages(vm, z, pfn + (1u << order) - 1)) {
		vm_violation(r, "page %u: bad block, flags %#x", pfn, p->flags);
		return;
	}
	if (pfn < t->free_until)
		vm_violation(r, "page %u: a block inside a block", pfn);
	if (order < VM_MAX_ORDER - 1 && vm_manages(vm, z, buddy) &&
	    vm->pages[buddy].flags == p->flags && buddy > pfn)
		vm_violation(r, "page %u: its buddy %u is free too", pfn, buddy);
	t->free_until = pfn + (1u << order);
	if (page_isolated(vm, pfn)) {
		t->iso[order]++;
		t->item[NR_FREE_ISO] += 1u << order;
	} else {
		t->blocks[order]++;
		t->item[NR_FREE] += 1u << order;
	}
}

/* A page of type VM_T_BUDDY or VM_T_FREE. */
void vm_check_free(struct vm *vm, struct report *r, const struct zone *z, u32 pfn)
{
	if (page_type(&vm->pages[pfn]) == VM_T_BUDDY)
		check_block(vm, r, z, pfn);
	else
		check_inside(vm, r, pfn);
	vm_check_poison(vm, r, pfn);
}

/* A free page that has a bit: a block begins there, or it is inside one. */
void vm_check_mapped(struct vm *vm, struct report *r, const struct zone *z, u32 pfn)
{
	struct tally *t = &r->s->tally;
	u32 at = pfn, order;

	if (!z->mapped || page_type(&vm->pages[pfn]) != VM_T_FREE ||
	    page_isolated(vm, pfn) || !vm_manages(vm, z, pfn)) {
		vm_violation(r, "page %u: in the map of free pages", pfn);
		return;
	}
	if (pfn < t->free_until)
		return;
	order = vm_freemap_next(vm, z, &at);
	t->free_until = pfn + (1u << order);
	t->blocks[order]++;
	t->item[NR_FREE] += 1u << order;
}

/* Blocks that were never taken are free without a head. */
static void enter_untouched(struct report *r, const struct zone *z, u32 pfn)
{
	struct tally *t = &r->s->tally;
	u32 until;

	if (pfn < t->free_until)
		return;
	until = vm_virgin_until(z, pfn);
	if (until == pfn)
		return;
	t->free_until = until;
	t->item[NR_FREE] += until - pfn;
}

/* Whether none of these pages has its bit; they are of one word. */
static bool no_bits(const u64 *map, u32 pfn, u32 nr)
{
	return !(map[pfn / 64] & ~0ULL >> (64 - nr) << pfn % 64);
}

/* Pages of one word: with nothing, but what a free page may have. */
static bool are_free(struct vm *vm, u32 pfn, u32 nr)
{
	static const struct page nothing;
	const struct page *p = &vm->pages[pfn];
	const u32 *stamp = &vm->stamps[pfn];

	return no_bits(vm->free_map, pfn, nr) &&
	       (!vm->conf.paranoid || no_bits(vm->resident, pfn, nr)) &&
	       !memcmp(p, &nothing, sizeof(*p)) &&
	       !memcmp(p, p + 1, (nr - 1) * sizeof(*p)) &&
	       (!*stamp || *stamp == POISON) &&
	       !memcmp(stamp, stamp + 1, (nr - 1) * sizeof(*stamp));
}

/*
 * vm_check_free_run - free pages in order from here on, inside a block that was seen
 *
 * They are of one section, which is the zone's, and none is reserved.
 *
 * Return: how many; 0: this one has to be looked at by itself.
 */
u32 vm_check_free_run(struct vm *vm, struct report *r, const struct zone *z, u32 pfn,
		      u32 max)
{
	u32 at, nr, end;

	enter_untouched(r, z, pfn);
	end = min_t(u32, r->s->tally.free_until, (pfn | (SECTION - 1)) + 1);
	end = min_t(u32, min_t(u32, end, z->end), pfn + max);
	if (vm->sect_zid[pfn >> SECTION_SHIFT] != z->zid ||
	    (z->reserved.first < end && pfn < z->reserved.end))
		return 0;
	for (at = pfn; at < end; at += nr) {
		nr = min_t(u32, end - at, 64 - at % 64);
		if (!are_free(vm, at, nr))
			break;
	}
	return at - pfn;
}
