/* SPDX-License-Identifier: BSD-3-Clause */
/* Transmit: the packets that are not the common case. */
#include <errno.h>
#include <string.h>

#include "transmit.h"

/* A segment may cross regions that adjoin; for a packet in fewer segments there is room for that. */
#define PIECES_MAX IOVT_SEGS_MAX

/* Where a packet lies in this process, without its virtio-net header. */
struct layout {
	unsigned int nr;
	uint8_t hdr_len;
	uint8_t hdr_left; /* bytes of the header that are still to come */
	uint8_t hdr[sizeof(struct iovt_vnet_hdr)];
	struct iovt_piece piece[PIECES_MAX];
};

/* One segment of a chain. -EPROTO: outside the guest's memory. */
static int
add_segment(struct iovt_txq *q, struct layout *l, uint64_t gpa, uint32_t left)
{
	if (left - 1 > UINT64_MAX - gpa)
		return -EPROTO;
	while (left > 0) {
		const struct iovt_mem_region *r = iovt_guest_mem_find(q->mem, gpa, 1);
		uint64_t off = r != NULL ? gpa - r->gpa : 0;
		uint32_t n = left, hdr;

		if (r == NULL)
			return -EPROTO;
		if (n > r->size - off)
			n = r->size - off;
		q->region = r;
		hdr = l->hdr_left < n ? l->hdr_left : n;
		memcpy(l->hdr + l->hdr_len - l->hdr_left, r->va + off, hdr);
		l->hdr_left -= hdr;
		if (hdr < n) {
			if (l->nr == PIECES_MAX)
				return -EMSGSIZE;
			l->piece[l->nr++] = (struct iovt_piece){r->va + off + hdr, n - hdr};
		}
		gpa += n;
		left -= n;
	}
	return 0;
}

/* -EMSGSIZE: nothing that a network could carry. */
static int
lay_out(struct iovt_txq *q, const struct iovt_segs *segs, int64_t len, struct layout *l)
{
	int ret = 0;

	l->nr = 0;
	l->hdr_len = l->hdr_left = q->hdr_len;
	if (len > (int64_t)q->hdr_len + IOVT_TX_LEN_MAX || segs->n == IOVT_SEGS_MAX)
		return -EMSGSIZE;
	for (uint32_t i = 0; i < segs->n && ret == 0; i++)
		ret = add_segment(q, l, segs->seg[i].gpa, segs->seg[i].len);
	return ret;
}

int
iovt_tx_take_chain(struct iovt_txq *q, iovt_tx_pieces_fn pieces, void *ctx, size_t k)
{
	const enum iovt_ring_format f = q->vr.format;
	struct iovt_segs segs;
	struct iovt_chain c;
	struct layout l;
	struct iovt_pieces packet;
	int64_t len;
	int ret, taken = 0;

	segs.n = 0;
	len = iovt_vq_take(&q->vr, f, IOVT_FROM_GUEST, &segs, &c);
	if (len == -EAGAIN)
		return len;
	if (len < 0) {
		iovt_txq_break(q, "malformed descriptor chain");
		return -EPROTO;
	}
	ret = lay_out(q, &segs, len, &l);
	if (ret == -EPROTO) {
		iovt_vq_untake(&q->vr, f, c.descs);
		iovt_txq_break(q, "a packet lies outside the guest's memory");
		return ret;
	}
	if (len < (int64_t)q->hdr_len + IOVT_TX_LEN_MIN) {
		q->stats.too_short++;
	} else if (ret == -EMSGSIZE) {
		q->stats.too_big++;
	} else {
		packet = (struct iovt_pieces){l.piece, l.nr, len - q->hdr_len,
			iovt_vnet_hdr_read(l.hdr)};
		ret = pieces(ctx, k, &packet);
		if (ret == -ENOMEM) {
			iovt_vq_untake(&q->vr, f, c.descs);
			return ret;
		}
		taken = ret == 0;
		q->stats.chained += taken;
	}
	iovt_tx_put_copied(q, &q->vr, f, c, true);
	return taken;
}
