/*
 * lru.c - the two LRU lists of a zone, as rings of pfns
 *
 * A list is a row of segments of 1024 places. A page knows its place, so it
 * is taken out of the middle by leaving a tombstone; the order is exactly that
 * of the kernel's linked list, but a scan reads an array and can prefetch.
 * Segments that become sparse are joined with a neighbour.
 *
 * Models: mm/swap.c lru_cache_add(), mark_page_accessed(),
 * rotate_reclaimable_page(), __page_cache_release(), 2.6.0.
 */
#include "lru_count.h"
#include "lru_ring.h"

static u32 seg_new(struct vm *vm, u32 lo)
{
	u32 s = vm->free_seg;

	if (s != NONE) {
		vm->free_seg = vm->segs[s].next;
	} else {
		VM_BUG_ON(vm->nr_segs == vm->max_segs);
		s = vm->nr_segs++;
		vm->segs[s].first = s << SEG_SHIFT;
	}
	vm->segs[s].next = vm->segs[s].prev = NONE;
	vm->segs[s].lo = vm->segs[s].hi = lo;
	vm->segs[s].live = 0;
	return s;
}

static void seg_unlink(struct vm *vm, struct lru *lru, u32 s)
{
	struct seg *seg = &vm->segs[s];

	if (seg->next == NONE)
		lru->head = seg->prev;
	else
		vm->segs[seg->next].prev = seg->prev;
	if (seg->prev == NONE)
		lru->tail = seg->next;
	else
		vm->segs[seg->prev].next = seg->next;
	seg->next = vm->free_seg;
	vm->free_seg = s;
}

static void place(struct vm *vm, u32 s, u32 off, u32 pfn)
{
	vm->segs[s].slot[off] = pfn;
	vm->pages[pfn].pos = vm->segs[s].first | off;
}

/* What lives in segment s, oldest first. Return: how many. */
static u32 seg_gather(struct vm *vm, u32 s, u32 *pfns)
{
	const struct seg *seg = &vm->segs[s];
	u32 i, n = 0;

	for (i = seg->lo; i < seg->hi; i++)
		if (seg->slot[i] != NONE)
			pfns[n++] = seg->slot[i];
	return n;
}

/* In the middle of the segment, so that there is room at both ends. */
static void seg_spread(struct vm *vm, u32 s, const u32 *pfns, u32 n)
{
	struct seg *seg = &vm->segs[s];
	u32 i;

	seg->lo = (SEG_SIZE - n) / 2;
	seg->hi = seg->lo + n;
	seg->live = n;
	for (i = 0; i < n; i++)
		place(vm, s, seg->lo + i, pfns[i]);
}

/* The older of two sparse neighbours takes both; the newer is freed. */
static void seg_join(struct vm *vm, struct lru *lru, u32 older, u32 newer)
{
	u32 pfns[JOIN_LIVE];
	u32 n = seg_gather(vm, older, pfns);

	n += seg_gather(vm, newer, pfns + n);
	seg_spread(vm, older, pfns, n);
	seg_unlink(vm, lru, newer);
}

static bool join_neighbour(struct vm *vm, struct lru *lru, u32 s)
{
	const struct seg *seg = &vm->segs[s];

	if (seg->next != NONE && seg->live + vm->segs[seg->next].live <= JOIN_LIVE)
		seg_join(vm, lru, s, seg->next);
	else if (seg->prev != NONE && seg->live + vm->segs[seg->prev].live <= JOIN_LIVE)
		seg_join(vm, lru, seg->prev, s);
	else
		return false;
	return true;
}

/*
 * A segment at an end of the ring has no place left there. If tombstones take
 * the room, they go: else pages that only pass through would leave a row of
 * almost empty segments behind, more than the pool has.
 */
static void seg_tidy(struct vm *vm, struct lru *lru, u32 s)
{
	u32 pfns[JOIN_LIVE];

	if (vm->segs[s].live <= JOIN_LIVE && !join_neighbour(vm, lru, s))
		seg_spread(vm, s, pfns, seg_gather(vm, s, pfns));
}

static void new_head(struct vm *vm, struct lru *lru)
{
	u32 s = lru->head;
	u32 n = seg_new(vm, 0);

	vm->segs[n].prev = s;
	if (s == NONE)
		lru->tail = n;
	else
		vm->segs[s].next = n;
	lru->head = n;
}

static void new_tail(struct vm *vm, struct lru *lru)
{
	u32 s = lru->tail;
	u32 n = seg_new(vm, SEG_SIZE);

	vm->segs[n].next = s;
	if (s == NONE)
		lru->head = n;
	else
		vm->segs[s].prev = n;
	lru->tail = n;
}

/* A head with a free place: its segment. */
u32 vm_lru_new_head(struct vm *vm, struct lru *lru)
{
	if (lru->head != NONE)
		seg_tidy(vm, lru, lru->head);
	if (lru->head == NONE || vm->segs[lru->head].hi == SEG_SIZE)
		new_head(vm, lru);
	return lru->head;
}

/* Nothing lives in the tail's segment any more. */
void vm_lru_end_tail(struct vm *vm, struct lru *lru)
{
	seg_unlink(vm, lru, lru->tail);
}

/* A tail with a free place: its segment. */
u32 vm_lru_new_tail(struct vm *vm, struct lru *lru)
{
	if (lru->tail != NONE)
		seg_tidy(vm, lru, lru->tail);
	if (lru->tail == NONE || vm->segs[lru->tail].lo == 0)
		new_tail(vm, lru);
	return lru->tail;
}

/* A segment has become thin: it goes, or is joined with a neighbour. */
void vm_lru_thin(struct vm *vm, struct lru *lru, u32 s)
{
	if (vm->segs[s].live == 0)
		seg_unlink(vm, lru, s);
	else
		join_neighbour(vm, lru, s);
}

