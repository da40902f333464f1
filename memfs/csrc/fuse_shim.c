/*
 * fuse_shim.c - what pyfuse3 leaves out of libfuse
 *
 * A shared object of its own, loaded with RTLD_GLOBAL before pyfuse3, so that the
 * names it defines win over libfuse's: fuse_session_new() is called by pyfuse3 and
 * lands here. It patches the table of operations and remembers the session:
 *
 *	INTERRUPT	memfs_shim_arm() makes a signal to the caller of the request
 *			in hand show up on an eventfd
 *	MMAP		shared mappings of direct_io files (a bit of the INIT reply)
 *	FALLOCATE, LSEEK	handed to two callbacks, answered by memfs_shim_reply_*()
 *	INVAL		invalidation of a range of an inode
 *	NOFLUSH		close() sends no FLUSH, only the RELEASE that follows the last one
 *	STATFS		the inode that a statfs() asks about
 *	BACKGROUND	more than twelve background requests at once
 *	MAX_READ	the mount's word max_read=N, which the program has to say again
 *	CACHED		whether a READ fills, or a WRITE empties, the kernel's page cache
 *	KILLS		whether a WRITE's caller may not keep set-ID bits
 *	LANE		reads and writes of resident pages are answered here: fuse_lane.c
 *	TEXT		renderings, and small ones that are kept, too: fuse_text.c
 *	DIRECT		names, attributes, opening: Python at once, fuse_direct.c
 *
 * Context: one thread, the one that runs the session; memfs_shim_inval*() alone may
 * be called from others. Nothing here allocates or waits.
 *
 * Source: libfuse 3.14 lib/fuse_lowlevel.c, include/linux/fuse.h 7.39.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314

#include <dlfcn.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuse_direct.h"
#include "fuse_init.h"
#include "fuse_interrupt.h"
#include "fuse_lane.h"
#include "fuse_shim.h"
#include "fuse_text.h"
#include "fuse_xattr.h"

/*
 * Requests of the short way are served for so long, as on the long one (TURN_NS in
 * memfs/turns.py), then others have their turn, unless nobody has anything to do. A large
 * one takes longer than that by itself: a few of them make a turn.
 */
#define LANE_TURN_NS 200000
#define LANE_TURN_LARGE_NS 400000
#define LANE_LARGE 131072
/*
 * So long a client needs for the next request of a sequence: see memfs/turns.py; the
 * kernel pins the pages of a large one, and lets go of them, one by one.
 */
#define LANE_SPIN_NS 12000
#define LANE_SPIN_LARGE_NS 60000

static struct {
	struct fuse_session *session;
	struct fuse_lowlevel_ops orig; /* pyfuse3's */
	unsigned int hooks, background, max_read;
	shim_fallocate_fn on_fallocate;
	shim_lseek_fn on_lseek;
	/* The request that is being handed to Python, until its handler first waits. */
	fuse_req_t current;
	fuse_ino_t current_ino;
	int current_cached, current_kills;
	uint64_t nr_served;
	int64_t turn_until; /* nobody else wants a turn before; monotonic, ns */
	int over;
	int event_fd;
} shim;

/* The function that this one hides; NULL when libfuse is not there. */
static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void note(fuse_req_t req)
{
	shim.current = req;
}

/* ------------------------------------------------------ the request in hand */

/*
 * memfs_shim_arm - have the request in hand watched for signals
 *
 * Only before its handler waits for the first time. Return: a slot to be given back
 * with memfs_shim_disarm() before the reply, or -1: not watched.
 */
int memfs_shim_arm(void)
{
	int slot = shim.current ? interrupt_arm(shim.current) : -1;

	if (slot >= 0)
		shim.current = NULL;
	return slot;
}

/* The request in hand is this one again: its handler runs later than it was called. */
void memfs_shim_take(void *req)
{
	note((fuse_req_t)req);
}

