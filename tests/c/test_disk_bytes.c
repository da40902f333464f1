/*
 * test_disk_bytes.c - what transfers carry: bytes, errors, a page's new place
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pageio.c"

#include "disk_bench.h"

/* ---- bytes ---- */

/* What is read is what the host's file holds; behind its end it is zero. */
static void test_read_bytes(void)
{
	struct bench b = with_file(3);
	u8 buf[2 * PAGE_SIZE];
	u32 n = 0;

	CHECK_EQ(0, vm_mapping_size(b.vm, b.file, 5 * PAGE_SIZE));
	CHECK_EQ(VM_READ,
		 vm_file_read(b.vm, b.file, 2 * PAGE_SIZE, sizeof(buf), buf, &n));
	CHECK_EQ(2, vm_needed(b.vm)->index);
	read_ahead(&b, 2, 2);
	CHECK_EQ(VM_WAIT,
		 vm_file_read(b.vm, b.file, 2 * PAGE_SIZE, sizeof(buf), buf, &n));
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(VM_DONE,
		 vm_file_read(b.vm, b.file, 2 * PAGE_SIZE, sizeof(buf), buf, &n));
	CHECK_EQ(sizeof(buf), n);
	for (u32 i = 0; i < PAGE_SIZE; i++) {
		CHECK_EQ('c', buf[i]);
		CHECK_EQ(0, buf[PAGE_SIZE + i]);
	}
	CHECK_OK(b.vm);
	done(&b);
}

/*
 * 2.5 pages are written and sent out.
 *
 *	|zzzzzzzz|zzzzzzzz|zzzz
 *
 * Expect the host's file to be 2.5 pages long and to hold them.
 */
static void test_write_bytes(void)
{
	struct bench b = with_file(0);
	u8 out[5 * PAGE_SIZE / 2], in[3 * PAGE_SIZE];
	u32 n = 0;

	memset(out, 'z', sizeof(out));
	CHECK_EQ(VM_DONE, vm_file_write(b.vm, b.file, 0, sizeof(out), out, &n));
	CHECK_EQ(3, b.vm->mappings[b.file].nr_dirty);
	CHECK_EQ(3, item(b.vm, 1, NR_BUFFERS));
	write_back(&b, 3);
	CHECK_EQ(0, b.vm->mappings[b.file].nr_dirty);
	CHECK_EQ(3, b.vm->mappings[b.file].nr_writeback);
	CHECK_OK(b.vm);
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(0, b.vm->mappings[b.file].nr_writeback);
	CHECK_EQ(sizeof(out), pread(fileno(b.host), in, sizeof(in), 0));
	CHECK_EQ(0, memcmp(in, out, sizeof(out)));
	CHECK_EQ(1, disk(&b)->stat.writes);
	CHECK_OK(b.vm);
	done(&b);
}

/*
 * A page is written again while it is under writeback.
 *
 * Expect dirty and writeback at once, tags included; after the I/O it is
 * dirty alone, and the next writeback sends what was written last.
 */
static void test_redirtied_under_writeback(void)
{
	struct bench b = with_file(1);
	u8 byte;

	make_dirty(&b, 0, 1, 'x');
	write_back(&b, 1);
	vm_advance(b.vm, 0);
	make_dirty(&b, 0, 1, 'y');
	CHECK_EQ(1, b.vm->mappings[b.file].nr_dirty);
	CHECK_EQ(1, b.vm->mappings[b.file].nr_writeback);
	CHECK_OK(b.vm);
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(1, b.vm->mappings[b.file].nr_dirty);
	CHECK_OK(b.vm);
	write_back(&b, 1);
	vm_advance(b.vm, 20 * MS);
	CHECK_EQ(1, pread(fileno(b.host), &byte, 1, 0));
	CHECK_EQ('y', byte);
	CHECK_OK(b.vm);
	done(&b);
}

/* ---- errors ---- */

/* A write fails: the page is dirty again, the file remembers the errno. */
static void test_write_error(void)
{
	struct bench b = with_file(2);

	make_dirty(&b, 0, 2, 'x');
	vm_dev_fault(b.vm, VM_DEV_DISK, 1, 28);
	write_back(&b, 2);
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(2, b.vm->mappings[b.file].nr_dirty);
	CHECK_EQ(0, b.vm->mappings[b.file].nr_writeback);
	CHECK_EQ(28, b.vm->mappings[b.file].error);
	CHECK_EQ(1, disk(&b)->stat.errors);
	CHECK_OK(b.vm);
	vm_dev_fault(b.vm, VM_DEV_DISK, 1, 0);
	write_back(&b, 2);
	vm_advance(b.vm, 20 * MS);
	CHECK_EQ(0, b.vm->mappings[b.file].nr_dirty);
	CHECK_OK(b.vm);
	done(&b);
}

