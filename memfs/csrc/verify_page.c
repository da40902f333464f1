/*
 * verify_page.c - every page of every zone, and recounts of the zone's counters
 *
 * Invariants 1, 2, 3, 5, 6 and 10 as seen from the page: it has one type and
 * one place, what it names names it, and what it holds is what was last put
 * there.
 */
#include <string.h>

#include "verify.h"

/* ---- kernel pages ---- */

static bool owner_ok(struct vm *vm, u32 pfn, u32 kind, u32 owner)
{
	if (kind == VM_K_PAGETABLE)
		return owner < vm->nr_ptbs && vm->ptbs[owner].vma != NONE &&
		       vm->ptbs[owner].pfn == pfn;
	return owner < vm->nr_slabs && vm->slabs[owner].live &&
	       vm->slabs[owner].pfn == pfn;
}

static void check_kernel(struct vm *vm, struct report *r, u32 pfn)
{
	static const u32 items[VM_NR_KERNEL_KINDS] = {
		NR_KERNEL_OTHER,
		NR_RADIX,
		NR_SHMEMDIR,
		NR_PAGETABLE,
	};
	const struct page *p = &vm->pages[pfn];

	if (p->flags != VM_T_KERNEL || p->rmap >= VM_NR_KERNEL_KINDS) {
		vm_violation(r, "page %u: kernel, but flags %#x, kind %u", pfn,
			     p->flags, p->rmap);
		return;
	}
	r->s->tally.item[items[p->rmap]]++;
	if (p->rmap == VM_K_OTHER)
		return;
	if (p->rmap == VM_K_PAGETABLE)
		r->s->total.kernel_tables++;
	else
		r->s->total.kernel_slabs++;
	if (!owner_ok(vm, pfn, p->rmap, p->index))
		vm_violation(r, "page %u: kernel, but not of owner %u", pfn, p->index);
}

/* ---- pages of users ---- */

static bool on_pagevec(struct vm *vm, u32 pfn, u32 pos)
{
	u32 cpu = pos >> 8, active = pos >> 7 & 1, i = pos & 127;

	return cpu < vm->nr_cpus && i < vm->pv[cpu][active].nr && i < PAGEVEC &&
	       vm->pv[cpu][active].pfn[i] == pfn;
}

static bool on_ring(struct vm *vm, u32 pfn, u32 pos)
{
	return pos >> SEG_SHIFT < vm->nr_segs &&
	       vm->segs[pos >> SEG_SHIFT].slot[pos & (SEG_SIZE - 1)] == pfn;
}

/* On a list, in a pagevec or held: one of the three, the last two by a reference. */
static void check_place(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u32 lru = (p->flags & PG_LRU) != 0;
	u32 pv = (p->flags & PG_PAGEVEC) != 0;
	u32 held = (p->flags & PG_ISOLATED) != 0;
	u32 pins = page_extra(p) > pv + held && vm_pins_of(vm, pfn, NULL);

	if (lru + pv + held != 1)
		vm_violation(r, "page %u: on a list %u, in a pagevec %u, held %u", pfn,
			     lru, pv, held);
	if (pv && !on_pagevec(vm, pfn, p->pos))
		vm_violation(r, "page %u: not in its pagevec", pfn);
	if (lru && !on_ring(vm, pfn, p->pos))
		vm_violation(r, "page %u: not at its place of a ring", pfn);
	if (page_extra(p) != pv + held + pins)
		vm_violation(r, "page %u: %u references, holders have %u", pfn,
			     page_extra(p), pv + held + pins);
	if (!page_cached(p) && !page_mapped(p) && !page_extra(p))
		vm_violation(r, "page %u: in use, but nobody refers to it", pfn);
}

static bool in_tree(struct vm *vm, u32 pfn, u32 handle)
{
	return vm_handle_ok(vm, handle) && *vm_slot(vm, handle) == pfn + 1;
}

