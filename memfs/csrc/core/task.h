/*
 * task.h - page tables, areas and address spaces; pins; huge pages
 */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include "base.h"

#define PTE_PRESENT 0x80000000u
#define PTE_ACCESSED 0x40000000u
#define PTE_DIRTY 0x20000000u
#define PTE_WRITE 0x10000000u
#define PTE_PFN 0x0fffffffu
#define PTE_TYPE 0x70000000u /* not present: what the value means */
#define PTE_NONE 0u
#define PTE_SWAP 0x10000000u
#define PTE_ZERO 0x40000000u /* reads of anonymous memory never written */

#define PTB_SHIFT 10
#define PTB_SIZE (1u << PTB_SHIFT)

struct ptb {
	u32 vma;
	u32 base; /* first page of the area that it covers */
	u32 pfn;  /* the kernel page that it occupies */
	u32 live; /* entries that are not PTE_NONE */
};

enum { VMA_FREE = 0, VMA_USED, VMA_DYING };

struct vma {
	u32 used, mm, flags, mapping, pgoff, nr;
	u32 next;   /* of the same mm */
	u32 cursor; /* munmap: pages done */
	u64 vpn;
	u32 nr_ptb;
	u32 *ptb; /* page tables, NONE where there is none */
};

struct mm {
	u32 used, stamp, vmas;
	u32 rss, anon_rss, swap, page_tables, nr_vmas;
	u64 total_vm, minflt, majflt;
};

#define CHAIN_PTES 6u
struct chain {
	u32 next;
	u32 nr; /* head block: PTEs of the whole chain */
	u32 pte[CHAIN_PTES];
};

/* ---- pins ---- */
#define PIN_HASH 4096u

/* A reference of somebody who says who he is. All of a page are one of its extras. */
struct pin {
	u32 pfn; /* NONE: free */
	u32 next;
	u32 holder;
	u64 since; /* ns */
};

/* ---- huge pages ---- */
struct huge {
	u32 pfn, order;
	u32 area, idx; /* who uses it, and where; NONE: nobody */
	u32 next;      /* list of free records */
	u32 state;
	u32 surplus; /* more than the pool is to have */
};

struct huge_area {
	u32 nr, order, stamp;
	u32 reserved; /* promised, and not taken yet */
	u64 vpn;
	u32 *huge; /* NONE where nothing was touched; NULL: no such area */
};

/* What a task's page holds once it has been written. Never 0, never POISON. */
static inline u32 vm_stamp_of(u32 mm_stamp, u64 vpn)
{
	return (u32)vm_mix((u64)mm_stamp << 32 ^ vpn) | 1u << 31;
}

#endif
