/*
 * scan.h - what the programs of row "scan" share: pages, order, clock
 *
 * All scan the same inactive list of N pages from its tail to its head: one
 * page in five is referenced and goes to the active list, one in ten is dirty,
 * begins to be written and goes to the inactive list's head, the others are
 * freed. The order of the list is a fixed random permutation of the pfns. All
 * print counts and a hash of the two lists, which have to agree.
 */
#ifndef SCAN_H
#define SCAN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* From so many pages on, boot.c asks for huge pages of the host. */
#define HUGE_FROM (1u << 18)

enum fate { FATE_FREE, FATE_ACTIVATE, FATE_ROTATE };

struct outcome {
	uint64_t activated, rotated, freed, hash, cpu_ns;
};

/* A permutation of 0 .. 2^bits - 1: every step can be undone. */
static inline uint32_t shuffled(uint32_t i, uint32_t bits)
{
	const uint32_t mask = (1u << bits) - 1;
	uint32_t round;

	for (round = 0; round < 3; round++) {
		i = (i * 0x9e3779b1u + 0x7f4a7c15u) & mask;
		i ^= i >> (bits / 2 + 1);
	}
	return i;
}

static inline enum fate fate_of(uint32_t pfn)
{
	uint32_t x = pfn * 0x85ebca6bu;

	x = (x ^ x >> 15) * 0xc2b2ae35u;
	x = (x ^ x >> 13) % 10;
	return x < 2 ? FATE_ACTIVATE : x == 2 ? FATE_ROTATE : FATE_FREE;
}

static inline uint64_t hash_pfn(uint64_t hash, uint32_t pfn)
{
	return (hash ^ pfn) * 0x100000001b3ull;
}

static inline uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Arguments: log2 of the pages; "build" to leave the scan out; "small" pages. */
struct scan_args {
	uint32_t bits, nr;
	int only_build, small;
};

static inline struct scan_args parse_args(int argc, char **argv)
{
	struct scan_args args = { 0 };

	if (argc > 1)
		args.bits = (uint32_t)strtoul(argv[1], NULL, 10);
	if (args.bits < 12 || args.bits > 27) {
		fprintf(stderr, "usage: %s LOG2_PAGES(12..27) [build|small]\n",
			argv[0]);
		exit(2);
	}
	args.nr = 1u << args.bits;
	args.only_build = argc > 2 && strcmp(argv[2], "build") == 0;
	args.small = argc > 2 && strcmp(argv[2], "small") == 0;
	return args;
}

/* An array of a machine of so many pages: as boot.c makes it, or in small pages. */
static inline void *scan_alloc(size_t bytes, uint32_t pages, int small)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		exit(1);
	if (pages >= HUGE_FROM && !small)
		madvise(mem, bytes, MADV_HUGEPAGE);
	return mem;
}

static inline void print_outcome(const struct outcome *o)
{
	printf("cpu_ns %llu\nactivated %llu\nrotated %llu\nfreed %llu\nhash %llu\n",
	       (unsigned long long)o->cpu_ns, (unsigned long long)o->activated,
	       (unsigned long long)o->rotated, (unsigned long long)o->freed,
	       (unsigned long long)o->hash);
}

#endif
