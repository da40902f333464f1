/*
 * stat.c - what the files of the mount show: counters, pages, reasons
 *
 * Everything is copied out; nothing here changes the machine.
 */
#include <errno.h>
#include <string.h>

#include "lru_count.h"

static void pcp_stat(const struct zone *z, struct vm_zone_stat *out)
{
	out->pcp_hot_low = z->pcp[PCP_HOT].low;
	out->pcp_hot_high = z->pcp[PCP_HOT].high;
	out->pcp_cold_low = z->pcp[PCP_COLD].low;
	out->pcp_cold_high = z->pcp[PCP_COLD].high;
	out->pcp_batch = z->pcp[PCP_HOT].batch;
}

_Static_assert(ARRAY_SIZE(((struct vm_zone_stat *)0)->numa) == NR_NUMA_ITEMS,
	       "a place for each event");

int vm_zone_stat(struct vm *vm, uint32_t zid, struct vm_zone_stat *out)
{
	struct zone *z;
	u32 i;

	memset(out, 0, sizeof(*out));
	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	out->nid = z->nid;
	out->type = z->type;
	out->start_pfn = z->start;
	out->spanned = z->spanned;
	out->present = z->present;
	out->managed = z->managed;
	out->pages_min = z->pages_min;
	out->pages_low = z->pages_low;
	out->pages_high = z->pages_high;
	out->open = z->open;
	out->all_unreclaimable = z->all_unreclaimable;
	out->populated = z->populated;
	out->pages_scanned = z->pages_scanned;
	for (i = 0; i < NR_ZONE_ITEMS; i++)
		out->item[i] = z->item[i];
	for (i = 0; i < NR_NUMA_ITEMS; i++)
		out->numa[i] = z->numa[i];
	for (i = 0; i < VM_MAX_ORDER; i++)
		out->free_area[i] = vm_area_nr(vm, z, i) + z->iso[i].nr;
	pcp_stat(z, out);
	return 0;
}

/* Pages on the lists of each CPU, both lists together. */
int vm_pcp_counts(struct vm *vm, uint32_t zid, uint32_t *out)
{
	const struct zone *z;
	u32 cpu;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	for (cpu = 0; cpu < vm->nr_cpus; cpu++)
		out[cpu] = z->pcp[cpu * 2 + PCP_HOT].count +
			   z->pcp[cpu * 2 + PCP_COLD].count;
	return 0;
}

/* Slabs of index nodes of a kind, a page each, and the nodes in use in them. */
void vm_slab_stat(struct vm *vm, uint32_t kind, uint32_t *slabs, uint32_t *objects)
{
	u32 i;

	*slabs = *objects = 0;
	for (i = 0; i < vm->nr_slabs; i++) {
		if (!vm->slabs[i].live || vm->slabs[i].kind != kind)
			continue;
		++*slabs;
		*objects += (u32)__builtin_popcount(vm->slabs[i].used);
	}
}

void vm_events(struct vm *vm, uint64_t *out)
{
	memcpy(out, vm->event, sizeof(vm->event));
}

/* ---- one page ---- */

static void mapper(struct vm *vm, const struct page *p, struct vm_page_info *out)
{
	u32 pte = vm_rmap_pte(vm, p, 0);
	const struct ptb *ptb;

	out->mm = out->vpn = VM_NO_ID;
	if (pte == NONE)
		return;
	ptb = &vm->ptbs[pte >> PTB_SHIFT];
	out->mm = vm->vmas[ptb->vma].mm;
	out->vpn = (u32)(vm->vmas[ptb->vma].vpn + ptb->base + (pte & (PTB_SIZE - 1)));
}

