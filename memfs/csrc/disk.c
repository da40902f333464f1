/*
 * disk.c - the two devices, and the clock that their transfers move
 *
 * A device takes requests in order. A request that has not begun grows at
 * its end by what is adjacent, up to merge_pages. Transfers follow each other at the device's
 * bandwidth, each is complete latency_ns after its last byte. Requests begin
 * when the clock is looked at, so what is submitted in one instant merges, as
 * behind a plugged queue. What a transfer does with its pages is in pageio.c.
 *
 * Models: drivers/block/ll_rw_blk.c get_request(), queue congestion, 2.6.0.
 */
#include <errno.h>

#include "queue.h"

#define NSEC 1000000000ull

/* ---- requests ---- */

static u32 req_alloc(struct vm *vm)
{
	u32 r = vm->free_req;

	if (r != NONE)
		vm->free_req = vm->reqs[r].next;
	else
		r = vm->nr_reqs++;
	return r;
}

static void req_free(struct vm *vm, u32 r)
{
	vm->reqs[r].next = vm->free_req;
	vm->free_req = r;
}

static void fifo_push(struct vm *vm, struct fifo *f, u32 r)
{
	vm->reqs[r].next = NONE;
	if (f->tail == NONE)
		f->head = r;
	else
		vm->reqs[f->tail].next = r;
	f->tail = r;
}

static u32 fifo_pop(struct vm *vm, struct fifo *f)
{
	u32 r = f->head;

	f->head = vm->reqs[r].next;
	if (f->head == NONE)
		f->tail = NONE;
	return r;
}

/* ---- merging ---- */

/*
 * Requests that have not begun are found by where they end; of two with one
 * place in the table the later has it. The one that was made or grew last, which
 * most pages are added to, stands beside the table.
 */
static u32 *hash_end(struct dev *d, bool write, u32 mapping, u32 end)
{
	u64 h = vm_mix((u64)mapping << 32 | end);

	return &d->hash[write][h & (REQ_HASH - 1)];
}

static u32 *hash_place(struct dev *d, const struct req *rq)
{
	return hash_end(d, rq->write, rq->mapping, rq->index + rq->nr);
}

static void set_last(struct vm *vm, struct dev *d, bool write, u32 r)
{
	const u32 before = d->last[write];

	if (before)
		*hash_place(d, &vm->reqs[before - 1]) = before;
	d->last[write] = r + 1;
}

/* A request begins: nothing is added to it any more. */
static void merge_end(struct dev *d, const struct req *rq, u32 r)
{
	u32 *place;

	if (d->last[rq->write] == r + 1) {
		d->last[rq->write] = 0;
		return;
	}
	place = hash_place(d, rq);
	if (*place == r + 1)
		*place = 0;
}

static inline bool merge(struct vm *vm, struct dev *d, bool write, u32 mapping,
			 u32 index, u32 pfn)
{
	u32 r = d->last[write];
	u32 *place;

	if (!r || !req_may_grow(d, &vm->reqs[r - 1], mapping, index)) {
		place = hash_end(d, write, mapping, index);
		r = *place;
		if (!r || !req_may_grow(d, &vm->reqs[r - 1], mapping, index))
			return false;
		*place = 0;
		set_last(vm, d, write, r - 1);
	}
	req_grow(d, &vm->reqs[r - 1], pfn);
	return true;
}

/* ---- queue limits ---- */

static void queue_grown(struct dev *d, bool write)
{
	d->count[write]++;
	if (d->count[write] >= d->conf.requests)
		d->full[write] = 1;
	if (write && d->count[1] * 128 >= d->conf.requests * 113)
		d->congested = 1;
}

/* Sleepers are let in again when a quarter of the queue is free. */
static void queue_shrunk(struct dev *d, bool write)
{
	d->count[write]--;
	if (d->count[write] * 4 <= d->conf.requests * 3)
		d->full[write] = 0;
	if (d->count[1] * 128 < d->conf.requests * 103)
		d->congested = 0;
}

