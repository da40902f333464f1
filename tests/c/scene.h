/*
 * scene.h - a busy machine: files, tmpfs, tasks, swap, reclaim, from one seed
 *
 * Two zones (a node each), three files whose bytes lie in unlinked host files,
 * one tmpfs file, four anonymous areas, two areas that map a file (shared and
 * private), two areas that are locked in memory (anonymous, of a file). scene_run()
 * does a number of random things to it. The same seed gives the same machine,
 * whatever runs the reclaim: scene->reclaim is a hook.
 */
#ifndef SCENE_H
#define SCENE_H

#include <unistd.h>

#include "harness.h"

#define SCENE_PAGES 8192u
#define NR_FILES 4u /* the last one is tmpfs */
#define FILE_PAGES 1500u
#define NR_AREAS 6u
#define AREA_PAGES 1100u
#define LOCKED_PAGES 150u

struct scene {
	struct vm *vm;
	FILE *host[NR_FILES];
	u32 file[NR_FILES], area[NR_AREAS], locked[2];
	u64 seed;
	void (*reclaim)(struct scene *sc, struct vm_reclaim *rc, u32 nr_refill);
	void *arg;
};

/* Refill, then shrink; the budget differs from call to call. */
static inline void scene_reclaim(struct scene *sc, struct vm_reclaim *rc, u32 nr_refill)
{
	u32 budget = 1;
	int r;

	while (vm_refill(sc->vm, rc, &nr_refill, budget) == VM_MORE)
		budget = budget * 5 % 97 + 1;
	while ((r = vm_shrink(sc->vm, rc, budget)) == VM_MORE)
		budget = budget * 5 % 97 + 1;
	CHECK_EQ(VM_DONE, r);
}

static inline void scene_idle(struct scene *sc)
{
	u64 next;

	while ((next = vm_next_event(sc->vm)) != UINT64_MAX)
		vm_advance(sc->vm, next);
}

static inline void scene_files(struct scene *sc)
{
	struct vm *vm = sc->vm;

	for (u32 i = 0; i < NR_FILES; i++) {
		bool shm = i == NR_FILES - 1;

		sc->file[i] = vm_mapping_create(vm, shm ? VM_MAP_SHM : VM_MAP_FILE);
		CHECK_EQ(0,
			 vm_mapping_size(vm, sc->file[i], (u64)FILE_PAGES * PAGE_SIZE));
		if (shm)
			continue;
		sc->host[i] = tmpfile();
		CHECK(sc->host[i]);
		CHECK_EQ(0,
			 ftruncate(fileno(sc->host[i]), (off_t)FILE_PAGES * PAGE_SIZE));
		CHECK_EQ(0, vm_mapping_fd(vm, sc->file[i], fileno(sc->host[i])));
	}
}

static inline void scene_areas(struct scene *sc)
{
	struct vm *vm = sc->vm;
	u32 i;

	for (i = 0; i < 4; i++)
		sc->area[i] = anon_area(vm, 100 + i, AREA_PAGES);
	for (; i < NR_AREAS; i++) {
		u32 mm = vm_mm_create(vm, 100 + i);

		sc->area[i] = vm_mmap(
			vm, mm, i == 4 ? VM_VMA_WRITE | VM_VMA_SHARED : VM_VMA_WRITE,
			sc->file[i - 4], 0, 0x5000, AREA_PAGES);
	}
	for (i = 0; i < 2; i++)
		sc->locked[i] = vm_mmap(vm, vm_mm_create(vm, 200 + i),
					VM_VMA_WRITE | VM_VMA_LOCKED,
					i ? sc->file[0] : VM_NO_ID, 0, 0x9000,
					LOCKED_PAGES);
}

static inline void scene_init(struct scene *sc, struct vm_config conf, u64 seed)
{
	const struct vm_dev_conf fast = { 1000000, 1000000000, 2048, 32 };

	*sc = (struct scene){ .seed = seed, .reclaim = scene_reclaim };
	conf.max_pfn = SCENE_PAGES;
	conf.closed_rules = VM_RULE_SHRINK_UNREF | VM_RULE_REFILL_UNREF;
	sc->vm = make_vm(&conf);
	add_zone(sc->vm, 1, 0, 1, 0, 4096, 40);
	add_zone(sc->vm, 5, 1, 1, 4096, 4096, 40);
	set_pcp(sc->vm, 1, 8);
	set_pcp(sc->vm, 5, 8);
	set_zonelist(sc->vm, 1, (const u32[]){ 1 });
	for (u32 nid = 0; nid < 2; nid++)
		CHECK_EQ(0, vm_zonelist(sc->vm, nid, VM_CLASS_HOTREMOVABLE, 2,
					(const u32[]){ 5, 1 }));
	for (u32 dev = 0; dev < VM_NR_DEVS; dev++)
		CHECK_EQ(0, vm_dev_config(sc->vm, dev, &fast));
	scene_files(sc);
	scene_areas(sc);
}

