/*
 * swap_out.h - the commonest way out of a task's page, in one go
 *
 * An anonymous page that one task maps, with nothing else about it, gets the next
 * swap slot, its page table the slot's entry, and it joins the request that takes
 * the slots before. Steps 5 to 7 of shrink_list() come to the same; where anything
 * is not as here, the page goes their way (shrink_page.h).
 */
#ifndef SWAP_OUT_H
#define SWAP_OUT_H

#include "queue.h"
#include "swap_slots.h"

/* Nothing else refers to the page, and no one but one PTE maps it. */
static inline bool is_plain_anon(u32 flags)
{
	const u32 about = PG_LOCKED | PG_PRIVATE | PG_WRITEBACK | PG_MLOCKED |
			  PG_CLIENTMAPPED | PG_CACHED | PG_SWAPCACHE | PG_ANON |
			  RMAP_MASK | EXTRA_MASK;

	return (flags & about) == (PG_ANON | RMAP_SINGLE);
}

/* Whether swapping out may go on as it does: the request that grows, or NULL. */
static inline struct req *swap_request(struct vm *vm, const struct vm_reclaim *rc)
{
	const struct dev *d = &vm->dev[VM_DEV_SWAP];

	if (!rc->kswapd || !(rc->may_fs || rc->may_io) || d->full[1] || !d->last[1])
		return NULL;
	return &vm->reqs[d->last[1] - 1];
}

/*
 * A plain anonymous page that was not used goes out. False: it has to go the long
 * way. The zone's counters are the caller's (tally_swapped()).
 */
static inline bool swap_out(struct vm *vm, struct req *rq, struct page *p, u32 pfn)
{
	struct swap_area *s = &vm->swap;
	const u32 slot = s->hint, pte = p->rmap;
	const struct vma *vma = &vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma];
	struct mm *mm = &vm->mms[vma->mm];

	if (!swap_slot_ahead(s) || vma->flags & VM_VMA_LOCKED ||
	    !req_may_grow(&vm->dev[VM_DEV_SWAP], rq, VM_SWAP_MAPPING, slot))
		return false;
	s->cluster_left--;
	swap_slot_take(s, slot);
	s->cache[slot] = pfn + 1;
	s->map[slot]++;
	vm->ptes[pte] = PTE_SWAP | slot;
	mm->swap++;
	mm->rss--;
	mm->anon_rss--;
	p->flags = (p->flags & ~(RMAP_MASK | PG_DIRTY)) | PG_SWAPCACHE | PG_UPTODATE |
		   PG_WRITEBACK | PG_RECLAIM;
	p->rmap = 0;
	p->index = slot;
	req_grow(&vm->dev[VM_DEV_SWAP], rq, pfn);
	return true;
}

#endif
