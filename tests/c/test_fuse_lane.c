/*
 * test_fuse_lane.c - which requests are answered before libfuse sees them
 *
 * Requests as the kernel writes them, and a core that is made of one array; what is
 * answered comes out of a pipe.
 */
#include "fuse_lane.c"

#include "harness.h"

#define FH 42u

static char store[8192];

static struct {
	int reads, writes, client, refuse;
} core;

static int core_read(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		     uint32_t client, struct vm_ra *ra, struct vm_piece *out,
		     uint32_t *nr)
{
	(void)vm;
	(void)id;
	core.reads++;
	core.client = (int)client;
	if (core.refuse)
		return -1;
	ra->prev = (int64_t)off;
	/* In two pieces. */
	out[0] = (struct vm_piece){ store + off, len / 2 };
	out[1] = (struct vm_piece){ store + off + len / 2, len - len / 2 };
	*nr = 2;
	return (int)len;
}

static int core_write(struct vm *vm, uint32_t id, uint64_t off, uint32_t len,
		      const void *buf, uint32_t client)
{
	(void)vm;
	(void)id;
	core.writes++;
	core.client = (int)client;
	if (core.refuse)
		return -1;
	memcpy(store + off, buf, len);
	return (int)len;
}

struct scene {
	int out[2];
	struct lane_file file;
	struct lane lane;
};

static void begin(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	memset(&core, 0, sizeof(core));
	for (size_t i = 0; i < sizeof(store); i++)
		store[i] = (char)('a' + i % 26);
	CHECK_EQ(0, pipe(s->out));
	s->file.allowed = 1;
	s->lane = (struct lane){ .file = &s->file, .reads = 1, .writes = 1 };
	memfs_shim_lane_attach(core_read, core_write, (struct vm *)&core);
	CHECK_EQ(1, memfs_shim_lane_bind(FH, &s->lane));
}

static void end(struct scene *s)
{
	memfs_shim_lane_unbind(FH);
	close(s->out[0]);
	close(s->out[1]);
}

struct read_request {
	struct fuse_in_header head;
	struct fuse_read_in in;
};

static struct read_request read_of(uint64_t fh, uint64_t off, uint32_t size)
{
	return (struct read_request){
		.head = { .len = sizeof(struct read_request),
			  .opcode = FUSE_READ,
			  .unique = 7 },
		.in = { .fh = fh, .offset = off, .size = size, .lock_owner = 1 },
	};
}

struct write_request {
	struct fuse_in_header head;
	struct fuse_write_in in;
	char bytes[8];
};

static struct write_request write_of(uint64_t fh, uint64_t off, const char *bytes)
{
	struct write_request w = {
		.head = { .len = sizeof(w), .opcode = FUSE_WRITE, .unique = 9 },
		.in = { .fh = fh, .offset = off, .size = 8 },
	};

	memcpy(w.bytes, bytes, 8);
	return w;
}

static int serve(struct scene *s, const void *request, size_t bytes)
{
	return lane_serve(s->out[1], request, bytes);
}

static void test_a_read_is_answered_with_its_bytes(void)
{
	struct read_request r = read_of(FH, 26, 10);
	struct fuse_out_header head;
	struct scene s;
	char got[10];

	begin(&s);
	CHECK_EQ(1, serve(&s, &r, sizeof(r)));
	CHECK_EQ((ssize_t)sizeof(head), read(s.out[0], &head, sizeof(head)));
	CHECK_EQ(sizeof(head) + 10, head.len);
	CHECK_EQ(7, head.unique);
	CHECK_EQ(0, head.error);
	CHECK_EQ(10, read(s.out[0], got, sizeof(got)));
	CHECK_EQ(0, memcmp(got, "abcdefghij", 10));
	CHECK_EQ(26, s.lane.ra.prev);
	end(&s);
}

static void test_a_write_is_answered_with_its_size(void)
{
	struct write_request w = write_of(FH, 100, "12345678");
	struct {
		struct fuse_out_header head;
		struct fuse_write_out out;
	} got;
	struct scene s;

	begin(&s);
	CHECK_EQ(1, serve(&s, &w, sizeof(w)));
	CHECK_EQ((ssize_t)sizeof(got), read(s.out[0], &got, sizeof(got)));
	CHECK_EQ(sizeof(got), got.head.len);
	CHECK_EQ(9, got.head.unique);
	CHECK_EQ(8, got.out.size);
	CHECK_EQ(0, memcmp(store + 100, "12345678", 8));
	end(&s);
}

