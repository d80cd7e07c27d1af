/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "log.h"
#include "steer.h"
#include "uplink.h"
#include "vhost.h"

static struct rte_flow *
create_rule(uint16_t port, uint16_t queue, const struct vhost_conf *conf)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_eth eth = {.dst = conf->mac};
	const struct rte_flow_item_eth eth_mask = {.dst.addr_bytes = "\xff\xff\xff\xff\xff\xff"};
	const struct rte_flow_item_vlan vlan = {.tci = rte_cpu_to_be_16(conf->vlan)};
	const struct rte_flow_item_vlan vlan_mask = {.tci = RTE_BE16(0x0fff)};
	const struct rte_flow_action_queue to = {.index = queue};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &eth, .mask = &eth_mask},
		{.type = conf->vlan < 0 ? RTE_FLOW_ITEM_TYPE_VOID : RTE_FLOW_ITEM_TYPE_VLAN,
			.spec = conf->vlan < 0 ? NULL : &vlan,
			.mask = conf->vlan < 0 ? NULL : &vlan_mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {.message = NULL};
	struct rte_flow *flow = rte_flow_create(port, &attr, pattern, actions, &error);

	if (flow == NULL)
		IOVTEE_LOG(WARNING, "the NIC refuses a rule for " RTE_ETHER_ADDR_PRT_FMT ": %s",
			RTE_ETHER_ADDR_BYTES(&conf->mac),
			error.message != NULL ? error.message : "no reason given");
	return flow;
}

enum map_reason
steer_install(struct uplink *up, struct vhost_txq *q)
{
	const struct vhost_conf *conf = &q->port->conf;
	uint16_t queue = conf->rxq + q->queue;

	if (q->map.steer != NULL)
		return MAP_ON;
	if (!conf->has_mac)
		return MAP_NO_MAC;
	/* Whatever matches no rule and no hash goes to queue 0. */
	if (queue == 0 || steer_keep_exclusive(up) < 0)
		return MAP_SHARED_QUEUE;
	q->map.steer = create_rule(up->phys_port, queue, conf);
	return q->map.steer != NULL ? MAP_ON : MAP_NO_STEERING;
}

void
steer_remove(struct uplink *up, struct vhost_txq *q)
{
	struct rte_flow_error error;

	if (q->map.steer != NULL)
		rte_flow_destroy(up->phys_port, q->map.steer, &error);
	q->map.steer = NULL;
}

void
steer_park(struct uplink *up)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_txq *q = up->claim[i];

		if (q == NULL || q->map.steer == NULL)
			continue;
		steer_remove(up, q);
		q->map.parked = true;
	}
}

void
steer_unpark(struct uplink *up)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_txq *q = up->claim[i];

		if (q == NULL || !q->map.parked)
			continue;
		q->map.parked = false;
		if (steer_install(up, q) != MAP_ON)
			IOVTEE_LOG(ERR, "%s q%u: the steering rule is lost after a port restart",
				q->port->data->name, q->queue);
	}
}

static bool
is_exclusive(const struct uplink *up, uint16_t queue)
{
	/* Queue 0 gets what matches nothing: it is never mapped for an untrusted guest. */
	return queue != 0 && queue < UPLINK_QUEUES_MAX && up->claim[queue] != NULL &&
		!up->claim[queue]->port->conf.trust;
}

static bool
any_exclusive(const struct uplink *up)
{
	for (uint16_t i = 0; i < UPLINK_QUEUES_MAX; i++)
		if (is_exclusive(up, i))
			return true;
	return false;
}

/* Replace every entry that points at an exclusive queue. Returns how many there were. */
static unsigned int
redirect(const struct uplink *up, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	unsigned int changed = 0;
	uint16_t next = 0;

	for (uint16_t i = 0; i < size; i++) {
		uint16_t *entry =
			&reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];

		if (!is_exclusive(up, *entry))
			continue;
		do
			next = (next + 1) % up->data->nb_rx_queues;
		while (is_exclusive(up, next)); /* ends at queue 0 */
		*entry = next;
		changed++;
	}
	return changed;
}

int
steer_keep_exclusive(struct uplink *up)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_dev_info info;
	int ret;

	if (!(up->data->dev_conf.rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) ||
		up->data->nb_rx_queues < 2 || !any_exclusive(up))
		return 0;
	ret = rte_eth_dev_info_get(up->phys_port, &info);
	if (ret != 0)
		return ret;
	if (info.reta_size == 0 || info.reta_size > RTE_ETH_RSS_RETA_SIZE_512)
		return -ENOTSUP;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < RTE_DIM(reta); i++)
		reta[i].mask = UINT64_MAX;
	ret = rte_eth_dev_rss_reta_query(up->phys_port, reta, info.reta_size);
	if (ret == 0 && redirect(up, reta, info.reta_size) > 0)
		ret = rte_eth_dev_rss_reta_update(up->phys_port, reta, info.reta_size);
	return ret;
}
