/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost port's hot path, towards the guest. */
#include <rte_prefetch.h>

#include <linux/virtio_net.h>

#include "copy.h"
#include "log.h"
#include "offload.h"
#include "vhost.h"

/* Packets handled at a time: bounds the arrays on the stack. */
#define BATCH 64

/* Pieces of one packet that is copied: as many segments as any port of ours makes. */
#define PIECES 64

static const struct iovt_vnet_hdr hdr_plain = {.num_buffers = 1};
static const struct iovt_vnet_hdr hdr_checked = {
	.flags = VIRTIO_NET_HDR_F_DATA_VALID,
	.num_buffers = 1,
};

/* What a queue's send function is made for: a constant in the hot path. */
struct mode {
	enum iovt_ring_format format;
	bool csum; /* the guest takes DATA_VALID */
	bool log;  /* what is written is marked dirty */
};

/* From the NIC's findings, never from guest memory (virtio 1.2, 5.1.6.4). */
static __rte_always_inline const struct iovt_vnet_hdr *
hdr_for(const struct rte_mbuf *m, const bool csum)
{
	if (!csum)
		return &hdr_plain;
	return (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD
		? &hdr_checked
		: &hdr_plain;
}

/* 0: nobody else holds this packet, and it is whole. Only then may the guest have it in place. */
static inline uint64_t
shared_or_split(const struct rte_mbuf *m, const struct tee_rec *rec)
{
	return (rte_mbuf_refcnt_read(m) ^ 1) | (m->nb_segs ^ 1) |
		(rte_mbuf_ext_refcnt_read(&rec->shinfo) ^ 1);
}

/*
 * Deliver packets where the NIC wrote them, one used-ring entry each, up to the first that cannot be.
 * Returns how many; their mbufs are free again.
 */
static __rte_always_inline uint16_t
deliver_in_place(struct vhost_txq *q, const struct mode mode, struct rte_mbuf **pkts, uint16_t n)
{
	const struct rte_mempool *tee_mp = q->tee_mp;
	const struct tee_pool *tee = q->tee;
	struct iovt_rxq *rxq = q->rxq;
	struct iovt_run run = iovt_run_start(rxq);
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct tee_rec *rec = tee_rec(tee, m);

		if (unlikely(m->pool != tee_mp || rec->rxq != rxq ||
			    (shared_or_split(m, rec) | (m->ol_flags & OFFLOAD_ANY)) != 0))
			break;
		if (unlikely(!iovt_run_complete(&run, mode.format, rec->id,
			    rte_pktmbuf_mtod(m, void *), m->data_len, hdr_for(m, mode.csum))))
			break;
		if (mode.log)
			iovt_rxq_mark_dirty(rxq, rec->id);
		bytes += m->data_len;
	}
	iovt_run_stop(rxq, mode.format, &run);
	q->stats.packets += i;
	q->stats.zero_copy_packets += i;
	q->stats.bytes += bytes;
	if (i > 0)
		tee_pool_put_delivered(q->tee, pkts, i);
	return i;
}

/* The counter of the reason why a packet could not be delivered in place. */
static uint64_t *
copy_reason(struct vhost_txq *q, const struct rte_mbuf *m)
{
	const struct rte_mbuf *root = tee_root(m);
	const struct tee_rec *rec;

	if (m->nb_segs != 1)
		return &q->stats.copied_segments;
	if (root == NULL)
		return &q->stats.copied_unbound;
	rec = tee_rec(root->pool->pool_data, root);
	if (root != m || rte_mbuf_refcnt_read(m) != 1 ||
		rte_mbuf_ext_refcnt_read(&rec->shinfo) != 1)
		return &q->stats.copied_shared;
	if (rec->rxq != q->rxq)
		return &q->stats.copied_foreign;
	return m->ol_flags & OFFLOAD_ANY ? &q->stats.copied_offload : &q->stats.copied_moved;
}

