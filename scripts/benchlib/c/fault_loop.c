/*
 * fault_loop.c - touches the pages of a mapped file in random order, twice
 *
 * usage: fault_loop FILE wait|rewrite
 *
 * Between the two rounds the kernel's copies have to go: `rewrite` writes the file
 * through another descriptor, which drops what is mapped; with `wait` somebody else
 * takes them, told by READY on the output, and says so with a line on the input.
 * Prints the pages and the ns of the second round.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096u

static unsigned int touch(const volatile char *map, const uint32_t *order, size_t nr)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += (unsigned char)map[(size_t)order[i] * PAGE];
	return sum;
}

static uint32_t *shuffled(size_t nr)
{
	uint32_t *order = malloc(nr * sizeof(*order));
	uint64_t state = 88172645463325252u;
	size_t i;

	for (i = 0; order && i < nr; i++) {
		size_t j;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		j = state % (i + 1);
		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	return order;
}

/* Without a shared mapping a private one will do: nothing is written to it. */
static char *mapped(int fd, size_t bytes)
{
	char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) :
				   map;
}

static int rewrite(const char *path, size_t bytes)
{
	int fd = open(path, O_RDWR);
	static char buf[1 << 20];
	size_t at;

	if (fd < 0)
		return -1;
	for (at = 0; at < bytes; at += sizeof(buf))
		if (pread(fd, buf, sizeof(buf), (off_t)at) != sizeof(buf) ||
		    pwrite(fd, buf, sizeof(buf), (off_t)at) != sizeof(buf))
			return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	unsigned int sum;
	uint32_t *order;
	struct stat st;
	uint64_t begin;
	size_t nr;
	char *map;
	int fd;

	if (argc != 3)
		return 2;
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st)) {
		perror(argv[1]);
		return 1;
	}
	nr = (size_t)st.st_size / PAGE;
	map = mapped(fd, (size_t)st.st_size);
	order = shuffled(nr);
	if (map == MAP_FAILED || !order) {
		perror("mmap");
		return 1;
	}
	madvise(map, (size_t)st.st_size, MADV_RANDOM);
	sum = touch(map, order, nr);
	if (argv[2][0] == 'r' && rewrite(argv[1], (size_t)st.st_size)) {
		perror(argv[1]);
		return 1;
	}
	if (argv[2][0] == 'w') {
		puts("READY");
		fflush(stdout);
		getchar();
	}
	begin = now_ns();
	if (touch(map, order, nr) != sum)
		return 1;
	printf("pages %zu\nns %llu\n", nr, (unsigned long long)(now_ns() - begin));
	return 0;
}
