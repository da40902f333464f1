/*
 * memfs.h - the face of the C core towards Python
 *
 * One header a concept, in the order in which they build on each other. What lies
 * between cdef marks is also the cffi declaration: plain C declarations only, no
 * preprocessor conditions. One thread owns a machine;
 * there is no lock. Nothing here sleeps, prints or calls back: a function that
 * cannot go on says why in its return code and is called again.
 *
 * Return codes of every stepping function:
 *   VM_DONE   finished; out parameters say what was done
 *   VM_MORE   the budget (pages) is used up, call again
 *   VM_NOMEM  no page above the minimum marks: reclaim, then call again
 *             (vm_need() says for which zonelist class and order)
 *   VM_WAIT   waits for I/O in flight: a locked page, a page under writeback
 *             or a full device queue; advance the clock, call again
 *   VM_READ   the page vm_need()->index of file vm_need()->mapping (or swap
 *             slot, mapping == VM_SWAP_MAPPING) must be read first
 *   < 0       -errno; nothing was changed by the part that failed
 */
#ifndef MEMFS_H
#define MEMFS_H

#include <stddef.h>
#include <stdint.h>

/* cdef-begin */
struct vm;
/* cdef-end */

#include "api/codes.h"
#include "api/page.h"
#include "api/zone.h"
#include "api/alloc.h"
#include "api/machine.h"
#include "api/reclaim.h"
#include "api/migrate.h"
#include "api/hugetlb.h"
#include "api/file.h"
#include "api/task.h"
#include "api/device.h"
#include "api/verify.h"

#endif