bool vm_dev_room(struct vm *vm, u32 dev, bool write)
{
	return !vm->dev[dev].full[write];
}

/* A request at the end of the queue; the caller fills in what it is for. */
static struct req *queue_request(struct vm *vm, u32 dev, bool write, u32 nr)
{
	struct dev *d = &vm->dev[dev];
	u32 r = req_alloc(vm);
	struct req *rq = &vm->reqs[r];

	rq->dev = dev;
	rq->write = write;
	rq->nr = nr;
	rq->error = 0;
	fifo_push(vm, &d->queued, r);
	queue_grown(d, write);
	d->submitted++;
	return rq;
}

int vm_submit(struct vm *vm, u32 dev, bool write, u32 mapping, u32 index, u32 pfn)
{
	struct dev *d = &vm->dev[dev];
	struct req *rq;

	if (merge(vm, d, write, mapping, index, pfn))
		return VM_DONE;
	if (d->full[write]) {
		vm->need.dev = dev;
		return VM_WAIT;
	}
	rq = queue_request(vm, dev, write, 1);
	rq->mapping = mapping;
	rq->index = index;
	rq->pfn[0] = pfn;
	set_last(vm, d, write, (u32)(rq - vm->reqs));
	return VM_DONE;
}

/*
 * vm_dev_transfer - a request past the page cache, as O_DIRECT makes them
 * @nr:     pages, 1..32
 * @ticket: vm_dev_ended() is at least this when the request has ended
 *
 * The caller moves the bytes; this is the time it takes. Return: VM_DONE,
 * VM_WAIT (queue full), -EINVAL, or the errno that vm_dev_fault() has set.
 */
int vm_dev_transfer(struct vm *vm, uint32_t dev, uint32_t write, uint32_t nr,
		    uint64_t *ticket)
{
	struct dev *d;
	struct req *rq;

	if (dev >= VM_NR_DEVS || write > 1 || !nr || nr > REQ_PAGES)
		return -EINVAL;
	d = &vm->dev[dev];
	if (d->fault[write])
		return -(int)d->fault[write];
	if (d->full[write]) {
		vm->need.dev = dev;
		return VM_WAIT;
	}
	rq = queue_request(vm, dev, write, nr);
	rq->mapping = NO_MAPPING;
	rq->index = 0;
	*ticket = d->submitted;
	return VM_DONE;
}

uint64_t vm_dev_ended(struct vm *vm, uint32_t dev)
{
	return dev < VM_NR_DEVS ? vm->dev[dev].ended : 0;
}

/* ---- completion ---- */

static void complete(struct vm *vm, u32 r)
{
	struct req *rq = &vm->reqs[r];
	struct dev *d = &vm->dev[rq->dev];

	d->stat.errors += rq->error != 0;
	d->ended++;
	queue_shrunk(d, rq->write);
	if (rq->mapping != NO_MAPPING)
		vm_transfer_end(vm, rq);
	vm->completions++;
	req_free(vm, r);
}

/* ---- the clock ---- */

static void account(struct vm *vm, struct dev *d, const struct req *rq)
{
	bool swap = rq->mapping == VM_SWAP_MAPPING;

	if (rq->write) {
		d->stat.writes++;
		d->stat.write_pages += rq->nr;
		vm->event[EV_PGPGOUT] += 4ull * rq->nr;
		vm->event[EV_PSWPOUT] += swap ? rq->nr : 0;
	} else {
		d->stat.reads++;
		d->stat.read_pages += rq->nr;
		vm->event[EV_PGPGIN] += 4ull * rq->nr;
		vm->event[EV_PSWPIN] += swap ? rq->nr : 0;
	}
}

static u64 start_time(const struct vm *vm, const struct dev *d)
{
	if (d->queued.head == NONE)
		return UINT64_MAX;
	return max_t(u64, d->busy_until, vm->now);
}

