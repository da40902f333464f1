/*
 * verify.h - what the checks of vm_verify() share
 *
 * A phase is a row of the table in verify.c: a function that checks item
 * number v->cursor of its kind, moves the cursor on, and says whether there was
 * such an item. Items are small (a page, a segment, a page table), so that a step has a bound.
 * No check writes to the machine, and none follows a link without testing it:
 * a corrupt machine must give a list of violations, not a crash.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include "vm_int.h"

/* Items of a step where one is a page or less. */
#define VERIFY_RUN 32

/* Free pages side by side that take as long as one that is looked at by itself. */
#define FREE_RUN 8

/* Kept over all phases: sums that two phases must agree on. */
struct totals {
	u32 writeback;	       /* pages with PG_WRITEBACK */
	u32 reading;	       /* locked pages of a tree or of the swap cache */
	u32 io_write, io_read; /* pages in requests */
	u32 swapcache;	       /* pages with PG_SWAPCACHE */
	u32 revoking;	       /* pages with PG_REVOKING */
	u32 chains;	       /* blocks in chains of pages */
	u32 ptes;	       /* PTE handles that pages name */
	u32 present;	       /* PTEs that are present */
	u32 cached, in_tree;   /* slots that name a page, pages that name a slot */
	u32 nodes, tree_nodes,
		mapping_nodes; /* index nodes: all, in trees, by mappings */
	u32 vmas, vmas_of_mappings;
	u32 segs;		   /* segments in rings */
	u32 slabs, kernel_slabs;   /* pages of index nodes, as both sides say */
	u32 tables, kernel_tables; /* page tables, as both sides say */
	u32 slots_used, slots_cached, slot_refs, cluster_used; /* of the swap area */
	u32 requests, queued[2];   /* in queues: all, of this device [write] */
	u32 isolated;		   /* sections */
	u32 swap_ptes, swap_slots; /* references to swap: by PTEs, by tmpfs */
};

/* Of the zone that is looked at. */
struct tally {
	u32 item[NR_ZONE_ITEMS];
	u32 blocks[VM_MAX_ORDER], iso[VM_MAX_ORDER];
	u32 free_until; /* pages below are in a free block that was seen */
	u32 zid, running;
	u32 pages;
};

/* A list that is walked one link a step. */
struct walk {
	u32 at, prev, seen, live;
	u32 running;
};

/* Of the mapping that is looked at. */
struct census {
	u32 index, done; /* next page; the last one was looked at */
	u32 pages, dirty, writeback, locked, swapped;
};

/* Of the task that is looked at. */
struct headcount {
	u64 total;
	u32 begun, vma, table;
	u32 rss, anon, swap, tables, vmas;
};

struct scratch {
	struct totals total;
	union {
		struct census census;
		struct tally tally;
		struct walk walk;
		struct headcount headcount;
	};
};

_Static_assert(sizeof(struct scratch) <= sizeof(((struct vm_verify *)0)->scratch),
	       "the scratch area of struct vm_verify is too small");

struct report {
	struct vm_verify *v;
	struct scratch *s;
	char *text;
	u32 size, len;
};

/* Notes one violation; the text is cut at its size, the count is not. */
__attribute__((format(printf, 2, 3))) void vm_violation(struct report *r,
							const char *fmt, ...);

/* Two numbers that must be the same. Return: whether they are. */
bool vm_same(struct report *r, u32 seen, u32 want, const char *what, u32 where);

/* Whether the zone manages the page; false for a zone that is out of bounds. */
static inline bool vm_manages(struct vm *vm, const struct zone *z, u32 pfn)
{
	return pfn < vm->max_pfn && pfn >= z->start && pfn < z->end &&
	       page_zone(vm, pfn) == z &&
	       (pfn < z->reserved.first || pfn >= z->reserved.end);
}

/* Whether there is a node with this slot of an index at all. */
static inline bool vm_handle_ok(const struct vm *vm, u32 handle)
{
	return handle >> RN_SHIFT < vm->nr_slabs * RN_PER_SLAB;
}

/* verify_zone.c */
bool vm_verify_zone(struct vm *vm, struct report *r);
bool vm_verify_zonelist(struct vm *vm, struct report *r);
bool vm_verify_section(struct vm *vm, struct report *r);
bool vm_verify_buddy(struct vm *vm, struct report *r);
bool vm_verify_pcp(struct vm *vm, struct report *r);
bool vm_verify_pagevec(struct vm *vm, struct report *r);

/* verify_free.c */
void vm_check_poison(struct vm *vm, struct report *r, u32 pfn);
void vm_check_free(struct vm *vm, struct report *r, const struct zone *z, u32 pfn);
void vm_check_mapped(struct vm *vm, struct report *r, const struct zone *z, u32 pfn);
u32 vm_check_free_run(struct vm *vm, struct report *r, const struct zone *z, u32 pfn,
		      u32 max);

/* verify_page.c */
bool vm_verify_page(struct vm *vm, struct report *r);

/* verify_lru.c */
bool vm_verify_lru(struct vm *vm, struct report *r);
bool vm_verify_segs(struct vm *vm, struct report *r);

/* verify_tree.c */
bool vm_verify_slab(struct vm *vm, struct report *r);
bool vm_verify_rnode(struct vm *vm, struct report *r);
bool vm_verify_mapping(struct vm *vm, struct report *r);

/* verify_task.c */
bool vm_verify_ptb(struct vm *vm, struct report *r);
bool vm_verify_vma(struct vm *vm, struct report *r);
bool vm_verify_mm(struct vm *vm, struct report *r);
bool vm_verify_chains(struct vm *vm, struct report *r);

/* verify_io.c */
bool vm_verify_huge(struct vm *vm, struct report *r);
bool vm_verify_pins(struct vm *vm, struct report *r);
bool vm_verify_swap(struct vm *vm, struct report *r);
bool vm_verify_dev(struct vm *vm, struct report *r);
bool vm_verify_totals(struct vm *vm, struct report *r);

#endif
