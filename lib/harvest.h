/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Harvest: lend the guest's empty receive buffers to the NIC (hot path).
 *
 * R. Kawashima, IEEE TNSM 18(1), 2021: the physical Rx queue's entries are the virtual Rx queue's.
 */
#ifndef IOVT_HARVEST_H
#define IOVT_HARVEST_H

#include "rxq.h"

/* A lent buffer: len bytes at va (iova for the device), beginning with the virtio-net header. */
struct iovt_buf {
	uint8_t *va;
	uint64_t iova;
	uint32_t len;
	uint16_t id; /* to be given to complete or reclaim */
};

/* What becomes of the k-th buffer of a harvest. Inlined, so that no list of buffers is in between. */
typedef void (*iovt_lend_fn)(void *ctx, unsigned int k, const struct iovt_buf *buf);

/* A reclaimed buffer is known, and its address for the device was found before. */
IOVT_INLINE void
iovt_lend_again(struct iovt_rxq *q, struct iovt_buf *buf)
{
	uint16_t id = q->reclaimed[--q->nr_reclaimed];
	struct iovt_binding *b = &q->binding[id];

	iovt_binding_move(b, IOVT_RECLAIMED, IOVT_LENT);
	buf->va = b->va;
	buf->len = b->len;
	buf->id = id;
	iovt_guest_mem_iova(iovt_guest_mem_find_va(q->mem, b->va), b->va, b->len, &buf->iova);
}

/*
 * May a NIC fill this chain? One descriptor, or a header descriptor and one that follows it in
 * memory; in one region, contiguous for the device, and large enough for whatever the NIC writes,
 * since a NIC must never be able to write outside a descriptor.
 */
IOVT_INLINE bool
iovt_bindable(struct iovt_rxq *q, const struct iovt_segs *segs, struct iovt_buf *buf)
{
	const struct iovt_mem_region *r;
	uint64_t gpa = segs->seg[0].gpa;
	uint32_t len = segs->seg[0].len;

	if (iovt_unlikely(segs->n != 1)) {
		if (segs->n != 2 || len != q->hdr_len || gpa + len != segs->seg[1].gpa ||
			segs->seg[1].len > UINT32_MAX - len)
			return false;
		len += segs->seg[1].len;
	}
	if (iovt_unlikely(len < q->bind_min))
		return false;
	r = iovt_guest_mem_find(q->mem, gpa, len);
	if (iovt_unlikely(r == NULL))
		return false;
	q->region = r;
	buf->va = r->va + (gpa - r->gpa);
	buf->len = len;
	return iovt_guest_mem_iova(r, buf->va, len, &buf->iova) == 0;
}

/* Take one chain from the ring and bind it. false: nothing taken, look no further. */
IOVT_INLINE bool
iovt_lend_new(struct iovt_rxq *q, struct iovt_buf *buf)
{
	struct iovt_segs segs;
	struct iovt_binding *b;
	uint16_t slot = q->vr.last_avail & (q->vr.size - 1);

	segs.n = 0;
	if (iovt_unlikely(iovt_split_take(&q->vr, &segs, &buf->id) < 0)) {
		iovt_rxq_break(q, "malformed descriptor chain");
		return false;
	}
	b = &q->binding[buf->id];
	if (iovt_unlikely(b->state != IOVT_FREE)) {
		iovt_split_untake(&q->vr, 1);
		iovt_rxq_break(q, "a buffer in use was made available again");
		return false;
	}
	if (iovt_unlikely(!iovt_bindable(q, &segs, buf))) {
		/* Left for a copy, which takes buffers in order. */
		iovt_split_untake(&q->vr, 1);
		q->head_unbindable = true;
		if (q->unbindable_at != q->vr.last_avail) {
			q->unbindable_at = q->vr.last_avail;
			q->stats.unbindable++;
		}
		return false;
	}
	b->va = buf->va;
	b->len = buf->len;
	iovt_binding_move(b, IOVT_FREE, IOVT_LENT);
	q->taken[slot] = buf->id;
	return true;
}

/*
 * The common case, up to n times: a single writable descriptor in the region where the last one was. What
 * is not like that is left to iovt_lend_new(). Everything that does not change is held in registers.
 */
IOVT_INLINE unsigned int
iovt_lend_simple(struct iovt_rxq *q, unsigned int done, unsigned int n, iovt_lend_fn lend,
	void *ctx)
{
	const struct iovt_vring_split vr = q->vr;
	const struct iovt_mem_region r = *q->region;
	struct iovt_binding *const binding = q->binding;
	uint16_t *const taken = q->taken;
	const uint32_t bind_min = q->bind_min;
	unsigned int k;

	if (iovt_unlikely(r.iova_pages != NULL))
		return 0;
	for (k = 0; k < n; k++) {
		struct iovt_split_simple s;
		struct iovt_binding *b;
		struct iovt_buf buf;
		uint64_t off;

		if (iovt_unlikely(!iovt_split_peek_simple(&vr, k, &s)))
			break;
		off = s.gpa - r.gpa;
		b = &binding[s.id];
		if (iovt_unlikely(off >= r.size || s.len > r.size - off || s.len < bind_min ||
			    b->state != IOVT_FREE))
			break;
		buf = (struct iovt_buf){r.va + off, r.iova + off, s.len, s.id};
		b->va = buf.va;
		b->len = buf.len;
		iovt_binding_move(b, IOVT_FREE, IOVT_LENT);
		taken[s.slot] = s.id;
		lend(ctx, done + k, &buf);
	}
	iovt_split_consume(&q->vr, k);
	return k;
}

/*
 * Fewer than the caller can use: as if never lent. The first ones were reclaimed before, and their ids are
 * on that stack still; the others are the newest that were taken.
 */
IOVT_INLINE void
iovt_unlend(struct iovt_rxq *q, unsigned int again, unsigned int fresh)
{
	for (; again > 0; again--)
		iovt_binding_move(&q->binding[q->reclaimed[q->nr_reclaimed++]], IOVT_LENT,
			IOVT_RECLAIMED);
	for (; fresh > 0; fresh--) {
		uint16_t id = q->taken[(q->vr.last_avail - fresh) & (q->vr.size - 1)];

		iovt_binding_move(&q->binding[id], IOVT_LENT, IOVT_RECLAIMED);
		q->reclaimed[q->nr_reclaimed++] = id;
	}
}

/**
 * Lend up to n buffers, or none if fewer than min can be lent. Any lcore; not blocking but for
 * another lcore's burst on the same queue.
 *
 * @param lend called with ctx for each buffer, under the queue's lock; what it was told is void if none
 *   are lent in the end.
 * @return buffers lent.
 */
IOVT_INLINE unsigned int
iovt_harvest(struct iovt_rxq *q, unsigned int n, unsigned int min, iovt_lend_fn lend, void *ctx)
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
	ready = iovt_split_available(&q->vr, n);
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
	for (; k < n && q->nr_reclaimed > 0; k++) {
		iovt_lend_again(q, &buf);
		lend(ctx, k, &buf);
	}
	again = k;
	k += iovt_lend_simple(q, k, n - k, lend, ctx);
	for (; iovt_unlikely(k < n) && iovt_lend_new(q, &buf); k++)
		lend(ctx, k, &buf);
	q->stats.harvested += k - again;
	if (iovt_unlikely(k < min)) {
		iovt_unlend(q, again, k - again);
		k = 0;
	}
	q->nr_lent += k;
	iovt_split_prefetch(&q->vr, k);
out:
	iovt_lock_release(&q->lock);
	return k;
}

#endif
