/*
 * disk_bench.h - a machine with one file on a host file, for tests of devices
 */
#ifndef DISK_BENCH_H
#define DISK_BENCH_H

#include "harness.h"

#define MS 1000000ull
#define PAGE_NS 4096ull /* 4096 bytes at 1 GB/s */

struct bench {
	struct vm *vm;
	FILE *host;
	u32 file;
};

/* A file of nr pages whose bytes are 'a' + page. */
static inline struct bench with_file(u32 nr)
{
	struct bench b = { .vm = one_zone(8192), .host = tmpfile() };
	u8 buf[PAGE_SIZE];

	CHECK(b.host);
	for (u32 i = 0; i < nr; i++) {
		memset(buf, (int)('a' + i % 26), sizeof(buf));
		CHECK_EQ(1, fwrite(buf, sizeof(buf), 1, b.host));
	}
	CHECK_EQ(0, fflush(b.host));
	b.file = vm_mapping_create(b.vm, VM_MAP_FILE);
	CHECK_EQ(0, vm_mapping_fd(b.vm, b.file, fileno(b.host)));
	CHECK_EQ(0, vm_mapping_size(b.vm, b.file, (u64)nr * PAGE_SIZE));
	return b;
}

static inline void done(struct bench *b)
{
	fclose(b->host);
	free_vm(b->vm);
}

static inline struct dev *disk(struct bench *b) { return &b->vm->dev[VM_DEV_DISK]; }

static inline void read_ahead(struct bench *b, u32 index, u32 nr)
{
	u32 submitted;

	CHECK_EQ(VM_DONE, vm_file_submit_read(b->vm, b->file, index, nr, &submitted));
	CHECK_EQ(nr, submitted);
}

/* Pages written in the cache, dirty; nothing goes to the disk yet. */
static inline void make_dirty(struct bench *b, u32 index, u32 nr, u8 byte)
{
	u8 buf[PAGE_SIZE];

	memset(buf, byte, sizeof(buf));
	for (u32 i = 0; i < nr; i++) {
		u32 n = 0;

		CHECK_EQ(VM_DONE,
			 vm_file_write(b->vm, b->file, (u64)(index + i) * PAGE_SIZE,
				       PAGE_SIZE, buf, &n));
	}
}

static inline void write_back(struct bench *b, u32 nr)
{
	u32 index = 0, written = 0;

	vm_file_writeback(b->vm, b->file, &index, nr, &written);
	CHECK_EQ(nr, written);
}

#endif
