/* SPDX-License-Identifier: BSD-3-Clause */
/* Delivery of packets with offload requests, beside the hot path: in place, by copying, or cut into segments. */
#include <errno.h>

#include <linux/virtio_net.h>

#include "copy.h"
#include "offload.h"
#include "vhost.h"

/* Pieces of one packet: its new headers, and as many segments as any port of ours makes. */
#define PIECES 64

/* The len bytes of a packet from off on, as pieces. Returns how many, -EMSGSIZE if they are more than max. */
static int
slice(const struct rte_mbuf *m, uint32_t off, uint32_t len, struct iovt_piece *piece, int max)
{
	int n = 0;

	for (; len > 0; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		if (n == max)
			return -EMSGSIZE;
		piece[n].data = rte_pktmbuf_mtod_offset(m, const void *, off);
		piece[n].len = RTE_MIN(len, m->data_len - off);
		len -= piece[n++].len;
		off = 0;
	}
	return n;
}

static void
count(struct vhost_tx_stats *s, const struct offload *o)
{
	if (o->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		s->csum_by_guest++;
	if (o->in_software)
		s->csum_in_software++;
	if (o->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		s->gso_packets++;
	s->bytes += o->head_len - o->from;
}

static int
copy_out(struct vhost_txq *q, const struct rte_mbuf *m, const struct offload *o, uint32_t off,
	uint32_t len)
{
	struct iovt_piece piece[PIECES] = {{o->head, o->head_len}};
	int n = slice(m, o->from + off, len, piece + 1, PIECES - 1), ret;

	if (n < 0)
		return n;
	ret = iovt_rx_copy_pieces(q->rxq, piece, n + 1, o->head_len + len, &o->hdr);
	if (ret == 0)
		count(&q->stats, o);
	return ret;
}

/* As several packets. What does not fit after the first of them is lost: the packet cannot be sent twice. */
static int
copy_cut(struct vhost_txq *q, const struct rte_mbuf *m, struct offload *o)
{
	uint32_t off = 0, len;

	do {
		int ret;

		len = RTE_MIN(o->payload - off, o->cut);
		offload_build(o, m, off, len);
		ret = copy_out(q, m, o, off, len);
		if (ret < 0 && off == 0)
			return ret;
		if (ret < 0)
			break;
		off += len;
	} while (off < o->payload);
	q->stats.segmented_packets++;
	q->stats.dropped_segments += (o->payload - off + o->cut - 1) / o->cut;
	return 0;
}

/*
 * The packet lies in a buffer of this queue, and nobody else holds it. Nothing is shown to the guest before the
 * burst ends.
 */
static bool
complete_in_place(struct vhost_txq *q, struct rte_mbuf *m, const struct offload *o)
{
	struct tee_rec *rec = tee_rec(q->tee, m);
	void *data = rte_pktmbuf_mtod(m, void *);

	if (o->from != o->head_len || o->cut > 0 ||
		!iovt_rx_complete(q->rxq, q->rxq->vr.format, rec->id, data, m->data_len, &o->hdr))
		return false;
	memcpy(data, o->head, o->head_len);
	if (q->rxq->log.mark != NULL)
		iovt_rxq_mark_dirty(q->rxq, rec->id);
	rec->rxq = NULL; /* the mbuf is free of it */
	count(&q->stats, o);
	return true;
}

/* As it will be sent: what is cut here, in its longest piece. */
static bool
within_mtu(const struct vhost_txq *q, const struct offload *o)
{
	uint32_t payload = o->cut > 0 ? o->cut : o->payload;

	return o->gso_type != VIRTIO_NET_HDR_GSO_NONE ||
		vhost_within_mtu(q, o->head_len + payload, o->head);
}

int
vhost_offload_deliver(struct vhost_txq *q, struct rte_mbuf *m, bool own, uint64_t *copy_reason)
{
	struct offload o;
	int ret;

	if (offload_open(&o, m, &q->takes) < 0) {
		q->stats.dropped_offload++;
		return 0;
	}
	if (!within_mtu(q, &o)) {
		/* Atomic: vhost_limit.c counts without the queue's lock. */
		__atomic_fetch_add(&q->stats.dropped_mtu, 1, __ATOMIC_RELAXED);
		return 0;
	}
	if (o.cut > 0) {
		ret = copy_cut(q, m, &o);
	} else {
		offload_build(&o, m, 0, o.payload);
		if (own && complete_in_place(q, m, &o)) {
			copy_reason = &q->stats.zero_copy_packets;
			ret = 0;
		} else {
			ret = copy_out(q, m, &o, 0, o.payload);
		}
	}
	return vhost_account(q, m, ret, copy_reason);
}
