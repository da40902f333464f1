/*
 * rmap.c - which page tables map a page
 *
 * One mapping: the PTE's handle stands in the page. More: a chain of blocks of
 * six handles, the newest block first, only that one not full.
 *
 * Models: mm/rmap.c page_referenced(), try_to_unmap() with pte_chains, 2.6.0;
 * the refusal of young PTEs, 2.6.7.
 */
#include "lru_count.h"

static u32 chain_alloc(struct vm *vm)
{
	u32 c = vm->free_chain;

	if (c != NONE)
		vm->free_chain = vm->chains[c].next;
	else
		c = vm->nr_chains++;
	vm->used_chains++;
	vm->chains[c].next = NONE;
	vm->chains[c].nr = 0;
	return c;
}

static void chain_free(struct vm *vm, u32 c)
{
	vm->used_chains--;
	vm->chains[c].next = vm->free_chain;
	vm->free_chain = c;
}

static void set_rmap(struct page *p, u32 kind, u32 value)
{
	p->flags = (p->flags & ~RMAP_MASK) | kind;
	p->rmap = value;
}

static u32 rmap_kind(const struct page *p)
{
	return p->flags & RMAP_MASK;
}

/* Places in use of the newest block. */
static u32 head_used(const struct chain *c)
{
	return (c->nr - 1) % CHAIN_PTES + 1;
}

u32 vm_mapcount(struct vm *vm, const struct page *p)
{
	if (rmap_kind(p) == RMAP_CHAIN)
		return vm->chains[p->rmap].nr;
	return rmap_kind(p) == RMAP_SINGLE;
}

static void count_mapped(struct vm *vm, u32 pfn, u32 one)
{
	u32 item = vm->pages[pfn].flags & PG_ANON ? NR_ANON_MAPPED : NR_MAPPED;

	page_zone(vm, pfn)->item[item] += one;
}

static void chain_push(struct vm *vm, struct page *p, u32 pte)
{
	u32 head = p->rmap;
	u32 nr = vm->chains[head].nr;

	if (nr % CHAIN_PTES == 0) {
		u32 c = chain_alloc(vm);

		vm->chains[c].next = head;
		p->rmap = head = c;
	}
	vm->chains[head].nr = nr + 1;
	vm->chains[head].pte[nr % CHAIN_PTES] = pte;
}

int vm_rmap_add(struct vm *vm, u32 pfn, u32 pte)
{
	struct page *p = &vm->pages[pfn];
	u32 first = p->rmap;

	if (rmap_kind(p) == RMAP_NONE) {
		set_rmap(p, RMAP_SINGLE, pte);
		count_mapped(vm, pfn, 1);
		return 0;
	}
	if (rmap_kind(p) == RMAP_SINGLE) {
		set_rmap(p, RMAP_CHAIN, chain_alloc(vm));
		vm->chains[p->rmap].pte[0] = first;
		vm->chains[p->rmap].nr = 1;
	}
	chain_push(vm, p, pte);
	return 0;
}

static u32 *chain_find(struct vm *vm, u32 head, u32 pte)
{
	u32 used = head_used(&vm->chains[head]);
	u32 c, i;

	for (c = head; c != NONE; c = vm->chains[c].next, used = CHAIN_PTES)
		for (i = 0; i < used; i++)
			if (vm->chains[c].pte[i] == pte)
				return &vm->chains[c].pte[i];
	return NULL;
}

static void chain_del(struct vm *vm, struct page *p, u32 pte)
{
	u32 head = p->rmap;
	struct chain *c = &vm->chains[head];
	u32 last = head_used(c) - 1;
	u32 *place = chain_find(vm, head, pte);

	VM_BUG_ON(!place);
	*place = c->pte[last];
	c->nr--;
	if (last == 0) {
		u32 nr = c->nr;

		p->rmap = c->next;
		chain_free(vm, head);
		vm->chains[p->rmap].nr = nr;
	}
	if (vm->chains[p->rmap].nr == 1) {
		u32 only = p->rmap;

		set_rmap(p, RMAP_SINGLE, vm->chains[only].pte[0]);
		chain_free(vm, only);
	}
}

static inline void rmap_del(struct vm *vm, u32 pfn, u32 pte)
{
	struct page *p = &vm->pages[pfn];

	if (rmap_kind(p) == RMAP_CHAIN) {
		chain_del(vm, p, pte);
		return;
	}
	VM_BUG_ON(p->rmap != pte);
	count_mapped(vm, pfn, (u32)-1);
	set_rmap(p, RMAP_NONE, 0);
}

void vm_rmap_del(struct vm *vm, u32 pfn, u32 pte)
{
	rmap_del(vm, pfn, pte);
}

/* The n-th PTE that maps the page, newest first, or NONE. */
u32 vm_rmap_pte(struct vm *vm, const struct page *p, u32 n)
{
	u32 used, c;

	if (rmap_kind(p) != RMAP_CHAIN)
		return rmap_kind(p) == RMAP_SINGLE && n == 0 ? p->rmap : NONE;
	used = head_used(&vm->chains[p->rmap]);
	for (c = p->rmap; c != NONE; c = vm->chains[c].next, used = CHAIN_PTES) {
		if (n < used)
			return vm->chains[c].pte[used - 1 - n];
		n -= used;
	}
	return NONE;
}