int vm_page_info(struct vm *vm, uint32_t pfn, struct vm_page_info *out)
{
	const struct zone *z = pfn < vm->max_pfn ? page_zone(vm, pfn) : NULL;
	const struct page *p = &vm->pages[pfn];
	struct vm_pin_info pin = { VM_NO_ID, 0 };
	bool user;

	memset(out, 0, sizeof(*out));
	out->pin_holder = VM_NO_ID;
	if (!z)
		return -ENXIO;
	user = page_type(p) == VM_T_USER;
	out->pfn = pfn;
	out->zid = z->zid;
	out->type = page_type(p);
	out->flags = p->flags & (0x007ffff0 | PG_CLIENTYOUNG | PG_REVOKING);
	out->order = out->type == VM_T_BUDDY ? page_extra(p) : 0;
	out->kind = out->type == VM_T_KERNEL ? p->rmap : 0;
	out->mapping = out->index = out->swap = out->mm = out->vpn = VM_NO_ID;
	out->stamp = vm->stamps[pfn];
	if (!user)
		return 0;
	out->mapcount = vm_mapcount(vm, p);
	out->extra = page_extra(p);
	/* All pins of a page are one of its extra references. */
	out->pins = vm_pins_of(vm, pfn, &pin);
	out->pin_holder = pin.holder;
	out->count = (u32)page_cached(p) + (u32)((p->flags & PG_PRIVATE) != 0) +
		     out->mapcount + out->extra + (out->pins ? out->pins - 1 : 0);
	if (p->flags & PG_CACHED) {
		out->mapping = vm->rnodes[p->index >> RN_SHIFT].mapping;
		out->index = vm_handle_index(vm, p->index);
	} else if (p->flags & PG_SWAPCACHE) {
		out->swap = p->index;
	}
	mapper(vm, p, out);
	return 0;
}

/* ---- why a page is there ---- */

static enum vm_reason why_user(struct vm *vm, const struct page *p)
{
	u32 pte = vm_rmap_pte(vm, p, 0);

	if (p->flags & PG_LOCKED)
		return WHY_LOCKED;
	if (p->flags & PG_WRITEBACK)
		return WHY_WRITEBACK;
	if (p->flags & PG_ISOLATED)
		return WHY_HELD;
	if (p->flags & PG_PAGEVEC)
		return WHY_PAGEVEC;
	if (page_extra(p))
		return WHY_PINNED;
	if (pte != NONE &&
	    vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma].flags & VM_VMA_LOCKED)
		return WHY_MLOCKED;
	if (p->flags & PG_CACHED && vm_handle_mapping(vm, p->index)->kind == VM_MAP_RAM)
		return WHY_NO_WRITEPAGE;
	if (p->flags & PG_SWAPBACKED && !(p->flags & PG_SWAPCACHE) &&
	    vm->swap.used + 1 >= vm->swap.nr)
		return WHY_NO_SWAP;
	if (p->flags & PG_DIRTY && !(p->flags & PG_SWAPBACKED))
		return p->flags & PG_ERROR ? WHY_IO_ERROR : WHY_DIRTY;
	if (p->flags & PG_REVOKING)
		return WHY_REVOKING;
	if (page_mapped(p) || p->flags & PG_CLIENTMAPPED)
		return WHY_MAPPED;
	if (p->flags & PG_REFERENCED)
		return WHY_REFERENCED;
	return p->flags & PG_ACTIVE ? WHY_ACTIVE : WHY_INACTIVE;
}

static enum vm_reason why_page(struct vm *vm, const struct page *p)
{
	switch (page_type(p)) {
	case VM_T_PCP:
		return WHY_PCP;
	case VM_T_KERNEL:
		return WHY_KERNEL;
	case VM_T_HWPOISON:
		return WHY_HWPOISON;
	case VM_T_USER:
		return why_user(vm, p);
	default:
		return WHY_NONE;
	}
}

/* Pages from pfn *cursor on; VM_DONE when the zone's last one has been seen. */
static int walk_zone(struct vm *vm, u32 zid, u32 *cursor, u32 budget,
		     void (*visit)(struct vm *vm, u32 pfn, void *arg), void *arg)
{
	const struct zone *z;
	u32 pfn;

	if (!zone_ok(vm, zid))
		return -ENODEV;
	z = &vm->zones[zid];
	pfn = vm_zone_next(vm, z, *cursor);
	for (; budget && pfn != NONE; budget--, pfn = vm_zone_next(vm, z, pfn + 1))
		visit(vm, pfn, arg);
	*cursor = pfn;
	return pfn == NONE ? VM_DONE : VM_MORE;
}

