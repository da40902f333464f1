/*
 * verify_tree.c - the page-cache index: slabs, nodes, mappings
 *
 * Invariants 2, 6 and 7: a slot names a page that names the slot, tags equal
 * flags, an inner node's tag says that one below has it, counters equal
 * recounts.
 */
#include "verify.h"

static bool slab_on_list(struct vm *vm, u32 s)
{
	const struct slab *slab = &vm->slabs[s];

	if (slab->prev == NONE)
		return vm->partial[slab->kind] == s;
	return slab->prev < vm->nr_slabs && vm->slabs[slab->prev].next == s;
}

bool vm_verify_slab(struct vm *vm, struct report *r)
{
	u32 s = r->v->cursor++;
	const struct slab *slab = &vm->slabs[s];
	const struct page *p;

	if (s >= vm->nr_slabs)
		return false;
	if (!slab->live)
		return true;
	r->s->total.slabs++;
	if (slab->pfn >= vm->max_pfn || slab->kind >= VM_NR_KERNEL_KINDS) {
		vm_violation(r, "slab %u: page %u, kind %u", s, slab->pfn, slab->kind);
		return true;
	}
	p = &vm->pages[slab->pfn];
	if (page_type(p) != VM_T_KERNEL || p->rmap != slab->kind || p->index != s)
		vm_violation(r, "slab %u: page %u is not its own", s, slab->pfn);
	if (!slab->used || slab->used >> RN_PER_SLAB)
		vm_violation(r, "slab %u: nodes in use %#x", s, slab->used);
	if (slab->used != (1u << RN_PER_SLAB) - 1 && !slab_on_list(vm, s))
		vm_violation(r, "slab %u: has room, but is on no list", s);
	return true;
}

static bool in_pool(struct vm *vm, u32 node)
{
	u32 kind, i;

	for (kind = 0; kind < VM_NR_KERNEL_KINDS; kind++)
		for (i = 0; i < vm->pool[kind].nr; i++)
			if (vm->pool[kind].id[i] == node)
				return true;
	return false;
}

static bool node_used(struct vm *vm, u32 node)
{
	const struct slab *slab = &vm->slabs[node / RN_PER_SLAB];

	return node < vm->nr_slabs * RN_PER_SLAB && slab->live &&
	       slab->used >> node % RN_PER_SLAB & 1;
}

static bool parent_ok(struct vm *vm, const struct rnode *n, u32 node)
{
	const struct mapping *m = &vm->mappings[n->mapping];
	const struct rnode *up;
	u32 slot = n->parent & (RN_SLOTS - 1);

	if (n->parent == NONE)
		return m->root == node + 1 && m->height == n->height + 1u;
	if (!node_used(vm, n->parent >> RN_SHIFT))
		return false;
	up = &vm->rnodes[n->parent >> RN_SHIFT];
	return up->slot[slot] == node + 1 && up->mapping == n->mapping &&
	       up->height == n->height + 1 && up->height < 6 &&
	       n->base == (up->base | slot << (up->height - 1) * RN_SHIFT);
}

/* The pages of tmpfs are dirty as long as they live and have no tag. */
static bool tagged_dirty(const struct page *p)
{
	return p->flags & PG_DIRTY && !(p->flags & PG_SWAPBACKED);
}

static void check_leaf_page(struct vm *vm, struct report *r, u32 node, u32 i)
{
	const struct rnode *n = &vm->rnodes[node];
	u32 handle = node << RN_SHIFT | i, pfn = n->slot[i] - 1;
	const struct page *p = &vm->pages[pfn];

	r->s->total.cached++;
	if (pfn >= vm->max_pfn || page_type(p) != VM_T_USER ||
	    !(p->flags & PG_CACHED) || p->index != handle) {
		vm_violation(r, "mapping %u index %u: page %u is not its own",
			     n->mapping, vm_handle_index(vm, handle), pfn);
		return;
	}
	if ((n->dirty >> i & 1) != tagged_dirty(p))
		vm_violation(r, "page %u: dirty tag and flag differ", pfn);
	if ((n->wb >> i & 1) != ((p->flags & PG_WRITEBACK) != 0))
		vm_violation(r, "page %u: writeback tag and flag differ", pfn);
}

static void check_leaf_slot(struct vm *vm, struct report *r, u32 node, u32 i)
{
	const struct rnode *n = &vm->rnodes[node];
	u32 value = n->slot[i], slot = value & ~SLOT_SWAP;

	if (!(value & SLOT_SWAP)) {
		check_leaf_page(vm, r, node, i);
		return;
	}
	r->s->total.swap_slots++;
	if (slot >= vm->swap.nr || !vm->swap.map[slot])
		vm_violation(r, "mapping %u index %u: swap slot %u is free", n->mapping,
			     n->base << RN_SHIFT | i, slot);
	if ((n->dirty | n->wb) >> i & 1)
		vm_violation(r, "mapping %u index %u: a swap entry with a tag",
			     n->mapping, n->base << RN_SHIFT | i);
}