static void begin(struct vm *vm, struct dev *d)
{
	u64 at = start_time(vm, d);
	u32 r = fifo_pop(vm, &d->queued);
	struct req *rq = &vm->reqs[r];

	merge_end(d, rq, r);
	rq->error = vm_transfer_bytes(vm, rq);
	account(vm, d, rq);
	d->busy_until = at + (u64)rq->nr * PAGE_SIZE * NSEC / d->conf.bandwidth;
	rq->due = d->busy_until + d->conf.latency_ns;
	fifo_push(vm, &d->started, r);
}

static u64 due_time(const struct vm *vm, const struct dev *d)
{
	return d->started.head == NONE ? UINT64_MAX : vm->reqs[d->started.head].due;
}

uint64_t vm_now(struct vm *vm)
{
	return vm->now;
}

/* What happens next: a device begins a request, or has done one. */
struct event {
	u64 at; /* UINT64_MAX: nothing will */
	struct dev *dev;
	bool ends;
};

static inline void sooner(struct event *e, u64 at, struct dev *d, bool ends)
{
	if (at < e->at)
		*e = (struct event){ at, d, ends };
}

/* Of two events of one instant the completion is first, then device 0. */
static inline struct event next_event(struct vm *vm)
{
	struct event e = { UINT64_MAX, NULL, false };
	u32 i;

	for (i = 0; i < VM_NR_DEVS; i++)
		sooner(&e, due_time(vm, &vm->dev[i]), &vm->dev[i], true);
	for (i = 0; i < VM_NR_DEVS; i++)
		sooner(&e, start_time(vm, &vm->dev[i]), &vm->dev[i], false);
	return e;
}

uint64_t vm_next_event(struct vm *vm)
{
	return next_event(vm).at;
}

static inline void do_event(struct vm *vm, const struct event *e)
{
	vm->now = max_t(u64, vm->now, e->at);
	if (e->ends)
		complete(vm, fifo_pop(vm, &e->dev->started));
	else
		begin(vm, e->dev);
}

/* Do what falls due; the clock stays where the last of it was. */
void vm_drain_devices(struct vm *vm, uint64_t to)
{
	struct event e;

	for (e = next_event(vm); e.dev && e.at <= to; e = next_event(vm))
		do_event(vm, &e);
	vm_frames_settle(vm);
}

/* Move the clock, doing what falls due; returns completions since boot. */
uint64_t vm_advance(struct vm *vm, uint64_t to)
{
	vm_drain_devices(vm, to);
	vm->now = max_t(u64, vm->now, to);
	return vm->completions;
}

void vm_set_horizon(struct vm *vm, uint64_t ns)
{
	vm->horizon = ns;
}

uint64_t vm_completions(struct vm *vm)
{
	return vm->completions;
}

int vm_wait_room(struct vm *vm, u32 dev, bool write)
{
	while (vm->dev[dev].full[write]) {
		const struct event e = next_event(vm);

		if (!e.dev || e.at > vm->horizon) {
			vm->need.dev = dev;
			return VM_WAIT;
		}
		do_event(vm, &e);
	}
	return VM_DONE;
}

/* ---- settings ---- */

int vm_dev_config(struct vm *vm, uint32_t dev, const struct vm_dev_conf *conf)
{
	if (dev >= VM_NR_DEVS || !conf->bandwidth || !conf->requests ||
	    conf->requests > 2048 || !conf->merge_pages ||
	    conf->merge_pages > REQ_PAGES)
		return -EINVAL;
	vm->dev[dev].conf = *conf;
	return 0;
}

void vm_dev_stat(struct vm *vm, uint32_t dev, struct vm_dev_stat *out)
{
	*out = vm->dev[dev].stat;
	out->in_flight = vm->dev[dev].count[0] + vm->dev[dev].count[1];
	out->congested = vm->dev[dev].congested;
}

void vm_dev_fault(struct vm *vm, uint32_t dev, uint32_t write, uint32_t err)
{
	if (dev < VM_NR_DEVS)
		vm->dev[dev].fault[write != 0] = err;
}
