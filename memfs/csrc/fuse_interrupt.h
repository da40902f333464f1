/*
 * fuse_interrupt.h - signals to the callers of waiting requests: see fuse_interrupt.c
 */
#ifndef MEMFS_FUSE_INTERRUPT_H
#define MEMFS_FUSE_INTERRUPT_H

#include <fuse_lowlevel.h>

#include "fuse_shim.h"

SHIM_INTERNAL int interrupt_open(void); /* an eventfd, or -errno */
SHIM_INTERNAL void interrupt_ring(void);
SHIM_INTERNAL int interrupt_arm(fuse_req_t req); /* a slot, or -1 */

#endif
