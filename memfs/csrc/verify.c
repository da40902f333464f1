/*
 * verify.c - the invariants of the C core, checked a few items at a time
 *
 * What it is: the walkers behind control/validate, always built in. What it is
 * not: a repair. It is exact when it runs through without other work between
 * its steps; with other work in between a violation may be one of the moment.
 *
 * Covers, of the design's list: 1, 2, 3, 4 (order of marks, gates), 5 (held
 * and locked pages), 6, 7 (tags, writeback), 9 (nothing is negative) and 10
 * (stamps, poison).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "verify.h"

struct phase {
	bool (*step)(struct vm *vm, struct report *r);
	u32 cost; /* of one item, in pages of the budget */
};

/* The page scan comes before those that compare with its totals. */
static const struct phase phases[] = {
	{ vm_verify_zone, 16 },
	{ vm_verify_zonelist, 16 },
	{ vm_verify_section, 1 },
	{ vm_verify_buddy, 1 },
	{ vm_verify_pcp, PCP_RING_MIN },
	{ vm_verify_pagevec, PAGEVEC },
	{ vm_verify_lru, SEG_SIZE },
	{ vm_verify_segs, 1 },
	{ vm_verify_page, 2 * VERIFY_RUN },
	{ vm_verify_slab, 8 },
	{ vm_verify_rnode, RN_SLOTS },
	{ vm_verify_mapping, 4 },
	{ vm_verify_ptb, PTB_SIZE },
	{ vm_verify_vma, 16 },
	{ vm_verify_mm, 16 },
	{ vm_verify_chains, 1 },
	{ vm_verify_pins, 1 },
	{ vm_verify_huge, 1 },
	{ vm_verify_swap, VERIFY_RUN },
	{ vm_verify_dev, REQ_PAGES },
	{ vm_verify_totals, 1 },
};

void vm_violation(struct report *r, const char *fmt, ...)
{
	u32 room = r->size - r->len;
	va_list args;
	int n;

	r->v->violations++;
	if (room < 2)
		return;
	va_start(args, fmt);
	n = vsnprintf(r->text + r->len, room - 1, fmt, args);
	va_end(args);
	if (n < 0 || (u32)n >= room - 1) {
		/* Only whole lines. */
		r->text[r->len] = '\0';
		r->size = r->len;
		return;
	}
	r->len += (u32)n;
	r->text[r->len++] = '\n';
	r->text[r->len] = '\0';
}

bool vm_same(struct report *r, u32 seen, u32 want, const char *what, u32 where)
{
	if (seen == want)
		return true;
	vm_violation(r, "%s %u: counter %u, found %u", what, where, want, seen);
	return false;
}

static void next_phase(struct report *r)
{
	r->v->phase++;
	r->v->cursor = 0;
	memset(&r->s->census, 0, sizeof(*r->s) - offsetof(struct scratch, census));
}

static void run(struct vm *vm, struct report *r, u32 budget)
{
	u32 spent = 0;

	while (r->v->phase < ARRAY_SIZE(phases) && spent < budget) {
		const struct phase *phase = &phases[r->v->phase];

		spent += min_t(u32, phase->cost, budget - spent);
		if (!phase->step(vm, r))
			next_phase(r);
	}
}

/*
 * vm_verify - check the invariants
 * @v:      zeroed before the first call, kept between calls
 * @budget: about how many pages to look at, > 0
 * @text:   receives the violations found in this call, a line each,
 *          zero-terminated; may be NULL when @size is 0
 * @size:   bytes of @text; what does not fit is counted and left out
 *
 * Return: VM_MORE, or VM_DONE; v->violations counts all calls.
 */
int vm_verify(struct vm *vm, struct vm_verify *v, uint32_t budget, char *text,
	      uint32_t size)
{
	struct scratch s;
	struct report r = { .v = v, .s = &s, .text = text, .size = size };

	if (size)
		text[0] = '\0';
	memcpy(&s, v->scratch, sizeof(s));
	run(vm, &r, budget);
	memcpy(v->scratch, &s, sizeof(s));
	return v->phase < ARRAY_SIZE(phases) ? VM_MORE : VM_DONE;
}
