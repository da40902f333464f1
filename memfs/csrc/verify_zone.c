/*
 * verify_zone.c - zones, zonelists, buddy lists, per-CPU lists, pagevecs
 *
 * Invariants 1 to 4 and 9 as far as one can see them without a look at every
 * page; verify_page.c recounts the pages themselves.
 */
#include "verify.h"

static void check_range(struct vm *vm, struct report *r, const struct zone *z)
{
	if (z->start >= vm->max_pfn || z->spanned > vm->max_pfn - z->start)
		vm_violation(r, "zone %u: ends behind the machine", z->zid);
	if (z->start & ((1u << (VM_MAX_ORDER - 1)) - 1))
		vm_violation(r, "zone %u: start %u is not aligned", z->zid, z->start);
	if (z->present > z->spanned || z->managed > z->present)
		vm_violation(r, "zone %u: spanned %u, present %u, managed %u", z->zid,
			     z->spanned, z->present, z->managed);
	if (z->virgin > z->managed >> (VM_MAX_ORDER - 1))
		vm_violation(r, "zone %u: %u untouched blocks", z->zid, z->virgin);
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
		NR_FREE,     NR_PCP,	   NR_PAGEVEC,	    NR_ACTIVE,
		NR_INACTIVE, NR_ISOLATED,  NR_KERNEL_OTHER, NR_RADIX,
		NR_SHMEMDIR, NR_PAGETABLE, NR_RESERVED,
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

/* The table that finds a page's zone knows exactly the sections that lie in one. */
bool vm_verify_section(struct vm *vm, struct report *r)
{
	u32 s = r->v->cursor++;
	u32 first = s << 11, last = first + 2047;
	const struct zone *z;

	if (first >= vm->max_pfn)
		return false;
	z = vm_zone_slow(vm, first);
	if (z && (last - z->start >= z->present || last < z->start))
		z = NULL;
	vm_same(r, z ? z->zid : 0xffff, vm->sect_zid[s], "zone of section", s);
	return true;
}

static bool block_ok(struct vm *vm, const struct zone *z, u32 pfn, u32 order, u32 prev)
{
	const struct page *p = &vm->pages[pfn];

	return vm_manages(vm, z, pfn) &&
	       (pfn - z->start) >> (VM_MAX_ORDER - 1) >= z->virgin &&
	       page_type(p) == VM_T_BUDDY && page_extra(p) == order && p->rmap == prev;
}

/* One link of one free list. */
bool vm_verify_buddy(struct vm *vm, struct report *r)
{
	struct walk *w = &r->s->walk;
	u32 zid = r->v->cursor / VM_MAX_ORDER, order = r->v->cursor % VM_MAX_ORDER;
	const struct zone *z = &vm->zones[zid];
	const struct free_area *area = &z->area[order];

	if (zid >= vm->nr_zones)
		return false;
	if (!w->running)
		*w = (struct walk){ .running = 1,
				    .prev = NONE,
				    .at = z->populated ? area->head : NONE };
	if (w->at == NONE) {
		if (z->populated && w->seen != area->nr)
			vm_violation(r, "zone %u order %u: counter %u, found %u blocks",
				     zid, order, area->nr, w->seen);
	} else if (w->at >= vm->max_pfn || w->seen == area->nr ||
		   !block_ok(vm, z, w->at, order, w->prev)) {
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

	return pfn >= z->start && pfn - z->start < z->managed && p->flags == VM_T_PCP &&
	       p->pos == pos && !p->rmap && !p->index;
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
