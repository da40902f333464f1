/*
 * fuse_text.h - the short way of a rendering: see fuse_text.c
 */
#ifndef MEMFS_FUSE_TEXT_H
#define MEMFS_FUSE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "fuse_shim.h"

/* Whether a request, as it came from the kernel, has been answered. */
SHIM_INTERNAL int text_serve(int fd, const void *request, size_t bytes);

SHIM_EXPORT int memfs_shim_text_bind(uint64_t fh, const char *text, uint64_t len);
SHIM_EXPORT void memfs_shim_text_unbind(uint64_t fh);
SHIM_EXPORT unsigned int memfs_shim_text_closed(uint64_t *out, unsigned int most);

#endif
