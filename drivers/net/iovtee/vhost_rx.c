/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost port's hot path, from the guest: its packets are copied into the switch's mbufs. */
#include <rte_ether.h>

#include "log.h"
#include "vhost_rx.h"

int
vhost_rx_set_pool(struct vhost_rxq *q, struct rte_mempool *pool)
{
	struct rte_eth_dev_data *data = q->port->data;
	uint16_t data_room = rte_pktmbuf_data_room_size(pool);
	struct rte_mbuf m = {.nb_segs = 1, .data_off = RTE_PKTMBUF_HEADROOM, .port = data->port_id};

	if (data_room < RTE_PKTMBUF_HEADROOM + IOVT_TX_LEN_MIN) {
		IOVTEE_LOG(ERR, "%s: pool %s has %u bytes a buffer; %u are the least", data->name,
			pool->name, data_room, RTE_PKTMBUF_HEADROOM + IOVT_TX_LEN_MIN);
		return -EINVAL;
	}
	rte_mbuf_refcnt_set(&m, 1);
	q->rearm = *(const uint64_t *)&m.rearm_data;
	q->room = data_room - RTE_PKTMBUF_HEADROOM;
	q->pool = pool;
	return 0;
}

static __rte_always_inline enum iovt_tx_fate
copy_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct vhost_batch *b = ctx;

	vhost_rx_take_copy(b, b->pkts[k], f, NULL);
	return IOVT_TX_COPIED;
}

static __rte_always_inline enum iovt_tx_fate
copy_asking_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct vhost_batch *b = ctx;
	const struct iovt_vnet_hdr hdr = iovt_tx_header(b->q->txq, f);

	return vhost_rx_take_copy(b, b->pkts[k], f, &hdr) == 0 ? IOVT_TX_COPIED : IOVT_TX_DROPPED;
}

__rte_noinline int
vhost_rx_request(struct vhost_batch *b, struct rte_mbuf *m, const struct iovt_vnet_hdr *hdr)
{
	int ret = request_apply(m, hdr, &b->q->rules, &b->q->stats.requests);

	if (ret < 0)
		b->bytes -= m->pkt_len;
	return ret;
}

/* The first mbuf stays. */
static void
drop_rest(struct rte_mbuf *head)
{
	rte_pktmbuf_free(head->next);
	head->next = NULL;
	head->nb_segs = 1;
}

static int
copy_pieces(struct vhost_batch *b, struct rte_mbuf *head, const struct iovt_pieces *packet)
{
	struct rte_mbuf *m = head;
	uint32_t room = b->q->room;

	vhost_rx_describe(head, b->q->rearm, head->ol_flags & RTE_MBUF_F_EXTERNAL, 0);
	head->pkt_len = packet->len;
	for (unsigned int i = 0; i < packet->nr; i++) {
		const char *src = packet->piece[i].data;
		uint32_t left = packet->piece[i].len;

		while (left > 0) {
			uint32_t n = RTE_MIN(left, room - m->data_len);

			if (n == 0) {
				m->next = rte_pktmbuf_alloc(b->q->pool);
				if (m->next == NULL)
					return -ENOMEM;
				m = m->next;
				head->nb_segs++;
				continue;
			}
			memcpy(rte_pktmbuf_mtod_offset(m, char *, m->data_len), src, n);
			m->data_len += n;
			src += n;
			left -= n;
		}
	}
	b->bytes += packet->len;
	return 0;
}

int
vhost_rx_take_pieces(struct vhost_batch *b, struct rte_mbuf *head, const struct iovt_pieces *packet)
{
	int ret = copy_pieces(b, head, packet);

	if (ret == 0 && b->q->asks && !request_is_none(&packet->hdr))
		ret = vhost_rx_request(b, head, &packet->hdr);
	if (ret < 0)
		drop_rest(head);
	return ret;
}

int
vhost_rx_pieces(void *batch, size_t k, const struct iovt_pieces *packet)
{
	struct vhost_batch *b = batch;

	return vhost_rx_take_pieces(b, b->pkts[k], packet);
}

