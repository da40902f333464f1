/*
 * verify.h - the invariants
 */
#ifndef API_VERIFY_H
#define API_VERIFY_H

#include <stdint.h>

/* cdef-begin */
/* verify.c: invariants; text of violations, one a line */
struct vm_verify {
	uint32_t phase, cursor, violations;
	uint64_t scratch[64];
};
int vm_verify(struct vm *vm, struct vm_verify *v, uint32_t budget, char *text,
	      uint32_t size);
/* cdef-end */

#endif