/* The thread that sent the request in hand, 0 when it is not known. */
int memfs_shim_pid(void)
{
	static const struct fuse_ctx *(*orig)(fuse_req_t);

	if (!orig)
		orig = next("fuse_req_ctx");
	return shim.current ? orig(shim.current)->pid : 0;
}

uint64_t memfs_shim_ino(void)
{
	return shim.current_ino;
}

/* Whether the READ or WRITE in hand is the kernel's page cache's own. */
int memfs_shim_cached(void)
{
	return shim.current_cached;
}

/* Whether the WRITE in hand takes set-ID bits away, by who does it. */
int memfs_shim_kills(void)
{
	return shim.current_kills;
}

/* How many requests there were since the start. */
uint64_t memfs_shim_served(void)
{
	return shim.nr_served;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * memfs_shim_readable - whether a request is there, or comes very soon
 * @spin_ns: for how long to look; a request of a sequence follows the last one
 *	within microseconds, much less than what asking the event loop costs
 */
int memfs_shim_readable(int64_t spin_ns)
{
	struct pollfd fd = { .fd = fuse_session_fd(shim.session), .events = POLLIN };
	int64_t end = now_ns() + spin_ns;

	/* A signal ends poll() with -1, and says nothing about requests. */
	while (poll(&fd, 1, 0) <= 0) {
		if (now_ns() >= end)
			return 0;
		sched_yield();
	}
	return 1;
}

/* A turn lasts till then at least: nobody else has anything to do (monotonic, ns). */
void memfs_shim_turn(int64_t until)
{
	shim.turn_until = until;
}

/* Whether the kernel has taken the mount away. */
int memfs_shim_over(void)
{
	return shim.over;
}

/* ------------------------------------------------- operations of the table */

static void shim_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	note(req);
	/* read(2) names its owner of locks, a fault and what is read ahead have none. */
	shim.current_cached = !fi->lock_owner;
	shim.orig.read(req, ino, size, off, fi);
}

static void shim_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv,
			   off_t off, struct fuse_file_info *fi)
{
	note(req);
	shim.current_cached = fi->writepage;
	shim.orig.write_buf(req, ino, bufv, off, fi);
}

static void shim_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	note(req);
	shim.orig.flush(req, ino, fi);
}

static void shim_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		       struct fuse_file_info *fi)
{
	note(req);
	shim.orig.fsync(req, ino, datasync, fi);
}

static void shim_statfs(fuse_req_t req, fuse_ino_t ino)
{
	shim.current_ino = ino;
	shim.orig.statfs(req, ino);
}

static void shim_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
			   off_t len, struct fuse_file_info *fi)
{
	(void)ino;
	note(req);
	shim.on_fallocate(req, fi->fh, mode, off, len);
}

static void shim_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		       struct fuse_file_info *fi)
{
	(void)ino;
	note(req);
	shim.on_lseek(req, fi->fh, off, whence);
}

static void shim_init(void *userdata, struct fuse_conn_info *conn)
{
	shim.orig.init(userdata, conn);
	/* Where the mount was given one, libfuse ends the session that says another. */
	conn->max_read = shim.max_read;
	conn->max_background = shim.background;
	conn->congestion_threshold = shim.background / 4 * 3;
	/* Splicing costs more than it saves below some hundred KiB. */
	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE);
	shim.hooks |= HOOK_BACKGROUND;
}

int memfs_shim_reply_err(void *req, int err)
{
	return fuse_reply_err((fuse_req_t)req, err);
}

int memfs_shim_reply_lseek(void *req, int64_t off)
{
	return fuse_reply_lseek((fuse_req_t)req, off);
}

int memfs_shim_inval(uint64_t ino, int64_t off, int64_t len)
{
	if (!shim.session)
		return -ENOTCONN;
	return fuse_lowlevel_notify_inval_inode(shim.session, ino, off, len);
}

