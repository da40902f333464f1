/*
 * fuse_shim.h - what memfs/shim.py calls
 *
 * Everything here is exported by the shared object. See fuse_shim.c.
 */
#ifndef MEMFS_FUSE_SHIM_H
#define MEMFS_FUSE_SHIM_H

#include <stdint.h>

#define SHIM_EXPORT __attribute__((visibility("default")))
#define SHIM_INTERNAL __attribute__((visibility("hidden")))

enum {
	HOOK_INTERRUPT = 1 << 0,
	HOOK_MMAP = 1 << 1,
	HOOK_FALLOCATE = 1 << 2,
	HOOK_LSEEK = 1 << 3,
	HOOK_INVAL = 1 << 4,
	HOOK_NOFLUSH = 1 << 5,
	HOOK_STATFS = 1 << 6,
	HOOK_BACKGROUND = 1 << 7,
	HOOK_LANE = 1 << 8,
	HOOK_TEXT = 1 << 9,
	HOOK_DIRECT = 1 << 10,
};

/* As many requests may wait, and be interrupted, at once; the rest only wait. */
#define NR_SLOTS 8192

typedef void (*shim_fallocate_fn)(void *req, uint64_t fh, int mode, int64_t off,
				  int64_t len);
typedef void (*shim_lseek_fn)(void *req, uint64_t fh, int64_t off, int whence);

SHIM_EXPORT int memfs_shim_open(unsigned int background, shim_fallocate_fn on_fallocate,
				shim_lseek_fn on_lseek);
SHIM_EXPORT unsigned int memfs_shim_hooks(void);
SHIM_EXPORT int memfs_shim_arm(void);
SHIM_EXPORT int memfs_shim_pid(void);
SHIM_EXPORT uint64_t memfs_shim_ino(void);
SHIM_EXPORT int memfs_shim_cached(void);
SHIM_EXPORT int memfs_shim_kills(void);
SHIM_EXPORT uint64_t memfs_shim_served(void);
SHIM_EXPORT int memfs_shim_readable(int64_t spin_ns);
SHIM_EXPORT void memfs_shim_turn(int64_t until);
SHIM_EXPORT int memfs_shim_over(void);
SHIM_EXPORT void memfs_shim_take(void *req);
SHIM_EXPORT void memfs_shim_disarm(int slot);
SHIM_EXPORT int memfs_shim_next_interrupted(void);
SHIM_EXPORT int memfs_shim_inval(uint64_t ino, int64_t off, int64_t len);
SHIM_EXPORT int memfs_shim_inval_ranges(const int64_t *ranges, unsigned int nr);
SHIM_EXPORT int memfs_shim_reply_err(void *req, int err);
SHIM_EXPORT int memfs_shim_reply_lseek(void *req, int64_t off);

#endif
