/*
 * verify_zone.c - zones, zonelists, buddy lists, per-CPU lists, pagevecs
 *
 * Invariants 1 to 4 and 9 as far as one can see them without a look at every
 * page; verify_page.c recounts the pages themselves.
 */
#include "verify.h"

static void check_range(struct vm *vm, struct report *r, const struct zone *z)
{
	if (z->start >= vm->max_pfn || z->spanned > vm->max_pfn - z->start ||
	    z->end > vm->max_pfn || z->end < z->start)
		vm_violation(r, "zone %u: ends behind the machine", z->zid);
	if (z->start & ((1u << (VM_MAX_ORDER - 1)) - 1))
		vm_violation(r, "zone %u: start %u is not aligned", z->zid, z->start);
	if (z->present > z->spanned || z->managed > z->present)
		vm_violation(r, "zone %u: spanned %u, present %u, managed %u", z->zid,
			     z->spanned, z->present, z->managed);
}

static void check_untouched(struct vm *vm, struct report *r, const struct zone *z)
{
	u32 i, sum = 0, last = 0;

	for (i = 0; i < z->nr_untouched; i++) {
		const struct virgin *v = &z->untouched[i];

		if (!v->nr || v->pfn < last || !vm_manages(vm, z, v->pfn) ||
		    !vm_manages(vm, z, v->pfn + (v->nr << (VM_MAX_ORDER - 1)) - 1))
			vm_violation(r, "zone %u: %u untouched blocks at %u", z->zid,
				     v->nr, v->pfn);
		last = v->pfn + (v->nr << (VM_MAX_ORDER - 1));
		sum += v->nr;
	}
	if (sum != z->virgin)
		vm_violation(r, "zone %u: %u untouched blocks of %u", z->zid, sum,
			     z->virgin);
}

static void check_marks(struct report *r, const struct zone *z)
{
	if (z->pages_min > z->pages_low || z->pages_low > z->pages_high)
		vm_violation(r, "zone %u: marks %u, %u, %u are out of order", z->zid,
			     z->pages_min, z->pages_low, z->pages_high);
	if (!z->open && z->pages_high < z->present)
		vm_violation(r, "zone %u: closed, but pages_high %u of %u present",
			     z->zid, z->pages_high, z->present);
}

/* Every page that is present is in one place with a counter. */
static void check_places(struct report *r, const struct zone *z)
{
	static const u32 places[] = {
		NR_FREE,     NR_PCP,	      NR_PAGEVEC, NR_ACTIVE,   NR_INACTIVE,
		NR_ISOLATED, NR_KERNEL_OTHER, NR_RADIX,	  NR_SHMEMDIR, NR_PAGETABLE,
		NR_RESERVED, NR_FREE_ISO,     NR_HUGE,	  NR_HWPOISON,
	};
	u32 i, sum = 0;

	for (i = 0; i < ARRAY_SIZE(places); i++)
		sum += z->item[places[i]];
	if (sum != z->present)
		vm_violation(r, "zone %u: places sum to %u of %u present", z->zid, sum,
			     z->present);
	if (z->item[NR_RESERVED] != z->present - z->managed)
		vm_violation(r, "zone %u: %u reserved, present %u, managed %u", z->zid,
			     z->item[NR_RESERVED], z->present, z->managed);
}

static void check_items(struct report *r, const struct zone *z)
{
	u32 i;

	for (i = 0; i < NR_ZONE_ITEMS; i++)
		if (z->item[i] > z->present)
			vm_violation(r, "zone %u: item %u is %d", z->zid, i,
				     (int)z->item[i]);
}

bool vm_verify_zone(struct vm *vm, struct report *r)
{
	u32 zid = r->v->cursor++;
	const struct zone *z = &vm->zones[zid];

	if (zid >= vm->nr_zones)
		return false;
	if (!z->populated)
		return true;
	if (z->zid != zid || z->nid >= vm->nr_nodes)
		vm_violation(r, "zone %u: calls itself %u of node %u", zid, z->zid,
			     z->nid);
	check_range(vm, r, z);
	check_untouched(vm, r, z);
	check_marks(r, z);
	check_items(r, z);
	check_places(r, z);
	return true;
}

bool vm_verify_zonelist(struct vm *vm, struct report *r)
{
	u32 list = r->v->cursor++;
	const struct zonelist *zl = &vm->zonelists[list];
	u32 i;

	if (list >= vm->nr_nodes * VM_NR_CLASSES)
		return false;
	for (i = 0; i < zl->nr && i < ZONELIST_MAX; i++) {
		if (!zone_ok(vm, zl->zid[i]))
			vm_violation(r, "zonelist %u: no zone %u", list, zl->zid[i]);
		else if (!vm->zones[zl->zid[i]].open)
			vm_violation(r, "zonelist %u: zone %u is closed", list,
				     zl->zid[i]);
	}
	if (zl->nr > ZONELIST_MAX)
		vm_violation(r, "zonelist %u: length %u", list, zl->nr);
	return true;
}

