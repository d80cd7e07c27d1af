/* SPDX-License-Identifier: BSD-3-Clause */
/* Zero-copy on and off. */
#include <rte_alarm.h>
#include <rte_ethdev.h>

#include "control.h"
#include "log.h"
#include "steer.h"
#include "uplink.h"
#include "vhost.h"

/*
 * Buffers that may be inside the switch while the NIC refills: two bursts. The NIC's ring is made that
 * much shorter than the guest's share, or a refill would run dry and post host buffers.
 */
#define IN_SWITCH 64

/*
 * Many drivers enable their queue first and fill it afterwards. Until then the NIC holds host buffers; so
 * a queue is looked at again, so often (microseconds, times).
 */
#define TOP_UP_PERIOD 5000
#define TOP_UP_MAX    2000

/* What an unmapped queue keeps when its driver cannot do with less. */
#define DESC_MIN 32

/* Ring size that the guest's buffers can keep filled, in the steps that the driver takes. */
static uint16_t
ring_size(const struct uplink_rxq *uq, uint16_t lend_max)
{
	struct rte_eth_dev_info info;
	uint16_t desc = lend_max >= 2 * IN_SWITCH ? lend_max - IN_SWITCH : lend_max / 2;
	uint16_t align, min;

	if (rte_eth_dev_info_get(uq->phys_port, &info) != 0)
		return uq->desc;
	align = RTE_MAX(info.rx_desc_lim.nb_align, 1);
	min = RTE_MAX(info.rx_desc_lim.nb_min, DESC_MIN);
	desc = RTE_MIN(desc, uq->app_desc);
	desc -= desc % align;
	return RTE_MAX(desc, min);
}

enum map_reason
mapping_check(const struct vhost_txq *q)
{
	const struct uplink_rxq *uq = mapping_claimed_queue(q);
	const struct vhost_port *p = q->port;

	if (p->conf.uplink[0] == '\0')
		return MAP_PLAIN;
	if (p->uplink == NULL)
		return MAP_UPLINK_GONE;
	if (p->uplink->keeps_buffers)
		return MAP_DRIVER;
	if (p->spread.missteered)
		return MAP_MISSTEERED;
	if (uq == NULL || !p->uplink->started)
		return MAP_UPLINK_DOWN;
	if (p->uplink->own_memory)
		return MAP_OWN_MEMORY;
	if (uq->tee == NULL)
		return MAP_QUEUE;
	if (!vhost_headroom_known(&p->conf, uq->app_pool))
		return MAP_HEADROOM;
	if (!guest_dma_ok(p->guest))
		return MAP_DMA;
	if (p->conf.trust)
		return MAP_ON;
	if (!p->conf.has_mac)
		return MAP_NO_MAC;
	/* Whatever matches no rule and no hash goes to queue 0. */
	return uq->queue == 0 ? MAP_SHARED_QUEUE : MAP_ON;
}

/* A queue that no guest will ever be mapped to must not starve for one. */
static bool
may_starve(const struct vhost_txq *q, const struct uplink_rxq *uq)
{
	const struct vhost_conf *conf = &q->port->conf;

	return conf->starve_nic && vhost_headroom_known(conf, uq->app_pool) &&
		(conf->trust || (conf->has_mac && conf->rxq + q->queue != 0));
}

void
mapping_init_tee(const struct vhost_txq *q, const struct uplink_rxq *uq)
{
	uq->tee->trust = q->port->conf.trust;
	uq->tee->starve_nic = may_starve(q, uq);
}

/* Copying needs host buffers in the NIC. */
static void
set_starve(struct uplink_rxq *uq, bool starve)
{
	if (uq == NULL || uq->tee == NULL || uq->tee->starve_nic == starve)
		return;
	gate_close(&uq->gate);
	uq->tee->starve_nic = starve;
	gate_open(&uq->gate);
}

void
mapping_feed(const struct vhost_txq *q)
{
	set_starve(mapping_claimed_queue(q), false);
}

void
mapping_feed_unused(struct vhost_port *p)
{
	bool any = false;

	for (uint16_t i = 0; i < p->conf.queues; i++)
		any |= p->txq[i].rxq != NULL;
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct uplink_rxq *uq = mapping_claimed_queue(&p->txq[i]);

		if (uq != NULL && p->txq[i].rxq == NULL)
			set_starve(uq, !any && may_starve(&p->txq[i], uq) && !uq->needs_full_ring);
	}
}

