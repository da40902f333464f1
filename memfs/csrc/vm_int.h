/*
 * vm_int.h - the machine as the C core sees it
 *
 * Arrays without pointers: links are 32-bit pfns and indexes, so that a state
 * can be compared and hashed. All-zero memory means "free, never touched":
 * boot touches nothing that is not used.
 *
 *	core/page.h	what a frame is, 16 bytes
 *	core/zone.h	buddy lists, per-CPU lists, two LRU rings, counters
 *	core/index.h	64 slots of a page-cache index, with dirty and writeback tags
 *	core/task.h	page tables that know their area; areas and address spaces
 *	core/device.h	transfers and the devices that do them
 *	core/machine.h	all of it
 *
 * Here: what the files of the core offer each other.
 */
#ifndef VM_INT_H
#define VM_INT_H

#include "memfs.h"
#include "core/machine.h"

/* boot.c */
void *vm_arena(struct vm *vm, size_t bytes);

/* zone.c */
void vm_forget_range(struct vm *vm, u32 first,
		     u32 nr); /* the pages are as they were never touched */

/* pageblock.c */
void vm_pageblock_claim(struct vm *vm, struct zone *z, u32 pfn, u32 kind);

/* range.c */
void vm_range_take(struct vm *vm, struct zone *z, u32 first, u32 end);
void vm_range_drop(struct vm *vm, struct zone *z, u32 first, u32 end);
u32 vm_zone_next(struct vm *vm, const struct zone *z, u32 pfn);
bool vm_range_taken(struct vm *vm, u32 first, u32 end);

/* 2.6's count, derived: cache + buffers + PTEs + extra (page-layout.md). */
u32 vm_mapcount(struct vm *vm, const struct page *p);

/* buddy.c */
void vm_buddy_init(struct zone *z);
int vm_buddy_fill(struct vm *vm, struct zone *z, u32 first,
		  u32 end); /* free pages that were never touched come */
int vm_virgin_add(struct zone *z, u32 pfn, u32 nr);
int vm_virgin_room(struct zone *z);
void vm_virgin_end_range(struct vm *vm, struct zone *z, u32 first, u32 end);
u32 vm_virgin_until(const struct zone *z,
		    u32 pfn); /* where the untouched blocks around it end; pfn: none */
u32 vm_rmqueue(struct vm *vm, struct zone *z, u32 order);
u32 vm_rmqueue_many(struct vm *vm, struct zone *z, u32 *pfns, u32 nr);
void vm_buddy_free(struct vm *vm, struct zone *z, u32 pfn, u32 order);
u32 vm_area_nr(struct vm *vm, struct zone *z, u32 order);
void vm_buddy_take(struct vm *vm, struct zone *z,
		   u32 pfn); /* this page out of the free block that it is in */

/* freemap.c */
void vm_freemap_begin(struct vm *vm, struct zone *z);
void vm_freemap_end(struct vm *vm, struct zone *z);
void vm_freemap_settle(struct vm *vm, struct zone *z);
void vm_freemap_free(struct vm *vm, struct zone *z, u32 pfn, u32 order);
u32 vm_freemap_next(struct vm *vm, const struct zone *z, u32 *pfn);

/* pcp.c */
u32 vm_alloc_page(struct vm *vm, u32 cls, u32 order,
		  u32 flags); /* type 0 pages; VM_NO_PFN: vm->need is set */
u32 vm_alloc_zonelist(struct vm *vm, const struct zonelist *zl, u32 order,
		      u32 flags); /* the same from given zones; need is not set */
u32 vm_alloc_user(struct vm *vm, u32 flags);		 /* type VM_T_USER */
u32 vm_alloc_kernel(struct vm *vm, u32 kind, u32 owner); /* type VM_T_KERNEL */
void vm_free_kernel(struct vm *vm, u32 pfn);
void vm_free_page(struct vm *vm, u32 pfn, bool cold); /* order 0, nothing left on it */
void vm_free_page_in(struct vm *vm, struct zone *z, u32 pfn, bool cold);

/* bulk.c */
u32 vm_alloc_many(struct vm *vm, const struct zonelist *zl, u32 *pfns, u32 nr,
		  struct zone **zone);
void vm_free_many(struct vm *vm, struct zone *z, const u32 *pfns, u32 nr);
bool vm_plenty(struct vm *vm, u32 cls, u32 nr);

/* lru.c */
void vm_lru_add(struct vm *vm, struct zone *z, u32 pfn, u32 active);
void vm_lru_add_tail(struct vm *vm, struct zone *z, u32 pfn, u32 active);
void vm_lru_del(struct vm *vm, struct zone *z, u32 pfn);
u32 vm_lru_pop(struct vm *vm,
	       struct lru *lru); /* oldest pfn; the page is not touched */
void vm_lru_cache_add(struct vm *vm, u32 pfn, u32 active); /* through the pagevec */
void vm_lru_drain_cpu(struct vm *vm, u32 cpu);
void vm_mark_accessed(struct vm *vm, u32 pfn);
void vm_put_page(struct vm *vm, u32 pfn,
		 bool cold); /* frees it if nothing refers to it */
void vm_rotate_reclaimable(struct vm *vm, struct zone *z, u32 pfn);

/* radix.c */
struct page *vm_tree_page(struct vm *vm, struct mapping *m, u32 index,
			  u32 *slot); /* NULL; *slot is the raw value */
int vm_tree_reserve(struct vm *vm, struct mapping *m, u32 index); /* 0 or VM_NOMEM */
u32 vm_tree_insert(struct vm *vm, struct mapping *m, u32 index,
		   u32 value); /* handle; after reserve */
