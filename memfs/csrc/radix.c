/*
 * radix.c - which page holds which page of a file
 *
 * A 64-way tree of index nodes with dirty and writeback tags. A page keeps the
 * handle of its slot (node << 6 | slot), so that it is replaced in place and
 * its tags survive by construction. Nodes are kernel memory: 14 to a page.
 *
 * Models: lib/radix-tree.c, 2.6.6 (the first with tags).
 */
#include "vm_int.h"

#define MAX_HEIGHT 6u

/* ---- nodes out of slabs ---- */

static void partial_add(struct vm *vm, u32 s)
{
	struct slab *slab = &vm->slabs[s];
	u32 head = vm->partial[slab->kind];

	slab->prev = NONE;
	slab->next = head;
	if (head != NONE)
		vm->slabs[head].prev = s;
	vm->partial[slab->kind] = s;
}

static void partial_del(struct vm *vm, u32 s)
{
	struct slab *slab = &vm->slabs[s];

	if (slab->prev == NONE)
		vm->partial[slab->kind] = slab->next;
	else
		vm->slabs[slab->prev].next = slab->next;
	if (slab->next != NONE)
		vm->slabs[slab->next].prev = slab->prev;
}

static u32 slab_id(struct vm *vm)
{
	u32 s = vm->free_slab;

	if (s != NONE) {
		vm->free_slab = vm->slabs[s].next;
		return s;
	}
	return vm->nr_slabs < vm->max_slabs ? vm->nr_slabs++ : NONE;
}

static void slab_id_put(struct vm *vm, u32 s)
{
	vm->slabs[s].live = 0;
	vm->slabs[s].next = vm->free_slab;
	vm->free_slab = s;
}

static u32 slab_grow(struct vm *vm, u32 kind)
{
	u32 s = slab_id(vm);

	if (s == NONE)
		return NONE;
	vm->slabs[s].pfn = vm_alloc_kernel(vm, kind, s);
	if (vm->slabs[s].pfn == NONE) {
		slab_id_put(vm, s);
		return NONE;
	}
	vm->slabs[s].kind = (u8)kind;
	vm->slabs[s].used = 0;
	vm->slabs[s].live = 1;
	partial_add(vm, s);
	return s;
}

static u32 node_alloc(struct vm *vm, u32 kind)
{
	u32 s = vm->partial[kind];
	u32 bit;

	if (s == NONE)
		s = slab_grow(vm, kind);
	if (s == NONE)
		return NONE;
	bit = (u32)__builtin_ctz(~(u32)vm->slabs[s].used);
	vm->slabs[s].used = (u16)(vm->slabs[s].used | 1u << bit);
	if (vm->slabs[s].used == (1u << RN_PER_SLAB) - 1)
		partial_del(vm, s);
	return s * RN_PER_SLAB + bit;
}

static void node_free(struct vm *vm, u32 node)
{
	u32 s = node / RN_PER_SLAB;
	struct slab *slab = &vm->slabs[s];

	if (slab->used == (1u << RN_PER_SLAB) - 1)
		partial_add(vm, s);
	slab->used = (u16)(slab->used & ~(1u << node % RN_PER_SLAB));
	if (slab->used)
		return;
	partial_del(vm, s);
	vm_free_kernel(vm, slab->pfn);
	slab_id_put(vm, s);
}

/* ---- the tree ---- */

static u32 mapping_kind(const struct mapping *m)
{
	return m->kind == VM_MAP_SHM ? VM_K_SHMEMDIR : VM_K_RADIX;
}

static bool height_covers(u32 height, u32 index)
{
	return height >= MAX_HEIGHT || (u64)index < 1ull << height * RN_SHIFT;
}

static u32 height_for(u32 index)
{
	u32 height = 1;

	while (!height_covers(height, index))
		height++;
	return height;
}

static u32 slot_at(u32 index, u32 level)
{
	return index >> level * RN_SHIFT & (RN_SLOTS - 1);
}

