/*
 * verify_io.c - swap slots, requests and devices; sums over the whole machine
 *
 * Invariants 5 and 7: a page under writeback is in exactly one request, a page
 * that is read is locked and in exactly one; a slot's references are those of
 * PTEs and tmpfs slots together.
 */
#include "verify.h"

static void check_cached(struct vm *vm, struct report *r, u32 slot)
{
	u32 pfn = vm->swap.cache[slot] - 1;
	const struct page *p = &vm->pages[pfn];

	if (pfn >= vm->max_pfn || page_type(p) != VM_T_USER ||
	    !(p->flags & PG_SWAPCACHE) || p->index != slot)
		vm_violation(r, "swap slot %u: page %u is not its own", slot, pfn);
}

static void swap_end(struct report *r, const struct swap_area *s)
{
	const struct totals *t = &r->s->total;

	vm_same(r, t->slots_used, s->used, "swap slots in use, of", s->nr);
	vm_same(r, t->slots_cached, s->cached, "swap slots with a page, of", s->nr);
	vm_same(r, t->swapcache, t->slots_cached, "pages in the swap cache, of", s->nr);
	vm_same(r, t->swap_ptes + t->swap_slots, t->slot_refs, "swap references, of",
		s->nr);
}

static void check_cluster(struct report *r, const struct swap_area *s, u32 slot)
{
	struct totals *t = &r->s->total;

	if ((slot + 1) % SWAP_CLUSTER && slot + 1 != s->nr)
		return;
	vm_same(r, t->cluster_used, s->cluster[slot / SWAP_CLUSTER],
		"slots in use of swap cluster", slot / SWAP_CLUSTER);
	t->cluster_used = 0;
}

/* What areas were promised adds up, and is there. */
static void check_promises(struct vm *vm, struct report *r)
{
	u32 promised[VM_MAX_ORDER] = { 0 };
	struct vm_huge_stat stat;
	u32 i;

	for (i = 0; i < vm->nr_huge_areas; i++)
		if (vm->huge_areas[i].huge)
			promised[vm->huge_areas[i].order] += vm->huge_areas[i].reserved;
	for (i = 0; i < VM_MAX_ORDER; i++) {
		vm_same(r, vm->huge_reserved[i], promised[i],
			"huge pages that areas were promised, order", i);
		vm_huge_stat(vm, i, VM_NO_ID, &stat);
		if (promised[i] > stat.free)
			vm_violation(r, "order %u: %u huge pages promised, %u free", i,
				     promised[i], stat.free);
	}
}

/* One huge page: its block names it, and its area has it where it says. */
bool vm_verify_huge(struct vm *vm, struct report *r)
{
	u32 id = r->v->cursor++;
	const struct huge *h = &vm->huges[id];

	if (id > vm->nr_huges)
		return false;
	if (id == vm->nr_huges) {
		check_promises(vm, r);
		return true;
	}
	if (!h->state)
		return true;
	if (h->pfn >= vm->max_pfn ||
	    vm->pages[h->pfn].flags != (VM_T_HUGE | h->order << EXTRA_SHIFT) ||
	    vm->pages[h->pfn].index != id)
		vm_violation(r, "huge page %u: block %u does not name it", id, h->pfn);
	if (h->area != NONE &&
	    (h->area >= vm->nr_huge_areas || !vm->huge_areas[h->area].huge ||
	     h->idx >= vm->huge_areas[h->area].nr ||
	     vm->huge_areas[h->area].huge[h->idx] != id))
		vm_violation(r, "huge page %u: area %u does not have it", id, h->area);
	return true;
}

/* One pin: its page is somebody's and counts it. */
bool vm_verify_pins(struct vm *vm, struct report *r)
{
	u32 id = r->v->cursor++;
	const struct page *p;

	if (id >= vm->nr_pins)
		return false;
	if (vm->pins[id].pfn == NONE)
		return true;
	p = &vm->pages[vm->pins[id].pfn];
	if (vm->pins[id].pfn >= vm->max_pfn || page_type(p) != VM_T_USER ||
	    !page_extra(p))
		vm_violation(r, "pin %u: page %u does not count it", id,
			     vm->pins[id].pfn);
	return true;
}

static void check_slot(struct vm *vm, struct report *r, u32 slot)
{
	const struct swap_area *s = &vm->swap;
	struct totals *t = &r->s->total;

	if (s->map[slot] || s->cache[slot])
		t->slots_used++;
	/* Slot 0 holds the header and counts in its cluster. */
	if (!slot || s->map[slot] || s->cache[slot])
		t->cluster_used++;
	t->slot_refs += s->map[slot];
	if (s->cache[slot]) {
		t->slots_cached++;
		check_cached(vm, r, slot);
	}
	if (!slot && (s->map[0] || s->cache[0]))
		vm_violation(r, "swap slot 0 is in use");
	check_cluster(r, s, slot);
}