__rte_cold void
vhost_rx_report_broken(struct vhost_rxq *q)
{
	if (q->error_logged)
		return;
	q->error_logged = true;
	IOVTEE_LOG(ERR,
		"%s q%u: the guest broke its transmit ring (%s); the queue is stopped until the "
		"guest resets it",
		q->port->data->name, q->queue, q->txq->error);
}

/* At most IOVT_TX_BATCH packets. */
static __rte_always_inline uint16_t
rx_batch(struct vhost_rxq *q, const enum iovt_ring_format f, const bool asks, const bool log,
	struct rte_mbuf **pkts, uint16_t n)
{
	unsigned int ready = iovt_tx_ready(q->txq, f, n);
	int got;

	if (unlikely(q->txq->error != NULL))
		vhost_rx_report_broken(q);
	if (ready == 0)
		return 0;
	got = vhost_rx_copy_ready(q, f, ready, asks ? copy_asking_frame : copy_frame, pkts);
	if (unlikely(got < 0)) {
		q->stats.no_mbuf += ready;
		return 0;
	}
	if (log ? iovt_tx_end_logged(q->txq) : iovt_tx_end(q->txq, f))
		vhost_notify(&q->call);
	return got;
}

static uint16_t
receive_split(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_batch(q, IOVT_SPLIT, false, false, pkts, n);
}

static uint16_t
receive_split_asking(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_batch(q, IOVT_SPLIT, true, false, pkts, n);
}

static uint16_t
receive_packed(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_batch(q, IOVT_PACKED, false, false, pkts, n);
}

static uint16_t
receive_packed_asking(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_batch(q, IOVT_PACKED, true, false, pkts, n);
}

/* While the guest is migrated. */
static uint16_t
receive_logged(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_batch(q, q->txq->vr.format, q->asks, true, pkts, n);
}

static vhost_receive_fn
receive_for(const struct vhost_rxq *q)
{
	const struct iovt_txq *txq = q->txq;

	if (q->loans != NULL)
		return vhost_borrow_for(q);
	if (txq->log.mark != NULL)
		return receive_logged;
	if (txq->vr.format == IOVT_SPLIT)
		return q->asks ? receive_split_asking : receive_split;
	return q->asks ? receive_packed_asking : receive_packed;
}

static uint16_t
receive_stripped(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = q->receive_tagged(q, pkts, n);

	for (uint16_t i = 0; i < got; i++)
		if (rte_vlan_strip(pkts[i]) == 0 && (pkts[i]->ol_flags & OFFLOAD_REQUESTS))
			pkts[i]->l2_len -= sizeof(struct rte_vlan_hdr);
	return got;
}

void
vhost_rx_set_receive(struct vhost_rxq *q)
{
	uint64_t offloads = q->port->data->dev_conf.rxmode.offloads;

	q->receive_tagged = receive_for(q);
	q->receive = offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP ? receive_stripped
							      : q->receive_tagged;
}

uint16_t
vhost_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct vhost_rxq *q = queue;
	uint16_t got = 0, k, batch;

	if (unlikely(!gate_try_enter(&q->gate)))
		return 0;
	if (unlikely(q->announce) && n > 0)
		got = vhost_receive_announcement(q, pkts);
	if (likely(q->txq != NULL)) {
		do {
			batch = RTE_MIN(n - got, IOVT_TX_BATCH);
			k = q->receive(q, pkts + got, batch);
			got += k;
		} while (unlikely(k == batch && got < n));
	}
	gate_leave(&q->gate);
	return got;
}

iovtee_queue_count
vhost_rx_queue_count(void *queue)
{
	struct vhost_rxq *q = queue;
	uint32_t n = 0;

	if (!gate_try_enter(&q->gate))
		return 0;
	if (q->txq != NULL)
		n = iovt_tx_ready(q->txq, q->txq->vr.format, q->txq->vr.size);
	gate_leave(&q->gate);
	return n;
}