/*
 * memfs_shim_inval_ranges - invalidate ranges, one after the other
 * @ranges: ino, offset and length of each
 *
 * An inode that the kernel has forgotten has no copy of anything. Return: 0, or the
 * -errno of the first range that failed; the others are done all the same.
 */
int memfs_shim_inval_ranges(const int64_t *ranges, unsigned int nr)
{
	int first = 0;

	for (; nr; nr--, ranges += 3) {
		int err = memfs_shim_inval((uint64_t)ranges[0], ranges[1], ranges[2]);

		if (err && err != -ENOENT && !first)
			first = err;
	}
	return first;
}

/* ------------------------------------------------ what hides libfuse's own */

/* The word max_read=N of the mount, 0 without it. */
static unsigned int max_read_of(const struct fuse_args *args)
{
	static const char word[] = "max_read=";
	unsigned int found = 0;

	for (int i = 0; i < args->argc; i++)
		if (!strncmp(args->argv[i], word, sizeof(word) - 1))
			found = (unsigned int)strtoul(args->argv[i] + sizeof(word) - 1,
						      NULL, 10);
	return found;
}

SHIM_EXPORT struct fuse_session *fuse_session_new(struct fuse_args *args,
						  const struct fuse_lowlevel_ops *op,
						  size_t op_size, void *userdata)
{
	struct fuse_session *(*orig)(struct fuse_args *,
				     const struct fuse_lowlevel_ops *, size_t,
				     void *) = next("fuse_session_new");
	struct fuse_lowlevel_ops patched;

	shim.max_read = max_read_of(args);
	memset(&shim.orig, 0, sizeof(shim.orig));
	memcpy(&shim.orig, op,
	       op_size < sizeof(shim.orig) ? op_size : sizeof(shim.orig));
	patched = shim.orig;
	patched.init = shim_init;
	patched.read = shim_read;
	patched.write_buf = shim_write_buf;
	patched.flush = shim_flush;
	patched.fsync = shim_fsync;
	patched.statfs = shim_statfs;
	/* The kernel checks: answered with ENOSYS once, before it reaches Python. */
	patched.access = NULL;
	if (shim.on_fallocate)
		patched.fallocate = shim_fallocate;
	if (shim.on_lseek)
		patched.lseek = shim_lseek;
	shim.session = orig(args, &patched, sizeof(patched), userdata);
	if (!shim.session)
		return NULL;
	shim.hooks |= HOOK_STATFS | HOOK_INVAL | HOOK_NOFLUSH | HOOK_TEXT;
	shim.hooks |= shim.event_fd >= 0 ? HOOK_INTERRUPT : 0u;
	shim.hooks |= shim.on_fallocate ? HOOK_FALLOCATE : 0u;
	shim.hooks |= shim.on_lseek ? HOOK_LSEEK : 0u;
	shim.hooks |= lane_attached() ? HOOK_LANE : 0u;
	shim.hooks |= direct_attached() ? HOOK_DIRECT : 0u;
	return shim.session;
}

/* What libfuse does not hand on of a WRITE. */
static int kills_set_id(const struct fuse_buf *buf)
{
	const struct fuse_in_header *head = buf->mem;
	const struct fuse_write_in *in = (const void *)(head + 1);

	return !(buf->flags & FUSE_BUF_IS_FD) &&
	       buf->size >= sizeof(*head) + sizeof(*in) && head->opcode == FUSE_WRITE &&
	       in->write_flags & FUSE_WRITE_KILL_SUIDGID;
}

/* The short way, or a shorter one than libfuse's. */
static int served_here(int fd, const void *request, size_t bytes)
{
	return lane_serve(fd, request, bytes) || text_serve(fd, request, bytes) ||
	       direct_serve(fd, request, bytes) || xattr_serve(fd, request, bytes);
}

static int turn_is_over(int64_t begin, int large)
{
	const int64_t now = now_ns();

	return now - begin >= (large ? LANE_TURN_LARGE_NS : LANE_TURN_NS) &&
	       now >= shim.turn_until;
}