void vm_tree_delete(struct vm *vm, u32 handle);
void vm_tree_tag(struct vm *vm, u32 handle, u32 wb, bool set);
bool vm_tree_next(struct vm *vm, struct mapping *m, u32 *index,
		  u32 *handle); /* next used slot at or after *index */
bool vm_tree_next_dirty(struct vm *vm, struct mapping *m, u32 *index, u32 *handle);

/* mapping.c; what only files of the page cache share is in filemap.h */
void vm_cache_remove(struct vm *vm, u32 pfn); /* out of its tree; the page stays */
void vm_release_buffers(struct vm *vm, u32 pfn);
void vm_set_dirty(struct vm *vm, u32 pfn);
void vm_clear_dirty(struct vm *vm, u32 pfn);

/* filemap.c */
int vm_find_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn);

/* shmem.c */
int vm_shm_to_swap(struct vm *vm, u32 pfn);
int vm_shm_new_page(struct vm *vm, struct mapping *m, u32 index, u32 *pfn);

/* revoke.c */
void vm_client_mark(struct vm *vm, u32 pfn, bool young);
void vm_client_clear(struct vm *vm, u32 pfn);
void vm_client_ask(struct vm *vm, u32 pfn); /* the kernel is to give its copy back */

/* twin.c */
void vm_twin_keep(struct vm *vm, u32 pfn, const u8 *frame);
bool vm_twin_merge(struct vm *vm, u32 pfn, u32 at, u32 n, u8 *frame, const u8 *buf);
void vm_twin_drop(struct vm *vm, u32 pfn);
void vm_twin_move(struct vm *vm, u32 from, u32 to);

/* rmap.c */
int vm_rmap_add(struct vm *vm, u32 pfn, u32 pte); /* 0 or VM_NOMEM */
void vm_rmap_del(struct vm *vm, u32 pfn, u32 pte);
u32 vm_rmap_pte(struct vm *vm, const struct page *p,
		u32 n); /* n-th PTE handle or NONE */
void vm_mlock_page(struct vm *vm, u32 pfn);
u32 vm_page_referenced(struct vm *vm, u32 pfn);
enum { UNMAP_SUCCESS = 0, UNMAP_FAIL, UNMAP_MLOCKED };
int vm_try_to_unmap(struct vm *vm, u32 pfn);
void vm_pte_clear(struct vm *vm, u32 pte,
		  u32 value); /* a present PTE becomes value; the page stays */
void vm_unmap_file_page(struct vm *vm, u32 pfn); /* truncation: every PTE goes */
void vm_rmap_move(struct vm *vm, const struct page *p,
		  u32 pfn); /* every PTE of the chain leads to pfn */

/* stat.c */
u32 vm_page_kind(const struct page *p);

/* pin.c */
u32 vm_pins_of(const struct vm *vm, u32 pfn,
	       struct vm_pin_info *first); /* how many; first may be NULL */

/* mm.c */
u32 vm_ptb_alloc(struct vm *vm, u32 vma, u32 base);

/* swap.c */
u32 vm_swap_alloc(struct vm *vm);	       /* slot or NONE */
void vm_swap_free(struct vm *vm, u32 slot);    /* drops one reference */
void vm_swap_release(struct vm *vm, u32 slot); /* frees the slot if nobody has it */
int vm_swap_cache_add(struct vm *vm, u32 pfn, u32 slot);
void vm_swap_cache_del(struct vm *vm, u32 pfn);

/* disk.c */
int vm_submit(struct vm *vm, u32 dev, bool write, u32 mapping, u32 index,
	      u32 pfn); /* VM_DONE or VM_WAIT */
bool vm_dev_room(struct vm *vm, u32 dev, bool write);
int vm_wait_room(
	struct vm *vm, u32 dev,
	bool write); /* VM_DONE or VM_WAIT, moving the clock up to the horizon */

/* pageio.c */
u32 vm_transfer_bytes(struct vm *vm, struct req *rq); /* 0 or the errno */
void vm_transfer_end(struct vm *vm, struct req *rq);
int vm_writepage(struct vm *vm, u32 pfn,
		 bool reclaim); /* VM_DONE: under writeback; VM_WAIT: queue full */

/* frames.c */
u8 *vm_frame(struct vm *vm,
	     u32 pfn); /* bytes of a page that has some; NULL: host error */
u8 *vm_frame_new(struct vm *vm, u32 pfn); /* about to be written whole */
u8 *vm_frame_zero(struct vm *vm, u32 pfn);
void vm_frame_freed(struct vm *vm, u32 pfn);
bool vm_frame_at_hand(struct vm *vm, u32 pfn); /* false: its bytes cannot be had */
bool vm_frame_move(struct vm *vm, u32 from,
		   u32 to); /* of a page that is at hand; were there any? */
void vm_frames_settle(struct vm *vm);

/* A page is freed: what its bytes took can be given back. Most pages have none. */
static inline void frame_freed(struct vm *vm, u32 pfn)
{
	if (vm->nr_spilled || vm->conf.paranoid)
		vm_frame_freed(vm, pfn);
	else
		vm->nr_idle += bit_test(vm->resident, pfn);
}

static inline void clear_dirty(struct vm *vm, u32 pfn)
{
	struct page *p = &vm->pages[pfn];

	if ((p->flags & (PG_DIRTY | PG_CACHED)) == PG_DIRTY)
		p->flags &= ~(u32)PG_DIRTY;
	else if (p->flags & PG_DIRTY)
		vm_clear_dirty(vm, pfn);
}

#endif
