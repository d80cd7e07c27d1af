/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost port's hot path, from a guest whose packets are not copied: they are sent out of its memory,
 * and it gets each back when the last who reads it frees the mbuf.
 *
 * The headers are copied nevertheless, if not the whole packet may be lent: what the switch looks at, and
 * changes, is not the guest's then. A packet too small to gain by that is copied whole.
 */
#include "uplink.h"
#include "vhost_rx.h"

/* The least packet whose payload is worth a second mbuf: measured, docs/performance.md. */
#define WORTH_IT 640u

/* So many polls that find nothing, and NICs are asked for what they have sent. */
#define IDLE_POLLS 64

/* A batch, and mbufs of the application's pool for those of its packets that are copied. */
struct loans {
	struct vhost_batch b;
	const struct iovt_txq *txq;
	struct loan_pool *lp;
	unsigned int left;           /* packets that come, at most */
	unsigned int no_mbuf;        /* packets left in the ring for want of mbufs */
	unsigned int copies, spares; /* so many of them are used, of so many */
	struct rte_mbuf *spare[IOVT_TX_BATCH];
};

/* For all packets from the k-th on. */
static __rte_noinline bool
get_spares(struct loans *l, size_t k)
{
	if (rte_mempool_get_bulk(l->b.q->pool, (void **)l->spare, l->left - k) < 0)
		return false;
	l->copies = 0;
	l->spares = l->left - k;
	vhost_rx_fetch_buffers(l->spare, l->spares);
	return true;
}

/* There is one for the k-th packet, or that and what is behind it is left in the ring. */
static inline bool
has_spare(struct loans *l, size_t k)
{
	if (likely(l->copies < l->spares) || get_spares(l, k))
		return true;
	l->no_mbuf = l->left - k;
	return false;
}

static __rte_always_inline enum iovt_tx_fate
copy(struct loans *l, size_t k, const struct iovt_frame *f)
{
	if (unlikely(!has_spare(l, k)))
		return IOVT_TX_LEFT;
	l->b.pkts[k] = l->spare[l->copies++];
	vhost_rx_copy(&l->b, l->b.pkts[k], f);
	return IOVT_TX_COPIED;
}

static int
copy_pieces(void *ctx, size_t k, const struct iovt_piece *piece, unsigned int nr, uint32_t len)
{
	struct loans *l = ctx;

	if (!has_spare(l, k))
		return -ENOMEM;
	l->b.pkts[k] = l->spare[l->copies];
	if (vhost_rx_copy_pieces(&l->b, l->b.pkts[k], piece, nr, len) < 0)
		return -ENOMEM;
	l->copies++;
	return 0;
}

/* An mbuf whose data is skip bytes into the packet, and has room bytes before it. */
static __rte_always_inline void
lay_over(struct rte_mbuf *m, const struct loans *l, const struct iovt_frame *f, uint32_t skip)
{
	const uint16_t data_off = (uint16_t)l->lp->rearm;

	m->buf_addr = (char *)(uintptr_t)f->data + skip - data_off;
	rte_mbuf_iova_set(m, f->iova + skip - data_off);
	m->buf_len = f->len - skip + data_off;
	vhost_rx_describe(m, l->lp->rearm, RTE_MBUF_F_EXTERNAL, f->len - skip);
}

static __rte_always_inline enum iovt_tx_fate
borrow_whole(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct loans *l = ctx;
	struct rte_mbuf *m;

	if (unlikely(!may_borrow))
		return copy(l, k, f);
	m = loan_mbuf(l->lp, f->id);
	lay_over(m, l, f, 0);
	l->b.pkts[k] = m;
	l->b.bytes += f->len;
	return IOVT_TX_BORROWED;
}

static __rte_always_inline enum iovt_tx_fate
borrow_rest(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct loans *l = ctx;
	struct rte_mbuf *head, *rest;

	if (!may_borrow || unlikely(loan_headers_out(l->lp, f->id)))
		return copy(l, k, f);
	head = loan_mbuf(l->lp, 2 * f->id);
	rest = loan_mbuf(l->lp, 2 * f->id + 1);
	l->lp->headers_out[f->id] = 1;
	vhost_rx_describe(head, l->b.q->rearm, 0, LOAN_HEADERS);
	rte_memcpy(rte_pktmbuf_mtod(head, void *), f->data, LOAN_HEADERS);
	lay_over(rest, l, f, LOAN_HEADERS);
	head->next = rest;
	head->nb_segs = 2;
	head->pkt_len = f->len;
	l->b.pkts[k] = head;
	l->b.bytes += f->len;
	return IOVT_TX_BORROWED;
}

/* Nothing came, but packets are out: their NIC may wait for more before it lets go of them. */
static __rte_noinline void
reap_idle(struct vhost_rxq *q)
{
	if (++q->idle_polls % IDLE_POLLS == 0 && q->port->uplink != NULL)
		uplink_reap(q->port->uplink);
}

static __rte_always_inline uint16_t
borrow_batch(struct vhost_rxq *q, const enum iovt_ring_format f, const bool whole,
	struct rte_mbuf **pkts, uint16_t n)
{
	struct iovt_txq *txq = q->txq;
	unsigned int got = 0, out;
	struct loans l;
	bool notify;

	l.b = (struct vhost_batch){pkts, q, 0};
	l.txq = txq;
	l.lp = q->loans;
	l.no_mbuf = l.copies = l.spares = 0;
	iovt_lock_take(&txq->lock);
	l.left = iovt_tx_ready(txq, f, n);
	if (unlikely(txq->error != NULL))
		vhost_rx_report_broken(q);
	/* What was copied in the last batch will be in this: its mbufs are fetched while packets are. */
	if (q->copies && l.left > 0)
		get_spares(&l, 0);
	if (l.left > 0)
		got = iovt_tx_take(txq, f, l.left, q->room,
			(struct iovt_tx_reads){whole ? 0 : WORTH_IT, whole ? 64 : LOAN_HEADERS},
			whole ? borrow_whole : borrow_rest, copy_pieces, &l);
	notify = iovt_tx_end(txq, f);
	out = txq->nr_borrowed;
	iovt_lock_release(&txq->lock);
	if (notify)
		vhost_notify(&q->call);
	q->copies = l.copies > 0;
	if (l.copies < l.spares)
		rte_mempool_put_bulk(q->pool, (void *const *)&l.spare[l.copies],
			l.spares - l.copies);
	if (unlikely(got == 0) && out > 0)
		reap_idle(q);
	q->stats.no_mbuf += l.no_mbuf;
	q->stats.packets += got;
	q->stats.bytes += l.b.bytes;
	return got;
}

static uint16_t
borrow_whole_split(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return borrow_batch(q, IOVT_SPLIT, true, pkts, n);
}

static uint16_t
borrow_whole_packed(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return borrow_batch(q, IOVT_PACKED, true, pkts, n);
}

static uint16_t
borrow_rest_split(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return borrow_batch(q, IOVT_SPLIT, false, pkts, n);
}

static uint16_t
borrow_rest_packed(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return borrow_batch(q, IOVT_PACKED, false, pkts, n);
}

vhost_receive_fn
vhost_borrow_for(const struct iovt_txq *txq, const struct loan_pool *lp)
{
	if (txq->vr.format == IOVT_SPLIT)
		return lp->headers ? borrow_rest_split : borrow_whole_split;
	return lp->headers ? borrow_rest_packed : borrow_whole_packed;
}
