/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rxq.h"
#include "virtqueue.h"

static bool
conf_valid(const struct iovt_rxq_conf *c)
{
	return c->lend_max <= c->ring.size &&
		(c->hdr_len == 12 || (c->hdr_len == 10 && !c->mergeable));
}

/* Whole cache lines, zeroed. */
static void *
zalloc_lines(size_t bytes)
{
	size_t lines = (bytes + 63) & ~(size_t)63;
	void *p = aligned_alloc(64, lines);

	return p != NULL ? memset(p, 0, lines) : NULL;
}

static void
rxq_free(struct iovt_rxq *q)
{
	void (*release)(void *ctx) = q->release;
	void *ctx = q->ctx;

	iovt_guest_mem_unref(q->mem);
	free(q->own_record);
	free(q->reclaimed);
	free(q->taken);
	free(q);
	if (release != NULL)
		release(ctx);
}

size_t
iovt_rxq_record_bytes(uint16_t size)
{
	return iovt_inflight_bytes(sizeof(struct iovt_binding), size);
}

int
iovt_rxq_create(const struct iovt_rxq_conf *conf, struct iovt_rxq **out)
{
	struct iovt_vring_conf ring = conf->ring;
	struct iovt_inflight *record;
	uint32_t taken = 1;
	struct iovt_vring vr;
	struct iovt_rxq *q;
	int resumed;

	if (iovt_vq_init(&vr, &ring) < 0 || !conf_valid(conf))
		return -EINVAL;
	while (taken < ring.size)
		taken *= 2;
	q = zalloc_lines(sizeof(*q));
	if (q == NULL)
		return -ENOMEM;
	*q = (struct iovt_rxq){
		.state = IOVT_RXQ_RUNNING,
		.hdr_len = conf->hdr_len,
		.mergeable = conf->mergeable,
		.lend_max = conf->lend_max,
		.unbindable_at = -1,
		.front = conf->front,
		.bind_min = conf->hdr_len + conf->nic_max,
		.taken_mask = taken - 1,
		.reclaimed = zalloc_lines(ring.size * sizeof(*q->reclaimed)),
		.taken = zalloc_lines(taken * sizeof(*q->taken)),
		.mem = ring.mem,
		.log = conf->log,
		.region = &ring.mem->region[0],
		.release = conf->release,
		.ctx = conf->ctx,
	};
	if (q->reclaimed == NULL || q->taken == NULL)
		goto fail;
	record = iovt_inflight_open(&conf->inflight, sizeof(*q->binding), &ring, &q->log, &resumed);
	if (record == NULL)
		goto fail;
	iovt_vq_init(&q->vr, &ring);
	q->vr.progress = &record->progress;
	q->binding = iovt_inflight_entries(record);
	q->own_record = conf->inflight.record == NULL ? record : NULL;
	q->resumed = resumed >= 0;
	q->stats.resumed = q->resumed ? resumed : 0;
	iovt_guest_mem_ref(q->mem);
	iovt_vq_no_kicks(&q->vr);
	iovt_dirty_mark_wish(&q->log, &q->vr);
	*out = q;
	return 0;

fail:
	free(q->reclaimed);
	free(q->taken);
	free(q);
	return -ENOMEM;
}

void
iovt_rxq_close(struct iovt_rxq *q)
{
	iovt_lock_take(&q->lock);
	if (q->state == IOVT_RXQ_RUNNING)
		q->state = IOVT_RXQ_CLOSED;
	iovt_lock_release(&q->lock);
}

/* The newest avail entries, as long as each is a reclaimed buffer: as if never taken. */
static void
rewind_newest(struct iovt_rxq *q)
{
	while (q->nr_reclaimed > 0) {
		uint16_t id = q->taken[(q->nr_taken - 1) & q->taken_mask];

		if (q->binding[id].state != IOVT_RECLAIMED)
			return;
		iovt_binding_move(&q->binding[id], IOVT_RECLAIMED, IOVT_FREE);
		iovt_vq_untake(&q->vr, q->vr.format, q->binding[id].descs);
		q->nr_taken--;
		q->nr_reclaimed--;
		q->stats.rewound++;
	}
}