/* The first read renews the access time, those after it do not, until a write. */
static void test_times(void)
{
	struct write_request w = write_of(FH, 0, "12345678");
	struct read_request r = read_of(FH, 0, 1);
	struct scene s;
	int64_t first;

	begin(&s);
	serve(&s, &r, sizeof(r));
	first = s.file.read_ns;
	CHECK(first > 0 && s.file.quiet_until == first + DAY_NS);
	serve(&s, &r, sizeof(r));
	CHECK_EQ(first, s.file.read_ns);
	serve(&s, &w, sizeof(w));
	CHECK(s.file.wrote_ns >= first);
	CHECK_EQ(0, s.file.quiet_until);
	serve(&s, &r, sizeof(r));
	CHECK(s.file.read_ns >= s.file.wrote_ns);
	first = s.file.read_ns;
	s.lane.noatime = 1;
	s.file.quiet_until = 0;
	serve(&s, &r, sizeof(r));
	CHECK_EQ(first, s.file.read_ns);
	end(&s);
}

/* What a fault reads names no owner of locks; what the page cache writes has a bit. */
static void test_the_page_cache_of_the_kernel_is_told_apart(void)
{
	struct write_request w = write_of(FH, 0, "12345678");
	struct read_request r = read_of(FH, 0, 1);
	struct scene s;

	begin(&s);
	serve(&s, &r, sizeof(r));
	CHECK_EQ(0, core.client);
	r.in.lock_owner = 0;
	serve(&s, &r, sizeof(r));
	CHECK_EQ(1, core.client);
	serve(&s, &w, sizeof(w));
	CHECK_EQ(0, core.client);
	w.in.write_flags = FUSE_WRITE_CACHE;
	serve(&s, &w, sizeof(w));
	CHECK(core.client);
	end(&s);
}

static void left_alone(struct scene *s)
{
	struct write_request w = write_of(FH, 0, "12345678");
	struct read_request r = read_of(FH, 0, 1);
	int64_t before = s->file.read_ns | s->file.wrote_ns;

	CHECK_EQ(0, serve(s, &r, sizeof(r)));
	CHECK_EQ(0, serve(s, &w, sizeof(w)));
	CHECK_EQ(before, s->file.read_ns | s->file.wrote_ns);
}

static void test_what_is_left_alone(void)
{
	struct write_request w = write_of(FH, 0, "12345678");
	struct read_request r = read_of(FH, 0, 1);
	struct scene s;

	begin(&s);
	core.refuse = 1;
	left_alone(&s);
	core.refuse = core.reads = core.writes = 0;
	s.file.allowed = 0;
	left_alone(&s);
	s.file.allowed = 1;
	s.lane.reads = s.lane.writes = 0;
	left_alone(&s);
	s.lane.reads = s.lane.writes = 1;
	r.in.flags = w.in.flags = O_DIRECT;
	CHECK_EQ(0, serve(&s, &r, sizeof(r)) + serve(&s, &w, sizeof(w)));
	r = read_of(FH + 2, 0, 1);
	CHECK_EQ(0, serve(&s, &r, sizeof(r)));
	r = read_of(FH + 2 * NR_BOUND, 0, 1);
	CHECK_EQ(0, serve(&s, &r, sizeof(r)));
	CHECK_EQ(0, core.reads + core.writes);
	end(&s);
}

/* Shorter than it says, or no request that this is about. */
static void test_what_is_no_whole_request(void)
{
	struct write_request w = write_of(FH, 0, "12345678");
	struct read_request r = read_of(FH, 0, 1);
	struct scene s;

	begin(&s);
	for (size_t bytes = 0; bytes < sizeof(r); bytes++)
		CHECK_EQ(0, serve(&s, &r, bytes));
	for (size_t bytes = 0; bytes < sizeof(w); bytes++)
		CHECK_EQ(0, serve(&s, &w, bytes));
	r.head.opcode = FUSE_GETATTR;
	CHECK_EQ(0, serve(&s, &r, sizeof(r)));
	CHECK_EQ(0, core.reads + core.writes);
	end(&s);
}

static void test_a_place_is_the_firsts_until_it_is_given_back(void)
{
	struct lane other = { 0 };
	struct scene s;

	begin(&s);
	CHECK_EQ(0, memfs_shim_lane_bind(FH + 2 * NR_BOUND, &other));
	memfs_shim_lane_unbind(FH + 2 * NR_BOUND);
	CHECK(lane_of(FH) == &s.lane);
	memfs_shim_lane_unbind(FH);
	CHECK(!lane_of(FH));
	CHECK_EQ(1, memfs_shim_lane_bind(FH + 2 * NR_BOUND, &other));
	memfs_shim_lane_unbind(FH + 2 * NR_BOUND);
	end(&s);
}

static void test_without_a_machine_nothing_is_answered(void)
{
	struct scene s;

	begin(&s);
	memfs_shim_lane_attach(NULL, NULL, NULL);
	left_alone(&s);
	CHECK(!lane_attached());
	end(&s);
}

int main(void)
{
	RUN(test_a_read_is_answered_with_its_bytes);
	RUN(test_a_write_is_answered_with_its_size);
	RUN(test_times);
	RUN(test_the_page_cache_of_the_kernel_is_told_apart);
	RUN(test_what_is_left_alone);
	RUN(test_what_is_no_whole_request);
	RUN(test_a_place_is_the_firsts_until_it_is_given_back);
	RUN(test_without_a_machine_nothing_is_answered);
	return 0;
}
