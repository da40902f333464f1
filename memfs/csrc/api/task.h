/*
 * task.h - modelled tasks, their areas, and what they do to their pages
 */
#ifndef API_TASK_H
#define API_TASK_H

#include <stdint.h>

/* cdef-begin */
struct vm_mm_stat {
	uint32_t rss, anon_rss, swap, page_tables, nr_vmas;
	uint64_t total_vm, minflt, majflt;
};

enum vm_touch_flags { VM_TOUCH_WRITE = 1, VM_TOUCH_RANDOM = 2 };

/* A walk of a task over one of its areas. */
struct vm_touch {
	uint32_t mm, vma;
	uint32_t flags;
	uint32_t first, nr; /* pages of the area */
	uint32_t pos;	    /* pages done in this pass */
	uint64_t rng;	    /* state of the random order */
	uint64_t cost_ns;   /* added to: modelled CPU time */
	uint32_t next;	    /* pending page of the random order, or VM_NO_ID */
	uint32_t major;	    /* the pending page already counted as a major fault */
};

enum vm_vma_flags { VM_VMA_WRITE = 1, VM_VMA_SHARED = 2, VM_VMA_LOCKED = 4 };

/* mm.c: tasks */
uint32_t vm_mm_create(struct vm *vm, uint32_t stamp);
int vm_mm_destroy(struct vm *vm, uint32_t mm, uint32_t budget);
int vm_mm_stat(struct vm *vm, uint32_t mm, struct vm_mm_stat *out);
uint32_t vm_mmap(struct vm *vm, uint32_t mm, uint32_t flags, uint32_t mapping,
		 uint32_t pgoff, uint64_t vpn, uint32_t nr);
int vm_munmap(struct vm *vm, uint32_t vma, uint32_t budget);
int vm_vma_copy(struct vm *vm, uint32_t from, uint32_t to, uint32_t *cursor,
		uint32_t budget);

/* fault.c: what tasks do to their pages */
int vm_touch(struct vm *vm, struct vm_touch *touch, uint32_t budget);
/* cdef-end */

#endif
