/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing the queues of a guest up and down. */
#include <sys/eventfd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_cycles.h>
#include <rte_vhost.h>

#include "log.h"
#include "vhost.h"

/* How long buffers that are inside the switch are waited for at revocation. */
#define REVOKE_WAIT_US 20000

static bool
has_feature(const struct vhost_port *p, unsigned int bit)
{
	return p->features & (UINT64_C(1) << bit);
}

/* ---- towards the guest ---- */

static void
sender_gates(struct vhost_port *p, struct gate *gates[VHOST_QUEUES_MAX])
{
	for (uint16_t i = 0; i < VHOST_QUEUES_MAX; i++)
		gates[i] = &p->sender[i].gate;
}

void
vhost_close_senders(struct vhost_port *p)
{
	struct gate *gates[VHOST_QUEUES_MAX];

	sender_gates(p, gates);
	gates_close(gates, VHOST_QUEUES_MAX);
}

void
vhost_open_senders(struct vhost_port *p)
{
	struct gate *gates[VHOST_QUEUES_MAX];

	sender_gates(p, gates);
	gates_open(gates, VHOST_QUEUES_MAX);
}

static bool
translate_rings(const struct guest *g, const struct rte_vhost_vring *v, struct iovt_rxq_conf *c)
{
	size_t n = v->size;

	c->size = v->size;
	c->desc = guest_translate(g, v->desc, n * sizeof(struct vring_desc));
	c->avail = guest_translate(g, v->avail,
		sizeof(struct vring_avail) + (n + 1) * sizeof(uint16_t));
	c->used = guest_translate(g, v->used,
		sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + sizeof(uint16_t));
	return c->desc != NULL && c->avail != NULL && c->used != NULL;
}

static int
make_rxq(struct vhost_txq *q, struct iovt_rxq **rxq)
{
	struct vhost_port *p = q->port;
	uint16_t vring = VHOST_VRING_RX(q->queue);
	struct rte_vhost_vring v;
	struct iovt_rxq_conf c = {
		.mem = guest_mem(p->guest),
		.mergeable = has_feature(p, VIRTIO_NET_F_MRG_RXBUF),
		.event_idx = has_feature(p, VIRTIO_RING_F_EVENT_IDX),
		.hdr_len = has_feature(p, VIRTIO_NET_F_MRG_RXBUF) ||
				has_feature(p, VIRTIO_F_VERSION_1)
			? 12
			: 10,
		.nic_max = mapping_nic_max(q),
	};

	if (rte_vhost_get_vhost_vring(p->vid, vring, &v) < 0 ||
		rte_vhost_get_vring_base(p->vid, vring, &c.last_avail, &c.last_used) < 0)
		return -ENODEV;
	if (v.desc == NULL || v.avail == NULL || v.used == NULL)
		return -EAGAIN;
	if (!translate_rings(p->guest, &v, &c))
		return -EFAULT;
	c.lend_max = (uint32_t)c.size * (100 - p->conf.reserve) / 100;
	return iovt_rxq_create(&c, rxq);
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
	/* The data path meets the queue complete, mapping included, or not at all. */
	mapping_on(q, rxq);
	vhost_close_senders(p);
	q->rxq = rxq;
	q->guest_csum = has_feature(p, VIRTIO_NET_F_GUEST_CSUM);
	q->error_logged = false;
	vhost_open_senders(p);
}

static void
add_stats(struct iovt_rxq_stats *sum, const struct iovt_rxq_stats *s)
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
}

/* Buffers in the hands of the switch come back as it drops or sends them. */
static void
wait_for_lent(const struct iovt_rxq *rxq)
{
	const volatile uint16_t *lent = &rxq->nr_lent;

	for (unsigned int us = 0; *lent != 0 && us < REVOKE_WAIT_US; us += 10)
		rte_delay_us_sleep(10);
}

/* Revocation (docs/design.md): after it, neither NIC nor switch touches the guest's buffers. */
static void
txq_down(struct vhost_txq *q)
{
	struct vhost_port *p = q->port;
	struct iovt_rxq *rxq = q->rxq;
	uint16_t last_avail, last_used;
	unsigned int lent;

	vhost_close_senders(p);
	q->rxq = NULL;
	q->callfd = -1;
	vhost_open_senders(p);
	iovt_rxq_close(rxq);
	mapping_off(q);
	wait_for_lent(rxq);
	lent = iovt_rxq_give_back(rxq, &last_avail, &last_used);
	if (lent > 0)
		IOVTEE_LOG(WARNING,
			"%s q%u: %u buffers are still inside the switch; the guest does not get "
			"them back, its memory stays mapped until they are",
			p->data->name, q->queue, lent);
	if (p->vid >= 0)
		rte_vhost_set_vring_base(p->vid, VHOST_VRING_RX(q->queue), last_avail, last_used);
	iovt_lock_take(&rxq->lock);
	add_stats(&q->past, &rxq->stats);
	iovt_lock_release(&rxq->lock);
	iovt_rxq_put(rxq);
}

static void
sync_txq(struct vhost_txq *q, bool ready)
{
	struct vhost_port *p = q->port;
	bool want = ready && q->set_up && p->enabled[VHOST_VRING_RX(q->queue)];

	if (want && q->rxq == NULL)
		txq_up(q);
	else if (!want && q->rxq != NULL)
		txq_down(q);
}

/* ---- from the guest ---- */

static void
sync_rxq(struct vhost_port *p, uint16_t queue, bool ready)
{
	struct vhost_rxq *q = &p->rxq[queue];
	bool want = ready && q->set_up && p->enabled[VHOST_VRING_TX(queue)];

	gate_close(&q->gate);
	q->vid = want ? p->vid : -1;
	gate_open(&q->gate);
}

/* ---- all ---- */

/* A Tx queue without a running virtqueue of its own shares one that runs. */
static void
retarget(struct vhost_port *p)
{
	struct vhost_txq *running[VHOST_QUEUES_MAX];
	uint16_t n = 0;

	for (uint16_t i = 0; i < p->conf.queues; i++)
		if (p->txq[i].rxq != NULL)
			running[n++] = &p->txq[i];
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct vhost_txq *target = &p->txq[i];

		if (target->rxq == NULL && n > 0)
			target = running[i % n];
		__atomic_store_n(&p->sender[i].target, target, __ATOMIC_RELAXED);
	}
}

void
vhost_sync(struct vhost_port *p)
{
	bool ready = p->running && p->started && !p->paused;

	if (ready && p->guest == NULL) {
		p->guest = guest_create(p->vid, mapping_dma_device(p));
		ready = p->guest != NULL;
	}
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		sync_txq(&p->txq[i], ready);
		sync_rxq(p, i, ready);
	}
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
	vhost_close_senders(p);
	for (uint16_t i = 0; i < p->conf.queues; i++)
		p->txq[i].callfd = -1;
	vhost_open_senders(p);
}

void
vhost_refresh_callfds(struct vhost_port *p)
{
	vhost_close_senders(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct vhost_txq *q = &p->txq[i];
		struct rte_vhost_vring v;

		if (q->rxq == NULL || rte_vhost_get_vhost_vring(p->vid, VHOST_VRING_RX(i), &v) < 0)
			continue;
		q->callfd = v.callfd;
		if (q->notify_pending && q->callfd >= 0) {
			q->notify_pending = false;
			eventfd_write(q->callfd, 1);
		}
	}
	vhost_open_senders(p);
}

bool
vhost_buffers_bindable(const struct vhost_txq *q)
{
	return q->rxq == NULL || !q->rxq->head_unbindable || q->rxq->nr_lent > 0;
}
