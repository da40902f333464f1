/*
 * purge_core.c - the C part of row "purge": fill a zone, close it, empty it
 *
 * What balance_pgdat() does of a closed zone, without the policy in Python and
 * without a mount: for counting instructions and finding what costs them. Time
 * is virtual; the file lies in memory. Prints pages freed, CPU time and a hash
 * of the end state, which no speed-up may change.
 */
#define _GNU_SOURCE
#include "fill.h"

#define DEF_PRIORITY 12u

/* As shrink_zone() of a closed gate: all of the active list, then the other. */
static void shrink_zone(struct vm *vm, uint32_t want, uint32_t max_scan,
			struct vm_reclaim *sum)
{
	struct vm_reclaim rc = { .zid = ZONE,
				 .kswapd = 1,
				 .may_fs = 1,
				 .may_io = 1,
				 .reclaim_mapped = 1,
				 .nr_pages = want,
				 .max_scan = max_scan };
	uint32_t nr = item(vm, NR_ACTIVE);
	int rc_code;

	while (vm_refill(vm, &rc, &nr, STEP) == VM_MORE)
		;
	while ((rc_code = vm_shrink(vm, &rc, STEP)) != VM_DONE)
		if (rc_code == VM_WAIT)
			vm_advance(vm, vm_next_event(vm));
	sum->scanned += rc.scanned;
	sum->freed += rc.freed;
	sum->written += rc.written;
}

static __attribute__((noinline)) void purge(struct vm *vm, uint32_t nr,
					    struct vm_reclaim *sum)
{
	uint32_t priority, want, max_scan, inactive;

	for (priority = DEF_PRIORITY; priority; priority--) {
		want = nr - item(vm, NR_FREE);
		if (!want)
			break;
		inactive = item(vm, NR_INACTIVE);
		max_scan = inactive >> priority > 2 * want ? inactive >> priority :
							     2 * want;
		shrink_zone(vm, want, max_scan, sum);
		drain_devices(vm);
	}
	vm_drain_pcp(vm, ZONE);
}

int main(int argc, char **argv)
{
	struct scan_args args = parse_args(argc, argv);
	struct vm *vm = machine(2 * args.nr, 2, args.nr);
	struct fill f = { .vm = vm, .zid = ZONE, .nr = args.nr - 256 };
	struct vm_reclaim sum = { 0 };
	struct outcome o = { 0 };
	uint32_t before;

	fill(&f);
	close_gate(vm, ZONE, 0);
	before = item(vm, NR_FREE);
	vm_mapping_fd(vm, f.file, open("/dev/null", O_RDWR));
	vm_set_horizon(vm, UINT64_MAX - 1);
	o.cpu_ns = cpu_ns();
	if (!args.only_build)
		purge(vm, args.nr, &sum);
	o.cpu_ns = cpu_ns() - o.cpu_ns;
	o.freed = item(vm, NR_FREE) - before;
	o.rotated = sum.written;
	o.activated = sum.scanned;
	o.hash = vm_state_hash(vm);
	print_outcome(&o);
	return 0;
}
