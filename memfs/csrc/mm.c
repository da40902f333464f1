/*
 * mm.c - modelled tasks: address spaces, areas, faults
 *
 * A touch finds its PTE present and sets the bits that hardware would, or
 * faults. Anonymous pages hold a 32-bit stamp that says whose they are; every
 * read checks it. Writes of modelled tasks to files make pages dirty without
 * changing their bytes.
 *
 * Departure: a task has 2^47 bytes of addresses and its areas do not share
 * page tables, so that a page table knows its area.
 * Models: mm/memory.c do_anonymous_page(), do_swap_page(), do_wp_page(),
 * do_no_page(), zap_pte_range(), 2.6.0.
 */
#include <errno.h>
#include <stdlib.h>

#include "vm_int.h"

enum { VMA_FREE = 0, VMA_USED, VMA_DYING };

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

static u32 ptb_alloc(struct vm *vm, u32 vma, u32 base)
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

/* ---- faults ---- */

struct fault {
	struct vm *vm;
	struct vma *vma;
	struct mm *mm;
	struct vm_touch *touch;
	u32 idx; /* page of the area */
	u32 pte; /* handle */
	bool write;
};

static u32 fault_stamp(const struct fault *f)
{
	return vm_stamp_of(f->mm->stamp, f->vma->vpn + f->idx);
}

static void set_pte(const struct fault *f, u32 pfn, u32 bits)
{
	struct vm *vm = f->vm;
	u32 *pte = &vm->ptes[f->pte];

	vm->ptbs[f->pte >> PTB_SHIFT].live += *pte == PTE_NONE;
	*pte = PTE_PRESENT | PTE_ACCESSED | bits | pfn;
	f->mm->rss++;
	f->mm->anon_rss += (vm->pages[pfn].flags & PG_ANON) != 0;
	vm_rmap_add(vm, pfn, f->pte);
}

static u32 new_anon(struct vm *vm)
{
	u32 pfn = vm_alloc_user(vm, 0);

	if (pfn == NONE)
		return NONE;
	vm->pages[pfn].flags |= PG_ANON | PG_SWAPBACKED | PG_UPTODATE | PG_REFERENCED;
	page_zone(vm, pfn)->item[NR_ANON]++;
	return pfn;
}

static int fault_anon(const struct fault *f)
{
	struct vm *vm = f->vm;
	u32 *pte = &vm->ptes[f->pte];
	u32 pfn;

	if (!f->write) {
		vm->ptbs[f->pte >> PTB_SHIFT].live += *pte == PTE_NONE;
		*pte = PTE_ZERO;
		return VM_DONE;
	}
	pfn = new_anon(vm);
	if (pfn == NONE)
		return VM_NOMEM;
	vm->stamps[pfn] = fault_stamp(f);
	set_pte(f, pfn, PTE_WRITE | PTE_DIRTY);
	vm_lru_cache_add(vm, pfn, LRU_ACTIVE);
	return VM_DONE;
}

static int major(const struct fault *f, int rc)
{
	if (rc == VM_READ && !f->touch->major) {
		f->touch->major = 1;
		f->mm->majflt++;
		f->vm->event[EV_PGMAJFAULT]++;
	}
	return rc;
}

static int fault_swap(const struct fault *f, u32 slot)
{
	struct vm *vm = f->vm;
	u32 pfn = vm->swap.cache[slot];
	struct page *p;
	bool sole;

	vm->need.mapping = VM_SWAP_MAPPING;
	vm->need.index = slot;
	if (!pfn--)
		return major(f, VM_READ);
	p = &vm->pages[pfn];
	if (p->flags & PG_LOCKED)
		return VM_WAIT;
	if (!(p->flags & PG_UPTODATE))
		return -EIO;
	vm_mark_accessed(vm, pfn);
	f->mm->swap--;
	set_pte(f, pfn, 0);
	vm->swap.map[slot]--;
	sole = vm_mapcount(vm, p) == 1 && !vm->swap.map[slot];
	if (f->write && sole)
		vm->ptes[f->pte] |= PTE_WRITE | PTE_DIRTY;
	return VM_DONE;
}

/* A page of one's own with what the old one held. */
static int fault_copy(const struct fault *f, u32 old)
{
	struct vm *vm = f->vm;
	u32 pfn = new_anon(vm);

	if (pfn == NONE)
		return VM_NOMEM;
	vm->stamps[pfn] = fault_stamp(f);
	vm->event[EV_PGCOW]++;
	if (old != NONE) {
		vm_pte_clear(vm, f->pte, PTE_NONE);
		vm_put_page(vm, old, false);
	}
	set_pte(f, pfn, PTE_WRITE | PTE_DIRTY);
	vm_lru_cache_add(vm, pfn, LRU_ACTIVE);
	return VM_DONE;
}

static int fault_file(const struct fault *f)
{
	struct vm *vm = f->vm;
	struct mapping *m = &vm->mappings[f->vma->mapping];
	bool shared = f->vma->flags & VM_VMA_SHARED;
	u32 index = f->vma->pgoff + f->idx;
	u32 pfn;
	int rc;

	if ((u64)index << PAGE_SHIFT >= m->size)
		return -EFAULT;
	rc = vm_find_page(vm, m, index, &pfn);
	if (rc)
		return major(f, rc);
	if (pfn == NONE) {
		/* A hole of a tmpfs becomes a page when it is mapped. */
		rc = vm_shm_new_page(vm, m, index, &pfn);
		if (rc)
			return rc;
	}
	vm_mark_accessed(vm, pfn);
	if (f->write && !shared)
		return fault_copy(f, NONE);
	set_pte(f, pfn,
		(shared && f->vma->flags & VM_VMA_WRITE ? PTE_WRITE : 0) |
			(f->write ? PTE_DIRTY : 0));
	return VM_DONE;
}

