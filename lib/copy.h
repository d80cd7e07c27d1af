/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copy: deliver a packet that lies elsewhere, with the CPU in the NIC's place (hot path).
 *
 * Takes buffers from the ring in order, or reclaimed ones when the ring is empty. A packet larger
 * than one buffer takes several if the guest negotiated MRG_RXBUF (virtio 1.2, 5.1.6.4).
 */
#ifndef IOVT_COPY_H
#define IOVT_COPY_H

#include "complete.h"

/**
 * Deliver a packet of len bytes, made of nr pieces, by copying. Between begin and end.
 *
 * @param hdr virtio-net header with num_buffers 1; the right number is filled in.
 * @return 0; -ENOBUFS: the guest has too few buffers now; -EMSGSIZE: it cannot take a packet of
 *   this size; -EPROTO: the ring is broken. Nothing is delivered on an error.
 */
int iovt_rx_copy_pieces(struct iovt_rxq *q, const struct iovt_piece *pieces, unsigned int nr,
	uint32_t len, const struct iovt_vnet_hdr *hdr);

/**
 * The same, with the common case inline: one large enough buffer. Not for a queue with a dirty log.
 *
 * @param f the ring's format, a constant.
 */
IOVT_INLINE int
iovt_rx_copy_packet(struct iovt_rxq *q, const enum iovt_ring_format f,
	const struct iovt_piece *pieces, unsigned int nr, uint32_t len,
	const struct iovt_vnet_hdr *hdr)
{
	struct iovt_segs segs;
	struct iovt_chain c;
	int64_t capacity;
	uint8_t *va, *to;

	if (iovt_unlikely(q->state != IOVT_RXQ_RUNNING || iovt_vq_available(&q->vr, f, 1) <= 0))
		goto general;
	segs.n = 0;
	capacity = iovt_vq_take(&q->vr, f, IOVT_TO_GUEST, &segs, &c);
	if (iovt_unlikely(capacity < 0))
		goto general;
	va = iovt_guest_mem_va(q->mem, segs.seg[0].gpa, segs.seg[0].len);
	if (iovt_unlikely(capacity < (int64_t)q->hdr_len + len || segs.n != 1 || va == NULL ||
		    q->binding[c.id].state != IOVT_FREE)) {
		iovt_vq_untake(&q->vr, f, c.descs);
		goto general;
	}
	iovt_rxq_note_taken(q, c, IOVT_RECLAIMED);
	iovt_hdr_write(va, hdr, q->hdr_len);
	to = va + q->hdr_len;
	for (unsigned int i = 0; i < nr; to += pieces[i++].len)
		__builtin_memcpy(to, pieces[i].data, pieces[i].len);
	iovt_vq_put(&q->vr, f, c, q->hdr_len + len);
	iovt_vq_commit(&q->vr, f);
	iovt_binding_move(&q->binding[c.id], IOVT_RECLAIMED, IOVT_FREE);
	q->stats.copied_bufs++;
	return 0;
general:
	return iovt_rx_copy_pieces(q, pieces, nr, len, hdr);
}

/** The same for a packet in one piece. */
IOVT_INLINE int
iovt_rx_copy(struct iovt_rxq *q, const enum iovt_ring_format f, const void *data, uint32_t len,
	const struct iovt_vnet_hdr *hdr)
{
	const struct iovt_piece piece = {data, len};

	return iovt_rx_copy_packet(q, f, &piece, 1, len, hdr);
}

#endif
