/*
 * kpage.c - pages as /proc/kpageflags and /proc/kpagecount show them
 *
 * Models: fs/proc/page.c stable_page_flags(), include/uapi/linux/
 * kernel-page-flags.h, Linux 6.1.
 */
#include <errno.h>

#include "lru_count.h"

enum {
	KPF_LOCKED = 0,
	KPF_ERROR,
	KPF_REFERENCED,
	KPF_UPTODATE,
	KPF_DIRTY,
	KPF_LRU,
	KPF_ACTIVE,
	KPF_SLAB,
	KPF_WRITEBACK,
	KPF_RECLAIM,
	KPF_BUDDY,
	KPF_MMAP,
	KPF_ANON,
	KPF_SWAPCACHE,
	KPF_SWAPBACKED,
	KPF_COMPOUND_HEAD,
	KPF_COMPOUND_TAIL,
	KPF_HUGE,
	KPF_UNEVICTABLE,
	KPF_HWPOISON,
	KPF_NOPAGE,
	KPF_OFFLINE = 23,
	KPF_PGTABLE = 26,
	KPF_RESERVED = 32,
	KPF_MLOCKED = 33,
	KPF_PRIVATE = 36
};

#define BIT(n) (1ull << (n))

static const struct {
	u32 from;
	u32 to;
} user_bits[] = {
	{ PG_LOCKED, KPF_LOCKED },
	{ PG_ERROR, KPF_ERROR },
	{ PG_REFERENCED, KPF_REFERENCED },
	{ PG_UPTODATE, KPF_UPTODATE },
	{ PG_DIRTY, KPF_DIRTY },
	{ PG_LRU, KPF_LRU },
	{ PG_WRITEBACK, KPF_WRITEBACK },
	{ PG_RECLAIM, KPF_RECLAIM },
	{ PG_ANON, KPF_ANON },
	{ PG_SWAPCACHE, KPF_SWAPCACHE },
	{ PG_SWAPBACKED, KPF_SWAPBACKED },
	{ PG_MLOCKED, KPF_MLOCKED },
	{ PG_PRIVATE, KPF_PRIVATE },
};

static u64 list_flags(const struct vm *vm, u32 flags)
{
	if (unevictable(vm, flags))
		return BIT(KPF_UNEVICTABLE);
	return flags & PG_ACTIVE ? BIT(KPF_ACTIVE) : 0;
}

static u64 user_flags(const struct vm *vm, const struct page *p)
{
	u64 flags = page_mapped(p) ? BIT(KPF_MMAP) : 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(user_bits); i++)
		if (p->flags & user_bits[i].from)
			flags |= BIT(user_bits[i].to);
	return flags | list_flags(vm, p->flags);
}

static u64 kernel_flags(const struct page *p)
{
	if (p->rmap == VM_K_RADIX || p->rmap == VM_K_SHMEMDIR)
		return BIT(KPF_SLAB);
	return p->rmap == VM_K_PAGETABLE ? BIT(KPF_PGTABLE) : 0;
}

/* Whether a free block begins there that no head tells of. */
static bool begins_block(struct vm *vm, u32 pfn)
{
	const struct zone *z = page_zone(vm, pfn);
	u32 at = pfn & ~((1u << (VM_MAX_ORDER - 1)) - 1), order;

	if (vm_virgin_until(z, pfn) > pfn)
		return pfn == at;
	while (at < pfn && (order = vm_freemap_next(vm, z, &at)) != NONE && at < pfn)
		at += 1u << order;
	return at == pfn && vm_freemap_next(vm, z, &at) != NONE && at == pfn;
}

static u64 flags_of(struct vm *vm, u32 pfn)
{
	const struct page *p = &vm->pages[pfn];

	if (!page_zone(vm, pfn))
		return BIT(KPF_NOPAGE);
	switch (page_type(p)) {
	case VM_T_BUDDY:
		return BIT(KPF_BUDDY);
	case VM_T_USER:
		return user_flags(vm, p);
	case VM_T_KERNEL:
		return kernel_flags(p);
	case VM_T_RESERVED:
		return BIT(KPF_RESERVED);
	case VM_T_HUGE:
		return BIT(KPF_HUGE) | BIT(KPF_COMPOUND_HEAD);
	case VM_T_TAIL:
		return BIT(KPF_HUGE) | BIT(KPF_COMPOUND_TAIL);
	case VM_T_HWPOISON:
		return BIT(KPF_HWPOISON);
	case VM_T_OFFLINE:
		return BIT(KPF_OFFLINE);
	default:
		return begins_block(vm, pfn) ? BIT(KPF_BUDDY) : 0;
	}
}

/*
 * vm_kpage - what each of some pages is
 * @counts: how often each is mapped, instead of its flags
 * @out:    nr numbers
 *
 * Return: 0, or -EINVAL for pages that the machine cannot have.
 */
int vm_kpage(struct vm *vm, uint32_t first, uint32_t nr, uint32_t counts, uint64_t *out)
{
	u32 i;

	if (first > vm->max_pfn || nr > vm->max_pfn - first)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		const struct page *p = &vm->pages[first + i];

		if (!counts)
			out[i] = flags_of(vm, first + i);
		else
			out[i] = page_type(p) == VM_T_USER ? vm_mapcount(vm, p) : 0;
	}
	return 0;
}