/* Take the oldest page off; its flags and the zone's counters stay. */
u32 vm_lru_pop(struct vm *vm, struct lru *lru)
{
	return lru->nr ? ring_pop(vm, lru) : NONE;
}

void vm_lru_add(struct vm *vm, struct zone *z, u32 pfn, u32 active)
{
	struct page *p = &vm->pages[pfn];

	p->flags |= active ? PG_LRU | PG_ACTIVE : PG_LRU;
	count_on(z, p, active, 1);
	ring_push(vm, &z->lru[active], pfn);
}

void vm_lru_add_tail(struct vm *vm, struct zone *z, u32 pfn, u32 active)
{
	struct page *p = &vm->pages[pfn];

	p->flags |= active ? PG_LRU | PG_ACTIVE : PG_LRU;
	count_on(z, p, active, 1);
	ring_add_tail(vm, &z->lru[active], p, pfn);
}

void vm_lru_del(struct vm *vm, struct zone *z, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 active = (p->flags & PG_ACTIVE) != 0;

	count_on(z, p, active, (u32)-1);
	ring_del(vm, &z->lru[active], p);
	p->flags &= ~(u32)(PG_LRU | PG_ACTIVE);
}

/* Pages on their way to a list wait in the CPU's pagevec, one reference each. */
void vm_lru_cache_add(struct vm *vm, u32 pfn, u32 active)
{
	struct pagevec *pv = &vm->pv[vm->cpu][active];
	struct page *p = &vm->pages[pfn];

	p->flags = (p->flags | PG_PAGEVEC) + EXTRA_ONE;
	p->pos = vm->cpu << 8 | active << 7 | pv->nr;
	page_zone(vm, pfn)->item[NR_PAGEVEC]++;
	pv->pfn[pv->nr++] = pfn;
	if (pv->nr == PAGEVEC)
		vm_lru_drain_cpu(vm, vm->cpu);
}

static void drain_one(struct vm *vm, u32 pfn, u32 active)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z = page_zone(vm, pfn);

	p->flags = (p->flags & ~(u32)PG_PAGEVEC) - EXTRA_ONE;
	z->item[NR_PAGEVEC]--;
	if (page_cached(p) || page_mapped(p) || page_extra(p))
		vm_lru_add(vm, z, pfn, active);
	else
		vm_put_page(vm, pfn, false);
}

void vm_lru_drain_cpu(struct vm *vm, u32 cpu)
{
	u32 active, i;

	for (active = 0; active < 2; active++) {
		struct pagevec *pv = &vm->pv[cpu][active];
		u32 nr = pv->nr;

		pv->nr = 0;
		for (i = 0; i < nr; i++)
			drain_one(vm, pv->pfn[i], active);
	}
}

void vm_drain_pagevecs(struct vm *vm)
{
	u32 cpu;

	for (cpu = 0; cpu < vm->nr_cpus; cpu++)
		vm_lru_drain_cpu(vm, cpu);
}

void vm_mark_accessed(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	const u32 lru = p->flags & (PG_LRU | PG_ACTIVE);

	if (!(p->flags & PG_REFERENCED)) {
		p->flags |= PG_REFERENCED;
	} else if (lru == PG_LRU) {
		struct zone *z = page_zone(vm, pfn);

		vm_lru_del(vm, z, pfn);
		vm_lru_add(vm, z, pfn, LRU_ACTIVE);
		p->flags &= ~(u32)PG_REFERENCED;
		vm->event[EV_PGACTIVATE]++;
	}
}

/*
 * vm_put_page - a holder let go of a page
 *
 * Frees it when it is in no tree and not in the swap cache, not mapped and
 * held by nobody else. A page under I/O is in one of them until the end.
 */
void vm_put_page(struct vm *vm, u32 pfn, bool cold)
{
	struct page *p = &vm->pages[pfn];
	struct zone *z;

	if (page_cached(p) || page_mapped(p) || page_extra(p))
		return;
	z = page_zone(vm, pfn);
	if (p->flags & PG_LRU)
		vm_lru_del(vm, z, pfn);
	if (p->flags & PG_ANON)
		z->item[NR_ANON]--;
	if (p->flags & PG_MLOCKED)
		z->item[NR_MLOCKED]--;
	if (p->flags & PG_PRIVATE)
		z->item[NR_BUFFERS]--;
	vm_free_page_in(vm, z, pfn, cold);
}

/* Write-out for reclaim ended: next in line to be freed. */
void vm_rotate_reclaimable(struct vm *vm, struct zone *z, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	struct lru *lru;

	if ((p->flags & (PG_LOCKED | PG_DIRTY | PG_ACTIVE | PG_LRU)) != PG_LRU)
		return;
	lru = &z->lru[LRU_INACTIVE];
	ring_del(vm, lru, p);
	ring_add_tail(vm, lru, p, pfn);
	vm->event[EV_PGROTATED]++;
}

/* The first pages of a list, oldest first. Return: how many. */
uint32_t vm_lru_list(struct vm *vm, uint32_t zid, uint32_t active, uint32_t max,
		     uint32_t *pfns)
{
	const struct lru *lru;
	u32 s, i, n = 0;

	if (!zone_ok(vm, zid))
		return 0;
	lru = &vm->zones[zid].lru[active != 0];
	for (s = lru->tail; s != NONE; s = vm->segs[s].next)
		for (i = vm->segs[s].lo; i < vm->segs[s].hi && n < max; i++)
			if (vm->segs[s].slot[i] != NONE)
				pfns[n++] = vm->segs[s].slot[i];
	return n;
}
