/*
 * file.h - page cache of files and tmpfs, and what real processes map of it
 */
#ifndef API_FILE_H
#define API_FILE_H

#include <stdint.h>

/* cdef-begin */
struct vm_mapping_stat {
	uint32_t nrpages, nr_dirty, nr_writeback, nr_locked, nr_swapped, nr_vmas;
	uint32_t error; /* errno of a failed host write or read since last cleared, or 0 */
	uint32_t nr_exceptional; /* index nodes in use */
};

/* Pages of a file that the real kernel has to give back. */
struct vm_revoke {
	uint32_t mapping, index, nr;
};

/* VM_MAP_RAM: as tmpfs, but with nowhere to go: a RAM disk. */
enum vm_mapping_kind { VM_MAP_FILE = 0, VM_MAP_SHM = 1, VM_MAP_RAM = 2 };

/* What one descriptor has read, and what was read ahead of it; pages. */
struct vm_ra {
	int64_t prev;	/* the page read last, or -1 */
	uint32_t size;	/* of the next window; 0: not sequential */
	uint32_t mark;	/* where the next window is asked for */
	uint32_t asked; /* up to where has been asked for */
};

/* Bytes in memory; laid out as struct iovec is. */
struct vm_piece {
	void *base;
	uint64_t len;
};

#define VM_LANE_BYTES 1048576 /* of one request of the short way */
#define VM_LANE_PIECES 257

/* invalidate.c */
int vm_file_invalidate(struct vm *vm, uint32_t id, uint32_t *index, uint32_t budget,
		       uint32_t *dropped);

/* mapping.c, filemap.c, truncate.c, filesync.c: page cache of files and tmpfs */
uint32_t vm_mapping_create(struct vm *vm, uint32_t kind);
int vm_mapping_destroy(struct vm *vm, uint32_t id);
int vm_mapping_fd(struct vm *vm, uint32_t id, int fd);
int vm_mapping_fallback(struct vm *vm, uint32_t id);
int vm_mapping_size(struct vm *vm, uint32_t id, uint64_t bytes);
uint32_t vm_mapping_grant(struct vm *vm, uint32_t id, uint32_t pages);
uint64_t vm_mapping_bytes(struct vm *vm, uint32_t id);
int vm_mapping_stat(struct vm *vm, uint32_t id, struct vm_mapping_stat *out);
uint32_t vm_mapping_unwritten(struct vm *vm, uint32_t id);
void vm_mapping_clear_error(struct vm *vm, uint32_t id);
int vm_file_light(struct vm *vm, uint32_t id, uint32_t budget);
int vm_file_forget(struct vm *vm, uint32_t id, uint32_t budget);
int vm_file_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		 uint32_t *done);
int vm_file_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t *done);
int vm_client_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len, void *buf,
		   uint32_t *done);
int vm_client_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		    const void *buf, uint32_t *done);
int vm_file_submit_read(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
			uint32_t *submitted);
int vm_file_truncate(struct vm *vm, uint32_t id, uint64_t bytes, uint32_t budget);
int vm_file_punch(struct vm *vm, uint32_t id, uint64_t off, uint64_t len,
		  uint32_t *index, uint32_t budget);
int vm_file_flush(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		  uint32_t drop);
int vm_file_writeback(struct vm *vm, uint32_t id, uint32_t *index, uint32_t max,
		      uint32_t *written);
int vm_file_resident(struct vm *vm, uint32_t id, uint32_t index, uint32_t nr,
		     uint8_t *out);
int vm_file_next_dirty(struct vm *vm, uint32_t id, uint32_t *index);

/* lane.c: what is resident, in one call */
int vm_lane_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		 uint32_t client, struct vm_ra *ra, struct vm_piece *out, uint32_t *nr);
int vm_lane_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		  const void *buf, uint32_t client);
uint64_t vm_lane_ops(struct vm *vm);
void vm_set_readahead(struct vm *vm, uint32_t pages);

/* revoke.c: pages of which the real kernel has a copy */
uint32_t vm_revoke_queued(struct vm *vm);
uint32_t vm_revoke_take(struct vm *vm, struct vm_revoke *out);
uint32_t vm_revoked(struct vm *vm, const struct vm_revoke *range, uint32_t kept);
/* cdef-end */

#endif
