/*
 * fuse_lane.c - READ and WRITE of resident pages, answered before libfuse sees them
 *
 * A request that needs nobody's decision (memfs/csrc/lane.c says which) costs a
 * lookup, a copy and a writev() here, and some ten microseconds of Python on the
 * long way. The request is looked at as it comes from the kernel; what is not for
 * this lane is left as it is. Descriptors get here when the volume has served them
 * once and has found nothing that it must be asked about every time.
 *
 * What changes besides pages are the times of the file. They are noted in its
 * record, where the volume looks before it uses its own.
 *
 * Context: the thread of the session; nothing here allocates or waits.
 *
 * Source: include/linux/fuse.h 7.39; fs/inode.c relatime_need_update(), Linux 6.1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuse_lane.h"

#define DAY_NS (24 * 3600 * 1000000000ll)

/* By the handle's number; of those that share a place the first has it. */
#define NR_BOUND 65536u

static struct {
	struct vm *vm;
	lane_read_fn read;
	lane_write_fn write;
	uint64_t nr_served;
	struct {
		uint64_t fh;
		struct lane *lane;
	} bound[NR_BOUND];
} lanes;

_Static_assert(sizeof(struct vm_piece) == sizeof(struct iovec) &&
		       offsetof(struct vm_piece, len) ==
			       offsetof(struct iovec, iov_len),
	       "a piece is an iovec");

static int64_t wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The lane of a handle that may be used now, or NULL. Volumes' handles are even. */
static struct lane *lane_of(uint64_t fh)
{
	struct lane *lane = lanes.bound[(fh >> 1) % NR_BOUND].lane;

	if (!lane || lanes.bound[(fh >> 1) % NR_BOUND].fh != fh || !lane->file->allowed)
		return NULL;
	return lane;
}

/* A reply that cannot be given has lost its caller: the kernel wants no other. */
static int reply(int fd, uint64_t unique, struct iovec *iov, uint32_t nr, int bytes)
{
	struct fuse_out_header out = {
		.len = (uint32_t)sizeof(out) + (uint32_t)bytes,
		.unique = unique,
	};

	iov[0] = (struct iovec){ &out, sizeof(out) };
	if (writev(fd, iov, (int)nr + 1) < 0)
		return 1;
	return 1;
}

static int serve_read(int fd, const struct fuse_in_header *head,
		      const struct fuse_read_in *in)
{
	struct lane *lane = lane_of(in->fh);
	struct iovec iov[VM_LANE_PIECES + 1];
	uint32_t nr;
	int64_t now;
	int bytes;

	if (!lane || !lane->reads || in->flags & O_DIRECT)
		return 0;
	/* read(2) names its owner of locks, a fault and what is read ahead have none. */
	bytes = lanes.read(lanes.vm, lane->file->mapping, in->offset, in->size,
			   !in->lock_owner, &lane->ra, (struct vm_piece *)&iov[1], &nr);
	if (bytes < 0)
		return 0;
	now = wall_ns();
	if (!lane->noatime && now >= lane->file->quiet_until) {
		lane->file->read_ns = now;
		lane->file->quiet_until = now + DAY_NS;
	}
	return reply(fd, head->unique, iov, nr, bytes);
}

static int serve_write(int fd, const struct fuse_in_header *head,
		       const struct fuse_write_in *in, size_t room)
{
	struct lane *lane = lane_of(in->fh);
	struct fuse_write_out out = { .size = in->size };
	struct iovec iov[2] = { { 0 }, { &out, sizeof(out) } };

	if (!lane || !lane->writes || in->flags & O_DIRECT || in->size > room)
		return 0;
	if (lanes.write(lanes.vm, lane->file->mapping, in->offset, in->size, in + 1,
			in->write_flags & FUSE_WRITE_CACHE) < 0)
		return 0;
	lane->file->wrote_ns = wall_ns();
	/* From now on the access time is older than the contents. */
	lane->file->quiet_until = 0;
	return reply(fd, head->unique, iov, 1, (int)sizeof(out));
}

int lane_serve(int fd, const void *request, size_t bytes)
{
	const struct fuse_in_header *head = request;
	const void *body = head + 1;
	int served = 0;

	if (!lanes.vm || bytes < sizeof(*head))
		return 0;
	bytes -= sizeof(*head);
	if (head->opcode == FUSE_READ && bytes >= sizeof(struct fuse_read_in))
		served = serve_read(fd, head, body);
	else if (head->opcode == FUSE_WRITE && bytes >= sizeof(struct fuse_write_in))
		served = serve_write(fd, head, body,
				     bytes - sizeof(struct fuse_write_in));
	lanes.nr_served += (uint64_t)served;
	return served;
}

int lane_attached(void)
{
	return lanes.vm != NULL;
}

/*
 * memfs_shim_lane_attach - the core's side of the lane
 * @read, @write: vm_lane_read() and vm_lane_write()
 * @vm:	the machine; NULL: nothing is served any more
 */
void memfs_shim_lane_attach(lane_read_fn read, lane_write_fn write, struct vm *vm)
{
	lanes.read = read;
	lanes.write = write;
	lanes.vm = vm;
}

/*
 * memfs_shim_lane_bind - let a handle use the lane; 0: its place is taken by another
 * @lane: the caller's, until memfs_shim_lane_unbind()
 */
int memfs_shim_lane_bind(uint64_t fh, struct lane *lane)
{
	if (lanes.bound[(fh >> 1) % NR_BOUND].lane)
		return 0;
	lanes.bound[(fh >> 1) % NR_BOUND].fh = fh;
	lanes.bound[(fh >> 1) % NR_BOUND].lane = lane;
	return 1;
}

void memfs_shim_lane_unbind(uint64_t fh)
{
	if (lanes.bound[(fh >> 1) % NR_BOUND].fh == fh)
		lanes.bound[(fh >> 1) % NR_BOUND].lane = NULL;
}

/* Requests answered here. */
uint64_t memfs_shim_lane_served(void)
{
	return lanes.nr_served;
}
