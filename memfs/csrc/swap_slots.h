/*
 * swap_slots.h - taking the slots of a cluster one after another
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

#endif
