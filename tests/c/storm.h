/*
 * storm.h - the things that happen in a storm: waiting, files, tasks
 */
#ifndef STORM_H
#define STORM_H

#include <errno.h>

#include "harness.h"
#include "scene.h"

#define MAX_TASKS 6u
#define MAX_BYTES (FILE_PAGES * PAGE_SIZE)

struct task {
	u32 mm, area, nr, file; /* mm: NONE while there is none */
};

struct storm {
	struct scene sc;
	u8 *bytes[NR_FILES]; /* what the files must hold */
	u32 size[NR_FILES];
	struct task task[MAX_TASKS];
	u32 kernel[32]; /* order-1 blocks, or NONE */
	FILE *spill;
	struct vm_reclaim rc;
	struct vm_migrate mig;
	u32 pin[20]; /* a run that goes on between other things */
	u32 gate_open;
};

static inline u32 pick(struct storm *st, u32 n) { return rnd(&st->sc.seed) % n; }

/* ---- waiting ---- */

static inline void reclaim_some(struct storm *st, u32 zid, u32 nr)
{
	struct vm_reclaim rc = {
		.zid = zid,
		.kswapd = pick(st, 2),
		.may_fs = 1,
		.may_io = 1,
		.reclaim_mapped = 1,
		.nr_pages = nr,
		.max_scan = 4 * (int64_t)nr,
	};
	u32 nr_refill = nr;

	while (vm_refill(st->sc.vm, &rc, &nr_refill, 64) == VM_MORE)
		;
	while (vm_shrink(st->sc.vm, &rc, 50) == VM_MORE)
		;
	vm_reclaim_cancel(st->sc.vm, &rc);
}

static inline void wait_one(struct storm *st)
{
	u64 next = vm_next_event(st->sc.vm);

	if (next != UINT64_MAX)
		vm_advance(st->sc.vm, next);
}

/* What a call wants. Return: false when it is to be given up. */
static inline bool help(struct storm *st, int rc)
{
	const struct vm_need need = *vm_needed(st->sc.vm);
	struct vm *vm = st->sc.vm;
	u32 submitted;

	if (rc == VM_NOMEM) {
		fail_alloc_never();
		reclaim_some(st, 1, 200);
		if (st->gate_open)
			reclaim_some(st, 5, 200);
	} else if (rc == VM_READ && need.mapping == VM_SWAP_MAPPING) {
		if (vm_swap_submit_read(vm, need.index) == VM_NOMEM)
			reclaim_some(st, 1, 200);
	} else if (rc == VM_READ) {
		if (vm_file_submit_read(vm, need.mapping, need.index, 1 + pick(st, 16),
					&submitted) == VM_NOMEM)
			reclaim_some(st, 1, 200);
	} else if (rc != VM_WAIT && rc != VM_MORE) {
		return false;
	}
	wait_one(st);
	return pick(st, 100) != 0;
}

/* ---- files ---- */

static inline void check_read(struct storm *st)
{
	static u8 buf[40 * PAGE_SIZE];
	u32 f = pick(st, NR_FILES), off, len, n = 0;
	int rc;

	if (!st->size[f])
		return;
	off = pick(st, st->size[f]);
	len = 1 + pick(st, sizeof(buf));
	do
		rc = vm_file_read(st->sc.vm, st->sc.file[f], off, len, buf, &n);
	while (rc && help(st, rc));
	if (!rc)
		CHECK_EQ(min_t(u32, len, st->size[f] - off), n);
	if (memcmp(buf, st->bytes[f] + off, n))
		FAIL("file %u: %u bytes from %u on are not as written", f, n, off);
}

static inline void do_write(struct storm *st)
{
	static u8 buf[40 * PAGE_SIZE];
	u32 f = pick(st, NR_FILES), off, len, n = 0;
	int rc;

	off = pick(st, min_t(u32, st->size[f] + PAGE_SIZE, MAX_BYTES - 1));
	len = 1 + pick(st, pick(st, 2) ? 3000 : (u32)sizeof(buf));
	len = min_t(u32, len, MAX_BYTES - off);
	memset(buf, (int)pick(st, 256), len);
	do
		rc = vm_file_write(st->sc.vm, st->sc.file[f], off, len, buf, &n);
	while (rc && help(st, rc));
	memcpy(st->bytes[f] + off, buf, n);
	st->size[f] = max_t(u32, st->size[f], n ? off + n : 0);
}

static inline void do_truncate(struct storm *st)
{
	u32 f = pick(st, NR_FILES), bytes = pick(st, MAX_BYTES), more = pick(st, 20000);
	struct mapping *m = &st->sc.vm->mappings[st->sc.file[f]];
	int rc;

	if (pick(st, 3))
		bytes = pick(st, 2) ? st->size[f] - pick(st, st->size[f] + 1) / 8 :
				      min_t(u32, st->size[f] + more, MAX_BYTES);
	do
		rc = vm_file_truncate(st->sc.vm, st->sc.file[f], bytes, 100);
	while (rc == VM_MORE || (rc && (help(st, rc) || m->size == bytes)));
	if (rc)
		return;
	if (bytes < st->size[f])
		memset(st->bytes[f] + bytes, 0, st->size[f] - bytes);
	st->size[f] = bytes;
	if (f < NR_FILES - 1)
		CHECK_EQ(0, ftruncate(fileno(st->sc.host[f]), bytes));
}

