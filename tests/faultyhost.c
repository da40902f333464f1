/*
 * faultyhost.c - a host that fails when it is told to, by LD_PRELOAD
 *
 * $FAULTY_HOST is a directory. While it holds a file
 *
 *	read	reads at an offset fail with the errno that the file has as a number
 *	write	writes at an offset, ftruncate() and fallocate() do
 *	sync	fsync() and fdatasync() do
 *	hold	fsync() and fdatasync() take until the file is gone
 *
 * Everything else is the C library's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int path_of(char *path, size_t size, const char *what)
{
	const char *directory = getenv("FAULTY_HOST");

	return directory && snprintf(path, size, "%s/%s", directory, what) < (int)size;
}

/* The errno that a kind of call is to fail with now, 0: none. */
static int fault(const char *what)
{
	char path[4096];
	int code = 0;
	FILE *file;

	if (!path_of(path, sizeof(path), what))
		return 0;
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &code) != 1)
		code = 0;
	fclose(file);
	return code;
}

static void hold(void)
{
	struct stat st;
	char path[4096];

	if (!path_of(path, sizeof(path), "hold"))
		return;
	while (stat(path, &st) == 0)
		usleep(1000);
}

/* RETURN name(args), unless a fault of this kind is set. */
#define FAULTY(kind, type, name, params, args)                                \
	type name params                                                      \
	{                                                                     \
		type(*orig) params = (type(*) params)dlsym(RTLD_NEXT, #name); \
		int code = fault(kind);                                       \
                                                                              \
		if (code) {                                                   \
			errno = code;                                         \
			return -1;                                            \
		}                                                             \
		return orig args;                                             \
	}

#define BOTH(kind, type, name, params, args)   \
	FAULTY(kind, type, name, params, args) \
	FAULTY(kind, type, name##64, params, args)

BOTH("read", ssize_t, pread, (int fd, void *buf, size_t n, off_t off),
     (fd, buf, n, off))
BOTH("read", ssize_t, preadv, (int fd, const struct iovec *iov, int n, off_t off),
     (fd, iov, n, off))
BOTH("write", ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t off),
     (fd, buf, n, off))
BOTH("write", ssize_t, pwritev, (int fd, const struct iovec *iov, int n, off_t off),
     (fd, iov, n, off))
FAULTY("read", ssize_t, preadv64v2,
       (int fd, const struct iovec *iov, int n, off64_t off, int flags),
       (fd, iov, n, off, flags))
FAULTY("write", ssize_t, pwritev64v2,
       (int fd, const struct iovec *iov, int n, off64_t off, int flags),
       (fd, iov, n, off, flags))
BOTH("write", int, ftruncate, (int fd, off_t size), (fd, size))
BOTH("write", int, fallocate, (int fd, int mode, off_t off, off_t n),
     (fd, mode, off, n))

#define SYNC(name)                                                        \
	int name(int fd)                                                  \
	{                                                                 \
		int (*orig)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name); \
		int code;                                                 \
                                                                          \
		hold();                                                   \
		code = fault("sync");                                     \
		if (code) {                                               \
			errno = code;                                     \
			return -1;                                        \
		}                                                         \
		return orig(fd);                                          \
	}

SYNC(fsync)
SYNC(fdatasync)