/* A read fails: it is to be tried again, and who has tried can see that. */
static void test_read_error(void)
{
	struct bench b = with_file(2);
	u32 n = 0;
	u8 byte;

	vm_dev_fault(b.vm, VM_DEV_DISK, 0, 5);
	read_ahead(&b, 0, 1);
	vm_advance(b.vm, 10 * MS);
	CHECK_OK(b.vm);
	CHECK_EQ(VM_READ, vm_file_read(b.vm, b.file, 0, 1, &byte, &n));
	CHECK_EQ(1, vm_needed(b.vm)->failed);
	vm_dev_fault(b.vm, VM_DEV_DISK, 0, 0);
	CHECK_EQ(VM_DONE, vm_file_submit_read(b.vm, b.file, 0, 1, &n));
	vm_advance(b.vm, 20 * MS);
	n = 0;
	CHECK_EQ(VM_DONE, vm_file_read(b.vm, b.file, 0, 1, &byte, &n));
	CHECK_EQ('a', byte);
	CHECK_OK(b.vm);
	done(&b);
}

/* A host file that is not there is an I/O error, not the end of the program. */
static void test_no_host_file(void)
{
	struct bench b = with_file(2);

	CHECK_EQ(0, vm_mapping_fd(b.vm, b.file, -1));
	make_dirty(&b, 0, 1, 'x');
	write_back(&b, 1);
	read_ahead(&b, 1, 1);
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(EIO, b.vm->mappings[b.file].error);
	CHECK_EQ(1, b.vm->mappings[b.file].nr_dirty);
	CHECK_OK(b.vm);
	done(&b);
}

/* A short write is gone on with behind what it took. */
static void test_a_short_write(void)
{
	u8 bytes[3][4] = { "abcd", "efgh", "ijkl" };
	struct iovec iov[3];

	for (u32 n = 0; n <= 12; n++) {
		for (u32 i = 0; i < 3; i++)
			iov[i] = (struct iovec){ bytes[i], 4 };
		CHECK_EQ(n / 4, skip_written(iov, n));
		if (n < 12)
			CHECK_EQ('a' + n, *(u8 *)iov[n / 4].iov_base);
		if (n < 12)
			CHECK_EQ(4 - n % 4, iov[n / 4].iov_len);
	}
}

/*
 * The host's file may be no larger than two pages and a half: that much is written,
 * the errno is the host's, and every page of the request is dirty still.
 */
static void test_a_host_that_takes_a_part(void)
{
	const struct rlimit limit = { 5 * PAGE_SIZE / 2, RLIM_INFINITY };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct bench b = with_file(2);
	u8 byte;

	signal(SIGXFSZ, SIG_IGN);
	make_dirty(&b, 0, 4, 'x');
	CHECK_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	write_back(&b, 4);
	vm_advance(b.vm, 10 * MS);
	CHECK_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
	CHECK_EQ(EFBIG, b.vm->mappings[b.file].error);
	CHECK_EQ(4, b.vm->mappings[b.file].nr_dirty);
	CHECK_EQ(1, pread(fileno(b.host), &byte, 1, 5 * PAGE_SIZE / 2 - 1));
	CHECK_EQ('x', byte);
	CHECK_OK(b.vm);
	vm_mapping_clear_error(b.vm, b.file);
	write_back(&b, 4);
	vm_advance(b.vm, 20 * MS);
	CHECK_EQ(0, b.vm->mappings[b.file].error);
	CHECK_EQ(1, pread(fileno(b.host), &byte, 1, 4 * PAGE_SIZE - 1));
	CHECK_EQ('x', byte);
	done(&b);
}

/* ---- reclaim's write-out ---- */

/*
 * A page that was written for reclaim goes to the tail when it is clean.
 *
 *	tail A B C head, C written	->	tail C A B head
 */
static void test_rotated_when_written(void)
{
	struct bench b = with_file(3);
	u32 before[3], after[3];

	make_dirty(&b, 0, 3, 'x');
	vm_drain_pagevecs(b.vm);
	CHECK_EQ(3, vm_lru_list(b.vm, 1, LRU_INACTIVE, 3, before));
	CHECK_EQ(VM_DONE, vm_writepage(b.vm, before[2], true));
	CHECK(b.vm->pages[before[2]].flags & PG_RECLAIM);
	vm_advance(b.vm, 10 * MS);
	CHECK(!(b.vm->pages[before[2]].flags & PG_RECLAIM));
	CHECK_EQ(3, vm_lru_list(b.vm, 1, LRU_INACTIVE, 3, after));
	CHECK_EQ(before[2], after[0]);
	CHECK_EQ(before[0], after[1]);
	CHECK_EQ(before[1], after[2]);
	CHECK_OK(b.vm);
	done(&b);
}

int main(void)
{
	RUN(test_read_bytes);
	RUN(test_write_bytes);
	RUN(test_redirtied_under_writeback);
	RUN(test_write_error);
	RUN(test_read_error);
	RUN(test_no_host_file);
	RUN(test_a_short_write);
	RUN(test_a_host_that_takes_a_part);
	RUN(test_rotated_when_written);
	return 0;
}
