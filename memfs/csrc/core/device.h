/*
 * device.h - swap, transfers and the devices that do them
 */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include "base.h"

/* ---- swap ---- */
#define SWAP_CLUSTER 256u
struct swap_area {
	u32 nr; /* slots; slot 0 is never given out */
	u32 used, cached;
	u32 hint, cluster_left;
	u16 *map;   /* references by PTEs and tmpfs slots */
	u32 *cache; /* pfn + 1 of the swap cache page, or 0 */
	u32 *stamp;
	u16 *cluster; /* used slots of each cluster */
	u8 *bytes;
	u8 *ahead;     /* its page was read ahead, and nobody has wanted it since */
	u8 *has_bytes; /* the slot holds 4 KiB of tmpfs, not a stamp */
	int fd;
};

/* ---- devices ---- */
#define REQ_PAGES 32u
#define REQ_HASH 1024u

#define NO_MAPPING 0xfffffffdu /* a request without pages: its time is all there is */

struct req {
	u32 dev, write, nr, mapping;
	u32 index; /* file index or swap slot of the first page */
	u32 next;
	u64 due;
	u32 error;
	u32 pfn[REQ_PAGES];
};

struct fifo {
	u32 head, tail;
};

struct dev {
	struct vm_dev_conf conf;
	struct vm_dev_stat stat;
	struct fifo queued, started;
	u64 busy_until;
	u64 submitted, ended;  /* requests since boot; they end in order */
	u32 count[2], full[2]; /* [write] */
	u32 congested;
	u32 fault[2];
	u32 last[2];	       /* [write] request + 1 that grew last, or 0 */
	u32 hash[2][REQ_HASH]; /* by end, request + 1: the others */
};

#endif
