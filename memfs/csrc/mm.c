/*
 * mm.c - modelled tasks: address spaces, their areas and page tables
 *
 * What a touch does is in fault.c.
 *
 * Departure: a task has 2^47 bytes of addresses and its areas do not share
 * page tables, so that a page table knows its area.
 * Models: mm/memory.c copy_page_range(), zap_pte_range(), 2.6.0.
 */
#include <errno.h>
#include <stdlib.h>

#include "vm_int.h"

static bool mm_ok(struct vm *vm, u32 mm)
{
	return mm < vm->nr_mms && vm->mms[mm].used;
}

/*
 * vm_mm_create - an empty address space
 * @stamp: makes the contents of its pages its own; not 0
 *
 * Return: its number, or VM_NO_ID.
 */
uint32_t vm_mm_create(struct vm *vm, uint32_t stamp)
{
	u32 id = 0;

	while (id < vm->nr_mms && vm->mms[id].used)
		id++;
	if (id == vm->max_mms)
		return VM_NO_ID;
	if (id == vm->nr_mms)
		vm->nr_mms++;
	vm->mms[id] = (struct mm){ .used = 1, .stamp = stamp, .vmas = NONE };
	return id;
}

int vm_mm_stat(struct vm *vm, uint32_t mm, struct vm_mm_stat *out)
{
	const struct mm *m;

	if (!mm_ok(vm, mm))
		return -EINVAL;
	m = &vm->mms[mm];
	*out = (struct vm_mm_stat){
		.rss = m->rss,
		.anon_rss = m->anon_rss,
		.swap = m->swap,
		.page_tables = m->page_tables,
		.nr_vmas = m->nr_vmas,
		.total_vm = m->total_vm,
		.minflt = m->minflt,
		.majflt = m->majflt,
	};
	return 0;
}

/* ---- areas ---- */

static u32 vma_slot(struct vm *vm)
{
	u32 id = 0;

	while (id < vm->nr_vmas && vm->vmas[id].used)
		id++;
	if (id == vm->max_vmas)
		return NONE;
	if (id == vm->nr_vmas)
		vm->nr_vmas++;
	return id;
}

static u32 *new_tables(u32 nr)
{
	u32 *ptb = malloc(max_t(size_t, nr, 1) * sizeof(*ptb));
	u32 i;

	for (i = 0; ptb && i < nr; i++)
		ptb[i] = NONE;
	return ptb;
}

/*
 * vm_mmap - an area of an address space
 * @flags:   enum vm_vma_flags
 * @mapping: file, or VM_NO_ID for anonymous memory
 * @pgoff:   first page of the file
 * @vpn:     first virtual page
 * @nr:      pages
 *
 * Return: number of the area, or VM_NO_ID.
 */
uint32_t vm_mmap(struct vm *vm, uint32_t mm, uint32_t flags, uint32_t mapping,
		 uint32_t pgoff, uint64_t vpn, uint32_t nr)
{
	u32 tables = (u32)(((u64)nr + PTB_SIZE - 1) >> PTB_SHIFT);
	struct vma *v;
	u32 id;

	if (!mm_ok(vm, mm) || !nr || (u64)pgoff + nr > NONE ||
	    (mapping != VM_NO_ID &&
	     (mapping >= vm->nr_mappings || !vm->mappings[mapping].used)))
		return VM_NO_ID;
	id = vma_slot(vm);
	if (id == NONE)
		return VM_NO_ID;
	v = &vm->vmas[id];
	*v = (struct vma){
		.used = VMA_USED,
		.mm = mm,
		.flags = flags,
		.mapping = mapping,
		.pgoff = pgoff,
		.nr = nr,
		.vpn = vpn,
		.nr_ptb = tables,
		.next = vm->mms[mm].vmas,
		.ptb = new_tables(tables),
	};
	if (!v->ptb) {
		v->used = VMA_FREE;
		return VM_NO_ID;
	}
	vm->mms[mm].vmas = id;
	vm->mms[mm].nr_vmas++;
	vm->mms[mm].total_vm += nr;
	if (mapping != VM_NO_ID)
		vm->mappings[mapping].nr_vmas++;
	return id;
}

