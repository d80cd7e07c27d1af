/* SPDX-License-Identifier: BSD-3-Clause */
/* Which uplink queue belongs to which guest queue, for as long as both ports exist. */
#include <rte_ethdev.h>

#include "log.h"
#include "ports.h"
#include "uplink.h"
#include "vhost.h"

int
mapping_claim(struct vhost_port *p)
{
	struct uplink *up = p->uplink;
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(up->phys_port, &info) != 0)
		return -ENODEV;
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		unsigned int uq = p->conf.rxq + i;

		if (uq >= info.max_rx_queues || uq >= UPLINK_QUEUES_MAX) {
			IOVTEE_LOG(ERR, "%s: rxq=%u is out of range: uplink %s has %u Rx queues",
				p->data->name, uq, p->conf.uplink, info.max_rx_queues);
			return -ERANGE;
		}
		if (up->claim[uq] != NULL) {
			IOVTEE_LOG(ERR,
				"%s: rxq=%u of uplink %s is already mapped by %s; choose another",
				p->data->name, uq, p->conf.uplink, up->claim[uq]->port->data->name);
			return -EBUSY;
		}
	}
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct uplink_rxq *uq = up->rxq[p->conf.rxq + i];

		up->claim[p->conf.rxq + i] = &p->txq[i];
		p->txq[i].map.reason = MAP_NO_GUEST;
		if (uq != NULL)
			uplink_rxq_use_tee(uq);
	}
	return 0;
}

struct uplink_rxq *
mapping_claimed_queue(const struct vhost_txq *q)
{
	const struct vhost_port *p = q->port;

	return p->uplink != NULL ? p->uplink->rxq[p->conf.rxq + q->queue] : NULL;
}

static void
forget_tee(struct vhost_txq *q)
{
	vhost_close_gates(q->port);
	q->tee = NULL;
	q->tee_mp = NULL;
	vhost_open_gates(q->port);
}

void
mapping_unclaim(struct vhost_port *p)
{
	struct uplink *up = p->uplink;

	if (up == NULL)
		return;
	mapping_gather(p);
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		struct uplink_rxq *uq = mapping_claimed_queue(&p->txq[i]);

		if (up->claim[p->conf.rxq + i] != &p->txq[i])
			continue;
		up->claim[p->conf.rxq + i] = NULL;
		if (uq != NULL)
			uplink_rxq_use_app_pool(uq);
		forget_tee(&p->txq[i]);
	}
	p->uplink = NULL;
}

struct rte_device *
mapping_dma_device(const struct vhost_port *p)
{
	struct rte_eth_dev_info info;

	if (p->uplink == NULL || rte_eth_dev_info_get(p->uplink->phys_port, &info) != 0)
		return NULL;
	return info.device;
}

uint32_t
mapping_nic_max(const struct vhost_txq *q)
{
	const struct uplink_rxq *uq = mapping_claimed_queue(q);

	if (uq == NULL || uq->app_pool == NULL)
		return 0;
	return uplink_rxq_frame_max(uq);
}

void
mapping_queue_released(struct vhost_txq *q, const struct uplink_rxq *uq)
{
	if (q->map.uq == uq)
		mapping_off(q);
	forget_tee(q);
}

/* Pollers use it. */
static void
set_uplink(struct vhost_port *p, struct uplink *up)
{
	vhost_close_gates(p);
	p->uplink = up;
	vhost_open_gates(p);
}

static int
adopt(struct uplink *up, struct vhost_port *p)
{
	int ret;

	set_uplink(p, up);
	ret = mapping_claim(p);
	if (ret < 0)
		set_uplink(p, NULL);
	return ret;
}

int
mapping_claim_late(struct vhost_port *p)
{
	struct uplink *up = p->uplink == NULL ? uplink_find(p->conf.uplink) : NULL;

	if (up == NULL)
		return 0;
	vhost_drop_guest(p); /* the uplink's NIC has to reach its memory, too */
	return adopt(up, p);
}

/* The guest's queues are stopped meanwhile, as for a message about its memory: that is mapped anew, for the NIC too. */
void
mapping_restart_guest(struct vhost_port *p)
{
	uint32_t paused = p->paused;

	p->paused = VHOST_ALL_VRINGS;
	vhost_sync(p);
	vhost_drop_guest(p);
	p->paused = paused;
	vhost_sync(p);
}

bool
mapping_guest_is_older(const struct vhost_txq *q)
{
	return q->rxq->bind_min != q->rxq->hdr_len + mapping_nic_max(q) ||
		!guest_dma_ok(q->port->guest);
}

void
mapping_uplink_came(struct uplink *up)
{
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		struct rte_eth_dev *dev = ports_find(id, &vhost_ops);
		struct vhost_port *p = dev != NULL ? vhost_of(dev) : NULL;

		if (p != NULL && p->uplink == NULL && strcmp(p->conf.uplink, up->data->name) == 0)
			adopt(up, p);
	}
}

void
mapping_uplink_gone(struct uplink *up)
{
	struct vhost_port *ports[UPLINK_QUEUES_MAX];
	struct rte_eth_dev_info info;
	unsigned int n = 0;

	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_txq *q = up->claim[i];

		if (q == NULL)
			continue;
		forget_tee(q);
		q->map.reason = MAP_UPLINK_GONE;
		up->claim[i] = NULL;
		if (q->port->uplink == NULL)
			continue;
		set_uplink(q->port, NULL);
		ports[n++] = q->port;
	}
	if (rte_eth_dev_info_get(up->phys_port, &info) == 0)
		guest_forget_device(info.device);
	while (n > 0)
		vhost_sync(ports[--n]);
}
