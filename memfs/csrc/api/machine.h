/*
 * machine.h - the machine: boot, zones, zonelists, what it tells of itself
 */
#ifndef API_MACHINE_H
#define API_MACHINE_H

#include <stdint.h>

/* cdef-begin */
struct vm_config {
	uint32_t max_pfn;  /* pages, <= 2^28 */
	uint32_t nr_zones; /* slots of the zone table */
	uint32_t nr_nodes;
	uint32_t nr_cpus;
	uint32_t swap_pages; /* slots, < 2^28 */
	uint32_t batch;	     /* pages per pipelined batch, 1..64; no effect on state */
	uint32_t prefetch;   /* 0 or 1; no effect on state */
	uint32_t paranoid;   /* poison the bytes of freed frames */
	uint32_t rules;	     /* enum vm_rules */
	uint32_t closed_rules; /* enum vm_closed_rules */
	uint64_t seed;
};

struct vm_need {
	uint32_t cls, order;	 /* VM_NOMEM */
	uint32_t mapping, index; /* VM_READ, VM_WAIT on a page */
	uint32_t dev;		 /* VM_WAIT on a device queue */
	uint32_t failed;	 /* VM_READ of a file: the last reading failed */
};

/* boot.c, zone.c: machine, zones, zonelists */
struct vm *vm_create(const struct vm_config *conf);
void vm_destroy(struct vm *vm);
int vm_zone_plug(struct vm *vm, uint32_t zid, uint32_t nid, uint32_t type,
		 uint32_t start_pfn, uint32_t spanned, uint32_t present,
		 uint32_t reserved);
int vm_zone_unplug(struct vm *vm, uint32_t zid);
int vm_zone_marks(struct vm *vm, uint32_t zid, uint32_t min, uint32_t low,
		  uint32_t high);
int vm_zone_pcp(struct vm *vm, uint32_t zid, uint32_t hot_low, uint32_t hot_high,
		uint32_t cold_low, uint32_t cold_high, uint32_t batch);
int vm_zone_gate(struct vm *vm, uint32_t zid, uint32_t open);
void vm_zone_unreclaimable(struct vm *vm, uint32_t zid, uint32_t value);
int vm_zonelist(struct vm *vm, uint32_t nid, uint32_t cls, uint32_t nr,
		const uint32_t *zids);
int vm_zonelist_reserve(struct vm *vm, uint32_t nid, uint32_t cls, uint32_t nr,
			const uint32_t *pages);
int vm_cpu_node(struct vm *vm, uint32_t cpu, uint32_t nid);
int vm_distance(struct vm *vm, uint32_t from, uint32_t to, uint32_t distance);
void vm_set_cpu(struct vm *vm, uint32_t cpu);
void vm_set_closed_rules(struct vm *vm, uint32_t rules);
void vm_set_touch_cost(struct vm *vm, uint64_t ns);
const struct vm_need *vm_needed(struct vm *vm);
uint64_t vm_wakeups(
	struct vm *
		vm); /* bit mask of nodes (mod 64) that an allocation found low; cleared by the call */

/* stat.c */
int vm_zone_stat(struct vm *vm, uint32_t zid, struct vm_zone_stat *out);
int vm_pcp_counts(struct vm *vm, uint32_t zid, uint32_t *out); /* by CPU */
void vm_slab_stat(struct vm *vm, uint32_t kind, uint32_t *slabs, uint32_t *objects);
void vm_events(struct vm *vm, uint64_t *out);
int vm_page_info(struct vm *vm, uint32_t pfn, struct vm_page_info *out);
int vm_why(struct vm *vm, uint32_t zid, uint32_t *cursor, uint32_t budget,
	   uint64_t *reasons);
int vm_inuse(struct vm *vm, uint32_t zid, uint32_t active_only, uint32_t *cursor,
	     uint32_t budget, uint64_t *kinds, uint32_t *pfns, uint32_t *nr_pfns);
uint64_t vm_state_hash(struct vm *vm);
uint64_t vm_class_hash(struct vm *vm);
/* cdef-end */

#endif
