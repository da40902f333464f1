/*
 * damage.h - a busy machine, and ways to damage it that can be undone
 *
 * A test program of damages defines functions that poke one field each, and a
 * table of them with the words that vm_verify() must find. run_damages() does
 * the rest: sound before, named, sound after.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "harness.h"
#include "scene.h"

static struct scene sc;
static u32 second; /* an area that may only read file 0 */
static struct vm *vm;

/* ---- changes that can be undone ---- */

#define MAX_POKES 8u

static struct {
	void *at;
	size_t size;
	u8 old[8];
} pokes[MAX_POKES];
static u32 nr_pokes;

static inline void poke(void *at, u64 value, size_t size)
{
	CHECK(nr_pokes < MAX_POKES);
	pokes[nr_pokes].at = at;
	pokes[nr_pokes].size = size;
	memcpy(pokes[nr_pokes++].old, at, size);
	memcpy(at, &value, size);
}

#define POKE(field, value) poke(&(field), (u64)(value), sizeof(field))

static inline void undo(void)
{
	while (nr_pokes) {
		nr_pokes--;
		memcpy(pokes[nr_pokes].at, pokes[nr_pokes].old, pokes[nr_pokes].size);
	}
}

/* ---- what to damage ---- */

static inline bool flags_are(u32 pfn, u32 set, u32 clear)
{
	const struct page *p = &vm->pages[pfn];

	return page_type(p) == VM_T_USER && (p->flags & set) == set &&
	       !(p->flags & clear);
}

/* A page of a user with these flags and without those. */
static inline u32 user_page(u32 set, u32 clear)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (flags_are(pfn, set, clear))
			return pfn;
	FAIL("no page with %#x, without %#x", set, clear);
}

static inline u32 mapped_page(u32 kind, u32 set, u32 clear)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (flags_are(pfn, set, clear) &&
		    (vm->pages[pfn].flags & RMAP_MASK) == kind)
			return pfn;
	FAIL("no page with %#x mapped that way", set);
}

static inline u32 typed_page(u32 type, u32 kind)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (page_type(&vm->pages[pfn]) == type &&
		    (type != VM_T_KERNEL || vm->pages[pfn].rmap == kind))
			return pfn;
	FAIL("no page of type %u", type);
}

/* The head of a free block of order 1 or more. */
static inline u32 free_block(void)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (page_type(&vm->pages[pfn]) == VM_T_BUDDY &&
		    page_extra(&vm->pages[pfn]))
			return pfn;
	FAIL("no free block");
}

/* Deep in a free block: the last page of a word of the maps, its neighbours free. */
static inline u32 deep_page(void)
{
	for (u32 pfn = 0; pfn < vm->max_pfn; pfn++)
		if (page_type(&vm->pages[pfn]) == VM_T_BUDDY &&
		    page_extra(&vm->pages[pfn]) >= 7)
			return pfn + 127;
	FAIL("no large free block");
}

/* In the middle of what was never taken. */
static inline u32 virgin_page(void)
{
	for (u32 zid = 0; zid < vm->nr_zones; zid++)
		if (vm->zones[zid].nr_untouched)
			return vm->zones[zid].untouched[0].pfn + 500;
	FAIL("every block was taken");
}

static inline struct page *page(u32 pfn) { return &vm->pages[pfn]; }

static inline struct zone *zone(void) { return &vm->zones[5]; }

static inline struct free_area *area_of(u32 pfn)
{
	return &page_zone(vm, pfn)->area[page_extra(page(pfn))];
}

/* A node of the index of file 0: leaf or inner. */
static inline u32 node(bool leaf)
{
	for (u32 n = 0; n < vm->nr_slabs * RN_PER_SLAB; n++)
		if (vm->slabs[n / RN_PER_SLAB].live &&
		    vm->slabs[n / RN_PER_SLAB].used >> n % RN_PER_SLAB & 1 &&
		    vm->rnodes[n].mapping == sc.file[0] &&
		    !vm->rnodes[n].height == leaf)
			return n;
	FAIL("no such node");
}

static inline u32 empty_slot(u32 n)
{
	for (u32 i = 0; i < RN_SLOTS; i++)
		if (!vm->rnodes[n].slot[i])
			return i;
	FAIL("node %u has no empty slot", n);
}

static inline struct mapping *file(void) { return &vm->mappings[sc.file[0]]; }