/* A few slots. */
bool vm_verify_swap(struct vm *vm, struct report *r)
{
	u32 i;

	for (i = 0; i < VERIFY_RUN; i++) {
		if (r->v->cursor >= vm->swap.nr) {
			swap_end(r, &vm->swap);
			return false;
		}
		check_slot(vm, r, r->v->cursor++);
	}
	return true;
}

static bool transfer_ok(struct vm *vm, const struct req *rq, u32 i)
{
	u32 pfn = rq->pfn[i];
	const struct page *p = &vm->pages[pfn];

	if (pfn >= vm->max_pfn || page_type(p) != VM_T_USER ||
	    !(p->flags & (rq->write ? PG_WRITEBACK : PG_LOCKED)))
		return false;
	if (rq->mapping == VM_SWAP_MAPPING)
		return p->flags & PG_SWAPCACHE && p->index == rq->index + i;
	return p->flags & PG_CACHED &&
	       vm->rnodes[p->index >> RN_SHIFT].mapping == rq->mapping &&
	       vm_handle_index(vm, p->index) == rq->index + i;
}

static void check_req(struct vm *vm, struct report *r, u32 id, u32 dev)
{
	const struct req *rq = &vm->reqs[id];
	u32 i;

	if (rq->dev != dev || !rq->nr || rq->nr > REQ_PAGES || rq->write > 1) {
		vm_violation(r, "request %u: %u pages, device %u", id, rq->nr, rq->dev);
		return;
	}
	r->s->total.requests++;
	r->s->total.queued[rq->write]++;
	if (rq->mapping == NO_MAPPING)
		return;
	for (i = 0; i < rq->nr; i++)
		if (!transfer_ok(vm, rq, i))
			vm_violation(r, "request %u: page %u is not in transfer", id,
				     rq->pfn[i]);
	if (rq->write)
		r->s->total.io_write += rq->nr;
	else
		r->s->total.io_read += rq->nr;
}

static void check_fifo(struct vm *vm, struct report *r, u32 dev, const struct fifo *f)
{
	u32 at, last = NONE, seen = 0;

	for (at = f->head; at != NONE; at = vm->reqs[at].next) {
		if (at >= vm->nr_reqs || seen++ == vm->nr_reqs) {
			vm_violation(r, "device %u: bad link %u", dev, at);
			return;
		}
		check_req(vm, r, at, dev);
		last = at;
	}
	if (last != f->tail)
		vm_violation(r, "device %u: last request %u, tail %u", dev, last,
			     f->tail);
}

/* At most some thousand requests: a device is one item. */
bool vm_verify_dev(struct vm *vm, struct report *r)
{
	u32 dev = r->v->cursor++;
	const struct dev *d = &vm->dev[dev];

	if (dev >= VM_NR_DEVS)
		return false;
	r->s->total.queued[0] = r->s->total.queued[1] = 0;
	check_fifo(vm, r, dev, &d->queued);
	check_fifo(vm, r, dev, &d->started);
	vm_same(r, r->s->total.queued[0], d->count[0], "reads of device", dev);
	vm_same(r, r->s->total.queued[1], d->count[1], "writes of device", dev);
	return true;
}

static u32 free_requests(struct vm *vm)
{
	u32 at, nr = 0;

	for (at = vm->free_req; at < vm->nr_reqs && nr < vm->nr_reqs;
	     at = vm->reqs[at].next)
		nr++;
	return nr;
}

/* What two phases found must agree. */
bool vm_verify_totals(struct vm *vm, struct report *r)
{
	const struct totals *t = &r->s->total;

	if (r->v->cursor++)
		return false;
	vm_same(r, t->io_write, t->writeback, "pages in write requests", 0);
	vm_same(r, t->io_read, t->reading, "pages in read requests", 0);
	vm_same(r, t->requests + free_requests(vm), vm->nr_reqs, "requests", 0);
	vm_same(r, t->ptes, t->present, "PTEs that pages name, of all present", 0);
	vm_same(r, t->cached, t->in_tree, "pages named by index slots", 0);
	vm_same(r, t->revoking, vm->nr_revoking, "pages that are asked back", 0);
	vm_same(r, t->slabs, t->kernel_slabs, "pages of index nodes", 0);
	vm_same(r, t->tables, t->kernel_tables, "pages of page tables", 0);
	if (!r->v->violations) {
		vm_same(r, t->tree_nodes, t->mapping_nodes, "index nodes of mappings",
			0);
		vm_same(r, t->vmas, t->vmas_of_mappings, "areas of mappings", 0);
	}
	return true;
}
