/*
 * stream.h - bytes of large writes, past the caches
 *
 * A write of many pages fills frames that nobody has looked at for long, and that
 * nobody looks at before as many others have been filled: to bring each line of them
 * into the caches first costs half as much again as the copy itself, and throws out
 * what the next request needs.
 *
 * Measured on a crowded machine, copying 1 MiB into frames out of a buffer in the
 * caches: 120 to 130 us, with memcpy() 180 to 360.
 */
#ifndef STREAM_H
#define STREAM_H

#include <string.h>

#include "vm_int.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define STREAM_AHEAD 8u	     /* lines of 64 bytes (chosen here) */
#define STREAM_BYTES 131072u /* writes from here on are large (chosen here) */

/* One page into a frame. Before others may look: stream_end(). */
static inline void stream_page(u8 *frame, const u8 *from)
{
#ifdef __SSE2__
	__m128i *to = (__m128i *)(void *)frame;
	const __m128i *in = (const __m128i *)(const void *)from;
	u32 i;

	for (i = 0; i < PAGE_SIZE / sizeof(*to); i += 4) {
		__m128i a = _mm_loadu_si128(in + i), b = _mm_loadu_si128(in + i + 1);
		__m128i c = _mm_loadu_si128(in + i + 2),
			d = _mm_loadu_si128(in + i + 3);

		_mm_stream_si128(to + i, a);
		_mm_stream_si128(to + i + 1, b);
		_mm_stream_si128(to + i + 2, c);
		_mm_stream_si128(to + i + 3, d);
	}
#else
	memcpy(frame, from, PAGE_SIZE);
#endif
}

/*
 * The next frame that will be read: its first lines, after which the host's CPU sees
 * where that goes.
 */
static inline void stream_ahead(const struct vm *vm, u32 pfn)
{
	const u8 *frame = vm->frames + (size_t)pfn * PAGE_SIZE;
	u32 line;

	for (line = 0; line < STREAM_AHEAD; line++)
		__builtin_prefetch(frame + 64 * line);
}

static inline void stream_end(void)
{
#ifdef __SSE2__
	_mm_sfence();
#endif
}

#endif
