/*
 * fuse_direct.c - small requests answered by Python at once, past libfuse and pyfuse3
 *
 * On the long way a request becomes an object, a coroutine and a task's turn before
 * its handler runs: as much work again as most handlers do. Requests about names and
 * attributes that need not wait are handed to one function instead (memfs/direct.py),
 * as they come from the kernel; it leaves the bytes of the answer in a buffer. What it
 * does not want takes the long way, to the same end.
 *
 * Two kinds need not be handed over one by one. Nobody waits for a FORGET: they are
 * gathered, to the end of the turn at most, and become one BATCH_FORGET. And the kernel,
 * which knows that an UNLINK changes the directory, asks for the directory's attributes
 * next: they come with the answer of the UNLINK and are kept until the turn is over or
 * anything else is handed over, which might change them.
 *
 * Context: the thread of the session, which holds Python's lock.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#include <linux/fuse.h>
#include <string.h>
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
	uint64_t known; /* the directory whose attributes are kept, or 0 */
	struct fuse_attr_out attr;
} direct;

/* What is gathered, as a request. */
static struct {
	struct fuse_in_header head;
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one[DIRECT_FORGETS];
} forgets;

static int is_wanted(const struct fuse_in_header *head, size_t bytes)
{
	uint64_t opcodes = direct.of_nodes;

	if (bytes > DIRECT_BYTES)
		return 0;
	if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET ||
	    head->nodeid >> VOLUME_SHIFT)
		opcodes = direct.of_volumes;
	return head->opcode < 64 && opcodes >> head->opcode & 1;
}

/* An answer that cannot be given has lost its caller, who wants no other. */
static void reply(int fd, uint64_t unique, int error, void *bytes, size_t nr)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + nr),
		.error = error,
		.unique = unique,
	};
	struct iovec iov[2] = { { &out, sizeof(out) }, { bytes, nr } };

	if (writev(fd, iov, nr ? 2 : 1) < 0)
		return;
}

static void hand_over_forgets(void)
{
	const uint32_t nr = forgets.in.count;
	const size_t bytes = offsetof(typeof(forgets), one) + nr * sizeof(*forgets.one);

	if (!nr)
		return;
	forgets.head.len = (uint32_t)bytes;
	forgets.head.opcode = FUSE_BATCH_FORGET;
	direct.call(FUSE_BATCH_FORGET, 0, &forgets, (uint32_t)bytes);
	forgets.in.count = 0;
}

static void gather(const struct fuse_forget_one *one, uint32_t nr)
{
	for (; nr; nr--, one++) {
		forgets.one[forgets.in.count++] = *one;
		if (forgets.in.count == DIRECT_FORGETS)
			hand_over_forgets();
	}
}

/* bytes: of the body. */
static int serve_forget(const struct fuse_in_header *head, const void *body,
			size_t bytes)
{
	const struct fuse_batch_forget_in *batch = body;
	struct fuse_forget_one one = { .nodeid = head->nodeid };

	if (head->opcode == FUSE_FORGET) {
		if (bytes < sizeof(struct fuse_forget_in))
			return 0;
		one.nlookup = ((const struct fuse_forget_in *)body)->nlookup;
		gather(&one, 1);
		return 1;
	}
	if (bytes < sizeof(*batch) ||
	    bytes - sizeof(*batch) < (size_t)batch->count * sizeof(one))
		return 0;
	gather((const void *)(batch + 1), batch->count);
	return 1;
}

static int serve_known(int fd, const struct fuse_in_header *head)
{
	if (head->opcode != FUSE_GETATTR || head->nodeid != direct.known)
		return 0;
	reply(fd, head->unique, 0, &direct.attr, sizeof(direct.attr));
	return 1;
}

static int serve_call(int fd, const struct fuse_in_header *head, size_t bytes)
{
	int n;

	direct.known = 0;
	n = direct.call(head->opcode, head->nodeid, head, (uint32_t)bytes);
	if (n == DIRECT_NOT)
		return 0;
	if (n == DIRECT_NONE)
		return 1;
	if (n == DIRECT_CHANGED) {
		memcpy(&direct.attr, direct.room, sizeof(direct.attr));
		direct.known = head->nodeid;
		n = 0;
	}
	reply(fd, head->unique, n < 0 ? n : 0, direct.room, n > 0 ? (size_t)n : 0);
	return 1;
}

int direct_serve(int fd, const void *request, size_t bytes)
{
	const struct fuse_in_header *head = request;

	if (!direct.call || bytes < sizeof(*head) || !is_wanted(head, bytes))
		return 0;
	if (head->opcode == FUSE_FORGET || head->opcode == FUSE_BATCH_FORGET)
		return serve_forget(head, head + 1, bytes - sizeof(*head));
	return serve_known(fd, head) || serve_call(fd, head, bytes);
}

void direct_rest(void)
{
	direct.known = 0;
	if (direct.call)
		hand_over_forgets();
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
 *	inodes and of generated ones; FORGET is with the former, and comes as
 *	BATCH_FORGET
 */
void memfs_shim_direct_attach(direct_fn call, void *room, uint64_t of_volumes,
			      uint64_t of_nodes)
{
	direct.call = call;
	direct.room = room;
	direct.of_volumes = of_volumes;
	direct.of_nodes = of_nodes;
}
