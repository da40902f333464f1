/*
 * compact.c - defragmentation: used pages go to the end of their zone
 *
 * One scanner runs up from the zone's start and finds pages that can move, one
 * down from its end and finds free pages; where they meet there is no more to do.
 * What lies below is in large free blocks, but for pages that cannot move. It is
 * an easy try: a page that refuses is passed over. A page that moves keeps its very
 * place on its list.
 *
 * Departure: the kernel isolates pages in batches and puts them back at the
 * lists' heads. 2004's coalesce_memory() began at free blocks and gathered their
 * neighbours, which succeeds the less the shorter memory is.
 *
 * Models: mm/compaction.c compact_zone(), 2.6.35 and later; coalesce_memory(),
 * Tosatti, 2004, for its check before the move.
 */
#include <errno.h>

#include "migrate.h"
#include "stream.h"

_Static_assert(ARRAY_SIZE(((struct vm_compact *)0)->reason) >= NR_REASONS,
	       "a count for each reason");

static void start(struct vm_compact *c, const struct zone *z)
{
	if (c->running)
		return;
	c->running = 1;
	c->migrate_pfn = z->start;
	c->free_pfn = z->end;
}

/* A block that is as large as was wanted. */
static bool found(struct vm *vm, struct zone *z, u32 order)
{
	u32 o;

	for (o = order; o < VM_MAX_ORDER; o++)
		if (vm_area_nr(vm, z, o))
			return true;
	return false;
}

/* Why it stays; WHY_NONE for a page that can move or that there is nothing of. */
static enum vm_reason refuses(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];
	enum vm_reason why = vm_move_blocked(p, 0);

	if (why)
		return why;
	if (!(p->flags & PG_LRU))
		return WHY_PAGEVEC;
	if (p->flags & PG_CLIENTMAPPED)
		return WHY_MAPPED;
	if (p->flags & PG_FALLBACK && (p->flags & (PG_PRIVATE | PG_DIRTY | RMAP_MASK)))
		return WHY_BUFFERS;
	if (!(p->flags & PG_ANON) && !vm_frame_at_hand(vm, pfn))
		return WHY_IO_ERROR;
	return WHY_NONE;
}

/* Whether the page is free and can be had: the zone's own, its block not isolated. */
static bool free_in(struct vm *vm, const struct zone *z, u32 pfn)
{
	u32 type = page_type(&vm->pages[pfn]);

	return (type == VM_T_FREE || type == VM_T_BUDDY) && page_zone(vm, pfn) == z &&
	       !page_isolated(vm, pfn);
}

/* The last free page between the scanners, or NONE; they have met then. */
static u32 last_free(struct vm *vm, const struct zone *z, struct vm_compact *c,
		     u32 *budget)
{
	while (c->free_pfn - 1 > c->migrate_pfn) {
		if (free_in(vm, z, c->free_pfn - 1))
			return c->free_pfn - 1;
		c->free_pfn--;
		c->free_scanned++;
		if (!*budget)
			return NONE;
		--*budget;
	}
	return NONE;
}

/* The new page takes the old one's place on its list. */
static void take_place(struct vm *vm, u32 old, u32 new)
{
	const u32 pos = vm->pages[old].pos;

	vm->segs[pos >> SEG_SHIFT].slot[pos & (SEG_SIZE - 1)] = new;
	vm->pages[new].pos = pos;
	vm->pages[new].flags |= PG_LRU;
}

static bool move(struct vm *vm, struct zone *z, u32 old, u32 new)
{
	bool copied;

	vm_buddy_take(vm, z, new);
	copied = vm_move_page(vm, z, z, old, new);
	take_place(vm, old, new);
	if (vm->pages[old].flags & PG_ANON)
		vm->stamps[old] = POISON;
	frame_freed(vm, old);
	vm->pages[old] = (struct page){ 0 };
	vm_buddy_free(vm, z, old, 0);
	vm->event[EV_PGMIGRATE_SUCCESS]++;
	vm->event[EV_COMPACT_ISOLATED] += 2;
	return copied;
}

/* Page migrate_pfn: moved, passed over, or left for the next step. */
static void look(struct vm *vm, struct zone *z, struct vm_compact *c, u32 *budget)
{
	const u32 pfn = c->migrate_pfn, type = page_type(&vm->pages[pfn]);
	const u32 until = vm_virgin_until(z, pfn);
	enum vm_reason why = WHY_NONE;
	u32 new;

	/* A block that nobody ever took is free. */
	if (until > pfn) {
		c->migrate_pfn = until;
		return;
	}
	if (type == VM_T_BUDDY) {
		c->migrate_pfn += 1u << page_extra(&vm->pages[pfn]);
		return;
	}
	if (type == VM_T_USER || type == VM_T_KERNEL || type == VM_T_HWPOISON)
		why = refuses(vm, pfn);
	if (!why && type == VM_T_USER) {
		new = last_free(vm, z, c, budget);
		if (new == NONE)
			return;
		c->free_pfn = new;
		c->moved++;
		if (move(vm, z, pfn, new))
			*budget -= min_t(u32, *budget, COPY_COST);
	}
	c->failed += why != WHY_NONE;
	c->reason[why] += why != WHY_NONE;
	c->migrate_pfn++;
	c->migrate_scanned++;
}

/*
 * vm_compact - a step of the defragmentation of a zone
 * @c:      zid, order: what would be enough, VM_MAX_ORDER for the whole zone
 * @budget: pages in this call, about
 *
 * The per-CPU lists should have been drained. Return: VM_DONE (the scanners have
 * met, or a block of the order is free), VM_MORE, -ENODEV.
 */
int vm_compact(struct vm *vm, struct vm_compact *c, uint32_t budget)
{
	u64 scanned[2] = { c->migrate_scanned, c->free_scanned };
	struct zone *z;

	if (!zone_ok(vm, c->zid))
		return -ENODEV;
	z = &vm->zones[c->zid];
	start(c, z);
	vm_frames_settle(vm);
	while (c->migrate_pfn + 1 < c->free_pfn && !found(vm, z, c->order) && budget) {
		u32 pfn = vm_zone_next(vm, z, c->migrate_pfn);

		c->migrate_pfn = pfn == NONE ? c->free_pfn : pfn;
		if (c->migrate_pfn >= c->free_pfn)
			break;
		budget--;
		look(vm, z, c, &budget);
	}
	stream_end();
	vm->event[EV_COMPACT_MIGRATE_SCANNED] += c->migrate_scanned - scanned[0];
	vm->event[EV_COMPACT_FREE_SCANNED] += c->free_scanned - scanned[1];
	return budget ? VM_DONE : VM_MORE;
}
