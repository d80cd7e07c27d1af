/* SPDX-License-Identifier: BSD-3-Clause */
/* An uplink's queues: set-up, gates, and taking posted buffers back from the NIC. */
#include <rte_errno.h>
#include <rte_malloc.h>

#include "control.h"
#include "log.h"
#include "mapping.h"
#include "pinned.h"
#include "steer.h"
#include "uplink.h"

/* Objects of a tee pool beyond those in the NIC's ring: what the switch and other ports may hold. */
#define TEE_EXTRA 4096

/* ---- the physical queue ---- */

static int
phys_rxq_setup(const struct uplink_rxq *q, uint16_t desc)
{
	return rte_eth_rx_queue_setup(q->phys_port, q->queue, desc, q->socket, &q->conf,
		q->tee_pool != NULL ? q->tee_pool : q->app_pool);
}

/* Every gate of the uplink but that of the one queue which the caller holds. */
static void
other_gates(const struct uplink *up, const struct uplink_rxq *held,
	struct gate *gates[2 * UPLINK_QUEUES_MAX])
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct uplink_rxq *rxq = up->rxq[i];
		struct uplink_txq *txq = up->txq[i];

		gates[2 * i] = rxq != NULL && rxq != held ? &rxq->gate : NULL;
		gates[2 * i + 1] = txq != NULL ? &txq->gate : NULL;
	}
}

/* starve=nic may leave a ring short, or empty: not every driver starts then. */
static bool
give_up_starving(struct uplink_rxq *q)
{
	if (q == NULL || q->tee == NULL || !q->tee->starve_nic)
		return false;
	IOVTEE_LOG(WARNING,
		"%s: the driver cannot start Rx queue %u with a short ring: starve=host is used",
		q->uplink->data->name, q->queue);
	q->tee->starve_nic = false;
	q->needs_full_ring = true;
	return true;
}

int
uplink_phys_start(struct uplink *up)
{
	bool retry = false;
	int ret;

	tee_refilling = true;
	ret = rte_eth_dev_start(up->phys_port);
	for (unsigned int i = 0; ret < 0 && i < UPLINK_QUEUES_MAX; i++)
		retry |= give_up_starving(up->rxq[i]);
	if (retry)
		ret = rte_eth_dev_start(up->phys_port);
	tee_refilling = false;
	if (ret == 0) {
		uplink_finish_start(up);
		uplink_allow_reaping(up, true);
	}
	return ret;
}

int
uplink_phys_stop(struct uplink *up)
{
	int ret;

	uplink_allow_reaping(up, false);
	ret = rte_eth_dev_stop(up->phys_port);
	if (ret < 0)
		uplink_allow_reaping(up, true);
	return ret;
}

/*
 * A driver that spreads RSS over all queues again when it starts would let frames of others into an untrusted
 * guest's buffers. Until one start has shown that it does not, such queues start with host buffers; those of
 * the guest follow as the NIC is refilled.
 */
static void
withhold(const struct uplink *up, struct iovt_rxq *held[UPLINK_QUEUES_MAX])
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		const struct uplink_rxq *q = up->rxq[i];

		held[i] = NULL;
		if (up->keeps_reta || q == NULL || q->tee == NULL || !q->steer.exclusive)
			continue;
		held[i] = q->tee->rxq;
		q->tee->rxq = NULL;
	}
}

static void
hand_back(const struct uplink *up, struct iovt_rxq *const held[UPLINK_QUEUES_MAX])
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++)
		if (held[i] != NULL)
			up->rxq[i]->tee->rxq = held[i];
}

/* Whose frames arrive there is not known: none is for the guest's memory, and none must wait for its buffers. */
static void
keep_back(const struct uplink *up, struct iovt_rxq *const held[UPLINK_QUEUES_MAX])
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		if (held[i] == NULL)
			continue;
		up->rxq[i]->tee->starve_nic = false;
		IOVTEE_LOG(ERR,
			"%s: the NIC's RSS table cannot be read or set after a restart: all "
			"packets of Rx queue %u are copied",
			up->data->name, i);
	}
}