/* The leaf that covers index, or NONE. */
static u32 find_leaf(struct vm *vm, struct mapping *m, u32 index)
{
	u32 level, node;

	if (m->leaf != NONE && m->leaf_base == index >> RN_SHIFT)
		return m->leaf;
	if (!m->root || !height_covers(m->height, index))
		return NONE;
	node = m->root - 1;
	for (level = m->height - 1; level; level--) {
		u32 child = vm->rnodes[node].slot[slot_at(index, level)];

		if (!child)
			return NONE;
		node = child - 1;
	}
	m->leaf = node;
	m->leaf_base = index >> RN_SHIFT;
	return node;
}

struct page *vm_tree_page(struct vm *vm, struct mapping *m, u32 index, u32 *slot)
{
	u32 leaf = find_leaf(vm, m, index);
	u32 value = leaf == NONE ? 0 : vm->rnodes[leaf].slot[slot_at(index, 0)];

	if (slot)
		*slot = value;
	return value && !(value & SLOT_SWAP) ? &vm->pages[value - 1] : NULL;
}

/* How many nodes are missing on the way to index. */
static u32 nodes_missing(struct vm *vm, const struct mapping *m, u32 index)
{
	u32 want = height_for(index);
	u32 level, node;

	if (!m->root)
		return want;
	if (!height_covers(m->height, index))
		return (want - m->height) + want - 1;
	node = m->root - 1;
	for (level = m->height - 1; level; level--) {
		u32 child = vm->rnodes[node].slot[slot_at(index, level)];

		if (!child)
			return level;
		node = child - 1;
	}
	return 0;
}

/* As radix_tree_preload(): an insertion after this cannot fail. */
int vm_tree_reserve(struct vm *vm, struct mapping *m, u32 index)
{
	struct node_pool *pool = &vm->pool[mapping_kind(m)];
	u32 missing, node;

	if (find_leaf(vm, m, index) != NONE)
		return 0;
	missing = nodes_missing(vm, m, index);
	while (pool->nr < missing) {
		node = node_alloc(vm, mapping_kind(m));
		if (node == NONE)
			return VM_NOMEM;
		pool->id[pool->nr++] = node;
	}
	return 0;
}

static u32 node_new(struct vm *vm, struct mapping *m, u32 parent, u32 index, u32 level)
{
	struct node_pool *pool = &vm->pool[mapping_kind(m)];
	u32 id = pool->id[--pool->nr];
	struct rnode *n = &vm->rnodes[id];
	u32 i;

	for (i = 0; i < RN_SLOTS; i++)
		n->slot[i] = 0;
	n->dirty = n->wb = 0;
	n->parent = parent;
	n->mapping = (u32)(m - vm->mappings);
	n->base = index >> RN_SHIFT;
	if (level)
		n->base = level >= MAX_HEIGHT - 1 ?
				  0 :
				  n->base >> level * RN_SHIFT << level * RN_SHIFT;
	n->count = 0;
	n->height = (u8)level;
	n->kind = (u8)mapping_kind(m);
	m->nr_nodes++;
	return id;
}

static void grow_root(struct vm *vm, struct mapping *m)
{
	u32 id = node_new(vm, m, NONE, 0, m->height);
	struct rnode *n = &vm->rnodes[id];
	struct rnode *old = &vm->rnodes[m->root - 1];

	n->slot[0] = m->root;
	n->count = 1;
	n->dirty = old->dirty != 0;
	n->wb = old->wb != 0;
	old->parent = id << RN_SHIFT;
	m->root = id + 1;
	m->height++;
}

static u32 make_leaf(struct vm *vm, struct mapping *m, u32 index)
{
	u32 level, node;

	if (!m->root) {
		m->height = height_for(index);
		m->root = node_new(vm, m, NONE, index, m->height - 1) + 1;
	}
	while (!height_covers(m->height, index))
		grow_root(vm, m);
	node = m->root - 1;
	for (level = m->height - 1; level; level--) {
		u32 slot = slot_at(index, level);
		u32 child = vm->rnodes[node].slot[slot];

		if (!child) {
			child = node_new(vm, m, node << RN_SHIFT | slot, index,
					 level - 1) +
				1;
			vm->rnodes[node].slot[slot] = child;
			vm->rnodes[node].count++;
		}
		node = child - 1;
	}
	m->leaf = node;
	m->leaf_base = index >> RN_SHIFT;
	return node;
}