/* The page of a chain has moved to pfn. */
void vm_rmap_move(struct vm *vm, const struct page *p, u32 pfn)
{
	u32 used = head_used(&vm->chains[p->rmap]);
	u32 c, i;

	for (c = p->rmap; c != NONE; c = vm->chains[c].next, used = CHAIN_PTES)
		for (i = 0; i < used; i++) {
			u32 *pte = &vm->ptes[vm->chains[c].pte[i]];

			*pte = (*pte & ~PTE_PFN) | pfn;
		}
}

static u32 pte_young(struct vm *vm, u32 pte)
{
	u32 young = (vm->ptes[pte] & PTE_ACCESSED) != 0;

	vm->ptes[pte] &= ~PTE_ACCESSED;
	return young;
}

/* Counts what says that the page was used, and clears it. */
u32 vm_page_referenced(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 referenced = (p->flags & PG_REFERENCED) != 0;
	u32 used, c, i;

	referenced += (p->flags & PG_CLIENTYOUNG) != 0;
	p->flags &= ~((u32)PG_REFERENCED | PG_CLIENTYOUNG);
	if (rmap_kind(p) == RMAP_SINGLE)
		return referenced + pte_young(vm, p->rmap);
	if (rmap_kind(p) == RMAP_NONE)
		return referenced;
	used = head_used(&vm->chains[p->rmap]);
	for (c = p->rmap; c != NONE; c = vm->chains[c].next, used = CHAIN_PTES)
		for (i = 0; i < used; i++)
			referenced += pte_young(vm, vm->chains[c].pte[i]);
	return referenced;
}

static void count_mlocked(struct vm *vm, u32 pfn, u32 one)
{
	const u32 flags = vm->pages[pfn].flags;
	struct zone *z = page_zone(vm, pfn);

	z->item[NR_MLOCKED] += one;
	if (flags & PG_LRU)
		z->item[mlocked_item(flags, flags & PG_ACTIVE)] += one;
}

/* Some area that is locked in memory maps the page. */
void vm_mlock_page(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if (p->flags & PG_MLOCKED)
		return;
	p->flags |= PG_MLOCKED;
	count_mlocked(vm, pfn, 1);
	vm->event[EV_UNEVICTABLE_PGS_MLOCKED]++;
}

static void munlock_page(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 n, pte;

	for (n = 0; (pte = vm_rmap_pte(vm, p, n)) != NONE; n++)
		if (vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma].flags & VM_VMA_LOCKED)
			return;
	p->flags &= ~(u32)PG_MLOCKED;
	count_mlocked(vm, pfn, (u32)-1);
	vm->event[EV_UNEVICTABLE_PGS_MUNLOCKED]++;
}

static inline void pte_clear(struct vm *vm, u32 pte, u32 value)
{
	struct ptb *ptb = &vm->ptbs[pte >> PTB_SHIFT];
	struct mm *mm = &vm->mms[vm->vmas[ptb->vma].mm];
	u32 pfn = vm->ptes[pte] & PTE_PFN;

	if (vm->ptes[pte] & PTE_DIRTY && !(vm->pages[pfn].flags & PG_DIRTY))
		vm_set_dirty(vm, pfn);
	vm->ptes[pte] = value;
	ptb->live -= value == PTE_NONE;
	mm->rss--;
	mm->anon_rss -= (vm->pages[pfn].flags & PG_ANON) != 0;
	rmap_del(vm, pfn, pte);
	if (vm->pages[pfn].flags & PG_MLOCKED)
		munlock_page(vm, pfn);
}

/* A present PTE becomes value; the page is not freed. */
void vm_pte_clear(struct vm *vm, u32 pte, u32 value)
{
	pte_clear(vm, pte, value);
}

static inline int unmap_one(struct vm *vm, u32 pfn, u32 pte)
{
	const struct page *p = &vm->pages[pfn];
	const struct vma *vma = &vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma];

	if (vma->flags & VM_VMA_LOCKED)
		return UNMAP_MLOCKED;
	if (vm->rules & VM_RULE_UNMAP_REFUSES_YOUNG && pte_young(vm, pte))
		return UNMAP_FAIL;
	if (!(p->flags & PG_ANON)) {
		pte_clear(vm, pte, PTE_NONE);
		return UNMAP_SUCCESS;
	}
	vm->swap.map[p->index]++;
	vm->mms[vma->mm].swap++;
	pte_clear(vm, pte, PTE_SWAP | p->index);
	return UNMAP_SUCCESS;
}

/* Anonymous pages must be in the swap cache: their PTEs become its entry. */
int vm_try_to_unmap(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	int rc;

	while (page_mapped(p)) {
		rc = unmap_one(vm, pfn,
			       rmap_kind(p) == RMAP_SINGLE ? p->rmap :
							     vm_rmap_pte(vm, p, 0));
		if (rc != UNMAP_SUCCESS)
			return rc;
	}
	return UNMAP_SUCCESS;
}

/* Truncation takes a file page away from whoever maps it. */
void vm_unmap_file_page(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	while (page_mapped(p))
		vm_pte_clear(vm, vm_rmap_pte(vm, p, 0), PTE_NONE);
}
