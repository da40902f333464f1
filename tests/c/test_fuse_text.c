/*
 * test_fuse_text.c - reads and closes of a rendering that Python never sees
 *
 * Requests as the kernel writes them; what is answered comes out of a pipe.
 */
#include "fuse_text.c"

#include <string.h>

#include "harness.h"

#define FH 43u

static const char text[] = "online\n";

struct scene {
	int out[2];
};

static void begin(struct scene *s)
{
	memset(&texts, 0, sizeof(texts));
	texts.era = texts.list_era = 1;
	CHECK_EQ(0, pipe(s->out));
	CHECK_EQ(0, memfs_shim_text_bind(FH, text, strlen(text)));
}

static void end(struct scene *s)
{
	close(s->out[0]);
	close(s->out[1]);
}

struct read_request {
	struct fuse_in_header head;
	struct fuse_read_in in;
};

static int ask_read(struct scene *s, uint64_t fh, uint64_t off, uint32_t size)
{
	struct read_request request = {
		.head = { .opcode = FUSE_READ, .unique = 7 },
		.in = { .fh = fh, .offset = off, .size = size },
	};

	return text_serve(s->out[1], &request, sizeof(request));
}

struct release_request {
	struct fuse_in_header head;
	struct fuse_release_in in;
};

static int ask_release(struct scene *s, uint64_t fh)
{
	struct release_request request = {
		.head = { .opcode = FUSE_RELEASE, .unique = 8 },
		.in = { .fh = fh },
	};

	return text_serve(s->out[1], &request, sizeof(request));
}

/* What came out: the bytes behind the header, of a reply to a request. */
static uint32_t answer(struct scene *s, uint64_t unique, char *data)
{
	struct fuse_out_header head;

	CHECK_EQ((ssize_t)sizeof(head), read(s->out[0], &head, sizeof(head)));
	CHECK_EQ(unique, head.unique);
	CHECK_EQ(0, head.error);
	head.len -= (uint32_t)sizeof(head);
	if (head.len)
		CHECK_EQ((ssize_t)head.len, read(s->out[0], data, head.len));
	return head.len;
}

static void test_pieces_and_the_end(void)
{
	struct scene s;
	char data[64];

	begin(&s);
	CHECK_EQ(1, ask_read(&s, FH, 0, 3));
	CHECK_EQ(3, answer(&s, 7, data));
	CHECK_EQ(0, memcmp(data, "onl", 3));
	CHECK_EQ(1, ask_read(&s, FH, 3, 4096));
	CHECK_EQ(4, answer(&s, 7, data));
	CHECK_EQ(0, memcmp(data, "ine\n", 4));
	CHECK_EQ(1, ask_read(&s, FH, 7, 4096));
	CHECK_EQ(0, answer(&s, 7, data));
	CHECK_EQ(1, ask_read(&s, FH, ~0ull, 4096));
	CHECK_EQ(0, answer(&s, 7, data));
	end(&s);
}

/* From its beginning once more it is another rendering. */
static void test_a_rewind_is_not_answered(void)
{
	struct scene s;
	char data[64];

	begin(&s);
	CHECK_EQ(1, ask_read(&s, FH, 4, 4096));
	answer(&s, 7, data);
	CHECK_EQ(1, ask_read(&s, FH, 0, 4096));
	answer(&s, 7, data);
	CHECK_EQ(0, ask_read(&s, FH, 0, 4096));
	end(&s);
}

static void test_others_and_unbound_ones_are_not_answered(void)
{
	struct scene s;

	begin(&s);
	CHECK_EQ(0, ask_read(&s, FH + 2, 0, 4096));
	CHECK_EQ(0, ask_read(&s, FH + 2 * NR_TEXTS, 0, 4096));
	CHECK_EQ(0, ask_release(&s, FH + 2 * NR_TEXTS));
	memfs_shim_text_unbind(FH);
	CHECK_EQ(0, ask_read(&s, FH, 0, 4096));
	CHECK_EQ(0, ask_release(&s, FH));
	end(&s);
}

static void test_short_and_other_requests_are_not_answered(void)
{
	struct fuse_in_header head = { .opcode = FUSE_READ };
	struct scene s;

	begin(&s);
	CHECK_EQ(0, text_serve(s.out[1], &head, 4));
	CHECK_EQ(0, text_serve(s.out[1], &head, sizeof(head)));
	head.opcode = FUSE_GETATTR;
	CHECK_EQ(0, text_serve(s.out[1], &head, sizeof(head)));
	end(&s);
}

