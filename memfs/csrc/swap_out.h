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

/* Whether pages may be handed to swap: without a wait, and whoever runs. */
static inline bool swap_takes(const struct vm *vm, const struct vm_reclaim *rc)
{
	return rc->kswapd && (rc->may_fs || rc->may_io) &&
	       !vm->dev[VM_DEV_SWAP].full[1];
}

/* The request that grew last, or NULL. */
static inline struct req *swap_request(struct vm *vm)
{
	const u32 last = vm->dev[VM_DEV_SWAP].last[1];

	return last ? &vm->reqs[last - 1] : NULL;
}

/*
 * A plain anonymous page that was not used goes out, where swap takes it. False: it has
 * to go the long way. The zone's counters are the caller's (count_swapped()).
 */
static inline bool swap_out(struct vm *vm, struct page *p, u32 pfn)
{
	struct swap_area *s = &vm->swap;
	struct dev *d = &vm->dev[VM_DEV_SWAP];
	struct req *rq = swap_request(vm);
	const u32 slot = s->hint, pte = p->rmap;
	const struct vma *vma = &vm->vmas[vm->ptbs[pte >> PTB_SHIFT].vma];
	struct mm *mm = &vm->mms[vma->mm];

	if (!swap_slot_ahead(s) || vma->flags & VM_VMA_LOCKED)
		return false;
	if (rq && req_may_grow(d, rq, VM_SWAP_MAPPING, slot))
		req_grow(d, rq, pfn);
	else if (vm_submit(vm, VM_DEV_SWAP, true, VM_SWAP_MAPPING, slot, pfn))
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
	return true;
}

#endif
