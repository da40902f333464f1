/*
 * test_fuse_direct.c - which requests are answered at once, and with what
 *
 * Requests as the kernel writes them, to a function that answers what it is told to;
 * what is answered comes out of a pipe.
 */
#include "fuse_direct.c"

#include <fcntl.h>

#include "harness.h"

#define VOLUMES_INO (1ull << VOLUME_SHIFT | 5)

static char room[256];

static struct {
	int calls, answer;
	uint32_t opcode, bytes, pid;
	uint64_t nodeid;
	char body[16 + DIRECT_FORGETS * sizeof(struct fuse_forget_one)];
} asked;

static int answer(uint32_t opcode, uint64_t nodeid, const void *request, uint32_t bytes)
{
	const struct fuse_in_header *head = request;

	asked.calls++;
	asked.opcode = opcode;
	asked.nodeid = nodeid;
	asked.pid = head->pid;
	asked.bytes = bytes - (uint32_t)sizeof(*head);
	memcpy(asked.body, head + 1, asked.bytes);
	return asked.answer;
}

struct request {
	struct fuse_in_header head;
	char body[8];
};

/* Whether a request is served; what its answer is, in bytes, is in *got. */
static int serve(uint32_t opcode, uint64_t nodeid, int with,
		 struct fuse_out_header *got, char *bytes)
{
	struct request r = {
		.head = { .len = sizeof(r),
			  .opcode = opcode,
			  .unique = 7,
			  .pid = 11,
			  .nodeid = nodeid },
		.body = "name",
	};
	int out[2], served;

	CHECK_EQ(0, pipe(out));
	CHECK_EQ(0, fcntl(out[0], F_SETFL, O_NONBLOCK));
	memset(&asked, 0, sizeof(asked));
	memset(got, 0, sizeof(*got));
	asked.answer = with;
	served = direct_serve(out[1], &r, sizeof(r));
	if (read(out[0], got, sizeof(*got)) > 0 && got->len > sizeof(*got))
		CHECK(read(out[0], bytes, got->len - sizeof(*got)) > 0);
	close(out[0]);
	close(out[1]);
	return served;
}

static void attach(void)
{
	strcpy(room, "answer");
	memfs_shim_direct_attach(answer, room,
				 1ull << FUSE_LOOKUP | 1ull << FUSE_UNLINK |
					 1ull << FUSE_FORGET |
					 1ull << FUSE_BATCH_FORGET,
				 1ull << FUSE_OPENDIR);
}

static void test_bytes_and_errors_are_answered(void)
{
	struct fuse_out_header got;
	char bytes[16] = "";

	attach();
	CHECK_EQ(1, serve(FUSE_LOOKUP, VOLUMES_INO, 6, &got, bytes));
	CHECK_EQ(7, got.unique);
	CHECK_EQ(sizeof(got) + 6, got.len);
	CHECK_EQ(0, got.error);
	CHECK_EQ(0, memcmp(bytes, "answer", 6));
	CHECK_EQ(FUSE_LOOKUP, asked.opcode);
	CHECK_EQ(VOLUMES_INO, asked.nodeid);
	CHECK_EQ(8, asked.bytes);
	CHECK_EQ(0, strcmp(asked.body, "name"));
	CHECK_EQ(11, asked.pid);

	CHECK_EQ(1, serve(FUSE_UNLINK, VOLUMES_INO, 0, &got, bytes));
	CHECK_EQ(sizeof(got), got.len);
	CHECK_EQ(0, got.error);
	CHECK_EQ(1, serve(FUSE_UNLINK, VOLUMES_INO, -2, &got, bytes));
	CHECK_EQ(sizeof(got), got.len);
	CHECK_EQ(-2, got.error);
}

/* The n-th of what was handed over. */
static struct fuse_forget_one forgotten(uint32_t n)
{
	struct fuse_forget_one one;

	memcpy(&one, asked.body + sizeof(struct fuse_batch_forget_in) + n * sizeof(one),
	       sizeof(one));
	return one;
}

static uint32_t nr_forgotten(void)
{
	struct fuse_batch_forget_in in;

	CHECK_EQ(FUSE_BATCH_FORGET, asked.opcode);
	memcpy(&in, asked.body, sizeof(in));
	CHECK_EQ(sizeof(in) + in.count * sizeof(struct fuse_forget_one), asked.bytes);
	return in.count;
}

/* Nobody waits for them: they come together, in their order, at the end of a turn. */
static void test_what_is_forgotten_is_gathered(void)
{
	struct {
		struct fuse_in_header head;
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[2];
	} batch = { { .opcode = FUSE_BATCH_FORGET },
		    { .count = 2 },
		    { { 21, 1 }, { 22, 3 } } };
	struct fuse_out_header got;
	char bytes[16];

	attach();
	/* Of any inode: a batch names none. */
	CHECK_EQ(1, serve(FUSE_FORGET, 5, DIRECT_NONE, &got, bytes));
	CHECK_EQ(0, asked.calls);
	CHECK_EQ(0, got.len);
	CHECK_EQ(1, direct_serve(-1, &batch, sizeof(batch)));
	CHECK_EQ(0, asked.calls);
	direct_rest();
	CHECK_EQ(1, asked.calls);
	CHECK_EQ(3, nr_forgotten());
	CHECK_EQ(5, forgotten(0).nodeid);
	CHECK_EQ(22, forgotten(2).nodeid);
	CHECK_EQ(3, forgotten(2).nlookup);
	direct_rest();
	CHECK_EQ(1, asked.calls);
	/* One that is shorter than it says takes the long way. */
	CHECK_EQ(0, direct_serve(-1, &batch, sizeof(batch) - 1));
	CHECK_EQ(0, direct_serve(-1, &batch, sizeof(batch.head) + 3));
}