/* Does the guest want to be notified? */
static bool
flush_rest(struct iovt_rxq *q)
{
	for (uint32_t id = 0; id < q->vr.size; id++) {
		struct iovt_binding *b = &q->binding[id];

		if (b->state != IOVT_RECLAIMED && b->state != IOVT_LENT)
			continue;
		iovt_vq_put(&q->vr, q->vr.format, iovt_rxq_chain(q, id), 0);
		iovt_vq_commit(&q->vr, q->vr.format);
		if (b->state == IOVT_RECLAIMED) {
			iovt_binding_move(b, IOVT_RECLAIMED, IOVT_FREE);
			q->nr_reclaimed--;
			q->stats.flushed++;
		} else {
			iovt_rxq_mark_dirty(q, id);
			iovt_binding_move(b, IOVT_LENT, IOVT_LATE);
		}
	}
	return iovt_dirty_publish(&q->log, &q->vr);
}

unsigned int
iovt_rxq_give_back(struct iovt_rxq *q, struct iovt_vring_end *end)
{
	unsigned int lent;

	iovt_lock_take(&q->lock);
	end->notify = false;
	if (q->state == IOVT_RXQ_CLOSED) { /* a broken ring is not touched */
		rewind_newest(q);
		end->notify = flush_rest(q);
	}
	q->stats.abandoned += q->nr_reclaimed;
	q->nr_reclaimed = 0;
	iovt_vq_bases(&q->vr, &end->last_avail, &end->last_used);
	lent = q->nr_lent;
	q->stats.late += lent;
	q->log.mark = NULL; /* it may be gone when the last buffer comes */
	iovt_lock_release(&q->lock);
	return lent;
}

void
iovt_rxq_put(struct iovt_rxq *q)
{
	bool last;

	iovt_lock_take(&q->lock);
	q->put = true;
	last = q->nr_lent == 0;
	iovt_lock_release(&q->lock);
	if (last)
		rxq_free(q);
}

struct iovt_rxq_view
iovt_rxq_look(struct iovt_rxq *q)
{
	struct iovt_rxq_view view;

	iovt_lock_take(&q->lock);
	view = (struct iovt_rxq_view){
		.state = q->state,
		.lent = q->nr_lent,
		.reclaimed = q->nr_reclaimed,
		.unbindable = q->head_unbindable,
		.stats = q->stats,
	};
	iovt_lock_release(&q->lock);
	return view;
}

unsigned int
iovt_rxq_available(struct iovt_rxq *q)
{
	int ready = -1;

	iovt_lock_take(&q->lock);
	if (q->state == IOVT_RXQ_RUNNING)
		ready = iovt_vq_available(&q->vr, q->vr.format, q->vr.size);
	ready = ready < 0 ? 0 : ready + q->nr_reclaimed;
	iovt_lock_release(&q->lock);
	return ready;
}

void
iovt_rxq_reclaim(struct iovt_rxq *q, const uint16_t *ids, unsigned int n)
{
	bool last;

	if (n == 0)
		return;
	iovt_lock_take(&q->lock);
	for (unsigned int i = 0; i < n; i++) {
		struct iovt_binding *b = &q->binding[ids[i]];

		if (iovt_unlikely(b->state == IOVT_LATE)) {
			iovt_binding_move(b, IOVT_LATE, IOVT_FREE);
			continue;
		}
		iovt_rxq_mark_dirty(q, ids[i]);
		iovt_binding_move(b, IOVT_LENT, IOVT_RECLAIMED);
		q->reclaimed[q->nr_reclaimed++] = ids[i];
	}
	q->nr_lent -= n;
	q->stats.reclaimed += n;
	last = q->put && q->nr_lent == 0;
	iovt_lock_release(&q->lock);
	if (last)
		rxq_free(q);
}

void
iovt_rxq_mark_dirty(struct iovt_rxq *q, uint16_t id)
{
	const struct iovt_binding *b = &q->binding[id];

	iovt_dirty_mark(&q->log, q->mem, b->va, b->len < q->bind_min ? b->len : q->bind_min);
}

void
iovt_rxq_break(struct iovt_rxq *q, const char *why)
{
	if (q->state != IOVT_RXQ_RUNNING)
		return;
	q->state = IOVT_RXQ_BROKEN;
	q->error = why;
	q->stats.ring_errors++;
}
