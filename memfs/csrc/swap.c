/*
 * swap.c - slots of the swap area and the pages that cache them
 *
 * A slot is in use while a PTE or a tmpfs index refers to it (map) or a page
 * caches it. Slots are given out in runs of 256 so that what is evicted
 * together lies together.
 *
 * Models: mm/swapfile.c scan_swap_map(), swap_free(); mm/swap_state.c, 2.6.0.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "swap_slots.h"

static int swap_bytes(struct vm *vm, u32 pages, int fd)
{
	struct swap_area *s = &vm->swap;
	struct arena *a = &vm->arenas[vm->nr_arenas];
	size_t bytes = (size_t)pages * PAGE_SIZE;

	if (fd < 0 || !pages) {
		s->bytes = vm_arena(vm, bytes);
		return s->bytes ? 0 : -ENOMEM;
	}
	if (vm->nr_arenas == ARRAY_SIZE(vm->arenas))
		return -ENOMEM;
	a->mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (a->mem == MAP_FAILED)
		return -errno;
	a->bytes = bytes;
	vm->nr_arenas++;
	s->bytes = a->mem;
	return 0;
}

/*
 * vm_swap_size - the swap area, once, before anything is swapped
 * @pages: slots; slot 0 holds the header and is never used
 * @fd:    host file of that size to keep the contents in, or -1: memory
 */
int vm_swap_size(struct vm *vm, uint32_t pages, int fd)
{
	struct swap_area *s = &vm->swap;
	u32 clusters = pages / SWAP_CLUSTER + 1;
	int rc;

	if (s->used || s->cached)
		return -EBUSY;
	if (pages >= 1u << 28)
		return -EINVAL;
	rc = swap_bytes(vm, pages, fd);
	if (rc)
		return rc;
	s->fd = fd;
	s->map = vm_arena(vm, (size_t)pages * sizeof(u16));
	s->cache = vm_arena(vm, (size_t)pages * sizeof(u32));
	s->stamp = vm_arena(vm, (size_t)pages * sizeof(u32));
	s->cluster = vm_arena(vm, clusters * sizeof(u16));
	s->ahead = vm_arena(vm, pages);
	s->has_bytes = vm_arena(vm, pages);
	if (!s->map || !s->cache || !s->stamp || !s->cluster || !s->ahead ||
	    !s->has_bytes)
		return -ENOMEM;
	s->nr = pages;
	if (pages)
		s->cluster[0] = 1;
	s->hint = 1;
	return 0;
}

void vm_swap_stat(struct vm *vm, uint32_t *total, uint32_t *used, uint32_t *cached)
{
	*total = vm->swap.nr ? vm->swap.nr - 1 : 0;
	*used = vm->swap.used;
	*cached = vm->swap.cached;
}

static bool find_cluster(struct swap_area *s)
{
	u32 nr = s->nr / SWAP_CLUSTER;
	u32 first = s->hint / SWAP_CLUSTER;
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 c = (first + i) % nr;

		if (s->cluster[c] == 0) {
			s->hint = c * SWAP_CLUSTER;
			s->cluster_left = SWAP_CLUSTER;
			return true;
		}
	}
	return false;
}

static u32 find_any(struct swap_area *s)
{
	u32 i;

	for (i = 0; i < s->nr; i++) {
		u32 slot = (s->hint + i) % s->nr;

		if (slot == 0)
			continue;
		if (swap_slot_free(s, slot))
			return slot;
		if (slot % SWAP_CLUSTER == 0 &&
		    s->cluster[slot / SWAP_CLUSTER] == SWAP_CLUSTER)
			i += SWAP_CLUSTER - 1;
	}
	return NONE;
}

u32 vm_swap_alloc(struct vm *vm)
{
	struct swap_area *s = &vm->swap;
	u32 slot;

	if (!s->nr || s->used >= s->nr - 1)
		return NONE;
	if (!swap_slot_ahead(s))
		s->cluster_left = 0;
	if (!s->cluster_left)
		find_cluster(s);
	if (s->cluster_left) {
		s->cluster_left--;
		slot = s->hint;
	} else {
		slot = find_any(s);
	}
	if (slot == NONE)
		return NONE;
	swap_slot_take(s, slot);
	return slot;
}