/* A section is of a zone that has it inside; one without a zone is not isolated. */
bool vm_verify_section(struct vm *vm, struct report *r)
{
	u32 s = r->v->cursor++;
	u32 first = s << SECTION_SHIFT, zid;
	const struct zone *z;

	if (first >= vm->max_pfn)
		return false;
	zid = vm->sect_zid[s];
	z = zid < vm->nr_zones ? &vm->zones[zid] : NULL;
	if (zid != NO_ZONE &&
	    (!z || !z->populated || first < z->start || first + SECTION > z->end))
		vm_violation(r, "zone of section %u: %u has it not inside", s, zid);
	if (zid == NO_ZONE && bit_test(vm->isolated, s))
		vm_violation(r, "section %u: isolated, but in no zone", s);
	r->s->total.isolated += bit_test(vm->isolated, s);
	if (first + SECTION >= vm->max_pfn)
		vm_same(r, r->s->total.isolated, vm->nr_isolated, "isolated sections",
			0);
	return true;
}

static bool block_ok(struct vm *vm, const struct zone *z, u32 pfn, u32 order, u32 prev,
		     bool iso)
{
	const struct page *p = &vm->pages[pfn];

	return vm_manages(vm, z, pfn) && vm_virgin_until(z, pfn) == pfn &&
	       page_isolated(vm, pfn) == iso && page_type(p) == VM_T_BUDDY &&
	       page_extra(p) == order && p->rmap == prev;
}

/* One link of one free list. */
bool vm_verify_buddy(struct vm *vm, struct report *r)
{
	struct walk *w = &r->s->walk;
	u32 zid = r->v->cursor / (2 * VM_MAX_ORDER);
	u32 order = r->v->cursor % VM_MAX_ORDER;
	bool iso = r->v->cursor / VM_MAX_ORDER % 2;
	const struct zone *z = &vm->zones[zid];
	const struct free_area *area = iso ? &z->iso[order] : &z->area[order];

	if (zid >= vm->nr_zones)
		return false;
	if (z->populated && z->mapped && !iso) {
		if (z->open || area->head != NONE)
			vm_violation(r, "zone %u order %u: a map and a list", zid,
				     order);
		r->v->cursor++;
		return true;
	}
	if (!w->running)
		*w = (struct walk){ .running = 1,
				    .prev = NONE,
				    .at = z->populated ? area->head : NONE };
	if (w->at == NONE) {
		if (z->populated && w->seen != area->nr)
			vm_violation(r, "zone %u order %u: counter %u, found %u blocks",
				     zid, order, area->nr, w->seen);
	} else if (w->at >= vm->max_pfn || w->seen == area->nr ||
		   !block_ok(vm, z, w->at, order, w->prev, iso)) {
		vm_violation(r, "zone %u order %u: bad link %u after %u", zid, order,
			     w->at, w->prev);
	} else {
		w->seen++;
		w->prev = w->at;
		w->at = vm->pages[w->at].pos;
		return true;
	}
	w->running = 0;
	r->v->cursor++;
	return true;
}

static bool pcp_page_ok(struct vm *vm, const struct zone *z, u32 pfn, u32 pos)
{
	const struct page *p = &vm->pages[pfn];

	return vm_manages(vm, z, pfn) && p->flags == VM_T_PCP && p->pos == pos &&
	       !p->rmap && !p->index && !page_isolated(vm, pfn);
}

static u32 check_pcp(struct vm *vm, struct report *r, const struct zone *z, u32 which)
{
	const struct pcp *pcp = &z->pcp[which];
	u32 i;

	if (pcp->count > pcp->mask || pcp->head > pcp->mask) {
		vm_violation(r, "zone %u list %u: %u pages, newest at %u", z->zid,
			     which, pcp->count, pcp->head);
		return pcp->count;
	}
	for (i = 0; i < pcp->count; i++) {
		u32 place = (pcp->head - i) & pcp->mask;

		if (!pcp_page_ok(vm, z, pcp->ring[place], which << 16 | place))
			vm_violation(r, "zone %u list %u: page %u is not its own",
				     z->zid, which, pcp->ring[place]);
	}
	return pcp->count;
}

bool vm_verify_pcp(struct vm *vm, struct report *r)
{
	u32 zid = r->v->cursor++;
	const struct zone *z = &vm->zones[zid];
	u32 i, sum = 0;

	if (zid >= vm->nr_zones)
		return false;
	if (!z->populated)
		return true;
	for (i = 0; i < vm->nr_cpus * 2; i++)
		sum += check_pcp(vm, r, z, i);
	vm_same(r, sum, z->item[NR_PCP], "per-CPU pages of zone", zid);
	return true;
}

static void check_pagevec(struct vm *vm, struct report *r, u32 cpu, u32 active)
{
	const struct pagevec *pv = &vm->pv[cpu][active];
	u32 i;

	if (pv->nr >= PAGEVEC)
		vm_violation(r, "pagevec %u/%u: %u pages", cpu, active, pv->nr);
	for (i = 0; i < pv->nr && i < PAGEVEC; i++) {
		u32 pfn = pv->pfn[i];

		if (pfn >= vm->max_pfn || !(vm->pages[pfn].flags & PG_PAGEVEC) ||
		    vm->pages[pfn].pos != (cpu << 8 | active << 7 | i))
			vm_violation(r, "pagevec %u/%u: page %u is not its own", cpu,
				     active, pfn);
	}
}

bool vm_verify_pagevec(struct vm *vm, struct report *r)
{
	u32 cpu = r->v->cursor++;

	if (cpu >= vm->nr_cpus)
		return false;
	check_pagevec(vm, r, cpu, LRU_INACTIVE);
	check_pagevec(vm, r, cpu, LRU_ACTIVE);
	return true;
}
