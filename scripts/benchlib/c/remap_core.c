/*
 * remap_core.c - the C part of the rows about remap: fill a zone, close it, empty it
 *
 * usage: remap_core LOG2_PAGES fresh|build|remap|naive [MACHINE_LOG2_PAGES [ZONES]]
 *
 * The pages are those of one zone, or of as many zones of the same size.
 * Every page of the zone goes to another one: by vm_migrate(), as a remap has it done,
 * or by the oracle of the tests, linked lists and trees gone down for each page. No
 * page has bytes: what moves is a stamp, or a page of a file whose bytes were put
 * away. Prints pages moved, CPU time and a hash of the end state, which is the same
 * for both. After "fresh", page frames in the order in which they are given out, it
 * also prints what the pages in use take of the host's memory.
 */
#define _GNU_SOURCE
#include "fill.h"

#include "naive_migrate.h"

#define TARGET 2u /* of the oracle, which moves one zone */

enum way { WAY_FRESH, WAY_BUILD, WAY_REMAP, WAY_NAIVE };

static const char *const ways[] = { "fresh", "build", "remap", "naive" };

static uint64_t rss_bytes(void)
{
	unsigned long long size, rss;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm || fscanf(statm, "%llu %llu", &size, &rss) != 2)
		die("/proc/self/statm");
	fclose(statm);
	return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint32_t in_use(const struct vm *vm)
{
	uint32_t zid, nr = 0;

	for (zid = 0; zid < vm->nr_zones; zid++)
		nr += vm->zones[zid].managed - vm->zones[zid].item[NR_FREE] -
		      vm->zones[zid].item[NR_PCP];
	return nr;
}

static __attribute__((noinline)) void remap(struct vm *vm, struct vm_migrate *mig)
{
	int rc;

	do
		rc = vm_migrate(vm, mig, STEP);
	while (rc == VM_MORE);
	if (rc != VM_DONE || mig->nr_hold)
		die("vm_migrate");
}

static __attribute__((noinline)) uint64_t naive(struct vm *vm, struct vm_migrate *mig)
{
	struct naive_lru lru[TARGET + 1] = { 0 };
	struct naive_mig nm = { vm, mig, lru };
	uint64_t ns;
	uint32_t zid;

	for (zid = ZONE; zid <= TARGET; zid++) {
		if (naive_init(&lru[zid], vm->max_pfn))
			die("malloc");
		naive_load(&lru[zid], vm, zid);
	}
	ns = cpu_ns();
	if (naive_migrate(&nm) != VM_DONE || mig->nr_hold)
		die("naive_migrate");
	ns = cpu_ns() - ns;
	for (zid = ZONE; zid <= TARGET; zid++) {
		naive_store(&lru[zid], vm, zid);
		naive_exit(&lru[zid]);
	}
	return ns;
}

static uint64_t run(struct vm *vm, uint32_t zid, uint32_t target, enum way way,
		    uint64_t *moved)
{
	struct vm_migrate mig = { .zid = zid, .nr_targets = 1, .target = { target } };
	uint64_t ns = 0;

	if (way == WAY_NAIVE)
		ns = naive(vm, &mig);
	if (way == WAY_REMAP) {
		ns = cpu_ns();
		remap(vm, &mig);
		ns = cpu_ns() - ns;
	}
	*moved += mig.moved;
	return ns;
}

struct args {
	uint32_t nr, all, zones; /* pages of a zone, of the machine; zones that move */
	enum way way;
};

static struct args parse(int argc, char **argv)
{
	uint32_t bits = argc > 2 ? (uint32_t)atoi(argv[1]) : 0, way = 0;
	uint32_t zones = argc > 4 ? (uint32_t)atoi(argv[4]) : 1;

	while (argc > 2 && way <= WAY_NAIVE && strcmp(argv[2], ways[way]))
		way++;
	if (bits < 12 || bits > 26 || way > WAY_NAIVE || !zones ||
	    (zones > 1 && way == WAY_NAIVE)) {
		fprintf(stderr, "usage: %s LOG2_PAGES(12..26) %s [LOG2 [ZONES]]\n",
			argv[0], "fresh|build|remap|naive");
		exit(2);
	}
	return (struct args){ (1u << bits) / zones,
			      argc > 3 ? 1u << atoi(argv[3]) : 3u << bits, zones,
			      (enum way)way };
}

/* Zones 1 to n are filled, one after another, and closed. */
static struct vm *filled(const struct args *args)
{
	struct vm *vm = machine(args->all, 1 + 2 * args->zones, args->nr);
	struct fill f = { .vm = vm, .stamps = true, .fresh = args->way == WAY_FRESH };
	uint64_t rss = rss_bytes();

	f.nr = args->nr - 256;
	for (f.zid = ZONE; f.zid < ZONE + args->zones; f.zid++) {
		users_go_to(vm, f.zid);
		fill(&f);
	}
	if (f.fresh)
		printf("rss %llu\nin_use %u\n", (unsigned long long)(rss_bytes() - rss),
		       in_use(vm));
	for (f.zid = ZONE; f.zid < ZONE + args->zones; f.zid++)
		close_gate(vm, f.zid, f.zid + args->zones);
	return vm;
}

int main(int argc, char **argv)
{
	struct args args = parse(argc, argv);
	struct vm *vm = filled(&args);
	uint64_t ns = 0, moved = 0;
	uint32_t zid;

	for (zid = ZONE; zid < ZONE + args.zones; zid++) {
		ns += run(vm, zid, zid + args.zones, args.way, &moved);
		vm_drain_pcp(vm, zid);
	}
	printf("cpu_ns %llu\nmoved %llu\nhash %llu\n", (unsigned long long)ns,
	       (unsigned long long)moved, (unsigned long long)vm_state_hash(vm));
	return 0;
}