static void test_as_many_as_there_is_room_for(void)
{
	struct fuse_out_header got;
	char bytes[16];

	attach();
	for (uint32_t i = 1; i < DIRECT_FORGETS; i++)
		CHECK_EQ(1, serve(FUSE_FORGET, i, DIRECT_NONE, &got, bytes));
	CHECK_EQ(0, asked.calls);
	CHECK_EQ(1, serve(FUSE_FORGET, 99, DIRECT_NONE, &got, bytes));
	CHECK_EQ(1, asked.calls);
	CHECK_EQ(DIRECT_FORGETS, nr_forgotten());
	CHECK_EQ(1, forgotten(0).nodeid);
	CHECK_EQ(99, forgotten(DIRECT_FORGETS - 1).nodeid);
	direct_rest();
	CHECK_EQ(1, asked.calls);
}

/* What the kernel asks next is known, until anything might have changed it. */
static void test_an_unlink_answers_for_the_directory(void)
{
	const uint64_t getattr = 1ull << FUSE_GETATTR;
	const int size = (int)sizeof(struct fuse_attr_out);
	struct fuse_out_header got;
	char bytes[256];

	memfs_shim_direct_attach(answer, room, getattr | 1ull << FUSE_UNLINK, getattr);
	strcpy(room, "directory");
	CHECK_EQ(1, serve(FUSE_UNLINK, VOLUMES_INO, DIRECT_CHANGED, &got, bytes));
	CHECK_EQ(sizeof(got), got.len);
	CHECK_EQ(0, got.error);
	strcpy(room, "another");
	for (u32 i = 0; i < 2; i++) {
		CHECK_EQ(1, serve(FUSE_GETATTR, VOLUMES_INO, size, &got, bytes));
		CHECK_EQ(0, asked.calls);
		CHECK_EQ(sizeof(got) + sizeof(struct fuse_attr_out), got.len);
		CHECK_EQ(7, got.unique);
		CHECK_EQ(0, strcmp(bytes, "directory"));
	}
	/* Another inode's are asked for, and from then on this one's, too. */
	CHECK_EQ(1, serve(FUSE_GETATTR, VOLUMES_INO + 1, size, &got, bytes));
	CHECK_EQ(1, asked.calls);
	CHECK_EQ(1, serve(FUSE_GETATTR, VOLUMES_INO, size, &got, bytes));
	CHECK_EQ(1, asked.calls);
	CHECK_EQ(0, strcmp(bytes, "another"));
	/* So they are in another turn. */
	CHECK_EQ(1, serve(FUSE_UNLINK, VOLUMES_INO, DIRECT_CHANGED, &got, bytes));
	direct_rest();
	CHECK_EQ(1, serve(FUSE_GETATTR, VOLUMES_INO, size, &got, bytes));
	CHECK_EQ(1, asked.calls);
	/* One that failed tells nothing. */
	CHECK_EQ(1, serve(FUSE_UNLINK, VOLUMES_INO, -2, &got, bytes));
	CHECK_EQ(1, serve(FUSE_GETATTR, VOLUMES_INO, size, &got, bytes));
	CHECK_EQ(1, asked.calls);
}

/* What is asked of generated inodes is another set. */
static void test_generated_inodes_have_their_own(void)
{
	struct fuse_out_header got;
	char bytes[16] = "";

	attach();
	CHECK_EQ(1, serve(FUSE_OPENDIR, 5, 6, &got, bytes));
	CHECK_EQ(FUSE_OPENDIR, asked.opcode);
	CHECK_EQ(5, asked.nodeid);
	CHECK_EQ(0, memcmp(bytes, "answer", 6));
	CHECK_EQ(0, serve(FUSE_OPENDIR, VOLUMES_INO, 6, &got, bytes));
	CHECK_EQ(0, serve(FUSE_LOOKUP, 5, 6, &got, bytes));
	CHECK_EQ(0, asked.calls);
	/* But what is forgotten is anybody's. */
	CHECK_EQ(1, serve(FUSE_FORGET, 5, DIRECT_NONE, &got, bytes));
	direct_rest();
	CHECK_EQ(1, asked.calls);
}

static void test_what_takes_the_long_way(void)
{
	struct fuse_in_header head = { .opcode = FUSE_LOOKUP, .nodeid = VOLUMES_INO };
	struct fuse_out_header got;
	char bytes[16];

	attach();
	CHECK_EQ(0, serve(FUSE_LOOKUP, VOLUMES_INO, DIRECT_NOT, &got, bytes));
	CHECK_EQ(0, got.len);
	CHECK_EQ(1, asked.calls);
	/* Not asked for of such an inode, or of any; of a number that has no bit. */
	CHECK_EQ(0, serve(FUSE_LOOKUP, 5, 0, &got, bytes));
	CHECK_EQ(0, serve(FUSE_GETATTR, VOLUMES_INO, 0, &got, bytes));
	CHECK_EQ(0, serve(FUSE_LOOKUP + 64, VOLUMES_INO, 0, &got, bytes));
	CHECK_EQ(0, asked.calls);
	CHECK_EQ(0, direct_serve(-1, &head, sizeof(head) - 1));
	CHECK(direct_attached());
	memfs_shim_direct_attach(NULL, NULL, 0, 0);
	CHECK_EQ(0, serve(FUSE_LOOKUP, VOLUMES_INO, 0, &got, bytes));
	CHECK(!direct_attached());
}

int main(void)
{
	RUN(test_bytes_and_errors_are_answered);
	RUN(test_what_is_forgotten_is_gathered);
	RUN(test_as_many_as_there_is_room_for);
	RUN(test_an_unlink_answers_for_the_directory);
	RUN(test_generated_inodes_have_their_own);
	RUN(test_what_takes_the_long_way);
	return 0;
}
