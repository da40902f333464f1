/*
 * pin.c - references to pages by somebody who says who he is
 *
 * A page with a pin neither moves nor goes, and status and `why` can tell whose
 * it is: direct I/O, a pipe, a socket's queue. Who that is, is the caller's to know;
 * here is a number. All pins of a page are one of its extra references.
 *
 * Models: get_user_pages(), page_cache_get() of splice and sendfile, 2.6.
 */
#include <errno.h>

#include "vm_int.h"

static u32 *bucket(struct vm *vm, u32 pfn)
{
	return &vm->pin_hash[vm_mix(pfn) & (PIN_HASH - 1)];
}

static u32 pin_alloc(struct vm *vm)
{
	u32 id = vm->free_pin;

	if (id != NONE)
		vm->free_pin = vm->pins[id].next;
	else if (vm->nr_pins < vm->max_pins)
		id = vm->nr_pins++;
	return id;
}

/* How many pins a page has, and the oldest of them. */
u32 vm_pins_of(const struct vm *vm, u32 pfn, struct vm_pin_info *first)
{
	u32 at = vm->pin_hash[vm_mix(pfn) & (PIN_HASH - 1)], nr = 0;

	for (; at; at = vm->pins[at - 1].next) {
		const struct pin *pin = &vm->pins[at - 1];

		if (pin->pfn != pfn)
			continue;
		/* The newest is in front. */
		if (first)
			*first = (struct vm_pin_info){ pin->holder, pin->since };
		nr++;
	}
	return nr;
}

/*
 * vm_pin - take a reference to a page of a user
 *
 * Return: the pin, or VM_NO_ID: no such page, or too many pins.
 */
uint32_t vm_pin(struct vm *vm, uint32_t pfn, uint32_t holder)
{
	struct page *p = &vm->pages[pfn];
	u32 *head, id;

	if (pfn >= vm->max_pfn || page_type(p) != VM_T_USER)
		return VM_NO_ID;
	id = pin_alloc(vm);
	if (id == NONE)
		return VM_NO_ID;
	if (!vm_pins_of(vm, pfn, NULL))
		p->flags += EXTRA_ONE;
	head = bucket(vm, pfn);
	vm->pins[id] = (struct pin){ pfn, *head, holder, vm->now };
	*head = id + 1;
	page_zone(vm, pfn)->numa[NUMA_PIN_ACQUIRED]++;
	return id;
}

static int pinned(struct vm *vm, u32 pfn, u32 holder, u32 *pin)
{
	*pin = vm_pin(vm, pfn, holder);
	return *pin == VM_NO_ID ? -ENOMEM : VM_DONE;
}

/*
 * Of a file's page: VM_READ or VM_WAIT when it is not there yet, -ENOENT a hole,
 * -EFAULT behind the end.
 */
int vm_pin_file(struct vm *vm, uint32_t mapping, uint32_t index, uint32_t holder,
		uint32_t *pin)
{
	u32 pfn;
	int rc;

	if (mapping >= vm->nr_mappings || !vm->mappings[mapping].used)
		return -EINVAL;
	if ((u64)index << PAGE_SHIFT >= vm->mappings[mapping].size)
		return -EFAULT;
	rc = vm_find_page(vm, &vm->mappings[mapping], index, &pfn);
	if (rc)
		return rc;
	return pfn == NONE ? -ENOENT : pinned(vm, pfn, holder, pin);
}

/* Of a page that an area maps now; -EFAULT: it has to be touched first. */
int vm_pin_area(struct vm *vm, uint32_t vma, uint32_t index, uint32_t holder,
		uint32_t *pin)
{
	const struct vma *v;
	u32 table, pte;

	if (vma >= vm->nr_vmas || vm->vmas[vma].used != VMA_USED ||
	    index >= vm->vmas[vma].nr)
		return -EINVAL;
	v = &vm->vmas[vma];
	table = v->ptb[index >> PTB_SHIFT];
	if (table == NONE)
		return -EFAULT;
	pte = vm->ptes[table << PTB_SHIFT | (index & (PTB_SIZE - 1))];
	return pte & PTE_PRESENT ? pinned(vm, pte & PTE_PFN, holder, pin) : -EFAULT;
}

/* A holder lets go; the page is freed if he was the last to refer to it. */
int vm_unpin(struct vm *vm, uint32_t id)
{
	u32 pfn, *link;

	if (id >= vm->nr_pins || vm->pins[id].pfn == NONE)
		return -EINVAL;
	pfn = vm->pins[id].pfn;
	for (link = bucket(vm, pfn); *link != id + 1; link = &vm->pins[*link - 1].next)
		;
	*link = vm->pins[id].next;
	vm->pins[id].pfn = NONE;
	vm->pins[id].next = vm->free_pin;
	vm->free_pin = id;
	page_zone(vm, pfn)->numa[NUMA_PIN_RELEASED]++;
	if (vm_pins_of(vm, pfn, NULL))
		return 0;
	vm->pages[pfn].flags -= EXTRA_ONE;
	vm_put_page(vm, pfn, false);
	return 0;
}