/* ---- page tables ---- */

/* A page table for the pages of an area from `base` on; NONE: no memory. */
u32 vm_ptb_alloc(struct vm *vm, u32 vma, u32 base)
{
	u32 t = vm->free_ptb;
	u32 pfn, i;

	if (t == NONE && vm->nr_ptbs == vm->max_ptbs)
		return NONE;
	pfn = vm_alloc_kernel(vm, VM_K_PAGETABLE, t == NONE ? vm->nr_ptbs : t);
	if (pfn == NONE)
		return NONE;
	if (t == NONE)
		t = vm->nr_ptbs++;
	else
		vm->free_ptb = vm->ptbs[t].base;
	vm->ptbs[t] = (struct ptb){ .vma = vma, .base = base, .pfn = pfn };
	for (i = 0; i < PTB_SIZE; i++)
		vm->ptes[t << PTB_SHIFT | i] = PTE_NONE;
	vm->mms[vm->vmas[vma].mm].page_tables++;
	return t;
}

static void ptb_free(struct vm *vm, u32 t)
{
	vm->mms[vm->vmas[vm->ptbs[t].vma].mm].page_tables--;
	vm_free_kernel(vm, vm->ptbs[t].pfn);
	vm->ptbs[t].vma = NONE;
	vm->ptbs[t].base = vm->free_ptb;
	vm->free_ptb = t;
}

/* ---- fork ---- */

/* An anonymous page, or what stands for one, in two address spaces. */
static void copy_pte(struct vm *vm, struct mm *mm, u32 from, u32 to)
{
	u32 value = vm->ptes[from];
	u32 pfn = value & PTE_PFN;

	if (value & PTE_PRESENT) {
		if (!(vm->pages[pfn].flags & PG_ANON))
			return; /* a fault finds it again */
		vm->ptes[from] = value &= ~PTE_WRITE;
		mm->rss++;
		mm->anon_rss++;
	} else if ((value & PTE_TYPE) == PTE_SWAP) {
		vm->swap.map[pfn]++;
		mm->swap++;
	} else if (value == PTE_NONE) {
		return;
	}
	vm->ptes[to] = value;
	vm->ptbs[to >> PTB_SHIFT].live++;
	if (value & PTE_PRESENT)
		vm_rmap_add(vm, pfn, to);
}

static bool copies(struct vm *vm, const struct vma *from, const struct vma *to)
{
	return from->used == VMA_USED && to->used == VMA_USED && from->nr == to->nr &&
	       from->vpn == to->vpn && from->mapping == to->mapping &&
	       vm->mms[from->mm].stamp == vm->mms[to->mm].stamp;
}

/*
 * vm_vma_copy - fork: an area gets what its parent's has
 * @from:   of the parent
 * @to:     of the child: the same pages, nothing touched; the same stamp
 * @cursor: 0 to begin
 * @budget: pages in this call
 *
 * What a file has is left to the faults. Return: VM_DONE, VM_MORE, VM_NOMEM, -EINVAL.
 */
int vm_vma_copy(struct vm *vm, uint32_t from, uint32_t to, uint32_t *cursor,
		uint32_t budget)
{
	struct vma *v, *new;

	if (from >= vm->nr_vmas || to >= vm->nr_vmas ||
	    !copies(vm, &vm->vmas[from], &vm->vmas[to]))
		return -EINVAL;
	v = &vm->vmas[from];
	new = &vm->vmas[to];
	for (; *cursor < v->nr && !(v->flags & VM_VMA_SHARED); ++*cursor) {
		u32 t = *cursor >> PTB_SHIFT, off = *cursor & (PTB_SIZE - 1);

		if (!budget--)
			return VM_MORE;
		if (v->ptb[t] == NONE) {
			*cursor |= PTB_SIZE - 1;
			continue;
		}
		if (new->ptb[t] == NONE)
			new->ptb[t] = vm_ptb_alloc(vm, to, t << PTB_SHIFT);
		if (new->ptb[t] == NONE)
			return VM_NOMEM;
		copy_pte(vm, &vm->mms[new->mm], v->ptb[t] << PTB_SHIFT | off,
			 new->ptb[t] << PTB_SHIFT | off);
	}
	return VM_DONE;
}

