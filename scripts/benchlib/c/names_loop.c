/*
 * names_loop.c - many small files: made, looked at, taken away
 *
 * usage: names_loop DIRECTORY NUMBER
 *
 * Creates NUMBER files, writes 4 KiB into each and closes it; stats all of them;
 * unlinks them. Prints the ns that each of the three took. A write makes the
 * attributes that the kernel has cached void, so each stat is asked for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

static char block[4096];

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
		return -1;
	return close(fd);
}

static int look(const char *path)
{
	struct stat st;

	return stat(path, &st) || st.st_size != sizeof(block) ? -1 : 0;
}

static const struct {
	const char *name;
	int (*call)(const char *path);
} steps[] = {
	{ "create", make },
	{ "stat", look },
	{ "unlink", unlink },
};

int main(int argc, char **argv)
{
	char path[4096];
	int nr, i;

	if (argc != 3)
		return 2;
	nr = atoi(argv[2]);
	memset(block, 'm', sizeof(block));
	for (size_t step = 0; step < sizeof(steps) / sizeof(steps[0]); step++) {
		uint64_t begin = now_ns();

		for (i = 0; i < nr; i++) {
			snprintf(path, sizeof(path), "%s/file%06d", argv[1], i);
			if (steps[step].call(path)) {
				perror(path);
				return 1;
			}
		}
		printf("%s %llu\n", steps[step].name,
		       (unsigned long long)(now_ns() - begin));
	}
	return 0;
}