/* As the volume does: the host's file, then the cache, and again. */
static inline void do_punch(struct storm *st)
{
	static const u8 zeros[MAX_BYTES];
	u32 f = pick(st, NR_FILES), off = pick(st, MAX_BYTES);
	u32 n = 1 + pick(st, MAX_BYTES - off), index, round, have;
	bool host = f < NR_FILES - 1;
	int rc;

	/* A part of a tmpfs page may have to come from swap, which can fail. */
	if (!host || pick(st, 2)) {
		off &= ~(u32)(PAGE_SIZE - 1);
		n = (n + PAGE_SIZE - 1) & ~(u32)(PAGE_SIZE - 1);
	}
	for (round = 0; round < 2; round++) {
		have = off < st->size[f] ? min_t(u32, n, st->size[f] - off) : 0;
		if (host)
			CHECK_EQ(have,
				 pwrite(fileno(st->sc.host[f]), zeros, have, off));
		for (index = 0;;) {
			rc = vm_file_punch(st->sc.vm, st->sc.file[f], off, n, &index,
					   50);
			if (rc <= 0)
				break;
			help(st, rc);
		}
		CHECK_EQ(0, rc);
		memset(st->bytes[f] + off, 0, have);
	}
}

/* Given up or not, nothing that is read is other than before. */
static inline void do_flush(struct storm *st)
{
	u32 index = pick(st, FILE_PAGES), nr = 1 + pick(st, 200);
	u32 drop = pick(st, 2), f = pick(st, NR_FILES - 1);
	int rc;

	do
		rc = vm_file_flush(st->sc.vm, st->sc.file[f], index, nr, drop);
	while (rc && help(st, rc));
}

/* A request of nobody's pages among the others. */
static inline void do_transfer(struct storm *st)
{
	u64 ticket, ended = vm_dev_ended(st->sc.vm, VM_DEV_DISK);

	if (vm_dev_transfer(st->sc.vm, VM_DEV_DISK, pick(st, 2), 1 + pick(st, 32),
			    &ticket))
		return;
	CHECK(ticket > ended);
	while (pick(st, 4) && vm_dev_ended(st->sc.vm, VM_DEV_DISK) < ticket)
		wait_one(st);
}

static inline void do_writeback(struct storm *st)
{
	u32 index = pick(st, 2) ? 0 : pick(st, FILE_PAGES), written = 0;

	vm_file_writeback(st->sc.vm, st->sc.file[pick(st, NR_FILES)], &index,
			  1 + pick(st, 200), &written);
}

/* ---- tasks ---- */

static inline void task_end(struct storm *st, struct task *t)
{
	if (t->mm == NONE)
		return;
	if (pick(st, 2))
		while (vm_munmap(st->sc.vm, t->area, 1 + pick(st, 500)) == VM_MORE)
			;
	while (vm_mm_destroy(st->sc.vm, t->mm, 1 + pick(st, 500)) == VM_MORE)
		;
	t->mm = NONE;
}

static inline void task_begin(struct storm *st, struct task *t)
{
	u32 kind = pick(st, 5), flags = VM_VMA_WRITE;

	t->mm = vm_mm_create(st->sc.vm, 1 + rnd(&st->sc.seed));
	t->nr = 1 + pick(st, 2500);
	t->file = kind < 3 ? NONE : pick(st, NR_FILES);
	if (t->file != NONE) {
		flags = (pick(st, 2) ? VM_VMA_WRITE : 0) |
			(pick(st, 2) ? VM_VMA_SHARED : 0);
		t->nr = min_t(u32, t->nr, FILE_PAGES);
	}
	flags |= pick(st, 8) ? 0 : VM_VMA_LOCKED;
	t->nr = flags & VM_VMA_LOCKED ? min_t(u32, t->nr, 100) : t->nr;
	t->area = vm_mmap(st->sc.vm, t->mm, flags,
			  t->file == NONE ? VM_NO_ID : st->sc.file[t->file], 0,
			  rnd(&st->sc.seed), t->nr);
	CHECK(t->area != VM_NO_ID);
}

static inline void do_touch(struct storm *st)
{
	struct task *t = &st->task[pick(st, MAX_TASKS)];
	struct vm_touch touch;
	int rc;

	if (t->mm == NONE) {
		task_begin(st, t);
	} else if (!pick(st, 12)) {
		task_end(st, t);
		return;
	}
	touch = (struct vm_touch){ .mm = t->mm,
				   .vma = t->area,
				   .rng = rnd(&st->sc.seed),
				   .next = VM_NO_ID,
				   .first = pick(st, t->nr) };
	touch.nr = 1 + pick(st, t->nr - touch.first);
	if (st->sc.vm->vmas[t->area].flags & VM_VMA_WRITE)
		touch.flags = pick(st, 4);
	do
		rc = vm_touch(st->sc.vm, &touch, 1 + pick(st, 1000));
	while (rc && help(st, rc));
	/* Behind the end of a file, or what could not be read. */
	CHECK(rc >= 0 || rc == -EFAULT || rc == -EIO);
}

#endif