/* ---- unmapping ---- */

/* As free_page_and_swap_cache(): nobody else wants the slot either. */
static void put_anon(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 held = page_extra(p) - ((p->flags & PG_PAGEVEC) != 0);

	if (p->flags & PG_SWAPCACHE && !page_mapped(p) && !held &&
	    !(p->flags & (PG_LOCKED | PG_WRITEBACK)) && !vm->swap.map[p->index])
		vm_swap_cache_del(vm, pfn);
	vm_put_page(vm, pfn, false);
}

static void zap_pte(struct vm *vm, struct mm *mm, u32 pte)
{
	u32 value = vm->ptes[pte];
	u32 pfn = value & PTE_PFN;

	if (value & PTE_PRESENT) {
		vm_pte_clear(vm, pte, PTE_NONE);
		if (vm->pages[pfn].flags & PG_ANON)
			put_anon(vm, pfn);
		return;
	}
	if (value == PTE_NONE)
		return;
	vm->ptes[pte] = PTE_NONE;
	vm->ptbs[pte >> PTB_SHIFT].live--;
	if ((value & PTE_TYPE) == PTE_SWAP) {
		mm->swap--;
		vm_swap_free(vm, pfn);
	}
}

static void unlink_vma(struct vm *vm, u32 id)
{
	struct vma *v = &vm->vmas[id];
	struct mm *mm = &vm->mms[v->mm];
	u32 *link = &mm->vmas;

	while (*link != id)
		link = &vm->vmas[*link].next;
	*link = v->next;
	mm->nr_vmas--;
	mm->total_vm -= v->nr;
	if (v->mapping != VM_NO_ID)
		vm->mappings[v->mapping].nr_vmas--;
	free(v->ptb);
	*v = (struct vma){ 0 };
}

/* Up to *budget pages of one page table; a table without entries goes. */
static void zap_table(struct vm *vm, struct vma *v, u32 *budget)
{
	u32 *table = &v->ptb[v->cursor >> PTB_SHIFT];
	u32 end = min_t(u32, v->nr, (v->cursor | (PTB_SIZE - 1)) + 1);

	if (*table == NONE) {
		v->cursor = end;
		return;
	}
	while (v->cursor < end && *budget) {
		zap_pte(vm, &vm->mms[v->mm],
			*table << PTB_SHIFT | (v->cursor & (PTB_SIZE - 1)));
		v->cursor++;
		--*budget;
	}
	if (v->cursor == end) {
		ptb_free(vm, *table);
		*table = NONE;
	}
}

/*
 * vm_munmap - take an area out of its address space
 * @budget: pages in this call; nobody can touch the area from the first on
 *
 * Return: VM_DONE, VM_MORE, -EINVAL.
 */
int vm_munmap(struct vm *vm, uint32_t vma, uint32_t budget)
{
	struct vma *v;

	if (vma >= vm->nr_vmas || vm->vmas[vma].used == VMA_FREE)
		return -EINVAL;
	v = &vm->vmas[vma];
	v->used = VMA_DYING;
	while (v->cursor < v->nr) {
		if (!budget)
			return VM_MORE;
		zap_table(vm, v, &budget);
	}
	unlink_vma(vm, vma);
	return VM_DONE;
}

/* An address space ends, area by area. */
int vm_mm_destroy(struct vm *vm, uint32_t mm, uint32_t budget)
{
	int rc;

	if (!mm_ok(vm, mm))
		return -EINVAL;
	while (vm->mms[mm].vmas != NONE) {
		rc = vm_munmap(vm, vm->mms[mm].vmas, budget);
		if (rc)
			return rc;
	}
	vm->mms[mm].used = 0;
	return VM_DONE;
}