/* Nobody refers to the slot and no page caches it: it is free again. */
void vm_swap_release(struct vm *vm, u32 slot)
{
	struct swap_area *s = &vm->swap;

	if (!swap_slot_free(s, slot))
		return;
	s->used--;
	s->cluster[slot / SWAP_CLUSTER]--;
	s->stamp[slot] = 0;
	if (s->has_bytes[slot]) {
		s->has_bytes[slot] = 0;
		if (s->fd < 0)
			madvise(s->bytes + (size_t)slot * PAGE_SIZE, PAGE_SIZE,
				MADV_DONTNEED);
	}
}

/* A page that only caches a slot nobody wants is of no use to anybody. */
static void drop_orphan(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 held = page_extra(p) - ((p->flags & PG_PAGEVEC) != 0);

	if (p->flags & (PG_LOCKED | PG_WRITEBACK) || page_mapped(p) || held)
		return;
	vm_swap_cache_del(vm, pfn);
	vm_put_page(vm, pfn, false);
}

/* Drop one reference; as free_swap_and_cache(). */
void vm_swap_free(struct vm *vm, u32 slot)
{
	struct swap_area *s = &vm->swap;

	VM_BUG_ON(!s->map[slot]);
	if (--s->map[slot])
		return;
	if (s->cache[slot])
		drop_orphan(vm, s->cache[slot] - 1);
	else
		vm_swap_release(vm, slot);
}

int vm_swap_cache_add(struct vm *vm, u32 pfn, u32 slot)
{
	struct page *p = &vm->pages[pfn];

	vm->swap.cache[slot] = pfn + 1;
	vm->swap.cached++;
	p->flags |= PG_SWAPCACHE;
	p->index = slot;
	page_zone(vm, pfn)->item[NR_SWAPCACHE]++;
	return 0;
}

void vm_swap_cache_del(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];
	u32 slot = p->index;

	swap_cache_clear(&vm->swap, slot);
	p->flags &= ~(u32)(PG_SWAPCACHE | PG_DIRTY);
	p->index = 0;
	page_zone(vm, pfn)->item[NR_SWAPCACHE]--;
	vm_swap_release(vm, slot);
}

/* Locked, and empty, until the disk has brought it. */
static int start_read(struct vm *vm, u32 slot, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	p->flags |= PG_LOCKED;
	p->flags &= ~(u32)PG_ERROR;
	page_zone(vm, pfn)->item[NR_LOCKED]++;
	return vm_submit(vm, VM_DEV_SWAP, false, VM_SWAP_MAPPING, slot, pfn);
}

/*
 * vm_swap_submit_read - bring a slot into the swap cache
 *
 * A page whose reading failed is read again. Return: VM_DONE (on its way, or there
 * already), VM_NOMEM, VM_WAIT for room in the queue, -ENOENT for a slot that nobody
 * refers to.
 */
int vm_swap_submit_read(struct vm *vm, uint32_t slot)
{
	struct swap_area *s = &vm->swap;
	struct page *p;
	u32 pfn;

	if (slot == 0 || slot >= s->nr || !s->map[slot])
		return -ENOENT;
	pfn = s->cache[slot] - 1;
	if (s->cache[slot] && vm->pages[pfn].flags & (PG_UPTODATE | PG_LOCKED))
		return VM_DONE;
	if (!vm_dev_room(vm, VM_DEV_SWAP, false)) {
		vm->need.dev = VM_DEV_SWAP;
		return VM_WAIT;
	}
	if (s->cache[slot])
		return start_read(vm, slot, pfn);
	pfn = vm_alloc_user(vm, 0);
	if (pfn == NONE)
		return VM_NOMEM;
	p = &vm->pages[pfn];
	p->flags |= PG_SWAPBACKED;
	if (!s->has_bytes[slot]) {
		p->flags |= PG_ANON;
		page_zone(vm, pfn)->item[NR_ANON]++;
	}
	vm_swap_cache_add(vm, pfn, slot);
	vm_lru_cache_add(vm, pfn, LRU_ACTIVE);
	return start_read(vm, slot, pfn);
}

/*
 * vm_swap_read_ahead - bring a slot into the swap cache that may be wanted soon
 *
 * Only a page that was not there is counted. Return: as vm_swap_submit_read().
 *
 * Models: mm/swap_state.c swap_cluster_readahead(), 6.1, for what it counts.
 */
int vm_swap_read_ahead(struct vm *vm, uint32_t slot)
{
	const bool cached = slot < vm->swap.nr && vm->swap.cache[slot];
	int rc = vm_swap_submit_read(vm, slot);

	if (rc == VM_DONE && !cached) {
		vm->swap.ahead[slot] = 1;
		vm->event[EV_SWAP_RA]++;
	}
	return rc;
}
