/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing the queues of a guest up and down. */
#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "log.h"
#include "vhost.h"

static bool
may_run(const struct vhost_port *p, uint16_t vring)
{
	return p->enabled[vring] && !(p->paused & UINT32_C(1) << vring);
}

#define NR_GATES (2 * VHOST_PORT_QUEUES_MAX)

static void
all_gates(struct vhost_port *p, struct gate *gates[NR_GATES])
{
	for (uint16_t i = 0; i < VHOST_PORT_QUEUES_MAX; i++) {
		gates[2 * i] = &p->sender[i].gate;
		gates[2 * i + 1] = &p->rxq[i].gate;
	}
}

void
vhost_close_gates(struct vhost_port *p)
{
	struct gate *gates[NR_GATES];

	all_gates(p, gates);
	gates_close(gates, NR_GATES);
}

void
vhost_open_gates(struct vhost_port *p)
{
	struct gate *gates[NR_GATES];

	all_gates(p, gates);
	gates_open(gates, NR_GATES);
}

/* ---- towards the guest ---- */

static int
make_rxq(struct vhost_txq *q, struct iovt_rxq **rxq)
{
	struct vhost_port *p = q->port;
	struct iovt_rxq_conf c = {
		.mergeable = vhost_has(p, VIRTIO_NET_F_MRG_RXBUF),
		.hdr_len = vhost_hdr_len(p),
		.nic_max = mapping_nic_max(q),
		.front = p->conf.headroom == VHOST_HEADROOM_GUEST
			? RTE_PKTMBUF_HEADROOM - vhost_hdr_len(p)
			: 0,
		.log = vhost_dirty_log(p),
	};
	int ret = vhost_ring_conf(p, VHOST_VRING_RX(q->queue), &c.ring);

	if (ret < 0)
		return ret;
	c.lend_max = (uint32_t)c.ring.size * (100 - p->conf.reserve) / 100;
	q->record = vhost_open_record(p, VHOST_VRING_RX(q->queue), &c.ring,
		iovt_rxq_record_bytes(c.ring.size), &c.inflight);
	if (q->record != NULL)
		inflight_file_hook(q->record, &c.release, &c.ctx);
	ret = iovt_rxq_create(&c, rxq);
	if (ret < 0)
		vhost_drop_record(&q->record);
	return ret;
}

static struct offload_takes
guest_takes(const struct vhost_port *p)
{
	bool csum = vhost_has(p, VIRTIO_NET_F_GUEST_CSUM);

	return (struct offload_takes){
		.csum = csum,
		.tso4 = csum && vhost_has(p, VIRTIO_NET_F_GUEST_TSO4),
		.tso6 = csum && vhost_has(p, VIRTIO_NET_F_GUEST_TSO6),
		.ecn = vhost_has(p, VIRTIO_NET_F_GUEST_ECN),
	};
}

static void
txq_up(struct vhost_txq *q)
{
	struct vhost_port *p = q->port;
	struct iovt_rxq *rxq = NULL;
	int ret = make_rxq(q, &rxq);

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		IOVTEE_LOG(ERR, "%s q%u: the guest's receive ring is unusable: %s", p->data->name,
			q->queue, strerror(-ret));
		return;
	}
	if (rxq->resumed) {
		q->call.pending = true;
		vhost_report_resumed(p, q->queue, "receive", rxq->stats.resumed);
	}
	/* The data path meets the queue complete, mapping included, or not at all. */
	if (p->conf.trust)
		mapping_on(q, rxq);
	vhost_close_gates(p);
	q->rxq = rxq;
	q->takes = guest_takes(p);
	vhost_limit_frames(q, vhost_send_for(rxq, q->takes.csum));
	q->error_logged = false;
	vhost_open_gates(p);
}

static void
add_rx_stats(struct iovt_rxq_stats *sum, const struct iovt_rxq_stats *s)
{
	sum->harvested += s->harvested;
	sum->completed += s->completed;
	sum->copied_bufs += s->copied_bufs;
	sum->copied_reclaimed += s->copied_reclaimed;
	sum->reclaimed += s->reclaimed;
	sum->rewound += s->rewound;
	sum->flushed += s->flushed;
	sum->abandoned += s->abandoned;
	sum->late += s->late;
	sum->unbindable += s->unbindable;
	sum->starved += s->starved;
	sum->ring_errors += s->ring_errors;
	sum->resumed += s->resumed;
}

/*
 * A guest that sleeps because all its buffers were out does not see what it has got back before it is notified, and
 * nobody may come later who does that: it may go on in another place.
 */
