/*
 * pass_ll.c - one flat directory passed through over libfuse's low-level API
 *
 * The anchor of the rows about files: the least that C can do between the kernel and
 * a directory of the host, one thread, with the flags that memfs uses: every file
 * open with direct_io, permissions checked by the kernel, the same timeouts, FLUSH
 * answered, no splicing. Files keep a descriptor as long as the kernel knows them;
 * there are no directories below. Ends with the mount.
 *
 * usage: pass_ll MOUNTPOINT DIRECTORY ENTRY_TIMEOUT ATTR_TIMEOUT
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUF_SIZE (1u << 20)
#define NR_BUCKETS (1u << 16)

struct node {
	struct node *next; /* of its bucket */
	ino_t host_ino;
	int fd;
	unsigned long lookups;
};

static struct {
	int dir;
	double entry_timeout, attr_timeout;
	struct node *bucket[NR_BUCKETS];
	char buf[BUF_SIZE];
} pass;

static struct node *node_of(fuse_ino_t ino)
{
	return (struct node *)ino;
}

static int fd_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? pass.dir : node_of(ino)->fd;
}

static struct node **bucket_of(ino_t ino)
{
	return &pass.bucket[ino % NR_BUCKETS];
}

/* The node of a file of the host; it takes `fd`, which is open for both. */
static struct node *node_get(int fd, const struct stat *st)
{
	struct node **bucket = bucket_of(st->st_ino);
	struct node *node;

	for (node = *bucket; node; node = node->next)
		if (node->host_ino == st->st_ino) {
			close(fd);
			node->lookups++;
			return node;
		}
	node = malloc(sizeof(*node));
	if (!node)
		return NULL;
	*node = (struct node){ *bucket, st->st_ino, fd, 1 };
	*bucket = node;
	return node;
}

static void node_put(struct node *node, uint64_t lookups)
{
	struct node **at = bucket_of(node->host_ino);

	node->lookups -= lookups;
	if (node->lookups)
		return;
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	close(node->fd);
	free(node);
}

static int entry(const char *name, int flags, mode_t mode, struct fuse_entry_param *e)
{
	int fd = openat(pass.dir, name, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode);
	struct node *node;

	if (fd < 0 || fstat(fd, &e->attr))
		return errno;
	node = node_get(fd, &e->attr);
	if (!node)
		return ENOMEM;
	e->ino = (fuse_ino_t)node;
	e->entry_timeout = pass.entry_timeout;
	e->attr_timeout = pass.attr_timeout;
	return 0;
}

static void pass_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { 0 };
	int err = parent == FUSE_ROOT_ID ? entry(name, 0, 0, &e) : ENOTDIR;

	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_entry(req, &e);
}

static void pass_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	if (ino != FUSE_ROOT_ID)
		node_put(node_of(ino), nlookup);
	fuse_reply_none(req);
}

static void pass_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (fstat(fd_of(ino), &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, pass.attr_timeout);
}

static void pass_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
			 struct fuse_file_info *fi)
{
	if (to_set & FUSE_SET_ATTR_SIZE && ftruncate(fd_of(ino), attr->st_size)) {
		fuse_reply_err(req, errno);
		return;
	}
	pass_getattr(req, ino, fi);
}

static void opened(struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->noflush = 1;
	fi->keep_cache = 0;
}

static void pass_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e = { 0 };
	int err = parent == FUSE_ROOT_ID ? entry(name, O_CREAT, mode, &e) : ENOTDIR;

	if (err) {
		fuse_reply_err(req, err);
		return;
	}
	opened(fi);
	fuse_reply_create(req, &e, fi);
}

static void pass_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->flags & O_TRUNC && ftruncate(fd_of(ino), 0)) {
		fuse_reply_err(req, errno);
		return;
	}
	opened(fi);
	fuse_reply_open(req, fi);
}

static void pass_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	ssize_t n = pread(fd_of(ino), pass.buf, size < BUF_SIZE ? size : BUF_SIZE, off);

	(void)fi;
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, pass.buf, (size_t)n);
}

static void pass_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		       off_t off, struct fuse_file_info *fi)
{
	ssize_t n = pwrite(fd_of(ino), buf, size, off);

	(void)fi;
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void pass_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void pass_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int err = parent == FUSE_ROOT_ID ? 0 : ENOTDIR;

	if (!err && unlinkat(pass.dir, name, 0))
		err = errno;
	fuse_reply_err(req, err);
}

static void pass_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->want &= ~(unsigned int)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				      FUSE_CAP_SPLICE_MOVE);
}

static const struct fuse_lowlevel_ops pass_ops = {
	.init = pass_init,
	.lookup = pass_lookup,
	.forget = pass_forget,
	.getattr = pass_getattr,
	.setattr = pass_setattr,
	.create = pass_create,
	.open = pass_open,
	.read = pass_read,
	.write = pass_write,
	.release = pass_release,
	.unlink = pass_unlink,
};

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-o", "default_permissions,fsname=pass_ll", NULL };
	struct fuse_args fuse_args = FUSE_ARGS_INIT(3, args);
	struct fuse_session *se;

	if (argc != 5) {
		fprintf(stderr,
			"usage: %s MOUNTPOINT DIRECTORY ENTRY_TIMEOUT ATTR_TIMEOUT\n",
			argv[0]);
		return 2;
	}
	raise_limit();
	pass.dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pass.entry_timeout = strtod(argv[3], NULL);
	pass.attr_timeout = strtod(argv[4], NULL);
	se = fuse_session_new(&fuse_args, &pass_ops, sizeof(pass_ops), NULL);
	if (pass.dir < 0 || !se || fuse_set_signal_handlers(se) ||
	    fuse_session_mount(se, argv[1]))
		return 1;
	puts("READY");
	fflush(stdout);
	fuse_session_loop(se);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return 0;
}
