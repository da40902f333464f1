/*
 * fuse_init.c - asking for shared mappings of direct_io files
 *
 * The kernel offers them with a bit of its INIT request, and gives them for a bit of
 * the reply, neither of which libfuse 3.14 knows. So the session's reads and writes
 * go through two functions that look at the first of each.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314

#include <dlfcn.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse_init.h"

/* What an INIT request and its reply look like. */
#define INIT_OPCODE 26
#define INIT_EXT (1u << 30)
#define DIRECT_IO_ALLOW_MMAP (1u << 4) /* in flags2 */

struct init_in {
	uint32_t header[10];
	uint32_t major, minor, max_readahead, flags, flags2;
};

struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2;
};

static struct {
	int kernel_has_mmap, has_mmap;
} init;

int init_has_mmap(void)
{
	return init.has_mmap;
}

static ssize_t shim_io_read(int fd, void *buf, size_t size, void *userdata)
{
	ssize_t got = read(fd, buf, size);
	struct init_in in;

	(void)userdata;
	if (got < (ssize_t)sizeof(in) || init.kernel_has_mmap)
		return got;
	memcpy(&in, buf, sizeof(in));
	if (in.header[1] == INIT_OPCODE && in.flags & INIT_EXT &&
	    in.flags2 & DIRECT_IO_ALLOW_MMAP)
		init.kernel_has_mmap = 1;
	return got;
}

static ssize_t shim_io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct init_out out;

	(void)userdata;
	/* The first reply of a session is the one to INIT. */
	if (init.kernel_has_mmap && !init.has_mmap && count == 2 &&
	    iov[1].iov_len >= sizeof(out)) {
		memcpy(&out, iov[1].iov_base, sizeof(out));
		out.flags |= INIT_EXT;
		out.flags2 |= DIRECT_IO_ALLOW_MMAP;
		memcpy(iov[1].iov_base, &out, sizeof(out));
		init.has_mmap = 1;
	}
	return writev(fd, iov, count);
}

SHIM_EXPORT int fuse_session_mount(struct fuse_session *se, const char *mountpoint)
{
	int (*orig)(struct fuse_session *, const char *) =
		dlsym(RTLD_NEXT, "fuse_session_mount");
	static const struct fuse_custom_io io = {
		.writev = shim_io_writev,
		.read = shim_io_read,
	};
	int err = orig(se, mountpoint);

	int fd;

	if (err)
		return err;
	fd = fuse_session_fd(se);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* Where this fails the session keeps its own read and writev. */
	fuse_session_custom_io(se, &io, fd);
	return 0;
}
