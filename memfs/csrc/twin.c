/*
 * twin.c - stores through a mapping beside writes, in one page
 *
 * A write(2) has the real kernel drop its copy of the page before and after. Between
 * that a process may fault the page in again, out of our frame as it was, and store
 * into it; after the write the kernel writes that copy back, whole: what the write
 * brought in between would be lost, though the two touched different bytes.
 *
 * So a write to a page of which the kernel has a copy keeps the page as it was before,
 * its twin; when the copy comes back, only what differs from the twin is taken over.
 * The next READ of the page ends this: that copy has what the write brought.
 *
 * Twins are few and short-lived: they have their places by pfn, and one that meets
 * another takes its place. Without one the copy is taken as it is.
 * None of it is part of the machine's state.
 */
#include <string.h>

#include "vm_int.h"

static u8 *twin_of(struct vm *vm, u32 pfn)
{
	u32 place = pfn % NR_TWINS;

	return vm->twin_pfn[place] == pfn + 1 ? vm->twins + (size_t)place * PAGE_SIZE :
						NULL;
}

void vm_twin_drop(struct vm *vm, u32 pfn)
{
	if (vm->twin_pfn[pfn % NR_TWINS] == pfn + 1)
		vm->twin_pfn[pfn % NR_TWINS] = 0;
}

/* A page moves, and its flags with it: whatever was known of its new frame goes. */
void vm_twin_move(struct vm *vm, u32 from, u32 to)
{
	const u8 *twin = twin_of(vm, from);

	vm_twin_drop(vm, to);
	if (!twin)
		return;
	memmove(vm->twins + (size_t)(to % NR_TWINS) * PAGE_SIZE, twin, PAGE_SIZE);
	vm_twin_drop(vm, from);
	vm->twin_pfn[to % NR_TWINS] = to + 1;
}

/* Before a page is written to: its bytes are what the kernel's copy began with. */
void vm_twin_keep(struct vm *vm, u32 pfn, const u8 *frame)
{
	u32 place = pfn % NR_TWINS;

	if (!(vm->pages[pfn].flags & PG_CLIENTMAPPED) || twin_of(vm, pfn))
		return;
	memcpy(vm->twins + (size_t)place * PAGE_SIZE, frame, PAGE_SIZE);
	vm->twin_pfn[place] = pfn + 1;
}

static void take_changes(u8 *restrict to, const u8 *restrict from,
			 const u8 *restrict before, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		to[i] = from[i] == before[i] ? to[i] : from[i];
}

/*
 * The kernel's copy of n bytes comes back: false, there is no twin, they are all to be
 * taken. The copy may stay where it is, so from now on it is the twin.
 */
bool vm_twin_merge(struct vm *vm, u32 pfn, u32 at, u32 n, u8 *frame, const u8 *buf)
{
	u8 *twin = twin_of(vm, pfn);

	if (!twin || !(vm->pages[pfn].flags & PG_CLIENTMAPPED))
		return false;
	take_changes(frame + at, buf, twin + at, n);
	memcpy(twin + at, buf, n);
	return true;
}
