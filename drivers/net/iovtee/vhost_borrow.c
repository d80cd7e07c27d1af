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
lay_over(struct rte_mbuf *m, const uint64_t rearm, const struct iovt_frame *f, uint32_t skip)
{
	const uint16_t data_off = (uint16_t)rearm;
	const uint32_t len = f->len - skip;

	m->buf_addr = (char *)(uintptr_t)f->data + skip - data_off;
	rte_mbuf_iova_set(m, f->iova + skip - data_off);
	m->buf_len = len + data_off;
	vhost_rx_describe(m, rearm, RTE_MBUF_F_EXTERNAL, len);
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
	lay_over(m, l->lp->rearm, f, 0);
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
	lay_over(rest, l->lp->rearm, f, LOAN_HEADERS);
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

/* The next one is worth a look at loans. */
static __rte_always_inline enum iovt_tx_fate
take_small(struct vhost_batch *b, size_t k, const struct iovt_frame *f,
	const struct iovt_vnet_hdr *hdr)
{
	if (unlikely(f->len >= WORTH_IT))
		return IOVT_TX_LEFT;
	return vhost_rx_take_copy(b, b->pkts[k], f, hdr) == 0 ? IOVT_TX_COPIED : IOVT_TX_DROPPED;
}

static __rte_always_inline enum iovt_tx_fate
copy_small(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	return take_small(ctx, k, f, NULL);
}

static __rte_always_inline enum iovt_tx_fate
copy_asking_small(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct vhost_batch *b = ctx;
	const struct iovt_vnet_hdr hdr = iovt_tx_header(b->q->txq, f);

	return take_small(b, k, f, &hdr);
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

/* What a batch is made of: constants. */
struct borrowing {
	bool whole;
	iovt_tx_frame_fn frame;
	iovt_tx_frame_fn
		small; /* for a run of packets that are not worth it; NULL: there are none */
};

/* Packets are not worth it, as all of the last batch: without a look at loans. How many were taken. */
static __rte_always_inline unsigned int
copy_run(struct vhost_rxq *q, const enum iovt_ring_format f, const iovt_tx_frame_fn small,
	struct rte_mbuf **pkts, unsigned int ready)
{
	int got = vhost_rx_copy_ready(q, f, ready, small, pkts);

	return likely(got > 0) ? got : 0;
}

/* Packets are borrowed or copied, as they come. How many were taken. */
static __rte_always_inline unsigned int
borrow_ready(struct vhost_rxq *q, const enum iovt_ring_format f, const struct borrowing how,
	struct rte_mbuf **pkts, unsigned int ready)
{
	struct iovt_txq *txq = q->txq;
	const unsigned int before = txq->nr_borrowed;
	unsigned int got;
	struct loans l;

	l.b = (struct vhost_batch){pkts, q, 0};
	l.txq = txq;
	l.lp = q->loans;
	l.left = ready;
	l.no_mbuf = l.copies = l.spares = 0;
	/* What was copied in the last batch will be in this: its mbufs are fetched while packets are. */
	if (q->copies)
		get_spares(&l, 0);
	got = iovt_tx_take(txq, f, ready, q->room,
		(struct iovt_tx_reads){how.whole ? 0 : WORTH_IT, how.whole ? 64 : LOAN_HEADERS},
		how.frame, copy_pieces, &l);
	q->copies = l.copies > 0;
	q->all_copied = l.copies > 0 && txq->nr_borrowed == before;
	if (l.copies < l.spares)
		rte_mempool_put_bulk(q->pool, (void *const *)&l.spare[l.copies],
			l.spares - l.copies);
	q->stats.no_mbuf += l.no_mbuf;
	q->stats.packets += got;
	q->stats.bytes += l.b.bytes;
	return got;
}

static __rte_always_inline uint16_t
borrow_batch(struct vhost_rxq *q, const enum iovt_ring_format f, const struct borrowing how,
	struct rte_mbuf **pkts, uint16_t n)
{
	struct iovt_txq *txq = q->txq;
	unsigned int got = 0, ready, out;
	bool notify;

	/* Before the guest has no descriptor left: what comes back now, it is shown with this batch. */
	if (unlikely(q->many_out))
		reap(q);
	iovt_lock_take(&txq->lock);
	ready = iovt_tx_ready(txq, f, n);
	if (unlikely(txq->error != NULL))
		vhost_rx_report_broken(q);
	if (how.small != NULL && q->all_copied && ready > 0) {
		got = copy_run(q, f, how.small, pkts, ready);
		ready = likely(got == ready) ? 0 : iovt_tx_ready(txq, f, n - got);
	}
	if (ready > 0)
		got += borrow_ready(q, f, how, pkts + got, ready);
	notify = iovt_tx_end(txq, f);
	out = txq->nr_borrowed;
	iovt_lock_release(&txq->lock);
	if (notify)
		vhost_notify(&q->call);
	q->many_out = out > txq->borrow_max / 2u;
	if (unlikely(got == 0) && out > 0)
		reap_idle(q);
	return got;
}

#define BORROW(name, format, ...)                                                                  \
	static uint16_t name(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)              \
	{                                                                                          \
		return borrow_batch(q, format, (struct borrowing){__VA_ARGS__}, pkts, n);          \
	}

BORROW(whole_split, IOVT_SPLIT, true, borrow_whole)
BORROW(whole_packed, IOVT_PACKED, true, borrow_whole)
BORROW(rest_split, IOVT_SPLIT, false, borrow_rest, copy_small)
BORROW(rest_packed, IOVT_PACKED, false, borrow_rest, copy_small)
BORROW(asking_whole_split, IOVT_SPLIT, true, borrow_asking_whole)
BORROW(asking_whole_packed, IOVT_PACKED, true, borrow_asking_whole)
BORROW(asking_rest_split, IOVT_SPLIT, false, borrow_asking_rest, copy_asking_small)
BORROW(asking_rest_packed, IOVT_PACKED, false, borrow_asking_rest, copy_asking_small)

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
