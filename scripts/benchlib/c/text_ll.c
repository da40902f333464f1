/*
 * text_ll.c - one text file over libfuse's low-level API: the anchor of row "cat"
 *
 * The least that C can do to serve the bytes which memfs serves, with the same
 * timeouts and the same flags of the open file. Ends with the mount.
 *
 * usage: text_ll MOUNTPOINT CONTENTS ENTRY_TIMEOUT ATTR_TIMEOUT
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "memhotplug"
#define FILE_INO 2

static struct {
	char bytes[1 << 20];
	size_t len;
	double entry_timeout, attr_timeout;
} text;

static void text_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FILE_INO ? S_IFREG | 0644 : S_IFDIR | 0755;
	st->st_nlink = ino == FILE_INO ? 1 : 2;
	st->st_size = ino == FILE_INO ? (off_t)text.len : 0;
}

static void text_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = FILE_INO };

	if (parent != FUSE_ROOT_ID || strcmp(name, NAME)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	e.entry_timeout = text.entry_timeout;
	e.attr_timeout = text.attr_timeout;
	text_stat(FILE_INO, &e.attr);
	fuse_reply_entry(req, &e);
}

static void text_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	text_stat(ino, &st);
	/* The root never changes, here as there. */
	fuse_reply_attr(req, &st, ino == FILE_INO ? text.attr_timeout : 86400);
}

static void text_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino != FILE_INO) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	fi->direct_io = 1;
	fi->noflush = 1;
	fuse_reply_open(req, fi);
}

static void text_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	size_t at = (size_t)off < text.len ? (size_t)off : text.len;

	(void)ino;
	(void)fi;
	fuse_reply_buf(req, text.bytes + at,
		       size < text.len - at ? size : text.len - at);
}

static const struct fuse_lowlevel_ops text_ops = {
	.lookup = text_lookup,
	.getattr = text_getattr,
	.open = text_open,
	.read = text_read,
};

static int text_load(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		return -1;
	text.len = fread(text.bytes, 1, sizeof(text.bytes), file);
	fclose(file);
	return text.len ? 0 : -1;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "-o", "default_permissions,fsname=text_ll", NULL };
	struct fuse_args fuse_args = FUSE_ARGS_INIT(3, args);
	struct fuse_session *se;

	if (argc != 5 || text_load(argv[2])) {
		fprintf(stderr,
			"usage: %s MOUNTPOINT CONTENTS ENTRY_TIMEOUT ATTR_TIMEOUT\n",
			argv[0]);
		return 2;
	}
	text.entry_timeout = strtod(argv[3], NULL);
	text.attr_timeout = strtod(argv[4], NULL);
	se = fuse_session_new(&fuse_args, &text_ops, sizeof(text_ops), NULL);
	if (!se || fuse_set_signal_handlers(se) || fuse_session_mount(se, argv[1]))
		return 1;
	puts("READY");
	fflush(stdout);
	fuse_session_loop(se);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	return 0;
}
