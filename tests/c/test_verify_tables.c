/*
 * test_verify_tables.c - vm_verify() names damage to what refers to pages
 *
 * Page tables, chains, tasks, the index, swap, requests: one field at a time.
 */
#include "damage.h"

/* ---- who maps what ---- */

BREAK(pte_gone, POKE(vm->ptes[page(mapped_page(RMAP_SINGLE, 0, 0))->rmap], PTE_NONE))
static void d_pte_other(void)
{
	u32 pte = page(mapped_page(RMAP_SINGLE, PG_ANON, 0))->rmap;

	POKE(vm->ptes[pte], (vm->ptes[pte] & ~PTE_PFN) | user_page(PG_CACHED, 0));
}

BREAK(rmap, POKE(page(mapped_page(RMAP_NONE, PG_LRU, 0))->rmap, 5))
static void d_rmap_other(void)
{
	POKE(page(mapped_page(RMAP_SINGLE, PG_ANON, 0))->rmap,
	     page(mapped_page(RMAP_SINGLE, PG_CACHED, 0))->rmap);
}

static struct chain *chain(void)
{
	return &vm->chains[page(mapped_page(RMAP_CHAIN, 0, 0))->rmap];
}

BREAK(chain_nr, POKE(chain()->nr, chain()->nr + CHAIN_PTES))
BREAK(chain_short, POKE(chain()->nr, 1))
BREAK(free_chains, POKE(vm->free_chain, 0xffffff))
BREAK(chain_pte, POKE(chain()->pte[0], page(mapped_page(RMAP_SINGLE, 0, 0))->rmap))
BREAK(chain_next, POKE(chain()->next, 3))
BREAK(chains_used, POKE(vm->used_chains, vm->used_chains + 1))

/* A PTE of a private area on a page of the file itself. */
static void d_writable(void)
{
	for (u32 idx = 0; idx < AREA_PAGES; idx++) {
		u32 t = vm->vmas[sc.area[5]].ptb[idx >> PTB_SHIFT], *pte;

		if (t == NONE)
			continue;
		pte = pte_of(vm, sc.area[5], idx);
		if (*pte & PTE_PRESENT && !(page(*pte & PTE_PFN)->flags & PG_ANON)) {
			POKE(*pte, *pte | PTE_WRITE);
			return;
		}
	}
	FAIL("no page of the file in the private area");
}

/* A PTE of an area that may only read. */
static void d_read_only(void)
{
	u32 idx = 0;

	while (!(*pte_of(vm, second, idx) & PTE_PRESENT))
		idx++;
	POKE(*pte_of(vm, second, idx), *pte_of(vm, second, idx) | PTE_WRITE);
}

/* The last page table of an area covers more than the area has. */
static void d_behind_area(void) { POKE(*pte_of(vm, sc.area[0], AREA_PAGES), PTE_ZERO); }

BREAK(area_mm, POKE(vm->vmas[sc.area[0]].mm, 1000))
BREAK(area_list, POKE(task()->vmas, 4000))
BREAK(table_live, POKE(table()->live, table()->live + 1))
BREAK(table_vma, POKE(table()->vma, sc.area[1]))
BREAK(table_pfn, POKE(table()->pfn, 0))
BREAK(rss, POKE(task()->rss, task()->rss + 1))
BREAK(anon_rss, POKE(task()->anon_rss, task()->anon_rss - 1))
BREAK(mm_swap, POKE(task()->swap, task()->swap + 1))
BREAK(mm_tables, POKE(task()->page_tables, 0))
BREAK(mm_total, POKE(task()->total_vm, 5))
BREAK(mm_vmas, POKE(task()->nr_vmas, 2))
BREAK(pte_type, POKE(vm->ptes[swap_pte()], 0x30000001))
BREAK(pte_slot, POKE(vm->ptes[swap_pte()], PTE_SWAP | free_slot()))

/* ---- the index ---- */

BREAK(node_count, POKE(vm->rnodes[node(true)].count, 65))
BREAK(node_parent, POKE(vm->rnodes[node(true)].parent, 0xfffff))
BREAK(node_base, POKE(vm->rnodes[node(true)].base, 12345))
BREAK(node_mapping, POKE(vm->rnodes[node(true)].mapping, 4000))
static void d_node_child(void)
{
	struct rnode *n = &vm->rnodes[node(false)];

	for (u32 i = 0; i < RN_SLOTS; i++)
		if (n->slot[i]) {
			POKE(n->slot[i], n->slot[i] + 1);
			return;
		}
}