static int
flush_by_port(struct uplink_rxq *q, uint16_t desc)
{
	struct iovt_rxq *held[UPLINK_QUEUES_MAX];
	struct gate *gates[2 * UPLINK_QUEUES_MAX];
	struct uplink *up = q->uplink;
	int ret, changed;

	other_gates(up, q, gates);
	gates_close(gates, RTE_DIM(gates));
	steer_park(up);
	withhold(up, held);
	ret = uplink_phys_stop(up);
	if (ret == 0 && (desc != q->desc || q->keeps_posted))
		ret = phys_rxq_setup(q, desc);
	if (ret == 0)
		ret = uplink_phys_start(up);
	changed = steer_keep_exclusive(up);
	up->keeps_reta = ret == 0 && changed == 0;
	if (changed >= 0)
		hand_back(up, held);
	else
		keep_back(up, held);
	steer_unpark(up);
	gates_open(gates, RTE_DIM(gates));
	return ret;
}

static bool
can_resize_running(const struct uplink_rxq *q)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(q->phys_port, &info) == 0 &&
		(info.dev_capa & RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP);
}

/* -ENOTSUP: it takes a stop of the port. */
static int
flush_by_queue(struct uplink_rxq *q, uint16_t desc)
{
	int ret;

	if (desc != q->desc && !can_resize_running(q))
		return -ENOTSUP;
	if (rte_eth_dev_rx_queue_stop(q->phys_port, q->queue) != 0)
		return -ENOTSUP;
	ret = desc != q->desc ? phys_rxq_setup(q, desc) : 0;
	if (ret != 0)
		return ret;
	tee_refilling = true;
	ret = rte_eth_dev_rx_queue_start(q->phys_port, q->queue);
	tee_refilling = false;
	return ret;
}

static int
flush(struct uplink_rxq *q, uint16_t desc)
{
	int ret = q->keeps_posted ? -ENOTSUP : flush_by_queue(q, desc);

	return ret == -ENOTSUP ? flush_by_port(q, desc) : ret;
}

int
uplink_rxq_flush(struct uplink_rxq *q, uint16_t desc)
{
	int ret = flush(q, desc);

	if (ret < 0 && give_up_starving(q))
		ret = flush(q, desc);
	if (ret == 0)
		q->desc = desc;
	return ret;
}

/* ---- the pool behind it ---- */

/* Objects still inside the switch would come back to freed memory: such a pool is left behind. */
static void
drop_tee(struct uplink *up, unsigned int queue)
{
	struct rte_mempool *mp = up->tee[queue].pool;

	up->tee[queue].pool = NULL;
	if (mp == NULL)
		return;
	if (rte_mempool_full(mp))
		pinned_free_pool(mp);
	else
		IOVTEE_LOG(WARNING,
			"%s: %u packets of Rx queue %u are still in use; their pool %s is left "
			"behind",
			up->data->name, rte_mempool_in_use_count(mp), queue, mp->name);
}

void
uplink_free_tees(struct uplink *up)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++)
		drop_tee(up, i);
}

static bool
tee_fits(const struct uplink *up, const struct uplink_rxq *q)
{
	const struct rte_mempool *mp = up->tee[q->queue].pool;

	return mp != NULL && up->tee[q->queue].like == q->app_pool &&
		mp->size >= (uint32_t)q->app_desc + TEE_EXTRA;
}

static int
make_tee(struct uplink_rxq *q)
{
	struct uplink *up = q->uplink;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (!tee_fits(up, q)) {
		drop_tee(up, q->queue);
		snprintf(name, sizeof(name), "iovtee_%u_%u_%u", q->port, q->queue,
			up->tee_serial++);
		up->tee[q->queue].pool = tee_pool_create(name, q->app_desc + TEE_EXTRA, q->app_pool,
			RTE_PKTMBUF_HEADROOM + uplink_rxq_frame_max(q));
		up->tee[q->queue].like = q->app_pool;
	}
	q->tee_pool = up->tee[q->queue].pool;
	if (q->tee_pool == NULL)
		return -rte_errno;
	q->tee = q->tee_pool->pool_data;
	mapping_init_tee(up->claim[q->queue], q);
	return 0;
}

/* Set the physical queue up again with the pool that is wanted now. */
static int
change_pool(struct uplink_rxq *q)
{
	uint16_t desc = q->app_desc;
	int ret;

	if (!q->uplink->started)
		return phys_rxq_setup(q, desc);
	q->desc = 0; /* differs from any size, so that the queue is set up and not only restarted */
	ret = uplink_rxq_flush(q, desc);
	if (ret < 0)
		q->desc = desc;
	return ret;
}

