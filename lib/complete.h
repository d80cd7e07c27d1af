/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Complete: deliver a lent buffer that the NIC filled (hot path). Between begin and end, which hold
 * the queue's lock for one burst; copy.h's deliveries may be mixed in, and order is kept. f is the ring's
 * format, a constant.
 */
#ifndef IOVT_COMPLETE_H
#define IOVT_COMPLETE_H

#include "rxq.h"
#include "virtqueue.h"

/** Start a burst. false: the queue is closed or broken, do not go on. */
IOVT_INLINE bool
iovt_rx_begin(struct iovt_rxq *q)
{
	iovt_lock_take(&q->lock);
	if (iovt_likely(q->state == IOVT_RXQ_RUNNING))
		return true;
	iovt_lock_release(&q->lock);
	return false;
}

/** End a burst: publish it. true: the guest asked to be notified. */
IOVT_INLINE bool
iovt_rx_end(struct iovt_rxq *q, const enum iovt_ring_format f)
{
	bool notify = iovt_vq_publish(&q->vr, f);

	iovt_lock_release(&q->lock);
	return notify;
}

/** The same for a queue with a dirty log. */
IOVT_INLINE bool
iovt_rx_end_logged(struct iovt_rxq *q)
{
	bool notify = iovt_dirty_publish(&q->log, &q->vr);

	iovt_lock_release(&q->lock);
	return notify;
}

/*
 * The header is built here, never from guest memory. hdr_len is 10 or 12. Drivers use buffers over and
 * over, and a header that is there already is not written again: the line then stays in both caches
 * instead of moving to ours and back. A guest that writes meanwhile spoils nobody's header but its own.
 */
IOVT_INLINE void
iovt_hdr_write(uint8_t *dst, const struct iovt_vnet_hdr *hdr, uint8_t hdr_len)
{
	struct {
		uint64_t first;
		uint32_t rest;
	} want, have;

	_Static_assert(sizeof(*hdr) == 12, "a header is these two words");
	if (iovt_unlikely(hdr_len != sizeof(*hdr))) {
		__builtin_memcpy(dst, hdr, 10);
		return;
	}
	__builtin_memcpy(&want.first, hdr, 8);
	__builtin_memcpy(&want.rest, (const uint8_t *)hdr + 8, 4);
	__builtin_memcpy(&have.first, dst, 8);
	__builtin_memcpy(&have.rest, dst + 8, 4);
	if (iovt_unlikely(((want.first ^ have.first) | (want.rest ^ have.rest)) != 0))
		__builtin_memcpy(dst, hdr, sizeof(*hdr));
}

/*
 * A run of deliveries in place, between begin and end, with nothing else in it: what does not change is
 * held in registers, what does is stored once, by stop.
 */
struct iovt_run {
	struct iovt_binding *binding;
	struct iovt_vring vr;
	uint8_t hdr_len;
	uint16_t n;
};

IOVT_INLINE struct iovt_run
iovt_run_start(const struct iovt_rxq *q)
{
	return (struct iovt_run){.binding = q->binding, .vr = q->vr, .hdr_len = q->hdr_len};
}

/**
 * Deliver lent buffer id, which holds a packet of len bytes at data.
 *
 * @param hdr virtio-net header with num_buffers 1.
 * @return false: the packet is not where the guest expects it, or longer than the buffer; nothing
 *   was done, the buffer is still lent (copy the packet, then reclaim).
 */
IOVT_INLINE bool
iovt_run_complete(struct iovt_run *run, const enum iovt_ring_format f, uint16_t id,
	const void *data, uint32_t len, const struct iovt_vnet_hdr *hdr)
{
	struct iovt_binding *b = &run->binding[id];
	uint8_t *va = b->va;

	if (iovt_unlikely(
		    (const uint8_t *)data != va + run->hdr_len || len > b->len - run->hdr_len))
		return false;
	iovt_hdr_write(va, hdr, run->hdr_len);
	iovt_vq_put(&run->vr, f, (struct iovt_chain){id, b->descs}, run->hdr_len + len);
	iovt_vq_commit(&run->vr, f);
	iovt_binding_move(b, IOVT_LENT, IOVT_FREE);
	run->n++;
	return true;
}

IOVT_INLINE void
iovt_run_stop(struct iovt_rxq *q, const enum iovt_ring_format f, const struct iovt_run *run)
{
	iovt_vq_keep_used(&q->vr, f, &run->vr);
	q->nr_lent -= run->n;
	q->stats.completed += run->n;
}

/** Deliver one lent buffer: a run of one. */
IOVT_INLINE bool
iovt_rx_complete(struct iovt_rxq *q, const enum iovt_ring_format f, uint16_t id, const void *data,
	uint32_t len, const struct iovt_vnet_hdr *hdr)
{
	struct iovt_run run = iovt_run_start(q);
	bool done = iovt_run_complete(&run, f, id, data, len, hdr);

	iovt_run_stop(q, f, &run);
	return done;
}

#endif