static void d_leaf_page(void)
{
	u32 n = node(true);

	for (u32 i = 0; i < RN_SLOTS; i++)
		if (vm->rnodes[n].slot[i]) {
			POKE(vm->rnodes[n].slot[i], 1);
			return;
		}
}

static void d_inner_tag(void)
{
	struct rnode *n = &vm->rnodes[node(false)];

	for (u32 i = 0; i < RN_SLOTS; i++)
		if (n->slot[i]) {
			POKE(n->wb, n->wb ^ 1ull << i);
			return;
		}
}

static void d_empty_tag(void)
{
	u32 n = node(false);

	POKE(vm->rnodes[n].dirty, vm->rnodes[n].dirty | 1ull << empty_slot(n));
}

/* The slot of a tmpfs page that is in swap: &slot, and its node. */
static u32 *swapped_slot(struct rnode **node, u32 *i)
{
	for (u32 n = 0; n < vm->nr_slabs * RN_PER_SLAB; n++)
		for (*i = 0; *i < RN_SLOTS; ++*i) {
			*node = &vm->rnodes[n];
			if ((*node)->mapping == sc.file[NR_FILES - 1] &&
			    !(*node)->height && (*node)->slot[*i] & SLOT_SWAP)
				return &(*node)->slot[*i];
		}
	FAIL("no tmpfs page in swap");
}

static void d_swapped_slot(void)
{
	struct rnode *n;
	u32 i;

	POKE(*swapped_slot(&n, &i), SLOT_SWAP | free_slot());
}

static void d_swapped_tag(void)
{
	struct rnode *n;
	u32 i;

	swapped_slot(&n, &i);
	POKE(n->dirty, n->dirty | 1ull << i);
}

static void d_inner_dirty(void)
{
	struct rnode *n = &vm->rnodes[node(false)];

	POKE(n->dirty, n->dirty & (n->dirty - 1));
}

BREAK(slab_page, POKE(vm->slabs[0].pfn, NONE))
BREAK(slab_none, POKE(vm->slabs[node(true) / RN_PER_SLAB].used, 1u << RN_PER_SLAB))
BREAK(nrpages, POKE(file()->nrpages, file()->nrpages + 1))
BREAK(nr_dirty, POKE(file()->nr_dirty, file()->nr_dirty + 1))
BREAK(nr_writeback, POKE(file()->nr_writeback, file()->nr_writeback - 1))
BREAK(nr_locked, POKE(file()->nr_locked, file()->nr_locked - 1))
BREAK(nr_swapped, POKE(file()->nr_swapped, 3))
BREAK(nr_nodes, POKE(file()->nr_nodes, file()->nr_nodes + 1))
BREAK(nr_vmas, POKE(file()->nr_vmas, 77))
static void d_leaf_cache(void)
{
	POKE(file()->leaf, node(true));
	POKE(file()->leaf_base, 0xffffff);
}

BREAK(root, POKE(file()->root, file()->root + 1))

static void d_slab_used(void)
{
	for (u32 s = 0; s < vm->nr_slabs; s++)
		if (vm->slabs[s].live && vm->slabs[s].used != (1u << RN_PER_SLAB) - 1) {
			POKE(vm->slabs[s].used, (1u << RN_PER_SLAB) - 1);
			return;
		}
	FAIL("all slabs are full");
}

BREAK(slab_pfn, POKE(vm->slabs[node(true) / RN_PER_SLAB].pfn, 0))
BREAK(slab_dead, POKE(vm->slabs[node(true) / RN_PER_SLAB].live, 0))

static void d_slab_list(void)
{
	CHECK(vm->partial[VM_K_RADIX] != NONE);
	POKE(vm->partial[VM_K_RADIX], NONE);
}

/* ---- swap, devices ---- */

static void d_slot_refs(void)
{
	u32 slot = vm->ptes[swap_pte()] & PTE_PFN;

	POKE(vm->swap.map[slot], vm->swap.map[slot] + 1);
}

BREAK(slot_cache, POKE(vm->swap.cache[page(user_page(PG_SWAPCACHE, 0))->index], 0))
BREAK(swap_used, POKE(vm->swap.used, vm->swap.used + 1))
BREAK(swap_cached, POKE(vm->swap.cached, vm->swap.cached - 1))
BREAK(cluster, POKE(vm->swap.cluster[2], vm->swap.cluster[2] + 1))
BREAK(slot_zero, POKE(vm->swap.map[0], 1))
BREAK(req_page,
      POKE(vm->reqs[request()].pfn[0], user_page(PG_LRU, PG_LOCKED | PG_WRITEBACK)))