static uint64_t
mac_word(const struct rte_ether_addr *mac)
{
	uint64_t word = 0;

	memcpy((char *)&word + 2, mac, sizeof(*mac));
	return word;
}

/* From here on the NIC writes into the guest's memory. */
static int
lend(struct vhost_txq *q, struct uplink_rxq *uq, struct iovt_rxq *rxq)
{
	const struct vhost_conf *conf = &q->port->conf;
	bool any_unicast = !conf->has_mac;
	int ret;

	gate_close(&uq->gate);
	uq->tee->starve_nic = conf->starve_nic && !uq->needs_full_ring;
	tee_pool_lend(uq->tee, rxq);
	uq->hdr_len = rxq->hdr_len;
	uq->steer = (struct uplink_steer){
		.mac_word = mac_word(&conf->mac),
		.exclusive = !conf->trust,
	};
	uq->missteered = false;
	uq->mapped = q;
	uq->burst = uplink_rx_mapped_fn(conf->headroom != VHOST_HEADROOM_GUEST, any_unicast);
	ret = uplink_rxq_flush(uq, ring_size(uq, rxq->lend_max));
	gate_open(&uq->gate);
	return ret;
}

/* Flushing loses frames that the NIC has received and the switch has not taken yet. */
static bool
is_idle(const struct uplink_rxq *uq)
{
	int n = rte_eth_rx_queue_count(uq->phys_port, uq->queue);

	return n == 0 || n == -ENOTSUP;
}

/* The guest has filled its ring now: post those buffers, while nothing is lost by that. */
static void
top_up(void *arg)
{
	struct vhost_txq *q = arg;
	struct uplink_rxq *uq;
	unsigned int lent, wanted;

	control_lock();
	uq = q->map.uq;
	if (uq == NULL || q->rxq == NULL)
		goto out;
	lent = iovt_rxq_look(q->rxq).lent;
	wanted = RTE_MIN(uq->desc, q->rxq->lend_max);
	if (lent >= wanted)
		goto out;
	gate_close(&uq->gate);
	if (lent + iovt_rxq_available(q->rxq) >= wanted && is_idle(uq)) {
		if (uplink_rxq_flush(uq, uq->desc) < 0)
			IOVTEE_LOG(ERR, "%s: Rx queue %u does not restart; restart the port",
				uq->uplink->data->name, uq->queue);
		IOVTEE_LOG(DEBUG, "%s q%u: %u buffers posted", q->port->data->name, q->queue,
			iovt_rxq_look(q->rxq).lent);
	} else if (++q->map.top_ups < TOP_UP_MAX) {
		rte_eal_alarm_set(TOP_UP_PERIOD, top_up, q);
	}
	gate_open(&uq->gate);
out:
	control_unlock();
}

static void
use_tee(struct vhost_txq *q, const struct uplink_rxq *uq)
{
	vhost_close_gates(q->port);
	q->tee = uq->tee;
	q->tee_mp = uq->tee_pool;
	vhost_open_gates(q->port);
}

void
mapping_on(struct vhost_txq *q, struct iovt_rxq *rxq)
{
	struct uplink_rxq *uq = mapping_claimed_queue(q);
	enum map_reason reason = mapping_check(q);

	if (reason == MAP_ON) {
		use_tee(q, uq);
		q->map.uq = uq;
		if (lend(q, uq, rxq) < 0) {
			mapping_off(q);
			reason = MAP_QUEUE;
		}
	}
	if (reason != MAP_ON) {
		mapping_refuse(q, reason);
		return;
	}
	q->map.reason = MAP_ON;
	q->map.top_ups = 0;
	/* A ring that was left short is filled by the next polls; one full of host buffers is not. */
	if (!uq->tee->starve_nic)
		rte_eal_alarm_set(TOP_UP_PERIOD, top_up, q);
	IOVTEE_LOG(INFO,
		"%s q%u: zero-copy receive on: %s Rx queue %u, NIC ring of %u, guest's ring of %u",
		q->port->data->name, q->queue, q->port->conf.uplink, uq->queue, uq->desc,
		rxq->vr.size);
}

void
mapping_refuse(struct vhost_txq *q, enum map_reason reason)
{
	q->map.reason = reason;
	mapping_feed(q);
	IOVTEE_LOG(INFO, "%s q%u: zero-copy receive %s", q->port->data->name, q->queue,
		mapping_reason_text(reason));
}

/*
 * Not every driver gives back at queue stop what it has posted (net_tap keeps it): setting the queue up again
 * takes it from them. Such a driver is known by what that brings back; another one once it has given back a ring
 * full of them: what is missing then is with the switch.
 */
