/*
 * fuse_interrupt.c - signals to the callers of waiting requests
 *
 * A request that is to wait gets a slot; a signal to its caller makes libfuse call
 * on_interrupt(), which queues the slot and makes an eventfd readable. Who reads
 * that asks for the slots one by one.
 *
 * Context: the thread of the session.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuse_interrupt.h"

static struct {
	int event_fd;
	/* Slots: a stack of free ones, a ring of interrupted ones. */
	int nr_free, free[NR_SLOTS];
	unsigned char armed[NR_SLOTS], queued[NR_SLOTS];
	unsigned int head, tail;
	int ring[NR_SLOTS];
} watch;

/* Wake who waits for the eventfd. A counter that is full has woken it already. */
void interrupt_ring(void)
{
	uint64_t one = 1;

	if (write(watch.event_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_interrupt(fuse_req_t req, void *data)
{
	int slot = (int)(intptr_t)data;

	(void)req;
	/* A slot is in the ring at most once, so the ring cannot overflow. */
	if (!watch.armed[slot] || watch.queued[slot])
		return;
	watch.queued[slot] = 1;
	watch.ring[watch.head++ % NR_SLOTS] = slot;
	interrupt_ring();
}

int interrupt_arm(fuse_req_t req)
{
	int slot;

	if (!watch.nr_free)
		return -1;
	slot = watch.free[--watch.nr_free];
	watch.armed[slot] = 1;
	fuse_req_interrupt_func(req, on_interrupt, (void *)(intptr_t)slot);
	return slot;
}

void memfs_shim_disarm(int slot)
{
	watch.armed[slot] = 0;
	/* A queued slot is given back when the ring lets go of it. */
	if (!watch.queued[slot])
		watch.free[watch.nr_free++] = slot;
}

/* The next slot whose caller got a signal, -1 when there is none. */
int memfs_shim_next_interrupted(void)
{
	while (watch.tail != watch.head) {
		int slot = watch.ring[watch.tail++ % NR_SLOTS];

		watch.queued[slot] = 0;
		if (watch.armed[slot])
			return slot;
		watch.free[watch.nr_free++] = slot;
	}
	return -1;
}

int interrupt_open(void)
{
	watch.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (watch.nr_free = 0; watch.nr_free < NR_SLOTS; watch.nr_free++)
		watch.free[watch.nr_free] = watch.nr_free;
	return watch.event_fd >= 0 ? watch.event_fd : -errno;
}