static inline u32 swap_pte(void)
{
	for (u32 i = 0; i < vm->nr_ptbs << PTB_SHIFT; i++)
		if (!(vm->ptes[i] & PTE_PRESENT) &&
		    (vm->ptes[i] & PTE_TYPE) == PTE_SWAP)
			return i;
	FAIL("no page in swap");
}

static inline u32 free_slot(void)
{
	for (u32 i = 1; i < vm->swap.nr; i++)
		if (!vm->swap.map[i] && !vm->swap.cache[i])
			return i;
	FAIL("no free slot");
}

static inline u32 request(void)
{
	u32 r = vm->dev[VM_DEV_DISK].queued.head;

	CHECK(r != NONE);
	return r;
}

static inline struct seg *tail_seg(u32 active)
{
	return &vm->segs[zone()->lru[active].tail];
}

static inline u32 *first_place(u32 active)
{
	struct seg *seg = tail_seg(active);
	u32 i = seg->lo;

	while (seg->slot[i] == NONE)
		i++;
	return &seg->slot[i];
}

static inline struct pcp *full_pcp(void)
{
	for (u32 i = 0; i < 2; i++)
		if (zone()->pcp[i].count)
			return &zone()->pcp[i];
	FAIL("no page on a per-CPU list");
}

static inline struct pagevec *full_pagevec(void)
{
	for (u32 i = 0; i < 2; i++)
		if (vm->pv[0][i].nr)
			return &vm->pv[0][i];
	FAIL("no page in a pagevec");
}

static inline struct ptb *table(void) { return &vm->ptbs[vm->vmas[sc.area[0]].ptb[0]]; }

static inline struct mm *task(void) { return &vm->mms[vm->vmas[sc.area[0]].mm]; }

/* ---- the table ---- */

/* A damage of one statement; longer ones are written out. */
#define BREAK(name, statement) \
	static void d_##name(void) { statement; }

struct damage {
	void (*inflict)(void);
	const char *name; /* of the function */
	const char *found;
};

#define D(name, found)                 \
	{                              \
		d_##name, #name, found \
	}

/*
 * Everything there is at once: files clean, dirty, under writeback and being
 * read; tmpfs and anonymous pages in memory, in the swap cache and in swap;
 * shared pages; pages in pagevecs and on per-CPU lists; free segments.
 */
static inline void busy_machine(void)
{
	struct vm_config conf = small_config(SCENE_PAGES);
	u32 submitted, index = 0, written = 0;

	scene_init(&sc, conf, 5);
	vm = sc.vm;
	scene_run(&sc, 500);
	second = vm_mmap(vm, vm_mm_create(vm, 200), VM_VMA_SHARED, sc.file[0], 0,
			 0x9000, 400);
	for (u32 i = 0; i < 400; i += 7) {
		scene_touch(&sc, 4, i, 1, 0);
		touch_area(vm, second, i, 1, 0);
	}
	scene_write(&sc, 0, 700, 40);
	scene_touch(&sc, 5, 600, 100, 0);
	scene_touch(&sc, 0, 0, 100, VM_TOUCH_WRITE);
	scene_touch(&sc, 0, 1050, 20, VM_TOUCH_WRITE);
	for (u32 i = 0; i < 6; i++)
		scene_age(&sc, 5, 300);
	scene_idle(&sc);
	scene_write(&sc, 1, 1499 - 3, 3);
	scene_write(&sc, 0, 800, 50);
	index = 810;
	vm_file_writeback(vm, sc.file[0], &index, 20, &written);
	CHECK(written);
	for (index = 0; index < FILE_PAGES; index += 50)
		vm_file_submit_read(vm, sc.file[0], index, 4, &submitted);
}

/* Each damage alone, on one machine. */
static inline void run_damages(const struct damage *damages, u32 nr)
{
	busy_machine();
	CHECK_OK(vm);
	for (u32 i = 0; i < nr; i++) {
		damages[i].inflict();
		if (!verify(vm))
			FAIL("%s: no violation", damages[i].name);
		if (!strstr(verify_text, damages[i].found))
			FAIL("%s: expected '%s', seen:\n%.2000s", damages[i].name,
			     damages[i].found, verify_text);
		undo();
		if (verify(vm))
			FAIL("%s: not undone:\n%.2000s", damages[i].name, verify_text);
	}
	scene_exit(&sc);
}

#endif
