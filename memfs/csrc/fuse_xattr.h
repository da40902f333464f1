/*
 * fuse_xattr.h - attributes that nothing here has: see fuse_xattr.c
 */
#ifndef MEMFS_FUSE_XATTR_H
#define MEMFS_FUSE_XATTR_H

#include <stddef.h>

#include "fuse_shim.h"

/* Whether a request, as it came from the kernel, has been answered. */
SHIM_INTERNAL int xattr_serve(int fd, const void *request, size_t bytes);

#endif