static void
end_vring(struct vhost_port *p, uint16_t vring, const struct iovt_vring_end *end,
	struct vhost_call *call)
{
	if (p->vid >= 0)
		rte_vhost_set_vring_base(p->vid, vring, end->last_avail, end->last_used);
	if (end->notify)
		vhost_notify(call);
	call->fd = -1;
}

/* Revocation (docs/design.md): after it, neither NIC nor switch touches the guest's buffers. */
static void
txq_down(struct vhost_txq *q)
{
	struct vhost_port *p = q->port;
	struct iovt_rxq *rxq = q->rxq;
	struct iovt_rxq_stats past;
	struct iovt_vring_end end;
	unsigned int lent;

	vhost_close_gates(p);
	q->rxq = NULL;
	vhost_open_gates(p);
	iovt_rxq_close(rxq);
	mapping_off(q);
	vhost_wait_for_lent(p, rxq);
	lent = iovt_rxq_give_back(rxq, &end);
	if (lent > 0)
		IOVTEE_LOG(WARNING,
			"%s q%u: %u buffers are still inside the switch; the guest's memory stays "
			"mapped until they are not",
			p->data->name, q->queue, lent);
	vhost_end_record(p, &q->record, lent);
	end_vring(p, VHOST_VRING_RX(q->queue), &end, &q->call);
	past = iovt_rxq_look(rxq).stats;
	add_rx_stats(&q->past, &past);
	iovt_rxq_put(rxq);
}

static void
sync_txq(struct vhost_txq *q, bool ready)
{
	bool want = ready && may_run(q->port, VHOST_VRING_RX(q->queue));

	if (want && q->rxq == NULL)
		txq_up(q);
	else if (!want && q->rxq != NULL)
		txq_down(q);
}

/* ---- from the guest ---- */

/* Large packets are offered only to guests of applications that take them (vhost_ops.c). */
static struct request_rules
request_rules(const struct vhost_port *p)
{
	return (struct request_rules){
		.pass = vhost_takes_checksums(p),
		.tso4 = vhost_has(p, VIRTIO_NET_F_HOST_TSO4),
		.tso6 = vhost_has(p, VIRTIO_NET_F_HOST_TSO6),
		.ecn = vhost_has(p, VIRTIO_NET_F_HOST_ECN),
	};
}

static int
make_txq(struct vhost_rxq *q, struct iovt_txq **txq)
{
	struct vhost_port *p = q->port;
	struct iovt_txq_conf c = {.hdr_len = vhost_hdr_len(p), .log = vhost_dirty_log(p)};
	int ret = vhost_ring_conf(p, VHOST_VRING_TX(q->queue), &c.ring);

	if (ret < 0)
		return ret;
	vhost_make_loans(q, &c);
	q->record = vhost_open_record(p, VHOST_VRING_TX(q->queue), &c.ring,
		iovt_txq_record_bytes(c.ring.size), &c.inflight);
	if (q->record != NULL)
		inflight_file_hook(q->record, &c.release, &c.ctx);
	ret = iovt_txq_create(&c, txq);
	if (ret < 0)
		vhost_drop_record(&q->record);
	return ret;
}

static void
rxq_up(struct vhost_rxq *q)
{
	struct vhost_port *p = q->port;
	struct iovt_txq *txq = NULL;
	int ret = make_txq(q, &txq);

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		IOVTEE_LOG(ERR, "%s q%u: the guest's transmit ring is unusable: %s", p->data->name,
			q->queue, strerror(-ret));
		vhost_drop_loans(q);
		return;
	}
	if (txq->resumed) {
		q->call.pending = true;
		vhost_report_resumed(p, q->queue, "transmit", txq->stats.resumed);
	}
	if (q->loans != NULL)
		q->loans->txq = txq;
	gate_close(&q->gate);
	q->txq = txq;
	q->asks = vhost_has(p, VIRTIO_NET_F_CSUM);
	q->rules = request_rules(p);
	vhost_rx_set_receive(q);
	q->error_logged = false;
	gate_open(&q->gate);
}

static void
add_tx_stats(struct iovt_txq_stats *sum, const struct iovt_txq_stats *s)
{
	sum->chained += s->chained;
	sum->too_short += s->too_short;
	sum->too_big += s->too_big;
	sum->ring_errors += s->ring_errors;
	sum->borrowed += s->borrowed;
	sum->returned += s->returned;
	sum->overdue += s->overdue;
	sum->resumed += s->resumed;
}

