/*
 * migrate.h - pages that move, and what keeps them from it
 */
#ifndef API_MIGRATE_H
#define API_MIGRATE_H

#include <stdint.h>

/* cdef-begin */
/* A pin: who holds a page, and since when (ns). */
struct vm_pin_info {
	uint32_t holder;
	uint64_t since;
};

/* What can be made to go wrong, so many times. */
enum vm_fault {
	FAULT_TARGET = 0, /* a migration finds no page to move to */
	FAULT_REFERENCE,  /* somebody takes a reference to a page that is to move */
	FAULT_BYTES,	  /* the bytes of a page that is to move cannot be had */
	FAULT_SLOT,	  /* no swap slot for a page that is to move */
	FAULT_WRITEPAGE,  /* a page that is to move cannot be written first */
	VM_NR_FAULTS
};

/* Pages of one reason, kind and holder: who keeps memory from going. */
struct vm_keeper {
	uint32_t why;	      /* enum vm_reason; WHY_NONE: it can move */
	uint32_t kind;	      /* as vm_inuse() counts */
	uint32_t mapping, mm; /* whose it is, or VM_NO_ID */
	uint32_t holder;      /* of a pin, or VM_NO_ID */
	uint32_t first_pfn;
	uint64_t pages, since; /* ns, of a pin */
};

struct vm_keepers {
	uint32_t zid, pfn, end;
	uint32_t nr, last;
	uint64_t others; /* pages of more groups than there is room for */
	struct vm_keeper group[256];
};

enum vm_migrate_flags {
	VM_MIG_WRITEOUT = 1, /* dirty file pages are written first, as in 2004 */
	VM_MIG_SWAPSLOT = 2, /* anonymous pages take a swap slot first, as in 2004 */
	VM_MIG_LAZY = 4,     /* page tables are left to the faults, as in 2004 */
	VM_MIG_NOWAIT = 8,   /* what refuses is put back at once */
	VM_MIG_FORCE = 16,   /* what a real process maps goes without being asked for */
	VM_MIG_BLOCK = 32    /* a block of the zone: the zone itself may be a target */
};

/* A zone that is being emptied; the caller keeps it between steps. */
struct vm_migrate {
	/* in */
	uint32_t zid;
	uint32_t flags; /* enum vm_migrate_flags */
	uint32_t nr_targets;
	uint32_t target[64]; /* zones to move to, in order */
	/* state */
	uint32_t left[2]; /* VM_MIG_NOWAIT: pages of each list not looked at yet */
	uint32_t nr_hold; /* pages that refused, on no list: */
	uint32_t hold[100];
	uint8_t hold_why[100]; /* enum vm_reason */
	/* out, added to: attempted = moved + gone + failed + nr_hold */
	uint64_t attempted;
	uint64_t moved;
	uint64_t gone;	     /* freed by their users meanwhile */
	uint64_t failed;     /* put back */
	uint64_t written;    /* write-outs started: VM_MIG_WRITEOUT */
	uint64_t slots;	     /* swap slots taken: VM_MIG_SWAPSLOT */
	uint64_t unmapped;   /* PTEs left to faults: VM_MIG_LAZY */
	uint64_t reason[22]; /* of failed; enum vm_reason */
};

/* A zone that is defragmented; the caller keeps it between steps. */
struct vm_compact {
	/* in */
	uint32_t zid;
	uint32_t order; /* a block of it is enough; VM_MAX_ORDER: go to the end */
	/* state */
	uint32_t running;
	uint32_t migrate_pfn; /* pages below were looked at */
	uint32_t free_pfn;    /* no page from here on is free */
	/* out, added to */
	uint64_t migrate_scanned, free_scanned, moved, failed;
	uint64_t reason[22]; /* of failed; enum vm_reason */
};

/* migrate.c: pages move */
int vm_migrate(struct vm *vm, struct vm_migrate *mig, uint32_t budget);
int vm_migrate_retry(struct vm *vm, struct vm_migrate *mig);
void vm_migrate_putback(struct vm *vm, struct vm_migrate *mig);
int vm_migrate_sweep(struct vm *vm, struct vm_migrate *mig);
int vm_migrate_block(struct vm *vm, struct vm_migrate *mig, uint32_t *pfn, uint32_t end,
		     uint32_t budget);
int vm_migrate_check(struct vm *vm, struct vm_migrate *mig, uint32_t *cursor,
		     uint32_t budget);

/* pin.c: references with a holder */
uint32_t vm_pin(struct vm *vm, uint32_t pfn, uint32_t holder);
int vm_pin_file(struct vm *vm, uint32_t mapping, uint32_t index, uint32_t holder,
		uint32_t *pin);
int vm_pin_area(struct vm *vm, uint32_t vma, uint32_t index, uint32_t holder,
		uint32_t *pin);
int vm_unpin(struct vm *vm, uint32_t pin);

/* Make something go wrong the next `times` times it is tried. */
int vm_fault(struct vm *vm, uint32_t fault, uint32_t times);
uint32_t vm_fault_left(struct vm *vm, uint32_t fault);

/* keeper.c: who has a zone's pages */
int vm_keepers(struct vm *vm, struct vm_keepers *ks, uint32_t budget);

/* compact.c: free pages become large blocks */
int vm_compact(struct vm *vm, struct vm_compact *c, uint32_t budget);
/* cdef-end */

#endif