static void count_why(struct vm *vm, u32 pfn, void *arg)
{
	u64 *reasons = arg;

	reasons[why_page(vm, &vm->pages[pfn])]++;
}

/*
 * vm_why - count the used pages of a zone by what keeps them
 * @cursor:  0 to begin
 * @budget:  pages in this call
 * @reasons: NR_REASONS counts, added to; WHY_NONE counts free pages
 */
int vm_why(struct vm *vm, uint32_t zid, uint32_t *cursor, uint32_t budget,
	   uint64_t *reasons)
{
	return walk_zone(vm, zid, cursor, budget, count_why, reasons);
}

/* ---- inuse, active ---- */

struct inuse {
	u64 *kinds;
	u32 *pfns, *nr;
	u32 active_only;
};

/* 0 page cache, 1 tmpfs, 2 anonymous, 3 swap cache, 4.. kernel by kind. */
u32 vm_page_kind(const struct page *p)
{
	if (page_type(p) == VM_T_KERNEL)
		return 4 + p->rmap;
	if (page_type(p) != VM_T_USER)
		return 4 + VM_NR_KERNEL_KINDS + (page_type(p) == VM_T_HWPOISON);
	if (p->flags & PG_SWAPCACHE)
		return 3;
	if (p->flags & PG_ANON)
		return 2;
	return p->flags & PG_SWAPBACKED ? 1 : 0;
}

static void count_inuse(struct vm *vm, u32 pfn, void *arg)
{
	const struct page *p = &vm->pages[pfn];
	struct inuse *in = arg;
	u32 type = page_type(p);

	if (type != VM_T_USER && type != VM_T_KERNEL)
		return;
	if (in->active_only &&
	    (!(p->flags & PG_ACTIVE && p->flags & PG_LRU) || unevictable(vm, p->flags)))
		return;
	in->kinds[vm_page_kind(p)]++;
	if (*in->nr < 10)
		in->pfns[(*in->nr)++] = pfn;
}

/* As the prototype's `inuse` and `active`: counts by kind, the first 10 pfns. */
int vm_inuse(struct vm *vm, uint32_t zid, uint32_t active_only, uint32_t *cursor,
	     uint32_t budget, uint64_t *kinds, uint32_t *pfns, uint32_t *nr_pfns)
{
	struct inuse in = { kinds, pfns, nr_pfns, active_only };

	return walk_zone(vm, zid, cursor, budget, count_inuse, &in);
}

/* ---- the state as a number ---- */

static u64 fold(u64 h, u64 value)
{
	return vm_mix(h ^ value) + 0x9e3779b97f4a7c15ull;
}

static u64 hash_list(struct vm *vm, u64 h, const struct lru *lru)
{
	u32 s, i;

	for (s = lru->tail; s != NONE; s = vm->segs[s].next)
		for (i = vm->segs[s].lo; i < vm->segs[s].hi; i++)
			if (vm->segs[s].slot[i] != NONE)
				h = fold(h, vm->segs[s].slot[i]);
	return h;
}

static u64 hash_areas(struct vm *vm, u64 h, const struct zone *z)
{
	u32 order, pfn, i;

	for (order = 0; order < VM_MAX_ORDER; order++)
		for (pfn = z->area[order].head; pfn != NONE; pfn = vm->pages[pfn].pos)
			h = fold(h, (u64)order << 32 | pfn);
	for (order = 0; order < VM_MAX_ORDER; order++)
		for (pfn = z->iso[order].head; pfn != NONE; pfn = vm->pages[pfn].pos)
			h = fold(h, (u64)(order + VM_MAX_ORDER) << 32 | pfn);
	pfn = z->start;
	while ((order = vm_freemap_next(vm, z, &pfn)) != NONE) {
		h = fold(h, (u64)order << 32 | pfn);
		pfn += 1u << order;
	}
	for (i = 0; i < z->nr_untouched; i++)
		h = fold(h, (u64)z->untouched[i].pfn << 32 | z->untouched[i].nr);
	return h;
}