/* A place that is taken is kept by the first. */
static void test_two_handles_of_one_place(void)
{
	struct scene s;
	char data[64];

	begin(&s);
	memfs_shim_text_bind(FH + 2 * NR_TEXTS, "other", 5);
	CHECK_EQ(0, ask_read(&s, FH + 2 * NR_TEXTS, 0, 4096));
	CHECK_EQ(1, ask_read(&s, FH, 0, 4096));
	CHECK_EQ(7, answer(&s, 7, data));
	end(&s);
}

/* Closes are kept until they are asked for; when there is no room Python gets them. */
static void test_closes_are_told(void)
{
	uint64_t closed[NR_CLOSED], fh = FH, i;
	struct scene s;
	char data[8];

	begin(&s);
	for (i = 0; i < NR_CLOSED; i++, fh += 2) {
		memfs_shim_text_bind(fh, text, strlen(text));
		CHECK_EQ(1, ask_release(&s, fh));
		CHECK_EQ(0, answer(&s, 8, data));
	}
	CHECK_EQ(NR_CLOSED, memfs_shim_text_bind(fh, text, strlen(text)));
	CHECK_EQ(0, ask_release(&s, fh));
	CHECK_EQ(4, memfs_shim_text_closed(closed, 4));
	CHECK_EQ(fh - 2, closed[0]);
	CHECK_EQ(NR_CLOSED - 4, memfs_shim_text_closed(closed, NR_CLOSED));
	CHECK_EQ(FH, closed[NR_CLOSED - 5]);
	CHECK_EQ(0, memfs_shim_text_closed(closed, NR_CLOSED));
	CHECK_EQ(1, ask_release(&s, fh));
	CHECK_EQ(0, ask_release(&s, fh));
	end(&s);
}

/* --------------------------------------------------- what is kept of files */

#define INO 5u

static int ask_open(struct scene *s, uint64_t ino, uint32_t flags, uint64_t *fh)
{
	struct {
		struct fuse_in_header head;
		struct fuse_open_in in;
	} request = {
		.head = { .opcode = FUSE_OPEN, .unique = 9, .nodeid = ino },
		.in = { .flags = flags },
	};
	struct fuse_open_out out;

	if (!text_serve(s->out[1], &request, sizeof(request)))
		return 0;
	CHECK_EQ(sizeof(out), answer(s, 9, (char *)&out));
	CHECK_EQ(FOPEN_DIRECT_IO | FOPEN_NOFLUSH, out.open_flags);
	*fh = out.fh;
	return 1;
}

/* What was kept is opened here, and shown as it was then, whatever happens. */
static void test_a_kept_text_is_opened(void)
{
	uint64_t fh, other;
	struct scene s;
	char data[64];

	begin(&s);
	memfs_shim_text_keep(INO, "offline\n", 8);
	CHECK_EQ(1, ask_open(&s, INO, O_RDONLY, &fh));
	CHECK_EQ(1, ask_open(&s, INO, O_RDONLY | O_NONBLOCK, &other));
	CHECK(fh != other && fh & 1 && fh & OPENED_HERE);
	memfs_shim_text_forget();
	memfs_shim_text_keep(INO, "x", 1);
	CHECK_EQ(1, ask_read(&s, fh, 0, 3));
	CHECK_EQ(3, answer(&s, 7, data));
	CHECK_EQ(1, ask_read(&s, fh, 3, 4096));
	CHECK_EQ(5, answer(&s, 7, data));
	CHECK_EQ(0, memcmp(data, "line\n", 5));
	/* Nobody is told of its close. */
	CHECK_EQ(1, ask_release(&s, fh));
	CHECK_EQ(0, answer(&s, 8, data));
	CHECK_EQ(0, memfs_shim_text_bind(FH + 2, text, strlen(text)));
	CHECK_EQ(0, ask_read(&s, fh, 0, 4096));
	CHECK_EQ(1, ask_read(&s, other, 0, 4096));
	CHECK_EQ(8, answer(&s, 7, data));
	end(&s);
}

