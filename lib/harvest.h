/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Harvest: lend the guest's empty receive buffers to the NIC (hot path).
 *
 * R. Kawashima, IEEE TNSM 18(1), 2021: the physical Rx queue's entries are the virtual Rx queue's.
 */
#ifndef IOVT_HARVEST_H
#define IOVT_HARVEST_H

#include "rxq.h"
#include "virtqueue.h"

/* No more than this of a buffer is lent: with a headroom in front of it, its length fits in 16 bits. */
#define IOVT_LEND_LEN_MAX 0xfc00u

/* A lent buffer: len bytes at va (iova for the device), beginning with the virtio-net header. */
struct iovt_buf {
	uint8_t *va;
	uint64_t iova;
	uint32_t len;
	uint16_t id; /* to be given to complete or reclaim */
};

/* What becomes of the k-th buffer of a harvest. Inlined, so that no list of buffers is in between. */
typedef void (*iovt_lend_fn)(void *ctx, size_t k, const struct iovt_buf *buf);

/* harvest.c: what is not the common case. All under the queue's lock. */

/** Lend a reclaimed buffer; there must be one. */
void iovt_lend_again(struct iovt_rxq *q, struct iovt_buf *buf);

/** Take one chain, of any layout, from the ring and bind it. false: nothing taken, look no further. */
bool iovt_lend_new(struct iovt_rxq *q, struct iovt_buf *buf);

/** Fewer than the caller can use: as if never lent. */
void iovt_unlend(struct iovt_rxq *q, unsigned int again, unsigned int fresh);

/*
 * The common case, up to n times: a single writable descriptor in the region where the last one was, and not
 * at its very end. What is not like that is left to iovt_lend_new(). Everything that does not change is
 * held in registers.
 */
IOVT_INLINE size_t
iovt_lend_simple(struct iovt_rxq *q, const enum iovt_ring_format f, size_t first, size_t n,
	iovt_lend_fn lend, void *ctx)
{
	const struct iovt_mem_region *r = q->region;
	const struct iovt_vring vr = iovt_vq_copy(&q->vr, f);
	const struct iovt_desc_range range = iovt_vq_range(&vr, f, IOVT_TO_GUEST, q->bind_min,
		IOVT_LEND_LEN_MAX);
	/* From the first byte on that a buffer may begin with. */
	const uint64_t gpa = r->gpa + q->front, iova = r->iova + q->front;
	const uint64_t room = r->size - IOVT_LEND_LEN_MAX - q->front;
	uint8_t *const va = r->va + q->front;
	struct iovt_binding *const binding = q->binding;
	uint16_t *const taken = q->taken;
	const size_t nr_taken = q->nr_taken, mask = q->taken_mask;
	size_t k;

	if (iovt_unlikely(r->iova_pages != NULL || r->size < IOVT_LEND_LEN_MAX + q->front ||
		    q->bind_min > IOVT_LEND_LEN_MAX))
		return 0;
	for (k = 0; k < n; k++) {
		struct iovt_simple s;
		struct iovt_binding *b;
		uint64_t off;

		if (iovt_unlikely(!iovt_vq_read_simple(&vr, f, k, range, &s)))
			break;
		b = &binding[s.id];
		off = s.gpa - gpa;
		if (iovt_unlikely(off > room || b->state != IOVT_FREE))
			break;
		b->va = va + off;
		b->len = s.len;
		if (f == IOVT_PACKED)
			b->descs = 1;
		iovt_binding_move(b, IOVT_FREE, IOVT_LENT);
		taken[(nr_taken + k) & mask] = s.id;
		lend(ctx, first + k, &(struct iovt_buf){va + off, iova + off, s.len, s.id});
	}
	iovt_vq_consume(&q->vr, f, k);
	q->nr_taken += k;
	return k;
}

/**
 * Lend up to n buffers, or none if fewer than min can be lent. Any lcore; not blocking but for
 * another lcore's burst on the same queue.
 *
 * @param f the ring's format, a constant.
 * @param lend called with ctx for each buffer, under the queue's lock; what it was told is void if none
 *   are lent in the end.
 * @return buffers lent.
 */
IOVT_INLINE unsigned int
iovt_harvest(struct iovt_rxq *q, const enum iovt_ring_format f, unsigned int n, unsigned int min,
	iovt_lend_fn lend, void *ctx)
{
	unsigned int room, again, k = 0;
	struct iovt_buf buf;
	int ready;

	iovt_lock_take(&q->lock);
	if (iovt_unlikely(q->state != IOVT_RXQ_RUNNING))
		goto out;
	room = q->lend_max - q->nr_lent;
	if (n > room)
		n = room;
	ready = iovt_vq_available(&q->vr, f, n);
	if (iovt_unlikely(ready < 0)) {
		iovt_rxq_break(q, "avail index jumped");
		goto out;
	}
	ready += q->nr_reclaimed;
	if (iovt_unlikely(ready < (int)n)) {
		q->stats.starved++;
		n = ready;
	}
	q->head_unbindable = false;
	if (iovt_unlikely(n < min))
		goto out;
	iovt_vq_fetch(&q->vr, f, n);
	iovt_vq_prefetch(&q->vr, f, n);
	for (; k < n && q->nr_reclaimed > 0; k++) {
		iovt_lend_again(q, &buf);
		lend(ctx, k, &buf);
	}
	again = k;
	k += iovt_lend_simple(q, f, k, n - k, lend, ctx);
	for (; iovt_unlikely(k < n) && iovt_lend_new(q, &buf); k++)
		lend(ctx, k, &buf);
	q->stats.harvested += k - again;
	if (iovt_unlikely(k < min)) {
		iovt_unlend(q, again, k - again);
		k = 0;
	}
	q->nr_lent += k;
	iovt_vq_fetch(&q->vr, f, n);
out:
	iovt_lock_release(&q->lock);
	return k;
}

#endif
