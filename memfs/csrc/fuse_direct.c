/*
 * fuse_direct.c - small requests answered by Python at once, past libfuse and pyfuse3
 *
 * On the long way a request becomes an object, a coroutine and a task's turn before
 * its handler runs: as much work again as most handlers do. Requests about names and
 * attributes that need not wait are handed to one function instead (memfs/direct.py),
 * as they come from the kernel; it leaves the bytes of the answer in a buffer. What it
 * does not want takes the long way, to the same end.
 *
 * Context: the thread of the session, which holds Python's lock.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse_direct.h"

/* Numbers of volumes' inodes begin here: memfs/inodes.py. */
#define VOLUME_SHIFT 48

static struct {
	direct_fn call;
	void *room;
	/* Of volumes' inodes, and of the others. */
	uint64_t of_volumes, of_nodes;
} direct;

static int is_wanted(const struct fuse_in_header *head)
{
	uint64_t opcodes = direct.of_nodes;

	if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET ||
	    head->nodeid >> VOLUME_SHIFT)
		opcodes = direct.of_volumes;
	return head->opcode < 64 && opcodes >> head->opcode & 1;
}

int direct_serve(int fd, const void *request, size_t bytes)
{
	const struct fuse_in_header *head = request;
	struct fuse_out_header out = { .len = sizeof(out) };
	struct iovec iov[2] = { { &out, sizeof(out) }, { direct.room, 0 } };
	int n;

	if (!direct.call || bytes < sizeof(*head) || !is_wanted(head))
		return 0;
	n = direct.call(head->opcode, head->nodeid, request, (uint32_t)bytes);
	if (n == DIRECT_NOT)
		return 0;
	if (n == DIRECT_NONE)
		return 1;
	out.unique = head->unique;
	if (n < 0) {
		out.error = n;
	} else {
		out.len += (uint32_t)n;
		iov[1].iov_len = (size_t)n;
	}
	/* An answer that cannot be given has lost its caller, who wants no other. */
	if (writev(fd, iov, iov[1].iov_len ? 2 : 1) < 0)
		return 1;
	return 1;
}

int direct_attached(void)
{
	return direct.call != NULL;
}

/*
 * memfs_shim_direct_attach - who answers what
 * @call: NULL: nobody does
 * @room: for the bytes of an answer
 * @of_volumes, @of_nodes: a bit for each opcode that @call wants to see, of volumes'
 *	inodes and of generated ones; FORGET is with the former
 */
void memfs_shim_direct_attach(direct_fn call, void *room, uint64_t of_volumes,
			      uint64_t of_nodes)
{
	direct.call = call;
	direct.room = room;
	direct.of_volumes = of_volumes;
	direct.of_nodes = of_nodes;
}
