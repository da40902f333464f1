/*
 * fault.c - tasks touch their pages
 *
 * A touch finds its PTE present and sets the bits that hardware would, or
 * faults. Anonymous pages hold a 32-bit stamp that says whose they are; every
 * read checks it. Writes of modelled tasks to files make pages dirty without
 * changing their bytes.
 *
 * Models: mm/memory.c do_anonymous_page(), do_swap_page(), do_wp_page(),
 * do_no_page(), 2.6.0.
 */
#include <errno.h>

#include "swap_slots.h"

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
	if (f->vma->flags & VM_VMA_LOCKED)
		vm_mlock_page(vm, pfn);
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
	u32 pfn = swap_cache_wanted(vm, slot);
	struct page *p;
	bool sole;

	vm->need.mapping = VM_SWAP_MAPPING;
	vm->need.index = slot;
	vm->need.failed = 0;
	if (!pfn--)
		return major(f, VM_READ);
	p = &vm->pages[pfn];
	if (p->flags & PG_LOCKED)
		return VM_WAIT;
	if (!(p->flags & PG_UPTODATE)) {
		/* Its reading failed: who wants it tries again, once. */
		vm->need.failed = 1;
		return major(f, VM_READ);
	}
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
		*table = vm_ptb_alloc(vm, f->touch->vma, f->idx & ~(PTB_SIZE - 1));
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

	return t->mm < vm->nr_mms && vm->mms[t->mm].used && t->vma < vm->nr_vmas &&
	       v->used == VMA_USED && v->mm == t->mm && t->nr && t->first < v->nr &&
	       t->nr <= v->nr - t->first;
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
