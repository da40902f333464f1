/*
 * base.h - words, limits, bit maps, what every file of the core uses
 */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../memfs.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define NONE 0xffffffffu
#define POISON 0x5a5aa5a5u
#define POISON_BYTE 0x5a

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))

static inline bool bit_test(const u64 *map, u32 n)
{
	return map[n >> 6] >> (n & 63) & 1;
}

static inline void bit_set(u64 *map, u32 n)
{
	map[n >> 6] |= 1ull << (n & 63);
}

static inline void bit_clear(u64 *map, u32 n)
{
	map[n >> 6] &= ~(1ull << (n & 63));
}

static inline u64 vm_mix(u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

#ifdef CONFIG_DEBUG_VM
#define VM_BUG_ON(cond)                   \
	do {                              \
		if (cond)                 \
			__builtin_trap(); \
	} while (0)
#else
#define VM_BUG_ON(cond)             \
	do {                        \
		(void)sizeof(cond); \
	} while (0)
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/*
 * The empty asm keeps gcc from taking a function that does nothing but prefetch
 * for one without effect, calls of which it drops.
 */
#define prefetchw(p)                        \
	do {                                \
		__builtin_prefetch((p), 1); \
		__asm__ volatile("");       \
	} while (0)

#endif
