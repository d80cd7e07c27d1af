/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_errno.h>
#include <rte_flow.h>

#include "message.h"
#include "steer.h"

int
steer_to_queue(uint16_t port, const struct rte_ether_addr *mac, uint16_t queue)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_eth spec = {.hdr.dst_addr = *mac};
	const struct rte_flow_item_eth mask = {
		.hdr.dst_addr = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &spec, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action_queue to = {.index = queue};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {0};

	if (rte_flow_create(port, &attr, pattern, actions, &error) != NULL)
		return 0;
	pvp_error("port %u: no rule for queue %u: %s", port, queue,
		error.message != NULL ? error.message : rte_strerror(rte_errno));
	return -rte_errno;
}
