/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Complete: deliver a lent buffer that the NIC filled (hot path). Between begin and end, which hold
 * the queue's lock for one burst; copy.h's deliveries may be mixed in, and order is kept.
 */
#ifndef IOVT_COMPLETE_H
#define IOVT_COMPLETE_H

#include "rxq.h"

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
iovt_rx_end(struct iovt_rxq *q)
{
	bool notify = iovt_split_publish(&q->vr);

	iovt_lock_release(&q->lock);
	return notify;
}

/* The header is built here, never read from guest memory. hdr_len is 10 or 12. */
IOVT_INLINE void
iovt_hdr_write(uint8_t *dst, const struct iovt_vnet_hdr *hdr, uint8_t hdr_len)
{
	if (iovt_likely(hdr_len == sizeof(*hdr)))
		__builtin_memcpy(dst, hdr, sizeof(*hdr));
	else
		__builtin_memcpy(dst, hdr, 10);
}

/**
 * Deliver lent buffer id, which holds a packet of len bytes at data.
 *
 * @param hdr virtio-net header with num_buffers 1.
 * @return false: the packet is not where the guest expects it, or longer than the buffer; nothing
 *   was done, the buffer is still lent (copy the packet, then reclaim).
 */
IOVT_INLINE bool
iovt_rx_complete(struct iovt_rxq *q, uint16_t id, const void *data, uint32_t len,
	const struct iovt_vnet_hdr *hdr)
{
	struct iovt_binding *b = &q->binding[id];
	uint8_t *va = b->va;

	if (iovt_unlikely((const uint8_t *)data != va + q->hdr_len || len > b->len - q->hdr_len))
		return false;
	iovt_binding_move(b, IOVT_LENT, IOVT_FREE);
	q->nr_lent--;
	iovt_hdr_write(va, hdr, q->hdr_len);
	iovt_split_put(&q->vr, id, q->hdr_len + len);
	q->stats.completed++;
	return true;
}

#endif
