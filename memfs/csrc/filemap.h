/*
 * filemap.h - what the files of the page cache share among themselves
 *
 * mapping.c has the mappings and their index, filemap.c reads and writes, shmem.c
 * is tmpfs and its swap, truncate.c takes pages away, filesync.c brings them to
 * the disk. What the rest of the core calls is in vm_int.h.
 */
#ifndef FILEMAP_H
#define FILEMAP_H

#include "stream.h"
#include "vm_int.h"

static inline bool mapping_ok(const struct vm *vm, u32 id)
{
	return id < vm->nr_mappings && vm->mappings[id].used;
}

static inline bool is_shm(const struct mapping *m)
{
	return m->kind != VM_MAP_FILE;
}

static inline u32 mapping_id(const struct vm *vm, const struct mapping *m)
{
	return (u32)(m - vm->mappings);
}

/* Name the page that the caller has to wait for, or to read. */
static inline int need(struct vm *vm, int rc, u32 mapping, u32 index)
{
	vm->need.mapping = mapping;
	vm->need.index = index;
	vm->need.failed = 0;
	return rc;
}

/* mapping.c */
int vm_cache_new_page(struct vm *vm, struct mapping *m, u32 index, u32 flags,
		      u32 *pfn); /* memory for a slot and a page: VM_DONE, VM_NOMEM */
void vm_cache_uncount(struct vm *vm, struct mapping *m,
		      u32 pfn); /* it leaves its index, which the caller changes */

/* How bytes are written. */
enum {
	WRITE_CLIENT = 1 << 0, /* out of the real kernel's copy of the pages */
	WRITE_LARGE = 1 << 1,  /* with many others: see stream.h */
};

static inline u32 write_how(bool client, u32 bytes)
{
	return (client ? WRITE_CLIENT : 0u) |
	       (bytes >= STREAM_BYTES ? WRITE_LARGE : 0u);
}

/* filemap.c */
int vm_write_into(struct vm *vm, struct mapping *m, u32 pfn, u32 at, u32 n,
		  const u8 *buf, u32 how); /* VM_DONE, -EIO */

/* shmem.c */
int vm_shm_from_swap(struct vm *vm, struct mapping *m, u32 index, u32 slot);

#endif