static void
rxq_down(struct vhost_rxq *q)
{
	struct vhost_port *p = q->port;
	struct iovt_txq *txq = q->txq;
	struct iovt_txq_stats stats;
	struct iovt_vring_end end;
	unsigned int out;

	gate_close(&q->gate);
	q->txq = NULL;
	gate_open(&q->gate);
	vhost_wait_for_borrowed(p, txq);
	if (q->loans != NULL)
		loan_pool_retire(q->loans);
	q->loans = NULL;
	out = iovt_txq_destroy(txq, &end, &stats);
	if (out > 0)
		IOVTEE_LOG(WARNING,
			"%s q%u: %u of the guest's packets are still inside the switch; its memory "
			"stays mapped until they are not",
			p->data->name, q->queue, out);
	add_tx_stats(&q->past, &stats);
	vhost_end_record(p, &q->record, out);
	end_vring(p, VHOST_VRING_TX(q->queue), &end, &q->call);
}

/* The application has set up fewer Rx queues than the guest sends from. */
static void
report_unpolled(struct vhost_rxq *q)
{
	if (q->error_logged)
		return;
	q->error_logged = true;
	IOVTEE_LOG(WARNING,
		"%s q%u: nobody polls this transmit queue of the guest: the switch has %u Rx queues "
		"on the port; give it more, or the guest fewer",
		q->port->data->name, q->queue, q->port->data->nb_rx_queues);
}

static void
sync_rxq(struct vhost_rxq *q, bool ready)
{
	bool enabled = ready && may_run(q->port, VHOST_VRING_TX(q->queue));
	bool want = enabled && q->set_up;

	if (enabled && !q->set_up)
		report_unpolled(q);
	if (q->loans != NULL && !vhost_may_borrow(q))
		rxq_down(q);
	if (want && q->txq == NULL)
		rxq_up(q);
	else if (!want && q->txq != NULL)
		rxq_down(q);
}

/* ---- all ---- */

/*
 * A Tx queue without a running virtqueue of its own shares one that runs. Virtqueues without a Tx queue of their
 * own run, too: packets that lie in their buffers go there.
 */
static void
retarget(struct vhost_port *p)
{
	struct vhost_txq *running[VHOST_QUEUES_MAX];
	uint16_t n = 0;

	for (uint16_t i = 0; i < p->conf.queues; i++)
		if (p->txq[i].rxq != NULL)
			running[n++] = &p->txq[i];
	for (uint16_t i = 0; i < VHOST_PORT_QUEUES_MAX; i++) {
		struct vhost_txq *target = &p->txq[i % p->conf.queues];

		if (target->rxq == NULL && n > 0)
			target = running[i % n];
		__atomic_store_n(&p->sender[i].target, target, __ATOMIC_RELAXED);
	}
}

/* Until the front end tells of other memory. */
static void
give_memory_up(struct vhost_port *p)
{
	p->has_memory = false;
	p->refused_messages++;
}

void
vhost_sync(struct vhost_port *p)
{
	bool ready = p->running && p->has_memory && p->started && p->paused != VHOST_ALL_VRINGS;

	if (ready && p->guest == NULL) {
		p->guest = guest_create(p->vid, mapping_dma_device(p));
		ready = p->guest != NULL;
		if (!ready)
			give_memory_up(p);
	}
	if (!ready)
		mapping_gather(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		sync_txq(&p->txq[i], ready);
		sync_rxq(&p->rxq[i], ready);
	}
	mapping_spread(p);
	mapping_feed_unused(p);
	retarget(p);
	vhost_refresh_callfds(p);
}

void
vhost_drop_guest(struct vhost_port *p)
{
	if (p->guest == NULL)
		return;
	guest_put(p->guest);
	p->guest = NULL;
}

void
vhost_hide_callfds(struct vhost_port *p)
{
	vhost_close_gates(p);
	for (uint16_t i = 0; i < p->conf.queues; i++)
		p->txq[i].call.fd = p->rxq[i].call.fd = -1;
	vhost_open_gates(p);
}

static void
refresh_callfd(const struct vhost_port *p, uint16_t vring, struct vhost_call *c)
{
	struct rte_vhost_vring v;

	if (rte_vhost_get_vhost_vring(p->vid, vring, &v) < 0)
		return;
	c->fd = v.callfd;
	if (c->pending && c->fd >= 0) {
		c->pending = false;
		vhost_notify(c);
	}
}

void
vhost_refresh_callfds(struct vhost_port *p)
{
	vhost_close_gates(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		if (p->txq[i].rxq != NULL)
			refresh_callfd(p, VHOST_VRING_RX(i), &p->txq[i].call);
		if (p->rxq[i].txq != NULL)
			refresh_callfd(p, VHOST_VRING_TX(i), &p->rxq[i].call);
	}
	vhost_open_gates(p);
}