static void check_inner_slot(struct vm *vm, struct report *r, u32 node, u32 i)
{
	const struct rnode *n = &vm->rnodes[node];
	u32 child = n->slot[i] - 1;

	if (!node_used(vm, child) ||
	    vm->rnodes[child].parent != (node << RN_SHIFT | i)) {
		vm_violation(r, "node %u slot %u: bad child %u", node, i, child);
		return;
	}
	if ((n->dirty >> i & 1) != (vm->rnodes[child].dirty != 0))
		vm_violation(r, "node %u slot %u: dirty tag is not its child's", node,
			     i);
	if ((n->wb >> i & 1) != (vm->rnodes[child].wb != 0))
		vm_violation(r, "node %u slot %u: writeback tag is not its child's",
			     node, i);
}

static void check_slots(struct vm *vm, struct report *r, u32 node)
{
	const struct rnode *n = &vm->rnodes[node];
	u32 i, count = 0;

	for (i = 0; i < RN_SLOTS; i++) {
		if (!n->slot[i]) {
			if ((n->dirty | n->wb) >> i & 1)
				vm_violation(r, "node %u slot %u: empty, but tagged",
					     node, i);
			continue;
		}
		count++;
		if (n->height)
			check_inner_slot(vm, r, node, i);
		else
			check_leaf_slot(vm, r, node, i);
	}
	vm_same(r, count, n->count, "slots of node", node);
}

bool vm_verify_rnode(struct vm *vm, struct report *r)
{
	u32 node = r->v->cursor++;
	const struct rnode *n = &vm->rnodes[node];

	if (node >= vm->nr_slabs * RN_PER_SLAB)
		return false;
	if (!node_used(vm, node))
		return true;
	r->s->total.nodes++;
	if (in_pool(vm, node))
		return true;
	r->s->total.tree_nodes++;
	if (n->mapping >= vm->nr_mappings || !vm->mappings[n->mapping].used ||
	    n->kind != vm->slabs[node / RN_PER_SLAB].kind) {
		vm_violation(r, "node %u: of mapping %u, kind %u", node, n->mapping,
			     n->kind);
		return true;
	}
	if (!parent_ok(vm, n, node))
		vm_violation(r, "node %u: bad parent %u", node, n->parent);
	check_slots(vm, r, node);
	return true;
}

static void count_page(struct census *c, const struct page *p)
{
	c->pages++;
	c->dirty += tagged_dirty(p);
	c->writeback += (p->flags & PG_WRITEBACK) != 0;
	c->locked += (p->flags & PG_LOCKED) != 0;
}

static void count_leaf(struct vm *vm, struct census *c, const struct rnode *n)
{
	u32 i;

	for (i = 0; i < RN_SLOTS; i++) {
		if (n->slot[i] & SLOT_SWAP)
			c->swapped++;
		else if (n->slot[i])
			count_page(c, &vm->pages[n->slot[i] - 1]);
	}
}

/* The leaf that was used last, kept to find its neighbours faster. */
static bool last_leaf_ok(struct vm *vm, const struct mapping *m, u32 id)
{
	const struct rnode *n = &vm->rnodes[m->leaf];

	return m->leaf == NONE || (node_used(vm, m->leaf) && n->mapping == id &&
				   !n->height && n->base == m->leaf_base);
}

static void compare_census(struct report *r, const struct mapping *m, u32 id)
{
	const struct census *c = &r->s->census;

	vm_same(r, c->pages, m->nrpages, "pages of mapping", id);
	vm_same(r, c->dirty, m->nr_dirty, "dirty pages of mapping", id);
	vm_same(r, c->writeback, m->nr_writeback, "pages under writeback of mapping",
		id);
	vm_same(r, c->locked, m->nr_locked, "locked pages of mapping", id);
	vm_same(r, c->swapped, m->nr_swapped, "swapped pages of mapping", id);
	r->s->total.mapping_nodes += m->nr_nodes;
	r->s->total.vmas_of_mappings += m->nr_vmas;
}

/*
 * One leaf of one mapping. Follows the links of the tree, therefore only where
 * the phases before found nothing wrong.
 */
bool vm_verify_mapping(struct vm *vm, struct report *r)
{
	u32 id = r->v->cursor, handle = 0;
	struct census *c = &r->s->census;
	struct mapping *m = &vm->mappings[id];

	if (id >= vm->nr_mappings || r->v->violations)
		return false;
	if (m->used && !c->done && vm_tree_next(vm, m, &c->index, &handle)) {
		const struct rnode *n = &vm->rnodes[handle >> RN_SHIFT];

		count_leaf(vm, c, n);
		c->index = (n->base + 1) << RN_SHIFT;
		c->done = !c->index;
		return true;
	}
	if (m->used && !last_leaf_ok(vm, m, id))
		vm_violation(r, "mapping %u: remembers leaf %u", id, m->leaf);
	if (m->used)
		compare_census(r, m, id);
	*c = (struct census){ 0 };
	r->v->cursor++;
	return true;
}
