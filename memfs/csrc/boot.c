/*
 * boot.c - a machine comes to be, and its settings
 *
 * Every per-page array is a private mapping that costs nothing until it is
 * touched, so that a machine of 1 TiB boots in microseconds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vm_int.h"

#define MAX_MAPPINGS (1u << 22)
#define MAX_VMAS (1u << 20)
#define MAX_MMS (1u << 18)
#define MAX_PTBS (1u << 22)
#define MAX_PINS (1u << 20)
#define MAX_HUGE_AREAS 4096u
#define MAX_REQS 8192u
#define HUGE_FROM (1u << 18)
#define HUGE_SIZE ((size_t)2 << 20)

/* A zeroed array that takes host memory only where it is touched. */
void *vm_arena(struct vm *vm, size_t bytes)
{
	struct arena *a = &vm->arenas[vm->nr_arenas];

	if (bytes == 0)
		bytes = PAGE_SIZE;
	if (vm->nr_arenas == ARRAY_SIZE(vm->arenas))
		return NULL;
	a->mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->mem == MAP_FAILED)
		return NULL;
	a->bytes = bytes;
	vm->nr_arenas++;
	return a->mem;
}

/*
 * An array that a scan goes through in random order: it would wait for the host's page
 * tables at each page.
 */
static void *random_arena(struct vm *vm, size_t bytes)
{
	void *mem;

	if (vm->max_pfn < HUGE_FROM)
		return vm_arena(vm, bytes);
	/* The host begins on a huge page what is a multiple of one. */
	if (bytes >= HUGE_SIZE / 2)
		bytes = (bytes + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
	mem = vm_arena(vm, bytes);
	if (mem)
		madvise(mem, bytes, MADV_HUGEPAGE);
	return mem;
}

static int boot_pages(struct vm *vm)
{
	const size_t block = 1u << (VM_MAX_ORDER - 1);
	size_t n = vm->max_pfn, whole = (n + block - 1) & ~(block - 1);

	/* A buddy behind the last page is there to be looked at. */
	vm->pages = random_arena(vm, whole * sizeof(struct page));
	vm->stamps = random_arena(vm, n * sizeof(u32));
	vm->frames = vm_arena(vm, n * PAGE_SIZE);
	vm->resident = random_arena(vm, n / 8 + 8);
	vm->spilled = random_arena(vm, n / 8 + 8);
	vm->sect_zid = vm_arena(vm, ((n >> SECTION_SHIFT) + 1) * sizeof(u16));
	if (!vm->pages || !vm->stamps || !vm->frames || !vm->resident || !vm->spilled ||
	    !vm->sect_zid)
		return -ENOMEM;
	vm->free_map = random_arena(vm, n / 8 + 8);
	vm->free_counted = vm_arena(vm, n / 8 + 8);
	vm->isolated = vm_arena(vm, (n >> SECTION_SHIFT) / 8 + 8);
	vm->pageblock = vm_arena(vm, (n >> PAGEBLOCK_ORDER) + 2);
	if (!vm->free_map || !vm->free_counted || !vm->isolated || !vm->pageblock)
		return -ENOMEM;
	memset(vm->sect_zid, 0xff, ((n >> SECTION_SHIFT) + 1) * sizeof(u16));
	return 0;
}

static int boot_lru(struct vm *vm)
{
	vm->max_segs = (vm->max_pfn >> 7) + 8 * vm->nr_zones + 64;
	vm->segs = random_arena(vm, (size_t)vm->max_segs * sizeof(struct seg));
	vm->free_seg = NONE;
	return vm->segs ? 0 : -ENOMEM;
}

static int boot_trees(struct vm *vm)
{
	u64 slabs = min_t(u64, vm->max_pfn, (1u << 26) / RN_PER_SLAB);
	u32 kind;

	vm->max_slabs = (u32)slabs;
	vm->revoke = vm_arena(vm, VM_REVOKE_MAX * sizeof(struct vm_revoke));
	vm->twins = vm_arena(vm, (size_t)NR_TWINS * PAGE_SIZE);
	vm->twin_pfn = vm_arena(vm, NR_TWINS * sizeof(u32));
	if (!vm->twins || !vm->twin_pfn)
		return -ENOMEM;
	vm->slabs = vm_arena(vm, slabs * sizeof(struct slab));
	vm->rnodes = random_arena(vm, slabs * RN_PER_SLAB * sizeof(struct rnode));
	vm->max_mappings = MAX_MAPPINGS;
	vm->mappings = vm_arena(vm, (size_t)MAX_MAPPINGS * sizeof(struct mapping));
	vm->free_slab = NONE;
	vm->free_mapping = NONE;
	for (kind = 0; kind < VM_NR_KERNEL_KINDS; kind++)
		vm->partial[kind] = NONE;
	return vm->slabs && vm->rnodes && vm->mappings && vm->revoke ? 0 : -ENOMEM;
}

static int boot_tasks(struct vm *vm)
{
	vm->max_ptbs = min_t(u32, MAX_PTBS, vm->max_pfn);
	vm->ptbs = vm_arena(vm, (size_t)vm->max_ptbs * sizeof(struct ptb));
	vm->ptes = random_arena(vm, (size_t)vm->max_ptbs * PTB_SIZE * sizeof(u32));
	vm->max_vmas = MAX_VMAS;
	vm->vmas = vm_arena(vm, (size_t)MAX_VMAS * sizeof(struct vma));
	vm->max_mms = MAX_MMS;
	vm->mms = vm_arena(vm, (size_t)MAX_MMS * sizeof(struct mm));
	vm->max_chains = 1u << 27;
	vm->chains = vm_arena(vm, (size_t)vm->max_chains * sizeof(struct chain));
	vm->free_ptb = NONE;
	vm->free_chain = NONE;
	return vm->ptbs && vm->ptes && vm->vmas && vm->mms && vm->chains ? 0 : -ENOMEM;
}

static int boot_huge(struct vm *vm)
{
	vm->max_huges = (vm->max_pfn >> 9) + 1;
	vm->huges = vm_arena(vm, vm->max_huges * sizeof(struct huge));
	vm->free_huge = NONE;
	vm->max_huge_areas = MAX_HUGE_AREAS;
	vm->huge_areas = vm_arena(vm, MAX_HUGE_AREAS * sizeof(struct huge_area));
	return vm->huges && vm->huge_areas ? 0 : -ENOMEM;
}

static int boot_pins(struct vm *vm)
{
	vm->max_pins = min_t(u32, MAX_PINS, vm->max_pfn);
	vm->pins = vm_arena(vm, (size_t)vm->max_pins * sizeof(struct pin));
	vm->free_pin = NONE;
	return vm->pins ? 0 : -ENOMEM;
}

static int boot_devices(struct vm *vm)
{
	const struct vm_dev_conf conf = { 1000000, 1000000000, 128, 32 };
	u32 i;

	vm->max_reqs = MAX_REQS;
	vm->reqs = vm_arena(vm, (size_t)MAX_REQS * sizeof(struct req));
	vm->free_req = NONE;
	for (i = 0; i < VM_NR_DEVS; i++) {
		vm->dev[i].queued.head = vm->dev[i].queued.tail = NONE;
		vm->dev[i].started.head = vm->dev[i].started.tail = NONE;
		vm->dev[i].conf = conf;
	}
	return vm->reqs ? 0 : -ENOMEM;
}

static int boot_zones(struct vm *vm)
{
	size_t nodes = vm->nr_nodes;

	vm->zones = vm_arena(vm, vm->nr_zones * sizeof(struct zone));
	vm->zonelists = vm_arena(vm, nodes * VM_NR_CLASSES * sizeof(struct zonelist));
	vm->distance = vm_arena(vm, nodes * nodes * sizeof(u32));
	vm->local_misses = vm_arena(vm, nodes * sizeof(u32));
	if (!vm->local_misses)
		return -ENOMEM;
	return vm->zones && vm->zonelists && vm->distance ? 0 : -ENOMEM;
}

static bool config_ok(const struct vm_config *c)
{
	return c->max_pfn && c->max_pfn <= 1u << 28 && c->nr_zones &&
	       c->nr_zones < 0xffff && c->nr_nodes && c->nr_nodes <= 1024 &&
	       c->nr_cpus && c->nr_cpus <= MAX_CPUS && c->swap_pages < 1u << 28 &&
	       c->batch <= VM_HOLD_MAX;
}

/*
 * vm_create - an empty machine: no zone is plugged
 *
 * Return: the machine, or NULL for a bad configuration or no host memory.
 */
struct vm *vm_create(const struct vm_config *conf)
{
	struct vm *vm;

	if (!config_ok(conf))
		return NULL;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return NULL;
	vm->conf = *conf;
	vm->max_pfn = conf->max_pfn;
	vm->nr_zones = conf->nr_zones;
	vm->nr_nodes = conf->nr_nodes;
	vm->nr_cpus = conf->nr_cpus;
	vm->batch = conf->batch ? conf->batch : 32;
	vm->rules = conf->rules;
	vm->closed_rules = conf->closed_rules;
	vm->touch_ns = 100;
	vm->spill_fd = -1;
	vm->swap.fd = -1;
	if (boot_pages(vm) || boot_lru(vm) || boot_trees(vm) || boot_tasks(vm) ||
	    boot_pins(vm) || boot_huge(vm) || boot_devices(vm) || boot_zones(vm) ||
	    vm_swap_size(vm, conf->swap_pages, -1)) {
		vm_destroy(vm);
		return NULL;
	}
	return vm;
}

static void free_vmas(struct vm *vm)
{
	u32 i;

	for (i = 0; vm->vmas && i < vm->nr_vmas; i++)
		free(vm->vmas[i].ptb);
}

static void free_huge_areas(struct vm *vm)
{
	u32 i;

	for (i = 0; vm->huge_areas && i < vm->nr_huge_areas; i++)
		free(vm->huge_areas[i].huge);
}

void vm_destroy(struct vm *vm)
{
	u32 i;

	if (!vm)
		return;
	free_vmas(vm);
	free_huge_areas(vm);
	for (i = 0; vm->zones && i < vm->nr_zones; i++) {
		free(vm->zones[i].pcp);
		free(vm->zones[i].rings);
		free(vm->zones[i].untouched);
	}
	for (i = 0; i < vm->nr_arenas; i++)
		munmap(vm->arenas[i].mem, vm->arenas[i].bytes);
	free(vm);
}

int vm_zonelist(struct vm *vm, u32 nid, u32 cls, u32 nr, const u32 *zids)
{
	struct zonelist *zl;
	u32 i;

	if (nid >= vm->nr_nodes || cls >= VM_NR_CLASSES || nr > ZONELIST_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++)
		if (!zone_ok(vm, zids[i]))
			return -EINVAL;
	zl = &vm->zonelists[nid * VM_NR_CLASSES + cls];
	zl->nr = nr;
	for (i = 0; i < nr; i++)
		zl->zid[i] = zids[i];
	return 0;
}

/* Pages that each zone of a zonelist keeps from requests of its class. */
int vm_zonelist_reserve(struct vm *vm, uint32_t nid, uint32_t cls, uint32_t nr,
			const uint32_t *pages)
{
	struct zonelist *zl;

	if (nid >= vm->nr_nodes || cls >= VM_NR_CLASSES)
		return -EINVAL;
	zl = &vm->zonelists[nid * VM_NR_CLASSES + cls];
	if (nr != zl->nr)
		return -EINVAL;
	memcpy(zl->reserve, pages, nr * sizeof(*pages));
	return 0;
}

int vm_cpu_node(struct vm *vm, u32 cpu, u32 nid)
{
	if (cpu >= vm->nr_cpus || nid >= vm->nr_nodes)
		return -EINVAL;
	vm->cpu_node[cpu] = nid;
	return 0;
}

int vm_distance(struct vm *vm, u32 from, u32 to, u32 distance)
{
	if (from >= vm->nr_nodes || to >= vm->nr_nodes)
		return -EINVAL;
	vm->distance[from * vm->nr_nodes + to] = distance;
	return 0;
}

void vm_set_cpu(struct vm *vm, u32 cpu)
{
	vm->cpu = cpu % vm->nr_cpus;
}

void vm_set_closed_rules(struct vm *vm, u32 rules)
{
	vm->closed_rules = rules;
}

void vm_set_touch_cost(struct vm *vm, u64 ns)
{
	vm->touch_ns = ns;
}

const struct vm_need *vm_needed(struct vm *vm)
{
	return &vm->need;
}

uint64_t vm_wakeups(struct vm *vm)
{
	u64 nodes = vm->wakeups;

	vm->wakeups = 0;
	return nodes;
}
