/* SPDX-License-Identifier: BSD-3-Clause */
/* Harvest: the buffers that are not the common case. */
#include "harvest.h"

/* A reclaimed buffer is known, and its address for the device was found before. */
void
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
 * since a NIC must never be able to write outside a descriptor. What the switch may write before it is in the region.
 */
static bool
bindable(struct iovt_rxq *q, const struct iovt_segs *segs, struct iovt_buf *buf)
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
	if (iovt_unlikely(len < q->bind_min || q->bind_min > IOVT_LEND_LEN_MAX))
		return false;
	r = iovt_guest_mem_find(q->mem, gpa - q->front, (uint64_t)len + q->front);
	if (iovt_unlikely(r == NULL))
		return false;
	q->region = r;
	if (len > IOVT_LEND_LEN_MAX)
		len = IOVT_LEND_LEN_MAX;
	buf->va = r->va + (gpa - r->gpa);
	buf->len = len;
	return iovt_guest_mem_iova(r, buf->va, len, &buf->iova) == 0;
}

bool
iovt_lend_new(struct iovt_rxq *q, struct iovt_buf *buf)
{
	const enum iovt_ring_format f = q->vr.format;
	struct iovt_segs segs;
	struct iovt_binding *b;
	struct iovt_chain c;

	/* What harvest was told of may have been fewer chains. */
	if (iovt_vq_available(&q->vr, f, 1) <= 0)
		return false;
	segs.n = 0;
	if (iovt_unlikely(iovt_vq_take(&q->vr, f, IOVT_TO_GUEST, &segs, &c) < 0)) {
		iovt_rxq_break(q, "malformed descriptor chain");
		return false;
	}
	b = &q->binding[c.id];
	if (iovt_unlikely(b->state != IOVT_FREE)) {
		iovt_vq_untake(&q->vr, f, c.descs);
		iovt_rxq_break(q, "a buffer in use was made available again");
		return false;
	}
	buf->id = c.id;
	if (iovt_unlikely(!bindable(q, &segs, buf))) {
		/* Left for a copy, which takes buffers in order. */
		iovt_vq_untake(&q->vr, f, c.descs);
		q->head_unbindable = true;
		if (q->unbindable_at != q->nr_taken) {
			q->unbindable_at = q->nr_taken;
			q->stats.unbindable++;
		}
		return false;
	}
	b->va = buf->va;
	b->len = buf->len;
	iovt_rxq_note_taken(q, c, IOVT_LENT);
	return true;
}

/* The first ones were reclaimed before, and their ids are on that stack still; the others are the newest. */
void
iovt_unlend(struct iovt_rxq *q, unsigned int again, unsigned int fresh)
{
	for (; again > 0; again--)
		iovt_binding_move(&q->binding[q->reclaimed[q->nr_reclaimed++]], IOVT_LENT,
			IOVT_RECLAIMED);
	for (; fresh > 0; fresh--) {
		uint16_t id = q->taken[(q->nr_taken - fresh) & q->taken_mask];

		iovt_binding_move(&q->binding[id], IOVT_LENT, IOVT_RECLAIMED);
		q->reclaimed[q->nr_reclaimed++] = id;
	}
}