int
uplink_rxq_use_tee(struct uplink_rxq *q)
{
	int ret;

	if (q->tee_pool != NULL || q->uplink->own_memory)
		return 0;
	gate_close(&q->gate);
	ret = make_tee(q);
	if (ret == 0)
		ret = change_pool(q);
	if (ret < 0) {
		IOVTEE_LOG(ERR, "%s: cannot set Rx queue %u up for mapping: %s",
			q->uplink->data->name, q->queue, rte_strerror(-ret));
		q->tee_pool = NULL;
		q->tee = NULL;
	}
	gate_open(&q->gate);
	return ret;
}

void
uplink_rxq_use_app_pool(struct uplink_rxq *q)
{
	if (q->tee_pool == NULL)
		return;
	gate_close(&q->gate);
	q->burst = uplink_rx_plain;
	q->mapped = NULL;
	q->tee_pool = NULL;
	q->tee = NULL;
	if (change_pool(q) < 0)
		IOVTEE_LOG(ERR, "%s: Rx queue %u does not restart; restart the port",
			q->uplink->data->name, q->queue);
	drop_tee(q->uplink, q->queue);
	gate_open(&q->gate);
}

/* ---- ethdev operations ---- */

int
uplink_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *mp)
{
	struct uplink *up = uplink_of(dev);
	struct uplink_rxq *q;
	int ret;

	if (queue >= UPLINK_QUEUES_MAX || mp == NULL)
		return -EINVAL;
	q = rte_zmalloc_socket("iovtee_rxq", sizeof(*q), RTE_CACHE_LINE_SIZE, socket);
	if (q == NULL)
		return -ENOMEM;
	q->phys_port = up->phys_port;
	q->queue = queue;
	q->port = dev->data->port_id;
	q->burst = uplink_rx_plain;
	q->uplink = up;
	q->app_pool = mp;
	q->conf = *conf;
	q->app_desc = desc;
	q->desc = desc;
	q->socket = socket;
	control_lock();
	ret = up->claim[queue] != NULL && !up->own_memory ? make_tee(q) : 0;
	if (ret == 0)
		ret = phys_rxq_setup(q, desc);
	if (ret == 0) {
		up->rxq[queue] = q;
		dev->data->rx_queues[queue] = q;
	} else {
		rte_free(q);
	}
	control_unlock();
	return ret;
}

void
uplink_rx_queue_release(struct rte_eth_dev *dev, uint16_t queue)
{
	struct uplink *up = uplink_of(dev);
	struct uplink_rxq *q = dev->data->rx_queues[queue];

	if (q == NULL)
		return;
	control_lock();
	if (up->claim[queue] != NULL)
		mapping_queue_released(up->claim[queue], q);
	up->rxq[queue] = NULL;
	dev->data->rx_queues[queue] = NULL;
	control_unlock();
	rte_free(q);
}

int
uplink_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	struct uplink *up = uplink_of(dev);
	struct rte_eth_txconf phys_conf = *conf;
	struct rte_eth_dev_info info;
	struct uplink_txq *q;
	int ret;

	if (queue >= UPLINK_QUEUES_MAX)
		return -EINVAL;
	ret = rte_eth_dev_info_get(up->phys_port, &info);
	if (ret != 0)
		return ret;
	phys_conf.offloads &= info.tx_offload_capa | ~UPLINK_SOFT_OFFLOADS;
	q = rte_zmalloc_socket("iovtee_txq", sizeof(*q), RTE_CACHE_LINE_SIZE, socket);
	if (q == NULL)
		return -ENOMEM;
	q->phys_port = up->phys_port;
	q->queue = queue;
	q->dma = rte_eth_devices[up->phys_port].device;
	uplink_finish_init(q, dev->data->dev_conf.txmode.offloads | conf->offloads, &info);
	control_lock();
	ret = rte_eth_tx_queue_setup(up->phys_port, queue, desc, socket, &phys_conf);
	if (ret == 0) {
		up->txq[queue] = q;
		dev->data->tx_queues[queue] = q;
	} else {
		rte_free(q);
	}
	control_unlock();
	return ret;
}

void
uplink_tx_queue_release(struct rte_eth_dev *dev, uint16_t queue)
{
	struct uplink *up = uplink_of(dev);
	struct uplink_txq *q = dev->data->tx_queues[queue];

	if (q == NULL)
		return;
	control_lock();
	iovt_lock_take(&up->reap_lock);
	up->txq[queue] = NULL;
	iovt_lock_release(&up->reap_lock);
	dev->data->tx_queues[queue] = NULL;
	control_unlock();
	rte_free(q);
}