static void check_index(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u32 cached = (p->flags & PG_CACHED) != 0;
	u32 swapped = (p->flags & PG_SWAPCACHE) != 0;

	if (cached && swapped)
		vm_violation(r, "page %u: in a tree and in the swap cache", pfn);
	else if (cached && !in_tree(vm, pfn, p->index))
		vm_violation(r, "page %u: not at its place of a tree", pfn);
	else if (((p->flags & PG_FALLBACK) != 0) !=
		 (cached && vm_handle_mapping(vm, p->index)->fallback))
		vm_violation(r, "page %u: moves another way than its file", pfn);
	else if (swapped &&
		 (p->index >= vm->swap.nr || vm->swap.cache[p->index] != pfn + 1))
		vm_violation(r, "page %u: slot %u does not name it", pfn, p->index);
	else if (!cached && !swapped && p->index)
		vm_violation(r, "page %u: cached nowhere, but index %u", pfn, p->index);
}

static void check_flags(struct report *r, u32 pfn, u32 flags)
{
	const bool cached = flags & (PG_CACHED | PG_SWAPCACHE);

	if (flags & PG_ANON && !(flags & PG_SWAPBACKED))
		vm_violation(r, "page %u: anonymous, but not backed by swap", pfn);
	if (flags & PG_ANON && flags & PG_CACHED)
		vm_violation(r, "page %u: anonymous, but in a tree", pfn);
	if (flags & (PG_WRITEBACK | PG_LOCKED) && !cached)
		vm_violation(r, "page %u: in transfer, but cached nowhere", pfn);
	if (flags & PG_SWAPBACKED && flags & PG_PRIVATE)
		vm_violation(r, "page %u: buffers on a page backed by swap", pfn);
	if (flags & PG_WRITEBACK && flags & PG_LOCKED)
		vm_violation(r, "page %u: read and written at once", pfn);
	if (flags & PG_CLIENTMAPPED && !(flags & PG_CACHED))
		vm_violation(r, "page %u: client-mapped, but in no tree", pfn);
	if (flags & (PG_CLIENTYOUNG | PG_REVOKING) && !(flags & PG_CLIENTMAPPED))
		vm_violation(r, "page %u: revoked, but not client-mapped", pfn);
}

static bool area_locked(const struct vm *vm, u32 pte)
{
	const u32 vma = vm->ptbs[pte >> PTB_SHIFT].vma;

	return vma < vm->nr_vmas && vm->vmas[vma].flags & VM_VMA_LOCKED;
}

/* Return: whether the area is locked in memory. */
static bool check_pte(struct vm *vm, struct report *r, u32 pfn, u32 pte)
{
	r->s->total.ptes++;
	if (pte >> PTB_SHIFT < vm->nr_ptbs && vm->ptes[pte] & PTE_PRESENT &&
	    (vm->ptes[pte] & PTE_PFN) == pfn)
		return area_locked(vm, pte);
	vm_violation(r, "page %u: PTE %u does not map it", pfn, pte);
	return false;
}

/* Return: whether some area of them is locked in memory. */
static bool check_chain(struct vm *vm, struct report *r, u32 pfn, u32 head)
{
	bool locked = false;
	u32 left, c, i;

	if (head >= vm->nr_chains || vm->chains[head].nr < 2) {
		vm_violation(r, "page %u: bad chain %u", pfn, head);
		return false;
	}
	left = vm->chains[head].nr;
	for (c = head; left && c < vm->nr_chains; c = vm->chains[c].next) {
		u32 used = (left - 1) % CHAIN_PTES + 1;

		for (i = 0; i < used; i++)
			locked |= check_pte(vm, r, pfn, vm->chains[c].pte[i]);
		r->s->total.chains++;
		left -= used;
	}
	if (left || c != NONE)
		vm_violation(r, "page %u: chain %u is %u PTEs short", pfn, head, left);
	return locked;
}

static void check_rmap(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	bool locked = false;

	switch (p->flags & RMAP_MASK) {
	case RMAP_NONE:
		if (p->rmap)
			vm_violation(r, "page %u: not mapped, but by %u", pfn, p->rmap);
		break;
	case RMAP_SINGLE:
		locked = check_pte(vm, r, pfn, p->rmap);
		break;
	case RMAP_CHAIN:
		locked = check_chain(vm, r, pfn, p->rmap);
		break;
	default:
		vm_violation(r, "page %u: flags %#x", pfn, p->flags);
	}
	if (locked != ((p->flags & PG_MLOCKED) != 0))
		vm_violation(r,
			     "page %u: locked in memory by its areas %u, by itself %u",
			     pfn, locked, !locked);
}