static u64 hash_pages(struct vm *vm, u64 h, const struct zone *z)
{
	u32 pfn;

	for (pfn = vm_zone_next(vm, z, z->start); pfn != NONE;
	     pfn = vm_zone_next(vm, z, pfn + 1)) {
		const struct page *p = &vm->pages[pfn];

		if (page_type(p) == VM_T_FREE || page_type(p) == VM_T_BUDDY)
			continue;
		h = fold(h, (u64)pfn << 32 | p->flags);
		h = fold(h, (u64)p->rmap << 32 | p->index);
		h = fold(h, vm->stamps[pfn]);
	}
	return h;
}

static u64 hash_zone(struct vm *vm, u64 h, const struct zone *z)
{
	u32 i;

	for (i = 0; i < NR_ZONE_ITEMS; i++)
		h = fold(h, z->item[i]);
	h = fold(h, z->pages_scanned << 1 | z->all_unreclaimable);
	h = hash_list(vm, h, &z->lru[LRU_INACTIVE]);
	h = hash_list(vm, h, &z->lru[LRU_ACTIVE]);
	h = hash_areas(vm, h, z);
	return hash_pages(vm, h, z);
}

/*
 * vm_state_hash - equal for equal machines: pages, lists in their order,
 * page tables, swap, counters, clock; not where a list's segments lie.
 */
uint64_t vm_state_hash(struct vm *vm)
{
	u64 h = vm->now;
	u32 i;

	for (i = 0; i < vm->nr_zones; i++)
		if (vm->zones[i].populated)
			h = hash_zone(vm, fold(h, i), &vm->zones[i]);
	for (i = 0; i < vm->nr_ptbs << PTB_SHIFT; i++)
		if (vm->ptes[i])
			h = fold(h, (u64)i << 32 | vm->ptes[i]);
	for (i = 0; i < NR_EVENTS; i++)
		h = fold(h, vm->event[i]);
	for (i = 0; i < vm->swap.nr; i++)
		if (vm->swap.map[i] || vm->swap.cache[i])
			h = fold(h, (u64)i << 32 | vm->swap.map[i]);
	return h;
}

/* The same whatever the order: which pages are on a list, or free. */
static u64 hash_class(struct vm *vm, const struct zone *z)
{
	u64 sum = 0;
	u32 pfn, i;

	for (pfn = z->start; pfn < z->start + z->present; pfn++) {
		const struct page *p = &vm->pages[pfn];
		u64 h;

		if (page_type(p) < VM_T_USER || page_type(p) == VM_T_RESERVED)
			continue;
		h = fold((u64)pfn << 32 | p->flags, (u64)p->rmap << 32 | p->index);
		sum += fold(h, vm->stamps[pfn]);
	}
	for (i = NR_PAGEVEC; i < NR_ZONE_ITEMS; i++)
		sum = fold(sum, z->item[i]);
	return fold(sum, z->item[NR_FREE] + z->item[NR_PCP]);
}

/*
 * vm_class_hash - as vm_state_hash(), without what a try that failed may change:
 * the order of lists, which free pages are on per-CPU lists, events, the clock.
 */
uint64_t vm_class_hash(struct vm *vm)
{
	u64 h = 0;
	u32 i;

	for (i = 0; i < vm->nr_zones; i++)
		if (vm->zones[i].populated)
			h = fold(fold(h, i), hash_class(vm, &vm->zones[i]));
	for (i = 0; i < vm->nr_ptbs << PTB_SHIFT; i++)
		if (vm->ptes[i])
			h = fold(h, (u64)i << 32 | vm->ptes[i]);
	for (i = 0; i < vm->swap.nr; i++)
		if (vm->swap.map[i] || vm->swap.cache[i])
			h = fold(h, (u64)vm->swap.map[i] << 32 | vm->swap.cache[i]);
	for (i = 0; i < vm->nr_slabs * RN_PER_SLAB; i++)
		if (vm->rnodes[i].dirty | vm->rnodes[i].wb)
			h = fold(fold(h, vm->rnodes[i].dirty), vm->rnodes[i].wb);
	return h;
}
