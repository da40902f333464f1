/*
 * fuse_text.c - READ and RELEASE of a rendering, answered before libfuse sees them
 *
 * What a text file shows is made when it is opened; its reads and its close need
 * nobody's decision. A program that looks at thousands of small files costs three
 * requests of Python a file without this, and one with it.
 *
 * A second read of offset 0 is for Python, which makes the rendering anew.
 *
 * Context: the thread of the session; nothing here allocates or waits.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#define _GNU_SOURCE
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse_text.h"

/* By the handle's number; of those that share a place the first has it. */
#define NR_TEXTS 4096u
/* Closes that Python has not heard of yet. */
#define NR_CLOSED 256u

static struct {
	struct {
		uint64_t fh;
		const char *text; /* NULL: the place is free */
		uint64_t len;
		int begun; /* offset 0 has been read */
	} open[NR_TEXTS];
	uint64_t closed[NR_CLOSED];
	unsigned int nr_closed;
} texts;

static void reply(int fd, uint64_t unique, const char *data, size_t bytes)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + bytes),
		.unique = unique,
	};
	struct iovec iov[2] = {
		{ &out, sizeof(out) },
		{ (void *)(uintptr_t)data, bytes },
	};

	/* Where it cannot be given the caller has gone. */
	if (writev(fd, iov, bytes ? 2 : 1) < 0)
		return;
}

static unsigned int place_of(uint64_t fh)
{
	return (unsigned int)((fh >> 1) % NR_TEXTS);
}

static int is_bound(uint64_t fh)
{
	return texts.open[place_of(fh)].text && texts.open[place_of(fh)].fh == fh;
}

static int serve_read(int fd, uint64_t unique, const struct fuse_read_in *in)
{
	const unsigned int at = place_of(in->fh);
	uint64_t left;

	if (!is_bound(in->fh) || (!in->offset && texts.open[at].begun))
		return 0;
	texts.open[at].begun |= !in->offset;
	left = in->offset < texts.open[at].len ? texts.open[at].len - in->offset : 0;
	left = left < in->size ? left : in->size;
	reply(fd, unique, texts.open[at].text + (left ? in->offset : 0), left);
	return 1;
}

static int serve_release(int fd, uint64_t unique, const struct fuse_release_in *in)
{
	if (!is_bound(in->fh) || texts.nr_closed == NR_CLOSED)
		return 0;
	texts.open[place_of(in->fh)].text = NULL;
	texts.closed[texts.nr_closed++] = in->fh;
	reply(fd, unique, NULL, 0);
	return 1;
}

int text_serve(int fd, const void *request, size_t bytes)
{
	const struct fuse_in_header *head = request;
	const void *body = head + 1;

	if (bytes < sizeof(*head))
		return 0;
	bytes -= sizeof(*head);
	if (head->opcode == FUSE_READ && bytes >= sizeof(struct fuse_read_in))
		return serve_read(fd, head->unique, body);
	if (head->opcode == FUSE_RELEASE && bytes >= sizeof(struct fuse_release_in))
		return serve_release(fd, head->unique, body);
	return 0;
}

/*
 * memfs_shim_text_bind - let a handle take the short way
 * @text: the caller's, until he has heard that it is closed, or has unbound it
 *
 * A place that is taken leaves the handle on the long way. Return: closes to be asked
 * for.
 */
int memfs_shim_text_bind(uint64_t fh, const char *text, uint64_t len)
{
	const unsigned int at = place_of(fh);

	if (!texts.open[at].text) {
		texts.open[at].fh = fh;
		texts.open[at].text = text;
		texts.open[at].len = len;
		texts.open[at].begun = 0;
	}
	return (int)texts.nr_closed;
}

void memfs_shim_text_unbind(uint64_t fh)
{
	if (is_bound(fh))
		texts.open[place_of(fh)].text = NULL;
}

/* Handles that have been closed here since the last call. */
unsigned int memfs_shim_text_closed(uint64_t *out, unsigned int most)
{
	unsigned int nr = texts.nr_closed < most ? texts.nr_closed : most, i;

	for (i = 0; i < nr; i++)
		out[i] = texts.closed[--texts.nr_closed];
	return nr;
}
