/*
 * device.h - devices, swap, the clock, real bytes
 */
#ifndef API_DEVICE_H
#define API_DEVICE_H

#include <stdint.h>

/* cdef-begin */
enum vm_dev { VM_DEV_DISK = 0, VM_DEV_SWAP = 1, VM_NR_DEVS = 2 };

struct vm_dev_conf {
	uint64_t latency_ns, bandwidth; /* bytes per second */
	uint32_t requests;		/* in flight at most */
	uint32_t merge_pages;		/* largest request, 1..32 pages */
};

struct vm_dev_stat {
	uint64_t reads, writes, read_pages, write_pages, merged, errors;
	uint32_t in_flight, congested;
};

struct vm_host_stat {
	uint64_t resident, dropped, spilled, returned; /* frames */
	uint64_t limit;
};

/* swap.c */
int vm_swap_size(struct vm *vm, uint32_t pages, int fd);
void vm_swap_stat(struct vm *vm, uint32_t *total, uint32_t *used, uint32_t *cached);
int vm_swap_submit_read(struct vm *vm, uint32_t slot);
int vm_swap_read_ahead(struct vm *vm, uint32_t slot);

/* disk.c: devices and the clock */
int vm_dev_config(struct vm *vm, uint32_t dev, const struct vm_dev_conf *conf);
void vm_dev_stat(struct vm *vm, uint32_t dev, struct vm_dev_stat *out);
int vm_dev_transfer(struct vm *vm, uint32_t dev, uint32_t write, uint32_t nr,
		    uint64_t *ticket);
uint64_t vm_dev_ended(struct vm *vm, uint32_t dev); /* requests since boot */
uint64_t vm_now(struct vm *vm);
uint64_t vm_next_event(struct vm *vm);		 /* ns, or UINT64_MAX */
uint64_t vm_advance(struct vm *vm, uint64_t to); /* completions so far */
void vm_drain_devices(struct vm *vm, uint64_t to);
void vm_set_horizon(struct vm *vm,
		    uint64_t ns); /* how far a stepping call may move the clock itself */
uint64_t vm_completions(struct vm *vm);
void vm_dev_fault(struct vm *vm, uint32_t dev, uint32_t write,
		  uint32_t err); /* every transfer fails with err; 0: none */

/* frames.c: real bytes */
int vm_host_limit(struct vm *vm, uint64_t frames, int spill_fd);
int vm_host_trim(struct vm *vm, uint32_t budget);
void vm_host_stat(struct vm *vm, struct vm_host_stat *out);
/* cdef-end */

#endif