/* The next request that is not for the short way, or why there is none. */
static int next_request(struct fuse_session *se, struct fuse_buf *buf,
			int (*orig)(struct fuse_session *, struct fuse_buf *))
{
	int64_t begin = 0;

	for (;;) {
		int got = orig(se, buf), large = got >= LANE_LARGE;

		if (got <= 0 || buf->flags & FUSE_BUF_IS_FD ||
		    !served_here(fuse_session_fd(se), buf->mem, (size_t)got))
			return got;
		shim.nr_served++;
		if (!begin)
			begin = now_ns();
		if (turn_is_over(begin, large) ||
		    !memfs_shim_readable(large ? LANE_SPIN_LARGE_NS : LANE_SPIN_NS))
			return -EINTR;
	}
}

static int receive(struct fuse_session *se, struct fuse_buf *buf,
		   int (*orig)(struct fuse_session *, struct fuse_buf *))
{
	int got = next_request(se, buf, orig);

	direct_rest();
	return got;
}

SHIM_EXPORT int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
	static int (*orig)(struct fuse_session *, struct fuse_buf *);
	int got;

	if (!orig)
		orig = next("fuse_session_receive_buf");
	got = receive(se, buf, orig);
	/* The request that was there has been taken back: its caller was killed. A
	 * blocking read would stop the whole daemon, and pyfuse3 knows EINTR only. */
	if (got == -EAGAIN)
		return -EINTR;
	if (got <= 0 && got != -EINTR) {
		shim.over = 1;
		interrupt_ring();
	}
	return got;
}

SHIM_EXPORT void fuse_session_process_buf(struct fuse_session *se,
					  const struct fuse_buf *buf)
{
	static void (*orig)(struct fuse_session *, const struct fuse_buf *);

	if (!orig)
		orig = next("fuse_session_process_buf");
	shim.current = NULL;
	shim.current_kills = kills_set_id(buf);
	shim.nr_served++;
	orig(se, buf);
}

/* pyfuse3 calls this first in the handler of every request that read(2) and its
 * like do not send; so the table need not be patched for those. */
SHIM_EXPORT const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
	static const struct fuse_ctx *(*orig)(fuse_req_t);

	if (!orig)
		orig = next("fuse_req_ctx");
	note(req);
	return orig(req);
}

SHIM_EXPORT int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	static int (*orig)(fuse_req_t, const struct fuse_file_info *);
	struct fuse_file_info patched = *fi;

	if (!orig)
		orig = next("fuse_reply_open");
	patched.noflush = 1;
	return orig(req, &patched);
}

SHIM_EXPORT int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *entry,
				  const struct fuse_file_info *fi)
{
	static int (*orig)(fuse_req_t, const struct fuse_entry_param *,
			   const struct fuse_file_info *);
	struct fuse_file_info patched = *fi;

	if (!orig)
		orig = next("fuse_reply_create");
	patched.noflush = 1;
	return orig(req, entry, &patched);
}

/* ----------------------------------------------------------- life and state */

/*
 * memfs_shim_open - prepare the hooks; once a process, before pyfuse3.init()
 * @background: background requests the kernel may have in flight, 1..65535
 * @on_fallocate, @on_lseek: called with a request that they own until they reply
 *
 * Return: an eventfd that becomes readable when a watched caller got a signal, or
 * -errno.
 */
int memfs_shim_open(unsigned int background, shim_fallocate_fn on_fallocate,
		    shim_lseek_fn on_lseek)
{
	shim.background = background;
	shim.on_fallocate = on_fallocate;
	shim.on_lseek = on_lseek;
	shim.event_fd = interrupt_open();
	return shim.event_fd;
}

/* What is hooked so far, a set of HOOK_*; MMAP and BACKGROUND only after INIT. */
unsigned int memfs_shim_hooks(void)
{
	return shim.hooks | (init_has_mmap() ? HOOK_MMAP : 0u);
}