static inline void scene_exit(struct scene *sc)
{
	for (u32 i = 0; i < NR_FILES; i++)
		if (sc->host[i])
			fclose(sc->host[i]);
	free_vm(sc->vm);
}

static inline void scene_age(struct scene *sc, u32 zid, u32 nr_pages)
{
	struct vm_reclaim rc = {
		.zid = zid,
		.kswapd = 1,
		.may_fs = 1,
		.may_io = 1,
		.reclaim_mapped = rnd(&sc->seed) & 1,
		.nr_pages = nr_pages,
		.max_scan = 4 * nr_pages,
	};

	/* The devices have room for all that one run can write. */
	scene_idle(sc);
	sc->reclaim(sc, &rc, nr_pages + 32);
}

/* What a call wants before it can go on. */
static inline void scene_help(struct scene *sc, int rc)
{
	const struct vm_need need = *vm_needed(sc->vm);
	u32 submitted;
	int r = 0;

	if (rc == VM_NOMEM) {
		scene_age(sc, 5, 200);
		scene_age(sc, 1, 200);
	} else if (rc == VM_READ && need.mapping == VM_SWAP_MAPPING) {
		r = vm_swap_submit_read(sc->vm, need.index);
	} else if (rc == VM_READ) {
		r = vm_file_submit_read(sc->vm, need.mapping, need.index, 8,
					&submitted);
	} else if (rc != VM_WAIT) {
		FAIL("a call returned %d", rc);
	}
	if (r == VM_NOMEM)
		scene_age(sc, 5, 200);
	else
		scene_idle(sc);
}

static inline void scene_read(struct scene *sc, u32 file, u32 page, u32 nr)
{
	static u8 buf[64 * PAGE_SIZE];
	u32 done = 0;
	int rc;

	while ((rc = vm_file_read(sc->vm, sc->file[file], (u64)page * PAGE_SIZE,
				  nr * PAGE_SIZE, buf, &done)))
		scene_help(sc, rc);
}

static inline void scene_write(struct scene *sc, u32 file, u32 page, u32 nr)
{
	static u8 buf[64 * PAGE_SIZE];
	u32 done = 0;
	int rc;

	memset(buf, (int)(page & 255), nr * PAGE_SIZE);
	while ((rc = vm_file_write(sc->vm, sc->file[file], (u64)page * PAGE_SIZE + 100,
				   nr * PAGE_SIZE - 200, buf, &done)))
		scene_help(sc, rc);
}

static inline void scene_touch_area(struct scene *sc, u32 area, u32 first, u32 nr,
				    u32 flags)
{
	struct vm_touch t = {
		.mm = sc->vm->vmas[area].mm,
		.vma = area,
		.flags = flags,
		.first = first,
		.nr = nr,
		.rng = rnd(&sc->seed),
		.next = VM_NO_ID,
	};
	int rc;

	while ((rc = vm_touch(sc->vm, &t, NONE)))
		scene_help(sc, rc);
}

static inline void scene_touch(struct scene *sc, u32 area, u32 first, u32 nr, u32 flags)
{
	scene_touch_area(sc, sc->area[area], first, nr, flags);
}

static inline void scene_writeback(struct scene *sc, u32 file)
{
	u32 index = rnd(&sc->seed) % FILE_PAGES, written = 0;

	if (file == NR_FILES - 1)
		return;
	vm_file_writeback(sc->vm, sc->file[file], &index, 64, &written);
}

/* One random thing. */
static inline void scene_step(struct scene *sc)
{
	u32 what = rnd(&sc->seed) % 16, nr = 1 + rnd(&sc->seed) % 60;
	u32 file = rnd(&sc->seed) % NR_FILES, area = rnd(&sc->seed) % NR_AREAS;
	u32 page = rnd(&sc->seed) % (FILE_PAGES - nr);
	u32 first = rnd(&sc->seed) % (AREA_PAGES - nr);
	u32 flags = rnd(&sc->seed) & (VM_TOUCH_WRITE | VM_TOUCH_RANDOM);

	if (what < 4)
		scene_read(sc, file, page, nr);
	else if (what < 7)
		scene_write(sc, file, page, nr);
	else if (what < 8)
		scene_touch_area(sc, sc->locked[area & 1], first % (LOCKED_PAGES - nr),
				 nr, flags);
	else if (what < 12)
		scene_touch(sc, area, first, nr, flags);
	else if (what < 13)
		scene_writeback(sc, file);
	else if (what < 14)
		vm_advance(sc->vm, sc->vm->now + 300000);
	else
		scene_age(sc, what & 1 ? 1 : 5, nr);
}

static inline void scene_run(struct scene *sc, u32 steps)
{
	while (steps--)
		scene_step(sc);
}

#endif
