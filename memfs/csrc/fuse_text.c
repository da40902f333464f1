/*
 * fuse_text.c - OPEN, READ and RELEASE of a rendering, answered before libfuse sees them
 *
 * What a text file shows is made when it is opened; its reads and its close need
 * nobody's decision. A program that looks at thousands of small files costs three
 * requests of Python a file without this, and one with it.
 *
 * Of small files that change only when a node or a block does, what they show is kept,
 * and of directories whose names do not change otherwise their list: then the open and
 * the list are answered here, too, until Python says that there was a change.
 *
 * A second read of offset 0 is for Python, which makes the rendering anew.
 *
 * Context: the thread of the session; nothing here allocates or waits.
 *
 * Source: include/linux/fuse.h 7.39.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse_text.h"

/* By the handle's number; of those that share a place the first has it. */
#define NR_TEXTS 4096u
/* Closes that Python has not heard of yet. */
#define NR_CLOSED 256u

/* By the inode's number; of those that share a place the last one has it. */
#define NR_KEPT 262144u
#define NR_LISTS 32768u

/* Handles of files that were opened here: their numbers are no others'. */
#define OPENED_HERE (1ull << 62)

struct kept_text {
	uint64_t ino;
	uint32_t era, len;
	char text[TEXT_KEPT_MOST];
};

static struct {
	struct {
		uint64_t fh, ino;
		const char *text; /* NULL: the place is free */
		uint64_t len;
		int begun; /* offset 0 has been read */
		char own[TEXT_KEPT_MOST];
	} open[NR_TEXTS];
	uint64_t closed[NR_CLOSED];
	unsigned int nr_closed;
	/* What was kept in another era is not true any more; 0 is none. */
	uint32_t era, list_era;
	uint64_t next_fh;
	struct kept_text kept[NR_KEPT];
	struct {
		uint64_t ino, end; /* the last entry's cookie */
		const char *list;
		uint32_t era, len;
	} lists[NR_LISTS];
} texts = { .era = 1, .list_era = 1 };

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

static int is_kept(const struct kept_text *kept, uint64_t ino)
{
	return kept->era == texts.era && kept->ino == ino;
}

static int serve_open(int fd, const struct fuse_in_header *head,
		      const struct fuse_open_in *in)
{
	const struct kept_text *kept = &texts.kept[head->nodeid % NR_KEPT];
	struct fuse_open_out out = { .open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH };
	unsigned int at;

	if ((in->flags & O_ACCMODE) != O_RDONLY || !is_kept(kept, head->nodeid))
		return 0;
	out.fh = OPENED_HERE | texts.next_fh << 1 | 1;
	texts.next_fh++;
	at = place_of(out.fh);
	if (texts.open[at].text)
		return 0;
	texts.open[at].fh = out.fh;
	texts.open[at].ino = head->nodeid;
	memcpy(texts.open[at].own, kept->text, kept->len);
	texts.open[at].text = texts.open[at].own;
	texts.open[at].len = kept->len;
	texts.open[at].begun = 0;
	reply(fd, head->unique, (const char *)&out, sizeof(out));
	return 1;
}

static int serve_list(int fd, const struct fuse_in_header *head,
		      const struct fuse_read_in *in)
{
	const unsigned int at = (unsigned int)(head->nodeid % NR_LISTS);

	if (texts.lists[at].era != texts.list_era ||
	    texts.lists[at].ino != head->nodeid)
		return 0;
	if (in->offset && in->offset != texts.lists[at].end)
		return 0;
	if (!in->offset && in->size < texts.lists[at].len)
		return 0;
	reply(fd, head->unique, texts.lists[at].list,
	      in->offset ? 0 : texts.lists[at].len);
	return 1;
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
	if (!is_bound(in->fh))
		return 0;
	if (!(in->fh & OPENED_HERE)) {
		if (texts.nr_closed == NR_CLOSED)
			return 0;
		texts.closed[texts.nr_closed++] = in->fh;
	}
	texts.open[place_of(in->fh)].text = NULL;
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
	if (head->opcode == FUSE_OPEN && bytes >= sizeof(struct fuse_open_in))
		return serve_open(fd, head, body);
	if (head->opcode == FUSE_READDIRPLUS && bytes >= sizeof(struct fuse_read_in))
		return serve_list(fd, head, body);
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

/*
 * memfs_shim_text_adopt - hand a file that was opened here over to Python
 * @ino: its inode
 * @text: room for TEXT_KEPT_MOST bytes: what it has shown
 *
 * Return: the length of that, or -1: it is not open here.
 */
int memfs_shim_text_adopt(uint64_t fh, uint64_t *ino, char *text)
{
	const unsigned int at = place_of(fh);

	if (!(fh & OPENED_HERE) || !is_bound(fh))
		return -1;
	*ino = texts.open[at].ino;
	memcpy(text, texts.open[at].own, texts.open[at].len);
	texts.open[at].text = NULL;
	return (int)texts.open[at].len;
}

/* Keep what a file shows, at most TEXT_KEPT_MOST bytes, until memfs_shim_text_forget() */
void memfs_shim_text_keep(uint64_t ino, const char *text, uint32_t len)
{
	struct kept_text *kept = &texts.kept[ino % NR_KEPT];

	kept->ino = ino;
	kept->era = texts.era;
	kept->len = len;
	memcpy(kept->text, text, len);
}

/*
 * memfs_shim_list_keep - keep the list of a directory, of FUSE_READDIRPLUS
 * @list: the caller's, until memfs_shim_list_forget()
 * @end: where the list ends, as an offset
 */
void memfs_shim_list_keep(uint64_t ino, const char *list, uint32_t len, uint64_t end)
{
	const unsigned int at = (unsigned int)(ino % NR_LISTS);

	texts.lists[at].ino = ino;
	texts.lists[at].era = texts.list_era;
	texts.lists[at].len = len;
	texts.lists[at].end = end;
	texts.lists[at].list = list;
}

static void next_era(uint32_t *era)
{
	(*era)++;
	if (!*era)
		*era = 1;
}

/* The texts that are kept are not true any more. */
void memfs_shim_text_forget(void)
{
	next_era(&texts.era);
}

/* The lists are not. */
void memfs_shim_list_forget(void)
{
	next_era(&texts.list_era);
}

/* Handles that have been closed here since the last call. */
unsigned int memfs_shim_text_closed(uint64_t *out, unsigned int most)
{
	unsigned int nr = texts.nr_closed < most ? texts.nr_closed : most, i;

	for (i = 0; i < nr; i++)
		out[i] = texts.closed[--texts.nr_closed];
	return nr;
}
