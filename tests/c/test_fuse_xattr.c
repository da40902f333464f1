/*
 * test_fuse_xattr.c - attributes that nothing has, and those that Python is asked for
 *
 * Requests as the kernel writes them; what is answered comes out of a pipe.
 */
#include "fuse_xattr.c"

#include "harness.h"

struct request {
	struct fuse_in_header head;
	struct fuse_getxattr_in in;
	char name[32];
};

/* What is answered, 0: nothing is. */
static int ask_bytes(uint32_t opcode, const char *name, size_t length)
{
	struct request request = { .head = { .opcode = opcode, .unique = 7 } };
	struct fuse_out_header out = { 0 };
	int pipes[2], served;

	memcpy(request.name, name, length);
	CHECK_EQ(0, pipe(pipes));
	served = xattr_serve(pipes[1], &request,
			     sizeof(request) - sizeof(request.name) + length);
	close(pipes[1]);
	if (served) {
		CHECK_EQ(sizeof(out), read(pipes[0], &out, sizeof(out)));
		CHECK_EQ(sizeof(out), out.len);
		CHECK_EQ(7, out.unique);
	}
	CHECK_EQ(0, read(pipes[0], &out, sizeof(out)));
	close(pipes[0]);
	return served ? out.error : 0;
}

static int ask(const char *name)
{
	return ask_bytes(FUSE_GETXATTR, name, strlen(name) + 1);
}

static void test_nobody_has_them(void)
{
	CHECK_EQ(-ENODATA, ask("security.capability"));
	CHECK_EQ(-EOPNOTSUPP, ask("system.posix_acl_access"));
}

static void test_python_knows_of_the_others(void)
{
	CHECK_EQ(0, ask("user.security."));
	CHECK_EQ(0, ask("trusted.overlay.opaque"));
	CHECK_EQ(0, ask("securit"));
	CHECK_EQ(0, ask(""));
	CHECK_EQ(0, ask_bytes(FUSE_SETXATTR, "security.x", 11));
}

/* What is cut short is not read behind its end. */
static void test_a_request_that_is_cut_short(void)
{
	CHECK_EQ(0, ask_bytes(FUSE_GETXATTR, "security.capability", 19));
	CHECK_EQ(0, ask_bytes(FUSE_GETXATTR, "", 0));
}

int main(void)
{
	RUN(test_nobody_has_them);
	RUN(test_python_knows_of_the_others);
	RUN(test_a_request_that_is_cut_short);
	return 0;
}
