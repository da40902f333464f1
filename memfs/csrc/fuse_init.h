/*
 * fuse_init.h - the INIT exchange: see fuse_init.c
 */
#ifndef MEMFS_FUSE_INIT_H
#define MEMFS_FUSE_INIT_H

#include "fuse_shim.h"

SHIM_INTERNAL int init_has_mmap(void); /* shared mappings were asked for and granted */

#endif
