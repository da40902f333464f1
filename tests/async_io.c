/*
 * async_io.c - writes and reads a file through the kernel's two asynchronous interfaces
 *
 * usage: async_io aio|uring FILE [direct]
 *
 * Writes NR blocks in a scattered order, all of them in flight at once, syncs, reads
 * them back the same way and compares. Raw system calls: no library is needed. Ends
 * with 77 where the kernel does not have the interface.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR 64u
#define BLOCK 16384u
#define MISSING 77

static unsigned char *blocks[NR];

static void die(const char *what)
{
	perror(what);
	exit(errno == ENOSYS || errno == EPERM ? MISSING : 1);
}

/* All blocks once, not in order. */
static unsigned int place(unsigned int i)
{
	return i * 37 % NR;
}

static void fill(void)
{
	for (unsigned int i = 0; i < NR; i++)
		for (unsigned int at = 0; at < BLOCK; at++)
			blocks[i][at] = (unsigned char)(i * 7 + at % 251);
}

static void check_and_clear(void)
{
	for (unsigned int i = 0; i < NR; i++) {
		for (unsigned int at = 0; at < BLOCK; at++)
			if (blocks[i][at] != (unsigned char)(i * 7 + at % 251)) {
				fprintf(stderr, "block %u differs at %u\n", i, at);
				exit(1);
			}
		memset(blocks[i], 0, BLOCK);
	}
}

/* ---- io_submit(2) ---- */

static void aio_all(aio_context_t ctx, int fd, unsigned int opcode)
{
	struct iocb cb[NR], *list[NR];
	struct io_event events[NR];

	memset(cb, 0, sizeof(cb));
	for (unsigned int i = 0; i < NR; i++) {
		unsigned int at = place(i);

		cb[i].aio_fildes = (unsigned int)fd;
		cb[i].aio_lio_opcode = (unsigned short)opcode;
		cb[i].aio_buf = (uintptr_t)blocks[at];
		cb[i].aio_nbytes = BLOCK;
		cb[i].aio_offset = at * BLOCK;
		list[i] = &cb[i];
	}
	if (syscall(SYS_io_submit, ctx, (long)NR, list) != NR)
		die("io_submit");
	if (syscall(SYS_io_getevents, ctx, (long)NR, (long)NR, events, NULL) != NR)
		die("io_getevents");
	for (unsigned int i = 0; i < NR; i++)
		if (events[i].res != BLOCK) {
			fprintf(stderr, "an event says %lld\n",
				(long long)events[i].res);
			exit(1);
		}
}

static void by_aio(int fd)
{
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, NR, &ctx))
		die("io_setup");
	fill();
	aio_all(ctx, fd, IOCB_CMD_PWRITE);
	if (fsync(fd))
		die("fsync");
	for (unsigned int i = 0; i < NR; i++)
		memset(blocks[i], 0xff, BLOCK);
	aio_all(ctx, fd, IOCB_CMD_PREAD);
	check_and_clear();
	syscall(SYS_io_destroy, ctx);
}

/* ---- io_uring ---- */

struct ring {
	int fd;
	struct io_uring_params p;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static unsigned int *word(unsigned char *base, unsigned int offset)
{
	return (unsigned int *)(void *)(base + offset);
}

static void ring_open(struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, NR, &r->p);
	if (r->fd < 0)
		die("io_uring_setup");
	sq = r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned int);
	cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		     IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd,
		     IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		die("mmap of the ring");
}

static void ring_put(struct ring *r, unsigned int i, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = word(r->sq, r->p.sq_off.tail);
	unsigned int mask = *word(r->sq, r->p.sq_off.ring_mask);

	r->sqes[i] = *sqe;
	word(r->sq, r->p.sq_off.array)[*tail & mask] = i;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void ring_run(struct ring *r, unsigned int nr, int want)
{
	unsigned int *head = word(r->cq, r->p.cq_off.head);
	unsigned int *tail = word(r->cq, r->p.cq_off.tail);
	unsigned int mask = *word(r->cq, r->p.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(r->cq + r->p.cq_off.cqes);
	unsigned int submit = nr;

	while (nr) {
		if (syscall(SYS_io_uring_enter, r->fd, submit, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter");
		submit = 0;
		while (*head != __atomic_load_n(tail, __ATOMIC_ACQUIRE)) {
			int res = cqes[*head & mask].res;

			if (res != want) {
				fprintf(stderr, "a completion says %d\n", res);
				exit(1);
			}
			__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
			nr--;
		}
	}
}

static void ring_all(struct ring *r, int fd, unsigned char opcode)
{
	for (unsigned int i = 0; i < NR; i++) {
		unsigned int at = place(i);
		struct io_uring_sqe sqe = {
			.opcode = opcode,
			.fd = fd,
			.addr = (uintptr_t)blocks[at],
			.len = BLOCK,
			.off = at * BLOCK,
		};

		ring_put(r, i, &sqe);
	}
	ring_run(r, NR, BLOCK);
}

static void by_uring(int fd)
{
	struct io_uring_sqe sync = { .opcode = IORING_OP_FSYNC, .fd = fd };
	struct ring r;

	ring_open(&r);
	fill();
	ring_all(&r, fd, IORING_OP_WRITE);
	ring_put(&r, 0, &sync);
	ring_run(&r, 1, 0);
	for (unsigned int i = 0; i < NR; i++)
		memset(blocks[i], 0xff, BLOCK);
	ring_all(&r, fd, IORING_OP_READ);
	check_and_clear();
	close(r.fd);
}

int main(int argc, char **argv)
{
	int flags = O_RDWR | O_CREAT, fd;

	if (argc < 3)
		return 2;
	if (argc > 3 && strcmp(argv[3], "direct") == 0)
		flags |= O_DIRECT;
	fd = open(argv[2], flags, 0644);
	if (fd < 0)
		die(argv[2]);
	for (unsigned int i = 0; i < NR; i++) {
		blocks[i] = aligned_alloc(4096, BLOCK);
		if (!blocks[i])
			die("memory");
	}
	if (strcmp(argv[1], "aio") == 0)
		by_aio(fd);
	else
		by_uring(fd);
	for (unsigned int i = 0; i < NR; i++)
		free(blocks[i]);
	return close(fd) ? 1 : 0;
}
