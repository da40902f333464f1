/*
 * migrate_run.h - a call of the migration: its zone, where pages go, the ways chosen
 */
#ifndef MIGRATE_RUN_H
#define MIGRATE_RUN_H

#include "vm_int.h"

_Static_assert(ARRAY_SIZE(((struct vm_migrate *)0)->reason) >= NR_REASONS,
	       "a count for each reason");
#define TARGETS ARRAY_SIZE(((struct vm_migrate *)0)->target)

_Static_assert(TARGETS <= ZONELIST_MAX, "targets are a zonelist");

struct run {
	struct vm *vm;
	struct vm_migrate *mig;
	struct zone *zone;
	struct zonelist targets;
	u32 copied; /* pages whose bytes had to be copied */
};

static inline bool is_file(const struct page *p)
{
	return (p->flags & (PG_CACHED | PG_SWAPBACKED)) == PG_CACHED;
}

/* Dirty pages of the file are written before they move. */
static inline bool writes_first(const struct run *r, const struct page *p)
{
	return is_file(p) &&
	       (r->mig->flags & VM_MIG_WRITEOUT || p->flags & PG_FALLBACK);
}

static inline bool swap_full(const struct vm *vm)
{
	return vm->swap.nr <= 1 || vm->swap.used >= vm->swap.nr - 1;
}

static inline bool needs_slot(const struct run *r, const struct page *p)
{
	return r->mig->flags & VM_MIG_SWAPSLOT && p->flags & PG_ANON &&
	       !(p->flags & PG_SWAPCACHE);
}

#endif
