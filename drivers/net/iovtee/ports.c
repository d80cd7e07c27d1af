/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

static struct rte_eth_dev *ports[RTE_MAX_ETHPORTS];

void
ports_add(struct rte_eth_dev *dev)
{
	ports[dev->data->port_id] = dev;
}

void
ports_remove(const struct rte_eth_dev *dev)
{
	ports[dev->data->port_id] = NULL;
}

struct rte_eth_dev *
ports_find(uint16_t id, const struct eth_dev_ops *ops)
{
	struct rte_eth_dev *dev = id < RTE_MAX_ETHPORTS ? ports[id] : NULL;

	return dev != NULL && dev->dev_ops == ops ? dev : NULL;
}