static int fault_wp(const struct fault *f, u32 pfn)
{
	struct vm *vm = f->vm;
	const struct page *p = &vm->pages[pfn];

	if (p->flags & PG_ANON && vm_mapcount(vm, p) == 1 &&
	    (!(p->flags & PG_SWAPCACHE) || !vm->swap.map[p->index])) {
		vm->ptes[f->pte] |= PTE_WRITE | PTE_DIRTY | PTE_ACCESSED;
		vm->event[EV_PGREUSE]++;
		return VM_DONE;
	}
	return fault_copy(f, pfn);
}

static int fault_absent(const struct fault *f, u32 pte)
{
	if ((pte & PTE_TYPE) == PTE_SWAP)
		return fault_swap(f, pte & PTE_PFN);
	if (f->vma->mapping == VM_NO_ID || (pte & PTE_TYPE) == PTE_ZERO)
		return fault_anon(f);
	return fault_file(f);
}

static int handle_fault(const struct fault *f, u32 pte)
{
	int rc = pte & PTE_PRESENT ? fault_wp(f, pte & PTE_PFN) : fault_absent(f, pte);

	if (rc)
		return rc;
	f->vm->event[EV_PGFAULT]++;
	if (!f->touch->major)
		f->mm->minflt++;
	f->touch->major = 0;
	return VM_DONE;
}

/* ---- touching ---- */

static void check_stamp(const struct fault *f, u32 pfn)
{
	const struct page *p = &f->vm->pages[pfn];

	if (p->flags & PG_ANON && vm_mapcount(f->vm, p) == 1 &&
	    f->vm->stamps[pfn] != fault_stamp(f))
		f->vm->event[EV_CORRUPT]++;
}

static void add_cost(const struct fault *f, u32 pfn)
{
	struct vm *vm = f->vm;
	u32 from = vm->cpu_node[vm->cpu];
	u32 distance = vm->distance[from * vm->nr_nodes + page_zone(vm, pfn)->nid];

	f->touch->cost_ns += vm->touch_ns * (distance ? distance : 10) / 10;
}

static int touch_one(struct fault *f)
{
	struct vm *vm = f->vm;
	u32 *table = &f->vma->ptb[f->idx >> PTB_SHIFT];
	u32 pte;
	int rc;

	if (*table == NONE) {
		*table = ptb_alloc(vm, f->touch->vma, f->idx & ~(PTB_SIZE - 1));
		if (*table == NONE)
			return VM_NOMEM;
	}
	f->pte = *table << PTB_SHIFT | (f->idx & (PTB_SIZE - 1));
	pte = vm->ptes[f->pte];
	if (!(pte & PTE_PRESENT) || (f->write && !(pte & PTE_WRITE))) {
		if (!f->write && (pte & (PTE_PRESENT | PTE_TYPE)) == PTE_ZERO)
			return VM_DONE;
		rc = handle_fault(f, pte);
		if (rc)
			return rc;
		pte = vm->ptes[f->pte];
		if (!(pte & PTE_PRESENT))
			return VM_DONE;
		if (f->write && !(pte & PTE_WRITE))
			return touch_one(f);
	}
	vm->ptes[f->pte] = pte | PTE_ACCESSED | (f->write ? PTE_DIRTY : 0);
	check_stamp(f, pte & PTE_PFN);
	add_cost(f, pte & PTE_PFN);
	return VM_DONE;
}

static u32 next_page(struct vm_touch *t)
{
	if (!(t->flags & VM_TOUCH_RANDOM))
		return t->first + t->pos;
	if (t->next == VM_NO_ID) {
		t->rng += 0x9e3779b97f4a7c15ull;
		t->next = (u32)(vm_mix(t->rng) % t->nr);
	}
	return t->first + t->next;
}

static bool touch_ok(struct vm *vm, const struct vm_touch *t)
{
	const struct vma *v = &vm->vmas[t->vma];

	return mm_ok(vm, t->mm) && t->vma < vm->nr_vmas && v->used == VMA_USED &&
	       v->mm == t->mm && t->nr && t->first < v->nr && t->nr <= v->nr - t->first;
}

/*
 * vm_touch - a task walks over pages of an area
 * @t:      where it is; pos runs from 0 to nr
 * @budget: touches in this call
 *
 * Return: VM_DONE (the pass is complete), VM_MORE, VM_NOMEM, VM_WAIT, VM_READ,
 * -EINVAL, -EACCES (write to a read-only area), -EFAULT (behind the end of
 * the file: SIGBUS), -EIO.
 */
int vm_touch(struct vm *vm, struct vm_touch *t, uint32_t budget)
{
	struct fault f = { .vm = vm, .touch = t, .write = t->flags & VM_TOUCH_WRITE };
	int rc;

	if (!touch_ok(vm, t))
		return -EINVAL;
	f.vma = &vm->vmas[t->vma];
	f.mm = &vm->mms[t->mm];
	if (f.write && !(f.vma->flags & VM_VMA_WRITE))
		return -EACCES;
	while (t->pos < t->nr) {
		if (!budget--)
			return VM_MORE;
		f.idx = next_page(t);
		rc = touch_one(&f);
		if (rc)
			return rc;
		t->pos++;
		t->next = VM_NO_ID;
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
