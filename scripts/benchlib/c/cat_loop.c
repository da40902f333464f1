/*
 * cat_loop.c - open, read to the end of the buffer and close, again and again
 *
 * usage: cat_loop FILE MILLISECONDS; prints how often, in how long, and the bytes
 * of one reading.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

static ssize_t read_once(const char *path)
{
	static char buf[1 << 16];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -1;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	return n;
}

int main(int argc, char **argv)
{
	uint64_t begin, end, ops = 0;
	ssize_t bytes;

	if (argc != 3)
		return 2;
	bytes = read_once(argv[1]);
	begin = now_ns();
	end = begin + strtoull(argv[2], NULL, 10) * 1000000u;
	do {
		if (bytes <= 0 || read_once(argv[1]) != bytes) {
			perror(argv[1]);
			return 1;
		}
		ops++;
	} while (now_ns() < end);
	printf("ops %llu\nns %llu\nbytes %zd\n", (unsigned long long)ops,
	       (unsigned long long)(now_ns() - begin), bytes);
	return 0;
}