static void test_what_is_not_opened_here(void)
{
	uint64_t fh;
	struct scene s;

	begin(&s);
	CHECK_EQ(0, ask_open(&s, INO, O_RDONLY, &fh));
	/* Nothing is kept of inode 0, nor before there is an era. */
	CHECK_EQ(0, ask_open(&s, 0, O_RDONLY, &fh));
	memfs_shim_text_keep(INO, text, 7);
	CHECK_EQ(0, ask_open(&s, INO, O_WRONLY, &fh));
	CHECK_EQ(0, ask_open(&s, INO, O_RDWR, &fh));
	CHECK_EQ(0, ask_open(&s, INO + NR_KEPT, O_RDONLY, &fh));
	memfs_shim_text_forget();
	CHECK_EQ(0, ask_open(&s, INO, O_RDONLY, &fh));
	memfs_shim_text_keep(INO, text, 7);
	memfs_shim_text_keep(INO + NR_KEPT, text, 7);
	CHECK_EQ(0, ask_open(&s, INO, O_RDONLY, &fh));
	/* Another handle has the next place. */
	memfs_shim_text_keep(INO, text, 7);
	memfs_shim_text_bind(1, text, 7);
	CHECK_EQ(0, ask_open(&s, INO, O_RDONLY, &fh));
	CHECK_EQ(1, ask_open(&s, INO, O_RDONLY, &fh));
	end(&s);
}

/* Once around, the number of an era means another one. */
static void test_eras_come_around(void)
{
	uint64_t fh;
	struct scene s;

	begin(&s);
	texts.era = ~0u;
	memfs_shim_text_keep(INO, text, 7);
	CHECK_EQ(1, ask_open(&s, INO, O_RDONLY, &fh));
	memfs_shim_text_forget();
	CHECK_EQ(1, texts.era);
	CHECK_EQ(0, ask_open(&s, INO, O_RDONLY, &fh));
	/* What was never kept is of no era. */
	CHECK_EQ(0, ask_open(&s, 0, O_RDONLY, &fh));
	end(&s);
}

static void test_a_file_is_adopted(void)
{
	char data[TEXT_KEPT_MOST];
	uint64_t fh, ino = 0;
	struct scene s;

	begin(&s);
	memfs_shim_text_keep(INO, text, 7);
	CHECK_EQ(1, ask_open(&s, INO, O_RDONLY, &fh));
	CHECK_EQ(7, memfs_shim_text_adopt(fh, &ino, data));
	CHECK_EQ(INO, ino);
	CHECK_EQ(0, memcmp(data, text, 7));
	CHECK_EQ(-1, memfs_shim_text_adopt(fh, &ino, data));
	CHECK_EQ(0, ask_read(&s, fh, 0, 4096));
	CHECK_EQ(0, ask_release(&s, fh));
	/* One that Python has opened is its own. */
	CHECK_EQ(-1, memfs_shim_text_adopt(FH, &ino, data));
	end(&s);
}

static int ask_list(struct scene *s, uint64_t ino, uint64_t off, uint32_t size)
{
	struct {
		struct fuse_in_header head;
		struct fuse_read_in in;
	} request = {
		.head = { .opcode = FUSE_READDIRPLUS, .unique = 7, .nodeid = ino },
		.in = { .offset = off, .size = size },
	};

	return text_serve(s->out[1], &request, sizeof(request));
}

static void test_a_kept_list(void)
{
	struct scene s;
	char data[64];

	begin(&s);
	CHECK_EQ(0, ask_list(&s, INO, 0, 4096));
	memfs_shim_list_keep(INO, "list", 4, 3);
	CHECK_EQ(1, ask_list(&s, INO, 0, 4));
	CHECK_EQ(4, answer(&s, 7, data));
	CHECK_EQ(0, memcmp(data, "list", 4));
	CHECK_EQ(1, ask_list(&s, INO, 3, 4096));
	CHECK_EQ(0, answer(&s, 7, data));
	/* From its middle, or in pieces; of another directory. */
	CHECK_EQ(0, ask_list(&s, INO, 2, 4096));
	CHECK_EQ(0, ask_list(&s, INO, 0, 3));
	CHECK_EQ(0, ask_list(&s, INO + NR_LISTS, 0, 4096));
	/* A state that changes takes no name away. */
	memfs_shim_text_forget();
	CHECK_EQ(1, ask_list(&s, INO, 0, 4096));
	CHECK_EQ(4, answer(&s, 7, data));
	memfs_shim_text_keep(INO, text, 7);
	memfs_shim_list_forget();
	CHECK_EQ(0, ask_list(&s, INO, 0, 4096));
	CHECK_EQ(1, is_kept(&texts.kept[INO], INO));
	end(&s);
}

int main(void)
{
	RUN(test_a_kept_text_is_opened);
	RUN(test_what_is_not_opened_here);
	RUN(test_eras_come_around);
	RUN(test_a_file_is_adopted);
	RUN(test_a_kept_list);
	RUN(test_pieces_and_the_end);
	RUN(test_a_rewind_is_not_answered);
	RUN(test_others_and_unbound_ones_are_not_answered);
	RUN(test_short_and_other_requests_are_not_answered);
	RUN(test_two_handles_of_one_place);
	RUN(test_closes_are_told);
	return 0;
}
