/*
 * verify_task.c - page tables, areas, address spaces, chains
 *
 * Invariants 6 and 10: a PTE and its page name each other, resident and swap
 * counts of a task are those of its PTEs, no PTE on a shared private page can
 * be written through, an unshared anonymous page holds its task's stamp.
 */
#include "verify.h"

/* ---- page tables ---- */

struct entry {
	const struct vma *vma;
	u32 handle, value, idx; /* idx: page of the area */
};

static void check_swap_entry(struct vm *vm, struct report *r, const struct entry *e)
{
	u32 slot = e->value & PTE_PFN;

	r->s->total.swap_ptes++;
	if (slot >= vm->swap.nr || !vm->swap.map[slot])
		vm_violation(r, "PTE %u: swap slot %u is free", e->handle, slot);
}

static bool maps_right_page(struct vm *vm, const struct entry *e, const struct page *p)
{
	if (p->flags & PG_ANON)
		return !(e->vma->flags & VM_VMA_SHARED);
	return p->flags & PG_CACHED && vm_handle_ok(vm, p->index) &&
	       vm->rnodes[p->index >> RN_SHIFT].mapping == e->vma->mapping &&
	       vm_handle_index(vm, p->index) == e->vma->pgoff + e->idx;
}

static void check_private(struct vm *vm, struct report *r, const struct entry *e,
			  u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	bool sole = p->flags & PG_ANON && vm_mapcount(vm, p) == 1;

	if (e->value & PTE_WRITE && !(e->vma->flags & VM_VMA_SHARED) && !sole)
		vm_violation(r, "PTE %u: may write to page %u, which is shared",
			     e->handle, pfn);
	if (e->value & PTE_WRITE && !(e->vma->flags & VM_VMA_WRITE))
		vm_violation(r, "PTE %u: may write in a read-only area", e->handle);
	if (sole && vm->stamps[pfn] != vm_stamp_of(vm->mms[e->vma->mm].stamp,
						   e->vma->vpn + e->idx))
		vm_violation(r, "page %u: stamp %#x is not that of its task", pfn,
			     vm->stamps[pfn]);
}

static void check_present(struct vm *vm, struct report *r, const struct entry *e)
{
	u32 pfn = e->value & PTE_PFN;
	const struct page *p = &vm->pages[pfn];

	r->s->total.present++;
	if (pfn >= vm->max_pfn || page_type(p) != VM_T_USER || !page_mapped(p) ||
	    ((p->flags & RMAP_MASK) == RMAP_SINGLE && p->rmap != e->handle)) {
		vm_violation(r, "PTE %u: page %u does not name it", e->handle, pfn);
		return;
	}
	if (!maps_right_page(vm, e, p))
		vm_violation(r, "PTE %u: page %u is another one's", e->handle, pfn);
	check_private(vm, r, e, pfn);
}

static void check_entry(struct vm *vm, struct report *r, const struct entry *e)
{
	if (e->idx >= e->vma->nr)
		vm_violation(r, "PTE %u: behind the end of its area", e->handle);
	else if (e->value & PTE_PRESENT)
		check_present(vm, r, e);
	else if ((e->value & PTE_TYPE) == PTE_SWAP)
		check_swap_entry(vm, r, e);
	else if (e->value != PTE_ZERO)
		vm_violation(r, "PTE %u: value %#x", e->handle, e->value);
}

static bool table_ok(struct vm *vm, u32 t)
{
	const struct ptb *ptb = &vm->ptbs[t];
	const struct vma *v = &vm->vmas[ptb->vma];

	return ptb->vma < vm->nr_vmas && v->used && v->mm < vm->nr_mms &&
	       !(ptb->base & (PTB_SIZE - 1)) && ptb->base >> PTB_SHIFT < v->nr_ptb &&
	       v->ptb[ptb->base >> PTB_SHIFT] == t && ptb->pfn < vm->max_pfn &&
	       page_type(&vm->pages[ptb->pfn]) == VM_T_KERNEL &&
	       vm->pages[ptb->pfn].rmap == VM_K_PAGETABLE &&
	       vm->pages[ptb->pfn].index == t;
}

static void check_table(struct vm *vm, struct report *r, u32 t)
{
	const struct ptb *ptb = &vm->ptbs[t];
	u32 i, live = 0;

	for (i = 0; i < PTB_SIZE; i++) {
		u32 handle = t << PTB_SHIFT | i;
		struct entry e = { &vm->vmas[ptb->vma], handle, vm->ptes[handle],
				   ptb->base + i };

		if (e.value == PTE_NONE)
			continue;
		live++;
		check_entry(vm, r, &e);
	}
	vm_same(r, live, ptb->live, "entries of page table", t);
}

