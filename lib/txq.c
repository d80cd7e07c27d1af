/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "txq.h"
#include "virtqueue.h"

size_t
iovt_txq_record_bytes(uint16_t size)
{
	return iovt_inflight_bytes(sizeof(struct iovt_loan), size);
}

int
iovt_txq_create(const struct iovt_txq_conf *conf, struct iovt_txq **out)
{
	struct iovt_vring_conf ring = conf->ring;
	struct iovt_inflight *record;
	struct iovt_vring vr;
	struct iovt_txq *q;
	int resumed;

	if (iovt_vq_init(&vr, &ring) < 0 || (conf->hdr_len != 10 && conf->hdr_len != 12) ||
		conf->borrow_max > vr.size)
		return -EINVAL;
	q = malloc(sizeof(*q));
	if (q == NULL)
		return -ENOMEM;
	record = iovt_inflight_open(&conf->inflight, sizeof(*q->loan), &ring, &conf->log, &resumed);
	if (record == NULL) {
		free(q);
		return -ENOMEM;
	}
	iovt_vq_init(&vr, &ring);
	vr.progress = &record->progress;
	*q = (struct iovt_txq){
		.vr = vr,
		.mem = conf->ring.mem,
		.region = &conf->ring.mem->region[0],
		.hdr_len = conf->hdr_len,
		.log = conf->log,
		.borrow_max = conf->borrow_max,
		.front = conf->front,
		.loan = iovt_inflight_entries(record),
		.own_record = conf->inflight.record == NULL ? record : NULL,
		.resumed = resumed >= 0,
		.stats.resumed = resumed >= 0 ? resumed : 0,
		.release = conf->release,
		.ctx = conf->ctx,
	};
	iovt_guest_mem_ref(q->mem);
	iovt_vq_no_kicks(&q->vr);
	iovt_dirty_mark_wish(&q->log, &q->vr);
	*out = q;
	return 0;
}

static void
txq_free(struct iovt_txq *q)
{
	void (*release)(void *ctx) = q->release;
	void *ctx = q->ctx;

	iovt_guest_mem_unref(q->mem);
	free(q->own_record);
	free(q);
	if (release != NULL)
		release(ctx);
}

/* The guest gets all that is out; a broken ring is left alone. Does it want to be notified? */
static bool
give_back(struct iovt_txq *q)
{
	for (uint32_t id = 0; id < q->vr.size; id++) {
		struct iovt_loan *loan = &q->loan[id];

		if (loan->state != IOVT_LOAN_BORROWED)
			continue;
		if (q->error == NULL) {
			iovt_vq_put(&q->vr, q->vr.format, (struct iovt_chain){id, loan->descs}, 0);
			iovt_vq_commit(&q->vr, q->vr.format);
		}
		IOVT_WRITE_ONCE(loan->state, IOVT_LOAN_LATE);
	}
	return q->error == NULL && iovt_dirty_publish(&q->log, &q->vr);
}

unsigned int
iovt_txq_destroy(struct iovt_txq *q, struct iovt_vring_end *end, struct iovt_txq_stats *stats)
{
	unsigned int out;

	iovt_lock_take(&q->lock);
	end->notify = give_back(q);
	iovt_vq_bases(&q->vr, &end->last_avail, &end->last_used);
	out = q->nr_borrowed;
	q->stats.overdue = out;
	*stats = q->stats;
	q->destroyed = true;
	iovt_lock_release(&q->lock);
	if (out == 0)
		txq_free(q);
	return out;
}

unsigned int
iovt_txq_out(struct iovt_txq *q)
{
	unsigned int out;

	iovt_lock_take(&q->lock);
	out = q->nr_borrowed;
	iovt_lock_release(&q->lock);
	return out;
}

IOVT_INLINE void
return_all(struct iovt_txq *q, const enum iovt_ring_format f, const uint16_t *ids, unsigned int n)
{
	struct iovt_vring vr = iovt_vq_copy(&q->vr, f);
	struct iovt_loan *const loans = q->loan;
	const bool intact = q->error == NULL;

	for (unsigned int i = 0; i < n; i++) {
		struct iovt_loan *loan = &loans[ids[i]];

		if (iovt_likely(loan->state == IOVT_LOAN_BORROWED && intact)) {
			iovt_vq_put(&vr, f, (struct iovt_chain){ids[i], loan->descs}, 0);
			iovt_vq_commit(&vr, f);
		}
		IOVT_WRITE_ONCE(loan->state, IOVT_LOAN_FREE);
	}
	iovt_vq_keep_used(&q->vr, f, &vr);
}

/* The guest sees them with the poller's next burst. */
void
iovt_txq_return(struct iovt_txq *q, const uint16_t *ids, unsigned int n)
{
	bool last;

	iovt_lock_take(&q->lock);
	if (q->vr.format == IOVT_SPLIT)
		return_all(q, IOVT_SPLIT, ids, n);
	else
		return_all(q, IOVT_PACKED, ids, n);
	q->nr_borrowed -= n;
	q->stats.returned += n;
	last = q->destroyed && q->nr_borrowed == 0;
	iovt_lock_release(&q->lock);
	if (iovt_unlikely(last))
		txq_free(q);
}

void
iovt_txq_break(struct iovt_txq *q, const char *why)
{
	if (q->error != NULL)
		return;
	q->error = why;
	q->stats.ring_errors++;
}
