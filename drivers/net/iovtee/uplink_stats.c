/* SPDX-License-Identifier: BSD-3-Clause */
/* An uplink's counters: those of the physical port, and our own. */
#include <stddef.h>

#include "control.h"
#include "uplink.h"

struct counter {
	const char *name;
	size_t offset;
};

static const struct counter rx_counters[] = {
	{"bound_packets", offsetof(struct uplink_rxq, bound_packets)},
	{"host_packets", offsetof(struct uplink_rxq, host_packets)},
	{"debound_packets", offsetof(struct uplink_rxq, debound_packets)},
};

static const struct counter tx_counters[] = {
	{"isolation_drops", offsetof(struct uplink_txq, isolation_drops)},
	{"copy_drops", offsetof(struct uplink_txq, copy_drops)},
	{"csum_in_software", offsetof(struct uplink_txq, csum_in_software)},
	{"segmented_packets", offsetof(struct uplink_txq, segmented_packets)},
	{"dropped_segments", offsetof(struct uplink_txq, dropped_segments)},
	{"dropped_offload", offsetof(struct uplink_txq, dropped_offload)},
};

static unsigned int
own_count(const struct rte_eth_dev *dev)
{
	return dev->data->nb_rx_queues * RTE_DIM(rx_counters) +
		dev->data->nb_tx_queues * RTE_DIM(tx_counters);
}

static uint64_t *
value_of(void *queue, const struct counter *c)
{
	static uint64_t none;

	return queue != NULL ? RTE_PTR_ADD(queue, c->offset) : &none;
}

/* The physical driver's own counters: ethdev adds the general ones to those of this port. */
static int
phys_names(const struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int size)
{
	struct rte_eth_dev *phys = &rte_eth_devices[uplink_of(dev)->phys_port];

	if (phys->dev_ops->xstats_get_names == NULL)
		return 0;
	return phys->dev_ops->xstats_get_names(phys, names, size);
}

static int
phys_values(const struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size)
{
	struct rte_eth_dev *phys = &rte_eth_devices[uplink_of(dev)->phys_port];

	if (phys->dev_ops->xstats_get == NULL)
		return 0;
	return phys->dev_ops->xstats_get(phys, xstats, size);
}

int
uplink_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
	unsigned int size)
{
	int n = phys_names(dev, NULL, 0);

	if (n < 0)
		return n;
	if (names == NULL || size < n + own_count(dev))
		return n + own_count(dev);
	n = phys_names(dev, names, n);
	if (n < 0)
		return n;
	for (uint16_t q = 0; q < dev->data->nb_rx_queues; q++)
		for (unsigned int i = 0; i < RTE_DIM(rx_counters); i++)
			snprintf(names[n++].name, sizeof(names[0].name), "iovtee_rx_q%u_%s", q,
				rx_counters[i].name);
	for (uint16_t q = 0; q < dev->data->nb_tx_queues; q++)
		for (unsigned int i = 0; i < RTE_DIM(tx_counters); i++)
			snprintf(names[n++].name, sizeof(names[0].name), "iovtee_tx_q%u_%s", q,
				tx_counters[i].name);
	return n;
}

/* Behind the lock, as queues come and go. */
static int
put_own(const struct rte_eth_dev *dev, struct rte_eth_xstat *out)
{
	const struct uplink *up = uplink_of(dev);
	int n = 0;

	control_lock();
	for (uint16_t q = 0; q < dev->data->nb_rx_queues; q++)
		for (unsigned int i = 0; i < RTE_DIM(rx_counters); i++)
			out[n++].value = iovt_look(value_of(up->rxq[q], &rx_counters[i]));
	for (uint16_t q = 0; q < dev->data->nb_tx_queues; q++)
		for (unsigned int i = 0; i < RTE_DIM(tx_counters); i++)
			out[n++].value = iovt_look(value_of(up->txq[q], &tx_counters[i]));
	control_unlock();
	return n;
}

int
uplink_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size)
{
	int n = phys_names(dev, NULL, 0); /* xstats_get(NULL) means 0 to some drivers */

	if (n < 0)
		return n;
	if (xstats == NULL || size < n + own_count(dev))
		return n + own_count(dev);
	n = phys_values(dev, xstats, n);
	if (n < 0)
		return n;
	n += put_own(dev, xstats + n);
	for (int i = 0; i < n; i++)
		xstats[i].id = i;
	return n;
}

/* Nobody counts meanwhile. */
static void
reset(struct gate *gate, void *queue, const struct counter *counters, unsigned int n)
{
	gate_close(gate);
	for (unsigned int i = 0; i < n; i++)
		*value_of(queue, &counters[i]) = 0;
	gate_open(gate);
}

int
uplink_xstats_reset(struct rte_eth_dev *dev)
{
	const struct uplink *up = uplink_of(dev);

	control_lock();
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		if (up->rxq[i] != NULL)
			reset(&up->rxq[i]->gate, up->rxq[i], rx_counters, RTE_DIM(rx_counters));
		if (up->txq[i] != NULL)
			reset(&up->txq[i]->gate, up->txq[i], tx_counters, RTE_DIM(tx_counters));
	}
	control_unlock();
	return rte_eth_xstats_reset(uplink_of(dev)->phys_port);
}

int
uplink_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM)
{
	return rte_eth_stats_get(uplink_of(dev)->phys_port, stats);
}

int
uplink_stats_reset(struct rte_eth_dev *dev)
{
	return rte_eth_stats_reset(uplink_of(dev)->phys_port);
}
