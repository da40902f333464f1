/*
 * fuse_text.h - the short way of a rendering: see fuse_text.c
 */
#ifndef MEMFS_FUSE_TEXT_H
#define MEMFS_FUSE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "fuse_shim.h"

/* Longer texts are not kept. */
#define TEXT_KEPT_MOST 48

/* Whether a request, as it came from the kernel, has been answered. */
SHIM_INTERNAL int text_serve(int fd, const void *request, size_t bytes);

SHIM_EXPORT int memfs_shim_text_bind(uint64_t fh, const char *text, uint64_t len);
SHIM_EXPORT void memfs_shim_text_unbind(uint64_t fh);
SHIM_EXPORT int memfs_shim_text_adopt(uint64_t fh, uint64_t *ino, char *text);
SHIM_EXPORT void memfs_shim_text_keep(uint64_t ino, const char *text, uint32_t len);
SHIM_EXPORT void memfs_shim_list_keep(uint64_t ino, const char *list, uint32_t len,
				      uint64_t end);
SHIM_EXPORT void memfs_shim_text_forget(void);
SHIM_EXPORT void memfs_shim_list_forget(void);
SHIM_EXPORT unsigned int memfs_shim_text_closed(uint64_t *out, unsigned int most);

#endif