/* Does a packet lie in a buffer of this queue, and may be delivered there? */
static bool
is_own(const struct vhost_txq *q, const struct rte_mbuf *m)
{
	const struct tee_rec *rec;

	if (m->pool != q->tee_mp)
		return false;
	rec = tee_rec(q->tee, m);
	return rec->rxq == q->rxq && shared_or_split(m, rec) == 0;
}

/* Data in the memory of a guest that is not trusted may go to that guest only. */
static bool
may_deliver(const struct vhost_txq *q, const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		const struct rte_mbuf *root = tee_root(m);
		bool ok = root == NULL || ((struct tee_pool *)root->pool->pool_data)->trust;

		for (uint16_t i = 0; !ok && i < q->port->conf.queues; i++)
			ok = q->port->txq[i].tee_mp == root->pool;
		if (!ok)
			return false;
	}
	return true;
}

/* Not inlined, for the sake of the registers of what is around it. */
static __rte_noinline int
copy_segments(struct iovt_rxq *rxq, const struct rte_mbuf *m, const struct iovt_vnet_hdr *hdr)
{
	struct iovt_piece piece[PIECES];
	unsigned int n = 0;
	uint32_t len = 0;

	for (; m != NULL; m = m->next) {
		if (n == PIECES)
			return -EMSGSIZE;
		piece[n].data = rte_pktmbuf_mtod(m, const void *);
		piece[n++].len = m->data_len;
		len += m->data_len;
	}
	if (unlikely(rxq->log.mark != NULL))
		return iovt_rx_copy_pieces(rxq, piece, n, len, hdr);
	return rxq->vr.format == IOVT_SPLIT
		? iovt_rx_copy_packet(rxq, IOVT_SPLIT, piece, n, len, hdr)
		: iovt_rx_copy_packet(rxq, IOVT_PACKED, piece, n, len, hdr);
}

/*
 * Deliver by copying. 0: done with the packet (delivered, or dropped and counted);
 * -ENOBUFS: the guest has no room now.
 */
static __rte_always_inline int
deliver_copy(struct vhost_txq *q, const struct mode mode, struct rte_mbuf *m)
{
	const struct iovt_vnet_hdr *hdr = hdr_for(m, mode.csum);
	uint64_t *reason = &q->stats.copied_unbound;
	int ret;

	if (unlikely((m->ol_flags & (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT | OFFLOAD_ANY)) ||
		    m->nb_segs != 1)) {
		reason = copy_reason(q, m);
		if (!may_deliver(q, m)) {
			q->stats.dropped_isolation++;
			return 0;
		}
		if (m->ol_flags & OFFLOAD_ANY)
			return vhost_offload_deliver(q, m, is_own(q, m), reason);
	}
	if (likely(m->nb_segs == 1 && !mode.log))
		ret = iovt_rx_copy(q->rxq, mode.format, rte_pktmbuf_mtod(m, void *), m->data_len,
			hdr);
	else
		ret = copy_segments(q->rxq, m, hdr);
	return vhost_account(q, m, ret, reason);
}

/*
 * Start to fetch what will be copied a few packets later: NIC drivers fetch the headers only, and the rest
 * comes from far away. What is longer than this is for the CPU's own prefetcher.
 */
#define COPY_AHEAD       4
#define COPY_AHEAD_BYTES 320u