/* Where a page of a list is counted if it is locked in memory. */
static u32 mlocked_on(u32 flags)
{
	switch (flags & (PG_ACTIVE | PG_SWAPBACKED)) {
	case 0:
		return NR_INACTIVE_FILE_MLOCKED;
	case PG_ACTIVE:
		return NR_ACTIVE_FILE_MLOCKED;
	case PG_SWAPBACKED:
		return NR_INACTIVE_ANON_MLOCKED;
	default:
		return NR_ACTIVE_ANON_MLOCKED;
	}
}

static void count_place(struct tally *t, u32 flags)
{
	u32 backed = (flags & PG_SWAPBACKED) != 0;

	t->item[NR_PAGEVEC] += (flags & PG_PAGEVEC) != 0;
	t->item[NR_ISOLATED] += (flags & PG_ISOLATED) != 0;
	t->item[NR_ISOLATED_ANON] += backed && flags & PG_ISOLATED;
	if (!(flags & PG_LRU))
		return;
	t->item[flags & PG_ACTIVE ? NR_ACTIVE : NR_INACTIVE]++;
	t->item[flags & PG_ACTIVE ? NR_ACTIVE_ANON : NR_INACTIVE_ANON] += backed;
	t->item[mlocked_on(flags)] += (flags & PG_MLOCKED) != 0;
}

static void count_flags(struct tally *t, u32 flags)
{
	u32 mapped = (flags & RMAP_MASK) != RMAP_NONE;
	u32 anon = (flags & PG_ANON) != 0;
	u32 cached = (flags & PG_CACHED) != 0;
	u32 backed = (flags & PG_SWAPBACKED) != 0;

	t->item[NR_MLOCKED] += (flags & PG_MLOCKED) != 0;
	t->item[NR_FILE] += cached;
	t->item[NR_SHMEM] += cached && backed;
	t->item[NR_ANON] += anon;
	t->item[NR_SWAPCACHE] += (flags & PG_SWAPCACHE) != 0;
	t->item[NR_MAPPED] += mapped && !anon;
	t->item[NR_ANON_MAPPED] += mapped && anon;
	t->item[NR_DIRTY] += cached && !backed && flags & PG_DIRTY;
	t->item[NR_WRITEBACK] += (flags & PG_WRITEBACK) != 0;
	t->item[NR_BUFFERS] += (flags & PG_PRIVATE) != 0;
	t->item[NR_LOCKED] += (flags & PG_LOCKED) != 0;
	t->item[NR_CLIENT] += (flags & PG_CLIENTMAPPED) != 0;
}

static void check_user(struct vm *vm, struct report *r, u32 pfn)
{
	const u32 flags = vm->pages[pfn].flags;
	struct totals *t = &r->s->total;

	check_place(vm, r, pfn);
	check_index(vm, r, pfn);
	check_flags(r, pfn, flags);
	check_rmap(vm, r, pfn);
	count_place(&r->s->tally, flags);
	count_flags(&r->s->tally, flags);
	t->writeback += (flags & PG_WRITEBACK) != 0;
	t->reading += (flags & PG_LOCKED) != 0;
	t->swapcache += (flags & PG_SWAPCACHE) != 0;
	t->revoking += (flags & PG_REVOKING) != 0;
	t->in_tree += (flags & PG_CACHED) != 0;
}

/* ---- huge pages ---- */

static void check_huge(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u32 head = page_type(p) == VM_T_HUGE ? pfn : p->rmap;
	const struct page *h = &vm->pages[head];

	if (head >= vm->max_pfn || page_type(h) != VM_T_HUGE ||
	    pfn - head >= 1u << page_extra(h) || head & ((1u << page_extra(h)) - 1) ||
	    h->index >= vm->nr_huges)
		vm_violation(r, "page %u: huge, but its head is %u", pfn, head);
}

/* ---- pages that are kept out of use ---- */

static void check_poisoned(struct vm *vm, struct report *r, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (p->flags != VM_T_HWPOISON || p->pos || p->rmap || p->index)
		vm_violation(r, "page %u: poisoned, but flags %#x, fields %u %u %u",
			     pfn, p->flags, p->pos, p->rmap, p->index);
	vm_check_poison(vm, r, pfn);
}

