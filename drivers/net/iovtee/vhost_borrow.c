/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost port's hot path, from a guest whose packets are not copied: they are sent out of its memory,
 * and it gets each back when the last who reads it frees the mbuf.
 *
 * The headers are copied nevertheless, if not the whole packet may be lent: what the switch looks at, and
 * changes, is not the guest's then. A packet too small to gain by that is copied whole, and so is one that asks for
 * something, where headers are not copied: that is done by changing them.
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
	vhost_rx_claim_buffers(l->spare, l->spares);
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
copy(struct loans *l, size_t k, const struct iovt_frame *f, const struct iovt_vnet_hdr *hdr)
{
	if (unlikely(!has_spare(l, k)))
		return IOVT_TX_LEFT;
	l->b.pkts[k] = l->spare[l->copies];
	if (unlikely(vhost_rx_take_copy(&l->b, l->b.pkts[k], f, hdr) < 0))
		return IOVT_TX_DROPPED;
	l->copies++;
	return IOVT_TX_COPIED;
}

static int
copy_pieces(void *ctx, size_t k, const struct iovt_pieces *packet)
{
	struct loans *l = ctx;
	int ret;

	if (!has_spare(l, k))
		return -ENOMEM;
	l->b.pkts[k] = l->spare[l->copies];
	ret = vhost_rx_take_pieces(&l->b, l->b.pkts[k], packet);
	l->copies += ret == 0;
	return ret;
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
take_whole(struct loans *l, size_t k, const struct iovt_frame *f, bool may_borrow, const bool asks)
{
	struct iovt_vnet_hdr hdr;
	struct rte_mbuf *m;

	if (asks) {
		hdr = iovt_tx_header(l->txq, f);
		may_borrow = may_borrow && request_is_none(&hdr);
	}
	if (unlikely(!may_borrow))
		return copy(l, k, f, asks ? &hdr : NULL);
	m = loan_mbuf(l->lp, f->id);
	lay_over(m, l, f, 0);
	l->b.pkts[k] = m;
	l->b.bytes += f->len;
	return IOVT_TX_BORROWED;
}

static __rte_always_inline enum iovt_tx_fate
borrow_whole(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	return take_whole(ctx, k, f, may_borrow, false);
}

static __rte_always_inline enum iovt_tx_fate
borrow_asking_whole(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	return take_whole(ctx, k, f, may_borrow, true);
}

/* It is not lent after all. */
static __rte_noinline enum iovt_tx_fate
drop(struct loan_pool *lp, struct rte_mbuf *head, uint16_t id)
{
	head->next = NULL;
	head->nb_segs = 1;
	lp->headers_out[id] = 0;
	return IOVT_TX_DROPPED;
}

static __rte_always_inline enum iovt_tx_fate
take_rest(struct loans *l, size_t k, const struct iovt_frame *f, bool may_borrow, const bool asks)
{
	struct rte_mbuf *head, *rest;
	struct iovt_vnet_hdr hdr;
	bool none = true;

	if (asks) {
		hdr = iovt_tx_header(l->txq, f);
		none = request_is_none(&hdr);
		may_borrow = may_borrow && (none || request_within(&hdr, LOAN_HEADERS));
	}
	if (!may_borrow || unlikely(loan_headers_out(l->lp, f->id)))
		return copy(l, k, f, asks ? &hdr : NULL);
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
	if (!none && vhost_rx_request(&l->b, head, &hdr) < 0)
		return drop(l->lp, head, f->id);
	return IOVT_TX_BORROWED;
}

static __rte_always_inline enum iovt_tx_fate
borrow_rest(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	return take_rest(ctx, k, f, may_borrow, false);
}

static __rte_always_inline enum iovt_tx_fate
borrow_asking_rest(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	return take_rest(ctx, k, f, may_borrow, true);
}

static __rte_noinline void
reap(const struct vhost_rxq *q)
{
	if (q->port->uplink != NULL)
		uplink_reap(q->port->uplink);
}

/* Nothing came, but packets are out: their NIC may wait for more before it lets go of them. */
static inline void
reap_idle(struct vhost_rxq *q)
{
	if (++q->idle_polls % IDLE_POLLS == 0)
		reap(q);
}

static __rte_always_inline uint16_t
borrow_batch(struct vhost_rxq *q, const enum iovt_ring_format f, const bool whole,
	const iovt_tx_frame_fn frame, struct rte_mbuf **pkts, uint16_t n)
{
	struct iovt_txq *txq = q->txq;
	unsigned int got = 0, out;
	struct loans l;
	bool notify;

	l.b = (struct vhost_batch){pkts, q, 0};
	l.txq = txq;
	l.lp = q->loans;
	l.no_mbuf = l.copies = l.spares = 0;
	/* Before the guest has no descriptor left: what comes back now, it is shown with this batch. */
	if (unlikely(q->many_out))
		reap(q);
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
			frame, copy_pieces, &l);
	notify = iovt_tx_end(txq, f);
	out = txq->nr_borrowed;
	iovt_lock_release(&txq->lock);
	if (notify)
		vhost_notify(&q->call);
	q->copies = l.copies > 0;
	q->many_out = out > txq->borrow_max / 2u;
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

#define BORROW(name, format, whole, frame)                                                         \
	static uint16_t name(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)              \
	{                                                                                          \
		return borrow_batch(q, format, whole, frame, pkts, n);                             \
	}

BORROW(whole_split, IOVT_SPLIT, true, borrow_whole)
BORROW(whole_packed, IOVT_PACKED, true, borrow_whole)
BORROW(rest_split, IOVT_SPLIT, false, borrow_rest)
BORROW(rest_packed, IOVT_PACKED, false, borrow_rest)
BORROW(asking_whole_split, IOVT_SPLIT, true, borrow_asking_whole)
BORROW(asking_whole_packed, IOVT_PACKED, true, borrow_asking_whole)
BORROW(asking_rest_split, IOVT_SPLIT, false, borrow_asking_rest)
BORROW(asking_rest_packed, IOVT_PACKED, false, borrow_asking_rest)

vhost_receive_fn
vhost_borrow_for(const struct vhost_rxq *q)
{
	static const vhost_receive_fn fn[2][2][2] = {
		{{whole_split, whole_packed}, {rest_split, rest_packed}},
		{{asking_whole_split, asking_whole_packed},
			{asking_rest_split, asking_rest_packed}},
	};

	return fn[q->asks][q->loans->headers][q->txq->vr.format == IOVT_PACKED];
}
