/*
 * scan_ring.c - the inactive scan of the product, memfs's side of row "scan"
 *
 * Linked with the core as it is. Three calls that leave the scan are cut off by
 * the linker (--wrap): freeing an index node, giving a free page to the allocator,
 * handing a dirty page to a device. What is timed is vm_shrink(): the rings,
 * prefetch, the decision table, all its counters, and a page's leave from its index.
 */
#include "scan.h"
#include "vm_int.h"

#define STEP 4096u

void __wrap_vm_cache_remove(struct vm *vm, u32 pfn);
void __wrap_vm_free_page_in(struct vm *vm, struct zone *z, u32 pfn, bool cold);
int __wrap_vm_writepage(struct vm *vm, u32 pfn, bool reclaim);

/* Called for a node's last page: this one is never empty. */
void __wrap_vm_cache_remove(struct vm *vm, u32 pfn)
{
	vm->rnodes[vm->pages[pfn].index >> RN_SHIFT].count = UINT16_MAX;
}

void __wrap_vm_free_page_in(struct vm *vm, struct zone *z, u32 pfn, bool cold)
{
	(void)z;
	(void)cold;
	vm->pages[pfn] = (struct page){ 0 };
}

int __wrap_vm_writepage(struct vm *vm, u32 pfn, bool reclaim)
{
	struct page *p = &vm->pages[pfn];

	(void)reclaim;
	p->flags = (p->flags & ~(u32)PG_DIRTY) | PG_WRITEBACK;
	return VM_DONE;
}

static struct vm *machine(u32 nr)
{
	const struct vm_config conf = {
		.max_pfn = nr,
		.nr_zones = 1,
		.nr_nodes = 1,
		.nr_cpus = 1,
		.batch = 32,
		.prefetch = 1,
	};
	struct vm *vm = vm_create(&conf);

	if (!vm || vm_zone_plug(vm, 0, 0, 0, 0, nr, nr, 0) || vm_zone_gate(vm, 0, 1) ||
	    vm_mapping_create(vm, VM_MAP_FILE) == VM_NO_ID)
		exit(1);
	return vm;
}

static void build(struct vm *vm, u32 bits)
{
	/* A referenced page is activated if it is in use: here, by the swap cache. */
	static const u32 flags[] = {
		[FATE_FREE] = PG_CACHED,
		[FATE_ACTIVATE] = PG_SWAPCACHE | PG_REFERENCED,
		[FATE_ROTATE] = PG_CACHED | PG_DIRTY,
	};
	u32 i;

	/* The index node of all of them; see __wrap_vm_cache_remove(). */
	vm->rnodes[0].count = UINT16_MAX;
	for (i = 0; i < 1u << bits; i++) {
		u32 pfn = shuffled(i, bits);

		vm->pages[pfn] = (struct page){ .flags = VM_T_USER | PG_UPTODATE |
							 flags[fate_of(pfn)] };
		vm_lru_add(vm, &vm->zones[0], pfn, LRU_INACTIVE);
	}
}

static __attribute__((noinline)) void scan(struct vm *vm, struct vm_reclaim *rc, u32 nr)
{
	rc->kswapd = rc->may_fs = rc->may_io = 1;
	rc->nr_pages = nr;
	rc->max_scan = nr;
	while (vm_shrink(vm, rc, STEP) == VM_MORE)
		;
}

static u64 hash_lists(struct vm *vm, u32 nr)
{
	u32 *pfns = malloc(nr * sizeof(*pfns));
	u64 hash = 0;
	int active;
	u32 i, n;

	if (!pfns)
		exit(1);
	for (active = 1; active >= 0; active--) {
		n = vm_lru_list(vm, 0, (u32)active, nr, pfns);
		for (i = 0; i < n; i++)
			hash = hash_pfn(hash, pfns[i]);
	}
	free(pfns);
	return hash;
}

int main(int argc, char **argv)
{
	struct scan_args args = parse_args(argc, argv);
	struct vm *vm = machine(args.nr);
	struct vm_reclaim rc = { 0 };
	struct outcome o = { 0 };

	build(vm, args.bits);
	o.cpu_ns = cpu_ns();
	if (!args.only_build)
		scan(vm, &rc, args.nr);
	o.cpu_ns = cpu_ns() - o.cpu_ns;
	o.activated = rc.activated;
	o.rotated = rc.written;
	o.freed = rc.freed;
	o.hash = hash_lists(vm, args.nr);
	print_outcome(&o);
	vm_destroy(vm);
	return 0;
}