static inline void
fetch_ahead(struct rte_mbuf *const *pkts, uint16_t i, uint16_t n)
{
	const struct rte_mbuf *m = pkts[i + COPY_AHEAD < n ? i + COPY_AHEAD : n - 1];
	const char *data;
	uint32_t len;

	if (unlikely(m->nb_segs > 1))
		m = m->next; /* the headers before it are this core's copy */
	data = rte_pktmbuf_mtod(m, const char *);
	len = RTE_MIN(m->data_len, COPY_AHEAD_BYTES);
	for (uint32_t off = 0; off < len; off += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(data + off);
}

static __rte_cold void
report_broken(struct vhost_txq *q)
{
	if (q->error_logged)
		return;
	q->error_logged = true;
	IOVTEE_LOG(ERR,
		"%s q%u: the guest broke its receive ring (%s); the queue is stopped until the "
		"guest resets it",
		q->port->data->name, q->queue, q->rxq->error);
}

/* At most BATCH packets. */
static __rte_always_inline uint16_t
tx_batch(struct vhost_txq *q, const struct mode mode, struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mbuf *copied[BATCH];
	uint16_t nf = 0, i = 0;

	if (unlikely(!iovt_rx_begin(q->rxq))) {
		report_broken(q);
		return 0;
	}
	while (i < n) {
		if (likely(pkts[i]->pool == q->tee_mp))
			i += deliver_in_place(q, mode, pkts + i, n - i);
		if (likely(i == n))
			break;
		fetch_ahead(pkts, i, n);
		if (unlikely(deliver_copy(q, mode, pkts[i]) < 0))
			break;
		copied[nf++] = pkts[i++];
	}
	if (mode.log ? iovt_rx_end_logged(q->rxq) : iovt_rx_end(q->rxq, mode.format))
		vhost_notify(&q->call);
	if (nf > 0)
		rte_pktmbuf_free_bulk(copied, nf);
	return i;
}

static uint16_t
send_split(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return tx_batch(q, (struct mode){IOVT_SPLIT}, pkts, n);
}

static uint16_t
send_split_csum(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return tx_batch(q, (struct mode){IOVT_SPLIT, .csum = true}, pkts, n);
}

static uint16_t
send_packed(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return tx_batch(q, (struct mode){IOVT_PACKED}, pkts, n);
}

static uint16_t
send_packed_csum(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return tx_batch(q, (struct mode){IOVT_PACKED, .csum = true}, pkts, n);
}

/* While the guest is migrated. */
static uint16_t
send_logged(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return tx_batch(q, (struct mode){q->rxq->vr.format, q->takes.csum, .log = true}, pkts, n);
}

vhost_send_fn
vhost_send_for(const struct iovt_rxq *rxq, bool csum)
{
	if (rxq->log.mark != NULL)
		return send_logged;
	if (rxq->vr.format == IOVT_SPLIT)
		return csum ? send_split_csum : send_split;
	return csum ? send_packed_csum : send_packed;
}

/*
 * Which virtqueue a batch goes to: packets out of the tee pool of another virtqueue of this guest go to that
 * one, if it runs. Bound ones can be delivered in place there, and host ones of the same flow follow them.
 * Decided by the first packet.
 */
static inline struct vhost_txq *
batch_target(const struct vhost_sender *s, const struct rte_mbuf *m)
{
	struct vhost_txq *q = __atomic_load_n(&s->target, __ATOMIC_RELAXED);
	const struct rte_mbuf *root;

	if (likely(m->pool == q->tee_mp))
		return q;
	root = tee_root(m);
	if (root == NULL)
		root = m;
	for (uint16_t i = 0; i < s->port->conf.queues; i++) {
		const struct vhost_txq *other = &s->port->txq[i];

		if (other->tee_mp == root->pool && other->rxq != NULL)
			return (struct vhost_txq *)(uintptr_t)other;
	}
	return q;
}

/* Not under the queue's lock, and several senders may share the queue. */
static void
refused(uint64_t *counter, uint16_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

uint16_t
vhost_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_sender *s = queue;
	uint16_t done = 0, sent, batch;

	gate_enter(&s->gate);
	do {
		struct vhost_txq *q = batch_target(s, pkts[done]);

		batch = RTE_MIN(n - done, BATCH);
		if (likely(q->rxq != NULL)) {
			sent = q->send(q, pkts + done, batch);
			if (unlikely(sent < batch))
				refused(&q->stats.dropped_no_buffer, batch - sent);
		} else {
			sent = 0;
			refused(&q->stats.dropped_not_ready, batch);
		}
		done += sent;
	} while (unlikely(sent == batch && done < n));
	gate_leave(&s->gate);
	return done;
}
