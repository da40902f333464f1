/*
 * fuse_lane.h - the short way of READ and WRITE: see fuse_lane.c
 *
 * The records are made and filled in by memfs/lanes.py, field by field as here; both
 * sides run on the thread of the session.
 */
#ifndef MEMFS_FUSE_LANE_H
#define MEMFS_FUSE_LANE_H

#include <stddef.h>
#include <stdint.h>

#include "fuse_shim.h"
#include "memfs.h"

/* An open file of a volume. Times are ns since the epoch. */
struct lane_file {
	int64_t quiet_until;	   /* no access renews the access time before */
	int64_t read_ns, wrote_ns; /* the access time, the others; 0: as they were */
	uint32_t mapping;
	uint32_t allowed;
};

/* A descriptor of one. */
struct lane {
	struct lane_file *file;
	struct vm_ra ra;
	uint32_t reads, writes; /* what it was opened for */
	uint32_t noatime;	/* reading changes no access time */
};

typedef int (*lane_read_fn)(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
			    uint32_t client, struct vm_ra *ra, struct vm_piece *out,
			    uint32_t *nr);
typedef int (*lane_write_fn)(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
			     const void *buf, uint32_t client);

/* Whether a request, as it came from the kernel, has been answered. */
SHIM_INTERNAL int lane_serve(int fd, const void *request, size_t bytes);
SHIM_INTERNAL int lane_attached(void);

SHIM_EXPORT void memfs_shim_lane_attach(lane_read_fn read, lane_write_fn write,
					struct vm *vm);
SHIM_EXPORT int memfs_shim_lane_bind(uint64_t fh, struct lane *lane);
SHIM_EXPORT void memfs_shim_lane_unbind(uint64_t fh);
SHIM_EXPORT uint64_t memfs_shim_lane_served(void);

#endif