/* ---- the scan ---- */

static void check_page(struct vm *vm, struct report *r, const struct zone *z, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	u32 type = page_type(p);

	if (bit_test(vm->free_map, pfn))
		vm_check_mapped(vm, r, z, pfn);
	if (pfn < r->s->tally.free_until && type != VM_T_FREE && type != VM_T_BUDDY)
		vm_violation(r, "page %u: type %u inside a free block", pfn, type);
	switch (type) {
	case VM_T_BUDDY:
	case VM_T_FREE:
		vm_check_free(vm, r, z, pfn);
		break;
	case VM_T_PCP:
		r->s->tally.item[NR_PCP]++;
		vm_check_poison(vm, r, pfn);
		break;
	case VM_T_USER:
		check_user(vm, r, pfn);
		break;
	case VM_T_KERNEL:
		check_kernel(vm, r, pfn);
		break;
	case VM_T_HUGE:
	case VM_T_TAIL:
		r->s->tally.item[NR_HUGE]++;
		check_huge(vm, r, pfn);
		break;
	case VM_T_HWPOISON:
		r->s->tally.item[NR_HWPOISON]++;
		check_poisoned(vm, r, pfn);
		break;
	case VM_T_RESERVED:
		r->s->tally.item[NR_RESERVED]++;
		break;
	default:
		vm_violation(r, "page %u: type %u", pfn, type);
	}
	if ((type == VM_T_RESERVED) == vm_manages(vm, z, pfn))
		vm_violation(r, "page %u: type %u, reserved from %u", pfn, type,
			     z->reserved.first);
}

/* A zone whose pages can be walked. */
static bool in_bounds(const struct vm *vm, const struct zone *z)
{
	return z->populated && z->start < vm->max_pfn && z->end <= vm->max_pfn &&
	       z->start <= z->end && !(z->start & ((1u << (VM_MAX_ORDER - 1)) - 1));
}

/* The next zone; its number is that of the last one until it has been looked at. */
static bool zone_begin(struct vm *vm, struct report *r)
{
	u32 zid = r->s->tally.pages ? r->s->tally.zid + 1 : 0;

	while (zid < vm->nr_zones && !in_bounds(vm, &vm->zones[zid]))
		zid++;
	if (zid == vm->nr_zones)
		return false;
	r->s->tally = (struct tally){ .running = 1, .zid = zid };
	vm_freemap_settle(vm, &vm->zones[zid]);
	r->v->cursor = vm->zones[zid].start;
	return true;
}

static void zone_end(struct report *r, const struct zone *z)
{
	struct tally *t = &r->s->tally;
	u32 i;

	for (i = 0; i < NR_ZONE_ITEMS; i++)
		if (t->item[i] != z->item[i])
			vm_violation(r, "zone %u item %u: counter %u, found %u", z->zid,
				     i, z->item[i], t->item[i]);
	for (i = 0; i < VM_MAX_ORDER; i++)
		if (t->blocks[i] != z->area[i].nr || t->iso[i] != z->iso[i].nr)
			vm_violation(r, "zone %u order %u: counter %u, found %u blocks",
				     z->zid, i, z->area[i].nr + z->iso[i].nr,
				     t->blocks[i] + t->iso[i]);
	vm_same(r, t->pages, z->present, "pages of zone", z->zid);
	t->running = 0;
	t->pages = 1;
}

/* A few pages; of free ones that lie side by side, FREE_RUN count as one. */
bool vm_verify_page(struct vm *vm, struct report *r)
{
	const struct zone *z;
	u32 pfn, nr, left;

	if (!r->s->tally.running && !zone_begin(vm, r))
		return false;
	z = &vm->zones[r->s->tally.zid];
	for (left = VERIFY_RUN; left; left -= (nr + FREE_RUN - 1) / FREE_RUN) {
		pfn = vm_zone_next(vm, z, r->v->cursor);
		if (pfn == NONE) {
			zone_end(r, z);
			break;
		}
		nr = vm_check_free_run(vm, r, z, pfn, left * FREE_RUN);
		if (!nr) {
			check_page(vm, r, z, pfn);
			nr = 1;
		}
		r->s->tally.pages += nr;
		r->v->cursor = pfn + nr;
	}
	return true;
}