BREAK(req_index, POKE(vm->reqs[request()].index, 4000000))
BREAK(req_nr, POKE(vm->reqs[request()].nr, 0))
BREAK(req_dev, POKE(vm->reqs[request()].dev, VM_DEV_SWAP))
static void d_req_lost(void)
{
	POKE(vm->dev[VM_DEV_DISK].queued.head, vm->reqs[request()].next);
}

BREAK(req_tail, POKE(vm->dev[VM_DEV_DISK].queued.tail, NONE))
BREAK(req_link, POKE(vm->reqs[vm->dev[VM_DEV_DISK].queued.tail].next, 0xfffff))
BREAK(dev_count, POKE(vm->dev[VM_DEV_DISK].count[1], 0))
BREAK(dev_reads, POKE(vm->dev[VM_DEV_DISK].count[0], 9999))
BREAK(revoking, POKE(vm->nr_revoking, vm->nr_revoking + 1))
BREAK(isolated, POKE(vm->nr_isolated, vm->nr_isolated + 1))

static const struct damage damages[] = {
	D(chain_short, "bad chain"),
	D(free_chains, "free chain blocks: bad link"),
	D(read_only, "may write in a read-only area"),
	D(behind_area, "behind the end of its area"),
	D(area_mm, "of address space 1000"),
	D(area_list, "bad area 4000"),
	D(swapped_slot, "is free"),
	D(swapped_tag, "a swap entry with a tag"),
	D(inner_dirty, "dirty tag is not its child's"),
	D(slab_page, "page 4294967295"),
	D(slab_none, "nodes in use 0x4000"),
	D(pte_gone, "does not map it"),
	D(pte_other, "does not map it"),
	D(rmap, "not mapped, but by 5"),
	D(rmap_other, "does not name it"),
	D(chain_nr, "PTEs short"),
	D(chain_pte, "does not map it"),
	D(chain_next, "chain"),
	D(chains_used, "chain blocks"),
	D(writable, "which is shared"),
	D(table_live, "entries of page table"),
	D(table_vma, "page table"),
	D(table_pfn, "page table"),
	D(rss, "resident pages of task"),
	D(anon_rss, "anonymous pages of task"),
	D(mm_swap, "swapped pages of task"),
	D(mm_tables, "page tables of task"),
	D(mm_total, "sum of its areas"),
	D(mm_vmas, "areas of task"),
	D(pte_type, "value 0x30000001"),
	D(pte_slot, "is free"),
	D(node_count, "slots of node"),
	D(node_parent, "bad parent"),
	D(node_base, "bad parent"),
	D(node_mapping, "of mapping 4000"),
	D(node_child, "bad child"),
	D(leaf_page, "page 0 is not its own"),
	D(inner_tag, "writeback tag is not its child's"),
	D(empty_tag, "empty, but tagged"),
	D(nrpages, ": counter"),
	D(nr_dirty, "dirty pages of mapping"),
	D(nr_writeback, "pages under writeback of mapping"),
	D(nr_locked, "locked pages of mapping"),
	D(nr_swapped, "swapped pages of mapping"),
	D(nr_nodes, "index nodes of mappings"),
	D(nr_vmas, "areas of mappings"),
	D(leaf_cache, "remembers leaf"),
	D(root, "bad parent"),
	D(slab_used, "node"),
	D(slab_pfn, "slab"),
	D(slab_dead, "not of owner"),
	D(slab_list, "is on no list"),
	D(slot_refs, "swap references"),
	D(slot_cache, "does not name it"),
	D(swap_used, "swap slots in use"),
	D(swap_cached, "swap slots with a page"),
	D(cluster, "of swap cluster 2"),
	D(slot_zero, "swap slot 0 is in use"),
	D(req_page, "is not in transfer"),
	D(req_index, "is not in transfer"),
	D(req_nr, "0 pages"),
	D(req_dev, "device 1"),
	D(req_lost, "requests"),
	D(req_tail, "tail"),
	D(req_link, "bad link"),
	D(dev_count, "writes of device 0"),
	D(dev_reads, "reads of device 0"),
	D(revoking, "pages that are asked back"),
	D(isolated, "isolated sections"),
};

static void test_every_damage_is_named(void)
{
	run_damages(damages, ARRAY_SIZE(damages));
}

int main(void)
{
	RUN(test_every_damage_is_named);
	return 0;
}
