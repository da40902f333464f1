/*
 * codes.h - what the core answers: return codes, reasons, rules
 */
#ifndef API_CODES_H
#define API_CODES_H

#include <stdint.h>

/* cdef-begin */
enum vm_rc { VM_DONE = 0, VM_MORE, VM_NOMEM, VM_WAIT, VM_READ };

/* Why a page did not go; also what vm_why() counts. */
enum vm_reason {
	WHY_NONE = 0,
	WHY_LOCKED,
	WHY_WRITEBACK,
	WHY_DIRTY,	/* write-out just started or has to wait */
	WHY_REFERENCED, /* touched since it was last looked at */
	WHY_ACTIVE,	/* on the active list, not looked at */
	WHY_INACTIVE,	/* on the inactive list, not looked at or kept */
	WHY_MAPPED,
	WHY_MLOCKED,
	WHY_NO_SWAP,
	WHY_PINNED, /* extra references */
	WHY_BUFFERS,
	WHY_NO_WRITEPAGE, /* nowhere to be written: tmpfs without swap */
	WHY_IO_ERROR,
	WHY_CONGESTED,
	WHY_KERNEL,
	WHY_PAGEVEC,
	WHY_PCP,
	WHY_HELD,
	WHY_HWPOISON,
	WHY_REVOKING,  /* the real kernel gives its copy back first */
	WHY_NO_TARGET, /* no page to move to */
	NR_REASONS
};

/* What differs for a zone behind a closed gate: S0's five changes. */
enum vm_closed_rules {
	VM_RULE_SHRINK_UNREF = 1, /* 1 shrink_list() discards young bits */
	VM_RULE_REFILL_UNREF = 8  /* 4 refill discards young bits */
};

enum vm_rules {
	VM_RULE_CUMULATIVE_MIN = 1,	 /* marks add up along the zonelist */
	VM_RULE_UNMAP_REFUSES_YOUNG = 2, /* 2.6.7 try_to_unmap() */
	VM_RULE_ONE_PCP = 4,		 /* no cold per-CPU list */
	VM_RULE_UNEVICTABLE_LRU = 8	 /* pages locked in memory: on a list apart */
};

#define VM_NO_PFN 0xffffffffu
#define VM_NO_ID 0xffffffffu
#define VM_SWAP_MAPPING 0xfffffffeu
#define VM_MAX_ORDER 11
#define VM_HOLD_MAX 64
#define VM_MAX_CPUS 1024
#define VM_REVOKE_MAX 8192
/* cdef-end */

#endif
