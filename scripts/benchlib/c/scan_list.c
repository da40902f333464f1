/*
 * scan_list.c - the inactive scan over linked lists, the anchor of row "scan"
 *
 * As the kernel has it, with a page as small as ours: 16 bytes, two of its four
 * words links to the neighbours on its list. The next page's record is
 * prefetched as prefetchw_prev_lru_page() does, which is all that a list allows.
 * Its array has huge pages of the host where the product's has.
 */
#include "scan.h"

#define NONE 0xffffffffu

enum {
	P_LRU = 1 << 0,
	P_ACTIVE = 1 << 1,
	P_REFERENCED = 1 << 2,
	P_DIRTY = 1 << 3,
	P_LOCKED = 1 << 4,
	P_WRITEBACK = 1 << 5,
	P_CACHED = 1 << 6
};

struct page {
	uint32_t flags, next, prev, index;
};

_Static_assert(sizeof(struct page) == 16, "a page is 16 bytes");

struct list {
	uint32_t head, tail, nr;
};

static struct page *pages;
static struct list inactive = { NONE, NONE, 0 };
static struct list active = { NONE, NONE, 0 };

static void add_head(struct list *list, uint32_t pfn)
{
	struct page *p = &pages[pfn];

	p->prev = NONE;
	p->next = list->head;
	if (list->head == NONE)
		list->tail = pfn;
	else
		pages[list->head].prev = pfn;
	list->head = pfn;
	list->nr++;
}

static uint32_t take_tail(struct list *list)
{
	uint32_t pfn = list->tail;
	uint32_t prev = pages[pfn].prev;

	list->tail = prev;
	if (prev == NONE) {
		list->head = NONE;
	} else {
		__builtin_prefetch(&pages[prev], 1);
		pages[prev].next = NONE;
	}
	list->nr--;
	return pfn;
}

static void build(uint32_t bits)
{
	static const uint32_t flags[] = {
		[FATE_FREE] = P_LRU | P_CACHED,
		[FATE_ACTIVATE] = P_LRU | P_CACHED | P_REFERENCED,
		[FATE_ROTATE] = P_LRU | P_CACHED | P_DIRTY,
	};
	uint32_t i;

	for (i = 0; i < 1u << bits; i++) {
		uint32_t pfn = shuffled(i, bits);

		pages[pfn].flags = flags[fate_of(pfn)];
		add_head(&inactive, pfn);
	}
}

/* One page, in the order of shrink_list()'s questions. */
static void shrink_page(uint32_t pfn, struct outcome *o)
{
	struct page *p = &pages[pfn];

	if (p->flags & (P_LOCKED | P_WRITEBACK)) {
		add_head(&inactive, pfn);
	} else if (p->flags & P_REFERENCED) {
		p->flags = (p->flags & ~(uint32_t)P_REFERENCED) | P_ACTIVE;
		o->activated++;
		add_head(&active, pfn);
	} else if (p->flags & P_DIRTY) {
		p->flags = (p->flags & ~(uint32_t)P_DIRTY) | P_WRITEBACK;
		o->rotated++;
		add_head(&inactive, pfn);
	} else {
		*p = (struct page){ 0 };
		o->freed++;
	}
}

static uint64_t hash_list(uint64_t hash, const struct list *list)
{
	uint32_t pfn;

	for (pfn = list->tail; pfn != NONE; pfn = pages[pfn].prev)
		hash = hash_pfn(hash, pfn);
	return hash;
}

int main(int argc, char **argv)
{
	struct scan_args args = parse_args(argc, argv);
	struct outcome o = { 0 };
	uint32_t nth;

	pages = scan_alloc(args.nr * sizeof(*pages), args.nr, args.small);
	build(args.bits);
	o.cpu_ns = cpu_ns();
	for (nth = 0; nth < args.nr && !args.only_build; nth++)
		shrink_page(take_tail(&inactive), &o);
	o.cpu_ns = cpu_ns() - o.cpu_ns;
	o.hash = hash_list(hash_list(0, &active), &inactive);
	print_outcome(&o);
	return 0;
}