static int
take_back(const struct vhost_port *p, struct uplink_rxq *uq, struct iovt_rxq *rxq)
{
	/* A queue that was withheld and not handed back (uplink_queue.c) has lent nothing. */
	unsigned int before = rxq != NULL ? iovt_rxq_look(rxq).lent : 0, lent;
	int ret = uplink_rxq_flush(uq, uq->desc);

	if (ret < 0 || before == 0 || uq->keeps_posted || uq->gives_posted)
		return ret;
	lent = vhost_wait_briefly_for_lent(p, rxq);
	if (lent == 0) {
		uq->gives_posted = before > uq->desc / 2; /* not all were host buffers */
		return 0;
	}
	uq->keeps_posted = true;
	ret = uplink_rxq_flush(uq, uq->desc);
	uq->keeps_posted = iovt_rxq_look(rxq).lent < lent;
	return ret;
}

/*
 * A NIC that did not stop goes on writing to what is posted, which the guest gets back nevertheless: so it must not
 * reach the guest's memory any more.
 */
static void
cut_off(struct vhost_txq *q, struct iovt_rxq *rxq)
{
	struct vhost_port *p = q->port;

	IOVTEE_LOG(ERR, "%s: Rx queue %u does not restart; restart the port", p->conf.uplink,
		p->conf.rxq + q->queue);
	if (rxq == NULL || p->guest == NULL || vhost_wait_for_lent(p, rxq) == 0)
		return;
	IOVTEE_LOG(ERR,
		"%s q%u: the NIC keeps the guest's buffers: without an IOMMU it writes to them still",
		p->data->name, q->queue);
	guest_cut_off(p->guest);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		if (p->txq[i].map.uq == NULL)
			continue;
		mapping_off(&p->txq[i]);
		mapping_refuse(&p->txq[i], MAP_DMA);
	}
}

/* q->rxq may be gone from q already: it is closed then, and lends nothing more. */
void
mapping_off(struct vhost_txq *q)
{
	struct uplink_rxq *uq = q->map.uq;
	struct iovt_rxq *rxq;
	int ret = 0;

	if (q->port->uplink != NULL)
		q->map.reason = MAP_NO_GUEST;
	if (uq == NULL)
		return;
	/* Its share of the guest's frames goes elsewhere first. */
	steer_set(q->port, q->port->spread.steered & ~(UINT32_C(1) << q->queue));
	q->map.uq = NULL;
	gate_close(&uq->gate);
	rxq = uq->tee->rxq;
	tee_pool_lend(uq->tee, NULL);
	/* The tee pool stays, and with it the burst function: it hands out host buffers now. */
	if (uq->uplink->started)
		ret = take_back(q->port, uq, rxq);
	gate_open(&uq->gate);
	if (ret < 0)
		cut_off(q, rxq);
}

/* ---- the uplink's life ---- */

void
mapping_uplink_started(struct uplink *up)
{
	steer_keep_exclusive(up);
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_txq *q = up->claim[i];

		if (q == NULL || q->rxq == NULL || q->map.uq != NULL)
			continue;
		if (mapping_guest_is_older(q))
			mapping_restart_guest(q->port);
		if (q->rxq == NULL || q->map.uq != NULL)
			continue;
		if (q->port->conf.trust)
			mapping_on(q, q->rxq);
		else
			mapping_spread(q->port);
	}
}

void
mapping_uplink_stopping(struct uplink *up)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_txq *q = up->claim[i];

		if (q == NULL)
			continue;
		mapping_gather(q->port);
		mapping_off(q);
		q->map.reason = MAP_UPLINK_DOWN;
	}
}

/* ---- steering that fails ---- */

static void
unmap_missteered(void *arg)
{
	struct vhost_port *p = arg;

	control_lock();
	p->spread.missteered = true;
	mapping_gather(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		if (p->txq[i].map.uq == NULL)
			continue;
		mapping_off(&p->txq[i]);
		mapping_refuse(&p->txq[i], MAP_MISSTEERED);
	}
	control_unlock();
}

void
mapping_report_missteered(struct uplink_rxq *uq)
{
	if (uq->mapped != NULL)
		rte_eal_alarm_set(1, unmap_missteered, uq->mapped->port);
}

void
mapping_cancel_deferred(struct vhost_port *p)
{
	rte_eal_alarm_cancel(unmap_missteered, p);
	for (uint16_t i = 0; i < p->conf.queues; i++)
		rte_eal_alarm_cancel(top_up, &p->txq[i]);
}
