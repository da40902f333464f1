/*
 * scan_bare.c - the inactive scan with nothing around it: what the host can give
 *
 * The hardware probe of row "scan": pfns in an array, one prefetch, one look at
 * the flags, the page's fate written down. No counters, no rules, no lists that
 * anything else could change. Neither memfs nor the kernel could be this short.
 */
#include "scan.h"

#define AHEAD 32u

struct page {
	uint32_t flags, pos, rmap, index;
};

struct arrays {
	struct page *pages;
	uint32_t *order, *active, *inactive;
	uint32_t nr, nr_active, nr_inactive;
};

static void *array(size_t nr, size_t size, uint32_t pages, int small)
{
	void *mem = scan_alloc(nr * size, pages, small);

	/* Written once, so that no page fault is timed. */
	memset(mem, 0, nr * size);
	return mem;
}

static void build(struct arrays *a, struct scan_args args)
{
	uint32_t i;

	a->nr = args.nr;
	a->pages = array(args.nr, sizeof(*a->pages), args.nr, args.small);
	a->order = array(args.nr + AHEAD, sizeof(*a->order), args.nr, args.small);
	a->active = array(args.nr, sizeof(*a->active), args.nr, args.small);
	a->inactive = array(args.nr, sizeof(*a->inactive), args.nr, args.small);
	for (i = 0; i < args.nr; i++) {
		a->order[i] = shuffled(i, args.bits);
		a->pages[a->order[i]].flags = fate_of(a->order[i]) + 1;
	}
}

static void scan(struct arrays *a)
{
	uint32_t i;

	for (i = 0; i < a->nr; i++) {
		uint32_t pfn = a->order[i];
		struct page *p = &a->pages[pfn];

		__builtin_prefetch(&a->pages[a->order[i + AHEAD]], 1);
		if (p->flags == FATE_FREE + 1) {
			*p = (struct page){ 0 };
		} else if (p->flags == FATE_ACTIVATE + 1) {
			p->pos = a->nr_active;
			a->active[a->nr_active++] = pfn;
		} else {
			p->pos = a->nr_inactive;
			a->inactive[a->nr_inactive++] = pfn;
		}
	}
}

int main(int argc, char **argv)
{
	struct scan_args args = parse_args(argc, argv);
	struct arrays a = { 0 };
	struct outcome o = { 0 };
	uint32_t i;

	build(&a, args);
	o.cpu_ns = cpu_ns();
	if (!args.only_build)
		scan(&a);
	o.cpu_ns = cpu_ns() - o.cpu_ns;
	o.activated = a.nr_active;
	o.rotated = a.nr_inactive;
	o.freed = args.nr - a.nr_active - a.nr_inactive;
	for (i = 0; i < a.nr_active; i++)
		o.hash = hash_pfn(o.hash, a.active[i]);
	for (i = 0; i < a.nr_inactive; i++)
		o.hash = hash_pfn(o.hash, a.inactive[i]);
	print_outcome(&o);
	return 0;
}