u32 vm_tree_insert(struct vm *vm, struct mapping *m, u32 index, u32 value)
{
	u32 leaf = find_leaf(vm, m, index);
	u32 slot = slot_at(index, 0);

	if (leaf == NONE)
		leaf = make_leaf(vm, m, index);
	vm->rnodes[leaf].slot[slot] = value;
	vm->rnodes[leaf].count++;
	return leaf << RN_SHIFT | slot;
}

/* Set or clear a tag; an inner node's tag says that one below has it. */
void vm_tree_tag(struct vm *vm, u32 handle, u32 wb, bool set)
{
	while (handle != NONE) {
		struct rnode *n = &vm->rnodes[handle >> RN_SHIFT];
		u64 *tags = wb ? &n->wb : &n->dirty;
		u64 bit = 1ull << (handle & (RN_SLOTS - 1));
		bool before = *tags != 0;

		*tags = set ? *tags | bit : *tags & ~bit;
		if (set ? before : *tags != 0)
			return;
		handle = n->parent;
	}
}

/* Empty a slot whose tags are clear; nodes without a slot in use go. */
void vm_tree_delete(struct vm *vm, u32 handle)
{
	struct mapping *m = vm_handle_mapping(vm, handle);

	*vm_slot(vm, handle) = 0;
	while (--vm->rnodes[handle >> RN_SHIFT].count == 0) {
		u32 node = handle >> RN_SHIFT;

		handle = vm->rnodes[node].parent;
		if (m->leaf == node)
			m->leaf = NONE;
		node_free(vm, node);
		m->nr_nodes--;
		if (handle == NONE) {
			m->root = 0;
			m->height = 0;
			return;
		}
		*vm_slot(vm, handle) = 0;
	}
}

static u64 used_slots(const struct rnode *n)
{
	u64 mask = 0;
	u32 i;

	for (i = 0; i < RN_SLOTS; i++)
		mask |= (u64)(n->slot[i] != 0) << i;
	return mask;
}

/* First slot at or after *index among those that are used, or dirty. */
static bool tree_next(struct vm *vm, struct mapping *m, u32 *index, u32 *handle,
		      bool dirty)
{
	u64 at = *index;

	while (m->root &&
	       (at >> RN_SHIFT * m->height == 0 || m->height >= MAX_HEIGHT) &&
	       at < 1ull << 32) {
		u32 node = m->root - 1;
		u32 level = m->height - 1;

		for (;;) {
			const struct rnode *n = &vm->rnodes[node];
			u64 mask = dirty ? n->dirty : used_slots(n);
			u32 slot = slot_at((u32)at, level);
			u32 found;

			mask &= ~0ull << slot;
			if (!mask)
				break;
			found = (u32)__builtin_ctzll(mask);
			if (found != slot)
				at = (at >> (level + 1) * RN_SHIFT
						    << (level + 1) * RN_SHIFT) |
				     (u64)found << level * RN_SHIFT;
			if (!level) {
				*index = (u32)at;
				*handle = node << RN_SHIFT | found;
				return true;
			}
			node = n->slot[found] - 1;
			level--;
		}
		at = ((at >> (level + 1) * RN_SHIFT) + 1) << (level + 1) * RN_SHIFT;
	}
	return false;
}

bool vm_tree_next(struct vm *vm, struct mapping *m, u32 *index, u32 *handle)
{
	return tree_next(vm, m, index, handle, false);
}

bool vm_tree_next_dirty(struct vm *vm, struct mapping *m, u32 *index, u32 *handle)
{
	return tree_next(vm, m, index, handle, true);
}