bool vm_verify_ptb(struct vm *vm, struct report *r)
{
	u32 t = r->v->cursor++;

	if (t >= vm->nr_ptbs)
		return false;
	if (vm->ptbs[t].vma == NONE)
		return true;
	r->s->total.tables++;
	if (table_ok(vm, t))
		check_table(vm, r, t);
	else
		vm_violation(r, "page table %u: of area %u, page %u", t,
			     vm->ptbs[t].vma, vm->ptbs[t].pfn);
	return true;
}

/* ---- areas ---- */

bool vm_verify_vma(struct vm *vm, struct report *r)
{
	u32 id = r->v->cursor++;
	const struct vma *v = &vm->vmas[id];
	u32 i;

	if (id >= vm->nr_vmas)
		return false;
	if (!v->used)
		return true;
	if (v->mm >= vm->nr_mms || !vm->mms[v->mm].used)
		vm_violation(r, "area %u: of address space %u", id, v->mm);
	for (i = 0; i < v->nr_ptb; i++)
		if (v->ptb[i] != NONE &&
		    (v->ptb[i] >= vm->nr_ptbs || vm->ptbs[v->ptb[i]].vma != id))
			vm_violation(r, "area %u: page table %u is not its own", id,
				     v->ptb[i]);
	r->s->total.vmas += v->mapping != VM_NO_ID;
	return true;
}

/* ---- address spaces ---- */

static void count_table(struct vm *vm, struct headcount *h, u32 t)
{
	u32 i;

	h->tables++;
	for (i = 0; i < PTB_SIZE; i++) {
		u32 value = vm->ptes[t << PTB_SHIFT | i];

		if (value & PTE_PRESENT) {
			h->rss++;
			h->anon += (vm->pages[value & PTE_PFN].flags & PG_ANON) != 0;
		} else {
			h->swap += (value & PTE_TYPE) == PTE_SWAP;
		}
	}
}

static void compare_headcount(struct report *r, const struct mm *mm, u32 id)
{
	const struct headcount *h = &r->s->headcount;

	vm_same(r, h->rss, mm->rss, "resident pages of task", id);
	vm_same(r, h->anon, mm->anon_rss, "anonymous pages of task", id);
	vm_same(r, h->swap, mm->swap, "swapped pages of task", id);
	vm_same(r, h->tables, mm->page_tables, "page tables of task", id);
	vm_same(r, h->vmas, mm->nr_vmas, "areas of task", id);
	if (h->total != mm->total_vm)
		vm_violation(r, "task %u: size is not the sum of its areas", id);
}

/* One page table of one area; false: the area has no more. */
static bool next_table(struct vm *vm, struct headcount *h)
{
	const struct vma *v = &vm->vmas[h->vma];

	while (h->table < v->nr_ptb && v->ptb[h->table] == NONE)
		h->table++;
	if (h->table == v->nr_ptb)
		return false;
	count_table(vm, h, v->ptb[h->table++]);
	return true;
}

static bool next_area(struct vm *vm, struct report *r, u32 mm)
{
	struct headcount *h = &r->s->headcount;
	u32 id = h->begun ? vm->vmas[h->vma].next : vm->mms[mm].vmas;

	h->begun = 1;
	if (id == NONE)
		return false;
	if (id >= vm->nr_vmas || vm->vmas[id].mm != mm || h->vmas > vm->nr_vmas) {
		vm_violation(r, "task %u: bad area %u", mm, id);
		return false;
	}
	h->vma = id;
	h->table = 0;
	h->vmas++;
	h->total += vm->vmas[id].nr;
	return true;
}

/* One table or one area of one task; only where the tables were found sound. */
bool vm_verify_mm(struct vm *vm, struct report *r)
{
	u32 id = r->v->cursor;
	struct headcount *h = &r->s->headcount;

	if (id >= vm->nr_mms || r->v->violations)
		return false;
	if (vm->mms[id].used) {
		if (h->begun && next_table(vm, h))
			return true;
		if (next_area(vm, r, id))
			return true;
		compare_headcount(r, &vm->mms[id], id);
	}
	*h = (struct headcount){ 0 };
	r->v->cursor++;
	return true;
}

/* ---- chains ---- */

/* One link of the list of free blocks. */
bool vm_verify_chains(struct vm *vm, struct report *r)
{
	struct walk *w = &r->s->walk;

	if (!w->running)
		*w = (struct walk){ .running = 1, .at = vm->free_chain };
	if (w->at == NONE) {
		vm_same(r, r->s->total.chains, vm->used_chains, "chain blocks", 0);
		vm_same(r, r->s->total.chains + w->seen, vm->nr_chains,
			"chain blocks with free ones", 0);
		return false;
	}
	if (w->at >= vm->nr_chains || w->seen == vm->nr_chains) {
		vm_violation(r, "free chain blocks: bad link %u", w->at);
		return false;
	}
	w->seen++;
	w->at = vm->chains[w->at].next;
	return true;
}
