/*
 * fuse_xattr.c - extended attributes that nothing here has, answered at once
 *
 * The kernel asks of each file that is written whether it has capabilities, and ls of
 * each that it shows for its label and its access list. Python has to be asked for
 * users' attributes alone.
 *
 * Context: the thread of the session.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "fuse_xattr.h"

static const struct {
	const char *prefix;
	int error;
} absent[] = {
	{ "security.", -ENODATA },
	{ "system.", -EOPNOTSUPP },
};

/* The -errno of an attribute, 0 where somebody else knows. */
static int error_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		if (!strncmp(name, absent[i].prefix, strlen(absent[i].prefix)))
			return absent[i].error;
	return 0;
}

int xattr_serve(int fd, const void *request, size_t bytes)
{
	const struct fuse_in_header *head = request;
	const size_t begin = sizeof(*head) + sizeof(struct fuse_getxattr_in);
	struct fuse_out_header out = { .len = sizeof(out) };
	const char *name = (const char *)request + begin;

	if (bytes <= begin || head->opcode != FUSE_GETXATTR ||
	    !memchr(name, '\0', bytes - begin))
		return 0;
	out.error = error_of(name);
	if (!out.error)
		return 0;
	out.unique = head->unique;
	/* Where it cannot be given the caller has gone. */
	if (write(fd, &out, sizeof(out)) < 0)
		return 1;
	return 1;
}
