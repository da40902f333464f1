/*
 * queue.h - a request that has not begun takes in what comes next
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "vm_int.h"

static inline bool req_may_grow(const struct dev *d, const struct req *rq, u32 mapping,
				u32 index)
{
	return rq->mapping == mapping && rq->index + rq->nr == index &&
	       rq->nr < d->conf.merge_pages;
}

static inline void req_grow(struct dev *d, struct req *rq, u32 pfn)
{
	rq->pfn[rq->nr++] = pfn;
	d->stat.merged++;
}

#endif
