/*
 * swap_slots.h - taking the slots of a cluster one after another; what is in the cache
 *
 * Models: mm/swapfile.c scan_swap_map(), 2.6.0.
 */
#ifndef SWAP_SLOTS_H
#define SWAP_SLOTS_H

#include "vm_int.h"

static inline bool swap_slot_free(const struct swap_area *s, u32 slot)
{
	return !s->map[slot] && !s->cache[slot];
}

/* Whether the next slot of the cluster, s->hint, can be had without a search. */
static inline bool swap_slot_ahead(const struct swap_area *s)
{
	return s->cluster_left && s->used < s->nr - 1 && swap_slot_free(s, s->hint);
}

static inline void swap_slot_take(struct swap_area *s, u32 slot)
{
	s->hint = slot + 1 == s->nr ? 1 : slot + 1;
	s->used++;
	s->cluster[slot / SWAP_CLUSTER]++;
}

/* Somebody wants what is in a slot. Return: its page in the swap cache, plus 1, or 0. */
static inline u32 swap_cache_wanted(struct vm *vm, u32 slot)
{
	struct swap_area *s = &vm->swap;

	if (s->cache[slot]) {
		vm->event[EV_SWAP_RA_HIT] += s->ahead[slot];
		s->ahead[slot] = 0;
	}
	return s->cache[slot];
}

/* The page is there no more; the next one is read for who wants it. */
static inline void swap_cache_clear(struct swap_area *s, u32 slot)
{
	s->cache[slot] = 0;
	s->ahead[slot] = 0;
	s->cached--;
}

#endif
