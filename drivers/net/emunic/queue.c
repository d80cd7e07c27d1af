/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of the queues: set up, start, stop, release. */
#include <rte_malloc.h>

#include "emunic.h"

#define FREE_THRESH 32

static struct emu *
priv(struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* Ring counts are checked by ethdev against the limits in dev_info. */
static uint16_t
threshold(uint16_t wanted, uint16_t nb_desc)
{
	return wanted != 0 && wanted < nb_desc ? wanted : RTE_MIN(FREE_THRESH, nb_desc / 4);
}

static uint64_t
rearm_word(uint16_t port_id)
{
	struct rte_mbuf m = {.nb_segs = 1, .data_off = RTE_PKTMBUF_HEADROOM, .port = port_id};

	rte_mbuf_refcnt_set(&m, 1);
	return *(const uint64_t *)&m.rearm_data;
}

static int
deferred(const struct emu *emu, bool start_deferred)
{
	if (!start_deferred || emu->conf.rxq_stop)
		return 0;
	EMU_LOG(ERR, "%s: rx_deferred_start needs rxq_stop=1", emu->dev->device->name);
	return -EINVAL;
}

int
emu_rx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct emu *emu = priv(dev);
	struct emu_rxq *q;

	if (deferred(emu, conf->rx_deferred_start) != 0)
		return -EINVAL;
	q = rte_zmalloc_socket("emunic_rxq", sizeof(*q), RTE_CACHE_LINE_SIZE, socket);
	if (q == NULL)
		return -ENOMEM;
	q->ring = rte_zmalloc_socket("emunic_rx_ring", nb_desc * sizeof(*q->ring),
		RTE_CACHE_LINE_SIZE, socket);
	q->sw = rte_zmalloc_socket("emunic_rx_sw", nb_desc * sizeof(struct rte_mbuf *),
		RTE_CACHE_LINE_SIZE, socket);
	if (q->ring == NULL || q->sw == NULL) {
		EMU_LOG(ERR, "%s: no memory for Rx queue %u with %u descriptors", dev->device->name,
			id, nb_desc);
		rte_free(q->ring);
		rte_free(q->sw);
		rte_free(q);
		return -ENOMEM;
	}
	q->pool = pool;
	q->nb_desc = nb_desc;
	q->thresh = threshold(conf->rx_free_thresh, nb_desc);
	q->rearm = rearm_word(dev->data->port_id);
	q->queue_id = id;
	q->port_id = dev->data->port_id;
	q->conf = *conf;
	dev->data->rx_queues[id] = q;
	emu_lock(emu);
	emu->rxq[id] = q;
	emu_unlock(emu);
	return 0;
}

int
emu_tx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	struct emu *emu = priv(dev);
	struct emu_txq *q;

	q = rte_zmalloc_socket("emunic_txq", sizeof(*q), RTE_CACHE_LINE_SIZE, socket);
	if (q == NULL)
		return -ENOMEM;
	q->ring = rte_zmalloc_socket("emunic_tx_ring", nb_desc * sizeof(*q->ring),
		RTE_CACHE_LINE_SIZE, socket);
	q->sw = rte_zmalloc_socket("emunic_tx_sw", nb_desc * sizeof(struct rte_mbuf *),
		RTE_CACHE_LINE_SIZE, socket);
	if (q->ring == NULL || q->sw == NULL) {
		EMU_LOG(ERR, "%s: no memory for Tx queue %u with %u descriptors", dev->device->name,
			id, nb_desc);
		rte_free(q->ring);
		rte_free(q->sw);
		rte_free(q);
		return -ENOMEM;
	}
	q->nb_desc = nb_desc;
	q->thresh = threshold(conf->tx_free_thresh, nb_desc);
	q->queue_id = id;
	q->conf = *conf;
	dev->data->tx_queues[id] = q;
	emu_lock(emu);
	emu->txq[id] = q;
	emu_unlock(emu);
	return 0;
}

