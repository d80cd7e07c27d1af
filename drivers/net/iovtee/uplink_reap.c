/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that lie in a guest's memory go back to it when the NIC's driver frees them, and drivers put that
 * off until their ring is nearly full: so they are told.
 */
#include "ports.h"
#include "uplink.h"

bool
uplink_can_reap(const struct uplink *up)
{
	return rte_eth_devices[up->phys_port].dev_ops->tx_done_cleanup != NULL;
}

bool
uplink_takes_segments(const struct uplink *up)
{
	return up->data->dev_conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

void
uplink_reap(struct uplink *up)
{
	if (!iovt_lock_try(&up->reap_lock))
		return;
	for (unsigned int i = 0; i < up->data->nb_tx_queues; i++) {
		struct uplink_txq *q = up->txq[i];

		if (q == NULL || !__atomic_load_n(&q->loans, __ATOMIC_ACQUIRE) ||
			!iovt_lock_try(&q->lock))
			continue;
		if (q->reapable)
			rte_eth_tx_done_cleanup(q->phys_port, q->queue, 0);
		iovt_lock_release(&q->lock);
	}
	iovt_lock_release(&up->reap_lock);
}

void
uplink_reap_device(const struct rte_device *dma)
{
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		struct rte_eth_dev *dev = ports_find(id, &uplink_ops);

		if (dev != NULL && rte_eth_devices[uplink_of(dev)->phys_port].device == dma)
			uplink_reap(uplink_of(dev));
	}
}

void
uplink_txq_allow_reaping(struct uplink_txq *q, bool allow)
{
	iovt_lock_take(&q->lock);
	q->reapable = allow;
	iovt_lock_release(&q->lock);
}

void
uplink_allow_reaping(struct uplink *up, bool allow)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++)
		if (up->txq[i] != NULL)
			uplink_txq_allow_reaping(up->txq[i], allow);
}
