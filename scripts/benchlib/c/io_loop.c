/*
 * io_loop.c - reads or writes one file, in order or at random, by some processes
 *
 * usage: io_loop FILE read|write seq|random|grow BYTES CLIENTS MILLISECONDS
 *
 * Each client has a descriptor of its own and transfers BYTES at a time, into whole
 * pages, within the size that the file has; prints the transfers of all, and the
 * time of the slowest. To grow is to write from an empty file on, up to the size that
 * it had, and again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

struct job {
	const char *path;
	int writes, random, grows;
	size_t bytes;
	uint64_t until;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void resize(int fd, off_t size)
{
	if (ftruncate(fd, size)) {
		perror("ftruncate");
		exit(1);
	}
}

/* Transfers until the time is over; how many. */
static uint64_t run(const struct job *job, uint64_t seed)
{
	int fd = open(job->path, job->writes ? O_RDWR : O_RDONLY);
	uint64_t state = seed * 0x9e3779b97f4a7c15u + 1, at = 0, ops = 0, nr;
	char *buf = aligned_alloc(4096, job->bytes);
	struct stat st;

	if (fd < 0 || !buf || fstat(fd, &st) || (size_t)st.st_size < job->bytes) {
		perror(job->path);
		exit(1);
	}
	memset(buf, (int)seed, job->bytes);
	nr = (uint64_t)st.st_size / job->bytes;
	do {
		if (job->grows && at % nr == 0)
			resize(fd, 0);
		off_t off = (off_t)((job->random ? next_random(&state) : at++) % nr *
				    job->bytes);
		ssize_t n = job->writes ? pwrite(fd, buf, job->bytes, off) :
					  pread(fd, buf, job->bytes, off);

		if (n != (ssize_t)job->bytes) {
			perror(job->path);
			exit(1);
		}
		ops++;
	} while (now_ns() < job->until);
	if (job->grows)
		resize(fd, st.st_size);
	close(fd);
	free(buf);
	return ops;
}

static void client(const struct job *job, uint64_t seed, int pipe_fd)
{
	uint64_t ops = run(job, seed);

	if (write(pipe_fd, &ops, sizeof(ops)) != sizeof(ops))
		exit(1);
	exit(0);
}

int main(int argc, char **argv)
{
	uint64_t begin, ops = 0, more;
	struct job job;
	int i, clients, status, failed = 0, ends[2];

	if (argc != 7 || pipe(ends))
		return 2;
	job = (struct job){
		.path = argv[1],
		.writes = argv[2][0] == 'w',
		.random = argv[3][0] == 'r',
		.grows = argv[3][0] == 'g',
		.bytes = strtoull(argv[4], NULL, 10),
	};
	clients = atoi(argv[5]);
	begin = now_ns();
	job.until = begin + strtoull(argv[6], NULL, 10) * 1000000u;
	for (i = 0; i < clients; i++)
		if (fork() == 0)
			client(&job, (uint64_t)i + 1, ends[1]);
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		return 1;
	for (i = 0; i < clients && read(ends[0], &more, sizeof(more)) > 0; i++)
		ops += more;
	printf("ops %llu\nns %llu\n", (unsigned long long)ops,
	       (unsigned long long)(now_ns() - begin));
	return 0;
}