void
emu_rxq_start(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_rxq *q = dev->data->rx_queues[id];

	q->target = q->nb_desc;
	emu_rx_fill(q); /* may post nothing: an empty pool leaves the ring short */
	emu_lock(emu);
	q->running = true;
	emu_unlock(emu);
	dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
}

/*
 * The lock is the handshake: the device holds it while it uses a ring, so that after it was taken
 * here once no descriptor is in use, whoever runs the device.
 */
void
emu_rxq_stop(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_rxq *q = dev->data->rx_queues[id];

	emu_lock(emu);
	q->running = false;
	q->head = 0;
	q->limit = 0;
	q->index = 0;
	__atomic_store_n(&q->doorbell, 0, __ATOMIC_RELAXED);
	emu_unlock(emu);
	for (; q->posted > 0; q->posted--) {
		rte_pktmbuf_free(q->sw[q->next]);
		q->next = q->next + 1 < q->nb_desc ? q->next + 1 : 0;
	}
	q->target = 0;
	q->tail = 0;
	q->next = 0;
	q->post = 0;
	dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
}

void
emu_txq_start(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_txq *q = dev->data->tx_queues[id];

	q->target = q->nb_desc;
	emu_lock(emu);
	q->running = true;
	emu_unlock(emu);
	dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
}

void
emu_txq_stop(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_txq *q = dev->data->tx_queues[id];

	emu_lock(emu);
	q->running = false;
	q->head = 0;
	q->limit = 0;
	q->index = 0;
	__atomic_store_n(&q->doorbell, 0, __ATOMIC_RELAXED);
	emu_unlock(emu);
	for (; q->used > 0; q->used--) {
		rte_pktmbuf_free(q->sw[q->clean]);
		q->clean = q->clean + 1 < q->nb_desc ? q->clean + 1 : 0;
	}
	q->target = 0;
	q->tail = 0;
	q->post = 0;
	q->clean = 0;
	dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
}

int
emu_rx_queue_start(struct rte_eth_dev *dev, uint16_t id)
{
	if (!priv(dev)->conf.rxq_stop)
		return -ENOTSUP;
	emu_rxq_start(dev, id);
	return 0;
}

int
emu_rx_queue_stop(struct rte_eth_dev *dev, uint16_t id)
{
	if (!priv(dev)->conf.rxq_stop)
		return -ENOTSUP;
	if (__atomic_load_n(&priv(dev)->queues_jammed, __ATOMIC_RELAXED))
		return -EIO;
	emu_rxq_stop(dev, id);
	return 0;
}

int
emu_tx_queue_start(struct rte_eth_dev *dev, uint16_t id)
{
	emu_txq_start(dev, id);
	return 0;
}

int
emu_tx_queue_stop(struct rte_eth_dev *dev, uint16_t id)
{
	emu_txq_stop(dev, id);
	return 0;
}

void
emu_rx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_rxq *q = dev->data->rx_queues[id];

	if (q == NULL)
		return;
	emu_rxq_stop(dev, id);
	emu_lock(emu);
	emu->rxq[id] = NULL;
	emu_unlock(emu);
	dev->data->rx_queues[id] = NULL;
	rte_free(q->ring);
	rte_free(q->sw);
	rte_free(q);
}

void
emu_tx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
	struct emu *emu = priv(dev);
	struct emu_txq *q = dev->data->tx_queues[id];

	if (q == NULL)
		return;
	emu_txq_stop(dev, id);
	emu_lock(emu);
	emu->txq[id] = NULL;
	emu_unlock(emu);
	dev->data->tx_queues[id] = NULL;
	rte_free(q->ring);
	rte_free(q->sw);
	rte_free(q);
}

void
emu_rxq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info)
{
	const struct emu_rxq *q = dev->data->rx_queues[id];

	info->mp = q->pool;
	info->conf = q->conf;
	info->conf.rx_free_thresh = q->thresh;
	info->nb_desc = q->nb_desc;
}

void
emu_txq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info)
{
	const struct emu_txq *q = dev->data->tx_queues[id];

	info->conf = q->conf;
	info->conf.tx_free_thresh = q->thresh;
	info->nb_desc = q->nb_desc;
}
