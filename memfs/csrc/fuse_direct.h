/*
 * fuse_direct.h - requests that Python answers at once: see fuse_direct.c
 */
#ifndef MEMFS_FUSE_DIRECT_H
#define MEMFS_FUSE_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "fuse_shim.h"

/* What the answer of a request is, beside so many bytes, or a -errno. */
enum {
	DIRECT_NOT = 1 << 20, /* it takes the long way */
	DIRECT_NONE,	      /* it wants none */
	DIRECT_CHANGED, /* 0; the directory's struct fuse_attr_out is in the room */
};

/*
 * A request that is longer takes the long way, which copies what is written once less:
 * 64 KiB of it, and what stands before them.
 */
#define DIRECT_BYTES (65536 + 80)

/* FORGETs that are handed over together, at most. */
#define DIRECT_FORGETS 64

/*
 * Given a request as it came from the kernel, its header and all. The answer is written
 * to memfs_shim_direct_attach()'s room.
 */
typedef int (*direct_fn)(uint32_t opcode, uint64_t nodeid, const void *request,
			 uint32_t bytes);

/* Whether a request, as it came from the kernel, has been answered. */
SHIM_INTERNAL int direct_serve(int fd, const void *request, size_t bytes);
/* The turn of requests is over. */
SHIM_INTERNAL void direct_rest(void);
SHIM_INTERNAL int direct_attached(void);

SHIM_EXPORT void memfs_shim_direct_attach(direct_fn call, void *room,
					  uint64_t of_volumes, uint64_t of_nodes);

#endif
